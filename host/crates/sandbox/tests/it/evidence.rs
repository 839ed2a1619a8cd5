//! What a reply says about how its call came about.

use tool::{Decision, End};

use crate::guests::guest;
use crate::place::{Place, shipped};

fn decision(capability: &str, what: &str, rule: &str, allowed: bool, times: u32) -> Decision {
    Decision { capability: capability.into(), what: what.into(), rule: rule.into(), allowed, times }
}

#[tokio::test]
async fn a_reply_names_the_policy_and_what_was_decided_in_the_order_of_asking() {
    let granted = "[plugin.notes]\napprove = 'never'\n[plugin.notes.store]\nscope = 'session'\nquota = '200B'\n";
    let place = Place::with(&[("notes", shipped("notes"))], granted).await;
    let reply = place.call("notes", "note_write", r#"{"key": "colour", "text": "blue"}"#).await;
    assert_eq!(reply.end, End::Done);
    let first = reply.evidence.policy.expect("the policy's digest");
    assert!(first.starts_with("sha256:"));
    let decisions = reply.evidence.decisions;
    assert_eq!((&*decisions[0].capability, &*decisions[0].what, decisions[0].allowed), ("call", "note_write", true));
    let store = decisions.iter().find(|it| it.capability == "store").expect("the store was asked for");
    assert!(store.allowed && store.rule.contains("plugin.notes.store"), "{store:?}");
    assert!(!format!("{decisions:?}").contains("blue"), "no value stands in a decision");

    place.allow("[plugin.notes]\napprove = 'never'\n");
    let reply = place.call("notes", "note_write", r#"{"key": "colour", "text": "blue"}"#).await;
    assert_ne!(reply.evidence.policy, Some(first), "another policy has another digest");
    assert!(reply.evidence.decisions.iter().any(|it| it.capability == "store" && !it.allowed), "{:?}", reply.evidence);
}

#[tokio::test]
async fn a_request_is_named_by_method_host_and_path_alone() {
    let place = Place::with(&[("web", shipped("web"))], "").await;
    let reply = place.call("web", "web_get", r#"{"url": "https://secret.example/path?token=hidden"}"#).await;
    let http: Vec<_> = reply.evidence.decisions.iter().filter(|it| it.capability == "http").collect();
    assert_eq!(http, [&decision("http", "GET secret.example/path", "grant", false, 1)]);
}

#[tokio::test]
async fn a_call_that_never_reached_a_guest_has_its_evidence_too() {
    let place = Place::with(&[("it", guest("(call $ok)"))], "[plugin.it]\nagents = ['support-*']\napprove = 'never'\n").await;
    let denied = place.call("it", "act", "{}").await;
    assert!(matches!(denied.end, End::Denied(_)));
    assert_eq!(denied.evidence.decisions, [decision("call", "act", "agent", false, 1)]);
    assert!(denied.evidence.policy.is_some() && denied.evidence.component.is_none(), "nothing ran");

    place.allow("[plugin.it]\napprove = 'always'\n");
    let waits = place.call("it", "act", "{}").await;
    assert!(matches!(waits.end, End::AwaitingApproval(_)));
    assert_eq!(waits.evidence.decisions.len(), 1);
    assert!(waits.evidence.decisions[0].allowed, "the policy allows it, a person has not yet");

    let unknown = place.call("nobody", "act", "{}").await;
    assert_eq!(unknown.end, End::UnknownTool);
    assert!(unknown.evidence.policy.is_some() && unknown.evidence.decisions.is_empty());
}
