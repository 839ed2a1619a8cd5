//! Time and randomness, as values for the rest.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use session::{Millis, Uid};

/// The first 64 bits of the last uid: 48 of milliseconds, and 16 that count within one, as
/// RFC 9562 (section 6.2, method 1) describes it. The count carries over into the next millisecond.
static LAST_UID: AtomicU64 = AtomicU64::new(0);

/// The server's clock and source of random bits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    /// Now, by the system's clock. Readers that need order clamp it to what they have seen.
    pub fn now(self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// A new identity, greater than every one before it in this process: what is listed by age
    /// is listed in the order in which it was made, also within one millisecond and when the
    /// system's clock is set back.
    pub fn uid(self) -> Uid {
        let earliest = u64::try_from(self.now().0).unwrap_or_default() << 16;
        let later = |last: u64| Some(earliest.max(last + 1));
        let last = LAST_UID.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).unwrap_or_else(|last| last);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&earliest.max(last + 1).to_be_bytes());
        bytes[8..].copy_from_slice(&self.random::<8>());
        Uid(bytes)
    }

    /// Random bytes from the operating system.
    pub fn random<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes; without them no key is safe");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_rise_in_the_order_in_which_they_are_made() {
        let uids: Vec<Uid> = (0..100_000).map(|_| Clock.uid()).collect();
        assert!(uids.is_sorted_by(|one, next| one < next));
    }
}
