//! How often: requests by key, wrong keys by address. Both in memory, per server.
//!
//! Wrong keys never shut out right ones from the same address: behind a proxy
//! that would let anybody lock everybody out, and a key has 256 random bits.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use session::Uid;

use crate::errors::{Code, Error, Result};
use crate::limits::Limits;

/// Checks between two clean-ups of those who have not come lately.
const CLEANING: u32 = 10_000;

/// The limiters.
pub(crate) struct Rate {
    clock: DefaultClock,
    requests: DefaultKeyedRateLimiter<Uid>,
    failures: DefaultKeyedRateLimiter<IpAddr>,
    checks: AtomicU32,
}

impl Rate {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            clock: DefaultClock::default(),
            requests: RateLimiter::keyed(Quota::per_minute(limits.requests_per_minute)),
            failures: RateLimiter::keyed(Quota::per_minute(limits.failures_per_minute)),
            checks: AtomicU32::new(0),
        }
    }

    /// One more request of a key.
    pub(crate) fn request(&self, key: Uid) -> Result<()> {
        self.clean();
        let Err(until) = self.requests.check_key(&key) else { return Ok(()) };
        let wait = until.wait_time_from(self.clock.now()).as_secs() + 1;
        Err(Error::new(Code::RateLimitExceeded, format!("this key sends too many requests; try again in {wait} s")).retry_after(wait))
    }

    /// One more wrong key from an address: the answer it gets. An IPv6 network of 64 bits counts as one address.
    pub(crate) fn failure(&self, address: Option<IpAddr>) -> Error {
        self.clean();
        let address = address.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), network);
        match self.failures.check_key(&address) {
            Ok(()) => Error::new(Code::Unauthorized, "the API key is wrong or revoked; send a valid one as x-api-key"),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now()).as_secs() + 1;
                let why = format!("too many wrong API keys from this address; try again in {wait} s");
                Error::new(Code::RateLimitExceeded, why).retry_after(wait)
            }
        }
    }

    fn clean(&self) {
        if self.checks.fetch_add(1, Ordering::Relaxed) % CLEANING == CLEANING - 1 {
            self.requests.retain_recent();
            self.failures.retain_recent();
        }
    }
}

/// Whom an address stands for: who has one IPv6 address has 2^64 of them.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn a_key_that_asks_too_often_is_told_when_to_come_back() {
        let two = NonZeroU32::new(2).unwrap();
        let rate = Rate::new(&Limits { requests_per_minute: two, ..Limits::default() });
        let (one, other) = (Uid([1; 16]), Uid([2; 16]));
        assert!(rate.request(one).is_ok() && rate.request(one).is_ok());
        assert_eq!(rate.request(one).unwrap_err().code(), Code::RateLimitExceeded);
        assert!(rate.request(other).is_ok());
    }

    #[test]
    fn wrong_keys_are_answered_401_and_then_429() {
        let rate = Rate::new(&Limits::default());
        let address = Some("2001:db8::1".parse().unwrap());
        let neighbour = Some("2001:db8::ffff".parse().unwrap());
        for _ in 0..20 {
            assert_eq!(rate.failure(address).code(), Code::Unauthorized);
        }
        assert_eq!(rate.failure(neighbour).code(), Code::RateLimitExceeded);
        assert_eq!(rate.failure(Some("192.0.2.1".parse().unwrap())).code(), Code::Unauthorized);
    }
}
