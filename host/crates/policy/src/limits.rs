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
/// Upper end for `fuel`: hours of computing, which the wall clock ends long before.
const FUEL_MAX: u64 = 1 << 53;
/// Upper end for `host-calls`: a call costs at least some tens of nanoseconds, so this is many seconds of the host's time.
const HOST_CALLS_MAX: u32 = 1_000_000_000;
/// Upper end for `handles`: each may cost the host some kilobytes.
const HANDLES_MAX: u32 = 10_000;
/// Upper end for `connections`: each is a descriptor of the server's own.
const CONNECTIONS_MAX: u32 = 256;
/// Upper end for `requests`.
const REQUESTS_MAX: u32 = 100_000;
/// Upper end for `headers`: both sides of a message are held in memory.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Upper end for `sent` and `received`.
const TRANSFER_BYTES_MAX: u64 = 64 << 30;

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
    /// A deterministic budget of computing, in wasmtime's units of fuel; none is no bound.
    pub fuel: Option<u64>,
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
            fuel: None,
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
            fuel: file.fuel.or(self.fuel),
            host_calls: file.host_calls.unwrap_or(self.host_calls),
            handles: file.handles.unwrap_or(self.handles),
            connections: file.connections.unwrap_or(self.connections),
            requests: file.requests.unwrap_or(self.requests),
            header_bytes: file.headers.map_or(self.header_bytes, |it| it.0),
            sent_bytes: file.sent.map_or(self.sent_bytes, |it| it.0),
            received_bytes: file.received.map_or(self.received_bytes, |it| it.0),
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
        check("fuel", self.fuel.is_none_or(|fuel| (1..=FUEL_MAX).contains(&fuel)), "between 1 and 2^53");
        check("host-calls", (1..=HOST_CALLS_MAX).contains(&self.host_calls), "between 1 and 1000000000");
        check("handles", (1..=HANDLES_MAX).contains(&self.handles), "between 1 and 10000");
        check("connections", (1..=CONNECTIONS_MAX).contains(&self.connections), "between 1 and 256");
        check("requests", self.requests <= REQUESTS_MAX, "at most 100000");
        check("headers", (1 << 10..=HEADER_BYTES_MAX).contains(&self.header_bytes), "between 1KiB and 1MiB");
        check("sent", self.sent_bytes <= TRANSFER_BYTES_MAX, "at most 64GiB");
        check("received", self.received_bytes <= TRANSFER_BYTES_MAX, "at most 64GiB");
        check("at-once", (1..=AT_ONCE_MAX).contains(&self.at_once), "between 1 and 1024");
        faults
    }
}
