// Markdown with markdown-it: to HTML without anything that a page would run, and to what it consists of.

import { type Infer, InvalidInput, s, tool } from "@wardian/plugin";

import { outline, toHtml } from "./markdown.js";

// Longer texts belong into parts: what comes back has to fit into an answer.
const TEXT_MAX = 100_000;

const markdown = s.string("The text in Markdown.", { maxLength: TEXT_MAX });

tool(
  {
    name: "markdown_to_html",
    title: "Markdown to HTML",
    description:
      "Turns Markdown (CommonMark, tables and strikethrough) into HTML that is safe to put into a page or a mail: " +
      "HTML inside of the text is shown as text, and links that would run something are no links.",
    input: s.object({
      markdown,
      breaks: s.boolean("Whether the end of a line is a line break.").default(false),
      linkify: s.boolean("Whether addresses become links without being written as such.").default(true),
    }),
    output: s.object({ html: s.string("The HTML, without <html> and <body> around it.") }),
    examples: [{ input: { markdown: "*Hello*" }, output: { html: "<p><em>Hello</em></p>\n" } }],
    pure: true,
  },
  ({ markdown, breaks, linkify }) => {
    checkText(markdown);
    return { html: toHtml(markdown, { breaks, linkify }) };
  },
);

const Outline = s.object({
  title: s.string("The first heading.").optional(),
  headings: s.array(s.object({ level: s.integer(), text: s.string() })),
  links: s.array(s.object({ text: s.string(), url: s.string() })),
  code_languages: s.array(s.string(), "The languages of the code in it, each once."),
  words: s.integer("Words of its text, without code."),
});

tool(
  {
    name: "markdown_outline",
    title: "Outline of Markdown",
    description: "Tells what a text in Markdown consists of: headings, links, languages of code, number of words.",
    input: s.object({ markdown }),
    output: Outline,
    pure: true,
  },
  ({ markdown }): Infer<typeof Outline> => {
    checkText(markdown);
    return outline(markdown);
  },
);

function checkText(text: string): void {
  if (text.trim() === "") throw new InvalidInput("markdown is empty; give the text itself");
}
