// Schemas, and the values that they read.

import assert from "node:assert/strict";
import { test } from "node:test";

import { InvalidInput, s } from "../src/index.js";

test("each builder gives the schema that a person would write", () => {
  for (const [schema, json] of [
    [s.string("A word.", { minLength: 1 }), { type: "string", description: "A word.", minLength: 1 }],
    [s.integer(), { type: "integer" }],
    [s.any(), {}],
    [s.enum(["a", "b"], "Which."), { type: "string", enum: ["a", "b"], description: "Which." }],
    [s.enum(["a", 1]), { enum: ["a", 1] }],
    [s.array(s.number(), "Some."), { type: "array", items: { type: "number" }, description: "Some." }],
    [s.record(s.boolean()), { type: "object", additionalProperties: { type: "boolean" } }],
    [s.union([s.string(), s.number()]), { anyOf: [{ type: "string" }, { type: "number" }] }],
    [s.string("Perhaps.").nullable(), { description: "Perhaps.", anyOf: [{ type: "string" }, { type: "null" }] }],
    [s.string().describe("Other words."), { type: "string", description: "Other words." }],
  ]) {
    assert.deepEqual(schema.json, json);
  }
});

test("an object has its properties and no others", () => {
  const schema = s.object({ a: s.string(), b: s.integer().optional(), c: s.number().default(2) });
  assert.deepEqual(schema.json, {
    type: "object",
    properties: { a: { type: "string" }, b: { type: "integer" }, c: { type: "number", default: 2 } },
    required: ["a"],
    additionalProperties: false,
  });
  assert.deepEqual(schema.read({ a: "x" }, "x"), { a: "x", c: 2 });
  assert.deepEqual(schema.read({ a: "x", b: 1, c: 3 }, "x"), { a: "x", b: 1, c: 3 });
});

test("a value that does not fit is told by its place", () => {
  const schema = s.object({ list: s.array(s.object({ n: s.integer() })).optional(), one: s.enum(["a", "b"]).optional() });
  for (const [value, words] of [
    [{ list: [{ n: 1 }, { n: 1.5 }] }, "x.list[1].n is 1.5, not a whole number"],
    [{ one: "c" }, 'x.one is "c", not one of ["a","b"]'],
    [{ lists: [] }, "x has no lists; it has list, one"],
    [{ list: [{}] }, "x.list[0] needs n"],
    [[], "x is [], not an object"],
  ]) {
    assert.throws(() => schema.read(value, "x"), (error) => error instanceof InvalidInput && error.message === words);
  }
  assert.throws(() => s.union([s.string(), s.boolean()]).read(1, "x"), /x is 1, not text; x is 1, not true or false/);
});

test("names that every object has are no properties", () => {
  assert.throws(() => s.object({}).read(JSON.parse('{"__proto__": 1}'), "x"), InvalidInput);
  assert.throws(() => s.object({}).read({ toString: 1 }, "x"), InvalidInput);
  assert.deepEqual(s.record(s.any()).read({ toString: 1 }, "x"), { toString: 1 });
});
