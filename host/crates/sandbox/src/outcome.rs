//! How a call ended, from what the machine reports: one function from the
//! error and the guest's notes to the closed table of ends.

use tool::{Content, End, Reason, ToolError, TrapKind};
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::FieldMapError;

use crate::bindings::wardian::plugin::types;
use crate::guest::{Cause, Guest};
use crate::instance::COMPONENT_HANDLES_MAX;

/// What is kept of a tool's own error message.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// What is kept of a tool's own error code.
const CODE_BYTES_MAX: usize = 64;

/// The name of a function in a trap.
const FUNCTION_CHARS_MAX: usize = 200;

/// Why there is no answer of a guest that did its part, as an error of the machine: what ends a
/// call in the middle of it can be nothing else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The answer would be larger than it may be.
    #[error("the answer is too large")]
    TooLarge,
    /// It has no place in JSON.
    #[error("{0}")]
    Unfit(String),
}

/// The end of a guest that did not return. `last_words` is the end of its standard error.
pub(crate) fn classify(error: &wasmtime::Error, guest: &Guest, last_words: &str) -> End {
    let limits = &guest.limits;
    match guest.cause {
        Some(Cause::Cpu) => return End::Cpu(millis(limits.cpu)),
        Some(Cause::Output) => return End::Output(limits.output_bytes),
        Some(Cause::HostCalls) => return End::HostCalls(format!("more than {} calls into the host", limits.host_calls)),
        None => {}
    }
    match error.downcast_ref::<NoAnswer>() {
        Some(NoAnswer::TooLarge) => return End::Output(limits.output_bytes),
        Some(NoAnswer::Unfit(why)) => return End::InvalidOutput(why.clone()),
        None => {}
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return End::Exit(*status);
    }
    let trapped = error.downcast_ref::<Trap>();
    if trapped == Some(&Trap::OutOfFuel) {
        return End::Fuel(limits.fuel.unwrap_or_default());
    }
    // A guest that was refused memory aborts in a way of its language's own.
    if guest.memory.refused() {
        return End::Memory(limits.memory_bytes);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return End::Unavailable("the server is busy".into());
    }
    if error.chain().any(|cause| matches!(cause.downcast_ref(), Some(ResourceTableError::Full))) {
        return End::HostCalls(format!("more than {} handles on streams, files and requests at the same time", limits.handles));
    }
    if error.root_cause().to_string().contains(HANDLES_EXHAUSTED) {
        return End::HostCalls(format!("more than {COMPONENT_HANDLES_MAX} handles on resources of its own at the same time"));
    }
    if matches!(error.downcast_ref(), Some(FieldMapError::TotalSizeTooBig | FieldMapError::TooManyFields)) {
        return End::HostCalls(format!("a header far larger than the {} bytes of limits.headers", limits.header_bytes));
    }
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    if error.root_cause().to_string().contains(FUEL_EXHAUSTED) {
        return match backtrace {
            // Frames of guest code below: it was handing something to the host.
            Some(trace) if !trace.frames().is_empty() => End::HostCalls("more bytes in one call into the host than are allowed".into()),
            _ => End::Output(limits.output_bytes),
        };
    }
    match (trapped, backtrace.filter(|trace| !trace.frames().is_empty())) {
        (None, None) if guest.instantiated => End::InvalidOutput(format!("the answer cannot be read: {}", error.root_cause())),
        (None, None) => End::HostFault(format!("{error:#}")),
        (trap, trace) => {
            let mut kind = trap.map_or_else(|| error.root_cause().to_string(), |trap| trap.to_string());
            if let Some(plain) = kind.strip_prefix("wasm trap: ") {
                kind = plain.to_owned();
            }
            if !last_words.is_empty() {
                kind = format!("{kind} ({last_words})");
            }
            End::Trap(TrapKind { kind, function: trace.and_then(function) })
        }
    }
}

/// How wasmtime words it when a guest passes more to the host than it may; the type is its own.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls";

/// How wasmtime words it when a component holds more handles than it may; this, too, has no type of ours.
const HANDLES_EXHAUSTED: &str = "store handle limit exceeded";

/// The innermost function with a name.
fn function(trace: &WasmBacktrace) -> Option<String> {
    trace.frames().iter().find_map(|frame| {
        let name = frame.symbols().iter().find_map(|symbol| symbol.name()).or_else(|| frame.func_name())?;
        Some(demangled(name).chars().filter(|c| !c.is_control()).take(FUNCTION_CHARS_MAX).collect())
    })
}

/// As the author wrote it, where the compiler was Rust's or one for C++.
fn demangled(name: &str) -> String {
    if let Ok(name) = rustc_demangle::try_demangle(name) {
        return format!("{name:#}");
    }
    let plus = cpp_demangle::Symbol::new(name).ok().and_then(|symbol| symbol.demangle().ok());
    plus.unwrap_or_else(|| name.to_owned())
}

/// A failure that the tool reported, bounded.
pub(crate) fn tool_error(error: types::ToolError) -> ToolError {
    let reason = match error.reason {
        types::Reason::InvalidInput => Reason::InvalidInput,
        types::Reason::NotFound => Reason::NotFound,
        types::Reason::Unauthorized => Reason::Unauthorized,
        types::Reason::Refused => Reason::Refused,
        types::Reason::Unavailable => Reason::Unavailable,
        types::Reason::Failed => Reason::Failed,
    };
    let message = scrubbed(&error.message, MESSAGE_BYTES_MAX);
    let code = error.code.map(|code| scrubbed(&code, CODE_BYTES_MAX));
    ToolError { reason, message, code, retry_after_ms: error.retry_after }
}

/// The text without control characters other than line ends, cut at a limit.
fn scrubbed(text: &str, bytes_max: usize) -> String {
    let mut kept = String::new();
    for c in text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')) {
        if kept.len() + c.len_utf8() > bytes_max {
            break;
        }
        kept.push(c);
    }
    kept
}

/// A part in the vocabulary of tools.
pub(crate) fn content(part: types::Content) -> Content {
    match part {
        types::Content::Text(text) => Content::Text(text),
        types::Content::Data(json) => Content::Data(json),
        types::Content::Blob(blob) => Content::Blob { media_type: blob.media_type, name: blob.name, bytes: blob.bytes },
        types::Content::Other(other) => Content::Other { kind: other.kind, body: other.body },
    }
}

/// In whole milliseconds.
pub(crate) fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tools_message_is_bounded_and_scrubbed() {
        let error = types::ToolError {
            reason: types::Reason::Failed,
            message: format!("a\u{0}\u{1b}b{}", "é".repeat(5_000)),
            code: None,
            retry_after: Some(5),
        };
        let error = tool_error(error);
        assert!(error.message.starts_with("abé") && error.message.len() <= MESSAGE_BYTES_MAX);
    }

    #[test]
    fn mangled_names_are_read() {
        assert_eq!(demangled("_ZN4core9panicking5panic17h0123456789abcdefE"), "core::panicking::panic");
        assert_eq!(demangled("_RNvCsgStHSCytQ6I_7mycrate3foo"), "mycrate::foo");
        assert_eq!(demangled("_ZN5space3fooEibc"), "space::foo(int, bool, char)");
        assert_eq!(demangled("plain"), "plain");
    }
}
