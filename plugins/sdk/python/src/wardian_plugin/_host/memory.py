"""The host outside a component: enough for a plugin's own tests. Nothing is granted but a store
and a cache, until a test says so with ``testing.host``."""

import dataclasses
import re
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from .. import answer
from ..errors import Failed, InvalidInput, Unauthorized
from ..messages import Request, Response, denied

# The contract's bounds, so that a test meets them before a user does.
_KEY_BYTES_MAX = 256
_KEYS_MAX = 1000
_VALUE_BYTES_MAX = 64 * 1024
_CACHE_NAME = re.compile("[a-z0-9][a-z0-9._-]{0,63}")


@dataclasses.dataclass
class Host:
    """What is granted, and what the tool has said and kept."""

    config: dict[str, str] = dataclasses.field(default_factory=dict)
    secrets: dict[str, str] = dataclasses.field(default_factory=dict)
    store: dict[str, bytes] = dataclasses.field(default_factory=dict)
    cache: dict[str, bytes] = dataclasses.field(default_factory=dict)
    http: Callable[[Request], Response] | None = None
    user: str | None = None
    cancelled: bool = False
    logs: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    progress: list[tuple[float | None, str]] = dataclasses.field(default_factory=list)
    emitted: list[answer.Part] = dataclasses.field(default_factory=list)


current = Host()
"""The host of the running test; ``testing.host`` replaces it."""


def call_id() -> str:
    """A name for the call."""
    return "call"


def session() -> str:
    """A name for the session."""
    return "session"


def agent() -> str:
    """A name for the agent."""
    return "agent"


def user() -> str | None:
    """The end user that the test named."""
    return current.user


def time_left_ms() -> int:
    """As much as an operator grants by default."""
    return 15_000


def trace() -> str | None:
    """Nothing is traced."""
    return None


def setting(key: str) -> str | None:
    """A setting."""
    return current.config.get(key)


def settings() -> list[str]:
    """The names of all settings."""
    return sorted(current.config)


def ready(name: str) -> bool:
    """Whether the test granted the secret."""
    return name in current.secrets


def reveal(name: str) -> str:
    """A secret's value."""
    if name not in current.secrets:
        raise Unauthorized(f"the operator named no secret {name!r} for this plugin", code="not_granted")
    return current.secrets[name]


def write(level: str, message: str) -> None:
    """Keeps the line, and shows it beside the test."""
    current.logs.append((level, message))
    print(f"{level}: {message}", file=sys.stderr)


def progress(share: float | None, note: str) -> None:
    """Keeps what was said."""
    current.progress.append((share, note))


def emit(part: answer.Part) -> None:
    """Keeps the part."""
    current.emitted.append(part)


def cancelled() -> bool:
    """Whether the test has the caller lose interest."""
    return current.cancelled


def send(request: Request) -> Response:
    """What the test answers requests with."""
    host = urlsplit(request.url).netloc
    if current.http is None:
        raise denied(request, host)
    return current.http(request)


def store_get(key: str) -> bytes | None:
    """A value of the store."""
    return current.store.get(_key(key))


def store_set(key: str, value: bytes) -> None:
    """Writes a value."""
    if len(value) > _VALUE_BYTES_MAX:
        raise Failed(f"a value of the store has at most {_VALUE_BYTES_MAX} bytes, this one {len(value)}")
    current.store[_key(key)] = value


def store_delete(key: str) -> None:
    """Removes a value."""
    current.store.pop(_key(key), None)


def store_keys(prefix: str, after: str | None, limit: int) -> list[str]:
    """Keys in order."""
    found = sorted(key for key in current.store if key.startswith(prefix) and (after is None or key > after))
    return found[: min(limit, _KEYS_MAX)]


def cache_size(name: str) -> int | None:
    """The size of a file."""
    content = current.cache.get(_name(name))
    return None if content is None else len(content)


def cache_read(name: str, offset: int, length: int) -> bytes | None:
    """A piece of a file."""
    content = current.cache.get(_name(name))
    return None if content is None else content[offset : offset + length]


def cache_write(name: str, content: bytes) -> None:
    """Replaces a file."""
    current.cache[_name(name)] = bytes(content)


def cache_delete(name: str) -> None:
    """Removes a file."""
    current.cache.pop(_name(name), None)


def cache_names() -> list[str]:
    """The names of all files."""
    return sorted(current.cache)


def _key(key: str) -> str:
    if not 1 <= len(key.encode()) <= _KEY_BYTES_MAX or any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in key):
        raise InvalidInput("the key must have 1 to 256 bytes and no control characters", code="invalid_key")
    return key


def _name(name: str) -> str:
    if not _CACHE_NAME.fullmatch(name):
        raise Failed("a cache name is of the form [a-z0-9][a-z0-9._-]{0,63}")
    return name
