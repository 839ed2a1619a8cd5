//! `time_difference`: how long it is from one point in time to another.

use jiff::{
    SpanRelativeTo, Unit, Zoned,
    civil::Weekday,
    fmt::friendly::{Designator, Spacing, SpanPrinter},
};
use serde::{Deserialize, Serialize};
use wardian_plugin::{Data, Error, PURE, Tool, Traits};

use crate::{moment::parse, now::utc, zone::zone};

/// Decimals of a total.
const TOTAL_SCALE: f64 = 1e6;

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct TimeDifference {
    from: String,
    to: String,
    unit: Option<Total>,
    #[serde(default = "utc")]
    zone: String,
}

/// What to count in.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Total {
    Seconds,
    Minutes,
    Hours,
    Days,
    Workdays,
    Weeks,
    Months,
    Years,
}

/// The answer.
#[derive(Serialize)]
pub(crate) struct Difference {
    text: String,
    duration: String,
    seconds: i64,
    days: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<Total>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
}

impl Tool for TimeDifference {
    const NAME: &str = "time_difference";
    const DESCRIPTION: &str = "Count the time between two dates or times: how many days until a date, how long ago \
        something was, how old someone is, how many working days (Monday to Friday) lie between two dates. \
        Negative when the second is earlier than the first.";
    const INPUT: &str = include_str!("../tools/time_difference.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/time_difference.output.json"));
    const TRAITS: Traits = PURE;
    const ANNOTATIONS: Option<&str> = Some(
        r#"{"title": "Time between two dates", "examples": [{
            "input": {"from": "2026-01-15", "to": "2026-12-24", "unit": "weeks"},
            "output": {
                "text": "11 months, 9 days", "duration": "P11M9D", "seconds": 29635200, "days": 343.0,
                "unit": "weeks", "total": 49.0
            }
        }]}"#,
    );
    type Answer = Data<Difference>;

    fn run(self) -> Result<Self::Answer, Error> {
        let zone = zone(&self.zone)?;
        let from = parse(&self.from, &zone)?;
        // Months and days are those of the zone that the first time is in.
        let to = parse(&self.to, &zone)?.with_time_zone(from.time_zone().clone());
        let span = from.until((Unit::Year, &to)).map_err(out_of_range)?;
        let total = self.unit.map(|unit| total(unit, &from, &to)).transpose()?;
        Ok(Data(Difference {
            text: printer().span_to_string(&span),
            duration: span.to_string(),
            seconds: from.duration_until(&to).as_secs(),
            days: total_of(Unit::Day, &from, &to)?,
            unit: self.unit,
            total,
        }))
    }
}

fn printer() -> SpanPrinter {
    SpanPrinter::new().designator(Designator::Verbose).spacing(Spacing::BetweenUnitsAndDesignators).comma_after_designator(true)
}

fn total(unit: Total, from: &Zoned, to: &Zoned) -> Result<f64, Error> {
    let unit = match unit {
        Total::Seconds => Unit::Second,
        Total::Minutes => Unit::Minute,
        Total::Hours => Unit::Hour,
        Total::Days => Unit::Day,
        Total::Workdays => return Ok(f64::from(workdays(from, to))),
        Total::Weeks => Unit::Week,
        Total::Months => Unit::Month,
        Total::Years => Unit::Year,
    };
    total_of(unit, from, to)
}

fn total_of(unit: Unit, from: &Zoned, to: &Zoned) -> Result<f64, Error> {
    let span = from.until(to).map_err(out_of_range)?;
    let total = span.total((unit, SpanRelativeTo::from(from))).map_err(out_of_range)?;
    Ok((total * TOTAL_SCALE).round() / TOTAL_SCALE)
}

/// Days from Monday to Friday from the first date up to, not including, the second.
fn workdays(from: &Zoned, to: &Zoned) -> i32 {
    let (from, to) = (from.date(), to.date());
    let sign = if to < from { -1 } else { 1 };
    let (first, last) = (from.min(to), from.max(to));
    let days = first.duration_until(last).as_hours() / 24;
    let weeks = i32::try_from(days / 7).unwrap_or(i32::MAX);
    let rest = (0..days % 7)
        .filter_map(|day| first.weekday().wrapping_add(day).into())
        .filter(|day: &Weekday| !matches!(day, Weekday::Saturday | Weekday::Sunday))
        .count();
    sign * (weeks.saturating_mul(5) + i32::try_from(rest).unwrap_or(0))
}

fn out_of_range(error: jiff::Error) -> Error {
    Error::invalid_input(format!("cannot count from one time to the other: {error}"))
}
