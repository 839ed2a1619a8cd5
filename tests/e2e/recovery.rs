//! `kill -9` between any two events: nothing acknowledged is lost, no tool runs twice.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tests::client::Client;
use tests::fake_model::{FakeModel, Reply, call, text};
use tests::server::{OWNER, Server, config, say, session};

fn notes() -> Value {
    json!({"note": {"type": "dynamic_vectara", "tool_id": "tol_notes_note_write"},
        "calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}})
}

async fn ended(owner: &Client, path: &str) -> Result<Vec<Value>> {
    for _ in 0..1500 {
        if owner.get(path).await?.expect(200)?["status"] == "stopped" {
            let listed = owner.get(&format!("{path}/events?limit=100")).await?.expect(200)?;
            return Ok(listed["events"].as_array().cloned().unwrap_or_default());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("the turn did not end after the restart")
}

/// The frames after which the server is killed, in the order in which they come.
const MOMENTS: [&str; 4] = ["input_message", "tool_input", "tool_output", "streaming_agent_output"];

#[tokio::test]
async fn a_turn_goes_on_after_a_kill_at_every_event_and_what_was_shown_is_still_there() -> Result<()> {
    for moment in MOMENTS {
        let model = FakeModel::start().await?;
        let server = Server::start(&config(&model.base_url)).await?;
        let path = session(&server.owner(), "a1", &notes()).await?;
        model.queue([call("note", json!({"key": "k", "text": "v"}))]);
        let slow = Duration::from_millis(if moment == "input_message" { 0 } else { 300 });
        model.always(Reply::Slow(slow, text("all done").into()));
        let mut body = say("remember");
        body["stream_response"] = true.into();
        let mut stream = server.owner().stream(&format!("{path}/events"), &body).await?;
        let shown = stream.until(moment).await?;
        let home = server.kill().await?;

        let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
        let events = ended(&server.owner(), &path).await?;
        let kinds: Vec<&str> = events.iter().filter_map(|e| e["type"].as_str()).collect();
        for frame in shown.iter().filter(|f| f.data["id"].is_string()) {
            assert!(events.contains(&frame.data), "killed after {moment}: {} was shown and is gone from {kinds:?}", frame.raw);
        }
        assert_eq!(kinds.iter().filter(|k| **k == "input_message").count(), 1, "killed after {moment}: {kinds:?}");
        let calls = kinds.iter().filter(|k| **k == "tool_input").count();
        assert_eq!(calls, kinds.iter().filter(|k| **k == "tool_output").count(), "killed after {moment}: {kinds:?}");
        assert_eq!(kinds.last(), Some(&"agent_output"), "killed after {moment}: {kinds:?}");
        for event in events.iter().filter(|e| e["error"] == true) {
            assert_eq!(event["tool_output"]["error"]["reason"], "outcome_unknown", "killed after {moment}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_was_acknowledged_as_json_is_there_after_a_kill() -> Result<()> {
    let model = FakeModel::start().await?;
    model.always(text("noted"));
    let mut server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &json!({})).await?;
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        let owner = server.owner();
        for i in 0..4 {
            let answer = owner.post(&format!("{path}/events"), &say(&format!("round {round} message {i}"))).await?.expect(201)?;
            acknowledged.extend(answer["events"].as_array().cloned().unwrap_or_default());
        }
        let home = server.kill().await?;
        server = Server::start_in(home, &config(&model.base_url), &[]).await?;
        let listed = server.owner().get(&format!("{path}/events?limit=100")).await?.expect(200)?;
        assert_eq!(listed["events"].as_array(), Some(&acknowledged));
        assert_eq!(listed["metadata"]["total_count"], acknowledged.len());
    }
    Ok(())
}

#[tokio::test]
async fn a_tool_that_was_running_is_unknown_afterwards_and_is_not_run_again() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &notes()).await?;
    // The kill comes while the model waits to be asked a second time, or while the tool runs:
    // in both cases the tool has one result, and the second model call sees it.
    model.queue([call("note", json!({"key": "k", "text": "v"}))]);
    model.always(text("done"));
    let mut body = say("write");
    body["stream_response"] = true.into();
    let mut stream = server.owner().stream(&format!("{path}/events"), &body).await?;
    stream.until("tool_input").await?;
    let home = server.kill().await?;
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    let events = ended(&server.owner(), &path).await?;
    let inputs: Vec<&Value> = events.iter().filter(|e| e["type"] == "tool_input").collect();
    let outputs: Vec<&Value> = events.iter().filter(|e| e["type"] == "tool_output").collect();
    assert_eq!((inputs.len(), outputs.len()), (1, 1), "one call, one result: {events:?}");
    let last = model.requests().last().cloned().unwrap_or_default();
    let told = last["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "tool").count();
    assert_eq!(told, 1, "the model is told what became of the call");
    Ok(())
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused_and_told_why() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let second = Server::spawn(server.home.clone(), &[]).await;
    let refusal = format!("{:#}", second.expect_err("the second server does not start"));
    assert!(refusal.contains("data") && refusal.contains("in use by another server"), "{refusal}");
    server.ready().await
}

#[tokio::test]
async fn keys_agents_and_notes_outlive_a_restart() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let tools = json!({"note": {"type": "dynamic_vectara", "tool_id": "tol_notes_note_write"},
        "read": {"type": "dynamic_vectara", "tool_id": "tol_notes_note_read"}});
    let path = session(&server.owner(), "a1", &tools).await?;
    let key = server.owner().post("/operator/v1/keys", &json!({"role": "agent_administrator"})).await?.expect(201)?;
    model.queue([call("note", json!({"key": "color", "text": "blue"})), text("noted")]);
    server.owner().post(&format!("{path}/events"), &say("my color is blue")).await?.expect(201)?;
    let (home, status): (Arc<_>, _) = server.stop().await?;
    assert!(status.success());
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    let caller = server.owner().with_key(key["key"].as_str());
    model.queue([call("read", json!({"key": "color"})), text("blue")]);
    let answer = caller.post(&format!("{path}/events"), &say("which color?")).await?.expect(201)?;
    let output = answer["events"].as_array().unwrap().iter().find(|e| e["type"] == "tool_output").cloned().unwrap_or_default();
    assert!(output["tool_output"].to_string().contains("blue"), "{output}");
    assert_ne!(key["key"].as_str(), Some(OWNER));
    Ok(())
}

#[tokio::test]
async fn a_repeat_after_a_kill_joins_its_turn_instead_of_running_a_second_one() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &json!({})).await?;
    model.queue([Reply::Hang]);
    let mut body = say("only once");
    body["stream_response"] = true.into();
    let mut stream = server.owner().stream(&format!("{path}/events"), &body).await?;
    stream.until("input_message").await?;
    // Else the hanging reply would be kept for the turn that is taken up.
    model.asked(1).await?;
    let home = server.kill().await?;
    model.always(Reply::Slow(Duration::from_millis(800), text("here you are").into()));
    let server = Server::spawn(home, &[]).await?;
    let answer = server.owner().post(&format!("{path}/events"), &say("only once")).await?.expect(201)?;
    let kinds: Vec<&str> = answer["events"].as_array().unwrap().iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(kinds, ["input_message", "agent_output"], "the answer has the input of before the kill");
    let listed = server.owner().get(&format!("{path}/events")).await?.expect(200)?;
    assert_eq!(listed["metadata"]["total_count"], 2);
    Ok(())
}

#[tokio::test]
async fn an_input_while_the_plugins_are_compiled_for_the_first_time_waits_for_its_tools() -> Result<()> {
    let model = FakeModel::start().await?;
    let home = Arc::new(tempfile::tempdir()?);
    std::fs::write(home.path().join("wardian.toml"), config(&model.base_url))?;
    // A data directory that no test has prepared: everything is compiled.
    let server = Server::spawn(home, &["--data", "fresh"]).await?;
    let owner = server.owner();
    owner.post("/v2/agents/assistant/sessions", &json!({"key": "s"})).await?.expect(201)?;
    model.queue([text("hello")]);
    owner.post("/v2/agents/assistant/sessions/s/events", &say("hi")).await?.expect(201)?;
    let offered = model.requests()[0]["tools"].as_array().map(Vec::len);
    assert!(offered.is_some_and(|tools| tools >= 6), "the model was offered {offered:?} tools");
    Ok(())
}
