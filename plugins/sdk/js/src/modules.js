// What the host offers a call, one object for each interface of the contract.

import * as host from "#host";
import { parts } from "./answer.js";
import { bytesOf, decode, encode, joined } from "./bytes.js";
import { optional, wellFormed } from "./words.js";

const CACHE_PIECE_BYTES = 1 << 20;
const KEYS_MAX = 1000;

const content = (value, what) => (typeof value === "string" ? encode(value) : bytesOf(value, what));

// What is known about the call that is running. The names are opaque and give no rights.
export const context = {
  id: () => host.callId(),
  session: () => host.session(),
  agent: () => host.agent(),
  user: () => host.user() ?? undefined,
  // Seconds until the host ends the call.
  timeLeft: () => Number(host.timeLeftMs()) / 1000,
  trace: () => host.trace() ?? undefined,
};

// Lines for the operator's log; `console` reaches it too.
export const log = {
  debug: (message) => host.write("debug", wellFormed(message)),
  info: (message) => host.write("info", wellFormed(message)),
  warn: (message) => host.write("warn", wellFormed(message)),
  error: (message) => host.write("error", wellFormed(message)),
};

// Settings from the operator's `[plugin.NAME.config]`.
export const config = {
  get: (key, fallback = undefined) => host.setting(wellFormed(key)) ?? fallback,
  keys: () => host.settings(),
};

// Credentials that the tool must hold itself; the usual way is to have them injected into requests.
export const secrets = {
  reveal: (name) => host.reveal(wellFormed(name)),
  ready: (name) => host.ready(wellFormed(name)),
};

// A small durable key-value store. What a call writes becomes durable together with its result.
export const store = {
  get: (key) => host.storeGet(wellFormed(key)) ?? undefined,
  set: (key, value) => host.storeSet(wellFormed(key), content(value, "a value")),
  getJson(key, fallback = undefined) {
    const value = host.storeGet(wellFormed(key)) ?? undefined;
    return value === undefined ? fallback : JSON.parse(decode(value));
  },
  setJson: (key, value) => host.storeSet(wellFormed(key), encode(JSON.stringify(value))),
  delete: (key) => host.storeDelete(wellFormed(key)),
  keys: ({ prefix = "", after = undefined, limit = KEYS_MAX } = {}) => host.storeKeys(wellFormed(prefix), optional(after), limit),
};

// Files that can be made again; they may vanish between calls.
export const cache = {
  size: (name) => host.cacheSize(wellFormed(name)) ?? undefined,
  read(name, offset = 0, length = undefined) {
    if (length !== undefined) return host.cacheRead(wellFormed(name), offset, length) ?? undefined;
    const pieces = [];
    for (let at = offset; ; at += CACHE_PIECE_BYTES) {
      const piece = host.cacheRead(wellFormed(name), at, CACHE_PIECE_BYTES) ?? undefined;
      if (piece === undefined) return undefined;
      pieces.push(piece);
      if (piece.length < CACHE_PIECE_BYTES) return joined(pieces);
    }
  },
  write: (name, value) => host.cacheWrite(wellFormed(name), content(value, "a file")),
  delete: (name) => host.cacheDelete(wellFormed(name)),
  names: () => host.cacheNames(),
};

// What a tool can say while it runs, and whether somebody still listens.
export const feedback = {
  // `share` is between 0 and 1, or undefined where that is not known.
  progress: (share, note = "") => host.progress(share === undefined || share === null ? undefined : Number(share), wellFormed(note)),
  // Hands over a part of the answer now. It is kept even if the call fails later.
  emit: (answer) => parts(answer).forEach((part) => host.emit(part)),
  cancelled: () => host.cancelled(),
};
