//! What a client posts to a session, read and checked.

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use agent::{Decision, Repeat};
use session::{Message, Principal};

use super::{approvals, client_calls};
use crate::errors::{Code, Error, Result};
use crate::fields::{Fields, unsupported_value};
use crate::limits::MESSAGES;

/// Characters of an `Idempotency-Key`.
const IDEMPOTENCY_KEY: usize = 255;

/// The types of inputs.
const KINDS: &str = "input_message, interrupt, tool_approval or tool_output";

/// A posted body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Posted {
    /// What is asked for.
    pub asked: Asked,
    /// Whether the answer is a stream.
    pub stream: bool,
}

/// What a client can ask of a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A turn on these messages.
    Turn(Vec<Message>),
    /// That these calls may run, or may not; or what came of those that the client ran.
    Decide(Vec<Decision>),
    /// The end of the turn that runs or waits.
    Interrupt,
}

impl Posted {
    /// Reads a body of this text, whose message texts may have so many bytes.
    pub(super) fn read(body: &Map<String, Value>, text: &[u8], bytes_max: usize) -> Result<Self> {
        let fields = Fields::of_body(body);
        let stream = fields.flag("stream_response")?.unwrap_or(false);
        let asked = match kind(&fields)? {
            "input_message" => Asked::Turn(messages(&fields, bytes_max)?),
            "interrupt" => Asked::Interrupt,
            "tool_approval" => Asked::Decide(approvals::decisions(&fields, text)?),
            "tool_output" => Asked::Decide(client_calls::outputs(&fields, text)?),
            "compact" => return Err(unsupported_value("type", "compact", KINDS)),
            other => return Err(Error::field("type", format!("`type` must be {KINDS}, not `{other}`"))),
        };
        fields.refuse(&["since", "behavior"])?;
        Ok(Self { asked, stream })
    }
}

/// The input's type; told from its members where it is missing.
fn kind<'a>(fields: &Fields<'a>) -> Result<&'a str> {
    match fields.text("type", 1..=64)? {
        Some(kind) => Ok(kind),
        None if fields.value("messages").is_some() => Ok("input_message"),
        None if fields.value("decisions").is_some() => Ok("tool_approval"),
        None if fields.value("tool_outputs").is_some() => Ok("tool_output"),
        None => Err(Error::field("messages", "`messages` is required: a list of {\"type\": \"text\", \"content\": \"…\"}")),
    }
}

fn messages(fields: &Fields<'_>, bytes_max: usize) -> Result<Vec<Message>> {
    let list = fields.required("messages", fields.list("messages", MESSAGES)?)?;
    if list.is_empty() {
        return Err(Error::field("messages", "`messages` must hold at least one message").with(Code::InvalidMessageContent));
    }
    let texts = list.iter().enumerate().map(|(at, value)| message(value, &format!("messages[{at}]")));
    let texts = texts.collect::<Result<Vec<_>>>()?;
    let bytes: usize = texts.iter().map(|message| message.content.len()).sum();
    if bytes > bytes_max {
        let why = format!("the messages have {bytes} bytes of text; this server takes at most {bytes_max}");
        return Err(Error::field("messages", why).with(Code::InvalidMessageContent));
    }
    Ok(texts)
}

fn message(value: &Value, at: &str) -> Result<Message> {
    let fields = Fields::of(value, at)?;
    match fields.text("type", 1..=64)? {
        None | Some("text") => {}
        Some("skill") => return Err(unsupported_value(&fields.path("type"), "skill", "text")),
        Some(other) => return Err(Error::field(fields.path("type"), format!("`{at}.type` must be text, not `{other}`"))),
    }
    let content = fields.required("content", fields.text("content", 0..=usize::MAX)?)?;
    if content.trim().is_empty() {
        let why = format!("`{at}.content` is empty; say something");
        return Err(Error::field(fields.path("content"), why).with(Code::InvalidMessageContent));
    }
    Ok(Message { content: content.to_owned() })
}

/// The hash by which a repeat of the same input is recognised: of what it says, not of how it was spelled.
pub(super) fn hash(messages: &[Message]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for message in messages {
        hasher.update((message.content.len() as u64).to_be_bytes());
        hasher.update(message.content.as_bytes());
    }
    hasher.finalize().into()
}

/// The client's own name for this request, scoped to who sends it where.
pub(super) fn repeat(headers: &HeaderMap, principal: &Principal, agent: &str, session: &str) -> Result<Option<Repeat>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=IDEMPOTENCY_KEY).contains(&key.len()));
    let wrong = || Error::field("Idempotency-Key", format!("`Idempotency-Key` must be 1 to {IDEMPOTENCY_KEY} ASCII characters"));
    let subject = principal.subject.as_deref().unwrap_or_default();
    let mut hasher = Sha256::new();
    hasher.update(principal.key.0);
    for part in [subject, agent, session, key.ok_or_else(wrong)?] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    Ok(Some(Repeat { digest: hasher.finalize().into() }))
}

/// How long the client waits at most: the smaller of both headers.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>> {
    let read = |name: &'static str, unit: fn(u64) -> Duration| match headers.get(name) {
        None => Ok(None),
        Some(value) => {
            let number = value.to_str().ok().and_then(|text| text.trim().parse::<u32>().ok()).filter(|number| *number >= 1);
            number.map(|n| Some(unit(n.into()))).ok_or_else(|| Error::field(name, format!("`{name}` must be a whole number from 1")))
        }
    };
    let (seconds, millis) = (read("request-timeout", Duration::from_secs)?, read("request-timeout-millis", Duration::from_millis)?);
    Ok(seconds.into_iter().chain(millis).min())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use serde_json::json;

    fn read(body: Value) -> Result<Posted> {
        Posted::read(body.as_object().unwrap(), body.to_string().as_bytes(), 16)
    }

    fn code(body: Value) -> &'static str {
        read(body).unwrap_err().code().word()
    }

    #[test]
    fn a_missing_type_is_told_from_the_members() {
        let posted = read(json!({"messages": [{"content": "hi"}], "unknown": 1})).unwrap();
        assert_eq!(posted, Posted { asked: Asked::Turn(vec![Message { content: "hi".into() }]), stream: false });
        assert_eq!(read(json!({"type": "interrupt"})).unwrap().asked, Asked::Interrupt);
        assert_eq!(code(json!({})), "invalid_request");
    }

    #[test]
    fn empty_and_too_long_content_have_their_own_code() {
        for bad in [json!([]), json!([{"content": " \n"}]), json!([{"content": "x".repeat(9)}, {"content": "x".repeat(8)}])] {
            assert_eq!(code(json!({"messages": bad})), "invalid_message_content");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let message = json!([{"content": "hi"}]);
        for (body, field) in [
            (json!({"messages": message, "since": "start"}), "since"),
            (json!({"messages": message, "behavior": "steer"}), "behavior"),
            (json!({"type": "compact"}), "type"),
            (json!({"messages": [{"type": "skill", "skill_name": "x"}]}), "messages[0].type"),
        ] {
            let error = read(body).unwrap_err();
            assert!(error.body("r")["field_errors"][field].is_string(), "{field}: {error:?}");
        }
    }

    #[test]
    fn a_value_that_is_not_supported_is_named_with_what_is() {
        for (body, value, instead) in [
            (json!({"type": "compact"}), "`compact`", "input_message"),
            (json!({"messages": [{"type": "skill", "skill_name": "x"}]}), "`skill`", "text"),
        ] {
            let error = read(body).unwrap_err();
            assert!(error.message().contains(value) && error.message().contains(instead), "{error:?}");
        }
    }

    #[test]
    fn the_hash_is_of_what_was_said() {
        let said = |texts: &[&str]| hash(&texts.iter().map(|text| Message { content: (*text).into() }).collect::<Vec<_>>());
        assert_eq!(said(&["ab"]), said(&["ab"]));
        assert_ne!(said(&["ab"]), said(&["a", "b"]));
    }

    #[test]
    fn the_smaller_timeout_counts() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            HeaderMap::from_iter(pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))))
        };
        let both = headers(&[("request-timeout", "2"), ("request-timeout-millis", "1500")]);
        assert_eq!(timeout(&both).unwrap(), Some(Duration::from_millis(1500)));
        assert_eq!(timeout(&HeaderMap::new()).unwrap(), None);
        assert!(timeout(&headers(&[("request-timeout", "0")])).is_err());
    }
}
