// HTTP requests to hosts that the operator granted. A request that was not granted throws Unauthorized,
// one that failed Unavailable; any status is a response.

import * as host from "#host";
import { bytesOf, decode, encode } from "./bytes.js";
import { wellFormed } from "./words.js";

// A response, read to its end. The names of its headers are in small letters.
export class Response {
  constructor(status, headers = {}, body = new Uint8Array()) {
    this.status = status;
    this.headers = headers;
    this.body = typeof body === "string" ? encode(body) : body;
  }

  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  text() {
    return decode(this.body);
  }

  json() {
    return JSON.parse(this.text());
  }
}

// Sends a request. `params` are added to the address, `json` is a body in JSON, `timeout` is in seconds.
export function request(url, { method = "GET", params, headers = {}, body, json, timeout } = {}) {
  const fields = Object.fromEntries(Object.entries(headers).map(([name, value]) => [wellFormed(name).toLowerCase(), wellFormed(value)]));
  let content = body ?? new Uint8Array();
  if (json !== undefined) {
    content = JSON.stringify(json);
    fields["content-type"] ??= "application/json";
  }
  content = typeof content === "string" ? encode(content) : bytesOf(content, "a request");
  if (content.length > 0) fields["content-length"] ??= String(content.length);
  const { status, headers: answered, body: bytes } = host.send({
    method: wellFormed(method).toUpperCase(),
    url: withParams(wellFormed(url), params),
    headers: fields,
    body: content,
    timeout,
  });
  return new Response(status, answered, bytes);
}

export const get = (url, options = {}) => request(url, { ...options, method: "GET" });

export const post = (url, options = {}) => request(url, { ...options, method: "POST" });

function withParams(url, params) {
  const pairs = Object.entries(params ?? {}).map(([name, value]) => `${encodeURIComponent(wellFormed(name))}=${encodeURIComponent(wellFormed(value))}`);
  if (pairs.length === 0) return url;
  return `${url}${url.includes("?") ? "&" : "?"}${pairs.join("&")}`;
}
