// What packages from npm expect of a JavaScript engine and the one inside of a component lacks. It is loaded
// before everything else, while the component is built.

import { log } from "./modules.js";
import { later, SettledPromise } from "./promise.js";
import { decode, encode } from "./bytes.js";
import { told } from "./words.js";

const shown = (value) => {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.stack ? `${value.name}: ${value.message}\n${value.stack}` : `${value.name}: ${value.message}`;
  try {
    return JSON.stringify(value) ?? told(value);
  } catch {
    return told(value);
  }
};

const line = (write) => (...values) => write(values.map(shown).join(" "));

class TextEncoder {
  get encoding() {
    return "utf-8";
  }

  encode(text = "") {
    return encode(String(text));
  }
}

class TextDecoder {
  constructor(label = "utf-8") {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`only UTF-8 can be decoded here, not ${label}`);
  }

  get encoding() {
    return "utf-8";
  }

  decode(bytes = new Uint8Array()) {
    const view = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);
    const text = decode(view);
    return text.startsWith("\ufeff") ? text.slice(1) : text;
  }
}

const console = {
  debug: line(log.debug),
  trace: line(log.debug),
  log: line(log.info),
  info: line(log.info),
  warn: line(log.warn),
  error: line(log.error),
};

Object.assign(globalThis, { Promise: SettledPromise, queueMicrotask: later, console, TextEncoder, TextDecoder });
globalThis.self ??= globalThis;
