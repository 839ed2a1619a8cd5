"""What the host offers, with the stand-in for it."""

import contextlib
import io
import unittest

from wardian_plugin import Failed, InvalidInput, Unauthorized, cache, config, context, feedback, http, log, secrets, store, testing


class Modules(unittest.TestCase):
    def test_nothing_is_granted_until_a_test_grants_it(self):
        with testing.host() as host:
            self.assertEqual((config.get("word"), config.get("word", "x"), config.keys()), (None, "x", []))
            self.assertFalse(secrets.ready("key"))
            for denied in (lambda: secrets.reveal("key"), lambda: http.get("https://example.com/")):
                with self.assertRaises(Unauthorized) as raised:
                    denied()
                self.assertEqual(raised.exception.code, "not_granted")
            self.assertEqual((context.user(), feedback.cancelled()), (None, False))
            self.assertEqual(host.store, {})

    def test_what_is_granted_is_there_within_the_block(self):
        with testing.host(config={"word": "hi"}, secrets={"key": "s"}, user="ada", cancelled=True):
            self.assertEqual((config.get("word"), secrets.reveal("key"), context.user(), feedback.cancelled()), ("hi", "s", "ada", True))
        self.assertIsNone(config.get("word"))

    def test_the_store_keeps_bytes_text_and_json_under_keys_in_order(self):
        with testing.host():
            store.set("b", b"\x00")
            store.set("a", "text")
            store.set_json("c/1", {"ü": [1]})
            self.assertEqual((store.get("b"), store.get("a"), store.get_json("c/1")), (b"\x00", b"text", {"ü": [1]}))
            self.assertEqual((store.keys(), store.keys("c/"), store.keys(after="a", limit=1)), (["a", "b", "c/1"], ["c/1"], ["b"]))
            store.delete("a")
            store.delete("a")
            self.assertEqual((store.get("a"), store.get_json("a", 7)), (None, 7))
            for key in ("", "x" * 257, "a\nb"):
                with self.assertRaises(InvalidInput):
                    store.get(key)

    def test_the_cache_is_read_whole_or_in_pieces(self):
        with testing.host():
            large = bytes(range(256)) * 8192
            cache.write("index", large)
            self.assertEqual((cache.size("index"), cache.read("index"), cache.read("index", 1, 2)), (len(large), large, b"\x01\x02"))
            self.assertEqual((cache.names(), cache.read("other"), cache.size("other")), (["index"], None, None))
            with self.assertRaises(Failed):
                cache.write("Index", b"")

    def test_a_request_is_what_the_test_sees_and_its_answer_what_the_tool_gets(self):
        seen = []

        def answer(request):
            seen.append(request)
            return testing.Response(201, {"content-type": "application/json"}, b'{"a": 1}')

        with testing.host(http=answer):
            got = http.post("https://example.com/x", params={"q": "ä b"}, json={"b": 2}, headers={"X-Key": "1"}, timeout=2)
        self.assertEqual((got.status, got.ok, got.json(), got.headers["content-type"]), (201, True, {"a": 1}, "application/json"))
        (request,) = seen
        self.assertEqual((request.method, request.url, request.body), ("POST", "https://example.com/x?q=%C3%A4+b", b'{"b":2}'))
        self.assertEqual(request.headers, {"x-key": "1", "content-type": "application/json", "content-length": "7"})

    def test_what_is_said_on_the_way_is_kept_for_the_test(self):
        with testing.host() as host, contextlib.redirect_stderr(io.StringIO()):
            log.debug("a")
            log.warn("b")
            feedback.progress(0.5, "half")
            feedback.emit("first")
            feedback.emit({"x": 1})
        self.assertEqual(host.logs, [("debug", "a"), ("warn", "b")])
        self.assertEqual((host.progress, len(host.emitted)), ([(0.5, "half")], 2))

    def test_what_is_said_and_asked_has_no_half_letters(self):
        half, whole, seen = "a\ud800b", "a\ufffdb", []
        with testing.host(http=lambda request: (seen.append(request), testing.Response(200))[1]) as host:
            with contextlib.redirect_stderr(io.StringIO()):
                log.info(half)
            feedback.progress(1, half)
            feedback.emit(half)
            store.set(half, half)
            store.set_json("json", {half: half})
            keys = store.keys(prefix="a"), store.keys(prefix=half), store.keys(after=half)
            with self.assertRaises(Failed):
                cache.write(half, b"")
            with self.assertRaisesRegex(Unauthorized, whole):
                secrets.reveal(half)
            self.assertEqual((config.get(half), secrets.ready(half)), (None, False))
            http.post(f"https://example.com/{half}", params={half: half}, headers={half: half}, body=half)
        self.assertEqual((host.logs, host.progress, host.emitted[0].text), ([("info", whole)], [(1.0, whole)], whole))
        self.assertEqual((keys, host.store[whole]), (([whole], [whole], ["json"]), whole.encode()))
        self.assertEqual((seen[0].url, seen[0].body), (f"https://example.com/{whole}?a%3Fb=a%3Fb", whole.encode()))
        self.assertEqual((seen[0].headers[whole], seen[0].headers["content-length"]), (whole, "5"))
