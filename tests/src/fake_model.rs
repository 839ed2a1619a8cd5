//! A model server on loopback that speaks the chat-completions wire and answers
//! as told. It is the outside world: nothing of the product.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::patience::until;

/// What to answer.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Text.
    Text(String),
    /// Reasoning, then text.
    Reasoned(String, String),
    /// Tool calls by name and argument text.
    Calls(Vec<(String, String)>),
    /// Reasoning, then tool calls.
    ReasonedCalls(String, Vec<(String, String)>),
    /// A status and a body.
    Error(u16, String),
    /// The first part of a streamed answer, then the connection is cut.
    Cut(String),
    /// An answer after a while.
    Slow(Duration, Box<Reply>),
    /// An answer that counts so many tokens of the prompt.
    Counted(u64, Box<Reply>),
    /// An answer once the gate is open.
    Held(Gate, Box<Reply>),
    /// A text whose second half comes once the gate is open.
    Halves(String, Gate, String),
    /// No answer, ever.
    Hang,
}

/// Holds replies back until a test opens it.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets everything through, from now on.
    pub fn open(&self) {
        self.0.close();
    }

    async fn passed(&self) {
        // Nothing is ever let in one by one: the wait ends when the gate opens.
        let _ = self.0.acquire().await;
    }
}

/// A text reply once the gate is open.
pub fn held(gate: &Gate, text: &str) -> Reply {
    Reply::Held(gate.clone(), Box::new(Reply::Text(text.to_owned())))
}

/// A text reply.
pub fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

/// One tool call.
pub fn call(name: &str, arguments: Value) -> Reply {
    Reply::Calls(vec![(name.to_owned(), arguments.to_string())])
}

#[derive(Debug, Default)]
struct Script {
    replies: VecDeque<Reply>,
    always: Option<Reply>,
    requests: Vec<Value>,
}

/// The running server.
#[derive(Debug, Clone)]
pub struct FakeModel {
    script: Arc<Mutex<Script>>,
    /// What goes into a server's `base_url`.
    pub base_url: String,
}

impl FakeModel {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let script: Arc<Mutex<Script>> = Arc::default();
        let app = Router::new().route("/v1/chat/completions", post(complete)).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { script, base_url })
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts replies into the queue.
    pub fn queue(&self, replies: impl IntoIterator<Item = Reply>) {
        self.lock().replies.extend(replies);
    }

    /// What is answered when the queue is empty.
    pub fn always(&self, reply: Reply) {
        self.lock().always = Some(reply);
    }

    /// Waits until so many requests have come.
    pub async fn asked(&self, times: usize) -> Result<()> {
        let asked = until("the model is asked", async || Ok(self.requests().len() >= times)).await;
        asked.with_context(|| format!("it was asked {} times, not {times}", self.requests().len()))
    }

    /// The bodies of the requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.lock().requests.clone()
    }
}

async fn complete(State(script): State<Arc<Mutex<Script>>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let stream = request["stream"].as_bool().unwrap_or(false);
    let reply = {
        let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
        script.requests.push(request);
        script.replies.pop_front().or_else(|| script.always.clone())
    };
    let reply = reply.unwrap_or_else(|| Reply::Error(500, "the script of this test is exhausted".into()));
    answer(reply, stream).await
}

async fn answer(mut reply: Reply, stream: bool) -> Response {
    loop {
        reply = match reply {
            Reply::Slow(wait, then) => {
                tokio::time::sleep(wait).await;
                *then
            }
            Reply::Held(gate, then) => {
                gate.passed().await;
                *then
            }
            Reply::Halves(first, gate, second) if !stream => {
                gate.passed().await;
                Reply::Text(first + &second)
            }
            reply => break give(reply, stream).await,
        };
    }
}

async fn give(reply: Reply, stream: bool) -> Response {
    match reply {
        Reply::Halves(first, gate, second) => halves(first, gate, second),
        Reply::Hang => std::future::pending().await,
        Reply::Error(status, body) => response(status, "application/json", body),
        Reply::Cut(text) => cut(&text),
        reply if stream => response(200, "text/event-stream", frames(&reply)),
        reply => response(200, "application/json", whole(&reply).to_string()),
    }
}

fn response(status: u16, content_type: &str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert("content-type", http::HeaderValue::from_str(content_type).unwrap_or(http::HeaderValue::from_static("text/plain")));
    response
}

fn cut(text: &str) -> Response {
    let chunk = format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}));
    let parts = [Ok(Bytes::from(chunk)), Err(std::io::Error::other("cut"))];
    let mut response = Response::new(Body::from_stream(futures_util::stream::iter(parts)));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/event-stream"));
    response
}

fn halves(first: String, gate: Gate, second: String) -> Response {
    let whole = frames(&Reply::Text(first.clone() + &second));
    let begun = frames(&Reply::Text(first));
    // Both begin with the same words; the shorter one then says how it ends.
    let shared = whole.bytes().zip(begun.bytes()).take_while(|(one, other)| one == other).count();
    let cut = whole[..shared].rfind("\n\n").map_or(0, |at| at + 2);
    let (before, after) = (Bytes::from(whole[..cut].to_owned()), Bytes::from(whole[cut..].to_owned()));
    let later = futures_util::stream::once(async move {
        gate.passed().await;
        Ok::<_, std::io::Error>(after)
    });
    let parts = futures_util::stream::once(std::future::ready(Ok(before)));
    let mut response = Response::new(Body::from_stream(futures_util::StreamExt::chain(parts, later)));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/event-stream"));
    response
}

fn message(reply: &Reply) -> (Option<&str>, Option<&str>, &[(String, String)]) {
    match reply {
        Reply::Text(text) => (None, Some(text), &[]),
        Reply::Reasoned(thought, text) => (Some(thought), Some(text), &[]),
        Reply::Calls(calls) => (None, None, calls),
        Reply::ReasonedCalls(thought, calls) => (Some(thought), None, calls),
        Reply::Counted(_, reply) => message(reply),
        Reply::Error(..) | Reply::Cut(_) | Reply::Slow(..) | Reply::Hang | Reply::Held(..) | Reply::Halves(..) => (None, None, &[]),
    }
}

fn usage(reply: &Reply) -> Value {
    let prompt = if let Reply::Counted(tokens, _) = reply { *tokens } else { 210 };
    json!({"prompt_tokens": prompt, "completion_tokens": 9, "total_tokens": prompt + 9, "prompt_tokens_details": {"cached_tokens": 100}})
}

fn calls_of(calls: &[(String, String)]) -> Vec<Value> {
    let one = |(i, (name, arguments)): (usize, &(String, String))| json!({"index": i, "id": format!("call_{}", i + 1), "type": "function", "function": {"name": name, "arguments": arguments}});
    calls.iter().enumerate().map(one).collect()
}

fn whole(reply: &Reply) -> Value {
    let (thought, text, calls) = message(reply);
    let mut message = json!({"role": "assistant", "content": text});
    if let Some(thought) = thought {
        message["reasoning_content"] = thought.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls_of(calls).into();
    }
    let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
    json!({"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage(reply)})
}

fn frames(reply: &Reply) -> String {
    let (thought, text, calls) = message(reply);
    let mut out = String::new();
    let mut frame = |delta: Value, finish: Option<&str>| {
        out.push_str(&format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})));
    };
    frame(json!({"role": "assistant", "content": null}), None);
    for word in thought.unwrap_or_default().split_inclusive(' ') {
        frame(json!({"reasoning_content": word}), None);
    }
    for word in text.unwrap_or_default().split_inclusive(' ') {
        frame(json!({"content": word}), None);
    }
    for call in calls_of(calls) {
        frame(json!({"tool_calls": [call]}), None);
    }
    frame(json!({}), Some(if calls.is_empty() { "stop" } else { "tool_calls" }));
    out.push_str(&format!("data: {}\n\ndata: [DONE]\n\n", json!({"choices": [], "usage": usage(reply)})));
    out
}
