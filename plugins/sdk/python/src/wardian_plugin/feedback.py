"""What a tool can say while it runs, and whether somebody still listens."""

from typing import Any

from . import answer
from ._host import host
from .words import well_formed


def progress(share: float | None, note: str = "") -> None:
    """How far the work is, from 0 to 1 where that is known, and a short note for people."""
    host.progress(None if share is None else float(share), well_formed(note))


def emit(part: Any) -> None:
    """Hands over a part of the answer now. It is kept even if the call fails later."""
    for one in answer.parts(part):
        host.emit(one)


def cancelled() -> bool:
    """True once the caller has lost interest: clean up and return."""
    return host.cancelled()
