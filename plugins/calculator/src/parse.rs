//! Tokens to a tree, by recursive descent. From loose to tight: `+ -`, then
//! `* / of` and `%` between two numbers (the remainder), then signs, then `^`
//! (from the right, tighter than a sign: -2^2 is -4), then `! % °` after a number.

use num_rational::BigRational;

use crate::{
    calculate::Problem,
    token::{Placed, Token, tokens},
};

/// Signs and parentheses inside each other, where a parenthesis counts twice; it bounds the stack.
const DEPTH_MAX: usize = 128;

/// A parsed expression. `at` is where to point when it cannot be evaluated.
#[derive(Debug)]
pub(crate) enum Expression {
    Number {
        ratio: BigRational,
        at: usize,
    },
    Constant {
        name: String,
        at: usize,
    },
    Call {
        name: String,
        arguments: Vec<Expression>,
        at: usize,
    },
    Negated(Box<Expression>),
    /// One thing after the other. A list and not a tree: a long sum is not deep.
    Chain {
        first: Box<Expression>,
        steps: Vec<Step>,
    },
}

/// What is done to the number so far.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) does: Does,
    pub(crate) at: usize,
}

/// See [`Step`].
#[derive(Debug)]
pub(crate) enum Does {
    Sign(Sign),
    With(Operation, Expression),
}

impl Expression {
    /// Whether this is a number with `%` behind it.
    pub(crate) fn is_share(&self) -> bool {
        let last = match self {
            Self::Chain { steps, .. } => steps.last(),
            _ => None,
        };
        last.is_some_and(|step| matches!(step.does, Does::Sign(Sign::Percent)))
    }

    fn followed_by(self, steps: Vec<Step>) -> Self {
        if steps.is_empty() { self } else { Self::Chain { first: self.into(), steps } }
    }
}

/// What stands after a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sign {
    Factorial,
    Percent,
    Degree,
}

/// What stands between two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

/// The tree of a whole text.
pub(crate) fn parse(text: &str) -> Result<Expression, Problem> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let expression = parser.sum()?;
    match &parser.peek().token {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected("an operator")),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
}

impl Parser {
    /// The last token is `End` and is never moved over.
    fn peek(&self) -> &Placed {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Placed {
        let placed = self.peek().clone();
        self.next += 1;
        placed
    }

    fn sum(&mut self) -> Result<Expression, Problem> {
        self.pairs(Self::product, |token| match token {
            Token::Plus => Some(Operation::Add),
            Token::Minus => Some(Operation::Subtract),
            _ => None,
        })
    }

    fn product(&mut self) -> Result<Expression, Problem> {
        self.pairs(Self::signed, |token| match token {
            Token::Times => Some(Operation::Multiply),
            Token::Over => Some(Operation::Divide),
            Token::Percent => Some(Operation::Remainder),
            Token::Name(name) if name == "of" || name == "x" => Some(Operation::Multiply),
            Token::Name(name) if name == "mod" => Some(Operation::Remainder),
            _ => None,
        })
    }

    /// Operands with operations of one rank between them, grouped from the left.
    fn pairs(
        &mut self,
        operand: fn(&mut Self) -> Result<Expression, Problem>,
        operation: fn(&Token) -> Option<Operation>,
    ) -> Result<Expression, Problem> {
        let first = operand(self)?;
        let mut steps = Vec::new();
        while let Some(operation) = operation(&self.peek().token) {
            let at = self.take().at;
            steps.push(Step { does: Does::With(operation, operand(self)?), at });
        }
        Ok(first.followed_by(steps))
    }

    fn signed(&mut self) -> Result<Expression, Problem> {
        self.deeper(|parser| match parser.peek().token {
            Token::Minus => {
                parser.take();
                Ok(Expression::Negated(parser.signed()?.into()))
            }
            Token::Plus => {
                parser.take();
                parser.signed()
            }
            _ => parser.power(),
        })
    }

    fn power(&mut self) -> Result<Expression, Problem> {
        let left = self.after()?;
        if self.peek().token != Token::Power {
            return Ok(left);
        }
        let at = self.take().at;
        let right = self.signed()?;
        Ok(left.followed_by(vec![Step { does: Does::With(Operation::Power, right), at }]))
    }

    fn after(&mut self) -> Result<Expression, Problem> {
        let inner = self.atom()?;
        let mut steps = Vec::new();
        loop {
            let sign = match self.peek().token {
                Token::Factorial => Sign::Factorial,
                Token::Degree => Sign::Degree,
                Token::Percent if !self.begins_operand(self.next + 1) => Sign::Percent,
                _ => return Ok(inner.followed_by(steps)),
            };
            steps.push(Step { does: Does::Sign(sign), at: self.take().at });
        }
    }

    /// Tells `10 % 3`, the remainder, from `10% + 3` and `10% of 3`. A sign after
    /// `%` always adds or subtracts: `10 % -3` is 0.1 - 3.
    fn begins_operand(&self, index: usize) -> bool {
        match self.tokens.get(index).map(|placed| &placed.token) {
            Some(Token::Number(_) | Token::Open | Token::Root) => true,
            Some(Token::Name(name)) => !matches!(name.as_str(), "of" | "mod" | "x"),
            _ => false,
        }
    }

    fn atom(&mut self) -> Result<Expression, Problem> {
        let Placed { token, at } = self.peek().clone();
        match token {
            Token::Number(number) => {
                self.take();
                Ok(Expression::Number { ratio: number, at })
            }
            Token::Open => {
                self.take();
                let inner = self.deeper(Self::sum)?;
                self.close(at)?;
                Ok(inner)
            }
            Token::Root => {
                self.take();
                let inner = self.deeper(Self::after)?;
                Ok(Expression::Call { name: "sqrt".into(), arguments: vec![inner], at })
            }
            Token::Name(name) => {
                self.take();
                if self.peek().token != Token::Open {
                    return Ok(Expression::Constant { name, at });
                }
                let open = self.take().at;
                let arguments = self.deeper(Self::arguments)?;
                self.close(open)?;
                Ok(Expression::Call { name, arguments, at })
            }
            _ => Err(self.unexpected("a number")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, Problem> {
        let mut arguments = Vec::new();
        if self.peek().token == Token::Close {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.sum()?);
            if self.peek().token != Token::Comma {
                return Ok(arguments);
            }
            self.take();
        }
    }

    fn close(&mut self, open: usize) -> Result<(), Problem> {
        match self.peek().token {
            Token::Close => {
                self.take();
                Ok(())
            }
            Token::End => Err(Problem::new(open, "the parenthesis is never closed")),
            _ => Err(self.unexpected("an operator or )")),
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.depth == DEPTH_MAX {
            return Err(Problem::new(self.peek().at, "too many signs and parentheses inside each other"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let Placed { token, at } = self.peek();
        let message = match token {
            Token::End => format!("expected {expected} where the expression ends"),
            Token::Comma => "unexpected comma (write 1000 for 1,000 and 0.5 for 0,5)".into(),
            Token::Number(_) | Token::Name(_) | Token::Open if expected.starts_with("an operator") => {
                "expected an operator (write 2 * 3 for 2 3 and 2 * pi for 2pi)".into()
            }
            _ => format!("expected {expected}"),
        };
        Problem::new(*at, message)
    }
}
