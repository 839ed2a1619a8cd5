//! `/v2/agents/{agent_key}/sessions/{session_key}/events`.

use std::time::Duration;

use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};
use tests::client::types;
use tests::fake_model::{FakeModel, Gate, Reply, call, held, text};
use tests::patience::until;
use tests::server::{Server, config, say, session};

async fn start(tools: Value) -> Result<(FakeModel, Server, String)> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &tools).await?;
    Ok((model, server, format!("{path}/events")))
}

fn calculator() -> Value {
    json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}})
}

fn streamed(message: &str) -> Value {
    let mut body = say(message);
    body["stream_response"] = true.into();
    body
}

fn kinds(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(|event| event["type"].as_str()).collect()
}

#[tokio::test]
async fn calls_of_one_step_run_in_their_sandboxes_and_go_back_to_the_model_in_order() -> Result<()> {
    let (model, server, events) = start(calculator()).await?;
    let calls = ["1/8", "2^10", "sqrt(2"].map(|e| ("calc".to_owned(), json!({"expression": e}).to_string()));
    model.queue([Reply::Calls(calls.into()), text("done")]);
    let answer = server.owner().post(&events, &say("compute")).await?.expect(201)?;
    let list = answer["events"].as_array().unwrap();
    assert_eq!(kinds(&answer)[..4], ["input_message", "tool_input", "tool_input", "tool_input"]);
    assert_eq!(list.len(), 8);
    let output = |id: &str| list.iter().find(|e| e["type"] == "tool_output" && e["tool_call_id"] == id).unwrap();
    assert!(output("call_1")["tool_output"].to_string().contains("0.125"), "{}", output("call_1"));
    assert!(output("call_2")["tool_output"].to_string().contains("1024"));
    assert_eq!(output("call_3")["error"], true);
    assert_eq!(output("call_3")["tool_output"]["error"]["reason"], "invalid_input");

    let sent = &model.requests()[1]["messages"];
    let tools: Vec<&Value> = sent.as_array().unwrap().iter().filter(|m| m["role"] == "tool").collect();
    assert_eq!(tools.len(), 3);
    assert_eq!(model.requests()[0]["tools"][0]["function"]["name"], "calc");
    assert_eq!(model.requests()[0]["messages"][0]["content"], "Be brief.");
    Ok(())
}

#[tokio::test]
async fn arguments_that_break_the_schema_never_reach_the_tool_and_the_model_is_told_how() -> Result<()> {
    let (model, server, events) = start(calculator()).await?;
    model.queue([call("calc", json!({"expresion": "1"})), call("conjure", json!({})), text("sorry")]);
    let answer = server.owner().post(&events, &say("x")).await?.expect(201)?;
    let outputs: Vec<&Value> = answer["events"].as_array().unwrap().iter().filter(|e| e["type"] == "tool_output").collect();
    assert_eq!(outputs[0]["tool_output"]["error"]["reason"], "invalid_arguments");
    assert!(outputs[0]["tool_output"]["error"]["message"].as_str().unwrap().contains("expres"), "{}", outputs[0]);
    assert_eq!(outputs[1]["tool_output"]["error"]["reason"], "unknown_tool");
    assert_eq!(kinds(&answer).last(), Some(&"agent_output"));
    Ok(())
}

#[tokio::test]
async fn broken_argument_text_is_answered_and_does_not_poison_the_next_turn() -> Result<()> {
    let (model, server, events) = start(calculator()).await?;
    model.queue([Reply::Calls(vec![("calc".into(), r#"{"expression": "1+"#.into())]), text("sorry"), text("hello again")]);
    let answer = server.owner().post(&events, &say("x")).await?.expect(201)?;
    let output = answer["events"].as_array().unwrap().iter().find(|e| e["type"] == "tool_output").unwrap().clone();
    assert_eq!(output["tool_output"]["error"]["reason"], "invalid_arguments");
    server.owner().post(&events, &say("y")).await?.expect(201)?;
    for request in model.requests() {
        for message in request["messages"].as_array().unwrap() {
            for call in message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default() {
                let arguments = call["function"]["arguments"].as_str().unwrap();
                assert!(serde_json::from_str::<Value>(arguments).is_ok(), "half a call was sent back: {arguments}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_model_that_never_stops_asking_is_stopped_and_says_so() -> Result<()> {
    let (model, server, events) = start(calculator()).await?;
    model.always(call("calc", json!({"expression": "1+1"})));
    let answer = server.owner().post(&events, &say("loop")).await?.expect(201)?;
    let last = answer["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["type"], "agent_output");
    assert!(last["content"].as_str().unwrap().contains("3 times in a row"), "{last}");
    model.always(text("fine"));
    server.owner().post(&events, &say("and now")).await?.expect(201)?;
    Ok(())
}

#[tokio::test]
async fn a_failing_model_keeps_the_input_and_the_session() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    let owner = server.owner();
    model.queue([Reply::Error(401, r#"{"error":{"message":"bad key sk-secret"}}"#.into())]);
    let failed = owner.post(&events, &say("one")).await?.expect(500)?;
    assert_eq!(failed["code"], "agent_processing_failed");
    assert!(!failed.to_string().contains("sk-secret"), "the provider's words stay in the log");
    let listed = owner.get(&events).await?.expect(200)?;
    assert_eq!(kinds(&listed), ["input_message"]);
    // The SDK repeats a POST after a 500: the same message is not recorded twice.
    model.queue([text("better"), text("two")]);
    let again = owner.post(&events, &say("one")).await?.expect(201)?;
    assert_eq!(kinds(&again), ["input_message", "agent_output"]);
    owner.post(&events, &say("other")).await?.expect(201)?;
    let listed = owner.get(&events).await?.expect(200)?;
    assert_eq!(kinds(&listed), ["input_message", "agent_output", "input_message", "agent_output"]);
    Ok(())
}

#[tokio::test]
async fn much_text_at_once_reaches_its_reader_whole() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    let words = "more than a slow reader may keep waiting ".repeat(10_000);
    model.queue([text(&words)]);
    let frames = server.owner().stream(&events, &streamed("Tell me everything.")).await?.all().await?;
    let pieces = frames.iter().filter(|frame| frame.event == "streaming_agent_output");
    assert_eq!(pieces.filter_map(|frame| frame.data["content"].as_str()).collect::<String>(), words);
    assert!(frames.iter().all(|frame| frame.event != "error"), "{:?}", frames.last());
    Ok(())
}

#[tokio::test]
async fn a_cut_stream_is_never_a_finished_turn() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    model.always(Reply::Cut("half an ans".into()));
    let frames = server.owner().stream(&events, &streamed("go")).await?.all().await?;
    assert_eq!(frames.first().map(|f| f.event.as_str()), Some("input_message"));
    assert_eq!(types(&frames)[frames.len() - 2..], ["error", "end"]);
    assert!(frames.iter().all(|f| f.data.get("event_id").is_none()), "no stored answer is announced");
    let listed = server.owner().get(&events).await?.expect(200)?;
    assert_eq!(kinds(&listed), ["input_message"]);
    Ok(())
}

#[tokio::test]
async fn an_overflow_is_named_and_the_session_stays_usable() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    let body = json!({"error": {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"}});
    model.queue([Reply::Error(400, body.to_string())]);
    let answer = server.owner().post(&events, &say("long")).await?.expect(201)?;
    assert_eq!(kinds(&answer), ["input_message", "context_limit_exceeded"]);
    assert!(answer["events"][1]["message"].is_string());
    Ok(())
}

#[tokio::test]
async fn frames_follow_the_rules_that_the_sdk_needs() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    model.queue([Reply::Reasoned("hmm, wait".into(), "Grüße \u{2028} aus 東京 😀".into())]);
    let mut stream = server.owner().stream(&events, &streamed("é")).await?;
    assert_eq!(stream.status, 201);
    assert!(stream.headers["cache-control"].to_str()?.contains("no-cache"));
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    let frames = stream.all().await?;
    for frame in &frames {
        assert!(frame.raw.is_ascii(), "{}", frame.raw);
        assert_eq!(frame.data["type"], frame.event.as_str());
        assert!(frame.data["created_at"].is_string() || matches!(frame.event.as_str(), "error" | "end"), "{}", frame.raw);
        assert!(!frame.raw.contains("\nid:") && !frame.raw.contains("retry:") && !frame.raw.contains("[DONE]"));
    }
    let kinds = types(&frames);
    assert_eq!(kinds[0], "input_message");
    assert_eq!(*kinds.last().unwrap(), "end");
    assert!(!kinds.contains(&"agent_output") && !kinds.contains(&"thinking"));
    let end = frames.iter().find(|f| f.event == "streaming_agent_output_end").unwrap();
    let id = end.data["event_id"].as_str().unwrap();
    let event = server.owner().get(&format!("{events}/{id}")).await?.expect(200)?;
    assert_eq!(event["content"], "Grüße \u{2028} aus 東京 😀");
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_turn() -> Result<()> {
    let (model, server, events) = start(calculator()).await?;
    model.queue([Reply::Slow(Duration::from_millis(200), call("calc", json!({"expression": "6*7"})).into()), text("42 it is")]);
    let mut stream = server.owner().stream(&events, &streamed("go")).await?;
    stream.until("input_message").await?;
    drop(stream);
    let listed = async || server.owner().get(&events).await?.expect(200);
    until("the turn ends", async || Ok(kinds(&listed().await?).last() == Some(&"agent_output"))).await?;
    assert_eq!(kinds(&listed().await?), ["input_message", "tool_input", "tool_output", "agent_output"]);
    Ok(())
}

#[tokio::test]
async fn two_clients_on_one_session_get_one_turn_at_a_time() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    let owner = server.owner();
    let gate = Gate::default();
    model.queue([held(&gate, "first")]);
    let first = tokio::spawn({
        let (owner, events) = (owner.clone(), events.clone());
        async move { owner.post(&events, &say("one")).await?.expect(201) }
    });
    model.asked(1).await?;
    let busy = owner.post(&events, &say("two")).await?.expect(409)?;
    assert_eq!(busy["code"], "conflict", "{busy}");
    // The same words from the same caller are the same input, sent again: it joins, as the head of its answer says.
    let mut joined = owner.stream(&events, &streamed("one")).await?;
    assert_eq!(joined.status, 201);
    gate.open();
    let (first, joined) = (first.await??, joined.all().await?);
    assert_eq!((&joined[0].data, types(&joined).last()), (&first["events"][0], Some(&"end")));
    let end = joined.iter().find(|frame| frame.event == "streaming_agent_output_end").context("its end")?;
    assert_eq!(end.data["event_id"], first["events"][1]["id"]);
    assert_eq!(kinds(&owner.get(&events).await?.expect(200)?), ["input_message", "agent_output"]);
    assert_eq!(model.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_idempotency_key_runs_one_turn_whatever_happens() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    let owner = server.owner();
    let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    let send = async |body: Value| owner.send(Method::POST, &events, &headers, body.to_string().into()).await;
    model.queue([text("one"), text("two")]);
    let first = send(say("hi")).await?.expect(201)?;
    let again = send(say("hi")).await?.expect(201)?;
    assert_eq!(first, again);
    let other = send(say("something else")).await?;
    assert!(other.status.is_client_error(), "{other:?}");
    owner.post(&events, &say("hi")).await?.expect(201)?;
    let third = send(say("hi")).await?.expect(201)?;
    assert_eq!(first, third, "also after other turns");
    assert_eq!(model.requests().len(), 2);
    Ok(())
}

#[tokio::test]
async fn an_interrupt_ends_the_turn_once_and_there_is_nothing_to_interrupt_afterwards() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    let owner = server.owner();
    model.queue([Reply::Hang, text("fresh")]);
    let waiting = tokio::spawn({
        let (owner, events) = (owner.clone(), events.clone());
        async move { owner.post(&events, &say("think for ever")).await?.expect(201) }
    });
    model.asked(1).await?;
    owner.post(&events, &json!({"type": "interrupt"})).await?.expect(201)?;
    assert_eq!(kinds(&waiting.await??), ["input_message", "session_interrupted"]);
    owner.post(&events, &json!({"type": "interrupt"})).await?.expect(400)?;
    let next = owner.post(&events, &say("again")).await?.expect(201)?;
    assert_eq!(kinds(&next), ["input_message", "agent_output"]);
    Ok(())
}

#[tokio::test]
async fn paging_under_appends_yields_each_event_once() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    let owner = server.owner();
    model.always(text("ok"));
    for i in 0..6 {
        owner.post(&events, &say(&format!("message {i}"))).await?.expect(201)?;
    }
    let (mut seen, mut page_key) = (Vec::new(), String::new());
    for turn in 0.. {
        let page = owner.get(&format!("{events}?limit=5{page_key}")).await?.expect(200)?;
        seen.extend(page["events"].as_array().unwrap().iter().filter_map(|e| e["id"].as_str().map(str::to_owned)));
        match page["metadata"]["page_key"].as_str() {
            Some(next) => page_key = format!("&page_key={next}"),
            None => break,
        }
        if turn < 2 {
            owner.post(&events, &say(&format!("between {turn}"))).await?.expect(201)?;
        }
    }
    let mut unique = seen.clone();
    unique.dedup();
    assert_eq!((seen.len(), unique.len()), (16, 16));
    assert!(seen.is_sorted(), "ids sort as text in the order of the events");
    Ok(())
}

#[tokio::test]
async fn a_long_answer_reaches_its_client_whole_in_both_forms() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    let long = "é".repeat(200_000);
    model.queue([text(&long), text(&long)]);
    let answer = server.owner().post(&events, &say("one")).await?.expect(201)?;
    assert_eq!(answer["events"][1]["content"].as_str().map(str::len), Some(long.len()));
    let frames = server.owner().stream(&events, &streamed("two")).await?.all().await?;
    let said: String = frames.iter().filter(|f| f.event == "streaming_agent_output").filter_map(|f| f.data["content"].as_str()).collect();
    assert_eq!(said.len(), long.len());
    Ok(())
}

#[tokio::test]
async fn another_idempotency_key_is_another_input_also_while_a_turn_runs() -> Result<()> {
    let (model, server, events) = start(json!({})).await?;
    let owner = server.owner();
    let gate = Gate::default();
    model.queue([held(&gate, "first")]);
    let keyed = |key: &'static str| {
        let (owner, events) = (owner.clone(), events.clone());
        async move {
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            owner.send(Method::POST, &events, &headers, say("the same words").to_string().into()).await
        }
    };
    let first = tokio::spawn(keyed("k-1"));
    model.asked(1).await?;
    assert_eq!(keyed("k-2").await?.status, 409);
    // It joins the turn while that runs, or is given what came of it: the key makes both the same.
    let joined = tokio::spawn(keyed("k-1"));
    let mut live = owner.stream_with(&events, &[("idempotency-key", "k-1")], &streamed("the same words")).await?;
    assert_eq!(live.status, 201);
    gate.open();
    let first = first.await??.expect(201)?;
    assert_eq!(joined.await??.expect(201)?, first);
    assert_eq!(live.all().await?[0].data, first["events"][0]);
    assert_eq!(model.requests().len(), 1);
    Ok(())
}
