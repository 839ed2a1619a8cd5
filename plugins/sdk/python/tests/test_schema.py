"""Type hints to schemas, and JSON to values of them."""

import datetime
import enum
import unittest
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict, Union

from wardian_plugin import Field, InvalidInput
from wardian_plugin.schema import of


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    """Where it is."""

    x: Annotated[float, "To the right."]
    y: float = 0.0
    tags: list[str] = field(default_factory=list)
    note: str | None = None


class Options(TypedDict):
    color: Color
    deep: NotRequired[Point]


@dataclass
class Tree:
    children: "list[Tree]"


class Schemas(unittest.TestCase):
    def test_each_hint_has_the_schema_that_a_person_would_write(self):
        for hint, schema in [
            (str, {"type": "string"}),
            (Any, {}),
            (list[int], {"type": "array", "items": {"type": "integer"}}),
            (list, {"type": "array"}),
            (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
            (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
            (dict, {"type": "object"}),
            (Optional[str], {"anyOf": [{"type": "string"}, {"type": "null"}]}),
            (Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
            (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
            (Literal["a", 1], {"enum": ["a", 1]}),
            (Color, {"type": "string", "enum": ["red", "blue"]}),
            (datetime.date, {"type": "string", "format": "date"}),
            (Annotated[int, Field("How many.", minimum=1, multiple_of=2)], {"type": "integer", "description": "How many.", "minimum": 1, "multipleOf": 2}),
        ]:
            with self.subTest(hint=hint):
                self.assertEqual(of(hint, "x").schema, schema)

    def test_a_dataclass_is_an_object_that_has_nothing_else(self):
        self.assertEqual(
            of(Point, "x").schema,
            {
                "description": "Where it is.",
                "type": "object",
                "properties": {
                    "x": {"type": "number", "description": "To the right."},
                    "y": {"type": "number", "default": 0.0},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "note": {"type": "string"},
                },
                "additionalProperties": False,
                "required": ["x"],
            },
        )

    def test_a_hint_without_a_schema_is_refused_with_what_there_is(self):
        for hint, words in [(bytes, "no JSON Schema for"), (dict[int, str], "keys of a JSON object"), (tuple[int, str], "fixed length"), (Tree, "contains itself")]:
            with self.subTest(hint=hint), self.assertRaisesRegex(TypeError, words):
                of(hint, "x")


class Values(unittest.TestCase):
    def test_values_come_as_what_the_hints_say(self):
        options = of(Options, "x").read({"color": "blue", "deep": {"x": 1, "tags": ["a"]}}, "x")
        self.assertEqual(options, {"color": Color.BLUE, "deep": Point(1.0, tags=["a"])})
        self.assertEqual(of(datetime.datetime, "x").read("2026-01-02T03:04:05Z", "x").year, 2026)
        self.assertEqual(of(tuple[int, ...], "x").read([1, 2], "x"), (1, 2))
        self.assertEqual(of(int, "x").read(3.0, "x"), 3)

    def test_a_value_that_does_not_fit_is_told_by_its_place(self):
        for hint, value, words in [
            (Options, {"color": "green"}, r"x\.color is 'green', not one of \['red', 'blue'\]"),
            (Options, {"color": "red", "deep": {"x": "1"}}, r"x\.deep\.x is '1', not a number"),
            (Options, {"colour": "red"}, "x has no 'colour'; it has color, deep"),
            (Point, {}, "x needs 'x'"),
            (list[int], [1, True], r"x\[1\] is True, not a JSON value of type integer"),
            (datetime.date, "tomorrow", "'tomorrow' is no date"),
            (Optional[int], "a", "not a JSON value of type integer; .* type null"),
            (Color, [], r"x is \[\], not one of"),
        ]:
            with self.subTest(value=value), self.assertRaisesRegex(InvalidInput, words):
                of(hint, "x").read(value, "x")
