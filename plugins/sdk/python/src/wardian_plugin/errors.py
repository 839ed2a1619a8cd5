"""How a tool says that it has no result: one class for each reason of the contract.

Choose by what the caller should do next. The message is for the model: one or
two sentences that say what was wrong and what would help.
"""

from datetime import timedelta


class Error(Exception):
    """A failure that the caller can act on; raise one of the classes below."""

    reason = "failed"

    def __init__(self, message: str, *, code: str | None = None, retry_after: float | timedelta | None = None):
        """``code`` is for programs: short and stable. ``retry_after`` is in seconds."""
        super().__init__(message)
        self.message = message
        self.code = code
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
