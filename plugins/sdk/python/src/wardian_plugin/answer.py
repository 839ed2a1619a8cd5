"""What a tool may answer with, and how it becomes the parts that the host takes.

Text is for the model to read; any other value is JSON; a list of parts is taken as
it stands, and so is a single part.
"""

import dataclasses
import datetime
import enum
import json
from collections.abc import Mapping, Set
from typing import Any

from .errors import Failed
from .words import optional, well_formed


@dataclasses.dataclass(frozen=True)
class Text:
    """Text for the model."""

    text: str

    def __post_init__(self) -> None:
        _put(self, text=well_formed(self.text))


@dataclasses.dataclass(frozen=True)
class Data:
    """A JSON value."""

    value: Any


@dataclasses.dataclass(frozen=True)
class File:
    """A file: its bytes, what they are, and the name to show."""

    content: bytes
    media_type: str = "application/octet-stream"
    name: str | None = None

    def __post_init__(self) -> None:
        try:
            content = bytes(memoryview(self.content))
        except TypeError:
            raise TypeError(f"the content of a File is bytes, not {type(self.content).__name__}; encode text first") from None
        _put(self, content=content, media_type=well_formed(self.media_type), name=optional(self.name))


@dataclasses.dataclass(frozen=True)
class Other:
    """Something in a form that the contract does not know; kept and passed on."""

    kind: str
    body: Any

    def __post_init__(self) -> None:
        _put(self, kind=well_formed(self.kind))


def _put(part: Any, **values: Any) -> None:
    """Sets what a part was made of, as the contract takes it."""
    for name, value in values.items():
        object.__setattr__(part, name, value)


Part = Text | Data | File | Other


def parts(answer: Any) -> list[Part]:
    """The parts of what a tool returned."""
    if answer is None:
        return []
    if isinstance(answer, str):
        return [Text(answer)]
    if isinstance(answer, Part):
        return [answer]
    if isinstance(answer, (list, tuple)) and answer and all(isinstance(item, Part) for item in answer):
        return list(answer)
    return [Data(answer)]


def to_json(value: Any) -> str:
    """A value as JSON text: also dataclasses, enums, dates, sets and mappings."""
    try:
        return well_formed(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise Failed(f"cannot write the answer as JSON: {error}") from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return sorted(value, key=repr)
    raise TypeError(f"there is no JSON for a {type(value).__name__}")
