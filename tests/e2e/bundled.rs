//! Every bundled tool, called by an agent in the real server; and the offline
//! model, which needs nothing at all.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::fake_model::{FakeModel, call, text};
use tests::server::{Server, config, say, session};

/// What a call of this tool with these arguments gives.
async fn outputs(calls: &[(&str, Value)]) -> Result<Vec<Value>> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let bindings: serde_json::Map<String, Value> =
        calls.iter().enumerate().map(|(i, (tool, _))| (format!("t{i}"), json!({"type": "dynamic_vectara", "tool_id": tool}))).collect();
    let path = session(&server.owner(), "a1", &Value::Object(bindings)).await?;
    let mut found = Vec::new();
    for (i, (tool, arguments)) in calls.iter().enumerate() {
        model.queue([call(&format!("t{i}"), arguments.clone()), text("ok")]);
        let answer = server.owner().post(&format!("{path}/events"), &say(&format!("call {i}"))).await?.expect(201)?;
        let events = answer["events"].as_array().context("events")?;
        let output = events.iter().find(|event| event["type"] == "tool_output").with_context(|| format!("{tool}: {answer}"))?;
        found.push(output.clone());
    }
    Ok(found)
}

#[tokio::test]
async fn the_calculator_is_exact() -> Result<()> {
    let calc = |expression: &str| ("tol_calculator_calculate", json!({"expression": expression}));
    let got = outputs(&[calc("0.1 + 0.2"), calc("2^100"), calc("9^9^9"), calc("1 +")]).await?;
    assert!(got[0]["tool_output"].to_string().contains("\"0.3\""), "{}", got[0]);
    assert!(got[1]["tool_output"].to_string().contains("1267650600228229401496703205376"), "{}", got[1]);
    for wrong in &got[2..] {
        assert_eq!(wrong["tool_output"]["error"]["reason"], "invalid_input", "{wrong}");
    }
    Ok(())
}

#[tokio::test]
async fn notes_are_written_listed_and_forgotten_within_a_session() -> Result<()> {
    let got = outputs(&[
        ("tol_notes_note_write", json!({"key": "color", "text": "blue"})),
        ("tol_notes_note_list", json!({})),
        ("tol_notes_note_read", json!({"key": "color"})),
        ("tol_notes_note_delete", json!({"key": "color"})),
        ("tol_notes_note_read", json!({"key": "color"})),
    ])
    .await?;
    for (i, output) in got[..4].iter().enumerate() {
        assert_eq!(output["error"], false, "{i}: {output}");
    }
    assert!(got[1]["tool_output"].to_string().contains("color"));
    assert!(got[2]["tool_output"].to_string().contains("blue"));
    assert!(!got[4]["tool_output"].to_string().contains("blue"));
    Ok(())
}

#[tokio::test]
async fn json_is_queried_and_time_is_told() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let listed = server.owner().get("/v2/tools?limit=100").await?.expect(200)?;
    let example = |id: &str| -> Result<Value> {
        let tool =
            listed["tools"].as_array().and_then(|tools| tools.iter().find(|tool| tool["id"] == id)).with_context(|| id.to_owned())?;
        Ok(tool["input_schema"].clone())
    };
    assert!(example("tol_json_json_query")?["properties"]["query"].is_object());
    drop(server);
    let got = outputs(&[
        ("tol_json_json_query", json!({"json": {"a": [1, 2, 3]}, "query": ".a | add"})),
        ("tol_datetime_time_now", json!({"zone": "Europe/Zurich"})),
    ])
    .await?;
    assert!(got[0]["tool_output"].to_string().contains('6'), "{}", got[0]);
    assert_eq!(got[1]["error"], false, "{}", got[1]);
    assert!(got[1]["tool_output"].to_string().contains("Europe/Zurich"), "{}", got[1]);
    Ok(())
}

#[tokio::test]
async fn with_nothing_configured_the_first_conversation_works() -> Result<()> {
    let server = Server::start("data = \"data\"\n[models.default]\nprovider = \"offline\"\n").await?;
    let owner = server.owner();
    owner.post("/v2/agents/agt_customer_support/sessions", &json!({"key": "ase_1"})).await?.expect(201)?;
    let events = "/v2/agents/agt_customer_support/sessions/ase_1/events";
    let answer = owner.post(events, &say("I'm having trouble with my widget installation.")).await?.expect(201)?;
    let kinds: Vec<&str> = answer["events"].as_array().unwrap().iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(kinds, ["input_message", "thinking", "tool_input", "tool_output", "agent_output"]);
    assert_eq!(answer["events"][2]["tool_configuration"], "knowledge_search");
    assert_eq!(answer["events"][3]["error"], false, "{}", answer["events"][3]);
    assert!(answer["events"][3]["tool_output"]["results"][0]["title"].as_str().is_some_and(|t| t.contains("Widget Installation Guide")));

    owner.post("/v2/agents/assistant/sessions", &json!({"key": "ase_2"})).await?.expect(201)?;
    let sum = owner.post("/v2/agents/assistant/sessions/ase_2/events", &say("What is 12.5 * 8?")).await?.expect(201)?;
    assert!(sum["events"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().contains("100"), "{sum}");
    Ok(())
}

#[tokio::test]
async fn the_knowledge_base_is_renewed_when_a_file_changes() -> Result<()> {
    let server = Server::start("data = \"data\"\n[models.default]\nprovider = \"offline\"\n").await?;
    let owner = server.owner();
    owner.post("/v2/agents/agt_customer_support/sessions", &json!({"key": "s"})).await?.expect(201)?;
    let events = "/v2/agents/agt_customer_support/sessions/s/events";
    let search = |n: u32| say(&format!("/knowledge_search {{\"query\": \"zanzibar frobnicator\", \"max_results\": {n}}}"));
    let before = owner.post(events, &search(1)).await?.expect(201)?;
    assert!(!before.to_string().contains("frobnicator is blue"));
    std::fs::write(server.home.path().join("data/knowledge/zanzibar.md"), "# Zanzibar\n\nThe zanzibar frobnicator is blue.\n")?;
    let after = owner.post(events, &search(2)).await?.expect(201)?;
    assert!(after.to_string().contains("frobnicator is blue"), "{after}");
    Ok(())
}
