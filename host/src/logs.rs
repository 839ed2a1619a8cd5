//! The log: structured lines on standard error.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts it. Once a process.
pub(crate) fn start(format: LogFormat, level: &str) -> anyhow::Result<()> {
    let filter: EnvFilter = level.parse().with_context(|| format!("{level:?} is no log level; write info, or warn,sandbox=debug"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}
