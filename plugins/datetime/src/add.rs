//! `time_add`: a point in time and a duration before or after it.

use jiff::Span;
use serde::Deserialize;
use wardian_plugin::{Data, Error, PURE, Tool, Traits};

use crate::{
    moment::{Moment, parse},
    now::utc,
    zone::zone,
};

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct TimeAdd {
    time: String,
    duration: String,
    #[serde(default = "utc")]
    zone: String,
}

impl Tool for TimeAdd {
    const NAME: &str = "time_add";
    const DESCRIPTION: &str = "Add a duration to a date or time, or subtract one: what date is 90 days from now, in 6 weeks, \
        3 months before a date, 36 hours later. Knows month lengths, leap years and daylight saving time.";
    const INPUT: &str = include_str!("../tools/time_add.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/moment.output.json"));
    const TRAITS: Traits = PURE;
    const ANNOTATIONS: Option<&str> = Some(
        r#"{"title": "Add to a date", "examples": [{
            "input": {"time": "2026-01-31", "duration": "1 month"},
            "output": {
                "time": "2026-02-28T00:00:00+00:00", "zone": "UTC", "weekday": "Saturday",
                "text": "Saturday, 28 February 2026, 00:00:00 UTC", "unix": 1772236800
            }
        }]}"#,
    );
    type Answer = Data<Moment>;

    fn run(self) -> Result<Self::Answer, Error> {
        let time = parse(&self.time, &zone(&self.zone)?)?;
        let span: Span = self.duration.trim().parse().map_err(|_| {
            Error::invalid_input(format!(
                "cannot read {:?} as a duration: write 90 days, 1 year 6 months, 36 hours, -2 weeks, 3 days ago or P1M2D",
                self.duration
            ))
            .code("invalid_duration")
        })?;
        let sum =
            time.checked_add(span).map_err(|error| Error::invalid_input(format!("cannot add {:?} to {time}: {error}", self.duration)))?;
        Ok(Data(Moment::of(&sum)))
    }
}
