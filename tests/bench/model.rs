//! A model server that answers at once. Its processor time is the bench's, not the server's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;

/// The running model server.
pub struct Peer {
    pub base_url: String,
    words: Arc<AtomicUsize>,
}

impl Peer {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let words = Arc::new(AtomicUsize::new(8));
        let app = Router::new().route("/v1/chat/completions", post(complete)).with_state(words.clone());
        std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                // The listener was made on another runtime: it is handed over as a plain socket.
                let listener = TcpListener::from_std(listener.into_std()?)?;
                axum::serve(listener, app).await?;
                Ok(())
            })
        });
        Ok(Self { base_url, words })
    }

    /// How many words the next answers have.
    pub fn answer(&self, words: usize) {
        self.words.store(words, Ordering::Relaxed);
    }
}

/// Asks for the calculator where it is offered and has not answered yet; says some words otherwise.
async fn complete(State(words): State<Arc<AtomicUsize>>, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body);
    let asked = text.rfind("\"role\":\"user\"").unwrap_or(0);
    let call = text.contains("\"tools\":") && !text[asked..].contains("\"role\":\"tool\"");
    let stream = text.contains("\"stream\":true");
    let words = words.load(Ordering::Relaxed);
    let (content_type, body) = if stream { ("text/event-stream", frames(words)) } else { ("application/json", whole(words, call)) };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(content_type));
    response
}

fn whole(words: usize, call: bool) -> String {
    let message = if call {
        let function = json!({"name": "calc", "arguments": "{\"expression\": \"12.5 * 8\"}"});
        json!({"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]})
    } else {
        json!({"role": "assistant", "content": "words ".repeat(words)})
    };
    let finish = if call { "tool_calls" } else { "stop" };
    json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}).to_string()
}

fn frames(words: usize) -> String {
    let mut out = String::with_capacity(words * 80);
    for _ in 0..words {
        out.push_str("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"words \"},\"finish_reason\":null}]}\n\n");
    }
    out.push_str("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    out
}
