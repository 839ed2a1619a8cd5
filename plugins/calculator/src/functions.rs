//! Every function and constant by name. Adding one is one line in the list.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed};

use crate::{
    powers::{exp, ln, log, power, root},
    series,
    token::power_of_ten,
    value::{EXACT_BITS_MAX, Fault, Value, gcd},
};

/// The larger the angle, the fewer decimals of it are known.
const ANGLE_DIGITS_MAX: u64 = 9;

/// Decimal places that `round` takes, either way.
const PLACES_MAX: i64 = 100;

/// Beyond this every factorial has too many digits.
const FACTORIAL_MAX: i64 = 600;

/// The n of `ncr` and `npr`.
const CHOICE_MAX: i64 = 1_000_000_000;

type Outcome = Result<Value, Fault>;

/// A constant is computed when it is used, to all digits.
type Constant = (&'static str, fn() -> Outcome);

/// A function of one, two or any number of arguments.
enum Body {
    One(fn(&Value) -> Outcome),
    Two(fn(&Value, &Value) -> Outcome),
    OneOrTwo(fn(&Value, Option<&Value>) -> Outcome),
    Many(fn(&[Value]) -> Outcome),
}

const FUNCTIONS: &[(&str, Body)] = &[
    ("abs", Body::One(|x| Ok(x.clone().abs()))),
    ("acos", Body::One(|x| quarter()?.minus(&asin(x)?))),
    ("asin", Body::One(asin)),
    ("atan", Body::One(atan)),
    ("avg", Body::Many(mean)),
    ("cbrt", Body::One(|x| root(x, 3))),
    ("ceil", Body::One(Value::ceil)),
    ("cos", Body::One(|x| Ok(sin_cos(x)?.1))),
    ("degrees", Body::One(|x| x.times(&Value::whole(180))?.over(&pi()?))),
    ("exp", Body::One(exp)),
    ("factorial", Body::One(factorial)),
    ("floor", Body::One(Value::floor)),
    ("gcd", Body::Two(|x, y| Value::exact(gcd(&x.to_integer("gcd")?, &y.to_integer("gcd")?).into()))),
    ("lcm", Body::Two(lcm)),
    ("ln", Body::One(ln)),
    ("log", Body::OneOrTwo(|x, base| log(x, base.unwrap_or(&Value::whole(10))))),
    ("log10", Body::One(|x| log(x, &Value::whole(10)))),
    ("log2", Body::One(|x| log(x, &Value::whole(2)))),
    ("max", Body::Many(|all| pick(all, |new, best| new > best))),
    ("mean", Body::Many(mean)),
    ("median", Body::Many(median)),
    ("min", Body::Many(|all| pick(all, |new, best| new < best))),
    ("mod", Body::Two(Value::remainder)),
    ("ncr", Body::Two(choices)),
    ("npr", Body::Two(arrangements)),
    ("pow", Body::Two(power)),
    ("radians", Body::One(radians)),
    ("root", Body::Two(|x, n| root(x, n.to_small("the degree of a root", 1, i64::from(u32::MAX))?))),
    ("round", Body::OneOrTwo(round)),
    ("sign", Body::One(|x| Ok(Value::whole(if x.is_zero() { 0 } else { 1 - 2 * i64::from(x.is_negative()) })))),
    ("sin", Body::One(|x| Ok(sin_cos(x)?.0))),
    ("sqrt", Body::One(|x| root(x, 2))),
    ("sum", Body::Many(sum)),
    ("tan", Body::One(tan)),
    ("trunc", Body::One(Value::trunc)),
];

const CONSTANTS: &[Constant] = &[("e", || exp(&Value::whole(1))), ("pi", pi), ("tau", || pi()?.times(&Value::whole(2)))];

/// The function's value.
pub(crate) fn call(name: &str, arguments: &[Value]) -> Outcome {
    let Some((_, body)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
        return Err(unknown(name));
    };
    match (body, arguments) {
        (Body::One(f), [x]) => f(x),
        (Body::Two(f), [x, y]) => f(x, y),
        (Body::OneOrTwo(f), [x]) => f(x, None),
        (Body::OneOrTwo(f), [x, y]) => f(x, Some(y)),
        (Body::Many(f), [_, ..]) => f(arguments),
        (wanted, _) => Err(Fault::new(format!(
            "{name} takes {} and was given {}",
            match wanted {
                Body::One(_) => "1 argument",
                Body::Two(_) => "2 arguments",
                Body::OneOrTwo(_) => "1 or 2 arguments",
                Body::Many(_) => "1 argument or more",
            },
            arguments.len()
        ))),
    }
}

/// The constant's value.
pub(crate) fn constant(name: &str) -> Outcome {
    match CONSTANTS.iter().find(|(known, _)| *known == name) {
        Some((_, value)) => value(),
        None if FUNCTIONS.iter().any(|(known, _)| *known == name) => Err(Fault::new(format!("{name} needs parentheses: {name}(2)"))),
        None => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Fault {
    let names = |list: Vec<&str>| list.join(", ");
    Fault::new(format!(
        "{name} is not known (functions: {}; constants: {})",
        names(FUNCTIONS.iter().map(|(name, _)| *name).collect()),
        names(CONSTANTS.iter().map(|(name, _)| *name).collect()),
    ))
}

fn pi() -> Outcome {
    Value::close_to(series::ratio(series::pi()))
}

fn quarter() -> Outcome {
    pi()?.over(&Value::whole(2))
}

/// An angle in degrees, in radians.
pub(crate) fn radians(degrees: &Value) -> Outcome {
    degrees.times(&pi()?)?.over(&Value::whole(180))
}

fn sin_cos(angle: &Value) -> Result<(Value, Value), Fault> {
    if angle.is_exact() && angle.is_zero() {
        return Ok((Value::whole(0), Value::whole(1)));
    }
    if angle.ratio().abs() > BigRational::from_integer(power_of_ten(ANGLE_DIGITS_MAX)) {
        return Err(Fault::new(format!("an angle goes up to 10^{ANGLE_DIGITS_MAX}")));
    }
    let (sin, cos) = series::sin_cos(&series::fixed(angle.ratio()));
    let value = |fixed| Value::close_to(series::ratio(fixed))?.without_noise();
    Ok((value(sin)?, value(cos)?))
}

fn tan(angle: &Value) -> Outcome {
    let (sin, cos) = sin_cos(angle)?;
    if cos.is_zero() {
        return Err(Fault::new("there is no tangent of this angle"));
    }
    sin.over(&cos)
}

fn atan(x: &Value) -> Outcome {
    if x.is_exact() && x.is_zero() {
        return Ok(x.clone());
    }
    Value::close_to(series::ratio(series::atan(&series::fixed(x.ratio()))))
}

fn asin(x: &Value) -> Outcome {
    let cosine = Value::whole(1).minus(&x.times(x)?)?;
    if cosine.is_negative() {
        return Err(Fault::new("the sine or cosine of an angle lies between -1 and 1"));
    }
    if cosine.is_zero() {
        return if x.is_negative() { Ok(quarter()?.negated()) } else { quarter() };
    }
    atan(&x.over(&root(&cosine, 2)?)?)
}

fn round(x: &Value, places: Option<&Value>) -> Outcome {
    let places = match places {
        Some(places) => places.to_small("the number of decimal places", -PLACES_MAX, PLACES_MAX)?,
        None => 0,
    };
    x.round(places)
}

/// The product of the whole numbers from 1.
pub(crate) fn factorial(x: &Value) -> Outcome {
    let n = x.to_integer("a factorial")?;
    if n.is_negative() {
        return Err(Fault::new("there is no factorial of a negative number"));
    }
    let n = i64::try_from(&n).unwrap_or(FACTORIAL_MAX).min(FACTORIAL_MAX);
    product((2..=n).map(|k| (k, 1)))
}

/// Multiplies by the first and divides by the second of each pair, where the
/// division leaves nothing. Ends early once the result is too large.
fn product(factors: impl Iterator<Item = (i64, i64)>) -> Outcome {
    let mut product = BigInt::one();
    for (times, over) in factors {
        product = product * times / over;
        if product.bits() > EXACT_BITS_MAX {
            break;
        }
    }
    Value::exact(product.into())
}

fn choice(what: &str, n: &Value, k: &Value) -> Result<(i64, i64), Fault> {
    let n = n.to_small(what, 0, CHOICE_MAX)?;
    Ok((n, k.to_small(what, 0, n)?))
}

/// In how many ways k of n things can be chosen.
fn choices(n: &Value, k: &Value) -> Outcome {
    let (n, k) = choice("ncr", n, k)?;
    product((1..=k.min(n - k)).map(|i| (n - i + 1, i)))
}

/// In how many orders k of n things can be arranged.
fn arrangements(n: &Value, k: &Value) -> Outcome {
    let (n, k) = choice("npr", n, k)?;
    product((0..k).map(|i| (n - i, 1)))
}

fn lcm(x: &Value, y: &Value) -> Outcome {
    let (x, y) = (x.to_integer("lcm")?, y.to_integer("lcm")?);
    let divisor = gcd(&x, &y);
    if divisor == BigInt::ZERO {
        return Ok(Value::whole(0));
    }
    Value::exact((x / divisor * y).abs().into())
}

fn sum(all: &[Value]) -> Outcome {
    all.iter().try_fold(Value::whole(0), |sum, value| sum.plus(value))
}

fn mean(all: &[Value]) -> Outcome {
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    sum(all)?.over(&Value::whole(count))
}

fn median(all: &[Value]) -> Outcome {
    let mut sorted: Vec<&Value> = all.iter().collect();
    sorted.sort_by(|x, y| x.ratio().cmp(y.ratio()));
    let (low, high) = (sorted[(all.len() - 1) / 2], sorted[all.len() / 2]);
    low.plus(high)?.over(&Value::whole(2))
}

fn pick(all: &[Value], better: fn(&BigRational, &BigRational) -> bool) -> Outcome {
    all.iter()
        .reduce(|best, new| if better(new.ratio(), best.ratio()) { new } else { best })
        .cloned()
        .ok_or_else(|| Fault::new("there is nothing to choose from"))
}
