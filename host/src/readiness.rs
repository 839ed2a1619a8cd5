//! Whether the store answers, remembered for a moment: anybody may ask, and each
//! look is a write to the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// How long an answer counts. Probes that come more often than this share one.
const FRESH: Duration = Duration::from_secs(1);

/// The last answer. Whoever holds the lock is the one who looks.
pub(crate) struct Readiness {
    fresh: Duration,
    last: Arc<Mutex<Option<Answer>>>,
}

struct Answer {
    ready: bool,
    at: Instant,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { fresh: FRESH, last: Arc::default() }
    }
}

impl Readiness {
    /// The last answer while it is fresh, else a new one from `look`.
    pub(crate) async fn ask<F>(&self, look: F) -> bool
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let mut last = self.last.clone().lock_owned().await;
        if let Some(answer) = last.as_ref().filter(|answer| answer.at.elapsed() < self.fresh) {
            return answer.ready;
        }
        // A task of its own: a client that hangs up must not make the next one look again.
        let looking = tokio::spawn(async move {
            let ready = look.await;
            *last = Some(Answer { ready, at: Instant::now() });
            ready
        });
        looking.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Asks several times at once and tells how often somebody looked.
    async fn looks(readiness: Readiness) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let count = count.clone();
            readiness.ask(async move {
                tokio::task::yield_now().await;
                count.fetch_add(1, Ordering::Relaxed);
                true
            })
        };
        assert_eq!(tokio::join!(ask(), ask(), ask()), (true, true, true));
        count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn those_who_ask_within_a_moment_share_one_look() {
        assert_eq!(looks(Readiness { fresh: Duration::from_secs(3_600), ..Readiness::default() }).await, 1);
    }

    #[tokio::test]
    async fn an_answer_that_is_no_longer_fresh_is_not_given_again() {
        assert_eq!(looks(Readiness { fresh: Duration::ZERO, ..Readiness::default() }).await, 3);
    }
}
