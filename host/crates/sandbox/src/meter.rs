//! Processor time of one call: the clock of the thread, read around every poll
//! of the guest. What waits costs nothing; what spins is seen at the next tick.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use rustix::time::{ClockId, clock_gettime};

/// How much processor time a call has used. Written by the thread that polls
/// the guest and read from inside that poll.
#[derive(Clone, Default)]
pub(crate) struct Cpu(Arc<Used>);

#[derive(Default)]
struct Used {
    before_ns: AtomicU64,
    poll_began_ns: AtomicU64,
}

impl Cpu {
    /// All of it so far, in nanoseconds, counting the poll that runs now. Only
    /// for use from within a poll of the metered future.
    pub(crate) fn now_ns(&self) -> u64 {
        let poll = thread_ns().saturating_sub(self.0.poll_began_ns.load(Ordering::Relaxed));
        self.0.before_ns.load(Ordering::Relaxed) + poll
    }

    /// What finished polls used, in microseconds.
    pub(crate) fn used_us(&self) -> u64 {
        self.0.before_ns.load(Ordering::Relaxed) / 1_000
    }

    /// The future, with its polls counted here.
    pub(crate) fn meter<F: Future>(&self, future: F) -> Metered<F> {
        Metered { cpu: self.clone(), future: Box::pin(future) }
    }
}

/// A future whose processor time is counted.
pub(crate) struct Metered<F> {
    cpu: Cpu,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = thread_ns();
        self.cpu.0.poll_began_ns.store(began, Ordering::Relaxed);
        let polled = self.future.as_mut().poll(context);
        self.cpu.0.before_ns.fetch_add(thread_ns().saturating_sub(began), Ordering::Relaxed);
        polled
    }
}

fn thread_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    (now.tv_sec as u64).saturating_mul(1_000_000_000) + now.tv_nsec as u64
}
