// The tools of a plugin, and one call of one of them.

import { parts } from "./answer.js";
import { Failed, InvalidInput, NotFound, ToolError } from "./errors.js";
import { log } from "./modules.js";
import { isObject, Schema } from "./schema.js";
import { told } from "./words.js";

// What the contract takes for a tool's name.
const NAME = /^[a-z][a-z0-9_]{0,47}$/;

const TRAITS = ["readOnly", "idempotent", "additive", "closedWorld"];

// The tools that were declared, in the order of their declaration.
export const declared = new Map();

// Declares a tool. `run` gets the arguments and answers with a value, or with a promise of one.
export function tool(about, run = about.run) {
  const { name, description, title, examples, pure = false } = about;
  if (!NAME.test(name)) throw new TypeError(`${JSON.stringify(name)} is no tool name: it has to be of the form ${NAME.source}`);
  if (declared.has(name)) throw new TypeError(`there are two tools with the name ${name}`);
  if (!description?.trim()) throw new TypeError(`tool ${name} has no description for the model to read`);
  if (typeof run !== "function") throw new TypeError(`tool ${name} has no function to run`);
  const input = schema(about.input ?? { type: "object", properties: {}, additionalProperties: false }, name, "input");
  if (input.json.type !== "object") throw new TypeError(`the input of tool ${name} is no object: wrap it in s.object({…})`);
  const annotations = { ...(title ? { title } : {}), ...(examples ? { examples } : {}) };
  const made = {
    name,
    description: description.trim(),
    input,
    output: about.output === undefined ? undefined : schema(about.output, name, "output"),
    traits: Object.fromEntries(TRAITS.map((trait) => [trait, pure || about[trait] === true])),
    annotations: Object.keys(annotations).length > 0 ? annotations : undefined,
    run,
  };
  declared.set(name, made);
  return made;
}

// One call, from its arguments as JSON text to the parts of its answer. Rejects with nothing but a
// ToolError: whatever else is thrown goes to the log, and to the caller as `failed` with its message.
export async function run(name, json) {
  const chosen = declared.get(name);
  if (chosen === undefined) throw new NotFound(`this plugin has no tool ${JSON.stringify(name)}`);
  try {
    return parts(await chosen.run(chosen.input.read(argumentsOf(name, json), name)));
  } catch (error) {
    throw toolError(error);
  }
}

// What a caller may see of whatever was thrown.
export function toolError(thrown) {
  if (thrown instanceof ToolError) return thrown;
  const isError = thrown instanceof Error;
  const message = isError ? `${told(thrown.name)}: ${told(thrown.message)}` : told(thrown);
  log.error(isError && thrown.stack ? `${message}\n${told(thrown.stack)}` : message);
  return new Failed(message, { cause: thrown });
}

function argumentsOf(name, json) {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new InvalidInput(`the arguments of ${name} are no JSON: ${error.message}`);
  }
}

// A schema of ours, or one that the author wrote as it is: that one only the host checks.
function schema(given, name, which) {
  if (given instanceof Schema) return given;
  if (!isObject(given)) throw new TypeError(`the ${which} of tool ${name} is no schema`);
  return new Schema(given, (value) => value);
}
