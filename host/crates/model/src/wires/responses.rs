//! OpenAI's Responses, and what speaks it: llama.cpp, vLLM, OpenRouter, … The
//! one wire on which OpenAI's models keep their reasoning between tool calls.
//! Nothing is stored there: reasoning comes encrypted and goes back as it came.
//! Raw replies are the list of output items, in order.

mod items;
mod read;
mod request;
mod shapes;

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use egress::trusted::Client;
use session::Origin;

use self::read::Reply as Read;
use super::exchange::{Link, Question, Settings};
use super::is_under;
use super::json::cache_key;
use crate::error::{Error, Trouble};
use crate::prompt::Prompt;
use crate::reply::Reply;
use crate::{Model, Sink};

/// The wire's name.
pub const WIRE: &str = "openai-responses";

/// The version of the form in which raw replies are kept.
const FORMAT: u32 = 1;

/// A model behind Responses.
pub struct Responses {
    link: Link,
    origin: Origin,
    /// Under which items remember their form.
    key: &'static str,
    context_window: u64,
    stream_always: bool,
    /// Whether a reply is held to its schema. Others take the format too, but llama.cpp does nothing with
    /// it: so the model is told in words as well.
    heeds_schema: bool,
    /// Whether encrypted reasoning is asked for. Models that do not reason refuse the wish; it is not made again then.
    encrypted: AtomicBool,
}

impl Responses {
    /// A model as the operator configured it.
    pub fn new(settings: Settings, client: Client) -> Self {
        let link = Link::new(&settings, client, "/responses");
        let origin = Origin { wire: WIRE.into(), provider: link.who.clone(), model: settings.model, format: FORMAT };
        let key = cache_key(&origin);
        let heeds_schema =
            settings.base_url.host().is_some_and(|host| is_under(host, &["openai.com", "openai.azure.com", "openrouter.ai"]));
        let (context_window, stream_always) = (settings.context_window, settings.stream_always);
        Self { link, origin, key, context_window, stream_always, heeds_schema, encrypted: AtomicBool::new(true) }
    }

    async fn once(&self, prompt: &Prompt<'_>, encrypted: bool, sink: Sink<'_>) -> Result<Reply, Error> {
        let stream = prompt.stream || self.stream_always;
        let body = Bytes::from(self.render(prompt, encrypted, stream));
        let question = Question { body, stream, retry: prompt.retry.copied().unwrap_or_default() };
        let place = prompt.items.len();
        let read = self.link.ask(question, || Read::new(&self.link.who, place, self.context_window), sink).await?;
        read.into_reply().map_err(|fault| fault.error)
    }
}

#[async_trait]
impl Model for Responses {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn context_window(&self) -> u64 {
        self.context_window
    }

    async fn ask(&self, prompt: &Prompt<'_>, sink: Sink<'_>) -> Result<Reply, Error> {
        let encrypted = self.encrypted.load(Ordering::Relaxed);
        match self.once(prompt, encrypted, &mut *sink).await {
            Err(error) if encrypted && knows_no_encryption(&error) => {
                tracing::info!(provider = %self.link.who, model = self.origin.model, "the model has no encrypted reasoning; asking without");
                self.encrypted.store(false, Ordering::Relaxed);
                self.once(prompt, false, sink).await
            }
            asked => asked,
        }
    }
}

/// Whether a refusal is about the wish for encrypted reasoning: "Encrypted content is not supported with this model."
fn knows_no_encryption(error: &Error) -> bool {
    let words = error.message.to_lowercase();
    error.trouble == Trouble::Refused && words.contains("encrypted") && words.contains("not supported")
}
