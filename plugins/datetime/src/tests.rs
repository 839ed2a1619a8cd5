//! The tools from arguments to answers.

use wardian_plugin::{Error, Reason, testing};

use crate::{describe, invoke};

fn call(tool: &str, input: &str) -> Result<testing::Value, Error> {
    invoke(tool, input).map(testing::data)
}

fn convert(time: &str, from: &str, to: &str) -> String {
    let input = format!(r#"{{"time": "{time}", "from": "{from}", "to": "{to}"}}"#);
    call("time_convert", &input).unwrap_or_else(|error| panic!("{time}: {error}"))["time"].as_str().unwrap().to_owned()
}

fn add(time: &str, duration: &str, zone: &str) -> Result<String, Error> {
    let input = format!(r#"{{"time": "{time}", "duration": "{duration}", "zone": "{zone}"}}"#);
    Ok(call("time_add", &input)?["time"].as_str().unwrap().to_owned())
}

fn count(from: &str, to: &str, unit: &str) -> f64 {
    let input = format!(r#"{{"from": "{from}", "to": "{to}", "unit": "{unit}"}}"#);
    call("time_difference", &input).unwrap()["total"].as_f64().unwrap()
}

#[test]
fn the_tools_keep_the_contract_and_their_examples() {
    testing::check(&describe(), invoke);
}

#[test]
fn now_is_the_clock_of_the_host_in_the_zone_asked_for() {
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();

    let answer = call("time_now", r#"{"zone": "Asia/Kolkata"}"#).unwrap();

    let unix = answer["unix"].as_u64().unwrap();
    assert!((before..before + 60).contains(&unix), "{answer}");
    assert!(answer["time"].as_str().unwrap().ends_with("+05:30"), "{answer}");
    assert_eq!(call("time_now", "{}").unwrap()["zone"], "UTC");
}

#[test]
fn summer_time_is_known_on_both_sides() {
    assert_eq!(convert("2026-01-15 12:00", "America/New_York", "Europe/London"), "2026-01-15T17:00:00+00:00");
    // America changes two weeks before Europe.
    assert_eq!(convert("2026-03-20 12:00", "America/New_York", "Europe/London"), "2026-03-20T16:00:00+00:00");
    assert_eq!(convert("2026-07-15 12:00", "Europe/London", "UTC"), "2026-07-15T11:00:00+00:00");
}

#[test]
fn a_time_is_read_in_the_forms_people_write() {
    for time in [
        "2026-07-01T14:30:00+02:00",
        "2026-07-01T12:30Z",
        "2026-07-01 14:30",
        "2026-07-01T14:30:00[Europe/Berlin]",
        "1782909000",
        "1782909000000",
        "Wed, 1 Jul 2026 14:30:00 +0200",
        " 2026-07-01 14:30 ",
    ] {
        assert_eq!(convert(time, "Europe/Berlin", "UTC"), "2026-07-01T12:30:00+00:00", "{time}");
    }
    assert!(convert("14:30", "Berlin", "Berlin").contains("T14:30:00"));
    assert!(convert("tomorrow", "Berlin", "Berlin").contains("T00:00:00"));
}

#[test]
fn a_zone_is_known_by_its_name_its_city_or_its_offset() {
    for (zone, expected) in [
        ("Asia/Tokyo", "+09:00"),
        ("asia/tokyo", "+09:00"),
        ("tokyo", "+09:00"),
        ("New York", "-05:00"),
        ("Los Angeles", "-08:00"),
        ("UTC", "+00:00"),
        ("z", "+00:00"),
        ("+05:30", "+05:30"),
        ("UTC-3", "-03:00"),
        ("GMT+0530", "+05:30"),
    ] {
        let time = convert("2026-01-15T00:00Z", "UTC", zone);
        assert!(time.ends_with(expected), "{zone}: {time}");
    }
}

#[test]
fn an_unknown_zone_gets_suggestions() {
    let error = call("time_now", r#"{"zone": "Berlim"}"#).unwrap_err();

    assert_eq!(error.reason, Reason::NotFound);
    assert!(error.message.contains("Europe/Berlin"), "{error}");
    assert!(call("time_now", r#"{"zone": "+99:00"}"#).is_err());
    assert!(call("time_now", r#"{"zone": "−"}"#).is_err());
}

#[test]
fn months_end_where_they_end() {
    assert_eq!(add("2024-01-31", "1 month", "UTC").unwrap(), "2024-02-29T00:00:00+00:00");
    assert_eq!(add("2026-03-31", "-1 month", "UTC").unwrap(), "2026-02-28T00:00:00+00:00");
    assert_eq!(add("2026-03-01", "2 weeks ago", "UTC").unwrap(), "2026-02-15T00:00:00+00:00");
    assert_eq!(add("2026-01-01T10:00", "P1DT2H", "UTC").unwrap(), "2026-01-02T12:00:00+00:00");
}

#[test]
fn a_day_is_a_calendar_day_and_24_hours_are_hours() {
    let before = "2026-03-28T12:00";
    assert_eq!(add(before, "1 day", "Europe/Berlin").unwrap(), "2026-03-29T12:00:00+02:00");
    assert_eq!(add(before, "24 hours", "Europe/Berlin").unwrap(), "2026-03-29T13:00:00+02:00");
}

#[test]
fn differences_are_counted_in_the_unit_asked_for() {
    assert_eq!(count("2026-01-01", "2026-01-31", "days"), 30.0);
    assert_eq!(count("2026-01-31", "2026-01-01", "days"), -30.0);
    assert_eq!(count("2000-02-29", "2026-02-27", "years").floor(), 25.0);
    assert_eq!(count("2026-01-01T08:00", "2026-01-01T09:30", "hours"), 1.5);
    assert_eq!(count("2026-01-01T08:00+01:00", "2026-01-01T08:00Z", "minutes"), 60.0);
}

#[test]
fn working_days_leave_out_weekends() {
    // 2 November 2026 is a Monday.
    assert_eq!(count("2026-11-02", "2026-11-09", "workdays"), 5.0);
    assert_eq!(count("2026-11-06", "2026-11-09", "workdays"), 1.0);
    assert_eq!(count("2026-11-07", "2026-11-09", "workdays"), 0.0);
    assert_eq!(count("2026-11-09", "2026-11-02", "workdays"), -5.0);
    assert_eq!(count("-009998-01-01", "9998-01-01", "workdays"), 5_216_707.0);
}

#[test]
fn what_is_no_time_or_duration_is_explained() {
    let time = call("time_convert", r#"{"time": "31/12/2026", "to": "UTC"}"#).unwrap_err();
    let duration = add("2026-01-01", "a while", "UTC").unwrap_err();
    let far = add("2026-01-01", "20000 years", "UTC").unwrap_err();

    assert_eq!(time.reason, Reason::InvalidInput);
    assert!(time.message.contains("write 2026-03-31"), "{time}");
    assert!(duration.message.contains("write 90 days"), "{duration}");
    assert_eq!(far.reason, Reason::InvalidInput);
    for odd in ["", "2026-02-30", "25:00", "99999999999999999999", "2026-01-01T00:00[Mars/Base]"] {
        let input = format!(r#"{{"time": "{odd}", "to": "UTC"}}"#);
        assert!(call("time_convert", &input).is_err(), "{odd}");
    }
}
