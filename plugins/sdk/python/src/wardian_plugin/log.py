"""Lines for the operator's log. ``print`` reaches it too; these have a level."""

from ._host import host


def debug(message: str) -> None:
    """For whoever looks for a fault."""
    host.write("debug", message)


def info(message: str) -> None:
    """For the ordinary story."""
    host.write("info", message)


def warn(message: str) -> None:
    """For what was survived."""
    host.write("warn", message)


def error(message: str) -> None:
    """For what wants a human."""
    host.write("error", message)
