// What both hosts know of requests: where one goes, what is kept of its response, and the sentence for one
// that was not granted.

import { InvalidInput, Refused, Unauthorized } from "./errors.js";

// The host has limits of its own; this one keeps a guest from filling its memory.
export const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;

const ADDRESS = /^(https?):\/\/([^/?#]+)([^?#]*)(\?[^#]*)?(#.*)?$/i;

// Scheme, host and path of an address; undefined where it is none.
export function target(url) {
  const found = ADDRESS.exec(url);
  if (found === null) return undefined;
  const [, scheme, host, path, query = ""] = found;
  return { scheme: scheme.toLowerCase(), host, path: (path || "/") + query };
}

export const denied = (method, host) =>
  new Unauthorized(`this plugin may not send ${method} requests to ${host}; the operator can grant it`, { code: "not_granted" });

export const tooLarge = (host) =>
  new Refused(`the answer of ${host} is larger than is permitted; ask for less of it`, { code: "too_large" });

export const noAddress = (url) =>
  new InvalidInput(`${JSON.stringify(url)} is no address of the form https://host/path`, { code: "invalid_request" });
