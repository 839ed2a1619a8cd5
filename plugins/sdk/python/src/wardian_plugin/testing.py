"""For a plugin's own tests, natively: calls as the host makes them, and a host to grant things.

::

    with testing.host(config={"word": "Good day"}) as host:
        answer = testing.call("greet", {"name": "Ada"})
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from . import answer, tools
from ._host import memory
from ._host.memory import Host
from .messages import Request, Response

__all__ = ["Host", "Request", "Response", "call", "describe", "host"]


@contextmanager
def host(
    *,
    config: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    store: Mapping[str, bytes] | None = None,
    http: Callable[[Request], Response] | None = None,
    user: str | None = None,
    cancelled: bool = False,
) -> Iterator[Host]:
    """A fresh host for the block, with these grants. ``http`` answers the tool's requests."""
    before = memory.current
    memory.current = Host(
        config=dict(config or {}), secrets=dict(secrets or {}), store=dict(store or {}), http=http, user=user, cancelled=cancelled
    )
    try:
        yield memory.current
    finally:
        memory.current = before


def call(name: str, arguments: Mapping[str, Any]) -> Any:
    """The output of one call as clients see it: the value of a single object, or an object with its parts.

    Raises the SDK's errors as they reach the caller.
    """
    parts = tools.run(name, json.dumps(arguments))
    match parts:
        case [answer.Data(value)] if isinstance(plain := json.loads(answer.to_json(value)), dict):
            return plain
        case [answer.Text(text)]:
            return {"text": text}
    return {"content": [_shown(part) for part in parts]}


def describe() -> dict[str, dict[str, Any]]:
    """What the host sees of each tool, by its name."""
    return {
        chosen.name: {
            "description": chosen.description,
            "input": chosen.input,
            "output": chosen.output,
            "traits": sorted(chosen.traits),
            "annotations": chosen.annotations,
        }
        for chosen in tools.declared.values()
    }


def _shown(part: answer.Part) -> dict[str, Any]:
    match part:
        case answer.Text(text):
            return {"type": "text", "text": text}
        case answer.Data(value):
            return {"type": "data", "data": json.loads(answer.to_json(value))}
        case answer.File(content, media_type, name):
            named = {} if name is None else {"name": name}
            return {"type": "blob", "media_type": media_type, **named, "size_bytes": len(content)}
        case answer.Other(kind, body):
            return {"type": "other", "kind": kind, "body": json.loads(answer.to_json(body))}
