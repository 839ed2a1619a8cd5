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
use super::is_under;
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
    /// Whether `output_config.format` may be sent: Anthropic's own end takes it; many that speak
    /// this protocol refuse, or pass over, what they do not know.
    takes_schema: bool,
}

impl Anthropic {
    /// A model as the operator configured it. The base address may end with `/v1` or stop before it; both are usual.
    pub fn new(mut settings: Settings, client: Client) -> Self {
        settings.headers.entry("anthropic-version").or_insert(VERSION);
        let path = if settings.base_url.path().trim_end_matches('/').ends_with("/v1") { "/messages" } else { "/v1/messages" };
        let link = Link::new(&settings, client, path);
        let origin = Origin { wire: WIRE.into(), provider: link.who.clone(), model: settings.model, format: FORMAT };
        let key = cache_key(&origin);
        let takes_schema = settings.base_url.host().is_some_and(|host| is_under(host, &["anthropic.com"]));
        Self { link, origin, key, context_window: settings.context_window, stream_always: settings.stream_always, takes_schema }
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

#[cfg(test)]
mod tests {
    use egress::trusted::Options;
    use http::HeaderMap;
    use serde_json::{Map, Value, json};
    use session::{Item, ItemBody, OutputSchema};

    use super::*;
    use crate::prompt::ToolList;
    use crate::wires::Timeouts;

    fn sent_home(output: &OutputSchema, parameters: &Value) -> Value {
        let settings = Settings {
            base_url: "https://api.anthropic.com/v1".parse().expect("an address"),
            model: "m".into(),
            headers: HeaderMap::new(),
            context_window: 0,
            stream_always: false,
            timeouts: Timeouts::default(),
        };
        let items = [Item::new(ItemBody::User { text: "hi".into() })];
        let (tools, none) = (ToolList::default(), Map::new());
        let parameters = parameters.as_object().unwrap_or(&none);
        let prompt =
            Prompt { system: "be kind", tools: &tools, items: &items, parameters, retry: None, stream: false, output: Some(output) };
        let body = Anthropic::new(settings, Client::new(Options::default())).render(&prompt, b"", false);
        serde_json::from_slice(&body).expect("a request is JSON")
    }

    #[test]
    fn anthropic_itself_holds_a_reply_to_a_strict_schema_beside_the_agents_own_output_config() {
        let schema = json!({ "type": "object", "additionalProperties": false });
        let strict = OutputSchema { name: "route".into(), description: None, strict: true, schema };
        let body = sent_home(&strict, &json!({ "output_config": { "effort": "low" } }));
        let format = json!({ "type": "json_schema", "schema": strict.schema });
        assert_eq!((&body["output_config"], &body["system"]), (&json!({ "effort": "low", "format": format }), &json!("be kind")));
        let loose = OutputSchema { strict: false, ..strict };
        let body = sent_home(&loose, &json!({}));
        assert_eq!(body.get("output_config"), None);
        assert!(body["system"].as_str().is_some_and(|system| system.contains("JSON Schema")));
    }
}
