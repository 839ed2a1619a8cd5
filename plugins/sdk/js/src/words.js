// Text as the contract takes it: what is no well-formed Unicode would end a call as a crash.

const HALVES = /[\ud800-\udfff]/gu;

// Escapes in JSON, from left to right: those of halves without the other half are the only ones of surrogates
// that `JSON.stringify` writes.
const ESCAPES = /\\(?:u(d[89a-f][0-9a-f]{2})|.)/g;

// A value as text in which half a letter, such as `slice` leaves of an emoji, is the replacement character.
export const wellFormed = (value) => String(value).replace(HALVES, "\ufffd");

// The same of something that may be missing.
export const optional = (value) => (value === undefined || value === null ? undefined : wellFormed(value));

// The same of JSON text.
export const wellFormedJson = (json) =>
  json.includes("\\ud") ? json.replace(ESCAPES, (escape, half) => (half === undefined ? escape : "\ufffd")) : json;

// What a value says of itself, or its kind where it fails to say anything.
export function told(value) {
  try {
    return wellFormed(value);
  } catch {
    return `a value of type ${typeof value} that cannot be shown`;
  }
}
