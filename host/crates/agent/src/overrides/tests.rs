//! What may be set, what comes of it, and what of it is shown.

use std::sync::Arc;

use serde_json::json;
use tool::{ToolId, ToolSpec, Traits};

use super::*;
use crate::references::tests::World;

fn overrides(value: Value) -> Overrides {
    Overrides::parse(value.as_object().unwrap()).unwrap()
}

fn wrong(value: Value) -> WrongOverride {
    Overrides::parse(value.as_object().unwrap()).unwrap_err()
}

fn resolved(value: Value) -> Resolved {
    overrides(value).resolve("t", &World::new().sources(), Clock).unwrap()
}

#[test]
fn what_is_set_wins_over_what_the_model_wrote_and_the_rest_stays_to_the_letter() {
    let set = resolved(json!({"query": "fixed", "page": {"$ref": "agent.metadata.limits.rows"}}));
    let got = set.over(r#"{"n": 1.10, "query": "mine", "big": 123456789012345678901, "query": "again"}"#);
    assert_eq!(got, r#"{"n":1.10,"big":123456789012345678901,"query":"fixed","page":10}"#);
    assert_eq!(set.shown, r#"{"query":"fixed","page":10}"#);
    assert!(set.veil.is_empty());
}

#[test]
fn a_dotted_key_sets_one_leaf_and_leaves_its_siblings() {
    let set = resolved(json!({"headers.accept": "text/plain", "headers.x.y": 1, "body": {"a": 1}}));
    let got = set.over(r#"{"headers": {"accept": "mine", "dnt": "1", "x": 7}, "body": {"b": 2}}"#);
    assert_eq!(got, r#"{"headers":{"dnt":"1","accept":"text/plain","x":{"y":1}},"body":{"a":1}}"#);
    assert_eq!(set.over("{}"), r#"{"headers":{"accept":"text/plain","x":{"y":1}},"body":{"a":1}}"#);
}

#[test]
fn a_secret_travels_under_a_placeholder_and_is_shown_masked() {
    let value = json!({"headers.authorization": {"$ref": "agent.secrets.token"}, "list": [{"$ref": "session.secrets.token"}]});
    let (one, other) = (resolved(value.clone()), resolved(value));
    let sent = one.over("{}");
    assert!(!sent.contains("-token-value"), "{sent}");
    assert_eq!(one.shown, r#"{"headers.authorization":"****","list":["****"]}"#);
    assert_eq!(shown_over("{}", Some(&one.shown)), r#"{"headers":{"authorization":"****"},"list":["****"]}"#);
    let pairs: Vec<(&str, &str)> = one.veil.iter().collect();
    assert_eq!(pairs.iter().map(|(_, value)| *value).collect::<Vec<_>>(), ["agent-token-value", "session-token-value"]);
    assert!(pairs.iter().all(|(placeholder, _)| sent.contains(placeholder)));
    assert_ne!(sent, other.over("{}"), "every call has placeholders of its own");
}

#[test]
fn a_literal_dollar_ref_is_written_with_two() {
    assert_eq!(resolved(json!({"q": {"$$ref": "x", "n": null}})).over("{}"), r#"{"q":{"$ref":"x","n":null}}"#);
}

#[test]
fn what_leads_nowhere_is_named_and_what_needs_an_output_is_not_asked_for_early() {
    let world = World::new();
    let early = overrides(json!({"a": {"$ref": "tools.search.outputs.latest.id"}}));
    assert!(early.check_early("t", &world.sources()).is_ok());
    assert!(early.resolve("t", &world.sources(), Clock).is_err());
    assert_eq!(early.outputs().collect::<Vec<_>>(), ["search"]);
    let missing = overrides(json!({"a.b": [{"$ref": "session.secrets.nope"}]}));
    let error = missing.check_early("fetch", &world.sources()).unwrap_err().to_string();
    assert!(error.contains("`a.b`") && error.contains("`fetch`") && error.contains("session.secrets.nope"), "{error}");
    assert!(missing.has_secrets() && !early.has_secrets());
}

#[test]
fn what_cannot_be_set_is_refused_by_its_key() {
    for (value, key, why) in [
        (json!({"a": {"$ref": "nowhere.x"}}), "a", "begins with"),
        (json!({"a": {"b": [{"$ref": 7}]}}), "a", "one member"),
        (json!({"a": {"$ref": "currentDate", "b": 1}}), "a", "one member"),
        (json!({"a..b": 1}), "a..b", "names"),
        (json!({"": 1}), "", "names"),
        (json!({"a": {}, "a.b": 1}), "a.b", "`a`"),
        (json!({"a.b": 1, "a": {}}), "a", "`a.b`"),
        (json!({"a": "x".repeat(BYTES)}), "", "bytes"),
    ] {
        let fault = wrong(value.clone());
        assert!(fault.key == key && fault.why.contains(why), "{value}: {fault:?}");
    }
    let many: Map<String, Value> = (0..=ENTRIES).map(|n| (format!("a{n}"), json!(1))).collect();
    assert!(Overrides::parse(&many).is_err());
    let deep = (0..=DEPTH).fold(json!(1), |inner, _| json!([inner]));
    assert!(wrong(json!({"a": deep})).why.contains("nested"));
}

fn spec(input: &Value) -> Arc<ToolSpec> {
    Arc::new(ToolSpec {
        id: ToolId { plugin: "p".into(), name: "t".into() },
        description: String::new(),
        input: input.to_string().into(),
        output: None,
        traits: Traits::default(),
        title: None,
        component: "sha256:c".into(),
        tools: "sha256:t".into(),
        version: "1".into(),
    })
}

#[test]
fn a_model_is_shown_a_schema_without_what_the_agent_sets() {
    let headers = json!({"type": "object", "required": ["auth"], "properties": {"auth": {"type": "string"}, "dnt": {"type": "string"}}});
    let schema = json!({"type": "object", "required": ["url", "headers", "q"],
        "properties": {"url": {"type": "string"}, "headers": headers, "q": {"type": "string"}, "n": {"type": "integer"}}});
    let shown = narrowed(&spec(&schema), &overrides(json!({"url": "x", "headers.auth": "y", "unknown.z": 1})));
    let want = json!({"type": "object", "required": ["q"],
        "properties": {"headers": {"type": "object", "required": [], "properties": {"dnt": {"type": "string"}}}, "q": {"type": "string"},
            "n": {"type": "integer"}}});
    assert_eq!(serde_json::from_str::<Value>(&shown.input).unwrap(), want);
    assert_eq!(shown.component, "sha256:c".into());
}
