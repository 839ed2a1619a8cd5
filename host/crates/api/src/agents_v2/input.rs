//! What a client posts to a session, read and checked.

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use agent::{Decision, Queue};
use session::{Behavior, Message, Seq};

use super::{approvals, client_calls};
use crate::errors::{Code, Error, Result};
use crate::fields::{Fields, unsupported_value};
use crate::limits::{COMPACTION_MESSAGE, MESSAGES};
use crate::repeats::push;

/// Characters of an event's id, and some more: what is longer is none.
const EVENT_ID: usize = 64;

/// The types of inputs.
const KINDS: &str = "input_message, interrupt, compact, tool_approval or tool_output";

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
    /// A turn on these messages; at once, or in this place.
    Turn(Vec<Message>, Option<Later>),
    /// To see what happened since, and what happens until the turn that runs has ended.
    Rejoin(String),
    /// A summary in the place of what was said so far.
    Compact(Compact),
    /// That these calls may run, or may not; or what came of those that the client ran.
    Decide(Vec<Decision>),
    /// The end of the turn that runs or waits.
    Interrupt,
}

/// Where an input goes while a turn runs, as it was posted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Later {
    /// `start` or an event's id.
    pub since: String,
    /// Whether it enters the turn that runs or follows it.
    pub behavior: Behavior,
}

/// What is to be summarised, as it was posted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Compact {
    /// Up to this event.
    pub up_to: Option<String>,
    /// What the model is told in addition.
    pub message: Option<String>,
}

impl Posted {
    /// Reads a body of this text, whose message texts may have so many bytes.
    pub(super) fn read(body: &Map<String, Value>, text: &[u8], bytes_max: usize) -> Result<Self> {
        let fields = Fields::of_body(body);
        let stream = fields.flag("stream_response")?.unwrap_or(false);
        let asked = match kind(&fields)? {
            "input_message" => input_message(&fields, bytes_max)?,
            "interrupt" => Asked::Interrupt,
            "compact" => Asked::Compact(compact(&fields)?),
            "tool_approval" => Asked::Decide(approvals::decisions(&fields, text)?),
            "tool_output" => Asked::Decide(client_calls::outputs(&fields, text)?),
            other => return Err(Error::field("type", format!("`type` must be {KINDS}, not `{other}`"))),
        };
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
        None if COMPACT.iter().any(|member| fields.value(member).is_some()) => Ok("compact"),
        None => Err(Error::field("messages", "`messages` is required: a list of {\"type\": \"text\", \"content\": \"…\"}")),
    }
}

/// The members that a `compact` alone has.
const COMPACT: [&str; 2] = ["compact_up_to_event_id", "compaction_message"];

fn compact(fields: &Fields<'_>) -> Result<Compact> {
    let [up_to, message] = COMPACT;
    let (up_to, message) = (fields.text(up_to, 1..=EVENT_ID)?, fields.text(message, 1..=COMPACTION_MESSAGE)?);
    Ok(Compact { up_to: up_to.map(str::to_owned), message: message.map(str::to_owned) })
}

fn input_message(fields: &Fields<'_>, bytes_max: usize) -> Result<Asked> {
    let place = place(fields)?;
    // With nothing to say a client only wants to read on.
    if let Some(place) = &place
        && fields.list("messages", MESSAGES)?.is_some_and(<[Value]>::is_empty)
    {
        return Ok(Asked::Rejoin(place.since.clone()));
    }
    Ok(Asked::Turn(messages(fields, bytes_max)?, place))
}

fn place(fields: &Fields<'_>) -> Result<Option<Later>> {
    let behavior = match fields.text("behavior", 1..=EVENT_ID)? {
        None => None,
        Some("steer") => Some(Behavior::Steer),
        Some("follow_up") => Some(Behavior::FollowUp),
        Some(other) => return Err(Error::field("behavior", format!("`behavior` must be steer or follow_up, not `{other}`"))),
    };
    match (fields.text("since", 1..=EVENT_ID)?, behavior) {
        (Some(since), behavior) => Ok(Some(Later { since: since.to_owned(), behavior: behavior.unwrap_or(Behavior::FollowUp) })),
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(Error::field("behavior", "`behavior` goes with `since`: say after which event the answer begins, or `start`"))
        }
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

/// The hash by which a repeat of the same input is recognised: of what it says and where it goes, not of how it was spelled.
pub(super) fn hash(messages: &[Message], queue: Option<&Queue>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for message in messages {
        push(&mut hasher, message.content.as_bytes());
    }
    if let Some(Queue { since, behavior }) = queue {
        // No message is as long as this.
        hasher.update((u64::MAX - 1).to_be_bytes());
        hasher.update(since.seq().0.to_be_bytes());
        hasher.update(match behavior {
            Behavior::Steer => b"s",
            Behavior::FollowUp => b"f",
        });
    }
    hasher.finalize().into()
}

/// The same of a request for a summary.
pub(super) fn compact_hash(up_to: Option<Seq>, message: Option<&str>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update((u64::MAX - 2).to_be_bytes());
    hasher.update(up_to.map_or(0, |seq| seq.0).to_be_bytes());
    push(&mut hasher, message.unwrap_or_default().as_bytes());
    hasher.finalize().into()
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
        assert_eq!(posted, Posted { asked: Asked::Turn(vec![Message { content: "hi".into() }], None), stream: false });
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
    fn what_cannot_be_done_is_refused_by_name() {
        let message = json!([{"content": "hi"}]);
        for (body, field) in [
            (json!({"messages": message, "behavior": "steer"}), "behavior"),
            (json!({"messages": message, "since": "start", "behavior": "hurry"}), "behavior"),
            (json!({"messages": message, "since": 3}), "since"),
            (json!({"compaction_message": ""}), "compaction_message"),
            (json!({"messages": [{"type": "skill", "skill_name": "x"}]}), "messages[0].type"),
        ] {
            let error = read(body).unwrap_err();
            assert!(error.body("r")["field_errors"][field].is_string(), "{field}: {error:?}");
        }
    }

    #[test]
    fn an_input_says_where_it_goes_while_a_turn_runs() {
        let place = |behavior| Some(Later { since: "start".into(), behavior });
        let said = |body: Value| match read(body).unwrap().asked {
            Asked::Turn(_, place) => place,
            other => panic!("a turn, not {other:?}"),
        };
        assert_eq!(said(json!({"messages": [{"content": "hi"}], "since": "start"})), place(Behavior::FollowUp));
        assert_eq!(said(json!({"messages": [{"content": "hi"}], "since": "start", "behavior": "steer"})), place(Behavior::Steer));
        assert_eq!(said(json!({"messages": [{"content": "hi"}], "since": null})), None);
        assert_eq!(read(json!({"messages": [], "since": "start"})).unwrap().asked, Asked::Rejoin("start".into()));
    }

    #[test]
    fn a_summary_is_asked_for_with_its_end_and_a_word_for_the_model() {
        let asked = |body: Value| read(body).unwrap().asked;
        let whole = Compact { up_to: Some("aev_1".into()), message: Some("keep names".into()) };
        assert_eq!(asked(json!({"type": "compact"})), Asked::Compact(Compact { up_to: None, message: None }));
        assert_eq!(asked(json!({"compact_up_to_event_id": "aev_1", "compaction_message": "keep names"})), Asked::Compact(whole));
    }

    #[test]
    fn a_value_that_is_not_supported_is_named_with_what_is() {
        let error = read(json!({"messages": [{"type": "skill", "skill_name": "x"}]})).unwrap_err();
        assert!(error.message().contains("`skill`") && error.message().contains("text"), "{error:?}");
    }

    #[test]
    fn the_hash_is_of_what_was_said() {
        let said = |texts: &[&str]| hash(&texts.iter().map(|text| Message { content: (*text).into() }).collect::<Vec<_>>(), None);
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
