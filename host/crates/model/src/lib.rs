//! Language models: one trait, one file per wire. A model is asked with a
//! prompt and answers with a reply; live pieces go to a sink meanwhile. Raw
//! replies, exact argument text and cached request bytes are what a turn stands on.
//!
//! ```
//! use model::{Model, Prompt, Scripted, ToolList};
//! use session::{Item, ItemBody};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let model = Scripted::parse("example", "[[turn]]\nreply = [{ text = 'Hello.' }]").unwrap();
//! let items = [Item::new(ItemBody::User { text: "Hi".into() })];
//! let (tools, parameters) = (ToolList::default(), serde_json::Map::new());
//! let prompt =
//!     Prompt { system: "", tools: &tools, items: &items, parameters: &parameters, retry: None, stream: false, output: None };
//! let reply = model.ask(&prompt, &mut |_delta| {}).await.unwrap();
//! assert_eq!(reply.text, "Hello.");
//! # });
//! ```

pub mod config;
pub mod detect;
pub mod error;
pub mod models;
pub mod offline;
mod piecewise;
pub mod prompt;
pub mod reply;
mod retry;
pub mod scripted;
mod sse;
pub mod wires;

use async_trait::async_trait;
use session::Origin;

pub use config::{ModelsFile, Problem, Surroundings};
pub use detect::detect;
pub use error::{Error, Trouble};
pub use models::Models;
pub use offline::Offline;
pub use prompt::{Prompt, ToolList};
pub use reply::{Delta, Finish, Reply};
pub use scripted::Scripted;

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
