//! What an expression is for one object of metadata, by SQL's three-valued logic. Nothing here
//! can fail: a member that is not there is NULL, and values of different types are not equal.

use std::cell::Cell;
use std::cmp::Ordering;

use serde_json::{Map, Value as Json};

use super::expr::{Expr, Literal, Operator};
use super::number::Number;

/// Bytes of a text that count as one piece of work.
const TEXT_STEP: usize = 64;

/// One look at one object. Work that is used up makes everything NULL.
pub(super) struct Evaluation<'a> {
    pub(super) metadata: &'a Map<String, Json>,
    pub(super) work_left: &'a Cell<u64>,
}

/// What an expression can be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value<'a> {
    Null,
    Truth(bool),
    Number(Number),
    Text(&'a str),
    List(&'a [Json]),
    Object,
}

impl<'a> Evaluation<'a> {
    /// Whether a condition is true: not false, and not unknown.
    pub(super) fn holds(&self, condition: &'a Expr) -> bool {
        self.truth(condition) == Some(true)
    }

    /// True, false, or none where that is unknown.
    fn truth(&self, condition: &'a Expr) -> Option<bool> {
        match self.value(condition) {
            Value::Truth(truth) => Some(truth),
            Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object => None,
        }
    }

    fn value(&self, expr: &'a Expr) -> Value<'a> {
        if !self.spend(1) {
            return Value::Null;
        }
        match expr {
            Expr::Literal(literal) => literal.into(),
            Expr::Path(path) => self.member(path),
            Expr::Not(of) => self.truth(of).map(|truth| !truth).into(),
            Expr::Negative(of) => self.number(of).and_then(Number::negative).into(),
            Expr::Binary(left, operator, right) => self.binary(left, *operator, right),
            Expr::IsNull(of) => Value::Truth(self.value(of) == Value::Null),
            Expr::Among(of, items) => {
                let of = self.value(of);
                self.any(items.iter().map(|item| self.equal(of, self.value(item)))).into()
            }
            Expr::Within(of, list) => match (self.value(of), self.value(list)) {
                (of, Value::List(items)) => self.any(items.iter().map(|item| self.equal(of, item.into()))).into(),
                _ => Value::Null,
            },
            Expr::Between(of, from, to) => {
                let of = self.value(of);
                let above = self.order(of, self.value(from)).map(Ordering::is_ge);
                let below = self.order(of, self.value(to)).map(Ordering::is_le);
                and(above, || below).into()
            }
            Expr::Like(of, pattern) => match self.value(of) {
                Value::Null => Value::Null,
                Value::Text(text) => Value::Truth(self.spend_on(text) && pattern.is_like(text)),
                Value::Truth(_) | Value::Number(_) | Value::List(_) | Value::Object => Value::Truth(false),
            },
        }
    }

    fn member(&self, path: &[String]) -> Value<'a> {
        let Some((first, inside)) = path.split_first() else { return Value::Object };
        let found = inside.iter().try_fold(self.metadata.get(first), |found, name| Some(found?.as_object()?.get(name)));
        found.flatten().map_or(Value::Null, Value::from)
    }

    fn binary(&self, left: &'a Expr, operator: Operator, right: &'a Expr) -> Value<'a> {
        let equal = || self.equal(self.value(left), self.value(right));
        let order = |fits: fn(Ordering) -> bool| self.order(self.value(left), self.value(right)).map(fits).into();
        let number = |of: fn(Number, Number) -> Option<Number>| of(self.number(left)?, self.number(right)?);
        match operator {
            Operator::And => and(self.truth(left), || self.truth(right)).into(),
            Operator::Or => or(self.truth(left), || self.truth(right)).into(),
            Operator::Equal => equal().into(),
            Operator::NotEqual => equal().map(|equal| !equal).into(),
            Operator::Less => order(Ordering::is_lt),
            Operator::LessOrEqual => order(Ordering::is_le),
            Operator::Greater => order(Ordering::is_gt),
            Operator::GreaterOrEqual => order(Ordering::is_ge),
            Operator::Plus => number(Number::plus).into(),
            Operator::Minus => number(Number::minus).into(),
            Operator::Times => number(Number::times).into(),
            Operator::Divide => number(Number::divided_by).into(),
            Operator::Remainder => number(Number::remainder).into(),
        }
    }

    fn number(&self, expr: &'a Expr) -> Option<Number> {
        match self.value(expr) {
            Value::Number(number) => Some(number),
            Value::Null | Value::Truth(_) | Value::Text(_) | Value::List(_) | Value::Object => None,
        }
    }

    /// None with NULL. Values of different types are not equal, and neither are lists and objects.
    fn equal(&self, one: Value<'_>, other: Value<'_>) -> Option<bool> {
        match (one, other) {
            (Value::Null, _) | (_, Value::Null) => None,
            (Value::Truth(one), Value::Truth(other)) => Some(one == other),
            (Value::Number(one), Value::Number(other)) => Some(one.compare(other) == Some(Ordering::Equal)),
            (Value::Text(one), Value::Text(other)) => Some(one.len() == other.len() && self.spend_on(one) && one == other),
            (Value::Truth(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object, _) => Some(false),
        }
    }

    /// Numbers by their size, texts by their characters' code points; everything else has no order.
    fn order(&self, one: Value<'_>, other: Value<'_>) -> Option<Ordering> {
        match (one, other) {
            (Value::Number(one), Value::Number(other)) => one.compare(other),
            (Value::Text(one), Value::Text(other)) => self.spend_on(one).then(|| one.cmp(other)),
            (Value::Null | Value::Truth(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object, _) => None,
        }
    }

    /// True with the first that is, unknown where one is and none is true.
    fn any(&self, each: impl Iterator<Item = Option<bool>>) -> Option<bool> {
        let mut found = Some(false);
        for truth in each {
            if truth == Some(true) || !self.spend(1) {
                return truth;
            }
            found = or(found, || truth);
        }
        found
    }

    fn spend_on(&self, text: &str) -> bool {
        self.spend((text.len() / TEXT_STEP) as u64)
    }

    /// Whether there was so much work left.
    fn spend(&self, work: u64) -> bool {
        self.work_left.set(self.work_left.get().saturating_sub(work));
        self.work_left.get() > 0
    }
}

fn and(one: Option<bool>, other: impl FnOnce() -> Option<bool>) -> Option<bool> {
    match one {
        Some(false) => Some(false),
        Some(true) => other(),
        None => other().filter(|truth| !truth),
    }
}

fn or(one: Option<bool>, other: impl FnOnce() -> Option<bool>) -> Option<bool> {
    match one {
        Some(true) => Some(true),
        Some(false) => other(),
        None => other().filter(|truth| *truth),
    }
}

impl From<Option<bool>> for Value<'_> {
    fn from(truth: Option<bool>) -> Self {
        truth.map_or(Self::Null, Self::Truth)
    }
}

impl From<Option<Number>> for Value<'_> {
    fn from(number: Option<Number>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }
}

impl<'a> From<&'a Literal> for Value<'a> {
    fn from(literal: &'a Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Truth(truth) => Self::Truth(*truth),
            Literal::Number(number) => Self::Number(*number),
            Literal::Text(text) => Self::Text(text),
        }
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Truth(*truth),
            Json::Number(number) => Number::of(number).into(),
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::List(items),
            Json::Object(_) => Self::Object,
        }
    }
}
