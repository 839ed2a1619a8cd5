//! The threads that guests run on, apart from those of sessions and requests, in
//! two lanes. A call begins in the quick one; when a tick finds it computing, it
//! moves to the patient one, whose threads stand back behind all others. A
//! plugin whose last call was long begins there. However many guests spin, a
//! short call finds a thread that is free.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;

use rustix::process::nice;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};

use crate::error::Error;
use crate::meter::Cpu;

/// Processor time after which a call is long: less than a tick, so that the
/// first one finds every spinning guest.
const QUICK_US: u64 = 5_000;

/// How much the threads of long calls step back behind the others: they still
/// get a quarter of a busy processor.
const NICENESS: i32 = 5;

/// In which lane a call begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Nothing speaks against it.
    Quick,
    /// The plugin's last call was long.
    Patient,
}

/// What is known of a plugin's calls: whether the last one was long.
#[derive(Debug, Default)]
pub(crate) struct Habit(AtomicBool);

impl Habit {
    /// Where the next call begins.
    pub(crate) fn lane(&self) -> Lane {
        if self.0.load(Ordering::Relaxed) { Lane::Patient } else { Lane::Quick }
    }

    /// A call used so much processor time, and has ended or goes on.
    pub(crate) fn learn(&self, cpu_us: u64) {
        self.0.store(cpu_us >= QUICK_US, Ordering::Relaxed);
    }
}

/// Both lanes.
pub(crate) struct Lanes {
    quick: Option<Runtime>,
    patient: Option<Runtime>,
}

impl Lanes {
    /// One quick thread for each processor, and one patient thread fewer: a
    /// processor is left on which a short call need not even push another aside.
    pub(crate) fn start() -> Result<Self, Error> {
        let workers = thread::available_parallelism().map_or(1, |n| n.get());
        let lane = |name: &str, workers: usize| {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(workers.max(1)).thread_name(name).enable_all();
            builder
        };
        let failed = |error| Error::Engine(format!("cannot start the threads that guests run on: {error}"));
        let quick = lane("guest", workers).build().map_err(failed)?;
        let patient = lane("guest-patient", workers - 1).on_thread_start(step_back).build().map_err(failed)?;
        Ok(Self { quick: Some(quick), patient: Some(patient) })
    }

    /// Where to spawn short work of ours.
    pub(crate) fn quick(&self) -> &Handle {
        self.quick.as_ref().expect("taken only when dropped").handle()
    }

    /// Runs a call whose processor time is counted by `cpu`. Dropping the answer ends it at its next tick.
    pub(crate) fn run<F: Future<Output: Send> + Send + 'static>(&self, habit: Arc<Habit>, cpu: Cpu, call: F) -> Running<F::Output> {
        let patient = self.patient.as_ref().expect("taken only when dropped").handle().clone();
        Running(Ended(match habit.lane() {
            Lane::Quick => self.quick().spawn(Laned { habit, cpu, patient, quick: Some(Box::pin(call)), moved: None }),
            Lane::Patient => patient.spawn(async { Ok(call.await) }),
        }))
    }
}

impl Drop for Lanes {
    /// Without waiting: a runtime may not be waited for inside another one.
    fn drop(&mut self) {
        self.quick.take().into_iter().chain(self.patient.take()).for_each(Runtime::shutdown_background);
    }
}

/// On Linux this is each thread's own. Where it is refused, long calls are as important as short ones.
fn step_back() {
    let _ = nice(NICENESS);
}

/// A call in one of the lanes.
pub(crate) struct Running<T>(Ended<Result<T, JoinError>>);

impl<T> Future for Running<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|joined| joined.and_then(|ran| ran))
    }
}

/// A task that ends when nobody waits for it any more.
struct Ended<T>(JoinHandle<T>);

impl<T> Future for Ended<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A call that changes lanes once it has computed for a while.
struct Laned<F: Future> {
    habit: Arc<Habit>,
    cpu: Cpu,
    patient: Handle,
    /// The call, as long as it is in the quick lane.
    quick: Option<Pin<Box<F>>>,
    /// The call, once it is in the patient one.
    moved: Option<Ended<F::Output>>,
}

impl<F: Future<Output: Send> + Send + 'static> Future for Laned<F> {
    type Output = Result<F::Output, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Another call may have been found out while this one waited for a thread.
        if let Some(call) = &mut this.quick
            && (this.cpu.used_us() > 0 || this.habit.lane() == Lane::Quick)
        {
            match call.as_mut().poll(context) {
                Poll::Ready(output) => return Poll::Ready(Ok(output)),
                Poll::Pending if this.cpu.used_us() < QUICK_US => return Poll::Pending,
                Poll::Pending => this.habit.learn(this.cpu.used_us()),
            }
        }
        let moved = match this.quick.take() {
            Some(call) => this.moved.insert(Ended(this.patient.spawn(call))),
            None => match &mut this.moved {
                Some(moved) => moved,
                None => return Poll::Pending,
            },
        };
        Pin::new(moved).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_begins_where_its_last_call_belonged() {
        let habit = Habit::default();
        assert_eq!(habit.lane(), Lane::Quick);
        habit.learn(200_000);
        assert_eq!(habit.lane(), Lane::Patient);
        habit.learn(300);
        assert_eq!(habit.lane(), Lane::Quick);
    }
}
