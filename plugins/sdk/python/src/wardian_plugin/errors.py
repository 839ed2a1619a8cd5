"""How a tool says that it has no result: one class for each reason of the contract.

Choose by what the caller should do next. The message is for the model: one or
two sentences that say what was wrong and what would help.
"""

from dataclasses import dataclass
from datetime import timedelta

from .words import optional, told, well_formed

REASONS = ("invalid_input", "not_found", "unauthorized", "refused", "unavailable", "failed")
"""What the contract knows."""

# The longest wait that is told, a century in milliseconds: more is as good as never, and the contract's number ends.
_WAIT_MS_MAX = 100 * 365 * 24 * 3_600_000


class Error(Exception):
    """A failure that the caller can act on; raise one of the classes below."""

    reason = "failed"

    def __init__(self, message: str, *, code: str | None = None, retry_after: float | timedelta | None = None):
        """``code`` is for programs: short and stable. ``retry_after`` is in seconds."""
        super().__init__(message)
        self.message = well_formed(message)
        self.code = optional(code)
        self.retry_after = retry_after.total_seconds() if isinstance(retry_after, timedelta) else retry_after


class InvalidInput(Error):
    """The model should correct its arguments."""

    reason = "invalid_input"


class NotFound(Error):
    """The thing named does not exist: choose another."""

    reason = "not_found"


class Unauthorized(Error):
    """A credential or a grant is missing: the operator must act."""

    reason = "unauthorized"


class Refused(Error):
    """Understood and refused: do not retry."""

    reason = "refused"


class Unavailable(Error):
    """Passing trouble: may be retried."""

    reason = "unavailable"


class Failed(Error):
    """Anything else. An exception that is none of these classes becomes this one."""

    reason = "failed"


@dataclass(frozen=True)
class Told:
    """An error as the contract has it."""

    reason: str
    message: str
    code: str | None
    wait_ms: int | None


def as_told(error: Error) -> Told:
    """What the host is told of an error, whatever its class or whoever raised it has put there."""
    reason = getattr(error, "reason", None)
    code = getattr(error, "code", None)
    return Told(
        reason=reason if isinstance(reason, str) and reason in REASONS else "failed",
        message=told(getattr(error, "message", error)) or type(error).__name__,
        code=None if code is None else told(code),
        wait_ms=_wait_ms(getattr(error, "retry_after", None)),
    )


def _wait_ms(seconds: object) -> int | None:
    """A wait in whole milliseconds; what is no number of seconds is none."""
    if not isinstance(seconds, (int, float)) or seconds != seconds:
        return None
    return round(min(max(seconds * 1000, 0), _WAIT_MS_MAX))
