// Declaring tools, and calls of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { toJson } from "../src/answer.js";
import { asTold } from "../src/errors.js";
import { data, file, InvalidInput, NotFound, other, s, text, tool, ToolError, Unavailable } from "../src/index.js";
import { call, describe, withHost } from "../src/testing.js";
import { run } from "../src/tools.js";

tool(
  {
    name: "add",
    title: "Add",
    description: " Adds. ",
    input: s.object({ a: s.integer(), b: s.integer().default(0) }),
    output: s.object({ sum: s.integer() }),
    examples: [{ input: { a: 1 } }],
    pure: true,
  },
  ({ a, b }) => ({ sum: a + b }),
);

const answers = { text: "words", list: [1], parts: [text("x"), file(new Uint8Array(3), "image/png", "a.png")], none: undefined, data: data({ x: 1 }) };
tool({ name: "answer", description: "Answers.", input: { type: "object" }, readOnly: true }, async ({ which }) => answers[which]);
tool({ name: "broken", description: "Fails." }, () => {
  throw new RangeError("too far");
});
tool({ name: "busy", description: "Is busy." }, () => Promise.reject(new Unavailable("later", { code: "busy", retryAfter: 1.5 })));
tool({ name: "huge", description: "No JSON." }, () => 10n);

test("what the host sees of a tool is what was said of it", () => {
  const seen = describe();
  assert.equal(seen.add.description, "Adds.");
  assert.deepEqual(seen.add.traits, { readOnly: true, idempotent: true, additive: true, closedWorld: true });
  assert.deepEqual(seen.add.annotations, { title: "Add", examples: [{ input: { a: 1 } }] });
  assert.deepEqual(seen.answer.traits, { readOnly: true, idempotent: false, additive: false, closedWorld: false });
  assert.deepEqual(seen.answer.input, { type: "object" });
});

test("answers become the parts that they are", async () => {
  assert.deepEqual(await call("add", { a: 1 }), { sum: 1 });
  assert.deepEqual(await call("answer", { which: "text" }), { text: "words" });
  assert.deepEqual(await call("answer", { which: "list" }), { content: [{ type: "data", data: [1] }] });
  const { content } = await call("answer", { which: "parts" });
  assert.deepEqual(content[1], { type: "blob", media_type: "image/png", name: "a.png", size_bytes: 3 });
  assert.deepEqual(await call("answer", { which: "none" }), { content: [] });
  assert.deepEqual(await call("answer", { which: "data" }), { x: 1 });
});

test("an error reaches the caller as it was thrown", async () => {
  await assert.rejects(call("busy"), { reason: "unavailable", code: "busy", retryAfter: 1.5, message: "later" });
});

test("anything else that is thrown is a failure with its message, and the log has its stack", async () => {
  await withHost({}, async (host) => {
    await assert.rejects(call("broken"), { reason: "failed", message: "RangeError: too far" });
    assert.match(host.logs[0].message, /RangeError: too far\n.*\n\s+at /s);
  });
  await assert.rejects(call("huge"), /cannot write the answer as JSON/);
});

test("what cannot be called is told in words", async () => {
  await assert.rejects(call("nothing"), NotFound);
  await assert.rejects(run("add", "{"), InvalidInput);
  await assert.rejects(call("add", {}), /add needs a/);
});

test("an answer has no half letters", () => {
  const [half, whole] = ["123456789😀".slice(0, 10), "123456789\ufffd"];
  assert.deepEqual([text(half).value, other(half, 1).value.kind], [whole, whole]);
  const { mediaType, name } = file(new Uint8Array(), half, half).value;
  assert.deepEqual([mediaType, name, text("a😀").value], [whole, whole, "a😀"]);
  assert.equal(toJson({ [half]: half, kept: "\\ud83d😀" }), `{"${whole}":"${whole}","kept":"\\\\ud83d😀"}`);
});

test("what is no file is refused where it is made", () => {
  for (const content of ["text", 5, undefined]) assert.throws(() => file(content), /the content of a file is a Uint8Array, not of type/);
  assert.deepEqual(file(Uint16Array.of(1).subarray(0, 1)).value.bytes.length, 2);
  assert.deepEqual(file(new ArrayBuffer(3)).value.bytes, new Uint8Array(3));
});

test("an error is told whatever has become of it", async () => {
  class Odd extends ToolError {
    reason = "teapot";
  }
  const mute = {
    toString() {
      throw new RangeError();
    },
  };
  const shown = "a value of type object that cannot be shown";
  assert.deepEqual(asTold(new Odd("a\ud800", { code: 42, retryAfter: "soon" })), { reason: "failed", message: "a\ufffd", code: "42", waitMs: undefined });
  assert.deepEqual(asTold(Object.assign(new NotFound(""), { code: mute })), { reason: "not_found", message: "NotFound", code: shown, waitMs: undefined });
  const waits = [NaN, -1, 1.5, 1e300].map((retryAfter) => asTold(new Unavailable("later", { retryAfter })).waitMs);
  assert.deepEqual(waits, [undefined, 0, 1500, 100 * 365 * 24 * 3_600_000]);
  tool({ name: "mute", description: "Throws what says nothing." }, () => Promise.reject(mute));
  await withHost({}, () => assert.rejects(call("mute"), { reason: "failed", message: shown }));
});

test("a declaration that makes no tool says why", () => {
  for (const [about, words] of [
    [{ name: "Big", description: "A." }, /no tool name/],
    [{ name: "add", description: "A." }, /two tools with the name add/],
    [{ name: "a", description: " " }, /no description/],
    [{ name: "a", description: "A.", input: s.string() }, /no object: wrap it in s.object/],
    [{ name: "a", description: "A.", input: "x" }, /no schema/],
  ]) {
    assert.throws(() => tool(about, () => {}), words);
  }
  assert.throws(() => tool({ name: "a", description: "A." }), /no function/);
});
