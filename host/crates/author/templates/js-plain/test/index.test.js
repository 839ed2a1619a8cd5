// Natively, without a component: the host is a stand-in.

import assert from "node:assert/strict";
import { test } from "node:test";

import { InvalidInput } from "@wardian/plugin";
import { call } from "@wardian/plugin/testing";

import "../src/index.js";

test("a person is greeted by name", async () => {
  assert.deepEqual(await call("greet", { name: "Ada" }), { text: "Hello, Ada." });
  assert.deepEqual(await call("greet", { name: "Ada", excited: true }), { text: "Hello, Ada!" });
});

test("nobody cannot be greeted", async () => {
  await assert.rejects(call("greet", { name: "" }), InvalidInput);
});
