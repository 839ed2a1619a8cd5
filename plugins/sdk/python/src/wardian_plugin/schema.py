"""From type hints to JSON Schema, and from JSON to values of those types.

A hint is read once, when the tool is declared, into a :class:`Shape`: the schema
that the host checks arguments against, and the function that makes the value. What
has no schema is an error at that moment, which is when the component is built.
"""

import dataclasses
import datetime
import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union

from .errors import InvalidInput

# Types that JSON has, with the word for them in a schema.
_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}

# Types that travel as text in the form of ISO 8601.
_TIMES = {datetime.datetime: "date-time", datetime.date: "date", datetime.time: "time"}


@dataclasses.dataclass(frozen=True)
class Field:
    """What an annotation says beside the type: ``Annotated[int, Field("How many.", minimum=1)]``.

    ``keywords`` are those of JSON Schema, such as ``minimum``, ``max_length`` or ``pattern``.
    """

    description: str | None = None
    keywords: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __init__(self, description: str | None = None, **keywords: Any):
        object.__setattr__(self, "description", description)
        object.__setattr__(self, "keywords", {_camel(name): value for name, value in keywords.items()})

    def schema(self) -> dict[str, Any]:
        """What is added to the type's own schema."""
        described = {} if self.description is None else {"description": self.description}
        return described | dict(self.keywords)


@dataclasses.dataclass(frozen=True)
class Shape:
    """A type: its schema, and how a JSON value becomes a value of it."""

    schema: dict[str, Any]
    read: Callable[[Any, str], Any]


@dataclasses.dataclass(frozen=True)
class Property:
    """One member of an object."""

    shape: Shape
    required: bool
    default: Any = None


def of(hint: Any, where: str, within: tuple[Any, ...] = ()) -> Shape:
    """The shape of a type hint. ``where`` names it in errors, ``within`` are the classes it stands in."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _annotated(arguments, where, within)
    if origin in (typing.Required, typing.NotRequired, typing.Final):
        return of(arguments[0], where, within)
    if hint is Any:
        return Shape({}, lambda value, _: value)
    if hint in _PLAIN:
        return _plain(hint)
    if hint in _TIMES:
        return _time(hint)
    if origin is Literal:
        return _choice(list(arguments), {value: value for value in arguments})
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _choice([member.value for member in hint], {member.value: member for member in hint})
    if origin in (Union, types.UnionType):
        return _union([of(argument, where, within) for argument in arguments])
    if hint in (list, tuple, set, frozenset, dict) or origin in (list, set, frozenset, tuple, dict, Sequence, Mapping):
        return _container(origin or hint, arguments, where, within)
    if dataclasses.is_dataclass(hint) or typing.is_typeddict(hint):
        return _record(hint, where, within)
    raise TypeError(
        f"{where}: there is no JSON Schema for {hint!r}; use str, int, float, bool, list, dict, Optional, Literal, "
        "an Enum, date, datetime, a dataclass or a TypedDict"
    )


def members(properties: Mapping[str, Property], docs: Mapping[str, str]) -> Shape:
    """An object that has these members and no others. ``docs`` describe those that do not describe themselves."""
    described = {}
    for name, member in properties.items():
        schema = dict(member.shape.schema)
        if name in docs:
            schema.setdefault("description", docs[name])
        if not member.required and isinstance(member.default, (str, bool, int, float)):
            value = member.default.value if isinstance(member.default, enum.Enum) else member.default
            schema.setdefault("default", value)
        described[name] = schema
    schema = {"type": "object", "properties": described, "additionalProperties": False}
    required = [name for name, member in properties.items() if member.required]
    if required:
        schema["required"] = required

    def read(value: Any, where: str) -> dict[str, Any]:
        _expect(isinstance(value, dict), value, "an object", where)
        for name in value:
            if name not in properties:
                raise InvalidInput(f"{where} has no {name!r}; it has {', '.join(properties) or 'nothing'}")
        for name in required:
            if name not in value:
                raise InvalidInput(f"{where} needs {name!r}")
        return {name: properties[name].shape.read(inner, f"{where}.{name}") for name, inner in value.items()}

    return Shape(schema, read)


def optional(hint: Any) -> Any:
    """The type that a hint has beside None: what may be left out need not also be null."""
    if typing.get_origin(hint) is Annotated:
        inner, *notes = typing.get_args(hint)
        return Annotated[(optional(inner), *notes)]
    if typing.get_origin(hint) in (Union, types.UnionType):
        rest = [argument for argument in typing.get_args(hint) if argument is not type(None)]
        return Union[tuple(rest)] if rest else hint
    return hint


def _expect(holds: bool, value: Any, what: str, where: str) -> None:
    if not holds:
        shown = repr(value)
        raise InvalidInput(f"{where} is {shown if len(shown) <= 80 else shown[:80] + '…'}, not {what}")


def _annotated(arguments: tuple[Any, ...], where: str, within: tuple[Any, ...]) -> Shape:
    hint, *notes = arguments
    shape = of(hint, where, within)
    schema = dict(shape.schema)
    for note in notes:
        if isinstance(note, str):
            note = Field(note)
        if isinstance(note, Field):
            schema |= note.schema()
    return Shape(schema, shape.read)


def _plain(kind: type) -> Shape:
    word = _PLAIN[kind]

    def read(value: Any, where: str) -> Any:
        if kind is float:
            _expect(isinstance(value, (int, float)) and not isinstance(value, bool), value, "a number", where)
            return float(value)
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)
        _expect(type(value) is kind, value, f"a JSON value of type {word}", where)
        return value

    return Shape({"type": word}, read)


def _time(kind: type) -> Shape:
    form = _TIMES[kind]

    def read(value: Any, where: str) -> Any:
        _expect(isinstance(value, str), value, f"text in the form of a {form}", where)
        try:
            return kind.fromisoformat(value)
        except ValueError as error:
            raise InvalidInput(f"{where}: {value!r} is no {form}: {error}") from None

    return Shape({"type": "string", "format": form}, read)


def _choice(values: list[Any], meanings: Mapping[Any, Any]) -> Shape:
    schema: dict[str, Any] = {"enum": values}
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and (word := _PLAIN.get(*kinds)):
        schema = {"type": word, "enum": values}

    def read(value: Any, where: str) -> Any:
        _expect(isinstance(value, (str, int, float, bool, type(None))) and value in meanings, value, f"one of {values}", where)
        return meanings[value]

    return Shape(schema, read)


def _union(shapes: list[Shape]) -> Shape:
    def read(value: Any, where: str) -> Any:
        causes = []
        for shape in shapes:
            try:
                return shape.read(value, where)
            except InvalidInput as error:
                causes.append(error.message)
        raise InvalidInput("; ".join(causes))

    return Shape({"anyOf": [shape.schema for shape in shapes]}, read)


def _container(kind: Any, arguments: tuple[Any, ...], where: str, within: tuple[Any, ...]) -> Shape:
    if kind in (dict, Mapping):
        if arguments and arguments[0] is not str:
            raise TypeError(f"{where}: the keys of a JSON object are text, so it is dict[str, …]")
        inner = of(arguments[1] if arguments else Any, where, within)
        schema = {"type": "object"} | ({"additionalProperties": inner.schema} if inner.schema else {})

        def read_object(value: Any, where: str) -> Any:
            _expect(isinstance(value, dict), value, "an object", where)
            return {name: inner.read(item, f"{where}.{name}") for name, item in value.items()}

        return Shape(schema, read_object)
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        raise TypeError(f"{where}: a tuple of fixed length has no simple schema; use tuple[T, ...] or a dataclass")
    item = of(arguments[0] if arguments else Any, where, within)
    schema = {"type": "array"} | ({"items": item.schema} if item.schema else {})
    if kind in (set, frozenset):
        schema["uniqueItems"] = True
    make = list if kind is Sequence else kind

    def read_list(value: Any, where: str) -> Any:
        _expect(isinstance(value, list), value, "a list", where)
        return make(item.read(inner, f"{where}[{at}]") for at, inner in enumerate(value))

    return Shape(schema, read_list)


def _record(kind: Any, where: str, within: tuple[Any, ...]) -> Shape:
    if kind in within:
        raise TypeError(f"{where}: {kind.__name__} contains itself, which a schema for a model cannot say; flatten it")
    hints = typing.get_type_hints(kind, include_extras=True)
    within = (*within, kind)
    properties = _attributes(kind, hints, where, within) if dataclasses.is_dataclass(kind) else _keys(kind, hints, where, within)
    body = members(properties, {})
    schema = body.schema
    if (doc := _own_doc(kind)) is not None:
        schema = {"description": doc} | schema
    if typing.is_typeddict(kind):
        return Shape(schema, body.read)
    return Shape(schema, lambda value, where: kind(**body.read(value, where)))


def _attributes(kind: Any, hints: Mapping[str, Any], where: str, within: tuple[Any, ...]) -> dict[str, Property]:
    properties = {}
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        given = field.default is not dataclasses.MISSING
        required = not given and field.default_factory is dataclasses.MISSING
        hint = hints[field.name] if required else optional(hints[field.name])
        shape = of(hint, f"{where}.{field.name}", within)
        properties[field.name] = Property(shape, required, field.default if given else None)
    return properties


def _keys(kind: Any, hints: Mapping[str, Any], where: str, within: tuple[Any, ...]) -> dict[str, Property]:
    return {name: Property(of(hint, f"{where}.{name}", within), name in kind.__required_keys__) for name, hint in hints.items()}


def _own_doc(kind: Any) -> str | None:
    """A class's docstring; dataclasses make one of their signature if there is none."""
    doc = kind.__doc__
    if not doc or doc.startswith(f"{kind.__name__}(") or doc == dict.__doc__:
        return None
    return inspect.cleandoc(doc)


def _camel(name: str) -> str:
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part.capitalize() for part in rest)
