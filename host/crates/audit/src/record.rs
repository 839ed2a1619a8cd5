//! What can be recorded, and how it reads in a line.

use serde::Serialize;
use session::{Awaited, Consumed, Decider, Millis, Receipt, Resolution, Resolved, TurnNo, Uid, Wait};
use storage::{Error, Outbox};
use tool::{Approver, Bounds};

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// A tool call ended, or was refused: one line, and one for each thing that was decided for it.
    Call {
        /// Where it was asked for.
        place: Place<'a>,
        /// What became of it.
        receipt: &'a Receipt,
    },
    /// A person is asked to agree to a call.
    Asked {
        /// Where it was asked for.
        place: Place<'a>,
        /// The call.
        call: &'a str,
        /// What is asked.
        wait: &'a Wait,
    },
    /// A call waits no longer.
    Settled {
        /// Where it was asked for.
        place: Place<'a>,
        /// The call.
        call: &'a str,
        /// What was decided, and by whom.
        resolved: &'a Resolved,
    },
    /// A server began to serve.
    Start {
        /// Of the program.
        version: &'a str,
        /// Digest of the policy in force.
        policy: &'a str,
    },
    /// A server stopped in order.
    Stop,
    /// Another policy is in force.
    Policy {
        /// Its digest.
        digest: &'a str,
        /// What changed it.
        by: Source,
    },
    /// Somebody changed who may use the server.
    Operator {
        /// What they did.
        act: Act,
        /// To what: an id or a name.
        subject: &'a str,
        /// The tenant it is about; empty where it is about none in particular.
        tenant: &'a str,
        /// The uid of the key they did it with; zeros for the server's own socket.
        by: Uid,
    },
}

/// Where a call comes from, whichever way it came.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The tenant's name.
    pub tenant: &'a str,
    /// The agent's key.
    pub agent: &'a str,
    /// The session's key.
    pub session: &'a str,
    /// The turn.
    pub turn: TurnNo,
    /// The uid of the key that asked for the turn.
    pub key: Uid,
}

/// What put a policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The operator's file was read again.
    File,
    /// A grant for a time began or ended.
    Lease,
}

/// What an operator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Made an API key.
    KeyCreated,
    /// Revoked an API key.
    KeyRevoked,
    /// Made a tenant.
    TenantCreated,
    /// Granted something to a plugin for a time.
    GrantLent,
    /// Ended such grants: of one id, or all of a plugin.
    GrantRevoked,
    /// Took a changed version of a plugin into service.
    PluginAccepted,
}

impl Record<'_> {
    /// The record as rows for the outbox, in the order in which they are to be written.
    pub fn rows(&self, at: Millis) -> Vec<Vec<u8>> {
        let at = &*at.rfc3339();
        match *self {
            Self::Call { place, receipt } => call_rows(at, place, receipt),
            Self::Asked { place, call, wait } => vec![row(&asked(at, place, call, wait))],
            Self::Settled { place, call, resolved } => vec![row(&settled(at, place, call, resolved))],
            Self::Start { version, policy } => vec![row(&Start { at, kind: "start", version, policy })],
            Self::Stop => vec![row(&Stop { at, kind: "stop" })],
            Self::Policy { digest, by } => vec![row(&Policy { at, kind: "policy", digest, by })],
            Self::Operator { act, subject, tenant, by } => vec![row(&Operator { at, kind: "operator", act, subject, tenant, by })],
        }
    }

    /// Records what belongs to no session; durable when it answers.
    pub async fn put(&self, outbox: &dyn Outbox, at: Millis) -> Result<(), Error> {
        outbox.put(self.rows(at)).await
    }
}

/// The line of a call, and one for each decision but the one about the call itself: that stands in its line.
fn call_rows(at: &str, place: Place<'_>, receipt: &Receipt) -> Vec<Vec<u8>> {
    let Place { tenant, agent, session, turn, key } = place;
    let plugin = receipt.tool.as_ref().map(|tool| &*tool.plugin);
    let (own, others): (Vec<_>, Vec<_>) = receipt.decisions.iter().partition(|decision| decision.capability == "call");
    let line = CallLine {
        at,
        kind: "call",
        call: &receipt.call,
        tenant,
        agent,
        session,
        turn: turn.0,
        key,
        plugin,
        tool: receipt.tool.as_ref().map(|tool| &*tool.name),
        end: &receipt.end,
        allowed: own.first().map(|decision| decision.allowed),
        rule: own.first().map(|decision| &*decision.rule),
        component: receipt.component.as_deref(),
        tools: receipt.tools.as_deref(),
        policy: receipt.policy.as_deref(),
        input_hash: &receipt.input_hash,
        output_hash: &receipt.output_hash,
        limits: receipt.limits,
        used: Some(receipt.consumed).filter(|used| *used != Consumed::default()),
    };
    let mut rows = vec![row(&line)];
    rows.extend(others.into_iter().map(|decision| {
        let tool::Decision { capability, what, rule, allowed, times } = decision;
        let policy = receipt.policy.as_deref();
        let (call, allowed, times) = (&*receipt.call, *allowed, *times);
        row(&DecisionLine { at, kind: "decision", call, tenant, plugin, capability, what, rule, allowed, times, policy })
    }));
    rows
}

fn asked<'a>(at: &'a str, place: Place<'a>, call: &'a str, wait: &'a Wait) -> ApprovalLine<'a> {
    let (component, tools) = match &wait.awaited {
        Awaited::Approval { component, tools, .. } => (Some(&**component), Some(&**tools)),
        Awaited::Client => (None, None),
    };
    ApprovalLine {
        approver: wait.approver(),
        input_hash: Some(&wait.input_hash),
        component,
        tools,
        expires: Some(wait.expires.rfc3339()),
        ..ApprovalLine::of(at, place, call, "asked")
    }
}

/// Neither the words of a rejection nor changed arguments: only that they were changed, and their digest.
fn settled<'a>(at: &'a str, place: Place<'a>, call: &'a str, resolved: &'a Resolved) -> ApprovalLine<'a> {
    let (approver, input_hash) = match &resolved.resolution {
        Resolution::Approved { standing, input_hash, .. } => (Some(*standing), Some(&**input_hash)),
        Resolution::Rejected { .. } | Resolution::Answered | Resolution::Expired | Resolution::Cancelled => (None, None),
    };
    let by = match &resolved.by {
        Decider::Key { key, .. } => key.hex(),
        Decider::Socket => "socket".to_owned(),
        Decider::Server => "server".to_owned(),
    };
    ApprovalLine { by: Some(by), approver, input_hash, ..ApprovalLine::of(at, place, call, resolved.resolution.word()) }
}

fn row(line: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(line).expect("a record is made of JSON values")
}

#[derive(Serialize)]
struct CallLine<'a> {
    at: &'a str,
    kind: &'static str,
    call: &'a str,
    tenant: &'a str,
    agent: &'a str,
    session: &'a str,
    turn: u64,
    key: Uid,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    end: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    input_hash: &'a str,
    output_hash: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Bounds>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    used: Option<Consumed>,
}

#[derive(Serialize)]
struct DecisionLine<'a> {
    at: &'a str,
    kind: &'static str,
    call: &'a str,
    tenant: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<&'a str>,
    capability: &'a str,
    what: &'a str,
    rule: &'a str,
    allowed: bool,
    times: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
}

#[derive(Serialize)]
struct ApprovalLine<'a> {
    at: &'a str,
    kind: &'static str,
    act: &'static str,
    call: &'a str,
    tenant: &'a str,
    agent: &'a str,
    session: &'a str,
    turn: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<Approver>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

impl<'a> ApprovalLine<'a> {
    fn of(at: &'a str, place: Place<'a>, call: &'a str, act: &'static str) -> Self {
        let Place { tenant, agent, session, turn, key: _ } = place;
        let turn = turn.0;
        Self {
            at,
            kind: "approval",
            act,
            call,
            tenant,
            agent,
            session,
            turn,
            by: None,
            approver: None,
            input_hash: None,
            component: None,
            tools: None,
            expires: None,
        }
    }
}

#[derive(Serialize)]
struct Start<'a> {
    at: &'a str,
    kind: &'static str,
    version: &'a str,
    policy: &'a str,
}

#[derive(Serialize)]
struct Stop<'a> {
    at: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
struct Policy<'a> {
    at: &'a str,
    kind: &'static str,
    digest: &'a str,
    by: Source,
}

#[derive(Serialize)]
struct Operator<'a> {
    at: &'a str,
    kind: &'static str,
    act: Act,
    subject: &'a str,
    tenant: &'a str,
    by: Uid,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tool::{Decision, ToolId};

    use super::*;

    fn decision(capability: &str, allowed: bool) -> Decision {
        Decision { capability: capability.into(), what: "w".into(), rule: "plugin.web".into(), allowed, times: 2 }
    }

    #[test]
    fn a_call_has_its_own_decision_in_its_line_and_a_line_for_each_other() {
        let receipt = Receipt {
            call: "aev_1".into(),
            tool: Some(ToolId { plugin: "web".into(), name: "fetch".into() }),
            end: "done".into(),
            policy: Some("sha256:aa".into()),
            decisions: vec![decision("call", true), decision("http", true), decision("secrets", false)],
            ..Receipt::default()
        };
        let place = Place { tenant: "t", agent: "a", session: "s", turn: TurnNo(3), key: Uid([1; 16]) };
        let lines: Vec<Value> =
            Record::Call { place, receipt: &receipt }.rows(Millis(0)).iter().map(|row| serde_json::from_slice(row).unwrap()).collect();
        let kinds: Vec<_> = lines.iter().map(|line| (line["kind"].as_str().unwrap(), line["allowed"].as_bool().unwrap())).collect();
        assert_eq!(kinds, [("call", true), ("decision", true), ("decision", false)]);
        assert_eq!((&lines[0]["rule"], &lines[0]["plugin"], &lines[0]["turn"]), (&"plugin.web".into(), &"web".into(), &3.into()));
        assert!(lines.iter().all(|line| line["call"] == "aev_1" && line["at"].is_string() && line["policy"] == "sha256:aa"));
        assert!(lines[0].get("component").is_none(), "what is not known is absent");
    }

    #[test]
    fn an_approval_is_told_without_the_words_of_whoever_gave_it() {
        let place = Place { tenant: "t", agent: "a", session: "s", turn: TurnNo(1), key: Uid([1; 16]) };
        let told = |resolution, by| {
            let resolved = Resolved { call: session::Seq(4), resolution, by };
            let rows = Record::Settled { place, call: "aev_1", resolved: &resolved }.rows(Millis(0));
            serde_json::from_slice::<Value>(&rows[0]).unwrap()
        };
        let key = || Decider::Key { key: Uid([7; 16]), subject: Some("somebody".into()) };
        let changed = Resolution::Approved { standing: Approver::Operator, input: Some("{\"added\":1}".into()), input_hash: "h".into() };
        let edited = told(changed, key());
        assert_eq!((&edited["act"], &edited["approver"], &edited["input_hash"]), (&"edited".into(), &"operator".into(), &"h".into()));
        assert_eq!(edited["by"], Uid([7; 16]).hex());
        let rejected = told(Resolution::Rejected { reason: "private words".into() }, Decider::Socket);
        assert_eq!((&rejected["act"], &rejected["by"]), (&"rejected".into(), &"socket".into()));
        assert_eq!(told(Resolution::Expired, Decider::Server)["by"], "server");
        for line in [edited, rejected] {
            assert!(!["private", "somebody", "added"].iter().any(|value| line.to_string().contains(value)), "{line}");
        }
    }
}
