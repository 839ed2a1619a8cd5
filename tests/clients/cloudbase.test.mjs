// The official client of CloudBase's bots, `@cloudbase/ai`, against `send-message`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import ai from "@cloudbase/ai";

import { ALERT, CONFIG, SCRIPT } from "./conversation.mjs";
import { KEY, Server } from "./server.mjs";

const BREAKS = `
[[turn]]
user = "break"
reply = [{ error = "refused" }]
`;

const TOOLS = [ALERT];

let server;
before(async () => {
  server = await Server.start({ script: SCRIPT + BREAKS, config: CONFIG });
  await server.agent("a1", { calc: "tol_calculator_calculate", write: "tol_notes_note_write" });
});
after(() => server.stop());

/** The client as its documentation sets it up for another address: we bring the request, it does the rest. */
function bot(key = KEY) {
  const request = async ({ url, stream, timeout, ...init }) => {
    const answer = await fetch(url, init);
    return { data: stream ? answer.body : answer.json(), header: answer.headers };
  };
  const i18n = { t: (text) => text, lang: "en", LANG_HEADER_KEY: "Accept-Language" };
  const getAccessToken = async () => ({ accessToken: key });
  return ai.createAI({ baseUrl: `${server.url}/v1`, req: { fetch: request }, getAccessToken, i18n }).bot;
}

/** All events of an answer. */
async function events(body, client = bot()) {
  const all = [];
  for await (const event of (await client.sendMessage({ botId: "a1", ...body })).dataStream) all.push(event);
  return all;
}

const user = (content) => ({ role: "user", content });
const kinds = (all) => all.map((event) => event.type).filter((type, at, types) => type !== types[at - 1]);
const text = (all) => all.filter((event) => event.type === "text").map((event) => event.content).join("");

test("text is streamed, and textStream prints nothing else", async () => {
  const answer = await bot().sendMessage({ botId: "a1", conversationId: "text", messages: [user("hello")] });
  let printed = "";
  for await (const piece of answer.textStream) printed += piece;
  assert.equal(printed, "Hello! How can I help?");
  const tool = await bot().sendMessage({ botId: "a1", conversationId: "text", messages: [user("weather")], thinking: true });
  printed = "";
  for await (const piece of tool.textStream) printed += piece ?? "";
  assert.equal(printed, "Let me compute 25°C.It is 42.");
});

test("a tool of the server runs within the answer", async () => {
  const all = await events({ conversationId: "server", messages: [user("weather?")] });
  assert.deepEqual(kinds(all), ["text", "tool-call-start", "tool-call-args", "tool-call-end", "tool-result", "text"]);
  const args = all.filter((event) => event.type === "tool-call-args").map((event) => event.delta).join("");
  assert.deepEqual(JSON.parse(args), { expression: "6*7" });
  const result = all.find((event) => event.type === "tool-result");
  assert.equal(typeof result.result, "string");
  assert.match(result.result, /42/);
});

test("tools of the client are answered by messages, some now and some after a restart", async () => {
  const all = await events({ conversationId: "client", messages: [user("alert me")], tools: TOOLS });
  const ids = all.filter((event) => event.type === "tool-call-end").map((event) => event.toolCallId);
  assert.equal(new Set(ids).size, 2);
  assert.ok(all.every((event) => event.type.startsWith("tool-call-")), JSON.stringify(all));
  const answer = (id) => ({ conversationId: "client", messages: [{ role: "tool", toolCallId: id, content: "done" }], tools: TOOLS });
  assert.deepEqual(await events(answer(ids[0])), []);
  await server.killAndRestart();
  assert.equal(text(await events(answer(ids[1]))), "I showed both.");
  await assert.rejects(events(answer(ids[1])), /INTERRUPT_ALREADY_RESOLVED/);
});

test("an interrupt is resumed, once", async () => {
  for (const payload of [{ approved: true }, '{"approved":true}', { approved: true, editedArgs: { key: "k", text: "other" } }]) {
    const conversationId = `approval ${JSON.stringify(payload)}`;
    const all = await events({ conversationId, messages: [user("note it")] });
    const interrupt = all.at(-1);
    assert.equal(interrupt.type, "interrupt");
    assert.equal(interrupt.payload.toolName, "write");
    const resume = { conversationId, messages: [], resume: { interruptId: interrupt.id, payload } };
    const after = await events(resume);
    assert.deepEqual(kinds(after), ["tool-result", "text"]);
    assert.equal(text(after), "Noted.");
    await assert.rejects(events(resume), /INTERRUPT_ALREADY_RESOLVED/);
  }
});

test("what is refused is thrown with its code, and what breaks later is an event", async () => {
  await assert.rejects(events({ messages: [user("hello")] }, bot("wrong")), /INVALID_CREDENTIALS/);
  await assert.rejects(events({ messages: [] }), /INVALID_PARAM/);
  await assert.rejects(events({ botId: "agent-9", messages: [user("hello")] }), /AGENT_NOT_FOUND/);
  await assert.rejects(events({ messages: [{ role: "tool", toolCallId: "c", content: "x" }] }), /TOOL_CALL_NOT_FOUND/);
  await assert.rejects(events({ messages: [], resume: { interruptId: "i", payload: {} } }), /INTERRUPT_NOT_FOUND/);
  await assert.rejects(events({ messages: [user("hello")], tools: [{ ...TOOLS[0], name: "calc" }] }), /INVALID_PARAM/);
  const all = await events({ conversationId: "broken", messages: [user("break it")] });
  assert.equal(all.at(-1).type, "error");
  assert.equal(all.at(-1).code, "AGENT_PROCESSING_FAILED");
});

test("the older form of a message is answered as well", async () => {
  const all = await events({ msg: "hello", history: [{ role: "user", content: "a" }, { role: "assistant", content: "b" }] });
  assert.equal(text(all), "Hello! How can I help?");
  assert.equal(all[0].finish_reason, "continue");
  assert.match(all[0].record_id, /^aev_/);
});

test("a conversation has its events under the Agents API", async () => {
  await events({ conversationId: "both doors", messages: [user("hello")] });
  const { sessions } = await server.request("GET", "/v2/agents/a1/sessions?limit=100");
  const listed = await Promise.all(
    sessions.map(({ key }) => server.request("GET", `/v2/agents/a1/sessions/${key}/events?limit=100`)),
  );
  assert.ok(listed.some(({ events }) => events.some((event) => event.content === "Hello! How can I help?")));
});
