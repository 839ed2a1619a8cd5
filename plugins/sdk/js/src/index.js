// Write a Wardian plugin in TypeScript or JavaScript: a tool is a description, a schema and a function.
//
// The top level of a plugin's modules runs once, when the component is built: no clock, setting
// or secret may be read there. Outside of a component the host is a stand-in in memory.

export { data, file, other, text } from "./answer.js";
export { Failed, InvalidInput, NotFound, Refused, ToolError, Unauthorized, Unavailable } from "./errors.js";
export { cache, config, context, feedback, log, secrets, store } from "./modules.js";
export * as http from "./http.js";
export { s } from "./schema.js";
export { tool } from "./tools.js";
