//! Points in time: how they are read from arguments and shown in answers.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{
    Timestamp, Zoned,
    civil::{DateTime, Time},
    fmt::{
        rfc2822,
        temporal::{Pieces, PiecesOffset},
    },
    tz::TimeZone,
};
use serde::Serialize;
use wardian_plugin::Error;

use crate::zone;

/// A number above this counts milliseconds and not seconds since 1970.
const UNIX_SECONDS_MAX: i64 = 100_000_000_000;

/// A point in time as every tool answers it.
#[derive(Serialize)]
pub(crate) struct Moment {
    time: String,
    zone: String,
    weekday: &'static str,
    text: String,
    unix: i64,
}

impl Moment {
    pub(crate) fn of(time: &Zoned) -> Self {
        let weekday = weekday(time);
        let offset = time.offset();
        let clock = time.datetime().time();
        let abbreviation = time.time_zone().to_offset_info(time.timestamp()).abbreviation().to_owned();
        Self {
            // RFC 3339: the date and the clock of the zone, then its offset.
            time: format!("{}{}", time.datetime(), rfc3339(offset)),
            zone: zone::name(time.time_zone()),
            weekday,
            text: format!(
                "{weekday}, {} {} {}, {:02}:{:02}:{:02} {abbreviation}",
                time.day(),
                month(time),
                time.year(),
                clock.hour(),
                clock.minute(),
                clock.second(),
            ),
            unix: time.timestamp().as_second(),
        }
    }
}

fn rfc3339(offset: jiff::tz::Offset) -> String {
    let minutes = offset.seconds().abs() / 60;
    let sign = if offset.is_negative() { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn weekday(time: &Zoned) -> &'static str {
    use jiff::civil::Weekday::*;
    match time.weekday() {
        Monday => "Monday",
        Tuesday => "Tuesday",
        Wednesday => "Wednesday",
        Thursday => "Thursday",
        Friday => "Friday",
        Saturday => "Saturday",
        Sunday => "Sunday",
    }
}

fn month(time: &Zoned) -> &'static str {
    const NAMES: [&str; 12] =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
    usize::try_from(time.month() - 1).ok().and_then(|index| NAMES.get(index)).copied().unwrap_or("")
}

/// This moment, in whole seconds.
pub(crate) fn now(zone: TimeZone) -> Zoned {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_zoned(zone)
}

/// A point in time as text. `zone` is the one it is meant in where the text names none.
pub(crate) fn parse(text: &str, zone: &TimeZone) -> Result<Zoned, Error> {
    let text = text.trim();
    word(text, zone)
        .or_else(|| unix(text, zone))
        .or_else(|| pieces(text, zone))
        .or_else(|| clock(text, zone))
        .or_else(|| rfc2822::parse(text).ok())
        .ok_or_else(|| {
            Error::invalid_input(format!(
                "cannot read {text:?} as a time: write 2026-03-31, 2026-03-31T14:30, 14:30, \
                 2026-03-31T14:30:00+02:00, now, today, tomorrow, yesterday, or seconds since 1970"
            ))
            .code("invalid_time")
        })
}

fn word(text: &str, zone: &TimeZone) -> Option<Zoned> {
    let now = now(zone.clone());
    let day = match text.to_ascii_lowercase().as_str() {
        "now" => return Some(now),
        "today" => now,
        "tomorrow" => now.tomorrow().ok()?,
        "yesterday" => now.yesterday().ok()?,
        _ => return None,
    };
    day.start_of_day().ok()
}

fn unix(text: &str, zone: &TimeZone) -> Option<Zoned> {
    // Four digits are a year or a clock rather than a minute of 1970.
    let number: i64 = (text.len() > 4).then(|| text.parse().ok())??;
    let timestamp = if number.abs() > UNIX_SECONDS_MAX { Timestamp::from_millisecond(number) } else { Timestamp::from_second(number) };
    Some(timestamp.ok()?.to_zoned(zone.clone()))
}

/// ISO 8601 with or without a clock, an offset and a `[Zone]`.
fn pieces(text: &str, zone: &TimeZone) -> Option<Zoned> {
    let pieces = Pieces::parse(text).ok()?;
    if pieces.time_zone_annotation().is_some() {
        return text.parse().ok();
    }
    let datetime = DateTime::from_parts(pieces.date(), pieces.time().unwrap_or(Time::midnight()));
    match pieces.offset() {
        None => datetime.to_zoned(zone.clone()).ok(),
        Some(PiecesOffset::Numeric(offset)) => datetime.to_zoned(TimeZone::fixed(offset.offset())).ok(),
        Some(_) => datetime.to_zoned(TimeZone::UTC).ok(),
    }
}

fn clock(text: &str, zone: &TimeZone) -> Option<Zoned> {
    // The parser would also take the clock out of a longer text.
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == ':' || c == '.');
    let clock: Time = plain.then(|| text.parse().ok())??;
    now(zone.clone()).date().to_datetime(clock).to_zoned(zone.clone()).ok()
}
