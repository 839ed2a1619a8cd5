//! A number as people write it.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use crate::value::{Value, exponent_of_ten, round_significant};

/// Significant digits shown of a number that is not shown in full.
pub(crate) const SHOWN_DIGITS: u64 = 34;

/// A terminating decimal with at most so many digits after the point is shown in full.
const PLACES_MAX: u64 = 60;

/// Beyond these the point is written as an exponent.
const EXPONENT_MAX: i64 = 40;
const EXPONENT_MIN: i64 = -20;

/// Numerator and denominator together; a longer fraction tells nobody anything.
const FRACTION_CHARS_MAX: usize = 40;

/// The written form of a value.
#[derive(Debug, PartialEq)]
pub(crate) struct Decimal {
    /// The digits.
    pub(crate) text: String,
    /// Whether the digits are the whole truth.
    pub(crate) exact: bool,
    /// The fraction that the digits only come close to.
    pub(crate) fraction: Option<String>,
}

impl Decimal {
    pub(crate) fn of(value: &Value) -> Self {
        let ratio = value.ratio();
        if value.is_exact() && ratio.is_integer() {
            return Self { text: ratio.to_integer().to_string(), exact: true, fraction: None };
        }
        let complete =
            value.is_exact() && exponent_of_ten(ratio) >= EXPONENT_MIN && places(ratio.denom()).is_some_and(|places| places <= PLACES_MAX);
        if complete {
            return Self { text: write(ratio), exact: true, fraction: None };
        }
        let fraction = value.is_exact().then(|| ratio.to_string()).filter(|fraction| fraction.len() <= FRACTION_CHARS_MAX);
        let shown = round_significant(ratio, SHOWN_DIGITS);
        let exact = value.is_exact() && shown == *ratio;
        let fraction = fraction.filter(|_| !exact);
        Self { text: write(&shown), exact, fraction }
    }
}

/// How many digits stand after the point, if they end: the denominator is then
/// made of twos and fives, and the more frequent one decides.
fn places(denominator: &BigInt) -> Option<u64> {
    let mut rest = denominator.clone();
    let mut count = |prime: u32| {
        let mut times = 0;
        while (&rest % prime).is_zero() {
            rest /= prime;
            times += 1;
        }
        times
    };
    let (twos, fives): (u64, u64) = (count(2), count(5));
    rest.is_one().then_some(twos.max(fives))
}

/// The digits of a terminating decimal.
fn write(ratio: &BigRational) -> String {
    if ratio.is_zero() {
        return "0".into();
    }
    let exponent = exponent_of_ten(ratio);
    let sign = if ratio.is_negative() { "-" } else { "" };
    let places = places(ratio.denom()).unwrap_or(0);
    let scale = crate::token::power_of_ten(places);
    let digits = (ratio.abs() * BigRational::from_integer(scale)).to_integer().to_string();
    let digits = digits.trim_end_matches('0');
    if (EXPONENT_MIN..=EXPONENT_MAX).contains(&exponent) {
        return format!("{sign}{}", with_point(digits, exponent));
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}e{exponent}")
}

/// Significant digits with the point where the exponent says.
fn with_point(digits: &str, exponent: i64) -> String {
    let before = exponent + 1;
    let Ok(before) = usize::try_from(before) else {
        return format!("0.{}{digits}", "0".repeat(usize::try_from(-before).unwrap_or(0)));
    };
    if before == 0 {
        format!("0.{digits}")
    } else if before >= digits.len() {
        format!("{digits}{}", "0".repeat(before - digits.len()))
    } else {
        let (whole, part) = digits.split_at(before);
        format!("{whole}.{part}")
    }
}
