//! `time_now`: what day and time it is.

use serde::Deserialize;
use wardian_plugin::{Data, Error, Tool, Traits};

use crate::{
    moment::{Moment, now},
    zone::zone,
};

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct TimeNow {
    #[serde(default = "utc")]
    zone: String,
}

/// The zone where none is named.
pub(crate) fn utc() -> String {
    "UTC".into()
}

impl Tool for TimeNow {
    const NAME: &str = "time_now";
    const DESCRIPTION: &str = "Tell the current date and time: what time is it now, what day is today, what year it is, \
        in any city or time zone. Use it whenever an answer depends on today's date or the present time.";
    const INPUT: &str = include_str!("../tools/time_now.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/moment.output.json"));
    // Not idempotent: a repeated call gives a later time.
    const TRAITS: Traits = Traits::READ_ONLY.union(Traits::ADDITIVE).union(Traits::CLOSED_WORLD);
    const ANNOTATIONS: Option<&str> = Some(r#"{"title": "Current time", "examples": [{"input": {"zone": "Europe/Berlin"}}]}"#);
    type Answer = Data<Moment>;

    fn run(self) -> Result<Self::Answer, Error> {
        Ok(Data(Moment::of(&now(zone(&self.zone)?))))
    }
}
