// The official client of AG-UI, `@ag-ui/client`, in three of its versions, against `/v1/agui/{AgentId}`.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { HttpAgent as One } from "@ag-ui/client";
import { HttpAgent as V42 } from "ag-ui-client-0-0-42";
import { HttpAgent as V59 } from "ag-ui-client-0-0-59";

import { ALERT, CONFIG, SCRIPT } from "./conversation.mjs";
import { KEY, Server } from "./server.mjs";

const THINKS = `
[[turn]]
user = "think"
reply = [{ thinking = "Let me see.", text = "I thought about it." }]
`;

const VERSIONS = { "0.0.42": V42, "0.0.59": V59, "1.0.0": One };

let server;
before(async () => {
  server = await Server.start({ script: SCRIPT + THINKS, config: CONFIG });
  await server.agent("a1", { calc: "tol_calculator_calculate", write: "tol_notes_note_write" });
});
after(() => server.stop());

let count = 0;
const id = (what) => `${what}-${(count += 1)}`;

for (const [version, HttpAgent] of Object.entries(VERSIONS)) {
  describe(`@ag-ui/client ${version}`, () => {
    const agent = (path = "/v1/agui/a1") =>
      new HttpAgent({ url: server.url + path, headers: { Authorization: `Bearer ${KEY}` }, threadId: id("thread") });

    /** Says something and runs; all events that came, as the client passes them on. */
    const run = async (agent, text, parameters = {}) => {
      if (text) agent.addMessage({ id: id("message"), role: "user", content: text });
      const events = [];
      await agent.runAgent({ runId: id("run"), ...parameters }, { onEvent: ({ event }) => void events.push(event) });
      return events;
    };

    const last = (agent) => agent.messages.at(-1);

    test("holds a conversation", async () => {
      const speaker = agent();
      await run(speaker, "hello");
      assert.equal(last(speaker).content, "Hello! How can I help?");
      await run(speaker, "think about it");
      assert.equal(last(speaker).content, "I thought about it.");
      assert.equal(speaker.messages.filter((message) => message.role === "user").length, 2);
    });

    test("is answered on the path of the bots as well", async () => {
      const speaker = agent("/v1/aibot/bots/a1/send-message");
      await run(speaker, "hello");
      assert.equal(last(speaker).content, "Hello! How can I help?");
    });

    test("sees what the server's own tools do", async () => {
      const speaker = agent();
      const events = await run(speaker, "weather");
      const roles = speaker.messages.map((message) => message.role);
      assert.deepEqual(roles, ["user", "assistant", "tool", "assistant"]);
      const [, asked, result, answer] = speaker.messages;
      assert.equal(asked.content, "Let me compute 25°C.");
      assert.deepEqual(JSON.parse(asked.toolCalls[0].function.arguments), { expression: "6*7" });
      assert.equal(result.toolCallId, asked.toolCalls[0].id);
      assert.match(result.content, /42/);
      assert.equal(answer.content, "It is 42.");
      assert.equal(events.at(-1).type, "RUN_FINISHED");
    });

    test("runs tools of its own and brings what came of them", async () => {
      const speaker = agent();
      const events = await run(speaker, "alert", { tools: [ALERT] });
      const asked = last(speaker);
      assert.deepEqual(asked.toolCalls.map((call) => JSON.parse(call.function.arguments).message), ["one", "two"]);
      if (version === "1.0.0") {
        assert.deepEqual(events.at(-1).outcome.pendingToolCallIds, asked.toolCalls.map((call) => call.id));
      }
      for (const call of asked.toolCalls) {
        speaker.addMessage({ id: id("message"), role: "tool", toolCallId: call.id, content: "shown" });
      }
      await run(speaker, undefined, { tools: [ALERT] });
      assert.equal(last(speaker).content, "I showed both.");
    });

    test("lets a person decide", async () => {
      for (const approved of [true, false]) {
        const speaker = agent();
        const events = await run(speaker, "note");
        const answer = { approved };
        let parameters;
        if (version === "0.0.42") {
          const asked = events.find((event) => event.type === "CUSTOM" && event.name === "on_interrupt");
          assert.equal(JSON.parse(asked.value).metadata.toolName, "write");
          parameters = { forwardedProps: { command: { resume: answer } } };
        } else {
          const [interrupt] = events.at(-1).outcome.interrupts;
          assert.deepEqual(speaker.pendingInterrupts.map((pending) => pending.id), [interrupt.id]);
          assert.deepEqual(interrupt.metadata.args, { key: "k", text: "v" });
          assert.equal(interrupt.toolCallId, last(speaker).toolCalls[0].id);
          parameters = { resume: [{ interruptId: interrupt.id, status: "resolved", payload: answer }] };
        }
        await run(speaker, undefined, parameters);
        const result = speaker.messages.find((message) => message.role === "tool");
        assert.equal(/rejected/.test(result.content), !approved, result.content);
        assert.equal(last(speaker).content, "Noted.");
      }
    });

    test("learns why a run does not begin", async () => {
      const nobody = agent("/v1/agui/nope");
      await assert.rejects(run(nobody, "hello"), /404/);
    });
  });
}
