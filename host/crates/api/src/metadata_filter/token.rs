//! The words of an expression, each with where it begins.

use std::fmt;
use std::iter::Peekable;
use std::str::CharIndices;

use super::number::Number;
use super::parse::Problem;

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A keyword or a bare name.
    Word(String),
    /// A name in double quotes, without them.
    Quoted(String),
    /// A text in single quotes, without them.
    Text(String),
    Number(Number),
    /// Punctuation or an operator that is no word.
    Symbol(&'static str),
    /// Nothing follows.
    End,
}

/// Longer ones first: `<=` is not `<` and `=`.
const SYMBOLS: [&str; 17] = ["<=", ">=", "<>", "!=", "==", "<", ">", "=", "(", ")", ",", ".", "+", "-", "*", "/", "%"];

/// Reads one token after the other.
pub(super) struct Tokens<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    /// Characters that were read.
    read: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, rest: text.char_indices().peekable(), read: 0 }
    }

    /// The next token, and the character at which it begins, from 1.
    pub(super) fn next(&mut self) -> Result<(Token, usize), Problem> {
        self.skip(char::is_whitespace);
        let at = self.read + 1;
        let Some(&(from, first)) = self.rest.peek() else { return Ok((Token::End, at)) };
        let token = match first {
            '\'' => Token::Text(self.quoted('\'', at)?),
            '"' => Token::Quoted(self.quoted('"', at)?),
            '0'..='9' => Token::Number(self.number(from, at)?),
            _ if is_name(first) => Token::Word(self.word(from)),
            _ => Token::Symbol(self.symbol(from, first, at)?),
        };
        Ok((token, at))
    }

    fn bump(&mut self) -> Option<char> {
        self.read += 1;
        self.rest.next().map(|(_, c)| c)
    }

    fn skip(&mut self, which: impl Fn(char) -> bool) {
        while self.rest.peek().is_some_and(|(_, c)| which(*c)) {
            self.bump();
        }
    }

    /// From a byte to where reading stands.
    fn since(&mut self, from: usize) -> &'a str {
        let to = self.rest.peek().map_or(self.text.len(), |(to, _)| *to);
        &self.text[from..to]
    }

    fn word(&mut self, from: usize) -> String {
        self.skip(|c| is_name(c) || c.is_ascii_digit());
        self.since(from).to_owned()
    }

    /// Between quotes; a quote inside stands twice.
    fn quoted(&mut self, quote: char, at: usize) -> Result<String, Problem> {
        self.bump();
        let mut inside = String::new();
        loop {
            match self.bump() {
                None => return Err(Problem::new(at, format!("a closing {quote}"), "the end")),
                Some(c) if c != quote => inside.push(c),
                Some(_) if self.rest.peek().is_some_and(|(_, c)| *c == quote) => inside.extend(self.bump()),
                Some(_) => return Ok(inside),
            }
        }
    }

    fn number(&mut self, from: usize, at: usize) -> Result<Number, Problem> {
        let digit = |c: char| c.is_ascii_digit();
        self.skip(digit);
        if self.follows(".", |c| c.is_ascii_digit()) {
            self.bump();
            self.skip(digit);
        }
        if self.follows("eE", |c| c.is_ascii_digit() || c == '+' || c == '-') {
            self.bump();
            self.bump();
            self.skip(digit);
        }
        let text = self.since(from);
        Number::read(text).ok_or_else(|| Problem::new(at, "a number within the range of floating point", format!("`{text}`")))
    }

    /// Whether one of these characters comes next and then one of that kind.
    fn follows(&self, one_of: &str, then: impl Fn(char) -> bool) -> bool {
        let mut ahead = self.rest.clone();
        ahead.next().is_some_and(|(_, c)| one_of.contains(c)) && ahead.next().is_some_and(|(_, c)| then(c))
    }

    fn symbol(&mut self, from: usize, first: char, at: usize) -> Result<&'static str, Problem> {
        let symbol = SYMBOLS.into_iter().find(|symbol| self.text[from..].starts_with(symbol));
        let symbol = symbol.ok_or_else(|| Problem::new(at, "a name, a value or an operator", format!("`{first}`")))?;
        for _ in symbol.chars() {
            self.bump();
        }
        Ok(symbol)
    }
}

/// What a bare name is made of, digits aside.
fn is_name(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Quoted(name) => write!(f, "the name `{name}`"),
            Self::Text(text) => write!(f, "the text '{text}'"),
            Self::Number(number) => write!(f, "`{number}`"),
            Self::Symbol(symbol) => write!(f, "`{symbol}`"),
            Self::End => f.write_str("the end"),
        }
    }
}
