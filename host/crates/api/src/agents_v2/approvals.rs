//! Calls that wait for a person: what is open in a session, and decisions as
//! clients write them. A decision is an input of its session.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use agent::{Decision, OpenApproval, Outcome, Verdict};
use policy::Action;
use session::EventId;
use session::json::{push_json, push_string};

use crate::App;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::fields::Fields;
use crate::limits::{DECISIONS, REASON};
use crate::operation::{Answer, Method, Operation};
use crate::reply;

pub(crate) static LIST: Operation = Operation {
    id: "listOutstandingApprovals",
    method: Method::Get,
    path: "/v2/agents/{agent_key}/sessions/{session_key}/outstanding_approvals",
    summary: "List the tool calls of a session that wait for a person; all on one page",
    action: Some(Action::ReadSession),
    query: &[],
    body: None,
    answer: Answer::Ok("ListOutstandingApprovalsResponse"),
};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent_key, session_key)): Segments<(String, String)>,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent_key)?;
    let session = caller.session(&app, &agent, &session_key, Action::ReadSession)?;
    let mut body = "{\"approvals\":[".to_owned();
    for (at, approval) in app.engine.approvals(&session)?.iter().enumerate() {
        body.push_str(if at == 0 { "{" } else { ",{" });
        push_approval(&mut body, approval);
        body.push('}');
    }
    body.push_str("]}");
    Ok(reply::text(StatusCode::OK, body))
}

/// The members of an open approval; the arguments as they will run.
pub(crate) fn push_approval(out: &mut String, approval: &OpenApproval) {
    let OpenApproval { event, configuration, tool, arguments, approver, asked_at, expires } = approval;
    for (name, value) in [("event_id", event.to_string().as_str()), ("tool_configuration_name", configuration), ("tool_name", tool)] {
        out.push_str(&format!("\"{name}\":"));
        push_string(out, value);
        out.push(',');
    }
    out.push_str("\"arguments\":");
    push_json(out, arguments);
    let (approver, asked_at, expires) = (approver.word(), asked_at.rfc3339(), expires.rfc3339());
    out.push_str(&format!(",\"approver\":\"{approver}\",\"asked_at\":\"{asked_at}\",\"expires_at\":\"{expires}\""));
}

/// The members whose text is kept as it was written.
#[derive(Deserialize)]
struct Exact<'a> {
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
}

/// The same of a list of decisions.
#[derive(Deserialize)]
struct ExactList<'a> {
    #[serde(borrow, default)]
    decisions: Vec<Exact<'a>>,
}

/// The decisions of an input, whose body has this text: all different, each complete.
pub(super) fn decisions(fields: &Fields<'_>, text: &[u8]) -> Result<Vec<Decision>> {
    let read = DECIDED.read(fields)?;
    let exact: ExactList<'_> = serde_json::from_slice(text).map_err(|e| unreadable("decisions", &e))?;
    let inputs = exact.decisions.into_iter().map(|exact| exact.input);
    read.into_iter().zip(inputs).map(|((event, fields), input)| Ok(Decision { event, verdict: verdict(&fields, input)? })).collect()
}

/// A list that says something about calls, each item about another one.
pub(super) struct AboutCalls {
    /// The member that holds it.
    pub(super) member: &'static str,
    /// The word for an item.
    pub(super) one: &'static str,
    /// What is wrong where two items are about one event.
    pub(super) twice: &'static str,
}

const DECIDED: AboutCalls =
    AboutCalls { member: "decisions", one: "decision", twice: "is decided twice in one input; say one thing about each" };

impl AboutCalls {
    /// The items with the events that they are about.
    pub(super) fn read<'a>(&self, fields: &Fields<'a>) -> Result<Vec<(EventId, Fields<'a>)>> {
        let Self { member, one, twice } = self;
        let list = fields.required(member, fields.list(member, DECISIONS)?)?;
        if list.is_empty() {
            return Err(Error::field(*member, format!("`{member}` must hold at least one {one}")));
        }
        let mut read = Vec::with_capacity(list.len());
        for (at, value) in list.iter().enumerate() {
            let fields = Fields::of(value, format!("{member}[{at}]"))?;
            let id = fields.required("event_id", fields.text("event_id", 1..=64)?)?;
            read.push((event(id)?, fields));
        }
        let mut seen = HashSet::new();
        if let Some((id, fields)) = read.iter().find(|(id, _)| !seen.insert(*id)) {
            return Err(Error::field(fields.path("event_id"), format!("event `{id}` {twice}")));
        }
        Ok(read)
    }
}

/// What an operator's body says about one call.
pub(crate) fn decision(event: EventId, fields: &Fields<'_>, text: &[u8]) -> Result<Decision> {
    let exact: Exact<'_> = serde_json::from_slice(text).map_err(|e| unreadable("input", &e))?;
    Ok(Decision { event, verdict: verdict(fields, exact.input)? })
}

/// The event of an id; one that nobody ever gave is as unknown as one that does not exist.
pub(crate) fn event(id: &str) -> Result<EventId> {
    EventId::parse(id).ok_or_else(|| Error::missing(Code::EventNotFound, "event", id))
}

fn verdict(fields: &Fields<'_>, input: Option<&RawValue>) -> Result<Verdict> {
    fields.object("input")?;
    let reason = fields.text("reason", 1..=REASON)?.map(str::to_owned);
    let goes_with = |member: &str, word: &str| {
        let at = fields.path(member);
        Err(Error::field(&at, format!("`{at}` goes with the decision `{word}` alone; leave it out")))
    };
    match fields.required("decision", fields.text("decision", 1..=64)?)? {
        "approve" if reason.is_some() => goes_with("reason", "reject"),
        "approve" => Ok(Verdict::Approve { input: input.map(|input| input.get().to_owned()) }),
        "reject" if input.is_some() => goes_with("input", "approve"),
        "reject" => Ok(Verdict::Reject { reason }),
        other => {
            Err(Error::field(fields.path("decision"), format!("`{}` must be approve or reject, not `{other}`", fields.path("decision"))))
        }
    }
}

fn unreadable(field: &str, error: &serde_json::Error) -> Error {
    Error::field(field, format!("the body cannot be read as decisions: {error}"))
}

/// The hash by which a repeat of the same decisions, or of the same outputs, is recognised. Never that of a message.
pub(crate) fn hash(decisions: &[Decision]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(u64::MAX.to_be_bytes());
    for Decision { event, verdict } in decisions {
        let (word, text) = match verdict {
            Verdict::Approve { input } => ("approve", input.as_deref().unwrap_or_default()),
            Verdict::Reject { reason } => ("reject", reason.as_deref().unwrap_or_default()),
            Verdict::Ran(Outcome::Success(output)) => ("success", &**output),
            Verdict::Ran(Outcome::Failure(error)) => ("error", &**error),
        };
        for part in [event.to_string().as_str(), word, text] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};
    use session::{Seq, Uid};

    fn id(seq: u64) -> String {
        EventId { session: Uid([1; 16]), seq: Seq(seq) }.to_string()
    }

    fn read(text: &str) -> Result<Vec<Decision>> {
        let members: Map<String, Value> = serde_json::from_str(text).unwrap();
        decisions(&Fields::of_body(&members), text.as_bytes())
    }

    fn refused(decision: Value) -> Value {
        read(&json!({ "decisions": [decision] }).to_string()).unwrap_err().body("r")
    }

    #[test]
    fn arguments_in_place_of_others_are_kept_as_they_were_written() {
        let text = format!(r#"{{"decisions":[{{"event_id":"{}","decision":"approve","input":{{"n": 1.10, "n": 2}}}}]}}"#, id(3));
        let Verdict::Approve { input: Some(input) } = &read(&text).unwrap()[0].verdict else { panic!("an approval with arguments") };
        assert_eq!(input, r#"{"n": 1.10, "n": 2}"#);
    }

    #[test]
    fn a_decision_that_is_not_whole_is_refused_at_its_member() {
        for (decision, at) in [
            (json!({"decision": "approve"}), "decisions[0].event_id"),
            (json!({"event_id": id(3)}), "decisions[0].decision"),
            (json!({"event_id": id(3), "decision": "maybe"}), "decisions[0].decision"),
            (json!({"event_id": id(3), "decision": "reject", "input": {}}), "decisions[0].input"),
            (json!({"event_id": id(3), "decision": "approve", "input": [1]}), "decisions[0].input"),
            (json!({"event_id": id(3), "decision": "approve", "reason": "why not"}), "decisions[0].reason"),
        ] {
            assert!(refused(decision.clone())["field_errors"][at].is_string(), "{decision} at {at}");
        }
        assert_eq!(refused(json!({"event_id": "aev_nope", "decision": "approve"}))["id"], "aev_nope");
    }

    #[test]
    fn two_decisions_about_one_event_and_members_that_come_twice_are_refused() {
        let twice =
            format!(r#"{{"decisions":[{{"event_id":"{0}","decision":"approve"}},{{"event_id":"{0}","decision":"reject"}}]}}"#, id(3));
        assert!(read(&twice).unwrap_err().message().contains("decided twice"));
        let hidden = format!(r#"{{"decisions":[],"decisions":[{{"event_id":"{}","decision":"approve"}}]}}"#, id(3));
        assert!(read(&hidden).unwrap_err().message().contains("duplicate"));
        let inputs = format!(r#"{{"decisions":[{{"event_id":"{}","decision":"approve","input":{{}},"input":{{"a":1}}}}]}}"#, id(3));
        assert!(read(&inputs).unwrap_err().message().contains("duplicate"));
    }

    #[test]
    fn the_hash_tells_what_was_decided() {
        let of = |decision: Value| hash(&read(&json!({ "decisions": [decision] }).to_string()).unwrap());
        let approve = of(json!({"event_id": id(3), "decision": "approve"}));
        assert_eq!(approve, of(json!({"decision": "approve", "event_id": id(3), "unknown": 1})));
        assert_ne!(approve, of(json!({"event_id": id(4), "decision": "approve"})));
        assert_ne!(approve, of(json!({"event_id": id(3), "decision": "reject"})));
        assert_ne!(approve, of(json!({"event_id": id(3), "decision": "approve", "input": {}})));
    }
}
