//! Calls that need a person: one approval however often the call is repeated, and its result once.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::patience::until;
use tests::server::Server;

use super::{Site, ask, call, called, offering, post, text};
use crate::cli::run;

/// Notes that the operator has to agree to.
fn gated() -> String {
    offering(
        "[plugin.notes]\nagents = [\"mcp\"]\napprove = \"always\"\napprover = \"operator\"\n\
         [plugin.notes.tool.note_list]\napprove = \"never\"\n[plugin.notes.store]\nscope = \"agent\"\n",
    )
}

fn note() -> Value {
    json!({"key": "color", "text": "blue"})
}

/// The approval that a result asks for.
fn asked(result: &Value) -> Result<String> {
    assert_eq!(result["isError"], true, "{result}");
    let id = result["_meta"]["wardian/approval"]["id"].as_str().with_context(|| format!("it waits for nobody: {result}"))?;
    assert!(
        text(result).starts_with("awaiting_approval: ") && text(result).contains(&format!("wardian approvals approve {id}")),
        "{result}"
    );
    Ok(id.to_owned())
}

#[tokio::test]
async fn a_call_that_waits_is_asked_for_once_and_runs_once_also_when_the_server_is_killed_in_between() -> Result<()> {
    let server = Server::start(&gated()).await?;
    let id = asked(&called(&server.owner(), "notes__note_write", &note()).await?)?;
    assert_eq!(asked(&called(&server.owner(), "notes__note_write", &note()).await?)?, id);
    let other = asked(&called(&server.owner(), "notes__note_write", &json!({"key": "color", "text": "red"})).await?)?;
    assert_ne!(other, id, "other arguments are another call");

    let server = Server::start_in(server.kill().await?, &gated(), &[]).await?;
    let (owner, home) = (server.owner(), server.home.path());
    assert_eq!(asked(&called(&owner, "notes__note_write", &note()).await?)?, id);
    let open = owner.get("/operator/v1/approvals").await?.expect(200)?;
    assert_eq!(open["approvals"].as_array().map(Vec::len), Some(2), "{open}");
    assert!(!called(&owner, "notes__note_list", &json!({})).await?.to_string().contains("color"), "nothing ran yet");

    assert!(run(home, &["approvals", "approve", &id]).await?.ok);
    let result = called(&owner, "notes__note_write", &note()).await?;
    assert_eq!(result["isError"], false, "{result}");
    assert!(called(&owner, "notes__note_list", &json!({})).await?.to_string().contains("color"));
    let again = asked(&called(&owner, "notes__note_write", &note()).await?)?;
    assert_ne!(again, id, "who wants it again asks again");
    Ok(())
}

#[tokio::test]
async fn a_call_that_was_decided_before_a_kill_still_has_its_result() -> Result<()> {
    let server = Server::start(&gated()).await?;
    let id = asked(&called(&server.owner(), "notes__note_write", &note()).await?)?;
    server.owner().post(&format!("/operator/v1/approvals/{id}"), &json!({"decision": "approve"})).await?.expect(200)?;
    let listed = called(&server.owner(), "notes__note_list", &json!({})).await?;
    let server = Server::start_in(server.kill().await?, &gated(), &[]).await?;
    let result = called(&server.owner(), "notes__note_write", &note()).await?;
    // Acknowledged is durable: the decision is, and so is what came of it, or that nobody knows.
    let ran = result["isError"] == false;
    assert!(ran || text(&result).starts_with("outcome_unknown: "), "{result} after {listed}");
    asked(&called(&server.owner(), "notes__note_write", &note()).await?)?;
    Ok(())
}

#[tokio::test]
async fn a_rejection_is_told_once_and_then_it_can_be_asked_for_anew() -> Result<()> {
    let server = Server::start(&gated()).await?;
    let (owner, home) = (server.owner(), server.home.path());
    let id = asked(&called(&owner, "notes__note_write", &note()).await?)?;
    assert!(run(home, &["approvals", "reject", &id, "--reason", "not on a Friday"]).await?.ok);
    let result = called(&owner, "notes__note_write", &note()).await?;
    assert!(text(&result).starts_with("rejected: ") && text(&result).contains("not on a Friday"), "{result}");
    assert_ne!(asked(&called(&owner, "notes__note_write", &note()).await?)?, id);
    Ok(())
}

#[tokio::test]
async fn whoever_holds_the_key_decides_where_the_operator_leaves_it_to_clients() -> Result<()> {
    let server = Server::start(&gated().replace("\"operator\"", "\"client\"")).await?;
    let owner = server.owner();
    let made = owner.post("/operator/v1/keys", &json!({"role": "agent_user", "agents": ["mcp"]})).await?.expect(201)?;
    let user = owner.with_key(made["key"].as_str());
    let result = called(&user, "notes__note_write", &note()).await?;
    let (id, session) = (asked(&result)?, result["_meta"]["wardian/approval"]["session_key"].as_str().context("a session")?.to_owned());
    let events = format!("/v2/agents/mcp/sessions/{session}/events");
    let decision = json!({"type": "tool_approval", "decisions": [{"event_id": id, "decision": "approve"}]});
    user.post(&events, &decision).await?.expect(201)?;
    let listed = owner.get(&events).await?.expect(200)?;
    assert!(listed.to_string().contains("notes__note_write"), "the call is a turn like any other: {listed}");
    assert_eq!(called(&user, "notes__note_write", &note()).await?["isError"], false);
    owner.get(&events).await?.expect(404)?;
    Ok(())
}

#[tokio::test]
async fn identical_calls_of_one_moment_share_an_approval_and_one_of_them_gets_the_result() -> Result<()> {
    const CALLS: usize = 8;
    let server = Server::start(&gated()).await?;
    let at_once = async || -> Result<Vec<Value>> {
        let message = call("notes__note_write", &note());
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let (owner, message) = (server.owner(), message.clone());
                tokio::spawn(async move { ask(&owner, &message).await })
            })
            .collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await??);
        }
        Ok(answers)
    };
    let ids: BTreeSet<String> = at_once().await?.iter().map(|answer| asked(&answer["result"])).collect::<Result<_>>()?;
    assert_eq!(ids.len(), 1, "{ids:?}");
    for id in &ids {
        server.owner().post(&format!("/operator/v1/approvals/{id}"), &json!({"decision": "approve"})).await?.expect(200)?;
    }
    let answers = at_once().await?;
    let results = answers.iter().filter(|answer| answer["result"]["isError"] == false).count();
    assert_eq!(results, 1, "{answers:?}");
    for other in answers.iter().filter(|answer| answer["result"]["isError"] != false) {
        let anew = other["result"]["_meta"]["wardian/approval"]["id"].as_str();
        let told = other["error"]["message"].as_str().unwrap_or_default();
        let refused = told.contains("handed out to another request") || told.contains("is being settled at this moment; make it again");
        assert!(anew.is_some_and(|id| !ids.contains(id)) || refused, "{other}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_person_agreed_to_goes_on_when_its_client_takes_the_request_back() -> Result<()> {
    let site = Site::start(true).await?;
    let config = offering(&site.grant()).replace("approve = \"never\"", "approve = \"always\"\napprover = \"operator\"");
    let server = Server::start(&(config + "[plugin.web.limits]\ntime = \"15s\"\n")).await?;
    let (owner, arguments) = (server.owner(), json!({"url": site.url()}));
    let id = asked(&called(&owner, "web__web_get", &arguments).await?)?;
    owner.post(&format!("/operator/v1/approvals/{id}"), &json!({"decision": "approve"})).await?.expect(200)?;
    until("the call reaches the site", async || Ok(site.came() == 1)).await?;

    let mut message = call("web__web_get", &arguments);
    (message["id"], message["params"]["_meta"]) = (json!(7), json!({"progressToken": 1}));
    let mut stream = owner.stream_with("/mcp", &[("accept", "application/json, text/event-stream")], &message).await?;
    let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    post(&owner, &[], &cancelled.to_string()).await?.expect(202)?;
    assert!(stream.all().await?.is_empty(), "whoever took it back waits for no answer");

    until("the tool's time is over", async || Ok(site.left() == 1)).await?;
    let result = called(&owner, "web__web_get", &arguments).await?;
    let told = text(&result);
    assert!(!told.starts_with("cancelled") && !told.starts_with("awaiting_approval"), "it ran to its own end: {result}");
    assert_ne!(asked(&called(&owner, "web__web_get", &arguments).await?)?, id);
    Ok(())
}

#[tokio::test]
async fn what_one_caller_waits_for_is_not_anothers() -> Result<()> {
    let server = Server::start(&gated()).await?;
    let owner = server.owner();
    let made = owner.post("/operator/v1/keys", &json!({"role": "agent_user"})).await?.expect(201)?;
    let user = owner.with_key(made["key"].as_str());
    let (mine, theirs) =
        (asked(&called(&owner, "notes__note_write", &note()).await?)?, asked(&called(&user, "notes__note_write", &note()).await?)?);
    assert_ne!(mine, theirs);
    owner.post(&format!("/operator/v1/approvals/{theirs}"), &json!({"decision": "approve"})).await?.expect(200)?;
    assert_eq!(asked(&called(&owner, "notes__note_write", &note()).await?)?, mine);
    assert_eq!(called(&user, "notes__note_write", &note()).await?["isError"], false);
    Ok(())
}
