//! Dates and clock times for a model that knows neither today's date nor when
//! summer time begins. The IANA time zones are part of the component. No
//! calendars but the Gregorian one, and no holidays.

mod add;
mod convert;
mod difference;
mod moment;
mod now;
mod zone;

use crate::{add::TimeAdd, convert::TimeConvert, difference::TimeDifference, now::TimeNow};

wardian_plugin::export!(TimeNow, TimeConvert, TimeDifference, TimeAdd);

#[cfg(test)]
mod tests;
