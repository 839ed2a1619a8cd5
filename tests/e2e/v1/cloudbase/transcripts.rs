//! The conversations of the protocol, as they look on the wire.

use super::*;
use tests::fake_model::{Gate, Reply, call, held, text};
use tests::patience::PATIENCE;

#[tokio::test]
async fn plain_text_comes_in_frames_and_the_next_turn_knows_the_one_before() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([text("Hello 25\u{b0}C"), text("Yes.")]);
    let answer = place.owner().post(DOOR, &say("conversation-7f", "Hi")).await?;
    let wanted =
        "data: {\"type\":\"text\",\"content\":\"Hello \"}\n\ndata: {\"type\":\"text\",\"content\":\"25\\u00b0C\"}\n\ndata: [DONE]\n\n";
    let merged = "data: {\"type\":\"text\",\"content\":\"Hello 25\\u00b0C\"}\n\ndata: [DONE]\n\n";
    let body = std::str::from_utf8(&answer.body)?;
    assert!(body == wanted || body == merged, "{body}");
    for (name, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
        ("x-conversation-id", "conversation-7f"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    assert!(answer.headers.contains_key("x-request-id"));

    assert_eq!(text_of(&place.send(&say("conversation-7f", "Really?")).await?), "Yes.");
    let told = place.model.requests().pop().context("a request")?;
    let roles: Vec<&str> = told["messages"].as_array().context("messages")?.iter().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles.iter().filter(|role| **role != "system").copied().collect::<Vec<_>>(), ["user", "assistant", "user"]);
    Ok(())
}

#[tokio::test]
async fn a_tool_of_the_servers_runs_within_the_answer() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([call("calc", json!({"expression": "6*7"})), text("It is 42.")]);
    let with_slash = place.owner().post(&format!("{DOOR}/"), &say("c", "6*7?")).await?;
    let events = events(&with_slash)?;
    assert_eq!(kinds(&events), ["tool-call-start", "tool-call-args", "tool-call-end", "tool-result", "text"]);
    let id = events[0]["toolCallId"].as_str().context("an id")?;
    assert!(events.iter().filter(|event| event["type"] != "text").all(|event| event["toolCallId"] == id));
    assert_eq!(events[0]["toolCallName"], "calc");
    let arguments: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&arguments)?, json!({"expression": "6*7"}));
    let result = events.iter().find(|event| event["type"] == "tool-result").context("a result")?;
    assert!(result["result"].as_str().context("a string")?.contains("42"), "{result}");
    Ok(())
}

#[tokio::test]
async fn a_tool_of_the_clients_ends_the_answer_and_its_output_goes_on_with_it_after_a_restart() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([call("alert", json!({"message": "hi"}))]);
    let mut body = say("c", "Show me an alert");
    body["tools"] = json!([alert()]);
    let events = place.send(&body).await?;
    assert_eq!(kinds(&events), ["tool-call-start", "tool-call-args", "tool-call-end"]);
    let id = events[0]["toolCallId"].as_str().context("an id")?.to_owned();
    assert_eq!(place.model.requests()[0]["tools"].as_array().map(Vec::len), Some(3), "the client's beside the agent's");

    let place = place.killed().await?;
    place.model.queue([text("I showed the alert.")]);
    let answer = json!({"conversationId": "c", "messages": [tool_message(&id, "done")]});
    let after = place.send(&answer).await?;
    assert_eq!((kinds(&after), text_of(&after).as_str()), (vec!["text"], "I showed the alert."));
    let told = place.model.requests().pop().context("a request")?;
    let output = told["messages"].as_array().and_then(|all| all.iter().find(|message| message["role"] == "tool")).cloned();
    assert!(output.context("an output")?["content"].as_str().is_some_and(|content| content.contains("done")), "{told}");
    assert_eq!(told["tools"].as_array().map(Vec::len), Some(3), "the tools of the turn that was interrupted are kept");

    assert_eq!(place.refused(&answer, 409).await?, "INTERRUPT_ALREADY_RESOLVED");
    assert_eq!(place.model.requests().len(), 2, "nothing ran twice");
    Ok(())
}

#[tokio::test]
async fn a_call_that_needs_a_person_interrupts_the_answer() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([call("write", json!({"key": "k", "text": "v"})), text("Done.")]);
    let events = place.send(&say("c", "Note it")).await?;
    assert_eq!(kinds(&events), ["tool-call-start", "tool-call-args", "tool-call-end", "interrupt"]);
    let interrupt = events.last().context("an interrupt")?;
    let id = interrupt["id"].as_str().context("an id")?;
    assert!(id.starts_with("aev_"), "{id}");
    assert_eq!(interrupt["reason"], "tool_approval");
    let payload = json!({"toolCallId": events[0]["toolCallId"], "toolName": "write", "args": {"key": "k", "text": "v"},
        "message": "Allow write?", "approver": "client"});
    assert_eq!(interrupt["payload"], payload);

    let resume = json!({"conversationId": "c", "messages": [], "resume": {"interruptId": id, "payload": {"approved": true}}});
    let after = place.send(&resume).await?;
    assert_eq!(kinds(&after), ["tool-result", "text"]);
    assert_eq!(after[0]["toolCallId"], events[0]["toolCallId"]);
    Ok(())
}

#[tokio::test]
async fn a_failure_within_the_answer_is_an_event_before_the_end() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([call("calc", json!({"expression": "1"})), Reply::Error(400, "no".into())]);
    let answer = place.owner().post(DOOR, &say("c", "hm")).await?;
    let events = events(&answer)?;
    let error = events.last().context("an event")?;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("AGENT_PROCESSING_FAILED")));
    assert!(error["error"].is_string());
    assert_eq!(error["requestId"].as_str(), answer.headers["x-request-id"].to_str().ok());
    place.model.queue([text("Better.")]);
    assert_eq!(text_of(&place.send(&say("c", "again")).await?), "Better.", "the conversation stays usable");
    Ok(())
}

#[tokio::test]
async fn reasoning_is_sent_to_who_asks_for_it_and_never_as_content() -> Result<()> {
    let place = Place::new().await?;
    place.model.always(Reply::Reasoned("hm hm".into(), "Yes.".into()));
    assert_eq!(kinds(&place.send(&say("a", "one")).await?), ["text"]);
    let mut body = say("b", "two");
    body["thinking"] = true.into();
    let thought = place.send(&body).await?;
    assert_eq!((kinds(&thought), text_of(&thought).as_str()), (vec!["thinking", "text"], "Yes."));
    let asked = place.owner().post(&format!("{DOOR}?thinking=true"), &say("c", "three")).await?;
    assert_eq!(kinds(&events(&asked)?), ["thinking", "text"]);
    Ok(())
}

#[tokio::test]
async fn an_older_bots_client_gets_the_members_that_it_looks_for() -> Result<()> {
    let place = Place::new().await?;
    place.model.always(text("Hello"));
    let said = |role: &str, content: &str| json!({"role": role, "content": content});
    let body = json!({"botId": "a1", "msg": "Hi", "history": [said("user", "before"), said("assistant", "yes")],
        "files": [], "searchEnable": false, "conversationId": "old"});
    let events = place.send(&body).await?;
    assert_eq!(text_of(&events), "Hello");
    assert_eq!((&events[0]["role"], &events[0]["finish_reason"]), (&json!("assistant"), &json!("continue")));
    let listed = place.listed().await?;
    assert_eq!(events[0]["record_id"], listed[2]["id"], "the record is the event of the question: {listed:?}");
    let again = json!({"msg": "And now?", "history": [said("user", "Hi"), said("assistant", "Hello")], "conversationId": "old"});
    place.send(&again).await?;
    assert_eq!(place.listed().await?.len(), 6, "what it repeats of its history is not recorded again");
    Ok(())
}

#[tokio::test]
async fn frames_leave_as_the_model_speaks_and_silence_is_filled_with_comments() -> Result<()> {
    let place = Place::new().await?;
    let gate = Gate::default();
    place.model.queue([Reply::Halves("one ".into(), gate.clone(), "two".into())]);
    let mut stream = place.owner().stream(DOOR, &say("c", "Hi")).await?;
    assert_eq!(stream.raw().await?.as_deref(), Some("data: {\"type\":\"text\",\"content\":\"one \"}\n\n"));
    // A comment is due after fifteen seconds.
    let silence = tokio::time::timeout(PATIENCE, stream.raw()).await.context("no comment in time")?;
    assert_eq!(silence?.as_deref(), Some(": ping\n\n"));
    gate.open();
    let mut rest = String::new();
    while let Some(frame) = stream.raw().await? {
        rest.push_str(&frame);
    }
    assert_eq!(text_of(&frames(&rest)?), "two");
    Ok(())
}

#[tokio::test]
async fn one_run_at_a_time() -> Result<()> {
    let place = Place::new().await?;
    let gate = Gate::default();
    place.model.queue([held(&gate, "first")]);
    let first = tokio::spawn({
        let owner = place.owner();
        async move { owner.post(DOOR, &say("c", "Hi")).await }
    });
    place.model.asked(1).await?;
    assert_eq!(place.refused(&say("c", "other"), 409).await?, "CONVERSATION_BUSY");
    place.model.queue([text("elsewhere")]);
    assert_eq!(text_of(&place.send(&say("d", "other")).await?), "elsewhere", "another conversation is free");
    gate.open();
    assert_eq!(text_of(&events(&first.await??)?), "first");
    Ok(())
}
