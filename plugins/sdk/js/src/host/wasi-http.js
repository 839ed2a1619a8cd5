// Requests over `wasi:http`.

import * as handler from "wasi:http/outgoing-handler@0.2.0";
import { Fields, httpErrorCode, OutgoingBody, OutgoingRequest, RequestOptions } from "wasi:http/types@0.2.0";

import { decode, encode, joined } from "../bytes.js";
import { Failed, InvalidInput, Unavailable } from "../errors.js";
import { denied, noAddress, RESPONSE_BYTES_MAX, target, tooLarge } from "../requests.js";

// What `blocking-write-and-flush` takes at once.
const WRITE_BYTES_MAX = 4096;
const READ_BYTES = 64 * 1024;
const METHODS = ["get", "head", "post", "put", "delete", "options", "patch"];

// What each code asks of the caller, the same in all SDKs; one that is not named may pass.
const DENIED = ["HTTP-request-denied", "destination-IP-prohibited"];
const INVALID = ["HTTP-request-method-invalid", "HTTP-request-URI-invalid", "HTTP-request-URI-too-long"];
const TOO_LARGE = [
  "HTTP-response-body-size",
  "HTTP-response-header-section-size",
  "HTTP-response-header-size",
  "HTTP-response-trailer-section-size",
  "HTTP-response-trailer-size",
];
const FAILED = [
  "HTTP-request-length-required",
  "HTTP-request-body-size",
  "HTTP-request-header-section-size",
  "HTTP-request-header-size",
  "HTTP-request-trailer-section-size",
  "HTTP-request-trailer-size",
  "HTTP-response-transfer-coding",
  "HTTP-response-content-coding",
  "HTTP-upgrade-failed",
  "HTTP-protocol-error",
  "configuration-error",
  "internal-error",
];

// Sends a request and reads its response to the end.
export function send(request) {
  const to = target(request.url);
  if (to === undefined) throw noAddress(request.url);
  const failed = (error) => failure(payload(error), request.method, to.host);
  const outgoing = built(request, to);
  let body;
  let pending;
  try {
    body = outgoing.body();
    pending = handler.handle(outgoing, options(request.timeout));
  } catch (error) {
    throw failed(error);
  }
  write(body, request.body);
  const pollable = pending.subscribe();
  pollable.block();
  drop(pollable);
  const answer = pending.get()?.val;
  drop(pending);
  if (answer?.tag !== "ok") throw failed({ payload: answer?.val });
  return read(answer.val, failed, to.host);
}

// A request as the host takes it. One with parts that the host refuses can never be sent.
function built(request, to) {
  let part = "header";
  try {
    const outgoing = new OutgoingRequest(Fields.fromList(Object.entries(request.headers).map(([name, value]) => [name, encode(value)])));
    part = "method";
    const method = request.method.toLowerCase();
    outgoing.setMethod(METHODS.includes(method) ? { tag: method } : { tag: "other", val: request.method });
    part = "address";
    outgoing.setScheme({ tag: to.scheme === "https" ? "HTTPS" : "HTTP" });
    outgoing.setAuthority(to.host);
    outgoing.setPathWithQuery(to.path);
    return outgoing;
  } catch {
    throw new InvalidInput(`a request to ${to.host} cannot be sent with this ${part}`, { code: "invalid_request" });
  }
}

function options(timeout) {
  if (timeout === undefined) return null;
  const bounds = new RequestOptions();
  const nanoseconds = Math.max(1, Math.round(timeout * 1e9));
  bounds.setConnectTimeout(nanoseconds);
  bounds.setFirstByteTimeout(nanoseconds);
  bounds.setBetweenBytesTimeout(nanoseconds);
  return bounds;
}

// Writes a request's body. That it is no longer wanted is told by the response, so nothing is thrown.
function write(body, content) {
  let stream;
  try {
    stream = body.write();
    for (let at = 0; at < content.length; at += WRITE_BYTES_MAX) {
      stream.blockingWriteAndFlush(content.subarray(at, at + WRITE_BYTES_MAX));
    }
    drop(stream);
    stream = undefined;
    OutgoingBody.finish(body, null);
  } catch {
    drop(stream);
  }
}

function read(response, failed, host) {
  const status = response.status();
  const fields = response.headers();
  const headers = {};
  for (const [name, value] of fields.entries()) {
    const key = name.toLowerCase();
    headers[key] = Object.hasOwn(headers, key) ? `${headers[key]}, ${decode(value)}` : decode(value);
  }
  drop(fields);
  const body = response.consume();
  const stream = body.stream();
  try {
    return { status, headers, body: pieces(stream, failed, host) };
  } finally {
    drop(stream);
    drop(body);
    drop(response);
  }
}

function pieces(stream, failed, host) {
  const read = [];
  let length = 0;
  for (;;) {
    let piece;
    try {
      piece = Uint8Array.from(stream.blockingRead(READ_BYTES));
    } catch (error) {
      const { tag, val } = payload(error) ?? {};
      if (tag === "closed") return read.length === 0 ? new Uint8Array() : joined(read);
      throw failed({ payload: val === undefined ? undefined : httpErrorCode(val) });
    }
    length += piece.length;
    if (length > RESPONSE_BYTES_MAX) throw tooLarge(host);
    read.push(piece);
  }
}

const payload = (error) => error?.payload;

const drop = (resource) => resource?.[Symbol.dispose]?.();

function failure(code, method, host) {
  if (DENIED.includes(code?.tag)) return denied(method, host);
  if (TOO_LARGE.includes(code?.tag)) return tooLarge(host);
  const message = `the ${method} request to ${host} failed: ${words(code)}`;
  if (INVALID.includes(code?.tag)) return new InvalidInput(message, { code: "invalid_request" });
  return FAILED.includes(code?.tag) ? new Failed(message, { code: "protocol" }) : new Unavailable(message, { code: "connection" });
}

// What a code says: its name in words, and the text or number that comes with it.
function words(code) {
  if (code?.tag === undefined) return "it broke off";
  const name = code.tag.replaceAll("-", " ");
  return ["string", "number", "bigint"].includes(typeof code.val) ? `${name} (${code.val})` : name;
}
