// The promises of a component: everything happens in `settle`, and in the order in which it does elsewhere.

import assert from "node:assert/strict";
import { test } from "node:test";

import { later, settle, SettledPromise as P } from "../src/promise.js";

const held = (promise) => {
  settle();
  return P.look(promise);
};
const fulfilled = (value) => ({ state: "fulfilled", value });
const rejected = (value) => ({ state: "rejected", value });

test("reactions run when they are settled and not before", () => {
  const seen = [];
  P.resolve(1).then((value) => seen.push(value));
  later(() => seen.push("later"));
  seen.push("now");
  assert.deepEqual(seen, ["now"]);
  settle();
  assert.deepEqual(seen, ["now", 1, "later"]);
});

test("chains hand on values, errors and what thenables give", () => {
  assert.deepEqual(held(P.resolve(1).then((value) => value + 1).then((value) => P.resolve(value * 2))), fulfilled(4));
  assert.deepEqual(held(P.reject("no").then(() => 1).catch((reason) => `${reason}!`)), fulfilled("no!"));
  assert.deepEqual(held(P.resolve().then(() => { throw "x"; })), rejected("x"));
  assert.deepEqual(held(P.resolve({ then: (resolve) => resolve(7) })), fulfilled(7));
  assert.deepEqual(held(new P((resolve) => (resolve(1), resolve(2)))), fulfilled(1));
  assert.deepEqual(held(new P(() => { throw "early"; })), rejected("early"));
  assert.deepEqual(held(P.resolve(1).finally(() => 2)), fulfilled(1));
  assert.deepEqual(held(P.reject(1).finally(() => P.reject(2))), rejected(2));
  assert.equal(held(new P(() => {})).state, "pending");
  const own = P.withResolvers();
  own.resolve(own.promise);
  assert.match(String(held(own.promise).value), /cannot wait for itself/);
});

test("several are waited for as elsewhere", () => {
  const some = () => [P.resolve(1), 2, { then: (resolve) => resolve(3) }];
  assert.deepEqual(held(P.all(some())), fulfilled([1, 2, 3]));
  assert.deepEqual(held(P.all([])), fulfilled([]));
  assert.deepEqual(held(P.all([1, P.reject("no")])), rejected("no"));
  assert.deepEqual(held(P.allSettled([1, P.reject("no")])), fulfilled([{ status: "fulfilled", value: 1 }, { status: "rejected", reason: "no" }]));
  assert.deepEqual(held(P.any([P.reject(1), P.resolve(2)])), fulfilled(2));
  assert.deepEqual(held(P.any([P.reject(1)])).value.errors, [1]);
  assert.deepEqual(held(P.race([P.resolve("first"), P.resolve("second")])), fulfilled("first"));
  assert.deepEqual(held(P.try((a, b) => a + b, 1, 2)), fulfilled(3));
});

test("a job that is added while others run still runs", () => {
  const countdown = (count) => P.resolve().then(() => (count === 0 ? "done" : countdown(count - 1)));
  assert.deepEqual(held(countdown(10_000)), fulfilled("done"));
});

test("a class of one's own stays one", () => {
  class Own extends P {}
  const own = Own.resolve(1).then((value) => value);
  assert.ok(own instanceof Own && Object.prototype.toString.call(own) === "[object Promise]");
});
