//! Answers that must have a form.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::{Client, types};
use tests::fake_model::{FakeModel, Reply, call, text};
use tests::server::{Server, config, say};

/// An agent whose answers name a city, and a session with it.
async fn place() -> Result<(Server, FakeModel, Client, String)> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let schema = json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}, "n": {"type": "number"}}});
    let body = json!({"key": "geo", "name": "Geo", "model": {"name": "default"},
        "tool_configurations": {"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}},
        "first_step": {"instructions": [], "output_parser": {"type": "structured", "json_schema": {"name": "city", "schema": schema}}}});
    let made = owner.post("/v2/agents", &body).await?.expect(201)?;
    assert_eq!(made["first_step"]["output_parser"]["json_schema"]["schema"], schema);
    let key = owner.post("/v2/agents/geo/sessions", &json!({})).await?.expect(201)?["key"].as_str().context("a key")?.to_owned();
    Ok((server, model, owner, format!("/v2/agents/geo/sessions/{key}/events")))
}

fn kinds(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().into_iter().flatten().filter_map(|event| event["type"].as_str()).collect()
}

#[tokio::test]
async fn an_answer_that_fits_is_one_event_with_its_exact_text() -> Result<()> {
    let (_server, model, owner, events) = place().await?;
    model.queue([text("```json\n{\"city\": \"Oslo\", \"n\": 1.10}\n```")]);
    let answer = owner.post(&events, &say("where?")).await?;
    assert!(String::from_utf8_lossy(&answer.body).contains(r#""content":{"city":"Oslo","n":1.10}"#));
    let answer = answer.expect(201)?;
    assert_eq!(kinds(&answer), ["input_message", "structured_output"]);
    assert_eq!(answer["events"][1]["schema_name"], "city");
    assert!(model.requests()[0].to_string().contains("city"), "the model is told");
    assert_eq!(owner.get(&events).await?.expect(200)?["events"], answer["events"]);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_corrected_once_and_nobody_sees_the_first() -> Result<()> {
    let (_server, model, owner, events) = place().await?;
    model.queue([text("It is Oslo."), text(r#"{"city":"Oslo"}"#), text(r#"{"city":"Rome"}"#)]);
    let answer = owner.post(&events, &say("where?")).await?.expect(201)?;
    assert_eq!(kinds(&answer), ["input_message", "structured_output"]);
    let asked = model.requests();
    let told = asked[1]["messages"].to_string();
    assert!(told.contains("It is Oslo.") && told.contains("schema `city`") && told.contains("not JSON"), "{told}");
    let next = owner.post(&events, &say("and now?")).await?.expect(201)?;
    assert_eq!(next["events"][1]["content"], json!({"city": "Rome"}));
    Ok(())
}

#[tokio::test]
async fn a_second_miss_fails_the_turn_and_leaves_the_session_usable() -> Result<()> {
    let (_server, model, owner, events) = place().await?;
    model.queue([text(r#"{"city": 1}"#), text(r#"{"town": "Oslo"}"#), text(r#"{"city":"Oslo"}"#)]);
    let error = owner.post(&events, &say("where?")).await?.expect(500)?;
    assert_eq!(error["code"], "agent_processing_failed");
    assert!(error["messages"][0].as_str().unwrap_or_default().contains("schema `city`"), "{error}");
    assert_eq!(model.requests().len(), 2);
    let answer = owner.post(&events, &say("where?")).await?.expect(201)?;
    assert_eq!(answer["events"].as_array().and_then(|events| events.last()).map(|event| &event["content"]), Some(&json!({"city": "Oslo"})));
    Ok(())
}

#[tokio::test]
async fn a_stream_shows_the_thought_in_pieces_and_the_answer_in_one() -> Result<()> {
    let (_server, model, owner, events) = place().await?;
    model.queue([
        Reply::Reasoned("let me see".into(), "no idea".into()),
        Reply::Reasoned("think again".into(), r#"{"city":"Oslo"}"#.into()),
    ]);
    let mut body = say("where?");
    body["stream_response"] = true.into();
    let frames = owner.stream(&events, &body).await?.all().await?;
    let mut kinds = types(&frames);
    kinds.dedup();
    assert!(!kinds.contains(&"streaming_agent_output") && kinds.contains(&"streaming_thinking"), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "structured_output").count(), 1);
    let formed = frames.iter().find(|frame| frame.event == "structured_output").context("a frame")?;
    assert_eq!(formed.data["content"], json!({"city": "Oslo"}));
    assert_eq!(kinds.last(), Some(&"end"));
    Ok(())
}

#[tokio::test]
async fn tools_run_before_the_answer_and_a_restart_remembers_it() -> Result<()> {
    let (server, model, owner, events) = place().await?;
    model.queue([call("calc", json!({"expression": "6*7"})), text(r#"{"city":"Oslo","n":42}"#)]);
    let answer = owner.post(&events, &say("where?")).await?.expect(201)?;
    assert_eq!(kinds(&answer), ["input_message", "tool_input", "tool_output", "structured_output"]);
    drop(owner);
    let home = server.kill().await?;
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    model.queue([text(r#"{"city":"Rome"}"#)]);
    server.owner().post(&events, &say("and now?")).await?.expect(201)?;
    let told = model.requests().last().map(|request| request["messages"].to_string()).unwrap_or_default();
    assert!(told.contains("Oslo") && told.contains("42"), "{told}");
    Ok(())
}
