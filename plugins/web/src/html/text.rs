//! Text as it is being written: white space is folded, breaks are remembered
//! until something follows, and writing stops when there is enough.

/// Deeper quotations are marked like the deepest one counted.
const QUOTES_MAX: usize = 6;

/// What stands between what was written and what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Line,
    Paragraph,
}

/// Text being written.
pub(super) struct Text {
    out: String,
    chars: usize,
    chars_max: usize,
    gap: Gap,
    /// Written before the next word, if one comes before the next break.
    prefix: String,
    quotes: usize,
    /// How many of them were open at the last line.
    quotes_before: usize,
    in_code: bool,
    full: bool,
}

impl Text {
    pub(super) fn new(chars_max: usize) -> Self {
        Self {
            out: String::new(),
            chars: 0,
            chars_max,
            gap: Gap::None,
            prefix: String::new(),
            quotes: 0,
            quotes_before: 0,
            in_code: false,
            full: false,
        }
    }

    /// Whether anything more would be lost.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// A count that grows with what is written.
    pub(super) fn written(&self) -> usize {
        self.chars
    }

    pub(super) fn ends_with(&self, text: &str) -> bool {
        self.out.ends_with(text)
    }

    /// Text of the page. White space is folded, but in code.
    pub(super) fn push(&mut self, text: &str) {
        if self.in_code {
            return self.push_code(text);
        }
        let is_space = |character: char| character.is_whitespace() || character == '\u{a0}';
        for (number, word) in text.split(is_space).enumerate() {
            if number > 0 {
                self.gap = self.gap.max(Gap::Space);
            }
            if !word.is_empty() {
                self.close_gap();
                word.chars().for_each(|character| self.put(character));
            }
        }
    }

    /// A mark that belongs to the word after it.
    pub(super) fn open_mark(&mut self, mark: char) {
        if !self.in_code {
            self.close_gap();
            self.put(mark);
        }
    }

    /// A mark that belongs to the word before it.
    pub(super) fn close_mark(&mut self, mark: &str) {
        if !self.in_code {
            mark.chars().for_each(|character| self.put(character));
        }
    }

    /// Begins the line to come with `prefix`.
    pub(super) fn prefix(&mut self, prefix: &str) {
        prefix.clone_into(&mut self.prefix);
    }

    /// Begins another cell of a row: it stays on the line, whatever the cells hold.
    pub(super) fn next_cell(&mut self) {
        if !self.in_code {
            self.gap = Gap::None;
            self.prefix.push_str(" | ");
        }
    }

    /// Nothing came that the prefix could have stood before.
    pub(super) fn drop_prefix(&mut self) {
        self.prefix.clear();
    }

    pub(super) fn line(&mut self) {
        self.break_off(Gap::Line);
    }

    pub(super) fn paragraph(&mut self) {
        self.break_off(Gap::Paragraph);
    }

    pub(super) fn open_quote(&mut self) {
        self.paragraph();
        self.quotes = QUOTES_MAX.min(self.quotes + 1);
    }

    pub(super) fn close_quote(&mut self) {
        self.paragraph();
        self.quotes = self.quotes.saturating_sub(1);
    }

    pub(super) fn open_code(&mut self) {
        if !self.in_code {
            self.paragraph();
            self.close_gap();
            "```\n".chars().for_each(|character| self.put(character));
            self.in_code = true;
        }
    }

    pub(super) fn close_code(&mut self) {
        if self.in_code {
            self.in_code = false;
            if !self.out.ends_with('\n') {
                self.put('\n');
            }
            "```".chars().for_each(|character| self.put(character));
            self.paragraph();
        }
    }

    /// The text, and whether some of it is missing.
    pub(super) fn finish(mut self) -> (String, bool) {
        self.close_code();
        self.out.truncate(self.out.trim_end().len());
        (self.out, self.full)
    }

    fn push_code(&mut self, text: &str) {
        // The first line break after the tag belongs to the tag.
        let text = if self.out.ends_with("```\n") { text.strip_prefix('\n').unwrap_or(text) } else { text };
        text.chars().for_each(|character| self.put(character));
    }

    fn break_off(&mut self, gap: Gap) {
        if self.in_code {
            if gap == Gap::Line && !self.out.ends_with('\n') {
                self.put('\n');
            }
            return;
        }
        // Between a list's mark and its text no break is wanted.
        if self.prefix.is_empty() {
            self.gap = self.gap.max(gap);
        }
    }

    /// Writes what stands between what was written and what comes now.
    fn close_gap(&mut self) {
        let gap = std::mem::replace(&mut self.gap, Gap::None);
        let at_start = self.out.is_empty();
        match gap {
            _ if at_start => self.open_line(),
            Gap::None => {}
            Gap::Space => self.put(' '),
            Gap::Line => {
                self.put('\n');
                self.open_line();
            }
            Gap::Paragraph => {
                self.put('\n');
                (0..self.quotes.min(self.quotes_before)).for_each(|_| self.put('>'));
                self.put('\n');
                self.open_line();
            }
        }
        let prefix = std::mem::take(&mut self.prefix);
        prefix.chars().for_each(|character| self.put(character));
    }

    fn open_line(&mut self) {
        for _ in 0..self.quotes {
            self.put('>');
            self.put(' ');
        }
        self.quotes_before = self.quotes;
    }

    /// Writes one character. Control characters are no text.
    fn put(&mut self, character: char) {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            return;
        }
        if self.chars == self.chars_max {
            self.full = true;
            return;
        }
        self.out.push(character);
        self.chars += 1;
    }
}
