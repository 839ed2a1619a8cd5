//! What paths may say, and where they lead.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use session::{Compaction, Entry, Event, EventId, Identity, Kind, ModelChoice, Seq, TurnNo, Uid};

use super::*;

/// An agent and a session with something to find.
pub(crate) struct World {
    agent: Agent,
    session: Session,
    state: State,
}

fn members(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn secrets(names: &[(&str, &str)]) -> Secrets {
    Secrets(names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

impl World {
    pub(crate) fn new() -> Self {
        let agent = Agent {
            uid: Uid([1; 16]),
            tenant: Uid([2; 16]),
            key: "agt".into(),
            revision: 1,
            name: "Agent".into(),
            description: None,
            model: ModelChoice { name: "m".into(), parameters: serde_json::Map::new(), retry: None },
            tools: BTreeMap::new(),
            compaction: None,
            secrets: secrets(&[("token", "agent-token-value"), ("eu", "eu-secret-value")]),
            identity: Identity::default(),
            first_step: "s".into(),
            steps: BTreeMap::new(),
            metadata: members(&json!({"limits": {"rows": 10}, "list": [{"n": 1}, {"n": 2}]})),
            enabled: true,
            created_at: Millis(0),
            updated_at: Millis(0),
        };
        let session = Session {
            uid: Uid([3; 16]),
            tenant: agent.tenant,
            agent: agent.uid,
            key: "ase".into(),
            revision: 1,
            name: "Session".into(),
            description: None,
            metadata: members(&json!({"region": "eu", "which": 1, "a.b": {"c d": true}, "big": 7})),
            enabled: true,
            tti_minutes: 0,
            compaction: Compaction::default(),
            secrets: secrets(&[("token", "session-token-value")]),
            owner_key: Uid([4; 16]),
            owner_subject: None,
            created_at: Millis(0),
            conversation: None,
            unlisted: false,
        };
        Self { agent, session, state: State::default() }
    }

    /// A tool answered.
    pub(crate) fn answered(&mut self, configuration: &str, output: &str, error: bool) {
        let call = session::CallName { id: "c".into(), configuration: configuration.into(), tool: "t".into() };
        let event = Event::ToolOutput { call, output: output.into(), error, overrides: None, receipt: Box::default() };
        let seq = self.state.last.next();
        let body = event.render(EventId { session: self.session.uid, seq }, "ase", Millis(0));
        let entry = Entry { seq: Seq(seq.0), at: Millis(0), turn: TurnNo(1), step: 1, kind: Kind::ToolOutput, body };
        self.state.apply(&entry).unwrap();
    }

    pub(crate) fn sources(&self) -> Sources<'_> {
        Sources { agent: &self.agent, session: &self.session, now: Millis(0), state: &self.state }
    }

    fn find(&self, path: &str) -> Option<Found> {
        Reference::parse(path).unwrap().find(&self.sources())
    }
}

fn json(text: &str) -> Option<Found> {
    Some(Found::Json(text.to_owned()))
}

#[test]
fn a_path_leads_to_what_it_names() {
    let world = World::new();
    assert_eq!(world.find("session.metadata.region"), json("\"eu\""));
    assert_eq!(world.find("$.session.metadata.region"), json("\"eu\""));
    assert_eq!(world.find("$session.metadata['region']"), json("\"eu\""));
    assert_eq!(world.find(".session.metadata[\"a.b\"]['c d']"), json("true"));
    assert_eq!(world.find("agent.metadata.limits"), json("{\"rows\":10}"));
    assert_eq!(world.find("agent.metadata.list[1].n"), json("2"));
    assert_eq!(world.find("agent.metadata.list.0.n"), json("1"));
    assert_eq!(world.find("agent.metadata.list[session.metadata.which].n"), json("2"));
    assert_eq!(world.find("currentDate"), json("\"1970-01-01T00:00:00.000Z\""));
    assert_eq!(world.find("agent.secrets.token"), Some(Found::Secret("agent-token-value".into())));
    assert_eq!(world.find("session.secrets['token']"), Some(Found::Secret("session-token-value".into())));
    assert_eq!(world.find("agent.secrets[session.metadata.region]"), Some(Found::Secret("eu-secret-value".into())));
}

#[test]
fn what_is_not_there_is_not_found() {
    let world = World::new();
    for path in [
        "session.metadata.nothing",
        "session.metadata.region.deeper",
        "agent.metadata.list[2]",
        "agent.metadata.list.n",
        "agent.secrets.other",
        "agent.secrets[session.metadata['a.b']]",
        "tools.search.outputs.latest",
    ] {
        assert_eq!(world.find(path), None, "{path}");
    }
}

#[test]
fn the_latest_output_is_the_last_that_is_no_failure_with_its_exact_numbers() {
    let mut world = World::new();
    world.answered("search", r#"{"price":1.10}"#, false);
    world.answered("search", r#"{"price":12345678901234567890123}"#, false);
    world.answered("search", r#"{"error":{}}"#, true);
    world.answered("other", r#"{"price":3}"#, false);
    assert_eq!(world.find("tools.search.outputs.latest.price"), json("12345678901234567890123"));
    assert_eq!(Reference::parse("tools.search.outputs.latest.price").unwrap().outputs(), ["search"]);
}

#[test]
fn a_path_that_cannot_be_meant_is_refused_with_the_reason() {
    for (path, why) in [
        ("", "empty part"),
        ("$", "empty part"),
        ("session", "begins with one of"),
        ("session.key", "begins with one of"),
        ("env.PATH", "begins with one of"),
        ("currentDate.year", "begins with one of"),
        ("session.metadata.", "empty part"),
        ("session..metadata", "empty part"),
        ("session.metadata[", "never closed"),
        ("session.metadata[]", "empty part"),
        ("session.metadata['x'", "never closed"),
        ("session.metadata]x", "has to stand before"),
        ("agent.secrets", "exactly one"),
        ("agent.secrets.a.b", "exactly one"),
        ("agent.metadata[agent.secrets.token]", "cannot be used as a name"),
        ("tools.search", "begins with one of"),
        ("tools[session.metadata.region].outputs.latest", "begins with one of"),
        ("session.metadata[99999999999999999999999]", "too large"),
    ] {
        let fault = Reference::parse(path).unwrap_err();
        assert!(fault.contains(why), "{path}: {fault}");
    }
    let deep = (0..6).fold("session.metadata.x".to_owned(), |inner, _| format!("session.metadata[{inner}]"));
    assert!(Reference::parse(&deep).unwrap_err().contains("deep"));
    assert!(Reference::parse(&format!("session.metadata{}", ".x".repeat(20))).unwrap_err().contains("parts"));
    assert!(Reference::parse(&"x".repeat(600)).unwrap_err().contains("characters"));
}
