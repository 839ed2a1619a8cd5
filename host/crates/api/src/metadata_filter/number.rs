//! Numbers: whole ones exactly, as long as they stay within 128 bits, all others as floating point.

use std::cmp::Ordering;
use std::fmt::{self, Display};

/// A finite number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

impl Number {
    /// One as it stands in an expression: digits, perhaps a fraction and an exponent.
    pub(super) fn read(text: &str) -> Option<Self> {
        text.parse().map(Self::Whole).ok().or_else(|| Self::float(text.parse().ok()?))
    }

    /// One as JSON has it.
    pub(super) fn of(number: &serde_json::Number) -> Option<Self> {
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        whole.map(Self::Whole).or_else(|| Self::float(number.as_f64()?))
    }

    fn float(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self::Float(value))
    }

    fn as_float(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => Some(one.cmp(&two)),
            (one, two) => one.as_float().partial_cmp(&two.as_float()),
        }
    }

    pub(super) fn negative(self) -> Option<Self> {
        Self::Whole(0).minus(self)
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.both(other, i128::checked_add, |one, two| one + two)
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.both(other, i128::checked_sub, |one, two| one - two)
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        self.both(other, i128::checked_mul, |one, two| one * two)
    }

    /// None by zero. 7 / 2 is 3.5.
    pub(super) fn divided_by(self, other: Self) -> Option<Self> {
        let exactly = |one: i128, two: i128| one.checked_rem(two).filter(|rest| *rest == 0).and_then(|_| one.checked_div(two));
        self.both(other, exactly, |one, two| one / two)
    }

    /// With the sign of the first; none by zero.
    pub(super) fn remainder(self, other: Self) -> Option<Self> {
        self.both(other, i128::checked_rem, |one, two| one % two)
    }

    /// Exactly where both are whole and the result is, as floating point otherwise; none where that has no finite result.
    fn both(self, other: Self, exactly: impl Fn(i128, i128) -> Option<i128>, nearly: impl Fn(f64, f64) -> f64) -> Option<Self> {
        if let (Self::Whole(one), Self::Whole(two)) = (self, other)
            && let Some(result) = exactly(one, two)
        {
            return Some(Self::Whole(result));
        }
        Self::float(nearly(self.as_float(), other.as_float()))
    }
}

/// The same number in the same form.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => one == two,
            (Self::Float(one), Self::Float(two)) => one.to_bits() == two.to_bits(),
            (Self::Whole(_), Self::Float(_)) | (Self::Float(_), Self::Whole(_)) => false,
        }
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(f, "{number}"),
            // With a point or an exponent, so that it is read as what it is.
            Self::Float(number) => write!(f, "{number:?}"),
        }
    }
}
