// The official client of MCP over both of its transports: HTTP against /mcp, and standard input and output of
// `wardian mcp`, which hands everything to the same server.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { KEY, Server } from "./server.mjs";

/** A site that says hello; at /slow it says nothing, and counts who comes and who leaves. */
class Site {
  came = 0;
  left = 0;
  #server = createServer((request, response) => {
    if (request.url !== "/slow") return response.setHeader("content-type", "text/plain").end("hello");
    this.came += 1;
    response.on("close", () => (this.left += 1));
  });

  async start() {
    await new Promise((done) => this.#server.listen(0, "127.0.0.1", done));
    this.port = this.#server.address().port;
    return this;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const offered = (port) => `
[network]
private = ["127.0.0.0/8"]
[plugin.calculator]
agents = ["*", "mcp"]
[plugin.datetime]
agents = ["*", "mcp"]
[plugin.json]
agents = ["*", "mcp"]
[plugin.knowledge]
agents = ["*", "mcp"]
[plugin.knowledge.cache]
[[plugin.knowledge.files]]
host = "data/knowledge"
guest = "knowledge"
access = "read"
[plugin.notes]
agents = ["*", "mcp"]
approve = "never"
[plugin.notes.tool.note_delete]
approve = "always"
approver = "operator"
[plugin.notes.store]
scope = "agent"
[plugin.web]
agents = ["*", "mcp"]
approve = "never"
[[plugin.web.http]]
host = "127.0.0.1"
scheme = "http"
port = ${port}
`;

/** Polls until something holds. */
async function until(what, holds) {
  for (let tries = 0; tries < 1500; tries += 1) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.fail(`it never happened that ${what}`);
}

const transports = {
  "streamable HTTP": (server) => {
    const headers = { Authorization: `Bearer ${KEY}` };
    return new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), { requestInit: { headers } });
  },
  "standard input and output": (server) =>
    new StdioClientTransport({
      command: process.env.WARDIAN_BINARY,
      args: ["mcp", "--config", "wardian.toml"],
      cwd: server.home,
      env: { PATH: process.env.PATH, HOME: server.home },
      stderr: "inherit",
    }),
};

for (const [name, transport] of Object.entries(transports)) {
  describe(`over ${name}`, () => {
    let site, server, client;

    before(async () => {
      site = await new Site().start();
      server = await Server.start({ script: "turn = []", config: offered(site.port) });
      client = new Client({ name: "wardian-tests", version: "1.0.0" });
      client.onerror = (error) => assert.fail(`the client complains: ${error}`);
      await client.connect(transport(server));
    });

    after(async () => {
      await client?.close();
      await server?.stop();
      site?.stop();
    });

    /** The result of a call that gave an answer. */
    async function call(tool, args) {
      const result = await client.callTool({ name: tool, arguments: args });
      assert.equal(result.isError, false, `${tool}: ${JSON.stringify(result)}`);
      return result;
    }

    test("the handshake", async () => {
      assert.equal(client.getServerVersion().name, "wardian");
      assert.deepEqual(client.getServerCapabilities(), { tools: { listChanged: false } });
      assert.equal(client.getInstructions(), undefined);
      await client.ping();
    });

    test("every bundled tool is listed with its schemas and hints, and can be called", async () => {
      const { tools } = await client.listTools();
      const calls = {
        calculator__calculate: [{ expression: "2^100" }, "1267650600228229401496703205376"],
        datetime__time_add: [{ time: "2026-01-01T00:00:00Z", duration: "1 day" }, "2026-01-02"],
        datetime__time_convert: [{ time: "2026-01-01T12:00:00Z", to: "Asia/Tokyo" }, "21:00"],
        datetime__time_difference: [{ from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z" }, "2"],
        datetime__time_now: [{ zone: "Europe/Oslo" }, "Europe/Oslo"],
        json__json_query: [{ json: { a: [1, 2, 3] }, query: ".a | add" }, "6"],
        knowledge__knowledge_base_search: [{ query: "widget installation" }, "Widget Installation Guide"],
        notes__note_write: [{ key: "color", text: "blue" }, "color"],
        notes__note_list: [{}, "color"],
        notes__note_read: [{ key: "color" }, "blue"],
        web__web_get: [{ url: `http://127.0.0.1:${site.port}/` }, "hello"],
      };
      // The one that needs a person has a test of its own.
      assert.deepEqual(tools.map((tool) => tool.name), [...Object.keys(calls), "notes__note_delete"].sort());
      for (const tool of tools) {
        assert.equal(tool.inputSchema.type, "object", tool.name);
        assert.equal(tool.outputSchema.type, "object", tool.name);
        assert.equal(typeof tool.annotations.readOnlyHint, "boolean", tool.name);
      }
      for (const [tool, [args, said]] of Object.entries(calls)) {
        const result = await call(tool, args);
        assert.ok(JSON.stringify(result).includes(said), `${tool}: ${JSON.stringify(result)}`);
        assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
      }
    });

    test("what a tool finds wrong is a result that a model can read, and what is no tool is an error", async () => {
      const failed = await client.callTool({ name: "calculator__calculate", arguments: { expression: "1 +" } });
      assert.equal(failed.isError, true);
      assert.match(failed.content[0].text, /^invalid_input: /);
      const unfit = await client.callTool({ name: "calculator__calculate", arguments: { expr: "1" } });
      assert.match(unfit.content[0].text, /^invalid_arguments: .*"expression" is a required property/);
      await assert.rejects(client.callTool({ name: "calculator__nothing", arguments: {} }), { code: -32602 });
      await assert.rejects(client.listResources(), /resources/);
    });

    test("a call that needs a person names its approval, and gives its result once that is there", async () => {
      const args = { key: `draft-${name.length}` };
      const ask = () => client.callTool({ name: "notes__note_delete", arguments: args });
      const waiting = await ask();
      assert.equal(waiting.isError, true);
      const { id } = waiting._meta["wardian/approval"];
      assert.ok(waiting.content[0].text.includes(`wardian approvals approve ${id}`), waiting.content[0].text);
      assert.equal((await ask())._meta["wardian/approval"].id, id);
      await server.request("POST", `/operator/v1/approvals/${id}`, { body: { decision: "approve" } });
      const result = await ask();
      assert.equal(result.isError, false, JSON.stringify(result));
      assert.deepEqual(result.structuredContent, { key: args.key, deleted: false });
    });

    test("progress comes while the call runs", async () => {
      await writeFile(join(server.home, "data/knowledge/zanzibar.md"), "# Zanzibar\n\nThe frobnicator is blue.\n");
      const signs = [];
      const params = { name: "knowledge__knowledge_base_search", arguments: { query: "frobnicator" } };
      const result = await client.callTool(params, undefined, { onprogress: (sign) => signs.push(sign) });
      assert.ok(result.content[0].text.includes("frobnicator is blue"));
      assert.ok(signs.length > 0 && signs[0].progress > 0 && signs[0].message.includes("indexing"), JSON.stringify(signs));
    });

    test("a call that is taken back ends on the server", async () => {
      const { came, left } = site;
      const taken = new AbortController();
      const params = { name: "web__web_get", arguments: { url: `http://127.0.0.1:${site.port}/slow` } };
      const call = client.callTool(params, undefined, { signal: taken.signal });
      const refused = assert.rejects(call, /enough/);
      await until("the call reaches the site", () => site.came === came + 1);
      taken.abort(new Error("enough"));
      await refused;
      await until("the tool's own request ends", () => site.left === left + 1);
      await client.ping();
    });
  });
}
