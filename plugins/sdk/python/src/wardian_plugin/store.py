"""A small durable key-value store, where the operator granted one. What a call writes becomes
durable together with its result: a call that fails leaves nothing behind."""

import json
from typing import Any

from ._host import host
from .words import optional, well_formed


def get(key: str) -> bytes | None:
    """The value, or None."""
    return host.store_get(well_formed(key))


def set(key: str, value: bytes | str) -> None:
    """Writes or replaces a value of at most 64 KiB."""
    host.store_set(well_formed(key), well_formed(value).encode() if isinstance(value, str) else bytes(value))


def get_json(key: str, default: Any = None) -> Any:
    """A value that :func:`set_json` wrote, or the default."""
    value = get(key)
    return default if value is None else json.loads(value)


def set_json(key: str, value: Any) -> None:
    """Writes a value as JSON."""
    set(key, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def delete(key: str) -> None:
    """Removes a value; removing what is not there is no error."""
    host.store_delete(well_formed(key))


def keys(prefix: str = "", after: str | None = None, limit: int = 1000) -> list[str]:
    """Keys that begin with ``prefix``, sorted, those after ``after``; 1,000 at the most."""
    return host.store_keys(well_formed(prefix), optional(after), limit)
