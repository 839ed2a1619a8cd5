//! From HTML to text that reads well: headings, lists, links, code and tables in
//! the manner of Markdown; scripts, styles and drawings left out. Any input
//! gives some text: there is no tree to build, and nothing to nest too deeply.

mod text;

use std::convert::Infallible;

use html5gum::{
    Emitter, ForwardingEmitter, Reader as Input, Span, Tokenizer,
    emitters::callback::{CallbackEmitter, CallbackEvent},
};

use crate::url::Url;

use self::text::Text;

/// A page as text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) title: Option<String>,
    pub(crate) content: String,
    /// Whether the page had more text than was wanted.
    pub(crate) truncated: bool,
}

/// Deeper lists and quotations are shown like the deepest ones counted.
const NESTING_MAX: usize = 12;

/// What is longer than this is no title.
const TITLE_CHARS_MAX: usize = 300;

/// Elements whose content is not for reading.
const SKIPPED: &[&str] = &[
    "audio", "canvas", "datalist", "iframe", "math", "noscript", "object", "script", "select", "style", "svg", "template", "textarea",
    "video",
];

/// Elements that begin and end a paragraph.
const PARAGRAPHS: &[&str] = &[
    "address", "article", "aside", "details", "dl", "fieldset", "figure", "footer", "form", "header", "main", "nav", "p", "section",
    "table",
];

/// Elements that begin and end a line.
const LINES: &[&str] = &["br", "caption", "div", "dt", "figcaption", "legend", "summary"];

/// Turns the page at `base` into at most `chars_max` characters of text.
pub(crate) fn read(html: &str, base: &Url, chars_max: usize) -> Page {
    let mut reader = Reader::new(base, chars_max);
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| reader.event(event));
    emitter.naively_switch_states(true);
    // The reader's callback gives a token when it has enough.
    Tokenizer::new_with_emitter(Bytes(html.as_bytes()), Lenient(emitter)).next();
    reader.finish()
}

/// The page as the tokenizer reads it. The functions are not to be copied into
/// each of its eighty states, which would add a good third to the component.
struct Bytes<'a>(&'a [u8]);

impl Input for Bytes<'_> {
    type Error = Infallible;

    #[inline(never)]
    fn read_byte(&mut self) -> Result<Option<u8>, Infallible> {
        let Some((&byte, rest)) = self.0.split_first() else { return Ok(None) };
        self.0 = rest;
        Ok(Some(byte))
    }

    #[inline(never)]
    fn read_until<'b>(&'b mut self, ends: &[u8], _: &'b mut [u8; 4]) -> Result<Option<&'b [u8]>, Infallible> {
        let before = self.0.iter().position(|byte| ends.contains(byte)).unwrap_or(self.0.len());
        let (read, rest) = self.0.split_at(before.max(1).min(self.0.len()));
        self.0 = rest;
        Ok((!read.is_empty()).then_some(read))
    }

    #[inline(never)]
    fn try_read_string(&mut self, string: &[u8], case_sensitive: bool) -> Result<bool, Infallible> {
        let Some((start, rest)) = self.0.split_at_checked(string.len()) else { return Ok(false) };
        let found = start == string || (!case_sensitive && start.eq_ignore_ascii_case(string));
        if found {
            self.0 = rest;
        }
        Ok(found)
    }
}

/// Mistakes in a page are not reported: nobody would read that.
struct Lenient<E>(E);

impl<E: Emitter> ForwardingEmitter for Lenient<E> {
    type Token = E::Token;

    fn inner(&mut self) -> &mut impl Emitter<Token = E::Token> {
        &mut self.0
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }
}

struct Reader<'a> {
    base: &'a Url,
    text: Text,
    title: String,
    /// The tag being read.
    tag: Tag,
    attribute: String,
    /// The element whose content is left out, and how often it is open.
    skipped: Option<(String, usize)>,
    in_title: bool,
    lists: Vec<List>,
    link: Option<Link>,
    in_inline_code: bool,
    cells: usize,
}

#[derive(Default)]
struct Tag {
    name: String,
    href: Option<String>,
    alt: Option<String>,
}

/// A list that is open: the next number, if its items have numbers.
struct List {
    number: Option<u32>,
}

/// A link that is open: where it leads, and how much had been written before it.
struct Link {
    address: String,
    written: usize,
}

impl<'a> Reader<'a> {
    fn new(base: &'a Url, chars_max: usize) -> Self {
        Self {
            base,
            text: Text::new(chars_max),
            title: String::new(),
            tag: Tag::default(),
            attribute: String::new(),
            skipped: None,
            in_title: false,
            lists: Vec::new(),
            link: None,
            in_inline_code: false,
            cells: 0,
        }
    }

    /// Gives something once there is enough text.
    fn event(&mut self, event: CallbackEvent<'_>) -> Option<()> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.tag = Tag { name: lossy(name), ..Tag::default() };
            }
            CallbackEvent::AttributeName { name } => self.attribute = lossy(name),
            CallbackEvent::AttributeValue { value } => match self.attribute.as_str() {
                "href" if self.tag.href.is_none() => self.tag.href = Some(lossy(value)),
                "alt" if self.tag.alt.is_none() => self.tag.alt = Some(lossy(value)),
                _ => {}
            },
            CallbackEvent::CloseStartTag { self_closing } => {
                let tag = std::mem::take(&mut self.tag);
                self.start(&tag, self_closing);
            }
            CallbackEvent::EndTag { name } => self.end(&lossy(name)),
            CallbackEvent::String { value } => self.string(&lossy(value)),
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
        self.text.is_full().then_some(())
    }

    fn string(&mut self, string: &str) {
        if self.skipped.is_some() {
        } else if self.in_title {
            self.title.push_str(string);
        } else {
            self.text.push(string);
        }
    }

    fn start(&mut self, tag: &Tag, self_closing: bool) {
        let name = tag.name.as_str();
        if let Some((skipped, open)) = &mut self.skipped {
            *open += usize::from(skipped == name && !self_closing);
            return;
        }
        match name {
            _ if SKIPPED.contains(&name) => {
                // Only drawings can be closed in their own tag.
                if !(self_closing && matches!(name, "svg" | "math")) {
                    self.skipped = Some((name.to_owned(), 1));
                }
            }
            "title" => self.in_title = self.title.is_empty(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.text.paragraph();
                self.text.prefix(&format!("{} ", "#".repeat(heading_level(name))));
            }
            "ul" | "ol" | "menu" => self.open_list(name == "ol"),
            "li" => self.open_item(),
            "pre" => self.text.open_code(),
            "code" | "kbd" | "samp" if !self.in_inline_code => {
                self.in_inline_code = true;
                self.text.open_mark('`');
            }
            "blockquote" => self.text.open_quote(),
            "q" => self.text.open_mark('\u{201c}'),
            "hr" => {
                self.text.paragraph();
                self.text.push("---");
                self.text.paragraph();
            }
            "a" => self.open_link(tag),
            "img" => self.image(tag),
            "tr" => self.open_row(),
            "td" | "th" => self.open_cell(),
            "dd" => {
                self.text.line();
                self.text.prefix("  ");
            }
            _ => self.edge(name),
        }
    }

    fn end(&mut self, name: &str) {
        if let Some((skipped, open)) = &mut self.skipped {
            *open -= usize::from(skipped == name);
            if *open == 0 {
                self.skipped = None;
            }
            return;
        }
        match name {
            "title" => self.in_title = false,
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.text.drop_prefix();
                self.text.paragraph();
            }
            "ul" | "ol" | "menu" => {
                self.lists.pop();
                self.edge_of_list();
            }
            "li" | "dd" | "tr" => {
                self.text.drop_prefix();
                self.text.line();
            }
            "pre" => self.text.close_code(),
            "code" | "kbd" | "samp" if self.in_inline_code => {
                self.in_inline_code = false;
                self.text.close_mark("`");
            }
            "blockquote" => self.text.close_quote(),
            "q" => self.text.close_mark("\u{201d}"),
            "a" => self.close_link(),
            _ => self.edge(name),
        }
    }

    /// What paragraphs and lines have in common: they begin and end alike.
    fn edge(&mut self, name: &str) {
        if PARAGRAPHS.contains(&name) {
            self.text.paragraph();
        } else if LINES.contains(&name) {
            self.text.line();
        }
    }

    fn open_list(&mut self, is_numbered: bool) {
        self.edge_of_list();
        if self.lists.len() < NESTING_MAX {
            self.lists.push(List { number: is_numbered.then_some(1) });
        }
    }

    /// A list inside another continues it without an empty line.
    fn edge_of_list(&mut self) {
        if self.lists.is_empty() { self.text.paragraph() } else { self.text.line() }
    }

    fn open_item(&mut self) {
        self.text.line();
        let indent = "  ".repeat(self.lists.len().saturating_sub(1));
        let mark = match self.lists.last_mut().and_then(|list| list.number.as_mut()) {
            Some(number) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            None => "- ".to_owned(),
        };
        self.text.prefix(&format!("{indent}{mark}"));
    }

    fn open_link(&mut self, tag: &Tag) {
        self.close_link();
        let address = tag.href.as_ref().and_then(|href| self.base.join(href));
        self.link = address.map(|address| Link { address, written: self.text.written() });
    }

    /// The address follows the text, unless it is the text.
    fn close_link(&mut self) {
        if let Some(link) = self.link.take()
            && self.text.written() > link.written
            && !self.text.ends_with(link.address.trim_start_matches("mailto:"))
        {
            self.text.close_mark(&format!(" ({})", link.address));
        }
    }

    fn image(&mut self, tag: &Tag) {
        if let Some(alt) = tag.alt.as_ref().filter(|alt| !alt.trim().is_empty()) {
            self.text.push(&format!("[image: {}]", alt.trim()));
        }
    }

    fn open_row(&mut self) {
        self.text.drop_prefix();
        self.text.line();
        self.cells = 0;
    }

    fn open_cell(&mut self) {
        if self.cells > 0 {
            self.text.next_cell();
        }
        self.cells += 1;
    }

    fn finish(self) -> Page {
        let title: Vec<&str> = self.title.split_whitespace().collect();
        let title: String = title.join(" ").chars().take(TITLE_CHARS_MAX).collect();
        let (content, truncated) = self.text.finish();
        Page { title: (!title.is_empty()).then_some(title), content, truncated }
    }
}

fn heading_level(name: &str) -> usize {
    name.bytes().last().map_or(1, |digit| usize::from(digit - b'0'))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> Page {
        read(html, &Url::parse("https://example.com/docs/").unwrap(), 10_000)
    }

    fn content(html: &str) -> String {
        page(html).content
    }

    #[test]
    fn a_page_becomes_its_title_and_its_text() {
        let page = page(
            "<!doctype html><html><head><title> My\n page </title><style>p{}</style><script>if (a < b) {}</script></head>\
             <body><h1>Hello</h1><p>One <b>bold</b>\n   word.<p>Two &amp; three&nbsp;&lt;4&gt; &eacute; &#8364;.</body></html>",
        );
        assert_eq!(page.title.as_deref(), Some("My page"));
        assert_eq!(page.content, "# Hello\n\nOne bold word.\n\nTwo & three <4> é €.");
        assert!(!page.truncated);
    }

    #[test]
    fn links_carry_their_address() {
        assert_eq!(
            content("See <a href='../x?a=1&amp;b=2'>this <i>one</i></a>, <a href='#top'>top</a> and <a href='/'></a>."),
            "See this one (https://example.com/x?a=1&b=2), top and ."
        );
        assert_eq!(content("<a href='https://example.com/a'>https://example.com/a</a>"), "https://example.com/a");
        assert_eq!(content("<a href='javascript:void(0)'>Menu</a>"), "Menu");
        assert_eq!(content("<a href='/p'><img src=x alt='Logo'></a>"), "[image: Logo] (https://example.com/p)");
    }

    #[test]
    fn lists_keep_their_marks_and_depth() {
        assert_eq!(
            content("<p>Do:</p><ul><li>one<ul><li>inner</li></ul></li><li>two</ul><ol><li>first<li>second</ol>after"),
            "Do:\n\n- one\n  - inner\n- two\n\n1. first\n2. second\n\nafter"
        );
    }

    #[test]
    fn code_keeps_its_lines() {
        assert_eq!(
            content("<p>Run <code>make</code>:</p><pre><code>a  = 1\n  b &lt; 2\n</code></pre><p>Done"),
            "Run `make`:\n\n```\na  = 1\n  b < 2\n```\n\nDone"
        );
    }

    #[test]
    fn tables_become_rows() {
        assert_eq!(
            content("<table><tr><th>Model<th>Price</tr><tr><td>mini</td><td><p>10</p></td><td></td><td>!</td><td></td></tr></table>x"),
            "Model | Price\nmini | 10 |  | !\n\nx"
        );
    }

    #[test]
    fn quotations_and_rules_are_marked() {
        assert_eq!(content("a<blockquote><p>b<p>c</blockquote>d<hr>e<br>f"), "a\n\n> b\n>\n> c\n\nd\n\n---\n\ne\nf");
    }

    #[test]
    fn what_is_not_for_reading_is_left_out() {
        assert_eq!(content("a<svg><title>x</title><svg/><path/></svg>b<noscript>c</noscript><template><p>d</template><!-- e -->f"), "abf");
        assert_eq!(content("a<script>'</b>'</script>b"), "ab");
    }

    #[test]
    fn text_beyond_the_wanted_length_is_cut_at_a_character() {
        let page = read(&"é ".repeat(1_000_000), &Url::parse("https://example.com").unwrap(), 101);
        assert_eq!(page.content.chars().count(), 101);
        assert!(page.truncated);
    }

    #[test]
    fn any_input_gives_some_text() {
        for html in ["", "<", "</", "<a", "<a href", "&", "&#x110000;", "</p></ul></blockquote></pre>x", "<pre>", "\0"] {
            assert!(content(html).len() < 40, "{html:?}");
        }
        for tag in ["<ul>", "<blockquote>", "<li>", "<table>", "<svg>", "<a href=x>", "<pre>", "</ul>", "</svg>"] {
            let page = page(&tag.repeat(5_000));
            assert!(page.content.len() < 200_000, "{tag}: {}", page.content.len());
        }
    }
}
