//! When to ask a provider again: backoff with jitter, the provider's own wish as
//! the floor, and a bound on all the waiting of one question.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use session::Retry;

/// The longest all waits of one question may take together; a turn must end in a time that a person understands.
pub(crate) const WAITS_MAX: Duration = Duration::from_secs(600);

/// A provider that asks for a longer wait than this, and than the agent's own longest backoff, is not waited for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The waits of one question.
#[derive(Debug)]
pub(crate) struct Backoff {
    retry: Retry,
    made: u32,
    waited: Duration,
}

impl Backoff {
    /// A fresh one; the values are brought into the bounds of the Agents API.
    pub(crate) fn new(retry: Retry) -> Self {
        Self { retry, made: 0, waited: Duration::ZERO }
    }

    /// How long to wait before the next attempt, or none where there must not be one.
    /// `chance` is from 0 to 1 and spreads clients that failed together.
    pub(crate) fn next(&mut self, asked: Option<Duration>, chance: f64) -> Option<Duration> {
        let retry = &self.retry;
        if !retry.enabled || self.made >= retry.max_retries.min(10) {
            return None;
        }
        let longest = Duration::from_millis(retry.max_backoff_ms.min(300_000));
        let factor = if retry.backoff_factor.is_nan() { 1.0 } else { retry.backoff_factor.clamp(1.0, 10.0) };
        let factor = factor.powi(i32::try_from(self.made).unwrap_or(10));
        let backoff = Duration::from_millis(retry.initial_backoff_ms.min(60_000)).mul_f64(factor).min(longest);
        // Half of it is certain, half is chance.
        let backoff = backoff.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0));
        let wait = match asked {
            Some(asked) if asked > longest.max(RETRY_AFTER_MAX) => return None,
            Some(asked) => backoff.max(asked),
            None => backoff,
        };
        self.made += 1;
        self.waited += wait;
        (self.waited <= WAITS_MAX).then_some(wait)
    }
}

/// A number from 0 to 1 that differs from call to call and from process to process.
pub(crate) fn chance() -> f64 {
    RandomState::new().hash_one(0_u8) as f64 / u64::MAX as f64
}

/// The wait that an answer asks for: `retry-after-ms`, or `Retry-After` in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    if let Some(ms) = text("retry-after-ms").and_then(number) {
        return Duration::try_from_secs_f64(ms / 1_000.0).ok();
    }
    let value = text("retry-after")?;
    if let Some(seconds) = number(value) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_grow_to_the_longest_and_end_after_the_last_retry() {
        let retry = Retry { max_retries: 4, initial_backoff_ms: 1_000, max_backoff_ms: 3_000, ..Retry::default() };
        let mut backoff = Backoff::new(retry);
        let waits: Vec<_> = (0..5).map(|_| backoff.next(None, 1.0)).collect();
        assert_eq!(waits, [Some(SECOND), Some(2 * SECOND), Some(3 * SECOND), Some(3 * SECOND), None]);
        assert_eq!(Backoff::new(retry).next(None, 0.0), Some(SECOND / 2));
    }

    #[test]
    fn the_providers_wish_is_the_floor_until_it_is_absurd() {
        let mut backoff = Backoff::new(Retry::default());
        assert_eq!(backoff.next(Some(20 * SECOND), 1.0), Some(20 * SECOND));
        assert_eq!(backoff.next(Some(3_600 * SECOND), 1.0), None);
    }

    #[test]
    fn all_waits_together_are_bounded_and_disabled_means_never() {
        let retry = Retry { max_retries: 10, initial_backoff_ms: 60_000, max_backoff_ms: 300_000, backoff_factor: 10.0, enabled: true };
        let mut backoff = Backoff::new(retry);
        let waits: Vec<_> = std::iter::from_fn(|| backoff.next(None, 1.0)).collect();
        assert!(waits.iter().sum::<Duration>() <= WAITS_MAX && waits.len() == 2, "{waits:?}");
        assert_eq!(Backoff::new(Retry { enabled: false, ..retry }).next(None, 1.0), None);
        let odd = Retry { backoff_factor: f64::NAN, ..retry };
        assert!(Backoff::new(odd).next(None, 1.0).is_some());
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let now = httpdate::parse_http_date("Sun, 22 Nov 2026 10:00:00 GMT").unwrap();
        for (name, value, wait) in [
            ("retry-after", "7", Some(7 * SECOND)),
            ("retry-after", "1.5", Some(SECOND * 3 / 2)),
            ("retry-after", "Sun, 22 Nov 2026 10:00:30 GMT", Some(30 * SECOND)),
            ("retry-after", "Sun, 22 Nov 2026 09:00:00 GMT", Some(Duration::ZERO)),
            ("retry-after-ms", "250", Some(SECOND / 4)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("retry-after", "1e300", None),
        ] {
            let headers = HeaderMap::from_iter([(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), wait, "{name}: {value}");
        }
    }
}
