//! The three documents of the Agents API that the server was built to satisfy,
//! line by line.

use anyhow::Result;
use http::Method;
use serde_json::{Value, json};
use tests::client::types;
use tests::fake_model::{FakeModel, Reply};
use tests::server::{Server, config};

const AGENT: &str = "/v2/agents/agt_customer_support";
const QUESTION: &str = "I'm having trouble with my widget installation.";
const THOUGHT: &str = "The user is experiencing installation issues. I should search our knowledge base for troubleshooting steps.";
const ANSWER: &str = "I can help you troubleshoot the widget installation. Let me check our knowledge base for common solutions.";

/// The seed's own conversation, as a model would lead it.
fn conversation() -> [Reply; 2] {
    let arguments = json!({"query": "widget installation troubleshooting", "max_results": 5}).to_string();
    [Reply::ReasonedCalls(THOUGHT.into(), vec![("knowledge_search".into(), arguments)]), Reply::Text(ANSWER.into())]
}

fn input(stream: bool) -> Value {
    json!({"type": "input_message", "messages": [{"type": "text", "content": QUESTION}], "stream_response": stream})
}

#[tokio::test]
async fn the_conversation_of_the_documents_holds_to_the_letter() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();

    // Create Agent Session: key, name, description, metadata, enabled.
    let session = json!({"key": "ase_customer_support_001", "name": "Customer Support", "description": "Widget help",
        "metadata": {"customer": "c-1"}, "enabled": true});
    let made = owner.post(&format!("{AGENT}/sessions"), &session).await?.expect(201)?;
    for member in ["key", "name", "description", "metadata", "enabled"] {
        assert_eq!(made[member], session[member], "{member}");
    }
    assert_eq!(made["agent_key"], "agt_customer_support");
    assert!(made["created_at"].as_str().is_some_and(|at| at.ends_with('Z')));

    // Create Agent Event, not streamed.
    model.queue(conversation());
    let events = format!("{AGENT}/sessions/ase_customer_support_001/events");
    let answer = owner.post(&events, &input(false)).await?.expect(201)?;
    assert_eq!(answer["session_key"], "ase_customer_support_001");
    check_events(answer["events"].as_array().unwrap());

    // List Agent Events.
    let listed = owner.get(&format!("{events}?limit=20")).await?.expect(200)?;
    assert_eq!(listed["events"], answer["events"], "the list shows what the answer showed");
    assert_eq!(listed["metadata"]["total_count"], 5);
    assert!(listed["metadata"].get("page_key").is_none_or(Value::is_null), "no further page");

    let first = owner.get(&format!("{events}?limit=2")).await?.expect(200)?;
    let page_key = first["metadata"]["page_key"].as_str().expect("more follows").to_owned();
    let second = owner.get(&format!("{events}?limit=3&page_key={page_key}")).await?.expect(200)?;
    assert_eq!(second["events"].as_array().unwrap().len(), 3);
    assert_eq!(second["events"][0], listed["events"][2]);
    Ok(())
}

fn check_events(events: &[Value]) {
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["input_message", "thinking", "tool_input", "tool_output", "agent_output"]);
    for event in events {
        assert!(event["id"].as_str().is_some_and(|id| id.starts_with("aev_")));
        assert_eq!(event["session_key"], "ase_customer_support_001");
        assert!(event["created_at"].is_string());
    }
    assert_eq!(events[0]["messages"], json!([{"type": "text", "content": QUESTION}]));
    assert_eq!(events[1]["content"], THOUGHT);
    for tool in &events[2..4] {
        assert_eq!(tool["tool_configuration"], "knowledge_search");
        assert_eq!(tool["tool_configuration_name"], "knowledge_search");
        assert_eq!(tool["tool_name"], "knowledge_base_search");
        assert_eq!(tool["tool_call_id"], events[2]["tool_call_id"]);
    }
    assert_eq!(events[2]["tool_input"], json!({"query": "widget installation troubleshooting", "max_results": 5}));
    assert_eq!(events[3]["error"], false, "{}", events[3]);
    let results = events[3]["tool_output"]["results"].as_array().expect("results");
    assert_eq!(results[0]["title"].as_str().map(|title| title.contains("Widget Installation Guide")), Some(true), "{results:?}");
    assert!(results[0]["content"].as_str().is_some_and(|content| !content.is_empty()));
    assert_eq!(events[4]["content"], ANSWER);
}

#[tokio::test]
async fn the_streamed_form_has_the_frames_of_the_documents() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    owner.post(&format!("{AGENT}/sessions"), &json!({"key": "s", "name": "S"})).await?.expect(201)?;
    model.queue(conversation());
    let mut stream = owner.stream(&format!("{AGENT}/sessions/s/events"), &input(true)).await?;
    assert_eq!(stream.status, 201);
    assert!(stream.headers["content-type"].to_str()?.starts_with("text/event-stream"));
    let frames = stream.all().await?;
    let mut kinds = types(&frames);
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "input_message",
            "streaming_thinking",
            "streaming_thinking_end",
            "tool_input",
            "context_consumed",
            "tool_output",
            "streaming_agent_output",
            "streaming_agent_output_end",
            "context_consumed",
            "end"
        ],
        "{frames:#?}"
    );
    let text: String = frames.iter().filter(|f| f.event == "streaming_agent_output").filter_map(|f| f.data["content"].as_str()).collect();
    assert_eq!(text, ANSWER);
    Ok(())
}

#[tokio::test]
async fn every_error_of_the_documents_has_its_status_and_code() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let nobody = owner.with_key(Some("wrong"));
    owner.post(&format!("{AGENT}/sessions"), &json!({"key": "s", "name": "S"})).await?.expect(201)?;
    let events = format!("{AGENT}/sessions/s/events");
    let empty = json!({"type": "input_message", "messages": [{"type": "text", "content": ""}]});
    let long = json!({"messages": [{"content": "x".repeat(300 << 10)}]});
    let posts: [(&str, &Value, u16, &str); 8] = [
        (&events, &json!({}), 400, "invalid_request"),
        (&events, &json!({"messages": "hi"}), 400, "invalid_request"),
        (&events, &empty, 400, "invalid_message_content"),
        (&events, &long, 400, "invalid_message_content"),
        ("/v2/agents/agt_nope/sessions/s/events", &input(false), 404, "agent_not_found"),
        (&format!("{AGENT}/sessions/ase_nope/events"), &input(false), 404, "session_not_found"),
        ("/v2/agents/agt_nope/sessions", &json!({"name": "x"}), 404, "agent_not_found"),
        (&format!("{AGENT}/sessions"), &json!({"name": "x", "metadata": [1]}), 400, "invalid_metadata"),
    ];
    for (path, body, status, code) in posts {
        let error = owner.post(path, body).await?.expect(status)?;
        assert_eq!(error["code"], code, "{path} {error}");
        assert!(error["messages"].is_array() && error["request_id"].is_string(), "{error}");
    }
    for path in [&events, &format!("{AGENT}/sessions/s")] {
        assert_eq!(nobody.get(path).await?.expect(401)?["code"], "unauthorized");
    }
    assert_eq!(owner.get(&format!("{events}?limit=0")).await?.expect(400)?["code"], "invalid_request");
    assert_eq!(owner.get(&format!("{events}?limit=101")).await?.expect(400)?["code"], "invalid_request");
    assert_eq!(owner.get("/v2/agents/agt_nope/sessions/s/events").await?.expect(404)?["code"], "agent_not_found");
    let failed = owner.post(&events, &input(false)).await?.expect(500)?;
    assert_eq!(failed["code"], "agent_processing_failed", "the model of this test is exhausted");
    let bad = owner.send(Method::POST, &events, &[("content-type", "application/json")], "{".into()).await?;
    assert_eq!(bad.expect(400)?["code"], "invalid_request");
    Ok(())
}
