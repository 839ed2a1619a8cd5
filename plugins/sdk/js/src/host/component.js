// The host as a component sees it: the contract's imports, with their errors in the SDK's words.

import * as cache from "wardian:plugin/cache@0.1.0";
import * as config from "wardian:plugin/config@0.1.0";
import * as context from "wardian:plugin/context@0.1.0";
import * as feedback from "wardian:plugin/feedback@0.1.0";
import * as log from "wardian:plugin/log@0.1.0";
import * as secrets from "wardian:plugin/secrets@0.1.0";
import * as store from "wardian:plugin/store@0.1.0";

import { toJson } from "../answer.js";
import { Failed, InvalidInput, Refused, Unauthorized, Unavailable } from "../errors.js";

export { send } from "./wasi-http.js";

export const callId = () => context.id();
export const session = () => context.session();
export const agent = () => context.agent();
export const user = () => context.user();
export const timeLeftMs = () => context.timeLeft();
export const trace = () => context.trace();
export const write = (level, message) => log.write(level, message);
export const setting = (key) => config.get(key);
export const settings = () => config.keys();
export const ready = (name) => secrets.ready(name);
export const reveal = (name) => answered(() => secrets.reveal(name), ofSecret(name));
export const progress = (share, note) => feedback.progress(share ?? null, note);
export const emit = (part) => feedback.emit(content(part));
export const cancelled = () => feedback.cancelled();
export const storeGet = (key) => answered(() => store.get(key), ofStore);
export const storeSet = (key, value) => answered(() => store.set(key, value), ofStore);
export const storeDelete = (key) => answered(() => store.delete(key), ofStore);
export const storeKeys = (prefix, after, limit) => answered(() => store.keys(prefix, after ?? null, limit), ofStore);
export const cacheSize = (name) => answered(() => cache.size(name), ofCache);
export const cacheRead = (name, offset, length) => answered(() => cache.read(name, offset, length), ofCache);
export const cacheWrite = (name, content) => answered(() => cache.write(name, content), ofCache);
export const cacheDelete = (name) => answered(() => cache.delete(name), ofCache);
export const cacheNames = () => answered(() => cache.names(), ofCache);

// A part as the contract has it.
export function content({ tag, value }) {
  switch (tag) {
    case "text":
      return { tag, val: value };
    case "data":
      return { tag, val: toJson(value) };
    case "blob":
      return { tag, val: { mediaType: value.mediaType, name: value.name ?? null, bytes: value.bytes } };
    default:
      return { tag, val: { kind: value.kind, body: toJson(value.body) } };
  }
}

// An error as the contract has it.
export function failure({ reason, message, code, waitMs }) {
  return { reason: reason.replaceAll("_", "-"), message, code: code ?? null, retryAfter: waitMs ?? null };
}

// Calls the host; `words` makes the SDK's error of what it throws.
function answered(call, words) {
  try {
    return call();
  } catch (error) {
    throw words(error.payload ?? error);
  }
}

const ofSecret = (name) => (denial) => {
  const messages = {
    undeclared: `the operator named no secret ${name} for this plugin`,
    denied: `the secret ${name} may be injected into requests, but not shown`,
    missing: `the secret ${name} is granted, but the operator has not set it`,
  };
  return new Unauthorized(messages[denial] ?? `the secret ${name} was not shown`, { code: "not_granted" });
};

function ofStore({ tag, val }) {
  switch (tag) {
    case "denied":
      return new Unauthorized("this plugin was granted no store, so nothing can be kept; the operator can grant one", { code: "not_granted" });
    case "quota":
      return new Refused(`the store is full: its quota is ${val} bytes; delete something first`, { code: "quota" });
    case "invalid-key":
      return new InvalidInput("the key must have 1 to 256 bytes and no control characters", { code: "invalid_key" });
    default:
      return new Unavailable("the store cannot be reached just now");
  }
}

function ofCache({ tag, val }) {
  switch (tag) {
    case "denied":
      return new Unauthorized("this plugin was granted no cache; the operator can grant one", { code: "not_granted" });
    case "quota":
      return new Refused(`the cache is full: its quota is ${val} bytes`, { code: "quota" });
    case "invalid-name":
      return new Failed("a cache name is of the form [a-z0-9][a-z0-9._-]{0,63}");
    default:
      return new Unavailable("the cache cannot be reached just now");
  }
}
