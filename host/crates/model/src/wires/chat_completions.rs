//! OpenAI's chat completions, and everything that speaks it: vLLM, Ollama,
//! llama.cpp, OpenRouter, Groq, DeepSeek, Mistral, Gemini's compatible end, …

mod calls;
mod read;
mod request;
mod shapes;

use async_trait::async_trait;
use bytes::Bytes;
use egress::trusted::Client;
use session::Origin;

use self::read::Reply as Read;
use super::exchange::{Link, Question, Settings};
use super::json::cache_key;
use crate::error::Error;
use crate::prompt::Prompt;
use crate::reply::Reply;
use crate::{Model, Sink};

/// The wire's name.
pub const WIRE: &str = "chat-completions";

/// The version of the form in which raw replies are kept.
const FORMAT: u32 = 1;

/// A model behind chat completions.
pub struct ChatCompletions {
    link: Link,
    origin: Origin,
    /// Under which items remember their form.
    key: &'static str,
    context_window: u64,
    stream_always: bool,
    dialect: Dialect,
}

/// Where providers of this wire differ in what they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dialect {
    /// OpenAI's own newer models refuse `max_tokens`; most others know nothing else.
    max_completion_tokens: bool,
    /// Whether a stream must be told to count tokens. Mistral counts unasked and refuses what it does not know.
    stream_options: bool,
}

impl Dialect {
    fn of(host: &str) -> Self {
        let under = |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        Self { max_completion_tokens: under("openai.com") || under("openai.azure.com"), stream_options: !under("mistral.ai") }
    }
}

impl ChatCompletions {
    /// A model as the operator configured it.
    pub fn new(settings: Settings, client: Client) -> Self {
        let link = Link::new(&settings, client, "/chat/completions");
        let dialect = Dialect::of(settings.base_url.host().unwrap_or_default());
        let origin = Origin { wire: WIRE.into(), provider: link.who.clone(), model: settings.model, format: FORMAT };
        let key = cache_key(&origin);
        Self { link, origin, key, context_window: settings.context_window, stream_always: settings.stream_always, dialect }
    }
}

#[async_trait]
impl Model for ChatCompletions {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn context_window(&self) -> u64 {
        self.context_window
    }

    async fn ask(&self, prompt: &Prompt<'_>, sink: Sink<'_>) -> Result<Reply, Error> {
        let stream = prompt.stream || self.stream_always;
        let body = Bytes::from(self.render(prompt, stream));
        let question = Question { body, stream, retry: prompt.retry.copied().unwrap_or_default() };
        let place = prompt.items.len();
        let read = self.link.ask(question, || Read::new(&self.link.who, place, self.context_window), sink).await?;
        read.into_reply().map_err(|fault| fault.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_openai_itself_takes_the_newer_name_of_the_limit() {
        for (host, newer) in [
            ("api.openai.com", true),
            ("mine.openai.azure.com", true),
            ("127.0.0.1", false),
            ("notopenai.com", false),
            ("openrouter.ai", false),
        ] {
            assert_eq!(Dialect::of(host).max_completion_tokens, newer, "{host}");
        }
        assert!(!Dialect::of("api.mistral.ai").stream_options);
    }
}
