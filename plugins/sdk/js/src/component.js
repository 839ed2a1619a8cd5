// The component's export, the interface `tools` of the contract.

import { content, failure } from "./host/component.js";
import { toJson } from "./answer.js";
import { asTold, Failed } from "./errors.js";
import { wellFormed } from "./words.js";
import { settle, SettledPromise } from "./promise.js";
import { declared, run, toolError } from "./tools.js";

export const tools = {
  describe: () => [...declared.values()].map(described),

  invoke(call) {
    try {
      return settled(run(call.tool, call.input)).map(content);
    } catch (error) {
      throw failure(asTold(toolError(error)));
    }
  },
};

// Ends the building of a plugin: what its modules promised is done, and there is a tool.
export function ready() {
  settle();
  if (declared.size === 0) throw new TypeError("the plugin declares no tool: call tool({…}) at the top level of its module");
}

// What a promise holds once everything that can happen has happened.
function settled(promise) {
  settle();
  const { state, value } = SettledPromise.look(promise);
  if (state === "fulfilled") return value;
  if (state === "rejected") throw value;
  throw new Failed("the tool waits for something that never comes: in a component there are no timers, and requests answer at once");
}

function described(tool) {
  return {
    name: tool.name,
    description: wellFormed(tool.description),
    input: toJson(tool.input.json),
    output: tool.output === undefined ? null : toJson(tool.output.json),
    traits: tool.traits,
    annotations: tool.annotations === undefined ? null : toJson(tool.annotations),
  };
}
