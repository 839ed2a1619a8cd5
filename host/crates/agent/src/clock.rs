//! Time and randomness, as values for the rest.

use std::time::{SystemTime, UNIX_EPOCH};

use session::{Millis, Uid};

/// The server's clock and source of random bits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    /// Now, by the system's clock. Readers that need order clamp it to what they have seen.
    pub fn now(self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// A new identity.
    pub fn uid(self) -> Uid {
        Uid::new(self.now(), self.random())
    }

    /// Random bytes from the operating system.
    pub fn random<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes; without them no key is safe");
        bytes
    }
}
