//! What the machine around the guest would show: variables, arguments, input; and the cache.

use serde::Deserialize;
use serde_json::{Value, json};
use wasip2::cli::{environment, stdin};
use wasip2::io::streams::StreamError;

use crate::Outcome;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Machine {
    Env,
    Args,
    Cwd,
    Stdin,
    /// Writes a file of this many bytes into the cache, under a name.
    Cache(String, usize),
    /// Waits this many milliseconds inside the host.
    Sleep(u64),
}

impl Machine {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Env => Ok(json!(environment::get_environment())),
            Self::Args => Ok(json!(environment::get_arguments())),
            Self::Cwd => Ok(json!(environment::initial_cwd())),
            Self::Cache(name, bytes) => {
                wardian_plugin::cache::write(&name, &vec![b'x'; bytes]).map(|()| Value::Null).map_err(|error| format!("{error:?}"))
            }
            Self::Stdin => match stdin::get_stdin().blocking_read(1024) {
                Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned().into()),
                Err(StreamError::Closed) => Ok(Value::Null),
                Err(StreamError::LastOperationFailed(error)) => Err(error.to_debug_string()),
            },
            Self::Sleep(ms) => {
                wasip2::clocks::monotonic_clock::subscribe_duration(ms.saturating_mul(1_000_000)).block();
                Ok(Value::Null)
            }
        }
    }
}
