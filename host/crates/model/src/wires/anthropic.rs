//! Anthropic's Messages, and what speaks it: llama.cpp, OpenRouter, LiteLLM, …
//! Raw replies are the list of content blocks, in order, with signatures.

mod read;
mod request;

use async_trait::async_trait;
use bytes::Bytes;
use egress::trusted::Client;
use http::HeaderValue;
use session::Origin;

use self::read::Message;
use super::exchange::{Link, Question, Settings};
use super::json::cache_key;
use crate::error::Error;
use crate::prompt::Prompt;
use crate::reply::Reply;
use crate::{Model, Sink};

/// The wire's name.
pub const WIRE: &str = "anthropic-messages";

/// The version of the form in which raw replies are kept.
const FORMAT: u32 = 1;

/// The protocol's version, which every request names.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// How often a reply that the provider paused is taken up again; more is a provider that never comes to an end.
const PAUSES_MAX: usize = 4;

/// A model behind Messages.
pub struct Anthropic {
    link: Link,
    origin: Origin,
    /// Under which items remember their form.
    key: &'static str,
    context_window: u64,
    stream_always: bool,
}

impl Anthropic {
    /// A model as the operator configured it. The base address may end with `/v1` or stop before it; both are usual.
    pub fn new(mut settings: Settings, client: Client) -> Self {
        settings.headers.entry("anthropic-version").or_insert(VERSION);
        let path = if settings.base_url.path().trim_end_matches('/').ends_with("/v1") { "/messages" } else { "/v1/messages" };
        let link = Link::new(&settings, client, path);
        let origin = Origin { wire: WIRE.into(), provider: link.who.clone(), model: settings.model, format: FORMAT };
        let key = cache_key(&origin);
        Self { link, origin, key, context_window: settings.context_window, stream_always: settings.stream_always }
    }
}

#[async_trait]
impl Model for Anthropic {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn context_window(&self) -> u64 {
        self.context_window
    }

    async fn ask(&self, prompt: &Prompt<'_>, sink: Sink<'_>) -> Result<Reply, Error> {
        let stream = prompt.stream || self.stream_always;
        let retry = prompt.retry.copied().unwrap_or_default();
        let mut message = Message::new(&self.link.who, prompt.items.len(), self.context_window);
        for _ in 0..=PAUSES_MAX {
            let body = Bytes::from(self.render(prompt, &message.blocks_so_far(), stream));
            let question = Question { body, stream, retry };
            message = self.link.ask(question, || message.taken_up(), &mut *sink).await?;
            if !message.is_paused() {
                break;
            }
        }
        message.into_reply().map_err(|fault| fault.error)
    }
}
