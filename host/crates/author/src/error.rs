//! What went wrong for an author, in one sentence: the file, the reason, the next step.

use std::path::Path;

/// What this crate's functions answer with.
pub type Result<T> = std::result::Result<T, Error>;

/// Something that an author has to mend.
#[derive(Debug, thiserror::Error)]
#[error("{subject}: {reason}; {next}{}{words}", if words.is_empty() { "" } else { "\n" })]
pub struct Error {
    /// The file, or the tool that was to work on it.
    pub subject: String,
    /// What is wrong with it.
    pub reason: String,
    /// What would help: a command where there is one.
    pub next: String,
    /// A compiler's own words, below the sentence.
    pub words: String,
}

impl Error {
    /// About a file.
    pub fn at(file: &Path, reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self::of(file.display().to_string(), reason, next)
    }

    /// About something that is no file.
    pub fn of(subject: impl Into<String>, reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self { subject: subject.into(), reason: reason.into(), next: next.into(), words: String::new() }
    }

    /// With what a compiler said.
    #[must_use]
    pub fn saying(mut self, words: impl Into<String>) -> Self {
        self.words = words.into();
        self
    }
}
