//! Arguments that an agent sets itself.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::Client;
use tests::fake_model::{FakeModel, call, text};
use tests::server::{Server, config, say};

async fn start() -> Result<(Server, FakeModel, Client)> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    Ok((server, model, owner))
}

fn agent(tools: &Value) -> Value {
    json!({"key": "a1", "name": "A1", "model": {"name": "default"}, "metadata": {"limits": {"hits": 1}},
        "tool_configurations": tools, "first_step": {"instructions": []}})
}

fn search(overrides: &Value) -> Value {
    json!({"search": {"type": "dynamic_vectara", "tool_id": "tol_knowledge_knowledge_base_search", "argument_override": overrides}})
}

async fn session(owner: &Client, metadata: &Value) -> Result<String> {
    let made = owner.post("/v2/agents/a1/sessions", &json!({"metadata": metadata})).await?.expect(201)?;
    Ok(format!("/v2/agents/a1/sessions/{}", made["key"].as_str().context("a key")?))
}

fn event<'a>(answer: &'a Value, kind: &str) -> Result<&'a Value> {
    let found = answer["events"].as_array().context("events")?.iter().rfind(|event| event["type"] == kind);
    found.with_context(|| format!("no {kind} in {answer}"))
}

#[tokio::test]
async fn what_is_set_is_hidden_from_the_model_and_wins_over_what_it_writes() -> Result<()> {
    let (_server, model, owner) = start().await?;
    let set = json!({"query": {"$ref": "$.session.metadata.topic"}, "max_results": {"$ref": "agent.metadata.limits.hits"}});
    let made = owner.post("/v2/agents", &agent(&search(&set))).await?.expect(201)?;
    assert_eq!(made["tool_configurations"], search(&set), "it is shown as it was written");
    let path = session(&owner, &json!({"topic": "widget installation"})).await?;
    model.queue([call("search", json!({"query": "something else"})), text("ok")]);
    let answer = owner.post(&format!("{path}/events"), &say("go")).await?.expect(201)?;

    let shown = &model.requests()[0]["tools"][0]["function"]["parameters"];
    assert!(shown["properties"].get("query").is_none() && !shown["required"].to_string().contains("query"), "{shown}");
    let input = event(&answer, "tool_input")?;
    assert_eq!(input["argument_override_paths"], json!(["query", "max_results"]));
    let output = event(&answer, "tool_output")?;
    assert_eq!(output["error"], false, "{output}");
    assert_eq!(output["resolved_argument_overrides"], json!({"query": "widget installation", "max_results": 1}));
    let results = output["tool_output"]["results"].as_array().context("results")?;
    assert!(results.len() == 1 && results[0]["title"].as_str().unwrap_or_default().contains("Widget"), "{output}");
    Ok(())
}

#[tokio::test]
async fn a_reference_that_leads_nowhere_is_refused_before_anything_is_written() -> Result<()> {
    let (_server, model, owner) = start().await?;
    owner.post("/v2/agents", &agent(&search(&json!({"query": {"$ref": "session.metadata.topic"}})))).await?.expect(201)?;
    let path = session(&owner, &json!({})).await?;
    let error = owner.post(&format!("{path}/events"), &say("go")).await?.expect(422)?;
    assert_eq!(error["code"], "unresolved_reference");
    let text_of = error["messages"][0].as_str().unwrap_or_default();
    assert!(text_of.contains("session.metadata.topic") && text_of.contains("`search`"), "{error}");
    assert_eq!(owner.get(&format!("{path}/events")).await?.expect(200)?["events"], json!([]));
    assert!(model.requests().is_empty());

    owner.patch(&path, &json!({"metadata": {"topic": "widget"}})).await?.expect(200)?;
    model.queue([text("ok")]);
    owner.post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    Ok(())
}

#[tokio::test]
async fn an_argument_can_be_what_another_tool_answered() -> Result<()> {
    let (_server, model, owner) = start().await?;
    let mut tools = search(&json!({"query": {"$ref": "tools.calc.outputs.latest.result"}}));
    tools["calc"] = json!({"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"});
    owner.post("/v2/agents", &agent(&tools)).await?.expect(201)?;
    let path = session(&owner, &json!({})).await?;
    model.queue([call("search", json!({})), call("calc", json!({"expression": "6*7"})), call("search", json!({})), text("ok")]);
    let answer = owner.post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    let outputs: Vec<&Value> = answer["events"].as_array().context("events")?.iter().filter(|e| e["type"] == "tool_output").collect();
    assert_eq!(outputs[0]["tool_output"]["error"]["reason"], "invalid_arguments", "{}", outputs[0]);
    assert!(outputs[0].to_string().contains("tools.calc.outputs.latest.result"));
    assert_eq!(outputs[2]["error"], false, "{}", outputs[2]);
    assert_eq!(outputs[2]["resolved_argument_overrides"], json!({"query": outputs[1]["tool_output"]["result"]}));
    Ok(())
}

#[tokio::test]
async fn what_does_not_fit_the_whole_schema_does_not_run() -> Result<()> {
    let (_server, model, owner) = start().await?;
    owner.post("/v2/agents", &agent(&search(&json!({"query": 7})))).await?.expect(201)?;
    let path = session(&owner, &json!({})).await?;
    model.queue([call("search", json!({})), text("ok")]);
    let answer = owner.post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    let output = event(&answer, "tool_output")?;
    assert_eq!((&output["error"], &output["tool_output"]["error"]["reason"]), (&json!(true), &json!("invalid_arguments")));
    assert_eq!(output["resolved_argument_overrides"], json!({"query": 7}));
    Ok(())
}

#[tokio::test]
async fn a_path_that_cannot_be_meant_is_refused_when_the_agent_is_stored() -> Result<()> {
    let (_server, _model, owner) = start().await?;
    for (set, field) in [
        (json!({"query": {"$ref": "env.HOME"}}), "tool_configurations.search.argument_override.query"),
        (json!({"query": {"$ref": "tools.other.outputs.latest"}}), "tool_configurations.search.argument_override"),
        (json!({"a": 1, "a.b": 2}), "tool_configurations.search.argument_override.a.b"),
    ] {
        let error = owner.post("/v2/agents", &agent(&search(&set))).await?.expect(400)?;
        assert!(error["field_errors"][field].is_string(), "{error}");
    }
    owner.get("/v2/agents/a1").await?.expect(404)?;
    Ok(())
}

#[tokio::test]
async fn whoever_approves_sees_what_will_run_and_agrees_to_nothing_else() -> Result<()> {
    let model = FakeModel::start().await?;
    let approvals = "\n[plugin.calculator]\napprove = \"always\"\napprover = \"client\"\n";
    let server = Server::start(&format!("{}{approvals}", config(&model.base_url))).await?;
    let owner = server.owner();
    let set = json!({"expression": {"$ref": "session.metadata.sum"}});
    let tools = json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate", "argument_override": set}});
    owner.post("/v2/agents", &agent(&tools)).await?.expect(201)?;
    let path = session(&owner, &json!({"sum": "6*7"})).await?;
    for (changed, error) in [(false, false), (true, true)] {
        model.queue([call("calc", json!({})), text("ok")]);
        let paused = owner.post(&format!("{path}/events"), &say(&format!("go {changed}"))).await?.expect(201)?;
        let open = owner.get(&format!("{path}/outstanding_approvals")).await?.expect(200)?;
        assert_eq!(open["approvals"][0]["arguments"], json!({"expression": "6*7"}), "{open}");
        if changed {
            owner.patch(&path, &json!({"metadata": {"sum": "1/0"}})).await?.expect(200)?;
        }
        let decision = json!({"event_id": event(&paused, "tool_input")?["id"], "decision": "approve"});
        let answer =
            owner.post(&format!("{path}/events"), &json!({"type": "tool_approval", "decisions": [decision]})).await?.expect(201)?;
        let output = event(&answer, "tool_output")?;
        assert_eq!(output["error"], error, "{output}");
        assert!(!changed || output.to_string().contains("changed after this call was approved"), "{output}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_gets_the_whole_arguments_and_never_a_secret() -> Result<()> {
    let (_server, model, owner) = start().await?;
    let schema = json!({"type": "object", "required": ["place", "unit"], "additionalProperties": false,
        "properties": {"place": {"type": "string"}, "unit": {"enum": ["m", "ft"]}}});
    let tool = json!({"type": "client", "name": "locate", "description": "Where it is.", "input_schema": schema});
    let id = owner.post("/v2/tools", &tool).await?.expect(201)?["id"].clone();
    let bind = |set: Value| json!({"locate": {"type": "client", "tool_id": id, "argument_override": set}});
    let error = owner.post("/v2/agents", &agent(&bind(json!({"unit": {"$ref": "agent.secrets.x"}})))).await?.expect(400)?;
    assert!(error["field_errors"]["tool_configurations.locate.argument_override"].is_string(), "{error}");
    owner.post("/v2/agents", &agent(&bind(json!({"unit": {"$ref": "session.metadata.unit"}})))).await?.expect(201)?;
    let path = session(&owner, &json!({"unit": "m"})).await?;
    model.queue([call("locate", json!({"place": "Oslo"})), text("ok")]);
    let paused = owner.post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    let shown = &model.requests()[0]["tools"][0]["function"]["parameters"]["properties"];
    assert!(shown.get("unit").is_none() && shown.get("place").is_some(), "{shown}");
    let open = owner.get(&format!("{path}/outstanding_client_tool_calls")).await?.expect(200)?;
    assert_eq!(open["client_tool_calls"][0]["arguments"], json!({"place": "Oslo", "unit": "m"}), "{open}");
    let output = json!({"type": "success", "event_id": event(&paused, "tool_input")?["id"], "output": {"at": 7}});
    let answer = owner.post(&format!("{path}/events"), &json!({"type": "tool_output", "tool_outputs": [output]})).await?.expect(201)?;
    assert_eq!(event(&answer, "tool_output")?["resolved_argument_overrides"], json!({"unit": "m"}));
    Ok(())
}
