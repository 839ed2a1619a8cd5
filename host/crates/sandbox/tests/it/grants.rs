//! What a grant opens, and that nothing is open without one: with the plugins
//! that ship with the server.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use tool::{Approval, Approver, Caller, Content, End, Reason, Toolbox, Verdict};

use crate::guests::guest;
use crate::place::{Place, caller, shipped};

fn data(reply: &tool::ToolReply) -> String {
    match &reply.parts[..] {
        [Content::Data(json)] => json.clone(),
        parts => panic!("{:?} with {parts:?}", reply.end),
    }
}

fn reason(end: &End) -> Option<Reason> {
    match end {
        End::Tool(error) => Some(error.reason),
        _ => None,
    }
}

#[tokio::test]
async fn a_tool_that_only_computes_needs_no_grant() {
    let place = Place::with(&[("calculator", shipped("calculator"))], "").await;
    let reply = place.call("calculator", "calculate", r#"{"expression": "0.1 + 0.2"}"#).await;
    assert!(data(&reply).contains("0.3"), "{reply:?}");
    assert!(place.sandbox.tools(&caller())[0].traits.read_only);
}

#[tokio::test]
async fn the_store_opens_with_its_grant_and_keeps_what_was_committed() {
    let place = Place::with(&[("notes", shipped("notes"))], "").await;
    let write = r#"{"key": "colour", "text": "blue"}"#;
    let denied = place.call("notes", "note_write", write).await;
    assert!(reason(&denied.end).is_some() && denied.writes.is_empty(), "{:?}", denied.end);

    place.allow("[plugin.notes]\napprove = 'never'\n[plugin.notes.store]\nscope = 'session'\nquota = '200B'\n");
    let written = place.call("notes", "note_write", write).await;
    assert_eq!((written.end, written.writes.len()), (End::Done, 1));
    let before = place.call("notes", "note_read", r#"{"key": "colour"}"#).await;
    assert!(!format!("{:?}", before.parts).contains("blue"), "nothing is kept before the commit");
    place.store.commit(written.writes);
    assert!(data(&place.call("notes", "note_read", r#"{"key": "colour"}"#).await).contains("blue"));
    let large = format!(r#"{{"key": "large", "text": "{}"}}"#, "x".repeat(300));
    let over = place.call("notes", "note_write", &large).await;
    assert!(reason(&over.end).is_some() && over.writes.is_empty(), "over the quota: {:?}", over.end);
}

#[tokio::test]
async fn a_directory_and_the_cache_open_with_their_grants() {
    let place = Place::with(&[("knowledge", shipped("knowledge"))], "").await;
    let base = place.directory.path().join("base");
    fs::create_dir(&base).unwrap();
    fs::write(base.join("boats.md"), "# Boats\n\nA keel keeps a boat upright.\n").unwrap();
    let search = r#"{"query": "what keeps a boat upright"}"#;
    let denied = place.call("knowledge", "knowledge_base_search", search).await;
    assert_eq!(reason(&denied.end), Some(Reason::Unauthorized), "{:?}", denied.end);

    place.allow(
        "[[plugin.knowledge.files]]\nhost = 'base'\nguest = 'knowledge'\naccess = 'read'\n[plugin.knowledge.cache]\nquota = '8MiB'\n",
    );
    for _ in 0..2 {
        let found = place.call("knowledge", "knowledge_base_search", search).await;
        assert!(data(&found).contains("keel"), "{found:?}");
    }
    assert!(place.directory.path().join("cache/plugins/00ff/knowledge").read_dir().unwrap().count() > 0);
    assert_eq!(fs::read_dir(&base).unwrap().count(), 1, "nothing was written where reading was granted");
    assert_eq!(place.status("knowledge").grants.len(), 2);
}

#[tokio::test]
async fn a_request_leaves_only_where_host_and_address_are_granted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello").unwrap();
        String::from_utf8_lossy(&request[..read]).to_ascii_lowercase()
    });
    let place = Place::with(&[("web", shipped("web"))], "").await;
    let get = format!(r#"{{"url": "http://127.0.0.1:{port}/greeting"}}"#);
    let denied = place.call("web", "web_get", &get).await;
    assert_eq!(reason(&denied.end), Some(Reason::Refused), "{:?}", denied.end);

    let rule = format!("[[plugin.web.http]]\nhost = '127.0.0.1'\nscheme = 'http'\nport = {port}\n");
    place.allow(&rule);
    let closed = place.call("web", "web_get", &get).await;
    assert_eq!(reason(&closed.end), Some(Reason::Refused), "the address is below the floor: {:?}", closed.end);

    place.allow(&format!("{rule}[network]\nprivate = ['127.0.0.0/8']\n"));
    let reply = place.call("web", "web_get", &get).await;
    assert!(data(&reply).contains("hello"), "{reply:?}");
    assert!(server.join().unwrap().starts_with("get /greeting http/1.1"));
    assert!(!place.sandbox.tools(&caller())[0].traits.closed_world);
}

#[tokio::test]
async fn tools_are_seen_and_called_by_those_they_are_granted_to() {
    let place = Place::with(&[("it", guest("(call $ok)"))], "").await;
    let other = Caller { tenant: "other".into(), agent: "assistant".into() };
    assert_eq!((place.sandbox.tools(&caller()).len(), place.sandbox.tools(&other).len()), (1, 0));
    place.allow("[plugin.it]\nagents = ['support-*']\napprove = 'never'\n");
    assert!(place.sandbox.tools(&caller()).is_empty());
    let reply = place.call("it", "act", "{}").await;
    assert!(matches!(&reply.end, End::Denied(why) if why.contains("agents = [")), "{:?}", reply.end);
}

#[tokio::test]
async fn a_call_that_needs_a_person_runs_only_with_an_agreement_to_this_very_build() {
    let place = Place::with(&[("it", guest("(call $ok)"))], "[plugin.it]\napprove = 'always'\napprover = 'operator'\n").await;
    let tool = tool::ToolId { plugin: "it".into(), name: "act".into() };
    assert_eq!(place.sandbox.check(&caller(), &tool, "{}").await, Ok(Verdict::Ask(Approver::Operator)));
    assert!(matches!(place.call("it", "act", "{}").await.end, End::AwaitingApproval(_)));

    let spec = place.sandbox.find(&caller(), &tool).unwrap();
    let agreed = |by| Approval { by, component: spec.component.to_string(), tools: spec.tools.to_string() };
    assert!(matches!(place.call_with(agreed(Approver::Client)).await.end, End::AwaitingApproval(_)));
    assert_eq!(place.call_with(agreed(Approver::Operator)).await.end, End::Done);
    let of_another_build = Approval { component: "sha256:00".into(), ..agreed(Approver::Operator) };
    assert!(matches!(place.call_with(of_another_build).await.end, End::Unavailable(why) if why.contains("changed after")));
}

#[tokio::test]
async fn a_tenants_rate_bounds_its_calls() {
    let place = Place::with(&[("it", guest("(call $ok)"))], "[plugin.it]\napprove = 'never'\nlimits = { rate = '2/h' }\n").await;
    let mut ends = Vec::new();
    for _ in 0..3 {
        ends.push(place.call("it", "act", "{}").await.end);
    }
    assert_eq!(ends[..2], [End::Done, End::Done]);
    assert!(matches!(&ends[2], End::Unavailable(why) if why.contains("2/h")), "{ends:?}");
}
