//! Conversations that grow: summaries by themselves, after an overflow, and what becomes of them.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tests::client::{Client, types};
use tests::fake_model::{FakeModel, Reply, call, text};
use tests::server::{Server, config, say, session};

/// Window of the model in these tests: see `tests::server::config`.
const NEARLY_FULL: u64 = 110_000;

async fn start() -> Result<(FakeModel, Server, String)> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let calculator = json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}});
    let path = session(&server.owner(), "a1", &calculator).await?;
    Ok((model, server, path))
}

fn full(answer: &str) -> Reply {
    Reply::Counted(NEARLY_FULL, text(answer).into())
}

fn overflow() -> Reply {
    let message = "This model's maximum context length is 128000 tokens. However, your messages resulted in 131072 tokens.";
    Reply::Error(400, json!({"error": {"message": message, "code": "context_length_exceeded"}}).to_string())
}

async fn tell(owner: &Client, path: &str, text: &str) -> Result<Value> {
    owner.post(&format!("{path}/events"), &say(text)).await?.expect(201)
}

async fn listed(owner: &Client, path: &str, query: &str) -> Result<Value> {
    owner.get(&format!("{path}/events?limit=100{query}")).await?.expect(200)
}

fn kinds(list: &Value) -> Vec<&str> {
    list["events"].as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(|event| event["type"].as_str()).collect()
}

/// Whether a request asks for a summary.
fn is_for_summary(request: &Value) -> bool {
    request["messages"][0]["content"].as_str().is_some_and(|system| system.starts_with("You write summaries"))
}

/// What the model is told of the conversation, system text left out.
fn told(request: &Value) -> Vec<Value> {
    request["messages"].as_array().map(|all| all[1..].to_vec()).unwrap_or_default()
}

#[tokio::test]
async fn a_conversation_that_nearly_fills_the_window_is_summarised_before_the_next_question() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    model.queue([call("calc", json!({"expression": "6*7"})), full("it is 42"), text("THE SUMMARY"), text("you are welcome"), text("bye")]);
    tell(&owner, &path, "what is 6*7?").await?;
    let second = tell(&owner, &path, "thanks").await?;

    assert_eq!(kinds(&second), ["input_message", "compaction", "agent_output"]);
    let summary = second["events"][1].clone();
    assert_eq!((&summary["turns_compacted"], &summary["events_compacted"]), (&json!(1), &json!(4)));
    assert!(summary["summary_key"].as_str().is_some_and(|key| key.starts_with("sum_")), "{summary}");
    assert_eq!(summary["summary_text"], "THE SUMMARY");
    let requests = model.requests();
    assert!(is_for_summary(&requests[2]) && requests[2].get("tools").is_none(), "{}", requests[2]);
    let material = told(&requests[2])[0]["content"].to_string();
    assert!(material.contains("what is 6*7?") && material.contains("42") && !material.contains("thanks"), "{material}");
    let after = told(&requests[3]);
    assert_eq!(after.len(), 2, "{after:?}");
    assert!(after[0].to_string().contains("THE SUMMARY") && after[1].to_string().contains("thanks"));

    let list = listed(&owner, &path, "").await?;
    assert_eq!(kinds(&list), ["input_message", "compaction", "agent_output"]);
    assert_eq!(list["metadata"]["total_count"], 3);
    let whole = listed(&owner, &path, "&include_hidden=true").await?;
    assert_eq!(whole["metadata"]["total_count"], 7);
    assert_eq!(kinds(&whole)[..4], ["input_message", "tool_input", "tool_output", "agent_output"]);
    assert_eq!(summary["compacted_up_to_event_id"].as_str().map(str::len), whole["events"][3]["id"].as_str().map(str::len));

    // A woken session is shown the same.
    let home = server.kill().await?;
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    tell(&server.owner(), &path, "and?").await?;
    assert_eq!(told(&model.requests()[4])[..2], after);
    Ok(())
}

#[tokio::test]
async fn an_overflow_is_answered_by_one_summary_and_a_second_question() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    model.queue([text("one"), overflow(), text("SUMMARY"), text("two"), overflow(), text("SUMMARY 2"), overflow()]);
    tell(&owner, &path, "first").await?;
    let second = tell(&owner, &path, "second").await?;
    assert_eq!(kinds(&second), ["input_message", "compaction", "agent_output"]);
    let third = tell(&owner, &path, "third").await?;
    assert_eq!(kinds(&third), ["input_message", "compaction", "context_limit_exceeded"]);
    assert_eq!(third["events"][2]["context_limit"], 128_000);
    assert_eq!(third["events"][2]["actual_tokens"], 131_072);
    assert_eq!(owner.get(&path).await?.expect(200)?["status"], "stopped");
    Ok(())
}

#[tokio::test]
async fn with_nothing_to_leave_out_or_compaction_switched_off_an_overflow_ends_the_turn() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    model.queue([overflow()]);
    assert_eq!(kinds(&tell(&owner, &path, "x").await?), ["input_message", "context_limit_exceeded"]);

    owner.patch("/v2/agents/a1", &json!({"compaction": {"enabled": false}})).await?.expect(200)?;
    let made = owner.post("/v2/agents/a1/sessions", &json!({"key": "off"})).await?.expect(201)?;
    assert_eq!(made["effective_compaction"]["enabled"], false);
    let path = "/v2/agents/a1/sessions/off";
    model.queue([full("one"), overflow()]);
    tell(&owner, path, "first").await?;
    assert_eq!(kinds(&tell(&owner, path, "second").await?), ["input_message", "context_limit_exceeded"]);
    assert!(!model.requests().iter().any(is_for_summary));
    Ok(())
}

#[tokio::test]
async fn a_summary_that_does_not_come_about_does_not_stop_a_turn_that_still_fits() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    model.queue([full("one"), Reply::Error(401, "{}".into()), text("two"), full("three"), text(" "), text("four")]);
    tell(&owner, &path, "first").await?;
    assert_eq!(kinds(&tell(&owner, &path, "second").await?), ["input_message", "agent_output"]);
    tell(&owner, &path, "third").await?;
    assert_eq!(kinds(&tell(&owner, &path, "fourth").await?), ["input_message", "agent_output"], "an empty summary is none");
    assert_eq!(listed(&owner, &path, "").await?["metadata"]["total_count"], 8);
    Ok(())
}

#[tokio::test]
async fn a_conversation_larger_than_the_window_is_summarised_piece_by_piece() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    // Each holds more than half of what one call may take.
    let long = |word: &str| format!("{word} {}", "x".repeat(130_000));
    model.queue([text("one"), text("two"), full("three"), text("FIRST PART"), overflow(), text("SECOND"), text("THIRD"), text("four")]);
    for word in ["alpha", "beta", "gamma"] {
        tell(&owner, &path, &long(word)).await?;
    }
    model.always(text("WHOLE"));
    tell(&owner, &path, "go on").await?;
    let asked: Vec<String> = model.requests().iter().filter(|r| is_for_summary(r)).map(|r| told(r)[0].to_string()).collect();
    assert!(asked.len() >= 4 && asked[0].contains("alpha") && !asked[0].contains("gamma"), "{}", asked.len());
    assert!(asked[2..].iter().all(|material| material.contains("Summary of the conversation so far")), "each goes on from the one before");
    let list = listed(&owner, &path, "").await?;
    assert_eq!(kinds(&list), ["input_message", "compaction", "agent_output"]);
    Ok(())
}

#[tokio::test]
async fn a_summary_can_be_interrupted_and_is_streamed_in_one_piece() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    model.queue([full("one"), Reply::Hang]);
    tell(&owner, &path, "first").await?;
    let mut body = say("second");
    body["stream_response"] = true.into();
    let mut stream = owner.stream(&format!("{path}/events"), &body).await?;
    stream.until("input_message").await?;
    model.asked(2).await?;
    owner.post(&format!("{path}/events"), &json!({"type": "interrupt"})).await?.expect(201)?;
    assert_eq!(types(&stream.all().await?).iter().rev().take(2).copied().collect::<Vec<_>>(), ["end", "session_interrupted"]);

    model.queue([text("SUMMARY"), text("two")]);
    let frames = owner.stream(&format!("{path}/events"), &body).await?.all().await?;
    let summary = frames.iter().find(|frame| frame.event == "compaction").expect("a frame");
    assert_eq!(summary.data["summary_text"], "SUMMARY");
    let usage = frames.iter().rev().find(|frame| frame.event == "context_consumed").expect("a frame");
    let usage = &usage.data["session_context_usage"];
    assert_eq!((&usage["total_tokens"], &usage["model_context_window"]), (&json!(219), &json!(128_000)));
    assert_eq!(&owner.get(&path).await?.expect(200)?["session_context_usage"], usage);
    Ok(())
}

#[tokio::test]
async fn a_kill_during_a_summary_leaves_one_summary_and_one_answer() -> Result<()> {
    let (model, server, path) = start().await?;
    model.queue([full("one"), Reply::Hang]);
    tell(&server.owner(), &path, "first").await?;
    let mut body = say("second");
    body["stream_response"] = true.into();
    let mut stream = server.owner().stream(&format!("{path}/events"), &body).await?;
    stream.until("input_message").await?;
    model.asked(2).await?;
    let home = server.kill().await?;
    model.queue([text("SUMMARY"), text("two")]);
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    for _ in 0..1_500 {
        if server.owner().get(&path).await?.expect(200)?["status"] == "stopped" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let list = listed(&server.owner(), &path, "").await?;
    assert_eq!(kinds(&list), ["input_message", "compaction", "agent_output"]);
    Ok(())
}

#[tokio::test]
async fn a_session_keeps_the_setting_that_its_agent_had_when_it_was_opened() -> Result<()> {
    let (_model, server, path) = start().await?;
    let owner = server.owner();
    let defaults = json!({"enabled": true, "threshold_percent": 80, "keep_recent_inputs": 1, "tool_event_policy": "include_outputs"});
    assert_eq!(owner.get(&path).await?.expect(200)?["effective_compaction"], defaults);
    let setting =
        json!({"threshold_percent": 50, "keep_recent_inputs": 3, "compaction_message": "Prices!", "tool_event_policy": "exclude"});
    let changed = owner.patch("/v2/agents/a1", &json!({ "compaction": setting })).await?.expect(200)?;
    assert_eq!(changed["compaction"]["compaction_message"], "Prices!");
    assert_eq!(owner.get(&path).await?.expect(200)?["effective_compaction"], defaults);
    let made = owner.post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?;
    assert_eq!(made["effective_compaction"], changed["compaction"]);
    let cleared = owner.patch("/v2/agents/a1", &json!({"compaction": null})).await?.expect(200)?;
    assert_eq!(cleared.get("compaction"), None);
    let error = owner.patch("/v2/agents/a1", &json!({"compaction": {"threshold_percent": 10}})).await?.expect(400)?;
    assert!(error["field_errors"]["compaction.threshold_percent"].is_string(), "{error}");
    Ok(())
}
