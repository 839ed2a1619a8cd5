//! A chat completion in one piece.

use agent::{News, Watcher};
use serde_json::{Value, json};

use super::telling::{Asked, Finish, Telling};
use crate::errors::Result;

/// What stands in every answer to a request, in one piece or in chunks.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// The answer's id.
    pub(super) id: String,
    /// When it was asked for, in seconds.
    pub(super) created: i64,
    /// The model as the client named it.
    pub(super) model: String,
}

/// Waits until the turn is over and tells it.
pub(super) async fn whole(asked: &Asked, mut watcher: Watcher, head: &Head) -> Result<Value> {
    let (mut telling, mut words) = (Telling::default(), String::new());
    loop {
        match asked.next(&mut watcher).await? {
            News::Closed(closing) => return Ok(written(head, &telling, &words, asked.finish(&closing)?)),
            news => words.extend(telling.take(&news)),
        }
    }
}

fn written(head: &Head, telling: &Telling, words: &str, finish: Finish) -> Value {
    let content = if words.is_empty() && !telling.calls().is_empty() { Value::Null } else { words.into() };
    let mut message = json!({ "role": "assistant", "content": content, "refusal": null });
    if finish == Finish::Calls {
        message["tool_calls"] = telling.calls().into();
    }
    let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": finish.word() });
    let mut answer = json!({
        "id": head.id, "object": "chat.completion", "created": head.created, "model": head.model, "choices": [choice],
    });
    let usage = telling.usage();
    if !usage.is_null() {
        answer["usage"] = usage;
    }
    answer
}
