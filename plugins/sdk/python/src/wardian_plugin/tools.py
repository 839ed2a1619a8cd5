"""The decorator that makes a tool of a function, and the tools of a plugin."""

import inspect
import json
import re
import traceback
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

from . import answer, log, schema
from .errors import Error, Failed, InvalidInput, NotFound
from .words import told

# What the contract takes for a tool's name.
_NAME = re.compile("[a-z][a-z0-9_]{0,47}")

# The sections of a docstring in Google's style; what comes before them describes the tool.
_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?):[ \t]*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^(\s+)\**(\w+)(?:\s*\([^)]*\))?:\s*(.*)$")


@dataclass(frozen=True)
class Tool:
    """One tool, as the host sees it, and the function behind it."""

    name: str
    description: str
    input: dict[str, Any]
    output: dict[str, Any] | None
    traits: frozenset[str]
    annotations: dict[str, Any]
    run: Callable[..., Any]
    read: Callable[[Any, str], dict[str, Any]]


declared: dict[str, Tool] = {}
"""The tools that were declared, in the order of their declaration."""


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    title: str | None = None,
    examples: Sequence[Mapping[str, Any]] = (),
    input: Mapping[str, Any] | None = None,
    output: Mapping[str, Any] | None = None,
    read_only: bool = False,
    idempotent: bool = False,
    additive: bool = False,
    closed_world: bool = False,
    pure: bool = False,
) -> Any:
    """Makes a tool of a function, which stays an ordinary function.

    Name, description and schemas come from the function unless they are given;
    with ``input`` the function gets the arguments as one dictionary. ``examples``
    are of the form ``{"input": {…}, "output": {…}}``. The traits are promises
    that let the host ask less: ``read_only`` changes nothing, ``idempotent`` may be
    repeated, ``additive`` only adds, ``closed_world`` reaches no outside
    party; ``pure`` is all four.
    """
    claims = {"read_only": read_only, "idempotent": idempotent, "additive": additive, "closed_world": closed_world}
    traits = frozenset(trait for trait, claimed in claims.items() if claimed or pure)
    annotations = ({"title": title} if title else {}) | ({"examples": list(examples)} if examples else {})

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        said, docs = _docstring(function)
        chosen = name or function.__name__
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"tool {chosen} is asynchronous; a call has an instance of its own, so make it a plain function")
        hints = _hints(function, chosen)
        arguments = _arguments(function, hints, docs, chosen) if input is None else _whole(input)
        _declare(
            Tool(
                name=chosen,
                description=description or said,
                input=arguments.schema,
                output=dict(output) if output is not None else _output(hints.get("return"), chosen),
                traits=traits,
                annotations=annotations,
                run=function if input is None else lambda **given: function(given),
                read=arguments.read,
            )
        )
        return function

    return declare if function is None else declare(function)


def run(name: str, arguments: str) -> list[answer.Part]:
    """One call, from its arguments as JSON text to the parts of its answer.

    Raises nothing but :class:`Error`: whatever else the tool raises goes to the
    log with its traceback, and to the caller as :class:`Failed` with its last line.
    """
    chosen = declared.get(name)
    if chosen is None:
        raise NotFound(f"this plugin has no tool {name!r}")
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the arguments of {name} are no JSON: {error}") from None
    return guarded(lambda: answer.parts(chosen.run(**chosen.read(given, name))))


def guarded(work: Callable[[], list[Any]]) -> list[Any]:
    """What some work gives; whatever it raises becomes an :class:`Error`."""
    try:
        return work()
    except Error:
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError):
            error.add_note("A component has what was imported when it was built: import it at the top of the module.")
        log.error("".join(traceback.format_exception(error)))
        raise Failed(_last_line(error)) from error


def _last_line(error: BaseException) -> str:
    """What stands below a traceback, without the notes."""
    name, words = type(error).__name__, told(error).strip()
    return f"{name}: {words.splitlines()[-1]}" if words else name


def _declare(one: Tool) -> None:
    if not _NAME.fullmatch(one.name):
        raise ValueError(f"{one.name!r} is no tool name: it has to be of the form {_NAME.pattern}")
    if one.name in declared:
        raise ValueError(f"there are two tools with the name {one.name}; give one another with @tool(name=…)")
    if not one.description:
        raise ValueError(f"tool {one.name} has no description: give the function a docstring for the model to read")
    declared[one.name] = one


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"tool {name}: a type hint cannot be understood: {error}; define the type above the tool") from error


def _arguments(function: Callable[..., Any], hints: Mapping[str, Any], docs: Mapping[str, str], name: str) -> schema.Shape:
    properties = {}
    for parameter in inspect.signature(function).parameters.values():
        where = f"{name}.{parameter.name}"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{where}: a tool's arguments are named, so *args, **kwargs and / cannot be used")
        if parameter.name not in hints:
            raise TypeError(f"{where} has no type hint, and the schema is made from them")
        required = parameter.default is parameter.empty
        hint = hints[parameter.name] if required else schema.optional(hints[parameter.name])
        properties[parameter.name] = schema.Property(schema.of(hint, where), required, None if required else parameter.default)
    return schema.members(properties, docs)


def _whole(given: Mapping[str, Any]) -> schema.Shape:
    """Arguments by a schema that the author wrote: the host has checked them."""

    def read(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise InvalidInput(f"the arguments of {where} are no object")
        return value

    return schema.Shape(dict(given), read)


def _output(hint: Any, name: str) -> dict[str, Any] | None:
    if is_dataclass(hint) or typing.is_typeddict(hint):
        if hint not in (answer.Text, answer.Data, answer.File, answer.Other):
            return schema.of(hint, f"the answer of {name}").schema
    return None


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What a docstring says of the tool, and of each argument in its section ``Args:``."""
    doc = inspect.cleandoc(function.__doc__ or "")
    pieces = _SECTION.split(doc)
    docs: dict[str, str] = {}
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if title in ("Args", "Arguments", "Parameters"):
            docs |= _argument_docs(body)
    return pieces[0].strip(), docs


def _argument_docs(body: str) -> dict[str, str]:
    docs: dict[str, str] = {}
    indent, current = None, None
    for line in body.splitlines():
        found = _ARGUMENT.match(line)
        if found and (indent is None or found[1] == indent):
            indent, current = found[1], found[2]
            docs[current] = found[3].strip()
        elif current and line.strip():
            docs[current] = f"{docs[current]} {line.strip()}".strip()
    return docs
