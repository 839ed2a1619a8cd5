//! The grammar, by recursive descent, one function for a rule:
//!
//! ```text
//! or       = and { "OR" and }                and  = not { "AND" not }
//! not      = "NOT" not | test
//! test     = equality { "IS" ["NOT"] "NULL" | ["NOT"] ( "IN" among | "BETWEEN" sum "AND" sum | "LIKE" text ) }
//! among    = "(" or { "," or } ")" | path
//! equality = order { ("=" | "==" | "<>" | "!=") order }
//! order    = sum { ("<" | "<=" | ">" | ">=") sum }
//! sum      = product { ("+" | "-") product }         product = sign { ("*" | "/" | "%") sign }
//! sign     = ("+" | "-") sign | "(" or ")" | literal | path
//! path     = name { "." name }
//! ```

use std::fmt;

use super::expr::{Expr, Level, Literal, Operator, Pattern};
use super::token::{Token, Tokens};
use crate::limits::{METADATA_FILTER_DEPTH, METADATA_FILTER_NODES};

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// At which character, from 1.
    at: usize,
    expected: String,
    found: String,
}

impl Problem {
    pub(super) fn new(at: usize, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { at, expected: expected.into(), found: found.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: expected {}, found {}", self.at, self.expected, self.found)
    }
}

/// Words that are no bare names.
const KEYWORDS: [&str; 10] = ["and", "or", "not", "in", "is", "null", "like", "between", "true", "false"];

/// What may follow a whole expression.
const OPERATOR: &str = "an operator such as =, <, IN, LIKE, AND or OR";

/// Reads a condition.
pub(super) fn condition(text: &str) -> Result<Expr, Problem> {
    let mut tokens = Tokens::of(text);
    let (next, at) = tokens.next()?;
    let mut parser = Parser { tokens, next, at, depth: 0, nodes: 0 };
    let condition = parser.level(Level::Or)?;
    check_condition(&condition, at)?;
    match &parser.next {
        Token::End => Ok(condition),
        found => Err(Problem::new(parser.at, OPERATOR, found.to_string())),
    }
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    /// The next token, and where it begins.
    next: Token,
    at: usize,
    /// Parentheses, `NOT`s and signs around this place.
    depth: usize,
    /// Parts of the expression so far.
    nodes: usize,
}

impl Parser<'_> {
    /// An expression of operators that bind at least so tightly.
    fn level(&mut self, level: Level) -> Result<Expr, Problem> {
        match level {
            Level::Not => self.not(),
            Level::Test => self.test(),
            Level::Sign | Level::Primary => self.sign(),
            Level::Or | Level::And | Level::Equality | Level::Order | Level::Sum | Level::Product => self.binary(level),
        }
    }

    fn binary(&mut self, level: Level) -> Result<Expr, Problem> {
        let mut left_at = self.at;
        let mut left = self.level(level.tighter())?;
        while let Some(operator) = self.operator(level) {
            self.advance()?;
            let right_at = self.at;
            let right = self.level(level.tighter())?;
            if level <= Level::And {
                check_condition(&left, left_at)?;
                check_condition(&right, right_at)?;
            }
            left = self.node(Expr::Binary(left.into(), operator, right.into()))?;
            left_at = right_at;
        }
        Ok(left)
    }

    /// The operator that comes next, if it is one of this level.
    fn operator(&self, level: Level) -> Option<Operator> {
        let read = match &self.next {
            Token::Word(word) => Operator::read(word),
            Token::Symbol(symbol) => Operator::read(symbol),
            Token::Quoted(_) | Token::Text(_) | Token::Number(_) | Token::End => None,
        };
        read.filter(|operator| operator.level() == level)
    }

    fn not(&mut self) -> Result<Expr, Problem> {
        if !self.eat_word("not")? {
            return self.test();
        }
        let at = self.at;
        let of = self.deeper(Self::not)?;
        check_condition(&of, at)?;
        self.node(Expr::Not(of.into()))
    }

    fn test(&mut self) -> Result<Expr, Problem> {
        let mut of = self.level(Level::Equality)?;
        loop {
            if self.eat_word("is")? {
                let negated = self.eat_word("not")?;
                self.expect_word("null")?;
                of = self.node(Expr::IsNull(of.into()))?;
                of = self.negated(negated, of)?;
                continue;
            }
            let negated = self.eat_word("not")?;
            of = if self.eat_word("in")? {
                self.among(of)?
            } else if self.eat_word("between")? {
                let from = self.level(Level::Sum)?;
                self.expect_word("and")?;
                let to = self.level(Level::Sum)?;
                Expr::Between(of.into(), from.into(), to.into())
            } else if self.eat_word("like")? {
                Expr::Like(of.into(), self.pattern()?)
            } else if negated {
                return Err(self.expected("IN, BETWEEN or LIKE"));
            } else {
                return Ok(of);
            };
            of = self.node(of)?;
            of = self.negated(negated, of)?;
        }
    }

    fn negated(&mut self, negated: bool, of: Expr) -> Result<Expr, Problem> {
        if negated { self.node(Expr::Not(of.into())) } else { Ok(of) }
    }

    fn among(&mut self, of: Expr) -> Result<Expr, Problem> {
        if !self.eat("(")? {
            let list = self.path("a list in parentheses or the name of one")?;
            return Ok(Expr::Within(of.into(), list.into()));
        }
        let mut items = Vec::new();
        loop {
            items.push(self.deeper(|parser| parser.level(Level::Or))?);
            if !self.eat(",")? {
                self.expect(")", "`,` or `)`")?;
                return Ok(Expr::Among(of.into(), items));
            }
        }
    }

    fn pattern(&mut self) -> Result<Pattern, Problem> {
        let Token::Text(text) = &self.next else { return Err(self.expected("a pattern in single quotes")) };
        let pattern = Pattern::new(text.clone()).ok_or_else(|| self.expected("a shorter pattern"))?;
        self.advance()?;
        Ok(pattern)
    }

    fn sign(&mut self) -> Result<Expr, Problem> {
        if self.eat("-")? {
            let of = self.deeper(Self::sign)?;
            return self.node(Expr::Negative(of.into()));
        }
        if self.eat("+")? {
            return self.deeper(Self::sign);
        }
        if self.eat("(")? {
            let inside = self.deeper(|parser| parser.level(Level::Or))?;
            self.expect(")", "an operator or `)`")?;
            return Ok(inside);
        }
        let literal = match &self.next {
            Token::Text(text) => Literal::Text(text.clone()),
            Token::Number(number) => Literal::Number(*number),
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Literal::Null,
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Truth(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Truth(false),
            Token::Word(_) | Token::Quoted(_) | Token::Symbol(_) | Token::End => return self.path("a name or a value"),
        };
        self.advance()?;
        self.node(Expr::Literal(literal))
    }

    /// `a.b`, `metadata.a.b` and `session.metadata.a.b` are the same; quoted names are never the root.
    fn path(&mut self, expected: &str) -> Result<Expr, Problem> {
        let is_name = match &self.next {
            Token::Word(word) => !KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)),
            Token::Quoted(_) => true,
            Token::Text(_) | Token::Number(_) | Token::Symbol(_) | Token::End => false,
        };
        if !is_name {
            return Err(self.expected(expected));
        }
        let mut names = vec![self.name()?];
        while self.eat(".")? {
            names.push(self.name()?);
        }
        let bare = |at: usize, word: &str| matches!(names.get(at), Some((name, false)) if name == word);
        let root = if bare(0, "session") && bare(1, "metadata") { 2 } else { usize::from(bare(0, "metadata")) };
        let path = names.into_iter().skip(root).map(|(name, _)| name).collect();
        self.node(Expr::Path(path))
    }

    /// A name, and whether it stood in quotes. After a point keywords are names too.
    fn name(&mut self) -> Result<(String, bool), Problem> {
        let name = match &self.next {
            Token::Word(word) => (word.clone(), false),
            Token::Quoted(name) => (name.clone(), true),
            Token::Text(_) | Token::Number(_) | Token::Symbol(_) | Token::End => {
                return Err(self.expected("a name; put others than letters, digits and _ into double quotes"));
            }
        };
        self.advance()?;
        Ok(name)
    }

    /// One level further in, as far as that goes.
    fn deeper(&mut self, rule: impl FnOnce(&mut Self) -> Result<Expr, Problem>) -> Result<Expr, Problem> {
        if self.depth == METADATA_FILTER_DEPTH {
            return Err(self.expected(format!("at most {METADATA_FILTER_DEPTH} levels of parentheses")));
        }
        self.depth += 1;
        let inside = rule(self);
        self.depth -= 1;
        inside
    }

    /// One part more, as many as there may be.
    fn node(&mut self, expr: Expr) -> Result<Expr, Problem> {
        self.nodes += 1;
        if self.nodes > METADATA_FILTER_NODES {
            return Err(self.expected(format!("at most {METADATA_FILTER_NODES} names, values and operators")));
        }
        Ok(expr)
    }

    fn advance(&mut self) -> Result<(), Problem> {
        (self.next, self.at) = self.tokens.next()?;
        Ok(())
    }

    fn eat(&mut self, symbol: &str) -> Result<bool, Problem> {
        let is_next = matches!(self.next, Token::Symbol(next) if next == symbol);
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn eat_word(&mut self, keyword: &str) -> Result<bool, Problem> {
        let is_next = matches!(&self.next, Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn expect(&mut self, symbol: &str, expected: &str) -> Result<(), Problem> {
        if self.eat(symbol)? { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), Problem> {
        if self.eat_word(keyword)? { Ok(()) } else { Err(self.expected(keyword.to_uppercase())) }
    }

    fn expected(&self, what: impl Into<String>) -> Problem {
        Problem::new(self.at, what, self.next.to_string())
    }
}

/// Refuses what can be neither true nor false: `plan = 'gold' OR 'silver'` is an easy mistake.
fn check_condition(expr: &Expr, at: usize) -> Result<(), Problem> {
    if expr.may_be_a_condition() { Ok(()) } else { Err(Problem::new(at, "a condition", format!("the value {expr}"))) }
}
