"""Settings from the operator's ``[plugin.NAME.config]``."""

from ._host import host
from .words import well_formed


def get(key: str, default: str | None = None) -> str | None:
    """One setting as text, or the default: also where the operator granted no settings."""
    value = host.setting(well_formed(key))
    return default if value is None else value


def keys() -> list[str]:
    """The names of all settings, sorted."""
    return host.settings()
