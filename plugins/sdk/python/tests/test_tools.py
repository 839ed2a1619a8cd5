"""Declaring tools, and calls of them."""

import contextlib
import io
import unittest
from dataclasses import dataclass
from typing import Annotated

from wardian_plugin import Data, Failed, File, InvalidInput, NotFound, Text, Unavailable, testing, tool
from wardian_plugin.tools import declared, run


@dataclass
class Sum:
    value: int


class Tools(unittest.TestCase):
    def setUp(self):
        before = dict(declared)
        declared.clear()
        self.addCleanup(lambda: (declared.clear(), declared.update(before)))

    def test_name_words_and_schemas_come_from_the_function(self):
        @tool(title="Add", pure=True, examples=[{"input": {"a": 1}}])
        def add(a: int, b: Annotated[int, "The other."] = 0, *, note: str | None = None) -> Sum:
            """Adds two numbers.

            Use it for sums.

            Args:
                a: The one,
                    on two lines.
                b: Not taken: the annotation wins.
                note (str): What for.

            Returns:
                The sum.
            """
            return Sum(a + b)

        seen = testing.describe()["add"]
        self.assertEqual(seen["description"], "Adds two numbers.\n\nUse it for sums.")
        self.assertEqual(seen["input"]["properties"]["a"]["description"], "The one, on two lines.")
        self.assertEqual(seen["input"]["properties"]["b"]["description"], "The other.")
        self.assertEqual(seen["input"]["properties"]["note"], {"type": "string", "description": "What for."})
        self.assertEqual((seen["input"]["required"], seen["input"]["additionalProperties"]), (["a"], False))
        self.assertEqual(seen["output"]["properties"], {"value": {"type": "integer"}})
        self.assertEqual(seen["traits"], ["additive", "closed_world", "idempotent", "read_only"])
        self.assertEqual(seen["annotations"], {"title": "Add", "examples": [{"input": {"a": 1}}]})
        self.assertEqual((testing.call("add", {"a": 1, "b": 2}), add(1, 2)), ({"value": 3}, Sum(3)))

    def test_a_schema_of_the_authors_own_is_taken_as_it_is(self):
        @tool(name="raw", description="Takes what comes.", input={"type": "object"})
        def anything(given):
            return given

        self.assertEqual(testing.describe()["raw"]["input"], {"type": "object"})
        self.assertEqual(testing.call("raw", {"function": 1}), {"function": 1})

    def test_answers_become_the_parts_that_they_are(self):
        answers = {"a": "text", "b": [1, 2], "c": [Text("x"), File(b"abc", "text/plain", "a.txt")], "d": None, "e": Data({"x": 1})}

        @tool
        def answer(which: str):
            """Answers."""
            return answers[which]

        self.assertEqual(testing.call("answer", {"which": "a"}), {"text": "text"})
        self.assertEqual(testing.call("answer", {"which": "b"}), {"content": [{"type": "data", "data": [1, 2]}]})
        parts = testing.call("answer", {"which": "c"})["content"]
        self.assertEqual(parts[1], {"type": "blob", "media_type": "text/plain", "name": "a.txt", "size_bytes": 3})
        self.assertEqual(testing.call("answer", {"which": "d"}), {"content": []})
        self.assertEqual(testing.call("answer", {"which": "e"}), {"x": 1})

    def test_an_error_reaches_the_caller_as_it_was_raised(self):
        @tool
        def busy() -> str:
            """Is busy."""
            raise Unavailable("later", code="busy", retry_after=1.5)

        with self.assertRaises(Unavailable) as raised:
            testing.call("busy", {})
        self.assertEqual((raised.exception.code, raised.exception.retry_after), ("busy", 1.5))

    def test_any_other_exception_is_a_failure_with_its_last_line_and_the_log_has_its_traceback(self):
        @tool
        def divide(by: int) -> str:
            """Divides."""
            if by == 1:
                raise SystemExit(3)
            return str(1 // by)

        with testing.host() as host, contextlib.redirect_stderr(io.StringIO()):
            with self.assertRaisesRegex(Failed, "^ZeroDivisionError: .*zero$"):
                testing.call("divide", {"by": 0})
            with self.assertRaisesRegex(Failed, "^SystemExit: 3$"):
                testing.call("divide", {"by": 1})
        self.assertEqual([level for level, _ in host.logs], ["error", "error"])
        self.assertIn("Traceback (most recent call last):", host.logs[0][1])

    def test_what_cannot_be_called_is_told_in_words(self):
        with self.assertRaisesRegex(NotFound, "no tool 'nothing'"):
            testing.call("nothing", {})

        @tool
        def one(a: int) -> float:
            """One."""
            return float("nan")

        with self.assertRaisesRegex(InvalidInput, "arguments of one are no JSON"):
            run("one", "{")
        with self.assertRaisesRegex(InvalidInput, "one needs 'a'"):
            testing.call("one", {})
        with self.assertRaisesRegex(Failed, "cannot write the answer as JSON"):
            testing.call("one", {"a": 1})

    def test_a_declaration_that_makes_no_tool_says_why(self):
        def of(source):
            names: dict = {"tool": tool}
            exec(source, names)

        for source, words in [
            ("@tool\ndef a(x): 'A.'", "a.x has no type hint"),
            ("@tool\ndef a(x: int): pass", "no description"),
            ("@tool\ndef Big(): 'A.'", "no tool name"),
            ("@tool\ndef a(*x: int): 'A.'", "cannot be used"),
            ("@tool\nasync def a(): 'A.'", "asynchronous"),
            ("@tool\ndef a(x: 'Later'): 'A.'", "cannot be understood"),
            ("@tool\ndef a(): 'A.'\n@tool(name='a')\ndef b(): 'B.'", "two tools with the name a"),
        ]:
            declared.clear()
            with self.subTest(source=source), self.assertRaisesRegex((TypeError, ValueError), words):
                of(source)
