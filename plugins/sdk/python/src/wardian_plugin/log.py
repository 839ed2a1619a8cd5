"""Lines for the operator's log. ``print`` reaches it too; these have a level."""

from ._host import host
from .words import well_formed


def debug(message: str) -> None:
    """For whoever looks for a fault."""
    host.write("debug", well_formed(message))


def info(message: str) -> None:
    """For the ordinary story."""
    host.write("info", well_formed(message))


def warn(message: str) -> None:
    """For what was survived."""
    host.write("warn", well_formed(message))


def error(message: str) -> None:
    """For what wants a human."""
    host.write("error", well_formed(message))
