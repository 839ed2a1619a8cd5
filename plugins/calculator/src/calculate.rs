//! The tool itself: text in, digits out.

use serde::{Deserialize, Serialize};
use wardian_plugin::{Data, Error, PURE, Tool, Traits};

use crate::{decimal::Decimal, evaluate::evaluate, parse::parse};

/// Longer than any sum a person would write; it bounds the number of operations.
const EXPRESSION_CHARS_MAX: usize = 1000;

/// How much of the expression is quoted where something is wrong.
const QUOTE_CHARS: usize = 20;

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct Calculate {
    expression: String,
}

/// The answer.
#[derive(Serialize)]
pub(crate) struct Answer {
    result: String,
    exact: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fraction: Option<String>,
}

/// What is wrong with an expression, and where: the position counts characters from 1.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    fn explain(&self, expression: &str) -> String {
        let rest: String = expression.chars().skip(self.at.saturating_sub(1)).take(QUOTE_CHARS).collect();
        let quote = if rest.is_empty() { String::new() } else { format!(", at {rest:?}") };
        format!("cannot calculate the expression: {} at position {}{quote}", self.message, self.at)
    }
}

impl Tool for Calculate {
    const NAME: &str = "calculate";
    const DESCRIPTION: &str = include_str!("../tools/calculate.md");
    const INPUT: &str = include_str!("../tools/calculate.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/calculate.output.json"));
    const TRAITS: Traits = PURE;
    const ANNOTATIONS: Option<&str> = Some(include_str!("../tools/calculate.annotations.json"));
    type Answer = Data<Answer>;

    fn run(self) -> Result<Self::Answer, Error> {
        let length = self.expression.chars().count();
        if length > EXPRESSION_CHARS_MAX {
            return Err(Error::invalid_input(format!(
                "the expression has {length} characters and may have {EXPRESSION_CHARS_MAX}; calculate it in parts"
            )));
        }
        let value = parse(&self.expression)
            .and_then(|expression| evaluate(&expression))
            .map_err(|problem| Error::invalid_input(problem.explain(&self.expression)))?;
        let Decimal { text, exact, fraction } = Decimal::of(&value);
        Ok(Data(Answer { result: text, exact, fraction }))
    }
}
