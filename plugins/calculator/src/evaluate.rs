//! A tree to a number. Each fault is given the position of the sign or name that
//! it happened at.

use crate::{
    calculate::Problem,
    functions::{call, constant, factorial, radians},
    parse::{Does, Expression, Operation, Sign},
    powers::power,
    value::{Fault, Value},
};

/// The number that an expression means.
pub(crate) fn evaluate(expression: &Expression) -> Result<Value, Problem> {
    match expression {
        Expression::Number { ratio, at: place } => Value::exact(ratio.clone()).map_err(at(*place)),
        Expression::Constant { name, at: place } => constant(name).map_err(at(*place)),
        Expression::Call { name, arguments, at: place } => {
            let arguments = arguments.iter().map(evaluate).collect::<Result<Vec<_>, _>>()?;
            call(name, &arguments).map_err(at(*place))
        }
        Expression::Negated(inner) => Ok(evaluate(inner)?.negated()),
        Expression::Chain { first, steps } => steps.iter().try_fold(evaluate(first)?, |value, step| match &step.does {
            Does::Sign(sign) => after(&value, *sign).map_err(at(step.at)),
            Does::With(operation, right) => {
                let share = right.is_share();
                let right = evaluate(right)?;
                between(*operation, &value, &right, share).map_err(at(step.at))
            }
        }),
    }
}

fn after(value: &Value, sign: Sign) -> Result<Value, Fault> {
    match sign {
        Sign::Factorial => factorial(value),
        Sign::Percent => value.over(&Value::whole(100)),
        Sign::Degree => radians(value),
    }
}

/// `share` says that the right side is written in percent.
fn between(operation: Operation, left: &Value, right: &Value, share: bool) -> Result<Value, Fault> {
    match operation {
        // As on a pocket calculator: 200 + 15% adds 15% of 200.
        Operation::Add if share => left.plus(&left.times(right)?),
        Operation::Subtract if share => left.minus(&left.times(right)?),
        Operation::Add => left.plus(right),
        Operation::Subtract => left.minus(right),
        Operation::Multiply => left.times(right),
        Operation::Divide => left.over(right),
        Operation::Remainder => left.remainder(right),
        Operation::Power => power(left, right),
    }
}

fn at(place: usize) -> impl FnOnce(Fault) -> Problem {
    move |Fault(message)| Problem { at: place, message }
}
