//! `now`, `todate` and `fromdate`: seconds since 1970 and ISO 8601 in UTC, the
//! way jq writes it. Anything more is the business of a calendar.

use std::time::{SystemTime, UNIX_EPOCH};

use jaq_core::{
    Error,
    native::{bome, v},
};
use jaq_json::{Num, Val};

use crate::functions::{Native, number, text};

const DAY_SECONDS: i64 = 86_400;

/// The year 9999 ends here; later ones have no four-digit form.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// Days from 1 March of the year 0 to 1970.
const EPOCH_DAYS: i64 = 719_468;

/// Days in 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

pub(crate) fn filters() -> Vec<Native> {
    vec![
        ("now", v(0), |_| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            bome(now.map(|since| Val::from(since.as_secs_f64())).map_err(Error::str))
        }),
        ("todateiso8601", v(0), |cv| bome(number(&cv.1).and_then(|seconds| Ok(Val::utf8_str(write(seconds)?))))),
        ("fromdateiso8601", v(0), |cv| {
            bome(text(&cv.1).and_then(|text| match read(text) {
                Some(seconds) => Ok(Val::Num(Num::from_integral(seconds))),
                None => Err(Error::str(format_args!("cannot read {} as a date like 2026-03-31T14:30:00Z", cv.1))),
            }))
        }),
    ]
}

fn write(seconds: f64) -> Result<String, Error<Val>> {
    if !(0.0..=SECONDS_MAX).contains(&seconds.abs()) {
        return Err(Error::str(format_args!("cannot write {seconds} seconds as a date")));
    }
    let seconds = seconds.floor() as i64;
    let (year, month, day) = date(seconds.div_euclid(DAY_SECONDS));
    let clock = seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// `YYYY-MM-DDTHH:MM:SS`, with a fraction that is dropped, and `Z`.
fn read(text: &[u8]) -> Option<i64> {
    let text = core::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = text.split_once('.').map_or(text, |(whole, _)| whole);
    let (day, clock) = text.split_once('T')?;
    let [year, month, day] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let days = days(year, month, day);
    let real = date(days) == (year, month, day) && hour < 24 && minute < 60 && second < 60;
    real.then_some(days * DAY_SECONDS + hour * 3600 + minute * 60 + second)
}

/// Three short numbers with signs between them.
fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let short = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        short.then(|| part.parse().ok())?
    });
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970 of a date. Years begin in March, so that the leap day is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS
}

/// The date of a day since 1970.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let (era, of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_its_date_are_each_others_inverse() {
        for day in (-800_000..2_900_000).step_by(13) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
    }

    #[test]
    fn only_real_dates_are_read() {
        assert_eq!(read(b"2026-11-22T02:03:04Z"), Some(1_795_312_984));
        assert_eq!(read(b"2026-11-22T02:03:04.5Z"), Some(1_795_312_984));
        for odd in ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-22", "2026-11-22T24:00:00Z", "x", "--TZ"] {
            assert_eq!(read(odd.as_bytes()), None, "{odd}");
        }
    }
}
