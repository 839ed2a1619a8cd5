//! Sizes, spans of time and rates as the operator writes them: `"64MiB"`,
//! `"250ms"`, `"60/min"`. A bare number is refused: it would not say of what.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// At most `count` in every `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many, at least one.
    pub count: u32,
    /// In which time.
    pub per: Duration,
}

/// A text that is not a size, a span or a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {noun}; write it like {example:?}")]
pub struct UnitError {
    text: String,
    noun: &'static str,
    example: &'static str,
}

const BYTE_UNITS: [(&str, u64); 7] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("B", 1)];
const SPAN_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("min", 60_000), ("h", 3_600_000)];
const RATE_UNITS: [(&str, u64); 3] = [("s", 1), ("min", 60), ("h", 3_600)];

/// A whole number and the unit after it.
fn split(text: &str, units: &[(&str, u64)]) -> Option<(u64, u64)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, factor)| *factor)?;
    Some((number.parse().ok()?, factor))
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        split(text, &BYTE_UNITS).and_then(|(number, factor)| number.checked_mul(factor)).map(Self).ok_or_else(|| UnitError {
            text: text.to_owned(),
            noun: "a size",
            example: "64MiB",
        })
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        split(text, &SPAN_UNITS)
            .and_then(|(number, factor)| number.checked_mul(factor))
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(|| UnitError { text: text.to_owned(), noun: "a span of time", example: "250ms" })
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parse = || {
            let (count, unit) = text.split_once('/')?;
            let count: u32 = count.trim_end().parse().ok().filter(|count| *count > 0)?;
            let (_, seconds) = RATE_UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
            Some(Self { count, per: Duration::from_secs(*seconds) })
        };
        parse().ok_or_else(|| UnitError { text: text.to_owned(), noun: "a rate", example: "60/min" })
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = BYTE_UNITS.iter().filter(|(name, _)| name.ends_with("iB"));
        match binary.into_iter().find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor)) {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms > 0 && ms.is_multiple_of(1_000) { write!(f, "{}s", ms / 1_000) } else { write!(f, "{ms}ms") }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = RATE_UNITS.iter().find(|(_, seconds)| Duration::from_secs(*seconds) == self.per).map_or("s", |(name, _)| name);
        write!(f, "{}/{unit}", self.count)
    }
}

/// In the file all three are strings.
macro_rules! as_string {
    ($($unit:ty),*) => {$(
        impl<'de> Deserialize<'de> for $unit {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl Serialize for $unit {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}
as_string!(Bytes, Span, Rate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_read_as_they_are_written() {
        assert_eq!("64MiB".parse(), Ok(Bytes(64 << 20)));
        assert_eq!("1500 B".parse(), Ok(Bytes(1500)));
        assert_eq!("250ms".parse(), Ok(Span(Duration::from_millis(250))));
        assert_eq!("2min".parse(), Ok(Span(Duration::from_secs(120))));
        assert_eq!("2m".parse(), Ok(Span(Duration::from_secs(120))));
        assert_eq!("60/min".parse(), Ok(Rate { count: 60, per: Duration::from_secs(60) }));
    }

    #[test]
    fn what_has_no_unit_is_refused_with_an_example() {
        let error = "64".parse::<Bytes>().unwrap_err();
        assert_eq!(error.to_string(), "\"64\" is not a size; write it like \"64MiB\"");
        for text in ["", "MiB", "-1s", "1.5s", "99999999999GiB", "1 fortnight"] {
            assert!(text.parse::<Bytes>().is_err() && text.parse::<Span>().is_err(), "{text}");
        }
        for text in ["0/min", "60", "/s", "1/day", "99999999999/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for bytes in [Bytes(0), Bytes(1), Bytes(1 << 20), Bytes(1_500_000)] {
            assert_eq!(bytes.to_string().parse(), Ok(bytes));
        }
        for span in [Span(Duration::from_millis(1)), Span(Duration::from_secs(90))] {
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
