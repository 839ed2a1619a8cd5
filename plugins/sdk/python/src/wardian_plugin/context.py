"""What is known about the call that is running. The names are opaque and give no rights."""

from ._host import host


def id() -> str:
    """The call's id: the same when the host repeats a call, so an idempotency key towards other services."""
    return host.call_id()


def session() -> str:
    """The session on whose behalf the call runs."""
    return host.session()


def agent() -> str:
    """The key of the agent that asked."""
    return host.agent()


def user() -> str | None:
    """The end user, where the client named one."""
    return host.user()


def time_left() -> float:
    """Seconds until the host ends the call."""
    return host.time_left_ms() / 1000


def trace() -> str | None:
    """The W3C ``traceparent`` of the host's span, where tracing is on."""
    return host.trace()
