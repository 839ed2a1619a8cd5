"""Credentials that the tool must hold itself. The usual way needs none of this: the operator
has a secret injected into matching requests."""

from ._host import host
from .words import well_formed


def reveal(name: str) -> str:
    """The value. :class:`~wardian_plugin.Unauthorized` unless the operator wrote ``NAME = "reveal"``."""
    return host.reveal(well_formed(name))


def ready(name: str) -> bool:
    """Whether a call that needs this secret could succeed."""
    return host.ready(well_formed(name))
