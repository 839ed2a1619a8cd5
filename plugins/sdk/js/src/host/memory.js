// The host outside of a component: enough for a plugin's own tests. Nothing is granted but a store and a
// cache, until a test says so with `withHost` of `@wardian/plugin/testing`.

import { denied, noAddress, target } from "../requests.js";
import { Failed, InvalidInput, Unauthorized } from "../errors.js";
import { encode } from "../bytes.js";

// The contract's bounds, so that a test meets them before a user does.
const KEY_BYTES_MAX = 256;
const KEYS_MAX = 1000;
const VALUE_BYTES_MAX = 64 * 1024;
const CACHE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

// What is granted, and what the tool has said and kept.
export class Host {
  constructor({ config = {}, secrets = {}, store = {}, http = undefined, user = undefined, cancelled = false } = {}) {
    this.config = config;
    this.secrets = secrets;
    this.store = new Map(Object.entries(store));
    this.cache = new Map();
    this.http = http;
    this.user = user;
    this.cancelled = cancelled;
    this.logs = [];
    this.progress = [];
    this.emitted = [];
  }
}

let current = new Host();

// Puts a host in the place of the one that is there, which is answered.
export function replaceHost(host) {
  const before = current;
  current = host;
  return before;
}

export const callId = () => "call";
export const session = () => "session";
export const agent = () => "agent";
export const user = () => current.user;
// As much as an operator grants by default.
export const timeLeftMs = () => 15_000;
export const trace = () => undefined;
export const setting = (key) => (Object.hasOwn(current.config, key) ? current.config[key] : undefined);
export const settings = () => Object.keys(current.config).sort();
export const ready = (name) => Object.hasOwn(current.secrets, name);
export const progress = (share, note) => void current.progress.push({ share, note });
export const emit = (part) => void current.emitted.push(part);
export const cancelled = () => current.cancelled;

export function write(level, message) {
  current.logs.push({ level, message });
  console.error(`${level}: ${message}`);
}

export function reveal(name) {
  if (!ready(name)) throw new Unauthorized(`the operator named no secret ${name} for this plugin`, { code: "not_granted" });
  return current.secrets[name];
}

export function send(request) {
  const to = target(request.url);
  if (to === undefined) throw noAddress(request.url);
  if (current.http === undefined) throw denied(request.method, to.host);
  return current.http(request);
}

export const storeGet = (key) => current.store.get(checked(key));
export const storeDelete = (key) => void current.store.delete(checked(key));

export function storeSet(key, value) {
  if (value.length > VALUE_BYTES_MAX) throw new Failed(`a value of the store has at most ${VALUE_BYTES_MAX} bytes, this one ${value.length}`);
  current.store.set(checked(key), value);
}

export function storeKeys(prefix, after, limit) {
  const found = [...current.store.keys()].filter((key) => key.startsWith(prefix) && (after === undefined || key > after));
  return found.sort().slice(0, Math.min(limit, KEYS_MAX));
}

export const cacheSize = (name) => current.cache.get(named(name))?.length;
export const cacheRead = (name, offset, length) => current.cache.get(named(name))?.slice(offset, offset + length);
export const cacheWrite = (name, content) => void current.cache.set(named(name), content);
export const cacheDelete = (name) => void current.cache.delete(named(name));
export const cacheNames = () => [...current.cache.keys()].sort();

function checked(key) {
  const bytes = encode(key).length;
  if (bytes >= 1 && bytes <= KEY_BYTES_MAX && !/\p{Cc}/u.test(key)) return key;
  throw new InvalidInput("the key must have 1 to 256 bytes and no control characters", { code: "invalid_key" });
}

function named(name) {
  if (CACHE_NAME.test(name)) return name;
  throw new Failed("a cache name is of the form [a-z0-9][a-z0-9._-]{0,63}");
}
