// The official client of chat completions against /v1.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";

import { KEY, Server } from "./server.mjs";

const SCRIPT = `
[[turn]]
user = "hello"
reply = [{ text = "Hello there, friend.", usage = { input = 20, output = 5 } }]

[[turn]]
user = "sum"
reply = [
  { text = "Let me see.", call = [{ name = "calc", arguments = { expression = "6*7" } }], usage = { input = 30, output = 9 } },
  { text = "It is 42.", usage = { input = 40, output = 6 } },
]

[[turn]]
user = "where"
reply = [
  { call = [{ name = "calc", arguments = { expression = "1+1" } }, { name = "locate", arguments = { exact = true } }, { name = "clock" }] },
  { text = "You are in Oslo, and it is noon." },
]

[[turn]]
user = "broken"
reply = [{ error = "nonsense" }]

[[turn]]
user = "halfway"
reply = [{ text = "Half a story", error = "nonsense", word_delay_ms = 300 }]

[[turn]]
user = "story"
reply = [{ text = "${"once upon a time ".repeat(200)}", word_delay_ms = 20 }]
`;

const LOCATE = {
  type: "function",
  function: {
    name: "locate",
    description: "Where the user is.",
    parameters: { type: "object", properties: { exact: { type: "boolean" } } },
  },
};
const CLOCK = { type: "function", function: { name: "clock", description: "What time it is." } };

let server;
let client;

before(async () => {
  server = await Server.start({ script: SCRIPT });
  await server.agent("helper", { calc: "tol_calculator_calculate" });
  client = new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1`, maxRetries: 0 });
});

after(() => server.stop());

const says = (content) => ({ model: "helper", messages: [{ role: "user", content }] });

/** How many turns ended so. */
async function turns(how) {
  const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } });
  const line = (await answer.text()).split("\n").find((line) => line.startsWith(`wardian_turns_total{how="${how}"}`));
  return Number(line?.split(" ").at(-1) ?? 0);
}

test("an answer in one piece", async () => {
  const answer = await client.chat.completions.create(says("Hello?"));
  assert.equal(answer.choices[0].message.content, "Hello there, friend.");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens], [20, 5, 25]);
});

test("a stream, with what it consumed", async () => {
  const stream = await client.chat.completions.create({ ...says("Hello?"), stream: true, stream_options: { include_usage: true } });
  let [words, finish, usage, pieces] = ["", undefined, undefined, 0];
  for await (const chunk of stream) {
    words += chunk.choices[0]?.delta.content ?? "";
    pieces += chunk.choices[0]?.delta.content ? 1 : 0;
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.equal(words, "Hello there, friend.");
  assert.ok(pieces >= 1);
  assert.equal(finish, "stop");
  assert.equal(usage.total_tokens, 25);
});

test("a tool of the agent runs inside", async () => {
  const answer = await client.chat.completions.create(says("The sum?"));
  assert.equal(answer.choices[0].message.content, "Let me see.\n\nIt is 42.");
  assert.equal(answer.choices[0].message.tool_calls, undefined);
  assert.equal(answer.usage.total_tokens, 85);
  const streamed = await client.chat.completions.stream(says("The sum?")).finalContent();
  assert.equal(streamed, "Let me see.\n\nIt is 42.");
});

test("tools of the client over two requests", async () => {
  const body = { ...says("Where am I?"), tools: [LOCATE, CLOCK] };
  const first = await client.chat.completions.create(body);
  assert.equal(first.choices[0].finish_reason, "tool_calls");
  const calls = first.choices[0].message.tool_calls;
  assert.deepEqual(calls.map((call) => call.function.name), ["locate", "clock"]);
  assert.deepEqual(JSON.parse(calls[0].function.arguments), { exact: true });
  const outputs = calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "as you see" }));
  const second = await client.chat.completions.create({ ...body, messages: [...body.messages, first.choices[0].message, ...outputs] });
  assert.equal(second.choices[0].message.content, "You are in Oslo, and it is noon.");
});

test("tools of the client, run by the client's own helper over streams", async () => {
  const seen = [];
  const runner = client.chat.completions.runTools({
    ...says("Where am I?"),
    stream: true,
    tools: [
      {
        type: "function",
        function: {
          ...LOCATE.function,
          parse: JSON.parse,
          function: (args) => {
            seen.push(args);
            return { city: "Oslo" };
          },
        },
      },
      { type: "function", function: { ...CLOCK.function, parameters: { type: "object", properties: {} }, function: () => "noon" } },
    ],
  });
  assert.equal(await runner.finalContent(), "You are in Oslo, and it is noon.");
  assert.deepEqual(seen, [{ exact: true }]);
});

test("errors are of the client's own classes", async () => {
  await assert.rejects(client.chat.completions.create({ ...says("Hello?"), model: "nobody" }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    return true;
  });
  const stranger = new OpenAI({ apiKey: "wrong", baseURL: `${server.url}/v1`, maxRetries: 0 });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ ...says("Hello?"), n: 2 }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "n");
    return true;
  });
  await assert.rejects(client.chat.completions.create(says("broken")), OpenAI.InternalServerError);
  await assert.rejects(client.chat.completions.create({ ...says("broken"), stream: true }), OpenAI.InternalServerError);
});

test("what fails after the first words is thrown while the stream is read", async () => {
  const stream = await client.chat.completions.create({ ...says("halfway"), stream: true });
  let words = "";
  const reading = async () => {
    for await (const chunk of stream) words += chunk.choices[0]?.delta.content ?? "";
  };
  await assert.rejects(reading(), OpenAI.APIError);
  assert.equal(words, "Half a story");
});

test("an aborted stream stops the turn", async () => {
  const before = await turns("interrupted");
  const stream = await client.chat.completions.create({ ...says("A story!"), stream: true });
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) {
      stream.controller.abort();
      break;
    }
  }
  const until = Date.now() + 20_000;
  while ((await turns("interrupted")) <= before) {
    assert.ok(Date.now() < until, "the turn goes on");
    await new Promise((done) => setTimeout(done, 50));
  }
});

test("agents are models", async () => {
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  assert.ok(models.includes("helper"));
  assert.equal((await client.models.retrieve("helper")).owned_by, "wardian");
});

test("a bot's own address takes any name of a model", async () => {
  const bot = new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1/aibot/bots/helper/openai`, maxRetries: 0 });
  const answer = await bot.chat.completions.create({ ...says("Hello?"), model: "gpt-4o" });
  assert.equal(answer.choices[0].message.content, "Hello there, friend.");
  assert.equal(answer.model, "gpt-4o");
});
