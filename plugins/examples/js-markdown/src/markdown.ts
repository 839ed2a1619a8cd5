// What markdown-it makes of a text.

import MarkdownIt, { type Token } from "markdown-it";

export interface Heading {
  level: number;
  text: string;
}

export interface Link {
  text: string;
  url: string;
}

export interface Outline {
  title?: string;
  headings: Heading[];
  links: Link[];
  code_languages: string[];
  words: number;
}

// HTML inside of Markdown stays text; markdown-it itself takes no link for one that would run something.
export function toHtml(markdown: string, options: { breaks: boolean; linkify: boolean }): string {
  return new MarkdownIt({ html: false, ...options }).render(markdown);
}

export function outline(markdown: string): Outline {
  const tokens = new MarkdownIt({ html: false, linkify: true }).parse(markdown, {});
  const inline = tokens.filter((token) => token.type === "inline");
  const headings = tokens.flatMap((token, at) =>
    token.type === "heading_open" ? [{ level: Number(token.tag.slice(1)), text: words(tokens[at + 1]?.children) }] : [],
  );
  const languages = tokens.filter((token) => token.type === "fence").map((token) => token.info.trim().split(/\s+/)[0] ?? "");
  const text = inline.map((token) => words(token.children)).join(" ");
  return {
    ...(headings[0] === undefined ? {} : { title: headings[0].text }),
    headings,
    links: inline.flatMap((token) => links(token.children ?? [])),
    code_languages: [...new Set(languages.filter((language) => language !== ""))],
    words: text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length,
  };
}

function words(tokens: Token[] | null | undefined): string {
  return (tokens ?? []).map((token) => (token.type === "softbreak" || token.type === "hardbreak" ? " " : token.content)).join("");
}

function links(tokens: Token[]): Link[] {
  return tokens.flatMap((token, at) => {
    if (token.type !== "link_open") return [];
    const end = tokens.findIndex((other, index) => index > at && other.type === "link_close");
    return [{ text: words(tokens.slice(at + 1, end)), url: String(token.attrGet("href") ?? "") }];
  });
}
