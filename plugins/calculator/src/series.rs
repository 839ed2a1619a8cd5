//! Transcendental functions in fixed point: a [`Fixed`] is a whole number of
//! `2^-640`, about 190 decimals. Callers bound the arguments, so that a few
//! hundred terms are always enough.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// 60 digits of a result, an angle of up to 10^30 and a good margin.
const SCALE: usize = 640;

/// A whole number of `2^-SCALE`.
pub(crate) type Fixed = BigInt;

pub(crate) fn fixed(ratio: &BigRational) -> Fixed {
    (ratio.numer() << SCALE) / ratio.denom()
}

pub(crate) fn ratio(fixed: Fixed) -> BigRational {
    BigRational::new(fixed, BigInt::one() << SCALE)
}

fn one() -> Fixed {
    BigInt::one() << SCALE
}

fn times(left: &Fixed, right: &Fixed) -> Fixed {
    (left * right) >> SCALE
}

fn over(left: &Fixed, right: &Fixed) -> Fixed {
    (left << SCALE) / right
}

fn root(value: &Fixed) -> Fixed {
    (value << SCALE).sqrt()
}

pub(crate) fn pi() -> Fixed {
    // Machin's formula.
    (atan_of_inverse(5) << 4usize) - (atan_of_inverse(239) << 2usize)
}

/// `x - x³/3 + x⁵/5 - …` for `x = 1/n`, where each term needs only small divisions.
fn atan_of_inverse(n: u32) -> Fixed {
    let mut power = one() / n;
    let mut sum = Fixed::zero();
    for k in 0u32.. {
        if power.is_zero() {
            break;
        }
        let term = &power / (2 * k + 1);
        if k.is_even() {
            sum += term
        } else {
            sum -= term
        }
        power /= n * n;
    }
    sum
}

/// The arc tangent, for any argument.
pub(crate) fn atan(x: &Fixed) -> Fixed {
    if x.is_negative() {
        return -atan(&-x);
    }
    if *x > one() {
        return (pi() >> 1usize) - atan(&over(&one(), x));
    }
    // Halving the angle three times leaves at most 0.1, where the series is quick.
    const HALVINGS: usize = 3;
    let mut small = x.clone();
    for _ in 0..HALVINGS {
        let hypotenuse = root(&(one() + times(&small, &small)));
        small = over(&small, &(one() + hypotenuse));
    }
    odd_series(&small, true) << HALVINGS
}

/// `x ± x³/3 + x⁵/5 ± …`: the arc tangent where the signs alternate, else the
/// inverse hyperbolic tangent. For `|x| < 1/2`.
fn odd_series(x: &Fixed, alternate: bool) -> Fixed {
    let square = times(x, x);
    let mut power = x.clone();
    let mut sum = Fixed::zero();
    for k in 0u32.. {
        // A negative power shifts towards -1 and not 0.
        if power.abs() <= BigInt::one() {
            break;
        }
        let term = &power / (2 * k + 1);
        if alternate && k.is_odd() {
            sum -= term
        } else {
            sum += term
        }
        power = times(&power, &square);
    }
    sum
}

fn ln_2() -> Fixed {
    odd_series(&(one() / 3), false) << 1usize
}

/// The natural logarithm of a positive number.
pub(crate) fn ln(value: &BigRational) -> Fixed {
    // value = m × 2^k with m between 1/2 and 2
    let bits = |number: &BigInt| i64::try_from(number.bits()).unwrap_or(0);
    let k = bits(value.numer()) - bits(value.denom());
    let shift = k.unsigned_abs() as usize;
    let m = if k < 0 { ((value.numer() << SCALE) << shift) / value.denom() } else { (value.numer() << SCALE) / (value.denom() << shift) };
    let z = over(&(&m - one()), &(&m + one()));
    (odd_series(&z, false) << 1usize) + ln_2() * k
}

/// The exponential function. `x` lies between -3000 and 3000.
pub(crate) fn exp(x: &Fixed) -> BigRational {
    let ln_2 = ln_2();
    let k = x.div_floor(&ln_2);
    let rest = x - &k * &ln_2;
    let mut term = one();
    let mut sum = Fixed::zero();
    for n in 1u32.. {
        if term.is_zero() {
            break;
        }
        sum += &term;
        term = times(&term, &rest) / n;
    }
    let k = k.to_i64().unwrap_or(0);
    let scale = BigRational::from_integer(BigInt::one() << k.unsigned_abs() as usize);
    if k < 0 { ratio(sum) / scale } else { ratio(sum) * scale }
}

/// Sine and cosine. `x` lies between -10^30 and 10^30.
pub(crate) fn sin_cos(x: &Fixed) -> (Fixed, Fixed) {
    let quarter = pi() >> 1usize;
    let turns = x.div_floor(&quarter);
    let rest = x - &turns * &quarter;
    let (sin, cos) = (alternating(&rest, rest.clone(), 1), alternating(&rest, one(), 0));
    match turns.mod_floor(&BigInt::from(4)).to_u8() {
        Some(0) => (sin, cos),
        Some(1) => (cos, -sin),
        Some(2) => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// `first - first·x²/((n+1)(n+2)) + …`: the sine from `first = x, n = 1`, the
/// cosine from `first = 1, n = 0`. For `x` between 0 and 2.
fn alternating(x: &Fixed, first: Fixed, mut n: u32) -> Fixed {
    let square = times(x, x);
    let mut term = first;
    let mut sum = Fixed::zero();
    let mut add = true;
    while !term.is_zero() {
        if add {
            sum += &term
        } else {
            sum -= &term
        }
        term = times(&term, &square) / ((n + 1) * (n + 2));
        n += 2;
        add = !add;
    }
    sum
}
