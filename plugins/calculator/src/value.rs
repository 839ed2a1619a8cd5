//! A number that knows whether it is exact. Each operation gives a number of
//! bounded size or a fault: nothing an expression says can use up the machine.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::token::power_of_ten;

/// Significant digits of a number that is not exact.
pub(crate) const DIGITS: u64 = 60;

/// Digits of an inexact number that are trusted after a few operations. What is
/// smaller than this share of its operands is noise and counts as zero.
const TRUSTED_DIGITS: u64 = 50;

/// Numerator and denominator of an exact number; beyond it the number is rounded.
/// The few hundred operations that fit into an expression take a fraction of a second.
pub(crate) const EXACT_BITS_MAX: u64 = 4096;

/// Results reach from 10^-1200 to 10^1200: 3986 is 1200 times the logarithm of 10 to base 2.
const MAGNITUDE_BITS_MAX: i64 = 3986;

/// Why an operation has no result, for whoever wrote the expression.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault(pub(crate) String);

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// A rational number, and whether it is the very number or only close to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    ratio: BigRational,
    exact: bool,
}

impl Value {
    /// Exactly this number.
    pub(crate) fn exact(ratio: BigRational) -> Result<Self, Fault> {
        Self::bounded(ratio, true)
    }

    /// A number close to this one.
    pub(crate) fn close_to(ratio: BigRational) -> Result<Self, Fault> {
        Self::bounded(ratio, false)
    }

    /// A small whole number.
    pub(crate) fn whole(number: i64) -> Self {
        Self { ratio: BigRational::from_integer(number.into()), exact: true }
    }

    fn bounded(ratio: BigRational, exact: bool) -> Result<Self, Fault> {
        let (numerator, denominator) = (ratio.numer().bits(), ratio.denom().bits());
        let magnitude = i64::try_from(numerator).unwrap_or(i64::MAX) - i64::try_from(denominator).unwrap_or(i64::MAX);
        if numerator > 0 && magnitude > MAGNITUDE_BITS_MAX {
            return Err(Fault::new("the result is too large: it has more than 1200 digits"));
        }
        if numerator > 0 && magnitude < -MAGNITUDE_BITS_MAX {
            return Err(Fault::new("the result is too close to zero: it is less than 10^-1200"));
        }
        if exact && numerator.max(denominator) <= EXACT_BITS_MAX {
            return Ok(Self { ratio, exact });
        }
        Ok(Self { ratio: round_significant(&ratio, DIGITS), exact: false })
    }

    pub(crate) fn ratio(&self) -> &BigRational {
        &self.ratio
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.exact
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.ratio.is_zero()
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.ratio.is_negative()
    }

    /// The number without the noise of earlier roundings: 3 for 2.999…9. To be
    /// used wherever a tiny difference would make a large one.
    pub(crate) fn settled(&self) -> BigRational {
        if self.exact { self.ratio.clone() } else { round_significant(&self.ratio, TRUSTED_DIGITS) }
    }

    /// The whole number this is, or a fault that names what needed one.
    pub(crate) fn to_integer(&self, what: &str) -> Result<BigInt, Fault> {
        let settled = self.settled();
        if settled.is_integer() { Ok(settled.to_integer()) } else { Err(Fault::new(format!("{what} needs a whole number"))) }
    }

    /// The whole number this is, if it lies between the two.
    pub(crate) fn to_small(&self, what: &str, least: i64, most: i64) -> Result<i64, Fault> {
        self.to_integer(what)?
            .to_i64()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| Fault::new(format!("{what} needs a whole number from {least} to {most}")))
    }

    pub(crate) fn negated(self) -> Self {
        Self { ratio: -self.ratio, exact: self.exact }
    }

    pub(crate) fn abs(self) -> Self {
        Self { ratio: self.ratio.abs(), exact: self.exact }
    }

    pub(crate) fn plus(&self, other: &Self) -> Result<Self, Fault> {
        let exact = self.exact && other.exact;
        let sum = &self.ratio + &other.ratio;
        let noise = self.ratio.abs().max(other.ratio.abs()) / BigRational::from_integer(power_of_ten(TRUSTED_DIGITS));
        if !exact && sum.abs() < noise {
            return Ok(Self { ratio: BigRational::zero(), exact });
        }
        Self::bounded(sum, exact)
    }

    pub(crate) fn minus(&self, other: &Self) -> Result<Self, Fault> {
        self.plus(&other.clone().negated())
    }

    pub(crate) fn times(&self, other: &Self) -> Result<Self, Fault> {
        Self::bounded(&self.ratio * &other.ratio, self.exact && other.exact)
    }

    pub(crate) fn over(&self, other: &Self) -> Result<Self, Fault> {
        if other.is_zero() {
            return Err(Fault::new("division by zero"));
        }
        Self::bounded(&self.ratio / &other.ratio, self.exact && other.exact)
    }

    /// What is left of a division, with the sign of the divisor: -7 mod 3 is 2.
    pub(crate) fn remainder(&self, other: &Self) -> Result<Self, Fault> {
        let quotient = self.over(other)?.floor()?;
        self.minus(&other.times(&quotient)?)
    }

    pub(crate) fn floor(&self) -> Result<Self, Fault> {
        Self::bounded(self.settled().floor(), self.exact)
    }

    pub(crate) fn ceil(&self) -> Result<Self, Fault> {
        Self::bounded(self.settled().ceil(), self.exact)
    }

    pub(crate) fn trunc(&self) -> Result<Self, Fault> {
        Self::bounded(self.settled().trunc(), self.exact)
    }

    /// Rounded to so many decimal places, halves away from zero.
    pub(crate) fn round(&self, places: i64) -> Result<Self, Fault> {
        Self::bounded(round_places(&self.settled(), places), self.exact)
    }

    /// Rounded like a result that noise below `10^-places` may not reach.
    pub(crate) fn without_noise(self) -> Result<Self, Fault> {
        let places = i64::try_from(TRUSTED_DIGITS).unwrap_or(i64::MAX);
        Self::bounded(round_places(&self.ratio, places), self.exact)
    }
}

/// The number with so many digits after the point, halves away from zero;
/// negative places round to tens, hundreds and so on.
pub(crate) fn round_places(ratio: &BigRational, places: i64) -> BigRational {
    let scale = BigRational::from_integer(power_of_ten(places.unsigned_abs()));
    if places < 0 { (ratio / &scale).round() * scale } else { (ratio * &scale).round() / scale }
}

/// The number with so many significant digits.
pub(crate) fn round_significant(ratio: &BigRational, digits: u64) -> BigRational {
    if ratio.is_zero() {
        return ratio.clone();
    }
    let digits = i64::try_from(digits).unwrap_or(i64::MAX);
    round_places(ratio, digits - 1 - exponent_of_ten(ratio))
}

/// The exponent in `d.ddd × 10^exponent`; 0 for zero.
pub(crate) fn exponent_of_ten(ratio: &BigRational) -> i64 {
    let (numerator, denominator) = (ratio.numer().abs(), ratio.denom());
    if numerator.is_zero() {
        return 0;
    }
    let bits = |number: &BigInt| i64::try_from(number.bits()).unwrap_or(i64::MAX);
    // From the number of bits the exponent is known up to one.
    let mut exponent = (bits(&numerator) - bits(denominator)) * 30103 / 100_000 - 1;
    while at_least(&numerator, denominator, exponent + 1) {
        exponent += 1;
    }
    while !at_least(&numerator, denominator, exponent) {
        exponent -= 1;
    }
    exponent
}

/// Whether `numerator / denominator >= 10^exponent`.
fn at_least(numerator: &BigInt, denominator: &BigInt, exponent: i64) -> bool {
    let scale = power_of_ten(exponent.unsigned_abs());
    if exponent < 0 { numerator * scale >= *denominator } else { *numerator >= denominator * scale }
}

/// The greatest common divisor; 0 only for two zeros.
pub(crate) fn gcd(left: &BigInt, right: &BigInt) -> BigInt {
    left.gcd(right)
}

/// Exactly one.
pub(crate) fn one() -> Value {
    Value { ratio: BigRational::one(), exact: true }
}
