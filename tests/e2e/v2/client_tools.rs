//! Tools that the client runs: made at `/v2/tools`, bound by agents, called by the
//! model, and answered as inputs of a session.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::{Client, types};
use tests::fake_model::{FakeModel, Gate, Reply, call, held, text};
use tests::server::{Server, config, say};

/// A server with a client tool, bound by an agent beside two of plugins, and one session.
struct Place {
    model: FakeModel,
    server: Server,
    path: String,
    config: String,
    tool: String,
}

const PATIENT: &str = "24h";

fn settings(base_url: &str, patience: &str) -> String {
    let gate =
        "\n[plugin.notes]\napprove = \"always\"\napprover = \"client\"\n[plugin.notes.store]\nscope = \"session\"\nquota = \"1MiB\"\n";
    config(base_url).replace("[server]\n", &format!("[server]\nclient-tools = \"{patience}\"\n")) + gate
}

fn locate() -> Value {
    json!({
        "type": "client", "name": "get_location", "description": "Where the user is.",
        "input_schema": {"type": "object", "properties": {"accuracy": {"type": "integer"}}, "required": ["accuracy"]},
        "output_schema": {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]},
    })
}

fn definition(tool: &str) -> Value {
    json!({"key": "a1", "name": "a1", "model": {"name": "default"}, "tool_configurations": {
            "where": {"type": "client", "tool_id": tool},
            "calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"},
            "write": {"type": "dynamic_vectara", "tool_id": "tol_notes_note_write"}},
        "first_step": {"name": "main", "instructions": []}})
}

impl Place {
    async fn new(patience: &str) -> Result<Self> {
        let model = FakeModel::start().await?;
        let config = settings(&model.base_url, patience);
        let server = Server::start(&config).await?;
        let owner = server.owner();
        let tool = id(&owner.post("/v2/tools", &locate()).await?.expect(201)?)?;
        owner.post("/v2/agents", &definition(&tool)).await?.expect(201)?;
        let made = owner.post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?;
        let path = format!("/v2/agents/a1/sessions/{}", made["key"].as_str().context("a key")?);
        Ok(Self { model, server, path, config, tool })
    }

    /// The same after `kill -9` and a restart.
    async fn killed(self) -> Result<Self> {
        let home = self.server.kill().await?;
        let server = Server::start_in(home, &self.config, &[]).await?;
        Ok(Self { server, ..self })
    }

    async fn post(&self, body: &Value) -> Result<Value> {
        self.refused(body, 201).await
    }

    async fn refused(&self, body: &Value, status: u16) -> Result<Value> {
        self.server.owner().post(&format!("{}/events", self.path), body).await?.expect(status)
    }

    async fn waiting(&self) -> Result<Vec<Value>> {
        let list = self.server.owner().get(&format!("{}/outstanding_client_tool_calls", self.path)).await?.expect(200)?;
        list["client_tool_calls"].as_array().cloned().context("a list")
    }

    async fn approvals(&self) -> Result<Vec<Value>> {
        let list = self.server.owner().get(&format!("{}/outstanding_approvals", self.path)).await?.expect(200)?;
        list["approvals"].as_array().cloned().context("a list")
    }

    async fn listed(&self) -> Result<Vec<Value>> {
        let list = self.server.owner().get(&format!("{}/events?limit=100", self.path)).await?.expect(200)?;
        list["events"].as_array().cloned().context("a list")
    }

    /// Asks for one call of the client's and pauses; answers the id of its event.
    async fn paused(&self, accuracy: u32) -> Result<String> {
        self.model.queue([call("where", json!({"accuracy": accuracy}))]);
        let answer = self.post(&say(&format!("where am I within {accuracy}"))).await?;
        assert_eq!(kinds(&answer), ["input_message", "tool_input"], "the answer closes where the turn waits");
        id(&answer["events"][1])
    }
}

fn kinds(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(|event| event["type"].as_str()).collect()
}

fn id(thing: &Value) -> Result<String> {
    Ok(thing["id"].as_str().context("it has an id")?.to_owned())
}

fn outputs(outputs: Value) -> Value {
    json!({"type": "tool_output", "tool_outputs": outputs})
}

fn success(event: &str, lat: f64) -> Value {
    outputs(json!([{"type": "success", "event_id": event, "output": {"lat": lat}}]))
}

/// The results that the model was sent with its last request.
fn told(model: &FakeModel) -> Vec<String> {
    let requests = model.requests();
    let messages = requests.last().and_then(|request| request["messages"].as_array()).cloned().unwrap_or_default();
    messages.iter().filter(|m| m["role"] == "tool").map(|m| m["content"].to_string()).collect()
}

fn says(answer: &Value, part: &str) -> bool {
    answer["messages"][0].as_str().is_some_and(|why| why.contains(part))
}

#[tokio::test]
async fn a_call_of_the_clients_waits_and_its_output_lets_the_turn_go_on() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    let event = place.paused(5).await?;
    let request = &place.model.requests()[0];
    let shown = request["tools"].as_array().and_then(|tools| tools.iter().find(|tool| tool["function"]["name"] == "where")).cloned();
    let shown = shown.context("the model sees the tool under the name that the agent gave it")?;
    assert_eq!(shown["function"]["description"], "Where the user is.");
    assert_eq!(shown["function"]["parameters"]["required"], json!(["accuracy"]));

    assert_eq!(place.server.owner().get(&place.path).await?.expect(200)?["status"], "stopped");
    let open = place.waiting().await?;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((&open[0]["event_id"], &open[0]["arguments"]), (&json!(event), &json!({"accuracy": 5})));
    assert_eq!((&open[0]["tool_configuration_name"], &open[0]["tool_name"]), (&json!("where"), &json!("get_location")));
    assert_eq!(place.approvals().await?, Vec::<Value>::new(), "nobody is asked for an approval");

    place.model.queue([text("in Oslo")]);
    let answer = place.post(&success(&event, 59.91)).await?;
    assert_eq!(kinds(&answer), ["tool_output", "agent_output"]);
    let output = &answer["events"][0];
    assert_eq!((&output["tool_output"], &output["error"]), (&json!({"lat": 59.91}), &json!(false)));
    assert_eq!(output["receipt"]["end"], "done");
    assert!(output["receipt"].get("component").is_none(), "{output}");
    assert!(told(&place.model)[0].contains("59.91"));
    assert_eq!(place.waiting().await?, Vec::<Value>::new());
    assert!(says(&place.refused(&success(&event, 1.0), 409).await?, "answered"));
    let metrics = String::from_utf8(place.server.owner().get("/metrics").await?.body.to_vec())?;
    assert!(metrics.contains("wardian_client_calls_settled_total{resolution=\"answered\"} 1"), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_clients_is_one_that_the_model_reads() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    for (error, shown) in [
        (json!("no signal"), json!({"reason": "failed", "message": "no signal"})),
        (json!({"code": 7, "detail": {"gps": "off"}}), json!({"code": 7, "detail": {"gps": "off"}})),
    ] {
        let event = place.paused(5).await?;
        place.model.queue([text("I cannot tell")]);
        let answer = place.post(&outputs(json!([{"event_id": event, "error": error}]))).await?;
        let output = &answer["events"][0];
        assert_eq!((&output["error"], &output["tool_output"]), (&json!(true), &json!({"error": shown})));
        assert_eq!(output["receipt"]["end"], "failed");
    }
    Ok(())
}

#[tokio::test]
async fn calls_may_be_answered_one_by_one_and_the_model_waits_for_all() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    let arguments = |n: u32| ("where".to_owned(), json!({"accuracy": n}).to_string());
    place.model.queue([Reply::Calls(vec![arguments(1), arguments(2), arguments(3)])]);
    let answer = place.post(&say("thrice")).await?;
    assert_eq!(kinds(&answer), ["input_message", "tool_input", "tool_input", "tool_input"]);
    let ids = answer["events"].as_array().context("events")?[1..].iter().map(id).collect::<Result<Vec<_>>>()?;

    let answer = place.post(&success(&ids[1], 2.0)).await?;
    assert_eq!(kinds(&answer), ["tool_output"], "the rest waits on");
    let waiting: Vec<Value> = place.waiting().await?.iter().map(|open| open["event_id"].clone()).collect();
    assert_eq!(waiting, [json!(ids[0]), json!(ids[2])]);
    let place = place.killed().await?;
    assert!(says(&place.refused(&success(&ids[1], 9.0), 409).await?, "answered"));
    place.model.queue([text("done")]);
    let rest = outputs(json!([{"event_id": ids[2], "error": "lost"}, {"event_id": ids[0], "output": {"lat": 1.5}}]));
    assert_eq!(kinds(&place.post(&rest).await?), ["tool_output", "tool_output", "agent_output"]);
    assert_eq!(place.model.requests().len(), 2);
    assert_eq!(told(&place.model).len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_step_may_mix_calls_of_the_server_of_the_client_and_for_a_person() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    let calls = [("where", json!({"accuracy": 1})), ("calc", json!({"expression": "6*7"})), ("write", json!({"key": "k", "text": "v"}))];
    place.model.queue([Reply::Calls(calls.into_iter().map(|(name, arguments)| (name.to_owned(), arguments.to_string())).collect())]);
    let events = format!("{}/events?all_types=true", place.path);
    let answer = place.server.owner().post(&events, &say("all at once")).await?.expect(201)?;
    assert_eq!(kinds(&answer), ["input_message", "tool_input", "tool_input", "tool_input", "tool_output", "client_tool_pending"]);
    assert!(answer["events"][4]["tool_output"].to_string().contains("42"), "what needs nobody has run");
    let (client, person) = (id(&answer["events"][1])?, id(&answer["events"][3])?);
    assert_eq!(place.waiting().await?[0]["event_id"], json!(client));
    assert_eq!(place.approvals().await?[0]["event_id"], json!(person));
    assert_eq!((place.waiting().await?.len(), place.approvals().await?.len()), (1, 1));

    // Neither is answered as if it were the other.
    let approve = |event: &str| json!({"type": "tool_approval", "decisions": [{"event_id": event, "decision": "approve"}]});
    assert!(says(&place.refused(&success(&person, 1.0), 400).await?, "outstanding_client_tool_calls"));
    assert!(says(&place.refused(&approve(&client), 400).await?, "outstanding_approvals"));
    assert_eq!(kinds(&place.post(&approve(&person)).await?), ["tool_output"]);
    place.model.queue([text("all done")]);
    assert_eq!(kinds(&place.post(&success(&client, 3.0)).await?), ["tool_output", "agent_output"]);
    Ok(())
}

#[tokio::test]
async fn an_output_that_does_not_fit_leaves_everything_as_it_was() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    let event = place.paused(5).await?;
    let input = id(&place.listed().await?[0])?;
    let both = |id: &str| outputs(json!([{"event_id": event, "output": {"lat": 1}}, {"event_id": id, "output": {"lat": 1}}]));
    let unknown = format!("{}v", &event[..event.len() - 1]);
    assert_eq!(place.refused(&both(&unknown), 404).await?["code"], "event_not_found");
    assert_eq!(place.refused(&both("aev_nonsense"), 404).await?["id"], "aev_nonsense");
    assert!(says(&place.refused(&both(&input), 400).await?, "none that the client is to run"));
    place.refused(&both(&event), 400).await?;
    place.refused(&outputs(json!([])), 400).await?;
    let wrong = place.refused(&outputs(json!([{"event_id": event, "output": {"lat": "north"}}])), 400).await?;
    assert!(says(&wrong, "/lat") && wrong["field_errors"]["tool_outputs"].is_string(), "{wrong}");
    let other = place.server.owner().post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?;
    let other = format!("/v2/agents/a1/sessions/{}/events", other["key"].as_str().context("a key")?);
    place.server.owner().post(&other, &success(&event, 1.0)).await?.expect(404)?;
    assert_eq!((place.waiting().await?.len(), place.listed().await?.len()), (1, 2));
    Ok(())
}

#[tokio::test]
async fn arguments_that_break_the_schema_never_reach_the_client() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    place.model.queue([call("where", json!({"accuracy": "fine"})), text("sorry")]);
    let answer = place.post(&say("where am I")).await?;
    assert_eq!(kinds(&answer), ["input_message", "tool_input", "tool_output", "agent_output"]);
    assert_eq!(answer["events"][2]["tool_output"]["error"]["reason"], "invalid_arguments");
    assert_eq!(place.waiting().await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn an_acknowledged_output_survives_a_kill_and_the_model_sees_it_once() -> Result<()> {
    let mut place = Place::new(PATIENT).await?;
    for round in 1..4 {
        let event = place.paused(round).await?;
        place = place.killed().await?;
        assert_eq!(place.waiting().await?.len(), 1);
        place.model.always(text("fine"));
        let answer = place.post(&success(&event, f64::from(round))).await?;
        assert_eq!(kinds(&answer), ["tool_output", "agent_output"]);
        place = place.killed().await?;
        let listed = place.listed().await?;
        assert_eq!(listed.iter().filter(|event| event["type"] == "tool_output").count(), round as usize);
        assert!(says(&place.refused(&success(&event, 9.0), 409).await?, "answered"));
    }
    Ok(())
}

#[tokio::test]
async fn of_many_who_answer_at_once_exactly_one_does() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    for round in 1..4 {
        let event = place.paused(round).await?;
        place.model.queue([Reply::Slow(Duration::from_millis(100), text("ok").into())]);
        let answering = (0..8).map(|n| {
            let (client, path, body) = (place.server.owner(), format!("{}/events", place.path), success(&event, f64::from(n)));
            tokio::spawn(async move { client.post(&path, &body).await.map(|answer| answer.status.as_u16()) })
        });
        let mut statuses = Vec::new();
        for answering in answering.collect::<Vec<_>>() {
            statuses.push(answering.await??);
        }
        statuses.sort_unstable();
        assert_eq!(statuses[..2], [201, 409], "{statuses:?}");
        assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    }
    Ok(())
}

#[tokio::test]
async fn while_the_turn_goes_on_a_repeat_joins_and_another_output_is_refused() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    let event = place.paused(1).await?;
    let gate = Gate::default();
    place.model.queue([held(&gate, "2")]);
    let answering = tokio::spawn({
        let (owner, path, body) = (place.server.owner(), format!("{}/events", place.path), success(&event, 1.0));
        async move { owner.post(&path, &body).await?.expect(201) }
    });
    place.model.asked(2).await?;
    place.refused(&success(&event, 2.0), 409).await?;
    let mut again = success(&event, 1.0);
    again["stream_response"] = true.into();
    let mut joined = place.server.owner().stream(&format!("{}/events", place.path), &again).await?;
    assert_eq!(joined.status, 201);
    gate.open();
    let (answered, joined) = (answering.await??, joined.all().await?);
    assert_eq!((&joined[0].data, types(&joined).last()), (&answered["events"][0], Some(&"end")));
    Ok(())
}

#[tokio::test]
async fn nobody_waits_for_ever_another_input_cancels_and_an_interrupt_ends() -> Result<()> {
    let place = Place::new("1s").await?;
    place.model.queue([call("where", json!({"accuracy": 1})), text("nobody was there")]);
    place.post(&say("where")).await?;
    let mut events = Vec::new();
    for _ in 0..1_500 {
        events = place.listed().await?;
        if events.last().is_some_and(|event| event["type"] == "agent_output") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(events[2]["tool_output"]["error"]["reason"], "expired", "{events:?}");
    assert!(says(&place.refused(&success(&id(&events[1])?, 1.0), 409).await?, "expired"));

    let place = Place::new(PATIENT).await?;
    let event = place.paused(1).await?;
    place.model.queue([text("something else then")]);
    assert_eq!(kinds(&place.post(&say("never mind")).await?), ["input_message", "agent_output"]);
    assert_eq!(place.listed().await?[2]["tool_output"]["error"]["reason"], "cancelled");
    assert!(says(&place.refused(&success(&event, 1.0), 409).await?, "cancelled"));

    let place = place.killed().await?;
    place.paused(2).await?;
    let place = place.killed().await?;
    assert_eq!(kinds(&place.post(&json!({"type": "interrupt"})).await?), ["tool_output", "session_interrupted"]);
    assert_eq!(place.waiting().await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn types_that_the_sdk_does_not_know_are_shown_to_those_who_ask() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    let owner = place.server.owner();
    let tool = format!("/v2/tools/{}", place.tool);
    for (query, kind) in [("", "dynamic_vectara"), ("?all_types=true", "client")] {
        assert_eq!(owner.get(&format!("{tool}{query}")).await?.expect(200)?["type"], kind);
        let agent = owner.get(&format!("/v2/agents/a1{query}")).await?.expect(200)?;
        assert_eq!(agent["tool_configurations"]["where"], json!({"type": kind, "tool_id": place.tool}));
        // Sent back in either form it is the same agent.
        owner.put(&format!("/v2/agents/a1{query}"), &agent).await?.expect(200)?;
        let patched = owner.patch(&format!("/v2/agents/a1{query}"), &json!({"description": "d"})).await?.expect(200)?;
        assert_eq!(patched["tool_configurations"], agent["tool_configurations"]);
        let list = owner.get(&format!("/v2/agents{query}")).await?.expect(200)?;
        let listed = list["agents"].as_array().and_then(|all| all.iter().find(|agent| agent["key"] == "a1")).context("a1")?;
        assert_eq!(listed["tool_configurations"]["where"]["type"], kind);
    }

    let events = format!("{}/events?all_types=true", place.path);
    place.model.queue([call("where", json!({"accuracy": 1}))]);
    let answer = owner.post(&events, &say("go")).await?.expect(201)?;
    assert_eq!(kinds(&answer), ["input_message", "tool_input", "client_tool_pending"]);
    let pending = &answer["events"][2]["pending_calls"];
    assert_eq!((&pending[0]["event_id"], &pending[0]["arguments"]), (&answer["events"][1]["id"], &json!({"accuracy": 1})));
    assert_eq!(place.listed().await?.len(), 2, "it stands in no list");

    let event = id(&answer["events"][1])?;
    let streamed = |mut body: Value| {
        body["stream_response"] = true.into();
        body
    };
    place.model.queue([call("where", json!({"accuracy": 2})), call("where", json!({"accuracy": 3}))]);
    let frames = owner.stream(&events, &streamed(success(&event, 1.0))).await?.all().await?;
    let kinds = types(&frames);
    assert!(kinds.contains(&"client_tool_pending") && kinds.last() == Some(&"end"), "{kinds:?}");
    let event = frames.iter().find(|frame| frame.event == "tool_input").context("the call")?.data["id"].clone();
    let plain = place.path.clone() + "/events";
    let body = streamed(success(event.as_str().context("an id")?, 1.0));
    let frames = owner.stream(&plain, &body).await?.all().await?;
    assert!(!types(&frames).contains(&"client_tool_pending"), "{:?}", types(&frames));
    owner.get(&format!("{tool}?all_types=maybe")).await?.expect(400)?;
    Ok(())
}

#[tokio::test]
async fn tools_are_made_changed_found_and_deleted() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    let owner = place.server.owner();
    let taken = owner.post("/v2/tools", &locate()).await?.expect(409)?;
    assert!(says(&taken, "get_location"), "{taken}");
    for (change, field) in [
        (json!({"name": "no blanks"}), "name"),
        (json!({"name": "x".repeat(51)}), "name"),
        (json!({"description": null}), "description"),
        (json!({"title": ""}), "title"),
        (json!({"input_schema": {"type": "array"}}), "input_schema"),
        (json!({"output_schema": {"type": "object", "properties": {"a": {"$ref": "https://example.com"}}}}), "output_schema"),
        (json!({"type": "lambda", "code": "def process(): pass"}), "type"),
    ] {
        let mut body = locate();
        body["name"] = json!("other");
        body.as_object_mut().context("an object")?.extend(change.as_object().context("an object")?.clone());
        let refused = owner.post("/v2/tools", &body).await?.expect(400)?;
        assert!(refused["field_errors"][field].is_string(), "{field}: {refused}");
    }
    let made = owner.post("/v2/tools", &json!({"name": "beep", "description": "Makes a sound."})).await?.expect(201)?;
    assert_eq!((&made["input_schema"], &made["category"]), (&json!({"type": "object"}), &json!("client")));
    let beep = format!("/v2/tools/{}", id(&made)?);
    let changed = owner.patch(&beep, &json!({"type": "client", "title": "Beep", "enabled": false})).await?.expect(200)?;
    assert_eq!(
        (&changed["title"], &changed["enabled"], &changed["description"]),
        (&json!("Beep"), &json!(false), &json!("Makes a sound."))
    );
    assert!(owner.patch(&beep, &json!({"title": null})).await?.expect(200)?.get("title").is_none());
    owner.patch(&beep, &json!({"name": "honk"})).await?.expect(400)?;

    let found = async |query: &str| -> Result<Vec<String>> {
        let list = owner.get(&format!("/v2/tools?limit=100&{query}")).await?.expect(200)?;
        let tools = list["tools"].as_array().context("a list")?;
        Ok(tools.iter().map(|tool| format!("{} {}", tool["type"], tool["name"]).replace('"', "")).collect())
    };
    assert_eq!(found("type=client").await?, ["client get_location", "client beep"]);
    assert_eq!(found("category=client&enabled=true").await?, ["dynamic_vectara get_location"]);
    assert_eq!(found("filter=sound").await?, ["dynamic_vectara beep"]);
    assert_eq!(found("tool_server_id=tsr_1").await?, Vec::<String>::new());
    let (all, plugins) = (found("category=plugin,client").await?, found("category=plugin").await?);
    assert_eq!(all, found("").await?);
    assert_eq!(all.len(), plugins.len() + 2);
    assert_eq!(found("category=plugin&category=client").await?, all);
    let (mut paged, mut next) = (Vec::new(), String::new());
    loop {
        let page = owner.get(&format!("/v2/tools?limit=1{next}")).await?.expect(200)?;
        paged.extend(page["tools"].as_array().context("a list")?.iter().map(|tool| tool["name"].as_str().unwrap_or_default().to_owned()));
        match page["metadata"]["page_key"].as_str() {
            Some(key) => next = format!("&page_key={key}"),
            None => break,
        }
    }
    let names: Vec<&str> = all.iter().filter_map(|tool| tool.split(' ').nth(1)).collect();
    assert_eq!(paged, names);

    let used = owner.delete(&format!("/v2/tools/{}", place.tool)).await?.expect(409)?;
    assert_eq!((&used["code"], &used["agents"]), (&json!("tool_in_use"), &json!(["a1"])));
    assert!(says(&used, "a1"), "{used}");
    let refused = owner.patch("/v2/agents/a1", &json!({"tool_configurations": {"b": {"tool_id": made["id"]}}})).await?.expect(400)?;
    assert!(refused["code"] == "invalid_tool_reference" && says(&refused, "disabled"), "{refused}");
    assert!(refused["field_errors"]["tool_configurations.b.tool_id"].is_string(), "{refused}");
    owner.delete(&beep).await?.expect(204)?;
    assert_eq!(owner.get(&beep).await?.expect(404)?["code"], "tool_not_found");
    let gone = owner.patch("/v2/agents/a1", &json!({"tool_configurations": {"b": {"tool_id": made["id"]}}})).await?.expect(400)?;
    assert!(says(&gone, "does not exist"), "{gone}");
    owner.patch("/v2/agents/a1", &json!({"tool_configurations": {"where": null}})).await?.expect(200)?;
    owner.delete(&format!("/v2/tools/{}", place.tool)).await?.expect(204)?;

    for refused in [
        owner.patch("/v2/tools/tol_calculator_calculate", &json!({"enabled": false})).await?,
        owner.delete("/v2/tools/tol_calculator_calculate").await?,
    ] {
        assert!(says(&refused.expect(403)?, "plugin"));
    }
    owner.post("/v2/tools/test", &json!({"code": "x"})).await?.expect(404)?;
    owner.post("/v2/tools/tol_calculator_calculate/test", &json!({"input": {}})).await?.expect(404)?;
    Ok(())
}

#[tokio::test]
async fn tools_belong_to_their_tenant_and_need_a_role() -> Result<()> {
    let place = Place::new(PATIENT).await?;
    let owner = place.server.owner();
    owner.post("/operator/v1/tenants", &json!({"name": "acme"})).await?.expect(201)?;
    let keyed = async |body: Value| -> Result<Client> {
        let made = owner.post("/operator/v1/keys", &body).await?.expect(201)?;
        Ok(owner.with_key(made["key"].as_str()))
    };
    let tool = format!("/v2/tools/{}", place.tool);
    let stranger = keyed(json!({"tenant": "acme", "role": "agent_administrator"})).await?;
    for answer in [stranger.get(&tool).await?, stranger.delete(&tool).await?, stranger.patch(&tool, &json!({"enabled": false})).await?] {
        assert_eq!(answer.expect(404)?["code"], "tool_not_found");
    }
    let mut theirs = definition(&place.tool);
    theirs["tool_configurations"] = json!({"where": {"tool_id": place.tool}});
    let refused = stranger.post("/v2/agents", &theirs).await?.expect(400)?;
    assert!(refused["field_errors"]["tool_configurations.where.tool_id"].is_string(), "{refused}");
    stranger.post("/v2/tools", &locate()).await?.expect(201)?;
    let viewer = keyed(json!({"role": "agent_viewer"})).await?;
    viewer.get(&tool).await?.expect(200)?;
    viewer.patch(&tool, &json!({"enabled": false})).await?.expect(403)?;
    viewer.post("/v2/tools", &json!({"name": "x", "description": "x"})).await?.expect(403)?;
    let some = keyed(json!({"role": "agent_administrator", "agents": ["a1"]})).await?;
    some.delete(&tool).await?.expect(403)?;
    let developer = keyed(json!({"role": "agent_developer"})).await?;
    developer.patch(&tool, &json!({"title": "Here"})).await?.expect(200)?;

    // Who may read and post to the session sees its calls and answers them.
    let user = keyed(json!({"role": "agent_user"})).await?;
    let made = user.post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?;
    let path = format!("/v2/agents/a1/sessions/{}", made["key"].as_str().context("a key")?);
    place.model.queue([call("where", json!({"accuracy": 1})), text("here")]);
    let answer = user.post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    let open = user.get(&format!("{path}/outstanding_client_tool_calls")).await?.expect(200)?;
    assert_eq!(open["client_tool_calls"][0]["event_id"], answer["events"][1]["id"]);
    user.get(&format!("{}/outstanding_client_tool_calls", place.path)).await?.expect(404)?;
    user.post(&format!("{path}/events"), &success(&id(&answer["events"][1])?, 1.0)).await?.expect(201)?;
    Ok(())
}
