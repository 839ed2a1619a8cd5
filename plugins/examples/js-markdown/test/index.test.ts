// Natively, without a component.

import assert from "node:assert/strict";
import { test } from "node:test";

import { InvalidInput } from "@wardian/plugin";
import { call, describe } from "@wardian/plugin/testing";

import "../src/index.js";

const html = async (markdown: string, options = {}): Promise<string> =>
  (await call("markdown_to_html", { markdown, ...options })).html;

test("the examples give what they show", async () => {
  for (const [name, { annotations }] of Object.entries(describe())) {
    const examples = (annotations?.["examples"] ?? []) as { input: Record<string, unknown>; output: unknown }[];
    for (const { input, output } of examples) assert.deepEqual(await call(name, input), output);
  }
});

test("tables, code and links become HTML", async () => {
  assert.match(await html("| a |\n|---|\n| 1 |"), /<table>[^]*<td>1<\/td>/);
  assert.match(await html("```js\n1 < 2\n```"), /<code class="language-js">1 &lt; 2/);
  assert.match(await html("see https://example.com"), /<a href="https:\/\/example\.com">/);
  assert.doesNotMatch(await html("see https://example.com", { linkify: false }), /<a /);
  assert.match(await html("a\nb", { breaks: true }), /a<br>/);
});

test("nothing that a page would run comes through", async () => {
  for (const hostile of [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&colon;alert(1))",
    "![x](vbscript:x)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    '[x](https://example.com "\\" onmouseover=\\"alert(1)")',
  ]) {
    const out = await html(hostile);
    assert.doesNotMatch(out, /<script|<img[^>]*onerror|(href|src)="(javascript|vbscript|data):|" onmouseover="/i, hostile);
  }
});

test("an outline names headings, links, languages and counts words", async () => {
  const markdown = "# One *two*\n\nSee [the page](https://example.com/a).\n\n## Code\n\n```rust\nfn main() {}\n```\n";
  assert.deepEqual(await call("markdown_outline", { markdown }), {
    title: "One two",
    headings: [
      { level: 1, text: "One two" },
      { level: 2, text: "Code" },
    ],
    links: [{ text: "the page", url: "https://example.com/a" }],
    code_languages: ["rust"],
    words: 6,
  });
});

test("an empty text is told to be one", async () => {
  await assert.rejects(call("markdown_to_html", { markdown: " \n" }), InvalidInput);
});
