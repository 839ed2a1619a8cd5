//! `/v1/agui/{AgentId}` on the raw wire, as clients of 0.0.x and of 1.0 post to it and read it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::client::Answer;
use tests::fake_model::{Reply, call, text};

use super::place::Place;

/// Where runs are posted.
const DOOR: &str = "/v1/agui/a1";

impl Place {
    async fn run(&self, body: &Value) -> Result<Vec<Value>> {
        events(&self.owner().post(DOOR, body).await?)
    }

    async fn run_refused(&self, body: &Value, status: u16) -> Result<String> {
        let refused = self.owner().post(DOOR, body).await?.expect(status)?;
        ensure!(refused["code"] == refused["error"]["code"], "{refused}");
        Ok(refused["code"].as_str().context("a code")?.to_owned())
    }
}

/// The events of an answer, whose wire is checked: one line each, no `null`, no `[DONE]`, one end that is the last.
fn events(answer: &Answer) -> Result<Vec<Value>> {
    let body = std::str::from_utf8(&answer.body)?;
    ensure!(answer.status == 200 && answer.headers["content-type"] == "text/event-stream; charset=utf-8", "{}: {body}", answer.status);
    ensure!(answer.headers.contains_key("x-conversation-id"), "{:?}", answer.headers);
    ensure!(body.is_ascii() && !body.contains('\r') && !body.contains("[DONE]") && body.ends_with("}\n\n"), "{body:?}");
    let frames = body.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
    let parsed = frames.map(|frame| {
        let event: Value = serde_json::from_str(frame.strip_prefix("data: ").with_context(|| format!("no data line: {frame:?}"))?)?;
        ensure!(event.as_object().is_some_and(|members| members.values().all(|value| !value.is_null() && value != "")), "{frame}");
        Ok(event)
    });
    let events = parsed.collect::<Result<Vec<_>>>()?;
    let ends = events.iter().filter(|event| event["type"] == "RUN_FINISHED" || event["type"] == "RUN_ERROR").count();
    ensure!(ends == 1 && events[0]["type"] == "RUN_STARTED", "{body}");
    Ok(events)
}

/// The types of events, those that follow each other once.
fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    kinds.dedup();
    kinds
}

fn said(events: &[Value]) -> String {
    events.iter().filter(|event| event["type"] == "TEXT_MESSAGE_CONTENT").filter_map(|event| event["delta"].as_str()).collect()
}

fn last(events: &[Value]) -> &Value {
    &events[events.len() - 1]
}

fn user(text: &str) -> Value {
    json!({"id": text, "role": "user", "content": text})
}

fn assistant(text: &str) -> Value {
    json!({"id": text, "role": "assistant", "content": text})
}

/// A run of 1.0 with these messages.
fn one(thread: &str, messages: &[Value]) -> Value {
    json!({"threadId": thread, "runId": "r", "protocolVersion": "1.0", "messages": messages, "tools": [], "context": [], "state": {}, "forwardedProps": {}})
}

/// The same of earlier versions.
fn before(thread: &str, messages: &[Value]) -> Value {
    json!({"threadId": thread, "runId": "r", "messages": messages, "tools": [], "context": []})
}

const TEXT: [&str; 5] = ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"];

#[tokio::test]
async fn a_thread_is_told_whole_each_time_and_only_what_is_new_is_said() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([text("Hello!"), text("Fine."), text("Again.")]);
    let first = place.run(&before("t", &[user("hi")])).await?;
    assert_eq!((kinds(&first), said(&first)), (TEXT.to_vec(), "Hello!".to_owned()));
    assert_eq!(last(&first), &json!({"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}));
    let mut body = one("t", &[user("hi"), assistant("Hello!"), user("how are you?")]);
    body["context"] = json!([{"description": "page", "value": "cart"}]);
    let second = place.run(&body).await?;
    assert_eq!((said(&second), &second[0]["protocolVersion"]), ("Fine.".to_owned(), &json!("1.0")));
    assert_eq!(last(&second)["outcome"], json!({"type": "success"}));

    let asked = place.model.requests().pop().context("a request")?;
    let messages = asked["messages"].as_array().context("messages")?;
    let users = messages.iter().filter(|message| message["role"] == "user").count();
    assert!(users == 2 && messages[0]["content"].to_string().contains("page: cart"), "{messages:?}");

    let through_the_other =
        place.owner().post("/v1/aibot/bots/a1/send-message", &before("t", &[user("hi"), user("how are you?"), user("more")])).await?;
    assert_eq!(said(&events(&through_the_other)?), "Again.");
    let session = place.owner().get("/v2/agents/a1/sessions").await?.expect(200)?["sessions"][0]["key"].clone();
    let listed = place.owner().get(&format!("/v2/agents/a1/sessions/{}/events", session.as_str().context("a key")?)).await?.expect(200)?;
    let inputs = listed["events"].as_array().context("events")?.iter().filter(|event| event["type"] == "input_message").count();
    assert_eq!(inputs, 3, "{listed}");
    Ok(())
}

#[tokio::test]
async fn a_call_of_the_servers_is_shown_with_its_result() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([call("calc", json!({"expression": "6*7"})), text("It is 42.")]);
    let events = place.run(&before("t", &[user("6*7?")])).await?;
    let calls = ["RUN_STARTED", "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT"];
    assert_eq!(kinds(&events), [&calls[..], &TEXT[1..]].concat());
    let result = events.iter().find(|event| event["type"] == "TOOL_CALL_RESULT").context("a result")?;
    assert!(result["content"].as_str().is_some_and(|content| content.contains("42")), "{result}");
    Ok(())
}

#[tokio::test]
async fn a_call_of_the_clients_ends_the_run_and_its_output_comes_with_the_history() -> Result<()> {
    let mut place = Place::new().await?;
    for (body, pending) in [(before as fn(&str, &[Value]) -> Value, false), (one, true)] {
        let thread = if pending { "one" } else { "before" };
        let tools = json!([{"name": "alert", "description": "Alert the user", "parameters": {"type": "object"}}]);
        let with_tools = |messages: &[Value]| {
            let mut body = body(thread, messages);
            body["tools"] = tools.clone();
            body
        };
        place.model.queue([call("alert", json!({"message": "hi"}))]);
        let events = place.run(&with_tools(&[user("alert me")])).await?;
        let call = events.iter().find(|event| event["type"] == "TOOL_CALL_END").context("a call")?["toolCallId"].clone();
        assert_eq!(last(&events)["outcome"]["pendingToolCallIds"], if pending { json!([call]) } else { Value::Null });
        place = place.killed().await?;
        place.model.queue([text("Shown.")]);
        let asked = json!({"id": "a", "role": "assistant", "toolCalls": [{"id": call, "type": "function", "function": {"name": "alert", "arguments": "{}"}}]});
        let output = json!({"id": "o", "role": "tool", "toolCallId": call, "content": "done"});
        let again = with_tools(&[user("alert me"), asked, output]);
        let events = place.run(&again).await?;
        assert_eq!((kinds(&events), said(&events)), (TEXT.to_vec(), "Shown.".to_owned()), "{thread}");
    }
    Ok(())
}

#[tokio::test]
async fn an_approval_is_answered_as_each_version_does_also_after_a_restart() -> Result<()> {
    let mut place = Place::new().await?;
    let yes = json!({"approved": true});
    for (thread, protocol) in [("before", before as fn(&str, &[Value]) -> Value), ("one", one)] {
        place.model.queue([call("write", json!({"key": "k", "text": "v"}))]);
        let events = place.run(&protocol(thread, &[user("note it")])).await?;
        let interrupt = &last(&events)["outcome"]["interrupts"][0];
        assert_eq!((&interrupt["reason"], &interrupt["metadata"]["args"]["key"]), (&json!("tool_call"), &json!("k")), "{events:?}");
        let custom = events.iter().find(|event| event["type"] == "CUSTOM");
        assert_eq!(custom.is_some(), thread == "before");
        if let Some(custom) = custom {
            let told: Value = serde_json::from_str(custom["value"].as_str().context("a string")?)?;
            assert_eq!((&custom["name"], &told), (&json!("on_interrupt"), interrupt));
        }
        let mut body = protocol(thread, &[user("note it")]);
        match thread {
            "before" => body["forwardedProps"] = json!({"command": {"resume": yes}}),
            _ => body["resume"] = json!([{"interruptId": interrupt["id"], "status": "resolved", "payload": yes}]),
        }
        place = place.killed().await?;
        place.model.queue([text("Noted.")]);
        let events = place.run(&body).await?;
        assert_eq!(kinds(&events), [&["RUN_STARTED", "TOOL_CALL_RESULT"], &TEXT[1..]].concat(), "{thread}");
        assert_eq!(said(&events), "Noted.");
    }
    Ok(())
}

#[tokio::test]
async fn an_interrupt_is_answered_first_or_cancelled_for_other_words() -> Result<()> {
    let place = Place::new().await?;
    let write = || call("write", json!({"key": "k", "text": "v"}));
    place.model.queue([write(), text("As you wish.")]);
    let events = place.run(&one("t", &[user("note it")])).await?;
    let id = last(&events)["outcome"]["interrupts"][0]["id"].clone();
    let refused = place.run(&one("t", &[user("note it"), user("hello?")])).await?;
    assert_eq!((kinds(&refused), &last(&refused)["code"]), (vec!["RUN_STARTED", "RUN_ERROR"], &json!("INTERRUPT_NOT_ANSWERED")));
    let mut instead = one("t", &[user("note it"), user("never mind")]);
    instead["resume"] = json!([{"interruptId": id, "status": "cancelled"}]);
    assert_eq!(said(&place.run(&instead).await?), "As you wish.");

    place.model.queue([write(), text("Not noted.")]);
    let events = place.run(&one("u", &[user("note it")])).await?;
    let mut no = one("u", &[user("note it")]);
    no["resume"] = json!([{"interruptId": last(&events)["outcome"]["interrupts"][0]["id"], "status": "cancelled"}]);
    let events = place.run(&no).await?;
    let result = events.iter().find(|event| event["type"] == "TOOL_CALL_RESULT").context("a result")?;
    assert!(result["content"].to_string().contains("rejected"), "{result}");
    assert_eq!(said(&events), "Not noted.");

    // Earlier versions know no such rule: other words cancel what waits.
    place.model.queue([write(), text("Something else.")]);
    place.run(&before("v", &[user("note it")])).await?;
    assert_eq!(said(&place.run(&before("v", &[user("note it"), user("else")])).await?), "Something else.");
    Ok(())
}

#[tokio::test]
async fn an_interrupt_that_somebody_else_settled_is_answered_with_what_came_of_it() -> Result<()> {
    let place = Place::new().await?;
    for (thread, status, asked) in [("approved", "resolved", 2), ("dropped", "cancelled", 4)] {
        place.model.queue([call("write", json!({"key": "k", "text": "v"})), text("Noted.")]);
        let events = place.run(&one(thread, &[user("note it")])).await?;
        let id = last(&events)["outcome"]["interrupts"][0]["id"].clone();
        let path = format!("/operator/v1/approvals/{}", id.as_str().context("an id")?);
        place.owner().post(&path, &json!({"decision": "approve"})).await?.expect(200)?;
        let mut body = one(thread, &[user("note it")]);
        body["resume"] = json!([{"interruptId": id, "status": status, "payload": {"approved": false}}]);
        let events = place.run(&body).await?;
        assert_eq!(kinds(&events), [&["RUN_STARTED", "TOOL_CALL_RESULT"], &TEXT[1..]].concat(), "{thread}");
        assert_eq!((said(&events), place.model.requests().len()), ("Noted.".to_owned(), asked), "nothing is asked again");
    }
    Ok(())
}

#[tokio::test]
async fn an_approval_that_only_the_operator_gives_keeps_nobody_from_the_thread() -> Result<()> {
    let mut place = Place::new().await?;
    place.config = place.config.replace("approver = \"client\"", "approver = \"operator\"");
    place = place.killed().await?;
    for (thread, protocol) in [("before", before as fn(&str, &[Value]) -> Value), ("one", one)] {
        place.model.queue([call("write", json!({"key": "k", "text": "v"})), text("Something else.")]);
        let events = place.run(&protocol(thread, &[user("note it")])).await?;
        assert_eq!(kinds(&events)[kinds(&events).len() - 2..], ["CUSTOM", "RUN_FINISHED"]);
        let custom = &events[events.len() - 2];
        let told: Value = serde_json::from_str(custom["value"].as_str().context("a string")?)?;
        assert_eq!((&custom["name"], &told["metadata"]["approver"]), (&json!("approval_waits"), &json!("operator")));
        assert_ne!(last(&events)["outcome"]["type"], "interrupt");
        let events = place.run(&protocol(thread, &[user("note it"), user("and this?")])).await?;
        assert_eq!(said(&events), "Something else.", "{thread}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_said_before_a_run_begins() -> Result<()> {
    let place = Place::new().await?;
    let image = json!({"id": "m", "role": "user", "content": [{"type": "image", "source": {"type": "url", "value": "https://x.example"}}]});
    let mut bare = before("t", &[user("hi")]);
    bare["forwardedProps"] = json!({"command": {"resume": true}});
    let mut unknown = before("t", &[user("hi")]);
    unknown["resume"] = json!([{"interruptId": "aev_x", "status": "resolved", "payload": true}]);
    let mut clash = before("t", &[user("hi")]);
    clash["tools"] = json!([{"name": "calc", "description": "", "parameters": {}}]);
    let output = json!({"id": "o", "role": "tool", "toolCallId": "call_7", "content": "x"});
    for (body, code) in [
        (before("t", &[image]), "INVALID_PARAM"),
        (before("t", &[]), "INVALID_PARAM"),
        (bare, "INTERRUPT_NOT_FOUND"),
        (unknown, "INTERRUPT_NOT_FOUND"),
        (clash, "INVALID_PARAM"),
        (before("t", &[output]), "TOOL_CALL_NOT_FOUND"),
    ] {
        assert_eq!(place.run_refused(&body, 400).await?, code, "{body}");
    }
    let nobody = place.owner().with_key(None).post(DOOR, &before("t", &[user("hi")])).await?;
    assert_eq!(nobody.expect(401)?["code"], "MISSING_CREDENTIALS");
    let unknown = place.owner().post("/v1/agui/nope/", &before("t", &[user("hi")])).await?;
    assert_eq!(unknown.expect(404)?["code"], "AGENT_NOT_FOUND");
    assert_eq!(place.model.requests().len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_model_that_fails_ends_the_run_with_an_error_and_the_thread_goes_on() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([Reply::Error(400, "{}".into()), text("Back.")]);
    let failed = place.owner().post(DOOR, &before("t", &[user("hi")])).await?;
    match failed.status.as_u16() {
        200 => assert_eq!(last(&events(&failed)?)["code"], "AGENT_PROCESSING_FAILED"),
        status => assert_eq!((status, &failed.json()?["code"]), (500, &json!("AGENT_PROCESSING_FAILED"))),
    }
    assert_eq!(said(&place.run(&before("t", &[user("hi")])).await?), "Back.", "the last words are asked again");
    Ok(())
}
