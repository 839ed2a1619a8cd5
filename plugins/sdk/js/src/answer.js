// What a tool may answer with, and how it becomes the parts that the host takes: text is for the model
// to read, any other value is JSON, a part and a list of parts are taken as they stand.

import { bytesOf } from "./bytes.js";
import { Failed } from "./errors.js";
import { optional, told, wellFormed, wellFormedJson } from "./words.js";

class Part {
  constructor(tag, value) {
    this.tag = tag;
    this.value = value;
    Object.freeze(this);
  }
}

export const text = (words) => new Part("text", wellFormed(words));

export const data = (value) => new Part("data", value);

export const file = (bytes, mediaType = "application/octet-stream", name = undefined) =>
  new Part("blob", { bytes: bytesOf(bytes, "a file"), mediaType: wellFormed(mediaType), name: optional(name) });

export const other = (kind, body) => new Part("other", { kind: wellFormed(kind), body });

// The parts of what a tool answered.
export function parts(answer) {
  if (answer === undefined || answer === null) return [];
  if (typeof answer === "string") return [text(answer)];
  if (answer instanceof Part) return [answer];
  if (Array.isArray(answer) && answer.length > 0 && answer.every((item) => item instanceof Part)) return answer;
  return [data(answer)];
}

// A value as JSON text.
export function toJson(value) {
  let json;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new Failed(`cannot write the answer as JSON: ${told(error?.message)}`, { cause: error });
  }
  if (json === undefined) throw new Failed(`cannot write the answer as JSON: there is none for a ${typeof value}`);
  return wellFormedJson(json);
}
