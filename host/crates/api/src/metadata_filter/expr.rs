//! What an expression is, once it was read, and how it is written again: with
//! the fewest parentheses and all names quoted.

use std::fmt::{self, Display};

use regex::{Regex, RegexBuilder};

use super::number::Number;
use crate::limits::FILTER_PROGRAM_BYTES;

/// An expression. Conditions are expressions whose values are true, false and NULL.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Literal(Literal),
    /// Members inside the metadata, the outermost first; none of them is the metadata itself.
    Path(Vec<String>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(Box<Expr>, Operator, Box<Expr>),
    IsNull(Box<Expr>),
    /// Whether the value is one of these.
    Among(Box<Expr>, Vec<Expr>),
    /// Whether the value is an item of the list that the second expression is.
    Within(Box<Expr>, Box<Expr>),
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    Like(Box<Expr>, Pattern),
}

/// A value as it stands in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Truth(bool),
    Number(Number),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Divide,
    Remainder,
}

/// How tightly something binds, the loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Or,
    And,
    Not,
    /// `IS NULL`, `IN`, `BETWEEN`, `LIKE`.
    Test,
    Equality,
    Order,
    Sum,
    Product,
    Sign,
    Primary,
}

impl Level {
    /// The next that binds tighter.
    pub(super) fn tighter(self) -> Self {
        match self {
            Self::Or => Self::And,
            Self::And => Self::Not,
            Self::Not => Self::Test,
            Self::Test => Self::Equality,
            Self::Equality => Self::Order,
            Self::Order => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product => Self::Sign,
            Self::Sign | Self::Primary => Self::Primary,
        }
    }
}

impl Operator {
    /// The operator of a word or symbol.
    pub(super) fn read(text: &str) -> Option<Self> {
        Some(match text {
            "=" | "==" => Self::Equal,
            "<>" | "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "+" => Self::Plus,
            "-" => Self::Minus,
            "*" => Self::Times,
            "/" => Self::Divide,
            "%" => Self::Remainder,
            word if word.eq_ignore_ascii_case("and") => Self::And,
            word if word.eq_ignore_ascii_case("or") => Self::Or,
            _ => return None,
        })
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Or => "OR",
            Self::And => "AND",
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    pub(super) fn level(self) -> Level {
        match self {
            Self::Or => Level::Or,
            Self::And => Level::And,
            Self::Equal | Self::NotEqual => Level::Equality,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => Level::Order,
            Self::Plus | Self::Minus => Level::Sum,
            Self::Times | Self::Divide | Self::Remainder => Level::Product,
        }
    }
}

/// What a text is like: `%` is any text, `_` any character, a backslash takes the next one to the letter.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    automaton: Regex,
}

impl Pattern {
    /// None where the pattern makes too large an automaton. It runs in time linear to what it is laid on.
    pub(super) fn new(text: String) -> Option<Self> {
        let mut expression = String::from(r"\A");
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            match c {
                '%' => expression.push_str(".*"),
                '_' => expression.push('.'),
                '\\' => expression.push_str(&regex::escape(characters.next().unwrap_or('\\').encode_utf8(&mut [0; 4]))),
                c => expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
            }
        }
        expression.push_str(r"\z");
        let mut builder = RegexBuilder::new(&expression);
        builder.dot_matches_new_line(true).size_limit(FILTER_PROGRAM_BYTES).dfa_size_limit(FILTER_PROGRAM_BYTES);
        Some(Self { automaton: builder.build().ok()?, text })
    }

    pub(super) fn is_like(&self, text: &str) -> bool {
        self.automaton.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Expr {
    /// Whether its values may be true or false.
    pub(super) fn may_be_a_condition(&self) -> bool {
        match self {
            Self::Literal(Literal::Text(_) | Literal::Number(_)) | Self::Negative(_) => false,
            Self::Binary(_, operator, _) => operator.level() < Level::Sum,
            Self::Literal(Literal::Null | Literal::Truth(_)) | Self::Path(_) | Self::Not(_) => true,
            Self::IsNull(_) | Self::Among(..) | Self::Within(..) | Self::Between(..) | Self::Like(..) => true,
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::Literal(_) | Self::Path(_) => Level::Primary,
            Self::Not(_) => Level::Not,
            Self::Negative(_) => Level::Sign,
            Self::Binary(_, operator, _) => operator.level(),
            Self::IsNull(_) | Self::Among(..) | Self::Within(..) | Self::Between(..) | Self::Like(..) => Level::Test,
        }
    }

    /// Writes it where at least `level` is needed.
    fn write(&self, f: &mut fmt::Formatter<'_>, level: Level) -> fmt::Result {
        if self.level() < level {
            f.write_str("(")?;
            self.write(f, Level::Or)?;
            return f.write_str(")");
        }
        match self {
            Self::Literal(literal) => literal.fmt(f),
            Self::Path(path) if path.is_empty() => f.write_str("metadata"),
            Self::Path(path) => {
                let names: Vec<String> = path.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
                f.write_str(&names.join("."))
            }
            Self::Not(of) => {
                f.write_str("NOT ")?;
                of.write(f, Level::Not)
            }
            Self::Negative(of) => {
                f.write_str("-")?;
                of.write(f, Level::Sign)
            }
            Self::Binary(left, operator, right) => {
                left.write(f, operator.level())?;
                write!(f, " {} ", operator.symbol())?;
                right.write(f, operator.level().tighter())
            }
            Self::IsNull(of) => {
                of.write(f, Level::Test)?;
                f.write_str(" IS NULL")
            }
            Self::Among(of, items) => {
                of.write(f, Level::Test)?;
                for (at, item) in items.iter().enumerate() {
                    f.write_str(if at == 0 { " IN (" } else { ", " })?;
                    item.write(f, Level::Or)?;
                }
                f.write_str(")")
            }
            Self::Within(of, list) => {
                of.write(f, Level::Test)?;
                f.write_str(" IN ")?;
                list.write(f, Level::Primary)
            }
            Self::Between(of, from, to) => {
                of.write(f, Level::Test)?;
                f.write_str(" BETWEEN ")?;
                from.write(f, Level::Sum)?;
                f.write_str(" AND ")?;
                to.write(f, Level::Sum)
            }
            Self::Like(of, pattern) => {
                of.write(f, Level::Test)?;
                write!(f, " LIKE {}", Literal::Text(pattern.text.clone()))
            }
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Level::Or)
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Truth(true) => f.write_str("TRUE"),
            Self::Truth(false) => f.write_str("FALSE"),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        }
    }
}
