//! From one Markdown file to its passages: stretches of text short enough to be
//! an answer, each under the headings it stands under. Only what matters for
//! cutting is understood (front matter, headings, fences, blank lines); the text
//! itself stays as it was written.

use std::ops::Range;

/// Paragraphs are joined until a passage has about this many bytes.
const PASSAGE_BYTES: usize = 900;

/// A paragraph longer than this is cut, at a line's or a sentence's end where there is one.
const PASSAGE_BYTES_MAX: usize = 1_600;

/// Headings longer than this are shortened: they are shown with every passage below them.
const HEADING_BYTES_MAX: usize = 200;

/// The same for all headings above a passage together.
const HEADINGS_BYTES_MAX: usize = 300;

/// What a file has beyond this is left out: only a file made to be a burden has so many.
const PASSAGES_MAX: usize = 1 << 15;

/// What stands between headings that are shown together.
const HEADING_SEPARATOR: &str = " > ";

/// A file cut up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// From the front matter, the first top heading, or the file's name.
    pub(crate) title: String,
    /// In the order of the file.
    pub(crate) passages: Vec<Passage>,
    /// Whether there were more of them than are wanted of one file.
    pub(crate) cut_short: bool,
}

/// One stretch of text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    /// The headings above it below the document's title, joined; empty at the top.
    pub(crate) headings: String,
    /// Where it stands in the file, in bytes.
    pub(crate) range: Range<usize>,
}

/// Cuts up the file called `path`.
pub(crate) fn cut(path: &str, text: &str) -> Document {
    let (front_title, body) = front_matter(text);
    let mut cutter = Cutter { text, front_title, ..Cutter::default() };
    let mut at = body;
    for line in text[body..].split_inclusive('\n') {
        let range = at..at + line.len();
        at = range.end;
        cutter.line(line, range);
    }
    cutter.end_passage();
    cutter.finish(path, body)
}

#[derive(Default)]
struct Cutter<'a> {
    text: &'a str,
    front_title: Option<String>,
    top_heading: Option<String>,
    /// The headings that the current line stands under, outermost first.
    headings: Vec<(usize, String)>,
    /// The marker that opened the code block we are in.
    fence: Option<&'a str>,
    /// The passage so far, and where its last paragraph begins.
    passage: Option<Range<usize>>,
    paragraph: Option<Range<usize>>,
    passages: Vec<Passage>,
    cut_short: bool,
}

impl<'a> Cutter<'a> {
    fn line(&mut self, line: &'a str, range: Range<usize>) {
        let content = line.trim();
        if let Some(open) = self.fence {
            if content.starts_with(open) && content.trim_start_matches(&open[..1]).is_empty() {
                self.fence = None;
            }
            return self.extend_paragraph(range);
        }
        if let Some(marker) = fence_marker(content) {
            self.fence = Some(marker);
            return self.extend_paragraph(range);
        }
        if let Some((level, heading)) = heading(line) {
            self.end_passage();
            self.open_heading(level, heading);
        } else if let (Some(level), Some(paragraph)) = (underline_level(content), self.one_line_paragraph()) {
            let heading = self.text[paragraph].trim();
            self.paragraph = None;
            self.end_passage();
            self.open_heading(level, heading);
        } else if content.is_empty() {
            self.end_paragraph();
        } else {
            self.extend_paragraph(range);
        }
    }

    fn one_line_paragraph(&self) -> Option<Range<usize>> {
        self.paragraph.clone().filter(|range| !self.text[range.clone()].trim_end().contains('\n'))
    }

    fn open_heading(&mut self, level: usize, heading: &str) {
        let heading = shortened(heading, HEADING_BYTES_MAX);
        self.headings.retain(|(above, _)| *above < level);
        if level == 1 && self.top_heading.is_none() && !heading.is_empty() {
            self.top_heading = Some(heading.clone());
        }
        self.headings.push((level, heading));
    }

    fn extend_paragraph(&mut self, range: Range<usize>) {
        match &mut self.paragraph {
            Some(paragraph) => paragraph.end = range.end,
            None => self.paragraph = Some(range),
        }
    }

    /// Joins the paragraph to the passage if it still fits.
    fn end_paragraph(&mut self) {
        let Some(paragraph) = self.paragraph.take() else { return };
        match &mut self.passage {
            Some(passage) if paragraph.end - passage.start <= PASSAGE_BYTES => passage.end = paragraph.end,
            _ => {
                self.push_passage();
                self.passage = Some(paragraph);
            }
        }
    }

    fn end_passage(&mut self) {
        self.end_paragraph();
        self.push_passage();
    }

    fn push_passage(&mut self) {
        let Some(mut rest) = self.passage.take() else { return };
        while rest.len() > PASSAGE_BYTES_MAX {
            let end = rest.start + cut_point(&self.text[rest.clone()]);
            self.push(rest.start..end);
            rest.start = end;
        }
        self.push(rest);
    }

    fn push(&mut self, range: Range<usize>) {
        let text = &self.text[range.clone()];
        let start = range.start + (text.len() - text.trim_start().len());
        let end = range.end - (text.len() - text.trim_end().len());
        if self.passages.len() == PASSAGES_MAX {
            self.cut_short = true;
        } else if start < end {
            self.passages.push(Passage { headings: self.joined_headings(), range: start..end });
        }
    }

    fn joined_headings(&self) -> String {
        let below_title =
            self.headings.iter().filter(|(_, heading)| self.front_title.is_some() || self.top_heading.as_ref() != Some(heading));
        let headings: Vec<&str> = below_title.map(|(_, heading)| heading.as_str()).collect();
        shortened(&headings.join(HEADING_SEPARATOR), HEADINGS_BYTES_MAX)
    }

    /// A file of headings alone becomes one passage, so that it can be found.
    fn finish(mut self, path: &str, body: usize) -> Document {
        if self.passages.is_empty() {
            self.headings.clear();
            let end = self.text.len().min(self.text.ceil_char_boundary(body + PASSAGE_BYTES_MAX));
            self.push(body..end);
        }
        let title = self.front_title.or(self.top_heading).unwrap_or_else(|| title_from(path));
        Document { title, passages: self.passages, cut_short: self.cut_short }
    }
}

/// The title that YAML or TOML front matter gives, and where the text after it begins.
fn front_matter(text: &str) -> (Option<String>, usize) {
    let body = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let mut lines = text[body..].split_inclusive('\n');
    let Some(open) = lines.next().map(str::trim_end).filter(|open| matches!(*open, "---" | "+++")) else {
        return (None, body);
    };
    let mut at = body + text[body..].find('\n').map_or(0, |end| end + 1);
    let mut title = None;
    for line in lines {
        at += line.len();
        if line.trim_end() == open {
            return (title, at);
        }
        let separator = if open == "---" { ':' } else { '=' };
        if let Some(("title", value)) = line.split_once(separator).map(|(key, value)| (key.trim(), value)) {
            let value = value.trim().trim_matches(['"', '\'']);
            title = (!value.is_empty()).then(|| shortened(value, HEADING_BYTES_MAX));
        }
    }
    // Never closed: it was a rule, not front matter.
    (None, body)
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let indented = line.trim_start_matches(' ');
    let level = indented.bytes().take_while(|&byte| byte == b'#').count();
    if line.len() - indented.len() > 3 || !(1..=6).contains(&level) {
        return None;
    }
    let text = &indented[level..];
    if !text.is_empty() && !text.starts_with(char::is_whitespace) {
        return None;
    }
    Some((level, text.trim().trim_end_matches('#').trim_end()))
}

fn underline_level(content: &str) -> Option<usize> {
    match content.as_bytes() {
        [b'=', ..] if content.bytes().all(|byte| byte == b'=') => Some(1),
        [b'-', b'-', ..] if content.bytes().all(|byte| byte == b'-') => Some(2),
        _ => None,
    }
}

fn fence_marker(content: &str) -> Option<&str> {
    ["`", "~"].into_iter().find_map(|mark| {
        let rest = content.trim_start_matches(mark);
        let marker = &content[..content.len() - rest.len()];
        (marker.len() >= 3 && !(mark == "`" && rest.contains('`'))).then_some(marker)
    })
}

/// Where to cut text that is longer than a passage may be: after a line, else
/// after a sentence, else after a word, else anywhere.
fn cut_point(text: &str) -> usize {
    let head = &text[..text.floor_char_boundary(PASSAGE_BYTES_MAX)];
    let enough = head.floor_char_boundary(PASSAGE_BYTES / 2);
    ["\n", ". ", " "].iter().find_map(|mark| head[enough..].rfind(mark).map(|at| enough + at + mark.len())).unwrap_or(head.len())
}

fn shortened(heading: &str, bytes_max: usize) -> String {
    let end = heading.floor_char_boundary(bytes_max);
    heading[..end].trim_end().to_owned()
}

/// "guides/first-steps.md" is called "first steps".
fn title_from(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.replace(['-', '_'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The title, and each passage as "headings: text".
    fn parts(text: &str) -> (String, Vec<String>) {
        let document = cut("some/first-steps.md", text);
        let passages = document.passages.iter().map(|passage| format!("{}: {}", passage.headings, &text[passage.range.clone()]));
        (document.title, passages.collect())
    }

    #[test]
    fn a_passage_stands_under_its_headings() {
        let (title, passages) = parts("# Guide\n\nIntro.\n\n## Wall\n\nDrill.\n\n### Screws\nTwo.\n\n## Desk\nGlue.\n");
        assert_eq!(title, "Guide");
        assert_eq!(passages, [": Intro.", "Wall: Drill.", "Wall > Screws: Two.", "Desk: Glue."]);
    }

    #[test]
    fn underlined_headings_count() {
        let (title, passages) = parts("Guide\n=====\n\nIntro.\n\nWall\n----\nDrill.\n");
        assert_eq!(title, "Guide");
        assert_eq!(passages, [": Intro.", "Wall: Drill."]);
    }

    #[test]
    fn front_matter_gives_the_title_and_is_no_passage() {
        let (title, passages) = parts("---\ntitle: \"Care\"\ntags: x\n---\n# Cleaning\nWipe.\n");
        assert_eq!(title, "Care");
        assert_eq!(passages, ["Cleaning: Wipe."]);
    }

    #[test]
    fn without_a_heading_the_file_name_is_the_title() {
        assert_eq!(parts("Text.\n"), ("first steps".into(), vec![": Text.".into()]));
    }

    #[test]
    fn a_rule_at_the_start_is_not_front_matter() {
        let (_, passages) = parts("---\n\nText without an end of front matter.\n");
        assert_eq!(passages, [": ---\n\nText without an end of front matter."]);
    }

    #[test]
    fn a_code_block_is_neither_cut_nor_read_for_headings() {
        let code = "```sh\n# not a heading\n\necho\n```";
        let (_, passages) = parts(&format!("# Guide\n\n{code}\n"));
        assert_eq!(passages, [format!(": {code}")]);
    }

    #[test]
    fn paragraphs_are_joined_up_to_a_passage() {
        let paragraph = "word ".repeat(60);
        let (_, passages) = parts(&format!("{paragraph}\n\n").repeat(7));
        assert_eq!(passages.len(), 4);
        assert!(passages.iter().all(|passage| passage.len() <= PASSAGE_BYTES));
    }

    #[test]
    fn a_long_paragraph_is_cut_at_sentences_and_nothing_is_lost() {
        let text = "This is a sentence of some length. ".repeat(200);
        let (_, passages) = parts(&text);
        assert!(passages.iter().all(|passage| passage.ends_with('.') && passage.len() <= PASSAGE_BYTES_MAX + 2));
        let joined: String = passages.iter().map(|passage| format!("{} ", &passage[2..])).collect();
        assert_eq!(joined, text);
    }

    #[test]
    fn text_without_any_space_is_cut_between_characters() {
        let (_, passages) = parts(&"安".repeat(3_000));
        assert!(passages.len() > 4);
        assert_eq!(passages.iter().map(|passage| passage.matches('安').count()).sum::<usize>(), 3_000);
    }

    #[test]
    fn headings_alone_are_found_too() {
        assert_eq!(parts("# Contact\n"), ("Contact".into(), vec![": # Contact".into()]));
    }

    #[test]
    fn a_file_of_countless_passages_is_cut_short() {
        let document = cut("a.md", &"# a\nb\n".repeat(PASSAGES_MAX + 1));
        assert_eq!(document.passages.len(), PASSAGES_MAX);
        assert!(document.cut_short);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(cut("a.md", "").passages.is_empty());
        assert!(cut("a.md", "\n \n").passages.is_empty());
        assert!(cut("a.md", "\u{FEFF}---").passages.len() == 1);
    }
}
