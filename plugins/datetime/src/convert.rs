//! `time_convert`: one point in time on the clocks of another zone.

use serde::Deserialize;
use wardian_plugin::{Data, Error, PURE, Tool, Traits};

use crate::{
    moment::{Moment, parse},
    now::utc,
    zone::zone,
};

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct TimeConvert {
    time: String,
    #[serde(default = "utc")]
    from: String,
    to: String,
}

impl Tool for TimeConvert {
    const NAME: &str = "time_convert";
    const DESCRIPTION: &str = "Convert a date and time from one time zone to another: what time is it in Tokyo when it is \
        14:30 in Berlin. Knows daylight saving time. Also reads Unix timestamps and tells the weekday of a date.";
    const INPUT: &str = include_str!("../tools/time_convert.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/moment.output.json"));
    const TRAITS: Traits = PURE;
    const ANNOTATIONS: Option<&str> = Some(
        r#"{"title": "Convert time zones", "examples": [{
            "input": {"time": "2026-07-01 14:30", "from": "Europe/Berlin", "to": "Asia/Tokyo"},
            "output": {
                "time": "2026-07-01T21:30:00+09:00", "zone": "Asia/Tokyo", "weekday": "Wednesday",
                "text": "Wednesday, 1 July 2026, 21:30:00 JST", "unix": 1782909000
            }
        }]}"#,
    );
    type Answer = Data<Moment>;

    fn run(self) -> Result<Self::Answer, Error> {
        let time = parse(&self.time, &zone(&self.from)?)?;
        Ok(Data(Moment::of(&time.with_time_zone(zone(&self.to)?))))
    }
}
