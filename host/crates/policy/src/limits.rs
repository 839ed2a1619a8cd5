//! Every bound on one call of a plugin, in one struct. Each default is a named
//! constant with its reason; the operator changes those that the file has keys for.

use std::time::Duration;

use crate::file::LimitsFile;
use crate::units::Rate;

/// All memories and tables of a call together. Enough for the interpreters that
/// some languages ship inside their components; a pool of them fits a small machine.
pub const MEMORY_BYTES: u64 = 64 << 20;
/// Wall clock, waiting in the host included: no call may hold a turn for longer,
/// whether it computes, sleeps or waits for a slow server.
pub const TIME: Duration = Duration::from_secs(15);
/// Guest code alone: a tool that spins must not take a core from its neighbours for long.
pub const CPU: Duration = Duration::from_secs(3);
/// What a call may answer: more would only fill the model's context.
pub const OUTPUT_BYTES: u64 = 256 << 10;
/// Log and standard output: beyond it lines are dropped with one note, so that a
/// plugin cannot fill the disk.
pub const LOG_BYTES: u64 = 64 << 10;
/// Calls of one plugin at the same time: one plugin must not take every slot.
pub const AT_ONCE: u32 = 16;
/// Calls into the host in one call: a guest could keep the host busy with cheap ones.
pub const HOST_CALLS: u32 = 100_000;
/// Resources (streams, files, requests) that a call holds open at once: each costs host memory.
pub const HANDLES: u32 = 256;
/// Connections at once: a browser's bound towards one host, and no tool for flooding.
pub const CONNECTIONS: u32 = 6;
/// HTTP requests in one call.
pub const REQUESTS: u32 = 50;
/// Header names and values of one HTTP message, either way.
pub const HEADER_BYTES: u64 = 32 << 10;
/// Request bodies of one call together: bounds what a tool can carry out.
pub const SENT_BYTES: u64 = 8 << 20;
/// Response bodies of one call together: bounds what a server can pour in.
pub const RECEIVED_BYTES: u64 = 32 << 20;

/// The most that the sandbox has for one call; a larger limit would never be reached.
pub const MEMORY_BYTES_MAX: u64 = 512 << 20;
/// Upper end for times in the file.
const TIME_MAX: Duration = Duration::from_secs(3_600);
/// Upper end for `at-once`.
const AT_ONCE_MAX: u32 = 1_024;

/// Every bound on one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All memories and tables together.
    pub memory_bytes: u64,
    /// Wall clock, waiting in the host included.
    pub time: Duration,
    /// Guest code only.
    pub cpu: Duration,
    /// The whole answer.
    pub output_bytes: u64,
    /// Log, standard output and standard error together.
    pub log_bytes: u64,
    /// Calls of this plugin at the same time.
    pub at_once: u32,
    /// Calls in a span of time, per tenant; none is no bound.
    pub rate: Option<Rate>,
    /// Calls into the host.
    pub host_calls: u32,
    /// Resources held open at once.
    pub handles: u32,
    /// Outbound connections at once.
    pub connections: u32,
    /// Outbound requests.
    pub requests: u32,
    /// Headers of one message.
    pub header_bytes: u64,
    /// Request bodies together.
    pub sent_bytes: u64,
    /// Response bodies together.
    pub received_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: MEMORY_BYTES,
            time: TIME,
            cpu: CPU,
            output_bytes: OUTPUT_BYTES,
            log_bytes: LOG_BYTES,
            at_once: AT_ONCE,
            rate: None,
            host_calls: HOST_CALLS,
            handles: HANDLES,
            connections: CONNECTIONS,
            requests: REQUESTS,
            header_bytes: HEADER_BYTES,
            sent_bytes: SENT_BYTES,
            received_bytes: RECEIVED_BYTES,
        }
    }
}

impl Limits {
    /// These limits with what a section of the file says otherwise.
    pub(crate) fn with(self, file: &LimitsFile) -> Self {
        Self {
            memory_bytes: file.memory.map_or(self.memory_bytes, |it| it.0),
            time: file.time.map_or(self.time, |it| it.0),
            cpu: file.cpu.map_or(self.cpu, |it| it.0),
            output_bytes: file.output.map_or(self.output_bytes, |it| it.0),
            log_bytes: file.log.map_or(self.log_bytes, |it| it.0),
            at_once: file.at_once.unwrap_or(self.at_once),
            rate: file.rate.or(self.rate),
            ..self
        }
    }

    /// What is out of range, as (key, message) pairs.
    pub(crate) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut check = |key, fine: bool, range: &str| {
            if !fine {
                faults.push((key, format!("the limit must be {range}")));
            }
        };
        check("memory", (64 << 10..=MEMORY_BYTES_MAX).contains(&self.memory_bytes), "between 64KiB and 512MiB");
        check("time", !self.time.is_zero() && self.time <= TIME_MAX, "between 1ms and 1h");
        check("cpu", !self.cpu.is_zero() && self.cpu <= TIME_MAX, "between 1ms and 1h");
        check("output", (1..=64 << 20).contains(&self.output_bytes), "between 1B and 64MiB");
        check("log", self.log_bytes <= 64 << 20, "at most 64MiB");
        check("at-once", (1..=AT_ONCE_MAX).contains(&self.at_once), "between 1 and 1024");
        faults
    }
}
