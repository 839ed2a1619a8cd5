// A server of our own for the clients to talk to: the binary that WARDIAN_BINARY
// names, in a folder of its own, with a model that says what a script tells it to.

import { spawn } from "node:child_process";
import { openSync, closeSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const KEY = "wardian-clients-test-key-0123456789abcdef";

const READY_MS = 600_000;
const STOP_MS = 30_000;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** The configuration that all servers here have; `extra` is TOML that is added. */
function configuration(extra) {
  return `data = "data"
[server]
rate = "6000/min"
[models.default]
provider = "scripted"
script = "replies.toml"
${extra}`;
}

/** A running server. */
export class Server {
  #home;
  #process;
  #extra;

  /** Starts one; `script` are the model's replies (TOML), `config` is added to its configuration. */
  static async start({ script = "turn = []", config = "" } = {}) {
    const server = new Server();
    server.#home = await mkdtemp(join(tmpdir(), "wardian-clients-"));
    server.#extra = config;
    await writeFile(join(server.#home, "replies.toml"), script);
    await writeFile(join(server.#home, "wardian.toml"), configuration(config));
    await server.#run();
    return server;
  }

  /** Where it answers, without a slash at the end. */
  url = "";

  /** The folder with its configuration and data. */
  get home() {
    return this.#home;
  }

  /** What it has logged so far. */
  log() {
    return readFile(join(this.#home, "log"), "utf8");
  }

  async #run() {
    const log = openSync(join(this.#home, "log"), "w");
    const env = { PATH: process.env.PATH, HOME: this.#home, WARDIAN_OWNER_KEY: KEY };
    const args = ["serve", "--config", "wardian.toml", "--listen", "127.0.0.1:0"];
    this.#process = spawn(process.env.WARDIAN_BINARY, args, { cwd: this.#home, env, stdio: ["ignore", log, log] });
    closeSync(log);
    const until = Date.now() + READY_MS;
    while (Date.now() < until && !this.#hasEnded) {
      const found = (await this.log()).match(/http:\/\/127\.0\.0\.1:\d+/);
      if (found) {
        const ready = await fetch(`${found[0]}/readyz`).catch(() => undefined);
        if (ready?.status === 200) {
          this.url = found[0];
          return;
        }
      }
      await pause(50);
    }
    throw new Error(`the server did not get ready:\n${await this.log()}`);
  }

  /** Whether the process is gone, by itself or by a signal. */
  get #hasEnded() {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Kills it without warning and starts it again on the same data; its address is another one then. */
  async killAndRestart() {
    await this.#end("SIGKILL");
    await this.#run();
  }

  /** Stops it and removes its folder. */
  async stop() {
    await this.#end("SIGTERM");
    await rm(this.#home, { recursive: true, force: true });
  }

  async #end(signal) {
    if (this.#hasEnded) return;
    const ended = new Promise((done) => this.#process.once("exit", done));
    this.#process.kill(signal);
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  /** One request of the Agents API or of the operator's; the body of the answer, which must have this status. */
  async request(method, path, { body, status = 200, key = KEY } = {}) {
    const headers = { authorization: `Bearer ${key}`, ...(body ? { "content-type": "application/json" } : {}) };
    const answer = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} instead of ${status}: ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** Makes an agent with these tools: `{name: "tol_…"}`. */
  async agent(key, tools = {}) {
    const bound = Object.entries(tools).map(([name, id]) => [name, { type: "dynamic_vectara", tool_id: id }]);
    const body = {
      key,
      name: key,
      model: { name: "default" },
      tool_configurations: Object.fromEntries(bound),
      first_step: { type: "conversational", instructions: [] },
    };
    return this.request("POST", "/v2/agents", { body, status: 201 });
  }
}
