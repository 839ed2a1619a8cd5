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
use super::is_under;
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
    /// How far it can be held to a schema.
    structured: Structured,
    /// Under which name Gemini's compatible ends keep a call's thought signature; they refuse a call without one.
    signature: Option<&'static str>,
}

/// How far a provider can be held to a schema; beyond that the model is told in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Structured {
    /// Beside tools too.
    Always,
    /// Where there are no tools. Gemini and Groq refuse a schema beside tools, and local servers
    /// hold all of the reply to it, so that no tool is ever called.
    WithoutTools,
    /// Only to being JSON, and not beside tools.
    ToJson,
}

impl Dialect {
    fn of(host: &str) -> Self {
        let under = |domains: &[&str]| is_under(host, domains);
        let structured = if under(&["openai.com", "openai.azure.com", "openrouter.ai"]) {
            Structured::Always
        } else if under(&["deepseek.com", "z.ai"]) {
            Structured::ToJson
        } else {
            Structured::WithoutTools
        };
        let signature = match host.ends_with("aiplatform.googleapis.com") {
            // Regional ends are called `REGION-aiplatform…`.
            true => Some("vertex"),
            false => under(&["googleapis.com"]).then_some("google"),
        };
        Self {
            max_completion_tokens: under(&["openai.com", "openai.azure.com"]),
            stream_options: !under(&["mistral.ai"]),
            structured,
            signature,
        }
    }

    /// Gemini's, wherever it stands.
    fn of_gemini(host: &str) -> Self {
        let dialect = Self::of(host);
        Self { signature: dialect.signature.or(Some("google")), ..dialect }
    }
}

impl ChatCompletions {
    /// A model as the operator configured it.
    pub fn new(settings: Settings, client: Client) -> Self {
        let dialect = Dialect::of(settings.base_url.host().unwrap_or_default());
        Self::with(dialect, settings, client)
    }

    /// A Gemini behind its compatible end, or behind a gateway that passes it on.
    pub fn gemini(settings: Settings, client: Client) -> Self {
        let dialect = Dialect::of_gemini(settings.base_url.host().unwrap_or_default());
        Self::with(dialect, settings, client)
    }

    fn with(dialect: Dialect, settings: Settings, client: Client) -> Self {
        let link = Link::new(&settings, client, "/chat/completions");
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

    #[test]
    fn a_provider_is_held_to_a_schema_as_far_as_it_can_be() {
        for (host, structured) in [
            ("api.openai.com", Structured::Always),
            ("openrouter.ai", Structured::Always),
            ("127.0.0.1", Structured::WithoutTools),
            ("api.groq.com", Structured::WithoutTools),
            ("generativelanguage.googleapis.com", Structured::WithoutTools),
            ("api.deepseek.com", Structured::ToJson),
        ] {
            assert_eq!(Dialect::of(host).structured, structured, "{host}");
        }
    }

    #[test]
    fn only_googles_ends_want_a_signature() {
        assert_eq!(Dialect::of("generativelanguage.googleapis.com").signature, Some("google"));
        assert_eq!(Dialect::of("europe-west1-aiplatform.googleapis.com").signature, Some("vertex"));
        assert_eq!(Dialect::of("aiplatform.googleapis.com").signature, Some("vertex"));
        assert_eq!(Dialect::of("127.0.0.1").signature, None);
        assert_eq!(Dialect::of_gemini("127.0.0.1").signature, Some("google"));
    }
}
