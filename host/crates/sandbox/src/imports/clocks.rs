//! The clocks that guests see: in whole milliseconds, standing still, or as a tape has them.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tool::tape::{Clock, Tape};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

const MILLISECOND: Duration = Duration::from_millis(1);

/// In a millisecond.
const NANOSECONDS: u64 = 1_000_000;

/// Where monotonic clocks begin, in nanoseconds. Not at zero: Go's runtime takes a
/// clock that shows zero for one that does not work, and ends the program.
const BEGIN: u64 = 1_000_000;

/// Clocks that run, in whole milliseconds: too coarse to time the processor's caches.
pub(crate) struct Coarse(Instant);

impl Coarse {
    /// The monotonic one begins now.
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl HostWallClock for Coarse {
    fn resolution(&self) -> Duration {
        MILLISECOND
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

impl HostMonotonicClock for Coarse {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_mul(1_000_000).saturating_add(BEGIN)
    }
}

/// Clocks that a tape listens to, or shows.
pub(crate) struct Taped {
    live: Coarse,
    tape: Arc<dyn Tape>,
}

impl Taped {
    pub(crate) fn new(tape: Arc<dyn Tape>) -> Self {
        Self { live: Coarse::new(), tape }
    }
}

impl HostWallClock for Taped {
    fn resolution(&self) -> Duration {
        MILLISECOND
    }

    fn now(&self) -> Duration {
        let live = u64::try_from(HostWallClock::now(&self.live).as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.tape.reading(Clock::Wall, live))
    }
}

impl HostMonotonicClock for Taped {
    fn resolution(&self) -> u64 {
        HostMonotonicClock::resolution(&self.live)
    }

    fn now(&self) -> u64 {
        let live = HostMonotonicClock::now(&self.live) / NANOSECONDS;
        self.tape.reading(Clock::Monotonic, live).saturating_mul(NANOSECONDS)
    }
}

/// Clocks that stand still at the beginning of 1970.
pub(crate) struct Frozen;

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        MILLISECOND
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        BEGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_monotonic_clock_shows_zero() {
        assert!(HostMonotonicClock::now(&Coarse::new()) > 0);
        assert!(HostMonotonicClock::now(&Frozen) > 0);
    }
}
