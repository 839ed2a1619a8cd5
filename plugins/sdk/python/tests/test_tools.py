"""Declaring tools, and calls of them."""

import contextlib
import io
import unittest
from dataclasses import dataclass
from typing import Annotated

from wardian_plugin import Data, Error, Failed, File, InvalidInput, NotFound, Other, Text, Unavailable, testing, tool
from wardian_plugin.answer import to_json
from wardian_plugin.errors import as_told
from wardian_plugin.tools import declared, guarded, run


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

    def test_an_answer_has_no_half_letters(self):
        half, whole = "a\ud800b", "a\ufffdb"
        self.assertEqual((Text(half).text, Other(half, None).kind), (whole, whole))
        self.assertEqual(File(b"", half, half), File(b"", whole, whole))
        self.assertEqual(to_json({half: [half]}), f'{{"{whole}":["{whole}"]}}')
        self.assertEqual(Text("\ud83d\ude00").text, "😀")

    def test_what_is_no_file_is_refused_where_it_is_made(self):
        for content in ("text", 5, None):
            with self.assertRaisesRegex(TypeError, "content of a File is bytes, not"):
                File(content)
        self.assertEqual(File(bytearray(b"ab")).content, b"ab")

    def test_an_error_is_told_whatever_has_become_of_it(self):
        class Odd(Error):
            reason = "teapot"

        class Bare(Error):
            def __init__(self):
                pass

        class Mute(Exception):
            def __str__(self):
                raise RuntimeError

        told = as_told(Odd(ValueError("a\ud800b"), code=42, retry_after="soon"))
        self.assertEqual((told.reason, told.message, told.code, told.wait_ms), ("failed", "a\ufffdb", "42", None))
        self.assertEqual(as_told(Bare()).message, "Bare")
        changed = NotFound("it")
        changed.message, changed.code, changed.reason = Mute(), Mute(), []
        told = as_told(changed)
        self.assertEqual((told.reason, told.message, told.code), ("failed", *["a Mute that cannot be shown"] * 2))
        waits = [as_told(Unavailable("later", retry_after=wait)).wait_ms for wait in (float("nan"), -1, 1.5, 10**400)]
        self.assertEqual(waits[:3], [None, 0, 1500])
        self.assertEqual({waits[3], as_told(Unavailable("later", retry_after=float("inf"))).wait_ms}, {100 * 365 * 24 * 3_600_000})

        def mute():
            raise Mute

        with testing.host(), contextlib.redirect_stderr(io.StringIO()), self.assertRaisesRegex(Failed, "^Mute: a Mute that cannot be shown$"):
            guarded(mute)

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
