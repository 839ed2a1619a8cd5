//! The data of one call's store: what WASI and our own imports work on. Lives
//! for one call and dies with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::Limits;
use tool::Content;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::call_log::CallLog;
use crate::command::Output;
use crate::imports::files::Files;
use crate::imports::http::Requests;
use crate::limiter::Memory;
use crate::meter::Cpu;
use crate::reach::Reach;

/// How much larger than a message's header may be the guest's draft of one: what
/// is sent is refused with a code, where a draft that is too large ends the guest.
/// A draft is also counted with what the host needs to hold it.
const FIELDS_PER_HEADER: u64 = 4;

/// What a guest that gets nothing has: during `describe` there is no call, no caller and no grant.
pub(crate) struct Guest {
    pub wasi: WasiCtx,
    pub table: ResourceTable,
    pub http: WasiHttpCtx,
    pub requests: Requests,
    pub files: Files,
    pub memory: Memory,
    pub cpu: Cpu,
    pub log: CallLog,
    pub limits: Limits,
    pub deadline: Instant,
    /// Why we ended the guest, where it was us. Set before the trap.
    pub cause: Option<Cause>,
    /// Parts handed over while the guest ran.
    pub emitted: Vec<Content>,
    pub emitted_bytes: u64,
    pub host_calls: u64,
    /// Whether the instance came to be: what fails before is our fault.
    pub instantiated: bool,
    /// What this call may reach; none during `describe`.
    pub reach: Option<Box<Reach>>,
    /// Where a command's standard output goes; others log theirs.
    pub output: Option<Output>,
}

/// A limit of ours that ended the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    Cpu,
    Output,
    HostCalls,
}

/// The error by which an import ends the guest; the cause stands in the guest's data.
#[derive(Debug, thiserror::Error)]
#[error("the guest was ended by a limit")]
pub(crate) struct Ended;

/// What a guest is made of.
pub(crate) struct Parts {
    pub wasi: WasiCtx,
    pub requests: Requests,
    pub files: Files,
    pub log: CallLog,
    pub limits: Limits,
    pub deadline: Instant,
    pub cpu: Cpu,
    pub reach: Option<Box<Reach>>,
}

impl Guest {
    /// A guest that has done nothing yet.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { wasi, requests, files, log, limits, deadline, cpu, reach } = parts;
        let mut http = WasiHttpCtx::new();
        let fields = limits.header_bytes.saturating_mul(FIELDS_PER_HEADER);
        http.set_field_size_limit(usize::try_from(fields).unwrap_or(usize::MAX));
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        Self {
            wasi,
            table,
            http,
            requests,
            files,
            memory: Memory::new(limits.memory_bytes),
            cpu,
            log,
            limits,
            deadline,
            cause: None,
            emitted: Vec::new(),
            emitted_bytes: 0,
            host_calls: 0,
            instantiated: false,
            reach,
            output: None,
        }
    }

    /// Counts one crossing into the host: calls of our imports and of WASI, growth
    /// of memory and tables, handles made and dropped. Over the budget it ends the guest.
    pub(crate) fn enter(&mut self) -> wasmtime::Result<()> {
        self.host_calls += 1;
        if self.host_calls > u64::from(self.limits.host_calls) {
            return Err(self.end(Cause::HostCalls));
        }
        Ok(())
    }

    /// Takes a crossing back that was ours: a tick of the epochs.
    pub(crate) fn ticked(&mut self) {
        self.host_calls = self.host_calls.saturating_sub(1);
    }

    /// Ends the guest, for this reason.
    pub(crate) fn end(&mut self, cause: Cause) -> wasmtime::Error {
        self.cause.get_or_insert(cause);
        wasmtime::Error::from(Ended)
    }

    /// What is left of the call's time.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether the call has used up its processor time. Only from within a poll.
    pub(crate) fn over_cpu(&self) -> bool {
        u128::from(self.cpu.now_ns()) > self.limits.cpu.as_nanos()
    }
}

/// What any part counts for, so that their number is bounded too: about what the
/// JSON around one takes in the journal and in the prompt.
const PART_BYTES_MIN: u64 = 32;

/// The bytes that a part counts for.
pub(crate) fn part_bytes(part: &Content) -> u64 {
    let bytes = match part {
        Content::Text(text) | Content::Data(text) => text.len(),
        Content::Blob { media_type, name, bytes } => media_type.len() + name.as_ref().map_or(0, String::len) + bytes.len(),
        Content::Other { kind, body } => kind.len() + body.len(),
    };
    (bytes as u64).max(PART_BYTES_MIN)
}

/// The name of a plugin as it is shared by everything that logs about it.
pub(crate) type PluginName = Arc<str>;

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.requests, table: &mut self.table, ctx: &mut self.http }
    }
}
