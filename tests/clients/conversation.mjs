// What the clients of conversations talk about: an agent that calculates, takes notes that need somebody's word, and
// lets its client show alerts.

/** What the model says, each to words that hold its own. */
export const SCRIPT = `
[[turn]]
user = "weather"
[[turn.reply]]
text = "Let me compute 25°C."
call = [{ name = "calc", arguments = { expression = "6*7" } }]
[[turn.reply]]
text = "It is 42."

[[turn]]
user = "alert"
[[turn.reply]]
call = [{ name = "alert", arguments = { message = "one" } }, { name = "alert", arguments = { message = "two" } }]
[[turn.reply]]
text = "I showed both."

[[turn]]
user = "note"
[[turn.reply]]
call = [{ name = "write", arguments = { key = "k", text = "v" } }]
[[turn.reply]]
text = "Noted."

[[turn]]
user = "hello"
reply = [{ text = "Hello! How can I help?", word_delay_ms = 5 }]
`;

/** Whose word notes need. */
export const CONFIG = `
[plugin.notes]
approve = "always"
approver = "client"
[plugin.notes.store]
scope = "session"
quota = "1MiB"
`;

/** The client's tool. */
export const ALERT = {
  name: "alert",
  description: "Alert the user",
  parameters: { type: "object", properties: { message: { type: "string" } }, required: ["message"] },
};
