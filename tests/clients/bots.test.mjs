// The official client of CloudBase's bots, `@cloudbase/ai`, against what stands beside `send-message`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import ai from "@cloudbase/ai";

import { KEY, Server } from "./server.mjs";

const SCRIPT = `
[[turn]]
user = "hello"
reply = [{ text = "Hello! How can I help?" }]

[[turn]]
user = "<assistant>"
reply = [{ text = "1. What is a widget?\\n2. How do I mount it?" }]
`;

let server;
before(async () => {
  server = await Server.start({ script: SCRIPT });
  await server.agent("a1");
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

const said = async (conversationId) => {
  const answer = await bot().sendMessage({ botId: "a1", conversationId, messages: [{ role: "user", content: "hello" }] });
  for await (const text of answer.textStream) assert.ok(text);
};

test("shows bots", async () => {
  const shown = await bot().get({ botId: "a1" });
  assert.deepEqual([shown.botId, shown.name, shown.multiConversationEnable], ["a1", "a1", true]);
  const list = await bot().list({ pageSize: 10, pageNumber: 1, name: undefined, introduction: "", enable: true, information: "" });
  assert.ok(list.botList.some((each) => each.botId === "a1"));
});

test("begins, lists and deletes conversations", async () => {
  const made = await bot().createConversation({ botId: "a1", title: "Widgets" });
  assert.equal(made.title, "Widgets");
  await said(made.conversationId);
  const list = await bot().getConversation({ botId: "a1", pageSize: 5, pageNumber: 1, isDefault: false });
  assert.deepEqual([list.data[0].conversationId, list.data[0].title], [made.conversationId, "Widgets"]);
  const gone = await bot().deleteConversation({ botId: "a1", conversationId: made.conversationId });
  assert.equal(gone.count, 1);
});

test("reads records and says what it thinks of them", async () => {
  await said("kept");
  const { recordList, total } = await bot().getChatRecords({ botId: "a1", pageNumber: 1, pageSize: 10, sort: "desc", conversationId: "kept" });
  assert.equal(total, 2);
  const [answer, question] = recordList;
  assert.deepEqual([question.content, answer.content, answer.replyTo], ["hello", "Hello! How can I help?", question.recordId]);
  const userFeedback = { botId: "a1", recordId: answer.recordId, type: "upvote", comment: "so", rating: 5, tags: ["kind"], input: "", aiAnswer: "" };
  assert.deepEqual(await bot().sendFeedback({ userFeedback }), { status: "success" });
  const filters = { botId: "a1", type: "upvote", sender: undefined, senderFilter: undefined, minRating: 4, maxRating: 5, pageSize: 10, pageNumber: 1 };
  const { feedbackList } = await bot().getFeedback(filters);
  assert.deepEqual([feedbackList[0].recordId, feedbackList[0].input, feedbackList[0].aiAnswer], [answer.recordId, "hello", answer.content]);
});

test("asks for questions that a user might have", async () => {
  const { textStream } = await bot().getRecommendQuestions({ botId: "a1", name: "Ada", introduction: "", agentSetting: "", msg: "hi", history: [] });
  let text = "";
  for await (const piece of textStream) text += piece;
  assert.deepEqual(text.trim().split("\n"), ["What is a widget?", "How do I mount it?"]);
});

test("learns by the code what is wrong", async () => {
  await assert.rejects(bot().get({ botId: "nope" }), (error) => /AGENT_NOT_FOUND|does not exist/.test(JSON.stringify(error) + error));
  await assert.rejects(bot("wrd_wrong").get({ botId: "a1" }), (error) => /INVALID_CREDENTIALS|wrong or revoked/.test(JSON.stringify(error) + error));
});
