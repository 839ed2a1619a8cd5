//! `from_session`: sessions that begin with another one's past.

use anyhow::Result;
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::fake_model::{FakeModel, Reply, call, text};
use tests::server::{Server, config, say, session};

const SESSIONS: &str = "/v2/agents/a1/sessions";

/// A server with one session that has had two turns, the first with a tool.
async fn start() -> Result<(FakeModel, Server, String)> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let calculator = json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}});
    let path = session(&server.owner(), "a1", &calculator).await?;
    let thought = Reply::ReasonedCalls("let me see".into(), vec![("calc".into(), json!({"expression": "6*7"}).to_string())]);
    model.queue([thought, text("it is 42"), text("bye")]);
    for line in ["what is 6*7?", "thanks"] {
        server.owner().post(&format!("{path}/events"), &say(line)).await?.expect(201)?;
    }
    Ok((model, server, path))
}

async fn fork(owner: &Client, source: &str, key: &str, more: Value) -> Result<Answer> {
    let mut from = json!({"session_key": source.rsplit('/').next().unwrap_or_default()});
    from.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    owner.post(SESSIONS, &json!({"key": key, "from_session": from, "metadata": {"copy": true}})).await
}

async fn listed(owner: &Client, path: &str) -> Result<Vec<Value>> {
    let list = owner.get(&format!("{path}/events?limit=100")).await?.expect(200)?;
    let events = list["events"].as_array().cloned().unwrap_or_default();
    assert_eq!(list["metadata"]["total_count"], events.len());
    Ok(events)
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

/// An event without what tells its session.
fn bare(mut event: Value) -> Value {
    for member in ["id", "session_key"] {
        event.as_object_mut().unwrap().remove(member);
    }
    event
}

fn told(model: &FakeModel) -> Vec<Value> {
    model.requests().last().and_then(|request| request["messages"].as_array().cloned()).unwrap_or_default()
}

#[tokio::test]
async fn a_copy_has_the_same_past_under_other_ids_and_goes_its_own_way() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    let made = fork(&owner, &path, "copy", json!({})).await?.expect(201)?;
    assert_eq!((&made["key"], &made["metadata"], &made["status"]), (&json!("copy"), &json!({"copy": true}), &json!("stopped")));
    assert_eq!(made["session_context_usage"]["total_tokens"], 219);
    let copy = format!("{SESSIONS}/copy");
    let (before, after) = (listed(&owner, &path).await?, listed(&owner, &copy).await?);
    assert_eq!(before.iter().cloned().map(bare).collect::<Vec<_>>(), after.iter().cloned().map(bare).collect::<Vec<_>>());
    assert!(after.iter().zip(&before).all(|(new, old)| new["session_key"] == "copy" && new["id"] != old["id"]));
    let one = owner.get(&format!("{copy}/events/{}", after[2]["id"].as_str().unwrap())).await?.expect(200)?;
    assert_eq!(one, after[2]);

    model.always(text("ok"));
    owner.post(&format!("{path}/events"), &say("more")).await?.expect(201)?;
    let of_source = told(&model);
    let home = server.kill().await?;
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    server.owner().post(&format!("{copy}/events"), &say("more")).await?.expect(201)?;
    assert_eq!(told(&model), of_source, "the model is told the same, also in the copy");
    server.owner().delete(&path).await?.expect(204)?;
    assert_eq!(listed(&server.owner(), &copy).await?.len(), after.len() + 2);
    Ok(())
}

#[tokio::test]
async fn a_copy_may_end_anywhere_and_no_call_dangles() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    model.always(text("ok"));
    let source = listed(&owner, &path).await?;
    for (at, event) in source.iter().enumerate() {
        let key = format!("copy_{at}");
        fork(&owner, &path, &key, json!({"include_up_to_event_id": event["id"]})).await?.expect(201)?;
        let copy = format!("{SESSIONS}/{key}");
        let events = listed(&owner, &copy).await?;
        assert_eq!(kinds(&events), kinds(&source[..=at]));
        owner.post(&format!("{copy}/events"), &say("go on")).await?.expect(201)?;
        let told = told(&model);
        let calls: usize = told.iter().filter_map(|message| message["tool_calls"].as_array()).map(Vec::len).sum();
        let results = told.iter().filter(|message| message["role"] == "tool").count();
        assert_eq!(calls, results, "up to {}: {told:?}", event["type"]);
        assert_eq!(told.last().unwrap()["content"], "go on");
    }
    Ok(())
}

#[tokio::test]
async fn a_copy_may_begin_with_a_summary() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    let source = listed(&owner, &path).await?;
    model.queue([text("THE SUMMARY")]);
    // In the middle of a step: all of the step goes into the summary.
    let call = source.iter().find(|event| event["type"] == "tool_input").unwrap();
    fork(&owner, &path, "short", json!({"compact_up_to_event_id": call["id"]})).await?.expect(201)?;
    assert!(told(&model)[1].to_string().contains("what is 6*7?"));
    let copy = format!("{SESSIONS}/short");
    let events = listed(&owner, &copy).await?;
    assert_eq!(kinds(&events), ["compaction", "agent_output", "input_message", "agent_output"]);
    assert_eq!((&events[0]["summary_text"], &events[0]["events_compacted"]), (&json!("THE SUMMARY"), &json!(4)));
    model.queue([text("ok"), text("ok")]);
    owner.post(&format!("{copy}/events"), &say("go on")).await?.expect(201)?;
    assert!(told(&model)[1].to_string().contains("THE SUMMARY"));
    let live = told(&model);
    let home = server.kill().await?;
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    server.owner().post(&format!("{copy}/events"), &say("and on")).await?.expect(201)?;
    assert_eq!(told(&model)[..live.len()], live);

    model.queue([Reply::Error(401, "{}".into())]);
    let failed = fork(&server.owner(), &path, "failed", json!({"compact_up_to_event_id": call["id"]})).await?.expect(500)?;
    assert_eq!(failed["code"], "agent_processing_failed");
    server.owner().get(&format!("{SESSIONS}/failed")).await?.expect(404)?;
    Ok(())
}

#[tokio::test]
async fn hidden_and_summarised_events_stay_behind_and_the_summary_comes_along() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    model.queue([Reply::Counted(110_000, text("three").into()), text("THE SUMMARY"), text("four")]);
    owner.post(&format!("{path}/events"), &say("third")).await?.expect(201)?;
    owner.post(&format!("{path}/events"), &say("fourth")).await?.expect(201)?;
    let source = listed(&owner, &path).await?;
    assert_eq!(kinds(&source), ["input_message", "compaction", "agent_output"]);
    model.always(text("ok"));
    let mut contents = Vec::new();
    for (key, more) in [("whole", json!({})), ("early", json!({"include_up_to_event_id": source[0]["id"]}))] {
        fork(&owner, &path, key, more).await?.expect(201)?;
        let copy = format!("{SESSIONS}/{key}");
        contents.push(kinds(&listed(&owner, &copy).await?).join(" "));
        owner.post(&format!("{copy}/events"), &say("go on")).await?.expect(201)?;
        assert!(told(&model)[1].to_string().contains("THE SUMMARY"), "{:?}", told(&model));
    }
    assert_eq!(contents, ["input_message compaction agent_output", "compaction input_message"]);
    Ok(())
}

#[tokio::test]
async fn a_running_source_gives_the_turns_that_have_ended() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    model.queue([call("calc", json!({"expression": "1+1"})), Reply::Hang]);
    let mut body = say("third");
    body["stream_response"] = true.into();
    let mut stream = owner.stream(&format!("{path}/events"), &body).await?;
    let frames = stream.until("tool_output").await?;
    fork(&owner, &path, "copy", json!({})).await?.expect(201)?;
    assert_eq!(listed(&owner, &format!("{SESSIONS}/copy")).await?.len(), 7);
    let open = frames.iter().find(|frame| frame.event == "tool_input").unwrap().data["id"].clone();
    fork(&owner, &path, "other", json!({"include_up_to_event_id": open})).await?.expect(400)?;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_and_leaves_nothing() -> Result<()> {
    let (_model, server, path) = start().await?;
    let owner = server.owner();
    let first = listed(&owner, &path).await?[0]["id"].clone();
    let both = fork(&owner, &path, "x", json!({"include_up_to_event_id": first, "compact_up_to_event_id": first})).await?.expect(400)?;
    assert!(both["field_errors"]["from_session.compact_up_to_event_id"].is_string(), "{both}");
    assert_eq!(fork(&owner, "/nope", "x", json!({})).await?.expect(404)?["code"], "session_not_found");
    assert_eq!(fork(&owner, &path, "x", json!({"agent_key": "nope"})).await?.expect(404)?["code"], "agent_not_found");
    assert_eq!(fork(&owner, &path, "x", json!({"include_up_to_event_id": "aev_nope"})).await?.expect(404)?["code"], "event_not_found");
    let taken = path.rsplit('/').next().unwrap();
    fork(&owner, &path, taken, json!({})).await?.expect(409)?;
    let missing = owner.post(SESSIONS, &json!({"from_session": {}})).await?.expect(400)?;
    assert!(missing["field_errors"]["from_session.session_key"].is_string(), "{missing}");
    owner.get(&format!("{SESSIONS}/x")).await?.expect(404)?;
    assert_eq!(owner.get(SESSIONS).await?.expect(200)?["sessions"].as_array().map(Vec::len), Some(1));

    owner.post(SESSIONS, &json!({"key": "empty"})).await?.expect(201)?;
    let made = fork(&owner, "/empty", "copy", json!({})).await?.expect(201)?;
    assert_eq!(made["status"], "unstarted");
    assert_eq!(listed(&owner, &format!("{SESSIONS}/copy")).await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn a_user_copies_its_own_sessions_only() -> Result<()> {
    let (model, server, path) = start().await?;
    let owner = server.owner();
    let key = owner.post("/operator/v1/keys", &json!({"role": "agent_user"})).await?.expect(201)?;
    let user = owner.with_key(key["key"].as_str());
    fork(&user, &path, "x", json!({})).await?.expect(404)?;
    user.post(SESSIONS, &json!({"key": "own"})).await?.expect(201)?;
    model.queue([text("hello")]);
    user.post(&format!("{SESSIONS}/own/events"), &say("hi")).await?.expect(201)?;
    fork(&user, "/own", "copy", json!({})).await?.expect(201)?;
    assert_eq!(listed(&owner, &format!("{SESSIONS}/copy")).await?.len(), 2);
    Ok(())
}
