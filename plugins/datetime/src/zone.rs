//! Time zones by the names that people use.

use jiff::tz::{self, TimeZone};
use wardian_plugin::Error;

/// How many zones an error suggests.
const SUGGESTIONS_MAX: usize = 5;

/// Part of a name that is enough to suggest a zone for.
const SUGGESTION_CHARS: usize = 3;

/// A zone by its IANA name (`Europe/Berlin`), by the city in it (`Berlin`), as
/// `UTC` or as an offset (`+02:00`).
pub(crate) fn zone(name: &str) -> Result<TimeZone, Error> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("z") || name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    if let Ok(zone) = TimeZone::get(name) {
        return Ok(zone);
    }
    if let Some(zone) = offset(name) {
        return Ok(zone);
    }
    let wanted = name.replace(' ', "_").to_ascii_lowercase();
    let city = tz::db().available().find(|known| city(known.as_str()) == wanted);
    match city.and_then(|known| TimeZone::get(known.as_str()).ok()) {
        Some(zone) => Ok(zone),
        None => Err(unknown(name, &wanted)),
    }
}

/// What to show for a zone: its name or its offset.
pub(crate) fn name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.into(),
        (None, Ok(offset)) => offset.to_string(),
        (None, Err(_)) => "unknown".into(),
    }
}

/// `+02:00`, `+2`, `UTC+2` or `GMT-03:30`.
fn offset(text: &str) -> Option<TimeZone> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-" | "−", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match (rest.split_once(':'), rest.len()) {
        (Some(parts), _) => parts,
        (None, 4) => rest.split_at_checked(2)?,
        (None, _) => (rest, "0"),
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let valid = (0..=25).contains(&hours) && (0..60).contains(&minutes);
    let seconds = valid.then_some(sign * (hours * 3600 + minutes * 60))?;
    Some(TimeZone::fixed(tz::Offset::from_seconds(seconds).ok()?))
}

fn city(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase()
}

fn unknown(name: &str, wanted: &str) -> Error {
    let part: String = wanted.chars().take(SUGGESTION_CHARS).collect();
    let near: Vec<String> = tz::db()
        .available()
        .filter(|known| !part.is_empty() && city(known.as_str()).starts_with(&part))
        .take(SUGGESTIONS_MAX)
        .map(|known| known.as_str().to_owned())
        .collect();
    let near = if near.is_empty() { String::new() } else { format!("; near: {}", near.join(", ")) };
    Error::not_found(format!(
        "there is no time zone {name:?}: use an IANA name such as Europe/Berlin, a large city, UTC or an offset such as +02:00{near}"
    ))
    .code("unknown_zone")
}
