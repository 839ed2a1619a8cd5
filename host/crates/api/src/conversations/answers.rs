//! Answers to what waits in a conversation: what came of the calls that the client runs, and a person's word about
//! those that need one.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use agent::{Decision, Outcome, Verdict};
use session::json::push_string;
use session::{EventId, Session, Uid};

use super::all_different;
use super::history::Said;
use super::known::Stored;
use crate::App;
use crate::errors::{Code, Error, Result};
use crate::limits::{CLIENT_OUTPUT_BYTES, REASON};

/// The answer to an interrupt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resume {
    /// The id of the interrupt, or of a call that the client runs.
    pub interrupt: String,
    /// What is said about it.
    pub word: Word,
}

/// What is said about an interrupt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// JSON, exact text.
    Payload(String),
    /// Nothing will be said.
    Cancelled,
}

/// What waits in a session.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    session: Option<Uid>,
    /// Calls that the client runs, by the ids that it knows.
    pub(super) calls: HashMap<String, EventId>,
}

impl Waiting {
    /// Whether the id alone says what is meant: an event of this session, or a call that waits.
    pub(super) fn knows(&self, interrupt: &str) -> bool {
        self.calls.contains_key(interrupt) || self.event(interrupt).is_some()
    }

    fn event(&self, id: &str) -> Option<EventId> {
        EventId::parse(id).filter(|event| Some(event.session) == self.session)
    }
}

/// What waits for the client.
pub(super) fn waiting(app: &App, session: &Session) -> Result<Waiting> {
    let calls = app.engine.client_calls(session)?;
    let calls = calls.into_iter().map(|call| (call.name.id.to_string(), call.event)).collect();
    Ok(Waiting { session: Some(session.uid), calls })
}

/// Answers as the engine takes them.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) decisions: Vec<Decision>,
    /// The ids of the calls whose output the client brought.
    pub(super) calls: HashSet<Box<str>>,
}

/// Why a person's word and new words of the user exclude each other: one lets a turn go on that the other ends.
const BOTH: &str =
    "the answer to an approval and new words of the user cannot come in one request; post the answer first, or the words alone";

impl Answers {
    /// The outputs, where all of them are that.
    pub(super) fn outputs(&self) -> Result<Vec<(EventId, Outcome)>> {
        let output = |decision: &Decision| match &decision.verdict {
            Verdict::Ran(outcome) => Ok((decision.event, outcome.clone())),
            Verdict::Approve { .. } | Verdict::Reject { .. } => Err(Error::field("messages", BOTH)),
        };
        self.decisions.iter().map(output).collect()
    }

    fn ran(&mut self, call: &str, event: EventId, outcome: Outcome) {
        self.calls.insert(call.into());
        self.decisions.push(Decision { event, verdict: Verdict::Ran(outcome) });
    }
}

/// The answers in what was posted. Outputs of calls that wait no more are no answers: a history holds them too.
pub(super) fn given(waiting: &Waiting, stored: &Stored, messages: &[Said], resume: &[Resume]) -> Result<Answers> {
    let mut answers = Answers::default();
    for message in messages {
        if let Said::Tool { call, outcome } = message
            && let Some(event) = waiting.calls.get(call)
        {
            answers.ran(call, *event, outcome.clone());
        }
    }
    for Resume { interrupt, word } in resume {
        let call = waiting.calls.iter().find(|(id, event)| *id == interrupt || Some(**event) == waiting.event(interrupt));
        match (call, waiting.event(interrupt), stored.calls.get(interrupt)) {
            (Some((id, event)), _, _) => answers.ran(id, *event, brought(word)?),
            (None, Some(event), _) => answers.decisions.push(Decision { event, verdict: verdict(word)? }),
            // Answered before, as the engine will say.
            (None, None, Some(event)) => answers.ran(interrupt, *event, brought(word)?),
            (None, None, None) => {
                let why = format!("no interrupt `{interrupt}` waits for an answer in this conversation");
                return Err(Error::field("resume", why).with(Code::InterruptNotFound));
            }
        }
    }
    all_different(&answers.decisions)?;
    Ok(answers)
}

/// The last message once more as an answer, where it is an output of a call of this session: the engine says what
/// became of that.
pub(super) fn repeated(stored: &Stored, messages: &[Said]) -> Answers {
    let mut answers = Answers::default();
    if let Some(Said::Tool { call, outcome }) = messages.last()
        && let Some(event) = stored.calls.get(call)
    {
        answers.ran(call, *event, outcome.clone());
    }
    answers
}

/// What the text of a tool message says came of its call: an object is the output itself.
pub(crate) fn outcome(content: &str) -> Result<Outcome> {
    if content.len() > CLIENT_OUTPUT_BYTES {
        let why = format!("an output of {} bytes is too long; a tool may answer at most {CLIENT_OUTPUT_BYTES}", content.len());
        return Err(Error::field("messages", why));
    }
    if content.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(content).is_ok() {
        return Ok(Outcome::Success(content.trim().to_owned()));
    }
    let mut output = "{\"text\":".to_owned();
    push_string(&mut output, content);
    output.push('}');
    Ok(Outcome::Success(output))
}

/// The same of the answer to an interrupt that stands for a call.
fn brought(word: &Word) -> Result<Outcome> {
    match word {
        Word::Cancelled => Ok(Outcome::Failure("\"cancelled by the user\"".into())),
        Word::Payload(json) => match serde_json::from_str(json) {
            Ok(Value::String(text)) => outcome(&text),
            Ok(_) | Err(_) => outcome(json),
        },
    }
}

/// An object that says whether a call may run.
#[derive(Deserialize)]
struct Approval<'a> {
    approved: bool,
    #[serde(default)]
    reason: Option<String>,
    #[serde(borrow, default, rename = "editedArgs")]
    edited: Option<&'a RawValue>,
}

/// What a payload says about a call that needs a person's word.
fn verdict(word: &Word) -> Result<Verdict> {
    let Word::Payload(json) = word else { return Ok(Verdict::Reject { reason: Some("cancelled by the user".into()) }) };
    let wrong = || {
        let how = r#"{"approved": true}, with `editedArgs` for other arguments, or {"approved": false} with a `reason`"#;
        Error::field("resume.payload", format!("the payload does not say whether the call may run; send {how}"))
    };
    match serde_json::from_str(json).map_err(|_| wrong())? {
        Value::Bool(approved) => Ok(said(approved, None, None)),
        Value::String(text) => match text.trim() {
            "approve" => Ok(said(true, None, None)),
            "reject" => Ok(said(false, None, None)),
            // Some clients send all payloads as text. Once unwrapped, what is left is none.
            inner if !inner.starts_with('"') && serde_json::from_str::<&RawValue>(inner).is_ok() => {
                verdict(&Word::Payload(inner.to_owned()))
            }
            _ => Err(wrong()),
        },
        Value::Object(_) => {
            let read: Approval<'_> = serde_json::from_str(json).map_err(|_| wrong())?;
            if read.reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON) {
                return Err(Error::field("resume.payload.reason", format!("the reason may have at most {REASON} characters")));
            }
            Ok(said(read.approved, read.reason, read.edited.map(RawValue::get)))
        }
        Value::Null | Value::Number(_) | Value::Array(_) => Err(wrong()),
    }
}

fn said(approved: bool, reason: Option<String>, edited: Option<&str>) -> Verdict {
    if approved {
        return Verdict::Approve { input: edited.map(str::to_owned) };
    }
    Verdict::Reject { reason: reason.filter(|reason| !reason.is_empty()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::Seq;

    const SESSION: Uid = Uid([1; 16]);

    fn event(seq: u64) -> EventId {
        EventId { session: SESSION, seq: Seq(seq) }
    }

    fn waits(calls: &[(&str, u64)]) -> Waiting {
        Waiting { session: Some(SESSION), calls: calls.iter().map(|(id, seq)| ((*id).to_owned(), event(*seq))).collect() }
    }

    fn resume(interrupt: &str, payload: &str) -> Resume {
        Resume { interrupt: interrupt.into(), word: Word::Payload(payload.into()) }
    }

    fn says(payload: &str) -> Result<Verdict> {
        verdict(&Word::Payload(payload.into()))
    }

    #[test]
    fn an_object_is_the_output_itself_and_any_other_text_stands_in_one() {
        let output = |content: &str| match outcome(content).unwrap() {
            Outcome::Success(output) => output,
            Outcome::Failure(error) => panic!("{error}"),
        };
        assert_eq!(output("{\"n\": 1.10}"), "{\"n\": 1.10}");
        assert_eq!(output("done"), "{\"text\":\"done\"}");
        assert_eq!(output("{broken"), "{\"text\":\"{broken\"}");
        assert_eq!(output("[1]"), "{\"text\":\"[1]\"}");
        assert_eq!(output(""), "{\"text\":\"\"}");
        assert!(outcome(&"x".repeat(CLIENT_OUTPUT_BYTES + 1)).is_err());
    }

    #[test]
    fn an_approval_is_said_in_every_form_that_clients_know() {
        let approve = Verdict::Approve { input: None };
        for payload in
            ["true", "\"approve\"", "{\"approved\":true}", "\"{\\\"approved\\\":true}\"", "\"true\"", "{\"approved\":true,\"x\":1}"]
        {
            assert_eq!(says(payload).unwrap(), approve, "{payload}");
        }
        for payload in ["false", "\"reject\"", "{\"approved\":false}", "{\"approved\":false,\"reason\":\"\"}"] {
            assert_eq!(says(payload).unwrap(), Verdict::Reject { reason: None }, "{payload}");
        }
        assert_eq!(verdict(&Word::Cancelled).unwrap(), Verdict::Reject { reason: Some("cancelled by the user".into()) });
        for payload in ["null", "1", "{}", "\"maybe\"", "{\"approved\":\"yes\"}", "[]", "\"\\\"approve\\\"\""] {
            assert!(says(payload).is_err(), "{payload}");
        }
    }

    #[test]
    fn other_arguments_are_kept_as_they_were_written() {
        let wanted = Verdict::Approve { input: Some("{\"n\": 1.10}".into()) };
        assert_eq!(says("{\"approved\":true,\"editedArgs\":{\"n\": 1.10}}").unwrap(), wanted);
        assert_eq!(
            says("{\"approved\":false,\"editedArgs\":{},\"reason\":\"no\"}").unwrap(),
            Verdict::Reject { reason: Some("no".into()) }
        );
    }

    #[test]
    fn a_call_of_the_client_is_answered_by_its_id_or_by_that_of_its_event() {
        let waiting = waits(&[("call_9", 4)]);
        for interrupt in ["call_9".to_owned(), event(4).to_string()] {
            let answers = given(&waiting, &Stored::default(), &[], &[resume(&interrupt, "\"done\"")]).unwrap();
            assert!(answers.calls.contains("call_9"));
            let wanted = Decision { event: event(4), verdict: Verdict::Ran(Outcome::Success("{\"text\":\"done\"}".into())) };
            assert_eq!(answers.decisions, [wanted]);
        }
    }

    #[test]
    fn an_unknown_interrupt_is_refused_and_one_call_has_one_answer() {
        let waiting = waits(&[("call_9", 4)]);
        let refused = |resume: &[Resume]| given(&waiting, &Stored::default(), &[], resume).unwrap_err().code();
        assert_eq!(refused(&[resume("interrupt_abc", "true")]), Code::InterruptNotFound);
        let elsewhere = EventId { session: Uid([2; 16]), seq: Seq(4) }.to_string();
        assert_eq!(refused(&[resume(&elsewhere, "true")]), Code::InterruptNotFound);
        assert_eq!(refused(&[resume("call_9", "1"), resume("call_9", "2")]), Code::InvalidRequest);
    }
}
