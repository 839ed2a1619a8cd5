//! A chat completion as a stream of chunks, each a `data:` line, then `[DONE]`.
//!
//! The client's calls come when they are certain, one after the other: a call
//! that a client has seen cannot be taken back, and what a model is still writing may be.

use agent::{Closing, News};
use serde_json::{Value, json};

use super::answer::Head;
use super::telling::{Asked, Finish, Telling};
use crate::errors::{Code, Error, Result, Shape};
use crate::following::Dialect;
use crate::reply;

/// The chunks of one answer.
pub(super) struct Chunks {
    asked: Asked,
    head: Head,
    /// Whether what was consumed is told at the end.
    usage: bool,
    begun: bool,
    telling: Telling,
}

impl Chunks {
    pub(super) fn new(asked: Asked, head: Head, usage: bool) -> Self {
        Self { asked, head, usage, begun: false, telling: Telling::default() }
    }

    /// The last frames.
    fn end(&mut self, finish: Result<Finish>, out: &mut String) {
        match finish {
            Ok(finish) => {
                self.begin(out);
                if finish == Finish::Calls {
                    self.calls(out);
                }
                self.chunk(json!({}), finish.word().into(), out);
                if self.usage {
                    let mut last = self.bare(json!([]));
                    last["usage"] = self.telling.usage();
                    push(&last, out);
                }
            }
            Err(error) => push(&Shape::OpenAi.body(&error, ""), out),
        }
        out.push_str("data: [DONE]\n\n");
    }

    /// Who speaks: before anything else.
    fn begin(&mut self, out: &mut String) {
        if !std::mem::replace(&mut self.begun, true) {
            self.chunk(json!({ "role": "assistant", "content": "", "refusal": null }), Value::Null, out);
        }
    }

    /// The client's calls: each begins with its names, and its arguments follow.
    fn calls(&self, out: &mut String) {
        for (index, call) in self.telling.calls().iter().enumerate() {
            let (mut names, arguments) = (call.clone(), call["function"]["arguments"].clone());
            (names["index"], names["function"]["arguments"]) = (index.into(), "".into());
            self.chunk(json!({ "tool_calls": [names] }), Value::Null, out);
            let rest = json!({ "index": index, "function": {"arguments": arguments} });
            self.chunk(json!({ "tool_calls": [rest] }), Value::Null, out);
        }
    }

    fn chunk(&self, delta: Value, finish: Value, out: &mut String) {
        push(&self.bare(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }])), out);
    }

    fn bare(&self, choices: Value) -> Value {
        let Head { id, created, model } = &self.head;
        let mut chunk = json!({ "id": id, "object": "chat.completion.chunk", "created": created, "model": model, "choices": choices });
        if self.usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }
}

impl Dialect for Chunks {
    fn news(&mut self, news: News, out: &mut String) {
        if let Some(words) = self.telling.take(&news) {
            self.begin(out);
            self.chunk(json!({ "content": words }), Value::Null, out);
        }
    }

    fn passes_over(&self, news: &News) -> bool {
        !self.telling.tells(news)
    }

    fn closed(&mut self, closing: &Closing, out: &mut String) {
        let finish = self.asked.finish(closing);
        self.end(finish, out);
    }

    fn closed_at_once(&mut self, closing: &Closing, out: &mut String) -> Result<()> {
        let finish = self.asked.finish(closing)?;
        self.end(Ok(finish), out);
        Ok(())
    }

    fn broken(&mut self, why: &str, out: &mut String) {
        self.end(Err(Error::new(Code::AgentProcessingFailed, why)), out);
    }
}

fn push(json: &Value, out: &mut String) {
    for part in ["data: ", &reply::ascii(json), "\n\n"] {
        out.push_str(part);
    }
}
