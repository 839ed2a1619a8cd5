// For a plugin's own tests, natively: calls as the host makes them, and a host that grants things.

import { toJson } from "./answer.js";
import { Host, replaceHost } from "./host/memory.js";
import { declared, run } from "./tools.js";

export { Response } from "./http.js";

// Runs a function with a fresh host that has these grants; `http` answers the tool's requests.
export async function withHost(grants, body) {
  const host = new Host(grants);
  const before = replaceHost(host);
  try {
    return await body(host);
  } finally {
    replaceHost(before);
  }
}

// The output of one call as clients see it: the value of a single object, or an object with its parts.
// Rejects with the SDK's errors as they reach the caller.
export async function call(name, input = {}) {
  const parts = await run(name, JSON.stringify(input));
  const shown = parts.map(part);
  if (shown.length !== 1) return { content: shown };
  const [only] = shown;
  if (only.type === "text") return { text: only.text };
  const isObject = only.type === "data" && typeof only.data === "object" && only.data !== null && !Array.isArray(only.data);
  return isObject ? only.data : { content: shown };
}

// What the host sees of each tool, by its name.
export function describe() {
  const seen = ({ name, description, input, output, traits, annotations }) => [
    name,
    { description, input: input.json, output: output?.json, traits, annotations },
  ];
  return Object.fromEntries([...declared.values()].map(seen));
}

function part({ tag, value }) {
  switch (tag) {
    case "text":
      return { type: "text", text: value };
    case "data":
      return { type: "data", data: JSON.parse(toJson(value)) };
    case "blob": {
      const named = value.name === undefined ? {} : { name: value.name };
      return { type: "blob", media_type: value.mediaType, ...named, size_bytes: value.bytes.length };
    }
    default:
      return { type: "other", kind: value.kind, body: JSON.parse(toJson(value.body)) };
  }
}
