//! `/v2/agents/{agent_key}/sessions/{session_key}/outstanding_approvals`, decisions
//! as inputs of a session, and the operator's door to both.

use std::time::Duration;

use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};
use tests::client::{Client, types};
use tests::fake_model::{FakeModel, Gate, Reply, call, held, text};
use tests::patience::until;
use tests::server::{Server, config, say, session};

/// A server whose calculator and notes need a person, and one session.
struct Place {
    model: FakeModel,
    server: Server,
    path: String,
    config: String,
}

fn gated(base_url: &str, approver: &str, patience: &str) -> String {
    let server = format!("[server]\napprovals = \"{patience}\"\n");
    let plugins = format!(
        "\n[plugin.calculator]\napprove = \"always\"\napprover = \"{approver}\"\n\
         \n[plugin.notes]\napprove = \"always\"\napprover = \"{approver}\"\n[plugin.notes.tool.note_read]\napprove = \"never\"\n\
         [plugin.notes.store]\nscope = \"session\"\nquota = \"1MiB\"\n"
    );
    config(base_url).replace("[server]\n", &server) + &plugins
}

fn tools() -> Value {
    let tool = |id: &str| json!({"type": "dynamic_vectara", "tool_id": id});
    json!({"calc": tool("tol_calculator_calculate"), "write": tool("tol_notes_note_write"), "read": tool("tol_notes_note_read")})
}

impl Place {
    async fn new(approver: &str, patience: &str) -> Result<Self> {
        let model = FakeModel::start().await?;
        let config = gated(&model.base_url, approver, patience);
        let server = Server::start(&config).await?;
        let path = session(&server.owner(), "a1", &tools()).await?;
        Ok(Self { model, server, path, config })
    }

    /// The same after `kill -9` and a restart.
    async fn killed(self) -> Result<Self> {
        let home = self.server.kill().await?;
        let server = Server::start_in(home, &self.config, &[]).await?;
        Ok(Self { server, ..self })
    }

    async fn post(&self, body: &Value) -> Result<Value> {
        self.server.owner().post(&format!("{}/events", self.path), body).await?.expect(201)
    }

    async fn refused(&self, body: &Value, status: u16) -> Result<Value> {
        self.server.owner().post(&format!("{}/events", self.path), body).await?.expect(status)
    }

    async fn waiting(&self) -> Result<Vec<Value>> {
        let list = self.server.owner().get(&format!("{}/outstanding_approvals", self.path)).await?.expect(200)?;
        list["approvals"].as_array().cloned().context("a list")
    }

    async fn listed(&self) -> Result<Vec<Value>> {
        let list = self.server.owner().get(&format!("{}/events?limit=100", self.path)).await?.expect(200)?;
        list["events"].as_array().cloned().context("a list")
    }

    /// The events once the turn that runs has answered.
    async fn answered(&self) -> Result<Vec<Value>> {
        for _ in 0..1_500 {
            let events = self.listed().await?;
            if events.last().is_some_and(|event| event["type"] == "agent_output") {
                return Ok(events);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the turn does not end: {:?}\n{}", self.listed().await?, self.server.output())
    }

    /// Asks for one calculation and pauses; answers the id of its event.
    async fn paused(&self, expression: &str) -> Result<String> {
        self.model.queue([call("calc", json!({"expression": expression}))]);
        let answer = self.post(&say(&format!("compute {expression}"))).await?;
        assert_eq!(kinds(&answer), ["input_message", "tool_input"], "the answer closes where the turn waits");
        id(&answer["events"][1])
    }
}

fn kinds(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(|event| event["type"].as_str()).collect()
}

fn id(event: &Value) -> Result<String> {
    Ok(event["id"].as_str().context("an event has an id")?.to_owned())
}

fn decide(decisions: Value) -> Value {
    json!({"type": "tool_approval", "decisions": decisions})
}

fn approve(id: &str) -> Value {
    decide(json!([{"event_id": id, "decision": "approve"}]))
}

fn reject(id: &str, reason: &str) -> Value {
    decide(json!([{"event_id": id, "decision": "reject", "reason": reason}]))
}

/// The results that the model was sent with its last request.
fn told(model: &FakeModel) -> Vec<String> {
    let requests = model.requests();
    let messages = requests.last().and_then(|request| request["messages"].as_array()).cloned().unwrap_or_default();
    messages.iter().filter(|m| m["role"] == "tool").map(|m| m["content"].to_string()).collect()
}

#[tokio::test]
async fn an_approved_call_runs_once_and_the_turn_goes_on() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let event = place.paused("6*7").await?;
    let session = place.server.owner().get(&place.path).await?.expect(200)?;
    assert_eq!(session["status"], "stopped");
    let open = place.waiting().await?;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((&open[0]["event_id"], &open[0]["approver"]), (&json!(event), &json!("client")));
    assert_eq!((&open[0]["tool_configuration_name"], &open[0]["tool_name"]), (&json!("calc"), &json!("calculate")));
    assert_eq!(open[0]["arguments"], json!({"expression": "6*7"}));
    assert!(open[0]["expires_at"].as_str() > open[0]["asked_at"].as_str());

    place.model.queue([text("42")]);
    let answer = place.post(&approve(&event)).await?;
    assert_eq!(kinds(&answer), ["tool_output", "agent_output"]);
    assert_eq!(answer["events"][0]["error"], false, "{answer}");
    assert!(answer["events"][0]["tool_output"].to_string().contains("42"));
    assert_eq!(place.waiting().await?, Vec::<Value>::new());

    let again = place.refused(&reject(&event, "changed my mind"), 409).await?;
    assert!(again["messages"][0].as_str().is_some_and(|why| why.contains("approved")), "{again}");
    let metrics = String::from_utf8(place.server.owner().get("/metrics").await?.body.to_vec())?;
    assert!(metrics.contains("wardian_approvals_settled_total{resolution=\"approved\"} 1"), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn a_rejected_call_never_runs_and_the_model_is_told_why() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let event = place.paused("1/0").await?;
    place.model.queue([text("as you like")]);
    let answer = place.post(&reject(&event, "no divisions today")).await?;
    assert_eq!(kinds(&answer), ["tool_output", "agent_output"]);
    assert_eq!(answer["events"][0]["tool_output"]["error"]["reason"], "rejected");
    assert!(told(&place.model)[0].contains("no divisions today"), "{:?}", told(&place.model));
    Ok(())
}

#[tokio::test]
async fn edited_arguments_are_decided_again_and_the_model_learns_of_them() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let event = place.paused("1+1").await?;
    let edit = |input: Value| decide(json!([{"event_id": event, "decision": "approve", "input": input}]));
    for wrong in [json!({"expresion": "2+2"}), json!({"expression": 4})] {
        let refused = place.refused(&edit(wrong), 400).await?;
        assert!(refused["messages"][0].as_str().is_some_and(|why| why.contains("schema")), "{refused}");
    }
    assert_eq!(place.waiting().await?.len(), 1, "the call waits on");

    place.model.queue([text("done")]);
    let answer = place.post(&edit(json!({"expression": "20+3"}))).await?;
    assert!(answer["events"][0]["tool_output"].to_string().contains("23"), "{answer}");
    assert!(!answer["events"][0]["tool_output"].to_string().contains("a person"), "events stay exact");
    assert_eq!(place.listed().await?[1]["tool_input"], json!({"expression": "1+1"}));
    let told = &told(&place.model)[0];
    assert!(told.contains("a person changed") && told.contains("20+3") && told.contains("23"), "{told}");
    Ok(())
}

#[tokio::test]
async fn what_needs_nobody_runs_at_once_and_the_model_waits_for_all() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let note = |key: &str| ("write".to_owned(), json!({"key": key, "text": "x"}).to_string());
    place.model.queue([Reply::Calls(vec![note("a"), ("read".into(), json!({"key": "a"}).to_string()), note("b")])]);
    let answer = place.post(&say("both")).await?;
    assert_eq!(kinds(&answer), ["input_message", "tool_input", "tool_input", "tool_input", "tool_output"]);
    assert_eq!(answer["events"][4]["tool_call_id"], "call_2");
    let (first, second) = (id(&answer["events"][1])?, id(&answer["events"][3])?);

    let answer = place.post(&approve(&second)).await?;
    assert_eq!(kinds(&answer), ["tool_output"], "one more waits, so the model does too");
    assert_eq!(place.model.requests().len(), 1);
    place.model.queue([text("both done")]);
    let answer = place.post(&approve(&first)).await?;
    assert_eq!(kinds(&answer), ["tool_output", "agent_output"]);
    assert_eq!(told(&place.model).len(), 3);
    Ok(())
}

#[tokio::test]
async fn nobody_answers_in_time_and_the_turn_goes_on() -> Result<()> {
    let place = Place::new("operator", "1s").await?;
    place.model.always(text("then not"));
    let event = place.paused("1+1").await?;
    let events = place.answered().await?;
    let output = &events[2]["tool_output"]["error"];
    assert_eq!(output["reason"], "rejected");
    assert!(output["message"].as_str().is_some_and(|why| why.contains("nobody answered in time")), "{output}");
    assert_eq!(place.waiting().await?, Vec::<Value>::new());
    let late = place.refused(&approve(&event), 409).await?;
    assert!(late["messages"][0].as_str().is_some_and(|why| why.contains("expired")), "{late}");
    Ok(())
}

#[tokio::test]
async fn a_paused_turn_outlives_a_kill_and_is_decided_afterwards() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let event = place.paused("2^10").await?;
    let place = place.killed().await?;
    assert_eq!(place.waiting().await?[0]["event_id"], json!(event));
    place.model.queue([text("1024")]);
    let answer = place.post(&approve(&event)).await?;
    assert_eq!(kinds(&answer), ["tool_output", "agent_output"]);
    assert!(answer["events"][0]["tool_output"].to_string().contains("1024"), "{answer}");
    let place = place.killed().await?;
    assert_eq!(place.listed().await?.len(), 4);
    place.refused(&approve(&event), 409).await?;
    Ok(())
}

#[tokio::test]
async fn what_was_due_while_the_server_was_down_is_over_when_it_is_back() -> Result<()> {
    let place = Place::new("client", "1s").await?;
    // Also for the server that is still there when the second is over, on a slow machine.
    place.model.always(text("too late"));
    place.paused("1+1").await?;
    let home = place.server.kill().await?;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let server = Server::start_in(home, &place.config, &[]).await?;
    let place = Place { server, ..place };
    assert!(place.answered().await?[2].to_string().contains("nobody answered in time"));
    Ok(())
}

#[tokio::test]
async fn an_acknowledged_decision_is_never_asked_for_again() -> Result<()> {
    let mut place = Place::new("operator", "24h").await?;
    for round in 0..4 {
        let event = place.paused(&format!("{round}+1")).await?;
        place.model.always(text("fine"));
        place.server.owner().post(&format!("/operator/v1/approvals/{event}"), &json!({"decision": "approve"})).await?.expect(200)?;
        place = place.killed().await?;
        let events = place.answered().await?;
        assert_eq!(place.waiting().await?, Vec::<Value>::new());
        let call = events.iter().find(|e| e["id"] == json!(event)).and_then(|e| e["tool_call_id"].as_str()).context("the call")?;
        let after = events.iter().skip_while(|e| e["id"] != json!(event)).skip(1);
        let outputs: Vec<&Value> = after.filter(|e| e["type"] == "tool_output" && e["tool_call_id"] == call).collect();
        assert_eq!(outputs.len(), 1, "one call, one result: {events:?}");
        assert_eq!(outputs[0]["error"], false, "the calculator may be called again: {}", outputs[0]);
    }
    Ok(())
}

#[tokio::test]
async fn an_interrupt_ends_a_turn_that_waits() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let event = place.paused("1+1").await?;
    let place = place.killed().await?;
    let answer = place.post(&json!({"type": "interrupt"})).await?;
    assert_eq!(kinds(&answer), ["tool_output", "session_interrupted"]);
    assert_eq!(answer["events"][0]["tool_output"]["error"]["reason"], "cancelled");
    assert_eq!(place.waiting().await?, Vec::<Value>::new());
    let late = place.refused(&approve(&event), 409).await?;
    assert!(late["messages"][0].as_str().is_some_and(|why| why.contains("cancelled")), "{late}");
    place.refused(&json!({"type": "interrupt"}), 400).await?;
    Ok(())
}

#[tokio::test]
async fn another_input_cancels_what_waits_and_then_runs() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let event = place.paused("1+1").await?;
    place.model.queue([text("something else then")]);
    let answer = place.post(&say("never mind")).await?;
    assert_eq!(kinds(&answer), ["input_message", "agent_output"]);
    let listed = place.listed().await?;
    let kinds: Vec<&str> = listed.iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(kinds, ["input_message", "tool_input", "tool_output", "input_message", "agent_output"]);
    assert_eq!(listed[2]["tool_output"]["error"]["reason"], "cancelled");
    assert_eq!(told(&place.model).len(), 1, "no call is left without a result");
    place.refused(&approve(&event), 409).await?;
    Ok(())
}

#[tokio::test]
async fn only_an_operator_answers_for_an_operator() -> Result<()> {
    let place = Place::new("operator", "24h").await?;
    let owner = place.server.owner();
    let keyed = async |role: &str| -> Result<Client> {
        let made = owner.post("/operator/v1/keys", &json!({"role": role})).await?.expect(201)?;
        Ok(owner.with_key(made["key"].as_str()))
    };
    let (user, administrator) = (keyed("agent_user").await?, keyed("agent_administrator").await?);
    let made = user.post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?;
    let path = format!("/v2/agents/a1/sessions/{}", made["key"].as_str().context("a key")?);
    place.model.queue([call("calc", json!({"expression": "1+1"}))]);
    let answer = user.post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    let event = id(&answer["events"][1])?;
    let open = user.get(&format!("{path}/outstanding_approvals")).await?.expect(200)?;
    assert_eq!(open["approvals"][0]["approver"], "operator");
    user.get(&format!("{}/outstanding_approvals", place.path)).await?.expect(404)?;
    for client in [&user, &administrator] {
        let refused = client.post(&format!("{path}/events"), &approve(&event)).await?.expect(403)?;
        assert!(refused["messages"][0].as_str().is_some_and(|why| why.contains("wardian approvals approve")), "{refused}");
        client.post(&format!("/operator/v1/approvals/{event}"), &json!({"decision": "approve"})).await?.expect(403)?;
        client.get("/operator/v1/approvals").await?.expect(403)?;
    }
    place.model.queue([text("2")]);
    let answer = owner.post(&format!("{path}/events"), &approve(&event)).await?.expect(201)?;
    assert_eq!(kinds(&answer), ["tool_output", "agent_output"]);
    assert_eq!(answer["events"][0]["error"], false, "{answer}");
    Ok(())
}

#[tokio::test]
async fn of_many_who_decide_at_once_exactly_one_does() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let events = format!("{}/events", place.path);
    for round in 0..5 {
        place.model.queue([call("write", json!({"key": format!("k{round}"), "text": "v"}))]);
        let answer = place.post(&say(&format!("round {round}"))).await?;
        let event = id(answer["events"].as_array().and_then(|all| all.last()).context("events")?)?;
        place.model.queue([Reply::Slow(Duration::from_millis(100), text("ok").into())]);
        let deciders = (0..12).map(|n| {
            let (client, events) = (place.server.owner(), events.clone());
            let body = if n % 2 == 0 {
                decide(json!([{"event_id": event, "decision": "approve", "input": {"key": format!("k{n}"), "text": "v"}}]))
            } else {
                reject(&event, &format!("no {n}"))
            };
            tokio::spawn(async move { client.post(&events, &body).await.map(|answer| answer.status.as_u16()) })
        });
        let mut statuses = Vec::new();
        for decider in deciders.collect::<Vec<_>>() {
            statuses.push(decider.await??);
        }
        statuses.sort_unstable();
        assert_eq!(statuses[..2], [201, 409], "{statuses:?}");
        assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_approval_counts_for_the_build_that_it_was_given_for() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let event = place.paused("1+1").await?;
    let mut bytes = std::fs::read(place.server.home.path().join("data/plugins/calculator.wasm"))?;
    // An empty custom section called "x": another build that behaves the same.
    bytes.extend([0, 2, 1, b'x']);
    let component = async || -> Result<Value> {
        let plugin = place.server.owner().get("/operator/v1/plugins/calculator").await?.expect(200)?;
        Ok(json!([plugin["component"], plugin["state"]]))
    };
    let before = component().await?;
    place.server.install("calculator", &bytes)?;
    let other = async || -> Result<bool> {
        let now = component().await?;
        Ok(now != before && now[1] != "preparing")
    };
    until("the other build serves", other).await.with_context(|| place.server.output())?;
    place.model.queue([text("hm")]);
    let answer = place.post(&approve(&event)).await?;
    assert_eq!(answer["events"][0]["tool_output"]["error"]["reason"], "plugin_unavailable", "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_stream_ends_where_the_turn_waits_and_another_one_shows_the_rest() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let events = format!("{}/events", place.path);
    let streamed = |mut body: Value| {
        body["stream_response"] = true.into();
        body
    };
    place.model.queue([call("calc", json!({"expression": "3*3"}))]);
    let frames = place.server.owner().stream(&events, &streamed(say("go"))).await?.all().await?;
    let kinds = types(&frames);
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("input_message", "end"));
    assert!(!kinds.contains(&"error"), "{kinds:?}");
    let event = frames.iter().find(|f| f.event == "tool_input").context("the call")?.data["id"].clone();
    place.model.queue([text("nine")]);
    let frames = place.server.owner().stream(&events, &streamed(approve(event.as_str().context("an id")?))).await?.all().await?;
    let kinds = types(&frames);
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("tool_output", "end"), "{kinds:?}");
    assert!(kinds.contains(&"streaming_agent_output_end"), "{kinds:?}");
    Ok(())
}

#[tokio::test]
async fn repeats_get_the_answer_of_their_own_part_of_the_turn() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let keyed = async |place: &Place, key: &str, body: &Value| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let events = format!("{}/events", place.path);
        place.server.owner().send(Method::POST, &events, &headers, body.to_string().into()).await
    };
    place.model.queue([call("calc", json!({"expression": "1+2"}))]);
    let first = keyed(&place, "k-1", &say("go")).await?.expect(201)?;
    assert_eq!(keyed(&place, "k-1", &say("go")).await?.expect(201)?, first, "while it waits");
    let place = place.killed().await?;
    assert_eq!(keyed(&place, "k-1", &say("go")).await?.expect(201)?, first, "after a restart");
    // Without a key the same words are a repeat as well, as long as nobody is known to have the answer.
    assert_eq!(place.post(&say("go")).await?, first);

    let decision = approve(&id(&first["events"][1])?);
    place.model.queue([text("three")]);
    let second = keyed(&place, "k-2", &decision).await?.expect(201)?;
    assert_eq!(kinds(&second), ["tool_output", "agent_output"]);
    assert_eq!(keyed(&place, "k-2", &decision).await?.expect(201)?, second);
    keyed(&place, "k-2", &reject(&id(&first["events"][1])?, "no")).await?.expect(422)?;
    let place = place.killed().await?;
    assert_eq!(keyed(&place, "k-2", &decision).await?.expect(201)?, second, "after a restart");
    assert_eq!(keyed(&place, "k-1", &say("go")).await?.expect(201)?, first);
    assert_eq!(place.model.requests().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_wrong_decision_leaves_everything_as_it_was() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let event = place.paused("1+1").await?;
    let other = place.server.owner().post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?;
    let other = format!("/v2/agents/a1/sessions/{}/events", other["key"].as_str().context("a key")?);
    let foreign = place.server.owner().post(&other, &approve(&event)).await?.expect(404)?;
    assert_eq!((&foreign["code"], &foreign["id"]), (&json!("event_not_found"), &json!(event)));

    let input = id(&place.listed().await?[0])?;
    let unknown = format!("{}v", &event[..event.len() - 1]);
    let both = |id: &str| decide(json!([{"event_id": event, "decision": "approve"}, {"event_id": id, "decision": "approve"}]));
    place.refused(&both("aev_nonsense"), 404).await?;
    assert_eq!(place.refused(&both(&unknown), 404).await?["id"], json!(unknown));
    assert!(place.refused(&both(&input), 400).await?["messages"][0].as_str().is_some_and(|why| why.contains("nobody was asked")));
    place.refused(&both(&event), 400).await?;
    place.refused(&decide(json!([])), 400).await?;
    assert_eq!(place.waiting().await?.len(), 1);
    assert_eq!(place.listed().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn while_a_turn_runs_nothing_of_it_is_decided() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let event = place.paused("1+1").await?;
    let gate = Gate::default();
    place.model.queue([held(&gate, "2")]);
    let deciding = tokio::spawn({
        let (owner, events, body) = (place.server.owner(), format!("{}/events", place.path), approve(&event));
        async move { owner.post(&events, &body).await?.expect(201) }
    });
    place.model.asked(2).await?;
    place.refused(&reject(&event, "too late"), 409).await?;
    // The same decision from the same caller is that one, sent again: it joins, as the head of its answer says.
    let mut again = approve(&event);
    again["stream_response"] = true.into();
    let mut joined = place.server.owner().stream(&format!("{}/events", place.path), &again).await?;
    assert_eq!(joined.status, 201);
    gate.open();
    let (decided, joined) = (deciding.await??, joined.all().await?);
    assert_eq!((&joined[0].data, types(&joined).last()), (&decided["events"][0], Some(&"end")));
    assert_eq!(place.listed().await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn what_was_deleted_or_disabled_is_not_decided() -> Result<()> {
    let place = Place::new("client", "24h").await?;
    let owner = place.server.owner();
    let event = place.paused("1+1").await?;
    owner.patch(&place.path, &json!({"enabled": false})).await?.expect(200)?;
    let refused = place.refused(&approve(&event), 403).await?;
    assert_eq!(refused["code"], "session_disabled");
    owner.post(&format!("/operator/v1/approvals/{event}"), &json!({"decision": "approve"})).await?.expect(403)?;
    owner.delete(&place.path).await?.expect(204)?;
    assert_eq!(owner.get("/operator/v1/approvals").await?.expect(200)?["approvals"], json!([]));
    owner.post(&format!("/operator/v1/approvals/{event}"), &json!({"decision": "approve"})).await?.expect(404)?;
    Ok(())
}

#[tokio::test]
async fn the_operator_sees_every_session_in_pages_and_decides_by_event() -> Result<()> {
    let place = Place::new("operator", "24h").await?;
    let owner = place.server.owner();
    let mut events = vec![place.paused("1+0").await?];
    for n in 1..3 {
        let made = owner.post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?;
        place.model.queue([call("calc", json!({"expression": format!("1+{n}")}))]);
        let path = format!("/v2/agents/a1/sessions/{}/events", made["key"].as_str().context("a key")?);
        events.push(id(&owner.post(&path, &say("go")).await?.expect(201)?["events"][1])?);
    }
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = owner.get(&format!("/operator/v1/approvals?limit=1{next}")).await?.expect(200)?;
        for approval in page["approvals"].as_array().context("a list")? {
            assert_eq!((&approval["tenant"], &approval["agent_key"]), (&json!("default"), &json!("a1")));
            seen.push(approval["event_id"].as_str().context("an id")?.to_owned());
        }
        match page["metadata"]["page_key"].as_str() {
            Some(key) => next = format!("&page_key={key}"),
            None => break,
        }
    }
    assert_eq!(seen, events);
    owner.get("/operator/v1/approvals?tenant=nobody").await?.expect(400)?;
    place.model.always(text("done"));
    let decided = owner.post(&format!("/operator/v1/approvals/{}", events[0]), &json!({"decision": "approve"})).await?.expect(200)?;
    assert_eq!(decided["event_id"], json!(events[0]));
    place.answered().await?;
    let left = owner.get("/operator/v1/approvals?tenant=default").await?.expect(200)?;
    assert_eq!(left["approvals"].as_array().map(Vec::len), Some(2));
    Ok(())
}
