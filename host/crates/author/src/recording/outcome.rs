//! What came of a call, as it stands in a recording and is compared.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tool::{Content, End, ToolReply};

use crate::mask::Mask;
use crate::text::Bytes;

/// How it ended, its parts, and what it wrote to its store.
pub fn outcome(reply: &ToolReply, mask: &Mask) -> Value {
    let mut outcome = Map::new();
    outcome.insert("end".into(), reply.end.word().into());
    match &reply.end {
        End::Done => {}
        End::Tool(error) => {
            outcome.insert("message".into(), mask.text(&error.message).into());
            if let Some(code) = &error.code {
                outcome.insert("code".into(), mask.text(code).into());
            }
            if let Some(ms) = error.retry_after_ms {
                outcome.insert("retry_after_ms".into(), ms.into());
            }
        }
        other => {
            outcome.insert("message".into(), mask.text(&other.to_string()).into());
        }
    }
    if !reply.parts.is_empty() {
        outcome.insert("parts".into(), reply.parts.iter().map(|part| self::part(part, mask)).collect());
    }
    if !reply.writes.is_empty() {
        let value = |bytes: &Vec<u8>| serde_json::to_value(Bytes(mask.bytes(bytes))).unwrap_or_default();
        let writes = reply.writes.iter().map(|write| (mask.text(&write.key), write.value.as_ref().map_or(Value::Null, value)));
        outcome.insert("writes".into(), Value::Object(writes.collect()));
    }
    Value::Object(outcome)
}

fn part(part: &Content, mask: &Mask) -> Value {
    let data = |text: &str| serde_json::from_str::<Value>(&mask.text(text)).unwrap_or_else(|_| mask.text(text).into());
    match part {
        Content::Text(text) => json!({ "text": mask.text(text) }),
        Content::Data(text) => json!({ "data": data(text) }),
        Content::Other { kind, body } => json!({ "other": kind, "body": data(body) }),
        Content::Blob { media_type, name, bytes } => {
            let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(mask.bytes(bytes)));
            json!({ "file": name, "media_type": media_type, "bytes": bytes.len(), "sha256": digest })
        }
    }
}
