"""The host as a component sees it: the contract's imports, with their errors in the SDK's words."""

from componentize_py_types import Err
from wit_world.imports import cache, config, context, feedback, log, secrets, store
from wit_world.imports import wardian_plugin_types as contract

from .. import answer
from ..errors import Failed, InvalidInput, Refused, Told, Unauthorized, Unavailable
from .wasi_http import send

__all__ = ["send"]

call_id = context.id
session = context.session
agent = context.agent
user = context.user
time_left_ms = context.time_left
trace = context.trace
setting = config.get
settings = config.keys
ready = secrets.ready
progress = feedback.progress
cancelled = feedback.cancelled


def write(level: str, message: str) -> None:
    """One line for the operator's log."""
    log.write(log.Level[level.upper()], message)


def emit(part: answer.Part) -> None:
    """Hands over a part of the answer."""
    feedback.emit(content(part))


def reveal(name: str) -> str:
    """A secret's value."""
    try:
        return secrets.reveal(name)
    except Err as error:
        match error.value:
            case secrets.Denial.UNDECLARED:
                message = f"the operator named no secret {name!r} for this plugin"
            case secrets.Denial.DENIED:
                message = f"the secret {name!r} may be injected into requests, but not shown"
            case _:
                message = f"the secret {name!r} is granted, but the operator has not set it"
        raise Unauthorized(message, code="not_granted") from None


def store_get(key: str) -> bytes | None:
    """A value of the store."""
    return _stored(store.get, key)


def store_set(key: str, value: bytes) -> None:
    """Writes a value."""
    _stored(store.set, key, value)


def store_delete(key: str) -> None:
    """Removes a value."""
    _stored(store.delete, key)


def store_keys(prefix: str, after: str | None, limit: int) -> list[str]:
    """Keys in order."""
    return _stored(store.keys, prefix, after, limit)


def cache_size(name: str) -> int | None:
    """The size of a file."""
    return _cached(cache.size, name)


def cache_read(name: str, offset: int, length: int) -> bytes | None:
    """A piece of a file."""
    return _cached(cache.read, name, offset, length)


def cache_write(name: str, content: bytes) -> None:
    """Replaces a file."""
    _cached(cache.write, name, content)


def cache_delete(name: str) -> None:
    """Removes a file."""
    _cached(cache.delete, name)


def cache_names() -> list[str]:
    """The names of all files."""
    return _cached(cache.names)


def content(part: answer.Part) -> contract.Content:
    """A part as the contract has it."""
    match part:
        case answer.Text(text):
            return contract.Content_Text(text)
        case answer.Data(value):
            return contract.Content_Data(answer.to_json(value))
        case answer.File(bytes_, media_type, name):
            return contract.Content_Blob(contract.Blob(media_type, name, bytes_))
        case answer.Other(kind, body):
            return contract.Content_Other(contract.Other(kind, answer.to_json(body)))


def failure(told: Told) -> contract.ToolError:
    """An error as the contract has it."""
    return contract.ToolError(contract.Reason[told.reason.upper()], told.message, told.code, told.wait_ms)


def _stored(function, *arguments):
    try:
        return function(*arguments)
    except Err as error:
        match error.value:
            case store.Error_Denied():
                raise Unauthorized(
                    "this plugin was granted no store, so nothing can be kept; the operator can grant one", code="not_granted"
                ) from None
            case store.Error_Quota(limit):
                raise Refused(f"the store is full: its quota is {limit} bytes; delete something first", code="quota") from None
            case store.Error_InvalidKey():
                raise InvalidInput("the key must have 1 to 256 bytes and no control characters", code="invalid_key") from None
            case _:
                raise Unavailable("the store cannot be reached just now") from None


def _cached(function, *arguments):
    try:
        return function(*arguments)
    except Err as error:
        match error.value:
            case cache.Error_Denied():
                raise Unauthorized("this plugin was granted no cache; the operator can grant one", code="not_granted") from None
            case cache.Error_Quota(limit):
                raise Refused(f"the cache is full: its quota is {limit} bytes", code="quota") from None
            case cache.Error_InvalidName():
                raise Failed("a cache name is of the form [a-z0-9][a-z0-9._-]{0,63}") from None
            case _:
                raise Unavailable("the cache cannot be reached just now") from None
