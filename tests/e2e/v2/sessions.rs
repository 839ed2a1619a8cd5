//! `/v2/agents/{agent_key}/sessions`.

use anyhow::Result;
use serde_json::{Value, json};
use tests::fake_model::{FakeModel, text};
use tests::server::{Server, config, say};

const SESSIONS: &str = "/v2/agents/assistant/sessions";

#[tokio::test]
async fn a_session_lives_from_create_to_delete() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let made = owner.post(SESSIONS, &json!({})).await?.expect(201)?;
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("ase_"), "{key}");
    assert!(made["name"].as_str().is_some_and(|name| !name.is_empty()), "a name is made up where none was given");
    assert_eq!(made["status"], "unstarted");
    let path = format!("{SESSIONS}/{key}");

    model.queue([text("hello")]);
    owner.post(&format!("{path}/events"), &say("hi")).await?.expect(201)?;
    let after = owner.get(&path).await?.expect(200)?;
    assert_eq!(after["status"], "stopped");
    assert_eq!(after["session_context_usage"]["total_tokens"], 219);
    assert_eq!(after["session_context_usage"]["model_context_window"], 128_000);

    let changed = owner.patch(&path, &json!({"name": "N", "metadata": {"a": {"b": 1}}})).await?.expect(200)?;
    assert_eq!((&changed["name"], &changed["metadata"]), (&json!("N"), &json!({"a": {"b": 1}})));
    let listed = owner.get(SESSIONS).await?.expect(200)?;
    assert_eq!(listed["sessions"][0]["key"], key.as_str());

    owner.delete(&path).await?.expect(204)?;
    for gone in [path.clone(), format!("{path}/events")] {
        assert_eq!(owner.get(&gone).await?.expect(404)?["code"], "session_not_found");
    }
    owner.post(SESSIONS, &json!({"key": key})).await?.expect(201)?;
    let events = owner.get(&format!("{path}/events")).await?.expect(200)?;
    assert_eq!(events["events"], json!([]), "a name that is used again begins anew");
    Ok(())
}

#[tokio::test]
async fn a_taken_key_conflicts_and_a_disabled_session_takes_no_input() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    owner.post(SESSIONS, &json!({"key": "s1"})).await?.expect(201)?;
    owner.post(SESSIONS, &json!({"key": "s1"})).await?.expect(409)?;
    owner.patch(&format!("{SESSIONS}/s1"), &json!({"enabled": false})).await?.expect(200)?;
    owner.post(&format!("{SESSIONS}/s1/events"), &say("hi")).await?.expect(403)?;
    owner.get(&format!("{SESSIONS}/s1/events")).await?.expect(200)?;
    assert_eq!(model.requests(), Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn what_this_version_does_not_have_is_refused_by_name() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let error = owner.post(SESSIONS, &json!({"from_session": {"session_key": "x"}})).await?.expect(400)?;
    assert!(error["field_errors"]["from_session"].is_string(), "{error}");
    owner.post(SESSIONS, &json!({"a_member_from_next_year": 1})).await?.expect(201)?;
    Ok(())
}
