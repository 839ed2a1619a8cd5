//! Powers, roots and logarithms: exact where the result is rational and can be
//! found at once, else by series.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::{
    series,
    value::{Fault, Value, one},
};

/// The argument of `exp`, beyond which every result is too large or too small.
const EXP_MAX: i64 = 3000;

/// Roots of a higher degree are only sought by series.
const ROOT_DEGREE_MAX: u32 = 64;

/// `base` to the `exponent`.
pub(crate) fn power(base: &Value, exponent: &Value) -> Result<Value, Fault> {
    let whole = exponent.settled();
    if whole.is_integer() {
        return whole_power(base, &whole.to_integer());
    }
    if base.is_zero() {
        return if exponent.is_negative() { Err(Fault::new("division by zero")) } else { Ok(Value::whole(0)) };
    }
    if base.is_negative() {
        return Err(Fault::new("a negative number has no real power with this exponent (for odd roots use cbrt or root)"));
    }
    if let Some(root) = exponent.ratio().denom().to_u32().and_then(|degree| exact_root(base, degree)) {
        return whole_power(&root, exponent.ratio().numer());
    }
    let product = Value::close_to(series::ratio(series::ln(base.ratio())))?.times(exponent)?;
    exp(&product)
}

/// By squaring from the top bit down, so that nothing in between is larger than
/// the result and a result that is too large is found after a few steps.
fn whole_power(base: &Value, exponent: &BigInt) -> Result<Value, Fault> {
    if exponent.is_zero() {
        return Ok(one());
    }
    let base = if exponent.is_negative() { one().over(base)? } else { base.clone() };
    let exponent = exponent.abs();
    let unchanging = base.is_exact() && (base.is_zero() || base.ratio().abs().is_one());
    if unchanging {
        return Ok(if exponent.bit(0) { base } else { base.abs() });
    }
    let mut result = base.clone();
    for bit in (0..exponent.bits() - 1).rev() {
        result = result.times(&result)?;
        if exponent.bit(bit) {
            result = result.times(&base)?;
        }
    }
    Ok(result)
}

/// The root of this degree; of a negative number for odd degrees only.
pub(crate) fn root(value: &Value, degree: i64) -> Result<Value, Fault> {
    let Some(degree) = u32::try_from(degree).ok().filter(|degree| *degree > 0) else {
        return Err(Fault::new("the degree of a root is 1 or more"));
    };
    if value.is_negative() {
        if degree.is_multiple_of(2) {
            return Err(Fault::new("a negative number has no real root of an even degree"));
        }
        return Ok(root(&value.clone().negated(), i64::from(degree))?.negated());
    }
    if value.is_zero() {
        return Ok(value.clone());
    }
    match exact_root(value, degree) {
        Some(root) => Ok(root),
        None => power(value, &Value::exact(BigRational::new(BigInt::one(), degree.into()))?),
    }
}

/// The root of a positive number, if it is rational.
fn exact_root(value: &Value, degree: u32) -> Option<Value> {
    if !value.is_exact() || degree > ROOT_DEGREE_MAX {
        return None;
    }
    let (numerator, denominator) = (value.ratio().numer(), value.ratio().denom());
    let roots = (numerator.nth_root(degree), denominator.nth_root(degree));
    let exact = roots.0.pow(degree) == *numerator && roots.1.pow(degree) == *denominator;
    exact.then(|| Value::exact(BigRational::new(roots.0, roots.1)).ok()).flatten()
}

/// e to the `value`.
pub(crate) fn exp(value: &Value) -> Result<Value, Fault> {
    if value.is_zero() {
        return Ok(one());
    }
    let bound = BigRational::from_integer(EXP_MAX.into());
    if value.ratio().abs() > bound {
        let how = if value.is_negative() { "too close to zero" } else { "too large" };
        return Err(Fault::new(format!("the result is {how}")));
    }
    Value::close_to(series::exp(&series::fixed(value.ratio())))
}

/// The natural logarithm.
pub(crate) fn ln(value: &Value) -> Result<Value, Fault> {
    positive(value)?;
    if *value == one() {
        return Ok(Value::whole(0));
    }
    Value::close_to(series::ratio(series::ln(value.ratio())))
}

/// The logarithm to a base; exact for whole powers of the base.
pub(crate) fn log(value: &Value, base: &Value) -> Result<Value, Fault> {
    positive(base)?;
    if *base == one() {
        return Err(Fault::new("there is no logarithm to base 1"));
    }
    let quotient = ln(value)?.over(&ln(base)?)?;
    let nearest = quotient.round(0)?;
    let exact = value.is_exact() && whole_power(base, &nearest.ratio().to_integer()).is_ok_and(|power| power == *value);
    if exact { Value::exact(nearest.ratio().clone()) } else { Ok(quotient) }
}

fn positive(value: &Value) -> Result<(), Fault> {
    if value.is_zero() || value.is_negative() {
        return Err(Fault::new("only positive numbers have a logarithm"));
    }
    Ok(())
}
