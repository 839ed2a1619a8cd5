// Text and bytes agree with what the engine of Node does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode, joined } from "../src/bytes.js";

test("text becomes the bytes that it has in UTF-8, and comes back", () => {
  for (const text of ["", "abc", "äöü€", "😀 \u0000 \uffff \u{10ffff}", "x".repeat(10_000) + "€"]) {
    assert.deepEqual(encode(text), new TextEncoder().encode(text));
    assert.equal(decode(encode(text)), text);
  }
  assert.deepEqual(encode("a\ud800b"), new TextEncoder().encode("a\ud800b"));
});

test("bytes that are no UTF-8 never fail, and what is around them stays", () => {
  let state = 1;
  const next = () => (state = (state * 48271) % 0x7fffffff) & 0xff;
  for (let round = 0; round < 2_000; round += 1) {
    const bytes = Uint8Array.from({ length: round % 9 }, next);
    const text = decode(Uint8Array.of(0x61, 0x62, ...bytes, 0x20, 0x63, 0x64));
    assert.ok(text.startsWith("ab") && text.endsWith("cd"), String(bytes));
  }
  for (const bytes of [[0xff], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf0, 0x9f]]) {
    assert.match(decode(Uint8Array.from(bytes)), /^\ufffd+$/);
  }
});

test("pieces are joined in their order", () => {
  assert.deepEqual(joined([Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)]), Uint8Array.of(1, 2, 3));
});
