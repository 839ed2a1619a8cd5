//! `…/events/{event_id}`: hide, unhide, delete.

use anyhow::Result;
use serde_json::{Value, json};
use tests::client::Client;
use tests::fake_model::{FakeModel, Reply, call, text};
use tests::server::{Server, config, say, session};

async fn start(more: &str) -> Result<(FakeModel, Server, String)> {
    let model = FakeModel::start().await?;
    let server = Server::start(&format!("{}{more}", config(&model.base_url))).await?;
    let calculator = json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}});
    let path = session(&server.owner(), "a1", &calculator).await?;
    Ok((model, server, format!("{path}/events")))
}

async fn tell(owner: &Client, events: &str, text: &str) -> Result<Value> {
    owner.post(events, &say(text)).await?.expect(201)
}

async fn listed(owner: &Client, events: &str, query: &str) -> Result<(Vec<String>, u64)> {
    let list = owner.get(&format!("{events}?limit=100{query}")).await?.expect(200)?;
    let kinds = list["events"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    Ok((
        kinds.filter_map(|event| event["type"].as_str()).map(str::to_owned).collect(),
        list["metadata"]["total_count"].as_u64().unwrap_or(0),
    ))
}

fn id_of(answer: &Value, kind: &str) -> String {
    let events = answer["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    let event = events.iter().find(|event| event["type"] == kind);
    event.and_then(|event| event["id"].as_str()).unwrap_or_default().to_owned()
}

async fn change(owner: &Client, events: &str, id: &str, verb: &str) -> Result<tests::client::Answer> {
    owner.post(&format!("{events}/{id}/{verb}"), &Value::Null).await
}

/// The roles of what the model was told last, system text left out.
fn roles(model: &FakeModel) -> Vec<String> {
    let last = model.requests().last().cloned().unwrap_or_default();
    let messages = last["messages"].as_array().cloned().unwrap_or_default();
    messages[1..].iter().filter_map(|message| message["role"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn what_is_hidden_is_neither_listed_nor_told_until_it_is_shown_again() -> Result<()> {
    let (model, server, events) = start("").await?;
    let owner = server.owner();
    model.queue([text("the code is 4711")]);
    let first = tell(&owner, &events, "my code?").await?;
    let id = id_of(&first, "agent_output");
    let hidden = change(&owner, &events, &id, "hide").await?.expect(200)?;
    assert_eq!(hidden, first["events"][1], "the answer is the bare event");
    change(&owner, &events, &id, "hide").await?.expect(200)?;

    assert_eq!(listed(&owner, &events, "").await?, (vec!["input_message".into()], 1));
    assert_eq!(listed(&owner, &events, "&include_hidden=true").await?.1, 2);
    owner.get(&format!("{events}/{id}")).await?.expect(200)?;
    model.queue([text("what code?")]);
    tell(&owner, &events, "and now?").await?;
    assert!(!model.requests()[1].to_string().contains("4711"), "{}", model.requests()[1]);

    let home = server.kill().await?;
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    let owner = server.owner();
    assert_eq!(listed(&owner, &events, "").await?.1, 3);
    change(&owner, &events, &id, "unhide").await?.expect(200)?;
    change(&owner, &events, &id, "unhide").await?.expect(200)?;
    assert_eq!(listed(&owner, &events, "").await?.1, 4);
    model.queue([text("ah")]);
    tell(&owner, &events, "and now?").await?;
    assert!(model.requests()[2].to_string().contains("4711"));
    Ok(())
}

#[tokio::test]
async fn half_of_a_step_is_never_told() -> Result<()> {
    let (model, server, events) = start("").await?;
    let owner = server.owner();
    let calls = ["1+1", "2+2"].map(|e| ("calc".to_owned(), json!({"expression": e}).to_string()));
    model.queue([Reply::Calls(calls.into()), text("done")]);
    let first = tell(&owner, &events, "compute").await?;
    model.always(text("ok"));
    let outputs: Vec<&Value> = first["events"].as_array().unwrap().iter().filter(|event| event["type"] == "tool_output").collect();
    let of = |call: &str| outputs.iter().find(|event| event["tool_call_id"] == call).unwrap()["id"].as_str().unwrap().to_owned();

    change(&owner, &events, &of("call_2"), "hide").await?.expect(200)?;
    tell(&owner, &events, "next").await?;
    let told = model.requests().last().unwrap()["messages"].clone();
    let asked: Vec<&Value> = told.as_array().unwrap().iter().filter(|message| message["tool_calls"].is_array()).collect();
    assert_eq!(asked[0]["tool_calls"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(roles(&model), ["user", "assistant", "tool", "assistant", "user"]);

    change(&owner, &events, &id_of(&first, "tool_input"), "hide").await?.expect(200)?;
    tell(&owner, &events, "next").await?;
    assert_eq!(roles(&model)[..3], ["user", "assistant", "user"], "a result without its call is left out, too");
    Ok(())
}

#[tokio::test]
async fn what_is_deleted_is_gone_for_everybody() -> Result<()> {
    let (model, server, events) = start("").await?;
    let owner = server.owner();
    model.queue([Reply::Reasoned("plum plum".into(), "the secret word is plum".into()), text("ok")]);
    let first = tell(&owner, &events, "the word?").await?;
    tell(&owner, &events, "fine").await?;
    for kind in ["agent_output", "thinking"] {
        let id = id_of(&first, kind);
        owner.delete(&format!("{events}/{id}")).await?.expect(204)?;
        for gone in [owner.delete(&format!("{events}/{id}")).await?, owner.get(&format!("{events}/{id}")).await?] {
            assert_eq!(gone.expect(404)?["code"], "event_not_found");
        }
        change(&owner, &events, &id, "hide").await?.expect(404)?;
        change(&owner, &events, &id, "unhide").await?.expect(404)?;
    }
    assert_eq!(listed(&owner, &events, "").await?, (vec!["input_message".into(), "input_message".into(), "agent_output".into()], 3));
    assert_eq!(listed(&owner, &events, "&include_hidden=true").await?.1, 3);
    model.queue([text("ok")]);
    tell(&owner, &events, "again").await?;
    assert!(!model.requests()[2].to_string().contains("plum"), "{}", model.requests()[2]);
    let home = server.kill().await?;
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    model.queue([text("ok")]);
    tell(&server.owner(), &events, "and again").await?;
    assert!(!model.requests()[3].to_string().contains("plum"));
    Ok(())
}

#[tokio::test]
async fn nothing_is_taken_away_from_a_turn_that_is_not_over() -> Result<()> {
    let (model, server, events) = start("\n[plugin.calculator]\napprove = \"always\"\napprover = \"client\"\n").await?;
    let owner = server.owner();
    model.queue([text("one"), Reply::Hang]);
    let first = tell(&owner, &events, "first").await?;
    let old = id_of(&first, "agent_output");
    let mut body = say("second");
    body["stream_response"] = true.into();
    let mut stream = owner.stream(&events, &body).await?;
    stream.until("input_message").await?;
    for verb in ["hide", "unhide"] {
        assert_eq!(change(&owner, &events, &old, verb).await?.expect(409)?["code"], "conflict");
    }
    owner.delete(&format!("{events}/{old}")).await?.expect(409)?;
    owner.post(&events, &json!({"type": "interrupt"})).await?.expect(201)?;

    model.queue([call("calc", json!({"expression": "6*7"}))]);
    let paused = tell(&owner, &events, "third").await?;
    let open = id_of(&paused, "tool_input");
    change(&owner, &events, &open, "hide").await?.expect(409)?;
    owner.delete(&format!("{events}/{open}")).await?.expect(409)?;
    change(&owner, &events, &old, "hide").await?.expect(200)?;
    // The turn still goes on from where it waits.
    model.queue([text("42")]);
    let decision = json!({"type": "tool_approval", "decisions": [{"event_id": open, "decision": "approve"}]});
    let rest = owner.post(&events, &decision).await?.expect(201)?;
    assert!(rest["events"].as_array().unwrap().iter().any(|event| event["type"] == "tool_output"), "{rest}");
    owner.delete(&format!("{events}/{open}")).await?.expect(204)?;
    Ok(())
}

#[tokio::test]
async fn the_summary_that_stands_for_what_was_before_stays() -> Result<()> {
    let (model, server, events) = start("").await?;
    let owner = server.owner();
    model.queue([Reply::Counted(110_000, text("one").into()), text("SUMMARY"), text("two")]);
    let first = tell(&owner, &events, "first").await?;
    let second = tell(&owner, &events, "second").await?;
    let summary = id_of(&second, "compaction");
    change(&owner, &events, &summary, "hide").await?.expect(409)?;
    owner.delete(&format!("{events}/{summary}")).await?.expect(409)?;
    // What it stands for can be listed again, and the model is not told it twice.
    change(&owner, &events, &id_of(&first, "input_message"), "unhide").await?.expect(200)?;
    assert_eq!(
        listed(&owner, &events, "").await?,
        (["input_message", "input_message", "compaction", "agent_output"].map(str::to_owned).into(), 4)
    );
    model.queue([text("three")]);
    tell(&owner, &events, "third").await?;
    assert_eq!(roles(&model), ["user", "user", "assistant", "user"]);
    Ok(())
}

#[tokio::test]
async fn hiding_takes_a_developer_and_deleting_an_administrator() -> Result<()> {
    let (model, server, events) = start("").await?;
    let owner = server.owner();
    model.queue([text("one")]);
    let id = id_of(&tell(&owner, &events, "first").await?, "agent_output");
    for (role, hides, deletes) in
        [("agent_user", 403, 403), ("agent_viewer", 403, 403), ("agent_developer", 200, 403), ("agent_administrator", 200, 204)]
    {
        let key = owner.post("/operator/v1/keys", &json!({ "role": role })).await?.expect(201)?;
        let caller = owner.with_key(key["key"].as_str());
        change(&caller, &events, &id, "hide").await?.expect(hides)?;
        change(&caller, &events, &id, "unhide").await?.expect(hides)?;
        caller.delete(&format!("{events}/{id}")).await?.expect(deletes)?;
    }
    Ok(())
}

#[tokio::test]
async fn pages_stay_in_step_while_events_are_hidden() -> Result<()> {
    let (model, server, events) = start("").await?;
    let owner = server.owner();
    model.always(text("ok"));
    let mut ids = Vec::new();
    for number in 0..6 {
        let answer = tell(&owner, &events, &format!("{number}")).await?;
        ids.extend(answer["events"].as_array().unwrap().iter().filter_map(|event| event["id"].as_str().map(str::to_owned)));
    }
    let page = owner.get(&format!("{events}?limit=4")).await?.expect(200)?;
    let key = page["metadata"]["page_key"].as_str().unwrap().to_owned();
    for id in [&ids[1], &ids[5], &ids[6], &ids[8]] {
        change(&owner, &events, id, "hide").await?.expect(200)?;
    }
    let rest = owner.get(&format!("{events}?limit=4&page_key={key}")).await?.expect(200)?;
    let found: Vec<&str> = rest["events"].as_array().unwrap().iter().filter_map(|event| event["id"].as_str()).collect();
    assert_eq!(found, [&ids[4], &ids[7], &ids[9], &ids[10]]);
    assert_eq!(rest["metadata"]["total_count"], 8);
    Ok(())
}
