//! How a tool says that it has no result.

use core::{fmt, time::Duration};

use crate::{
    Reason,
    bindings::wardian::plugin::types::ToolError,
    host::{cache, secrets, store},
};

/// A failure that the caller can act on. The constructors are the contract's six
/// reasons: choose by what the caller should do next. The message is for the
/// model: one or two sentences that say what was wrong and what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What the caller should do.
    pub reason: Reason,
    /// For the model.
    pub message: String,
    /// For programs: stable and short, the author's own vocabulary.
    pub code: Option<String>,
    /// When a retry makes sense.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// The model should correct its arguments.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(Reason::InvalidInput, message)
    }

    /// The thing named does not exist: choose another.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Reason::NotFound, message)
    }

    /// A credential or a grant is missing: the operator must act.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(Reason::Unauthorized, message)
    }

    /// Understood and refused: do not retry.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Reason::Refused, message)
    }

    /// Passing trouble: may be retried.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Reason::Unavailable, message)
    }

    /// Anything else.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Reason::Failed, message)
    }

    /// Adds a code for programs.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Says when a retry makes sense.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), code: None, retry_after: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Error {}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        Self {
            reason: error.reason,
            message: error.message,
            code: error.code,
            retry_after: error.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Denied => {
                Self::unauthorized("this plugin was granted no store, so nothing can be kept; the operator can grant one")
                    .code("not_granted")
            }
            store::Error::Quota(bytes) => {
                Self::refused(format!("the store is full: its quota is {bytes} bytes; delete something first")).code("quota")
            }
            store::Error::InvalidKey => {
                Self::invalid_input("the key must have 1 to 256 bytes and no control characters").code("invalid_key")
            }
            store::Error::Unavailable => Self::unavailable("the store cannot be reached just now"),
        }
    }
}

impl From<cache::Error> for Error {
    fn from(error: cache::Error) -> Self {
        match error {
            cache::Error::Denied => Self::unauthorized("this plugin was granted no cache; the operator can grant one").code("not_granted"),
            cache::Error::Quota(bytes) => Self::refused(format!("the cache is full: its quota is {bytes} bytes")).code("quota"),
            cache::Error::InvalidName => Self::failed("the plugin used an invalid cache name"),
            cache::Error::Unavailable => Self::unavailable("the cache cannot be reached just now"),
        }
    }
}

impl From<secrets::Denial> for Error {
    fn from(denial: secrets::Denial) -> Self {
        let message = match denial {
            secrets::Denial::Undeclared => "the operator named no such secret for this plugin",
            secrets::Denial::Denied => "the secret may be injected into requests, but not shown",
            secrets::Denial::Missing => "the secret is granted, but the operator has not set it",
        };
        Self::unauthorized(message).code("not_granted")
    }
}
