// What the host offers, with the stand-in for it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cache, config, context, feedback, http, InvalidInput, log, secrets, store, Unauthorized } from "../src/index.js";
import { Response, withHost } from "../src/testing.js";

test("nothing is granted until a test grants it", () =>
  withHost({}, () => {
    assert.deepEqual([config.get("word"), config.get("word", "x"), config.get("toString")], [undefined, "x", undefined]);
    assert.equal(secrets.ready("key"), false);
    assert.throws(() => secrets.reveal("key"), { reason: "unauthorized", code: "not_granted" });
    assert.throws(() => http.get("https://example.com/"), Unauthorized);
    assert.throws(() => http.get("example.com"), /no address of the form/);
  }));

test("what is granted is there until the test has ended", async () => {
  await withHost({ config: { word: "hi" }, secrets: { key: "s" }, user: "ada", cancelled: true }, async () => {
    await null;
    assert.deepEqual([config.get("word"), secrets.reveal("key"), context.user(), feedback.cancelled()], ["hi", "s", "ada", true]);
  });
  assert.equal(config.get("word"), undefined);
});

test("the store keeps bytes, text and JSON under keys in order", () =>
  withHost({}, () => {
    store.set("b", Uint8Array.of(0));
    store.set("a", "text");
    store.setJson("c/1", { "ü": [1, "😀"] });
    assert.deepEqual([store.get("b"), store.getJson("c/1")], [Uint8Array.of(0), { "ü": [1, "😀"] }]);
    assert.deepEqual([store.keys(), store.keys({ prefix: "c/" }), store.keys({ after: "a", limit: 1 })], [["a", "b", "c/1"], ["c/1"], ["b"]]);
    store.delete("a");
    assert.deepEqual([store.get("a"), store.getJson("a", 7)], [undefined, 7]);
    for (const key of ["", "x".repeat(257), "a\nb"]) assert.throws(() => store.get(key), InvalidInput);
  }));

test("the cache is read whole or in pieces", () =>
  withHost({}, () => {
    const large = new Uint8Array(2_500_000).fill(7);
    cache.write("index", large);
    assert.deepEqual([cache.size("index"), cache.read("index").length, cache.read("index", 1, 2)], [large.length, large.length, Uint8Array.of(7, 7)]);
    assert.deepEqual([cache.names(), cache.read("other")], [["index"], undefined]);
    assert.throws(() => cache.write("Index", "x"), /cache name/);
  }));

test("a request is what the test sees, and its answer what the tool gets", () => {
  const seen = [];
  const answer = (request) => (seen.push(request), new Response(201, { "content-type": "application/json" }, '{"a":1}'));
  return withHost({ http: answer }, () => {
    const got = http.post("https://example.com/x?a=1", { params: { q: "ä b" }, json: { b: 2 }, headers: { "X-Key": "1" }, timeout: 2 });
    assert.deepEqual([got.status, got.ok, got.json(), got.headers["content-type"]], [201, true, { a: 1 }, "application/json"]);
    assert.equal(seen[0].url, "https://example.com/x?a=1&q=%C3%A4%20b");
    assert.deepEqual(seen[0].headers, { "x-key": "1", "content-type": "application/json", "content-length": "7" });
  });
});

test("what is said on the way is kept for the test", () =>
  withHost({}, (host) => {
    log.warn("b");
    feedback.progress(0.5, "half");
    feedback.emit(["x"]);
    assert.deepEqual([host.logs, host.progress, host.emitted.length], [[{ level: "warn", message: "b" }], [{ share: 0.5, note: "half" }], 1]);
  }));

test("what is said and asked has no half letters", () => {
  const [half, whole, seen] = ["a\ud800b", "a\ufffdb", []];
  return withHost({ http: (request) => (seen.push(request), new Response(200)) }, (host) => {
    log.info(half);
    feedback.progress(1, half);
    feedback.emit(half);
    store.set(half, half);
    assert.deepEqual([store.keys({ prefix: half }), store.keys({ after: half }), config.get(half), secrets.ready(half)], [[whole], [], undefined, false]);
    assert.throws(() => cache.write(half, ""), /cache name/);
    assert.throws(() => secrets.reveal(half), (error) => error.message.includes(whole));
    http.post(`https://example.com/${half}`, { params: { [half]: half }, headers: { [half]: half }, body: half });
    assert.deepEqual([host.logs[0].message, host.progress[0].note, host.emitted[0].value], [whole, whole, whole]);
    assert.deepEqual([[...host.store.keys()], seen[0].url], [[whole], `https://example.com/${whole}?a%EF%BF%BDb=a%EF%BF%BDb`]);
    assert.deepEqual([seen[0].headers[whole], seen[0].body.length], [whole, 5]);
  });
});

test("bytes are bytes", () =>
  withHost({}, () => {
    assert.throws(() => store.set("a", 5), /the content of a value is a Uint8Array, not of type number/);
    assert.throws(() => http.post("https://example.com/", { body: { a: 1 } }), /the content of a request is a Uint8Array/);
  }));
