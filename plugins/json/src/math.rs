//! Functions of numbers, by the names they have in jq.

use jaq_core::native::{bome, v};
use jaq_json::Val;

use crate::functions::{Native, number};

macro_rules! of_input {
    ($name:literal, $function:expr) => {
        ($name, v(0), |cv| {
            let function: fn(f64) -> f64 = $function;
            bome(number(&cv.1).map(|x| value(function(x))))
        })
    };
}

macro_rules! of_two {
    ($name:literal, $function:expr) => {
        ($name, v(2), |mut cv| {
            let function: fn(f64, f64) -> f64 = $function;
            let (right, left) = (cv.0.pop_var(), cv.0.pop_var());
            bome(number(&left).and_then(|x| Ok(value(function(x, number(&right)?)))))
        })
    };
}

/// Whole results are whole numbers, so that they are written without a point.
fn value(result: f64) -> Val {
    let whole = result.fract() == 0.0 && result.abs() <= f64::from(i32::MAX);
    if whole { Val::from(result as isize) } else { Val::from(result) }
}

pub(crate) fn filters() -> Vec<Native> {
    vec![
        of_input!("acos", f64::acos),
        of_input!("asin", f64::asin),
        of_input!("atan", f64::atan),
        of_input!("cbrt", f64::cbrt),
        of_input!("cos", f64::cos),
        of_input!("exp", f64::exp),
        of_input!("exp10", |x| 10f64.powf(x)),
        of_input!("exp2", f64::exp2),
        of_input!("fabs", f64::abs),
        of_input!("log", f64::ln),
        of_input!("log10", f64::log10),
        of_input!("log2", f64::log2),
        of_input!("sin", f64::sin),
        of_input!("sqrt", f64::sqrt),
        of_input!("tan", f64::tan),
        of_input!("trunc", f64::trunc),
        of_two!("atan2", f64::atan2),
        of_two!("fmax", f64::max),
        of_two!("fmin", f64::min),
        of_two!("fmod", |x, y| x % y),
        of_two!("pow", f64::powf),
    ]
}
