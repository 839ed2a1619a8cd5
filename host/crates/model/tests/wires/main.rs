//! The wires against a scripted peer that speaks raw TCP: every way in which
//! providers are known to differ, to fail and to break off.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod anthropic;
mod chat_calls;
mod chat_requests;
mod chat_streams;
mod detecting;
mod gemini;
mod peer;
mod responses;
mod responses_requests;
mod structured;
mod troubles;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::config::{ModelFile, Provider, Surroundings};
use model::{Delta, Error, Model, ModelsFile, Prompt, Reply, ToolList};
use serde_json::{Map, Value, json};
use session::{AskedCall, Item, ItemBody, OutputSchema, RawReply, Retry};
use tool::{ToolId, ToolSpec, Traits};

use crate::peer::{Answer, Peer, Request};

/// How long a busy machine may take for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a provider may fall silent where a test is about that.
const SILENCE: Duration = Duration::from_millis(500);

/// One question and what came of it.
struct Asked {
    reply: Result<Reply, Error>,
    deltas: Vec<Delta>,
    requests: Vec<Request>,
    model: Arc<dyn Model>,
}

/// A question in the making, with what most tests do not care about already set.
struct Ask {
    provider: Provider,
    items: Vec<Arc<Item>>,
    tools: ToolList,
    parameters: Map<String, Value>,
    stream: bool,
    window: u64,
    retries: u32,
    output: Option<OutputSchema>,
    silence: Duration,
}

impl Ask {
    fn new(provider: Provider) -> Self {
        let items = vec![user("hello")];
        let (tools, parameters) = (ToolList::default(), Map::new());
        Self { provider, items, tools, parameters, stream: true, window: 0, retries: 2, output: None, silence: PATIENCE }
    }

    fn whole(self) -> Self {
        Self { stream: false, ..self }
    }

    fn items(self, items: Vec<Arc<Item>>) -> Self {
        Self { items, ..self }
    }

    fn parameters(self, parameters: Value) -> Self {
        Self { parameters: parameters.as_object().unwrap().clone(), ..self }
    }

    async fn of(self, answers: Vec<Answer>) -> Asked {
        let peer = Peer::new(answers).await;
        let model = silent_for(self.silence, self.provider, &peer.url(), self.window);
        self.of_model(model, &peer).await
    }

    async fn of_model(self, model: Arc<dyn Model>, peer: &Peer) -> Asked {
        let retry = Retry { enabled: true, max_retries: self.retries, initial_backoff_ms: 1, max_backoff_ms: 1_000, backoff_factor: 1.0 };
        let prompt = Prompt {
            system: "be kind",
            tools: &self.tools,
            items: &self.items,
            parameters: &self.parameters,
            retry: Some(&retry),
            stream: self.stream,
            output: self.output.as_ref(),
        };
        let mut deltas = Vec::new();
        let mut sink = |delta| deltas.push(delta);
        let asking = model.ask(&prompt, &mut sink);
        let reply = tokio::time::timeout(PATIENCE, asking).await.expect("no question takes this long");
        Asked { reply, deltas, requests: peer.requests(), model }
    }
}

fn configured(provider: Provider, base_url: &str, window: u64) -> Arc<dyn Model> {
    silent_for(PATIENCE, provider, base_url, window)
}

/// A model whose provider may say nothing for so long in the middle of an answer.
fn silent_for(silence: Duration, provider: Provider, base_url: &str, window: u64) -> Arc<dyn Model> {
    let between_reads_ms = Some(u64::try_from(silence.as_millis()).unwrap());
    let timeouts = model::config::TimeoutsFile { between_reads_ms, ..Default::default() };
    let file = ModelFile {
        base_url: Some(base_url.into()),
        api_key: Some("env:KEY".into()),
        context_window: window,
        timeouts,
        ..ModelFile::of(provider, "m-1")
    };
    let section = ModelsFile { unknown: None, models: [("default".to_owned(), file)].into() };
    let models = section.build(&Surroundings { base: Path::new("."), env: &|_| Some("s3cret".into()) });
    models.unwrap_or_else(|problems| panic!("{problems:?}")).get("default").unwrap()
}

fn user(text: &str) -> Arc<Item> {
    Item::new(ItemBody::User { text: text.into() })
}

fn result(call_id: &str, output: &str) -> Arc<Item> {
    Item::new(ItemBody::ToolResult { call_id: call_id.into(), name: "find".into(), output: output.into(), error: false })
}

fn call(id: &str, arguments: &str) -> AskedCall {
    AskedCall { id: id.into(), name: "find".into(), arguments: arguments.into() }
}

/// A reply as the session keeps it for the next question.
fn kept(reply: &Reply, model: &dyn Model) -> Arc<Item> {
    let raw = reply.raw.clone().map(|json| RawReply { origin: model.origin().clone(), json });
    Item::new(ItemBody::Assistant { thinking: reply.thinking.clone(), text: reply.text.clone(), calls: reply.calls.clone(), raw })
}

fn tools() -> ToolList {
    let spec = ToolSpec {
        id: ToolId { plugin: "knowledge".into(), name: "search".into() },
        description: "Finds \"things\".".into(),
        input: r#"{"type":"object","properties":{"q":{"type":"string"}}}"#.into(),
        output: None,
        traits: Traits::default(),
        title: None,
        component: "sha256:0".into(),
        tools: "sha256:0".into(),
        version: "0.1.0".into(),
    };
    ToolList::new(vec![("find".into(), Arc::new(spec))])
}

/// The calls of a reply as (id, name, arguments).
fn calls(reply: &Reply) -> Vec<(&str, &str, &str)> {
    reply.calls.iter().map(|call| (&*call.id, &*call.name, call.arguments.as_str())).collect()
}

fn raw(reply: &Reply) -> Value {
    serde_json::from_str(reply.raw.as_ref().unwrap().get()).unwrap()
}

/// What the deltas add up to: thinking, text, and each call's name and arguments.
fn sum(deltas: &[Delta]) -> Value {
    let (mut thinking, mut text, mut calls) = (String::new(), String::new(), Vec::<[String; 3]>::new());
    for delta in deltas {
        match delta {
            Delta::Thinking(piece) => thinking.push_str(piece),
            Delta::Text(piece) => text.push_str(piece),
            Delta::CallBegan { index, id, name } => {
                assert_eq!(*index, calls.len(), "calls begin in order, each once");
                calls.push([id.to_string(), name.to_string(), String::new()]);
            }
            Delta::CallArguments { index, piece } => calls[*index][2].push_str(piece),
            Delta::Restarted => (thinking, text, calls) = (String::new(), String::new(), Vec::new()),
        }
    }
    // Arguments that were empty on the wire are `{}` in the reply only.
    calls.iter_mut().filter(|call| call[2].is_empty()).for_each(|call| call[2].push_str("{}"));
    json!({ "thinking": thinking, "text": text, "calls": calls })
}

/// The same of a whole reply.
fn sum_of(reply: &Reply) -> Value {
    let calls: Vec<_> = reply.calls.iter().map(|c| [c.id.to_string(), c.name.to_string(), c.arguments.clone()]).collect();
    json!({ "thinking": reply.thinking, "text": reply.text, "calls": calls })
}
