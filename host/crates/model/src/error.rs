//! How asking a model can fail.

/// A failed question.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What it means for the turn.
    pub trouble: Trouble,
    /// For the operator: provider, status, the provider's words; no key, no prompt.
    pub message: String,
}

/// What a failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The prompt does not fit the model's window.
    Overflow {
        /// The window, where the provider named it.
        limit: Option<u64>,
        /// The prompt's size, where the provider named it.
        actual: Option<u64>,
    },
    /// The request, the key, the rights or the money are wrong: asking again changes nothing.
    Refused,
    /// It may pass; the retries are used up.
    Unavailable {
        /// How long the provider asked to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The provider answered nonsense.
    Nonsense,
}
