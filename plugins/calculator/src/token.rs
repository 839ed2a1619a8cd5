//! Characters to tokens. Knows the signs that people and models write for the
//! same thing (`×`, `**`, `√`) and refuses what only looks like a number.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, pow};

use crate::calculate::Problem;

/// A literal such as 1e999999 must not be written out. Beyond what a result may have.
const EXPONENT_MAX: u32 = 1200;

/// What an expression is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Number(BigRational),
    Name(String),
    Plus,
    Minus,
    Times,
    Over,
    Percent,
    Power,
    Factorial,
    Degree,
    Root,
    Open,
    Close,
    Comma,
    End,
}

/// A token and where it begins, counted in characters from 1.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) at: usize,
}

/// All tokens of a text; the last one is `End`.
pub(crate) fn tokens(text: &str) -> Result<Vec<Placed>, Problem> {
    let chars: Vec<char> = text.chars().collect();
    let mut reader = Reader { chars: &chars, next: 0 };
    let mut tokens = Vec::new();
    loop {
        reader.skip(char::is_whitespace);
        let at = reader.next + 1;
        let token = reader.token(at)?;
        let end = token == Token::End;
        tokens.push(Placed { token, at });
        if end {
            return Ok(tokens);
        }
    }
}

struct Reader<'a> {
    chars: &'a [char],
    next: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.next).copied()
    }

    /// Moves over the characters that fit and gives them.
    fn skip(&mut self, fits: impl Fn(char) -> bool) -> String {
        let start = self.next;
        while self.peek().is_some_and(&fits) {
            self.next += 1;
        }
        self.chars[start..self.next].iter().collect()
    }

    fn token(&mut self, at: usize) -> Result<Token, Problem> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        if first.is_ascii_digit() || first == '.' {
            return self.number(at).map(Token::Number);
        }
        if first.is_alphabetic() && first != 'π' {
            let name = self.skip(|c| c.is_alphanumeric() || c == '_');
            return Ok(Token::Name(name.to_lowercase()));
        }
        self.next += 1;
        Ok(match first {
            '+' => Token::Plus,
            '-' | '−' | '–' => Token::Minus,
            '*' if self.peek() == Some('*') => {
                self.next += 1;
                Token::Power
            }
            '*' | '×' | '·' | '⋅' => Token::Times,
            '/' | '÷' | ':' => Token::Over,
            '%' => Token::Percent,
            '^' => Token::Power,
            '!' => Token::Factorial,
            '°' => Token::Degree,
            '√' => Token::Root,
            '(' | '[' => Token::Open,
            ')' | ']' => Token::Close,
            ',' | ';' => Token::Comma,
            'π' => Token::Name("pi".into()),
            '$' | '€' | '£' | '¥' => {
                return Err(Problem::new(at, format!("leave out the currency sign {first}")));
            }
            '=' => return Err(Problem::new(at, "equations cannot be solved: leave out =")),
            other => return Err(Problem::new(at, format!("there is no sign {other:?}"))),
        })
    }

    fn number(&mut self, at: usize) -> Result<BigRational, Problem> {
        let whole = self.skip(|c| c.is_ascii_digit());
        let mut part = String::new();
        if self.peek() == Some('.') {
            self.next += 1;
            part = self.skip(|c| c.is_ascii_digit());
        }
        let digits = format!("{whole}{part}");
        if digits.is_empty() || self.peek() == Some('.') {
            return Err(Problem::new(at, "a number has one decimal point and digits beside it"));
        }
        let exponent = self.exponent(at)? - i64::try_from(part.len()).unwrap_or(i64::MAX);
        let number: BigInt = digits.parse().map_err(|_| Problem::new(at, format!("{digits} is no number")))?;
        let scale = power_of_ten(exponent.unsigned_abs());
        Ok(if exponent < 0 { BigRational::new(number, scale) } else { BigRational::from_integer(number * scale) })
    }

    /// The exponent of `1.5e-3`, or 0. In `2 * e` and `3em` the letter is a name.
    fn exponent(&mut self, at: usize) -> Result<i64, Problem> {
        let sign = matches!(self.chars.get(self.next + 1), Some('+' | '-'));
        let first_digit = self.next + 1 + usize::from(sign);
        let follows = self.chars.get(first_digit).is_some_and(char::is_ascii_digit);
        if !matches!(self.peek(), Some('e' | 'E')) || !follows {
            return Ok(0);
        }
        let negative = self.chars[self.next + 1] == '-';
        self.next = first_digit;
        let digits = self.skip(|c| c.is_ascii_digit());
        match digits.parse::<u32>() {
            Ok(exponent) if exponent <= EXPONENT_MAX => Ok(if negative { -i64::from(exponent) } else { i64::from(exponent) }),
            _ => Err(Problem::new(at, format!("an exponent goes up to {EXPONENT_MAX}"))),
        }
    }
}

/// 10 to the `exponent`. Callers bound the exponent.
pub(crate) fn power_of_ten(exponent: u64) -> BigInt {
    usize::try_from(exponent).map_or_else(|_| BigInt::one(), |n| pow(BigInt::from(10), n))
}
