//! `/v2/agents/{agent_key}/sessions`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::Client;
use tests::fake_model::{FakeModel, Reply, call, text};
use tests::server::{Server, config, say, session};

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
    assert_eq!(owner.post(SESSIONS, &json!({"key": "s1"})).await?.expect(409)?["code"], "conflict");
    for bad in ["", "a b", "ä", "a/b", &"k".repeat(51)] {
        let error = owner.post(SESSIONS, &json!({"key": bad})).await?.expect(400)?;
        assert!(error["field_errors"]["key"].is_string(), "{error}");
    }
    owner.patch(&format!("{SESSIONS}/s1"), &json!({"enabled": false})).await?.expect(200)?;
    assert_eq!(owner.post(&format!("{SESSIONS}/s1/events"), &say("hi")).await?.expect(403)?["code"], "session_disabled");
    owner.get(&format!("{SESSIONS}/s1/events")).await?.expect(200)?;
    assert_eq!(owner.get(&format!("{SESSIONS}/s1")).await?.expect(200)?["enabled"], false);
    owner.patch(&format!("{SESSIONS}/s1"), &json!({"enabled": null})).await?.expect(200)?;
    model.always(text("hello"));
    owner.post(&format!("{SESSIONS}/s1/events"), &say("hi")).await?.expect(201)?;
    assert_eq!(model.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_member_that_nobody_has_heard_of_is_ignored() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    owner.post(SESSIONS, &json!({"a_member_from_next_year": 1})).await?.expect(201)?;
    Ok(())
}

#[tokio::test]
async fn a_session_shows_every_member_and_a_change_keeps_what_is_absent() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let body = json!({"key": "s", "name": "N", "description": "D", "metadata": {"a": 1}, "enabled": true, "tti_minutes": 30});
    let made = owner.post(SESSIONS, &body).await?.expect(201)?;
    for (member, value) in body.as_object().context("an object")? {
        assert_eq!(&made[member], value, "{member}");
    }
    assert_eq!((&made["agent_key"], &made["current_step_name"]), (&json!("assistant"), &Value::Null));
    assert!(made["created_at"].as_str().is_some_and(|at| at.ends_with('Z') && at.len() == 24), "{made}");
    for absent in ["created_by_agent_key", "created_by_session_key", "session_context_usage", "updated_at"] {
        assert!(made.get(absent).is_none(), "{absent}");
    }
    let path = format!("{SESSIONS}/s");
    assert_eq!(owner.get(&path).await?.expect(200)?, made);
    assert_eq!(owner.patch(&path, &json!({})).await?.expect(200)?, made);

    let whole = owner.patch(&path, &json!({"metadata": {"b": 2}, "key": "other", "from_next_year": 1})).await?.expect(200)?;
    assert_eq!((&whole["metadata"], &whole["key"], &whole["name"]), (&json!({"b": 2}), &json!("s"), &json!("N")));
    let nulls = json!({"name": null, "description": null, "metadata": null, "tti_minutes": null});
    let cleared = owner.patch(&path, &nulls).await?.expect(200)?;
    assert!(cleared["name"].as_str().is_some_and(|name| name.starts_with("Session of ")), "a name is never null: {cleared}");
    assert_eq!((cleared.get("description"), &cleared["metadata"], &cleared["tti_minutes"]), (None, &json!({}), &json!(0)));

    let wrong = [("name", json!("")), ("name", json!(5)), ("description", json!([])), ("enabled", json!("yes"))];
    let minutes = [json!(-1), json!(0.5), json!("5"), json!(1u64 << 31)].map(|minutes| ("tti_minutes", minutes));
    for (member, value) in wrong.into_iter().chain(minutes) {
        let error = owner.patch(&path, &json!({member: value, "metadata": {"c": 3}})).await?.expect(400)?;
        assert!(error["field_errors"][member].is_string(), "{error}");
    }
    assert_eq!(owner.get(&path).await?.expect(200)?, cleared, "a refused change changes nothing");
    Ok(())
}

#[tokio::test]
async fn metadata_is_kept_to_the_letter_within_its_bounds() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let odd = json!({"": "empty", "naïve 日本 🌿": "ÄÖ\n\"\\", "n": 12_345_678_901_234_567_890_u64, "f": 0.1, "l": [1, [null]], "o": {"deep": {}}});
    let made = owner.post(SESSIONS, &json!({"key": "odd", "metadata": odd})).await?.expect(201)?;
    assert_eq!(made["metadata"], odd);
    assert_eq!(owner.get(&format!("{SESSIONS}/odd")).await?.expect(200)?["metadata"], odd);

    let of_bytes = |bytes: usize| json!({"metadata": {"a": "x".repeat(bytes - r#"{"a":""}"#.len())}});
    owner.post(SESSIONS, &of_bytes(64 << 10)).await?.expect(201)?;
    for bad in [of_bytes((64 << 10) + 1), json!({"metadata": 3}), json!({"metadata": []}), json!({"metadata": "{}"})] {
        let error = owner.post(SESSIONS, &bad).await?.expect(400)?;
        assert_eq!(error["code"], "invalid_metadata", "{error}");
        assert!(error["field_errors"]["metadata"].is_string(), "{error}");
    }
    owner.post(SESSIONS, &json!({"metadata": {"a": "\u{0}"}})).await?.expect(400)?;
    Ok(())
}

#[tokio::test]
async fn the_status_is_right_in_each_phase_of_a_session() -> Result<()> {
    let model = FakeModel::start().await?;
    let gated = config(&model.base_url) + "\n[plugin.calculator]\napprove = \"always\"\napprover = \"client\"\n";
    let server = Server::start(&gated).await?;
    let tool = json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}});
    let path = session(&server.owner(), "a1", &tool).await?;
    let status = async |owner: &Client| anyhow::Ok(owner.get(&path).await?.expect(200)?["status"].as_str().map(str::to_owned));
    let owner = server.owner();
    assert_eq!(status(&owner).await?.as_deref(), Some("unstarted"));
    let events = format!("{path}/events");

    model.queue([Reply::Hang]);
    let posting = tokio::spawn({
        let (owner, events) = (owner.clone(), events.clone());
        async move { owner.post(&events, &say("hi")).await }
    });
    while status(&owner).await?.as_deref() != Some("running") {
        tokio::time::sleep(Duration::from_millis(10)).await;
        anyhow::ensure!(!posting.is_finished(), "the turn does not run");
    }
    owner.post(&events, &json!({"type": "interrupt"})).await?.expect(201)?;
    posting.await??.expect(201)?;
    assert_eq!(status(&owner).await?.as_deref(), Some("stopped"));

    model.queue([call("calc", json!({"expression": "1+1"}))]);
    owner.post(&events, &say("compute")).await?.expect(201)?;
    assert_eq!(status(&owner).await?.as_deref(), Some("stopped"), "a turn that waits does not run");
    let server = Server::start_in(server.kill().await?, &gated, &[]).await?;
    assert_eq!(status(&server.owner()).await?.as_deref(), Some("stopped"));
    Ok(())
}

#[tokio::test]
async fn a_disabled_agents_sessions_can_be_read_and_a_deleted_one_takes_its_sessions_along() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let path = session(&owner, "a1", &json!({})).await?;
    owner.patch("/v2/agents/a1", &json!({"enabled": false})).await?.expect(200)?;
    assert_eq!(owner.post(&format!("{path}/events"), &say("hi")).await?.expect(403)?["code"], "agent_disabled");
    assert_eq!(owner.post("/v2/agents/a1/sessions", &json!({})).await?.expect(403)?["code"], "agent_disabled");
    for read in [path.clone(), format!("{path}/events"), "/v2/agents/a1/sessions".into()] {
        owner.get(&read).await?.expect(200)?;
    }
    assert_eq!(owner.patch(&path, &json!({"name": "still changed"})).await?.expect(200)?["name"], "still changed");

    owner.delete("/v2/agents/a1").await?.expect(204)?;
    assert_eq!(owner.get(&path).await?.expect(404)?["code"], "agent_not_found");
    session(&owner, "a1", &json!({})).await?;
    assert_eq!(owner.get(&path).await?.expect(404)?["code"], "session_not_found");
    assert_eq!(owner.get("/v2/agents/a1/sessions").await?.expect(200)?["sessions"].as_array().map(Vec::len), Some(1));
    Ok(())
}

/// The query of a list, its values encoded.
fn query(parameters: &[(&str, &str)]) -> String {
    let encoded = |value: &str| value.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

fn keys(page: &Value) -> Vec<&str> {
    page["sessions"].as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(|session| session["key"].as_str()).collect()
}

#[tokio::test]
async fn lists_go_by_age_and_are_filtered_by_name_description_and_metadata() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    for (key, name, description, enabled, metadata) in [
        ("z", "Order 1", "a gold customer", true, json!({"plan": "gold", "seats": 3, "tags": ["eu"]})),
        ("b", "Order 2", "", true, json!({"plan": "silver", "seats": 30})),
        ("y", "Complaint", "about order 1", false, json!({"plan": "gold", "owner": {"name": "Anne O'Neill"}})),
        ("a", "Order 3", "", true, json!({})),
    ] {
        let body = json!({"key": key, "name": name, "description": description, "enabled": enabled, "metadata": metadata});
        owner.post(SESSIONS, &body).await?.expect(201)?;
    }
    for (parameters, expected) in [
        (&[][..], &["z", "b", "y", "a"][..]),
        (&[("filter", "^Order")], &["z", "b", "a"]),
        (&[("filter", "rder 1")], &["z", "y"]),
        (&[("enabled", "false")], &["y"]),
        (&[("metadata_filter", "plan = 'gold'")], &["z", "y"]),
        (&[("metadata_filter", "metadata.seats BETWEEN 3 AND 29 OR session.metadata.owner.name LIKE '%O''N%'")], &["z", "y"]),
        (&[("metadata_filter", "NOT plan = 'gold'")], &["b"]),
        (&[("metadata_filter", "plan IS NULL")], &["a"]),
        (&[("metadata_filter", "'eu' IN tags")], &["z"]),
        (&[("metadata_filter", "plan = 'gold'"), ("filter", "^Order"), ("enabled", "true")], &["z"]),
        (&[("metadata_filter", "plan = 'lead'")], &[]),
    ] {
        let page = owner.get(&format!("{SESSIONS}?{}", query(parameters))).await?.expect(200)?;
        assert_eq!(keys(&page), expected, "{parameters:?}");
    }

    let gold = query(&[("metadata_filter", "plan = 'gold'")]);
    let first = owner.get(&format!("{SESSIONS}?limit=1&{gold}")).await?.expect(200)?;
    let next = first["metadata"]["page_key"].as_str().context("more follows")?;
    let same = query(&[("metadata_filter", " metadata.plan=='gold' ")]);
    let second = owner.get(&format!("{SESSIONS}?limit=1&{same}&page_key={next}")).await?.expect(200)?;
    assert_eq!((keys(&first), keys(&second)), (vec!["z"], vec!["y"]));
    assert_eq!(second["metadata"], json!({}));
    let other = query(&[("metadata_filter", "plan = 'silver'")]);
    let foreign = owner.get(&format!("{SESSIONS}?limit=1&{other}&page_key={next}")).await?.expect(400)?;
    assert!(foreign["field_errors"]["page_key"].is_string(), "{foreign}");

    for wrong in ["plan =", "plan = 'gold' OR 'silver'", "plan = 'gold", "; DROP TABLE sessions", &"(".repeat(8_001), &"(".repeat(100)] {
        let error = owner.get(&format!("{SESSIONS}?{}", query(&[("metadata_filter", wrong)]))).await?.expect(400)?;
        assert!(error["field_errors"]["metadata_filter"].is_string(), "{error}");
    }
    let error = owner.get(&format!("{SESSIONS}?{}", query(&[("metadata_filter", "plan = AND")]))).await?.expect(400)?;
    let problem = "`metadata_filter` cannot be read at character 8: expected a name or a value, found `AND`";
    assert_eq!(error["messages"][0], problem);
    Ok(())
}

/// Takes a real minute: no clock of the server can be set from outside.
#[tokio::test]
async fn a_session_is_gone_a_minute_after_its_last_event_and_not_while_a_turn_waits_or_runs() -> Result<()> {
    let model = FakeModel::start().await?;
    let gated = config(&model.base_url) + "\n[plugin.calculator]\napprove = \"always\"\napprover = \"client\"\n";
    let server = Server::start(&gated).await?;
    let owner = server.owner();
    let tool = json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}});
    session(&owner, "a1", &tool).await?;
    let made = Instant::now();
    for key in ["read", "used", "paused", "running"] {
        owner.post("/v2/agents/a1/sessions", &json!({"key": key, "tti_minutes": 1})).await?.expect(201)?;
    }
    let path = |key: &str| format!("/v2/agents/a1/sessions/{key}");
    let events = |key: &str| format!("/v2/agents/a1/sessions/{key}/events");
    model.queue([call("calc", json!({"expression": "1+1"}))]);
    owner.post(&events("paused"), &say("compute")).await?.expect(201)?;
    // What was due while the server was down is over when it is back.
    let server = Server::start_in(server.kill().await?, &gated, &[]).await?;
    let owner = server.owner();
    model.queue([Reply::Hang]);
    let running = owner.stream(&events("running"), &json!({"messages": [{"content": "hi"}], "stream_response": true})).await?;

    tokio::time::sleep_until((made + Duration::from_secs(40)).into()).await;
    model.queue([text("hello")]);
    owner.post(&events("used"), &say("hi")).await?.expect(201)?;
    while owner.get(&path("read")).await?.status == 200 {
        anyhow::ensure!(made.elapsed() < Duration::from_secs(90), "the session does not end:\n{}", server.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(made.elapsed() >= Duration::from_secs(60), "gone after {:?}", made.elapsed());
    assert_eq!(owner.get(&events("read")).await?.expect(404)?["code"], "session_not_found");
    assert_eq!(owner.post(&events("read"), &say("hi")).await?.expect(404)?["code"], "session_not_found");
    for stays in ["used", "paused", "running"] {
        owner.get(&path(stays)).await?.expect(200)?;
    }
    drop(running);
    Ok(())
}
