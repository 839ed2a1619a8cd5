//! Language models: one trait, one file per wire. A model is asked with a
//! prompt and answers with a reply; live pieces go to a sink meanwhile.

pub mod error;
pub mod prompt;
pub mod reply;

pub use error::{Error, Trouble};
pub use prompt::{Prompt, ToolList};
pub use reply::{Delta, Finish, Reply};

use async_trait::async_trait;
use session::Origin;

/// Where live pieces of a reply go; called in order, from the task that asks. Must not block.
pub type Sink<'a> = &'a mut (dyn FnMut(Delta) + Send);

/// A language model behind some wire.
#[async_trait]
pub trait Model: Send + Sync {
    /// Where its replies come from: decides what may be replayed raw.
    fn origin(&self) -> &Origin;

    /// The window in tokens, 0 where nobody knows.
    fn context_window(&self) -> u64;

    /// Asks once, with the retries of the wire inside. Called once a step. Dropping
    /// the future ends the request. A reply is whole or an error: a stream that
    /// was cut is an error, whatever it had brought.
    async fn ask(&self, prompt: &Prompt<'_>, sink: Sink<'_>) -> Result<Reply, Error>;
}
