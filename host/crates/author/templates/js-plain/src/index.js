// The tools of {{name}}. What stands outside of functions runs once, when the plugin is built.

import { InvalidInput, s, tool } from "@wardian/plugin";

tool(
  {
    name: "greet",
    description: "Greets a person by name.",
    input: s.object({
      name: s.string("Whom to greet."),
      excited: s.boolean("Whether to sound excited.").optional(),
    }),
    output: s.object({ text: s.string("The greeting.") }),
    pure: true,
  },
  ({ name, excited }) => {
    if (name === "") throw new InvalidInput("name is empty; say whom to greet");
    return { text: `Hello, ${name}${excited ? "!" : "."}` };
  },
);
