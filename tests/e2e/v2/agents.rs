//! `/v2/agents`.

use anyhow::Result;
use serde_json::{Value, json};
use tests::client::Client;
use tests::fake_model::FakeModel;
use tests::server::{Server, config};

async fn start() -> Result<(Server, Client)> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    Ok((server, owner))
}

fn agent(key: &str) -> Value {
    json!({"key": key, "name": format!("Agent {key}"), "model": {"name": "default", "parameters": {"temperature": 0.1}},
        "tool_configurations": {"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}},
        "first_step": {"instructions": [{"type": "inline", "name": "one", "template": "Help.", "template_type": "text"}]}})
}

#[tokio::test]
async fn an_agent_lives_from_create_to_delete() -> Result<()> {
    let (_server, owner) = start().await?;
    let made = owner.post("/v2/agents", &agent("a1")).await?.expect(201)?;
    assert_eq!(made["key"], "a1");
    assert_eq!(made["first_step"]["name"], "first_step");
    assert_eq!(made["first_step_name"], "first_step");
    assert_eq!(made["first_step"]["output_parser"]["type"], "default");
    assert_eq!(made["steps"]["first_step"]["instructions"][0]["template"], "Help.");
    assert_eq!(made["enabled"], true);
    assert_eq!(owner.get("/v2/agents/a1").await?.expect(200)?, made);

    let changed = owner.patch("/v2/agents/a1", &json!({"description": "d", "enabled": false})).await?.expect(200)?;
    assert_eq!((&changed["description"], &changed["enabled"]), (&json!("d"), &json!(false)));
    assert_eq!(changed["model"], made["model"]);
    let cleared = owner.patch("/v2/agents/a1", &json!({"description": null, "tool_configurations": {"calc": null}})).await?.expect(200)?;
    assert!(cleared["description"].is_null());
    assert_eq!(cleared["tool_configurations"], json!({}));

    let put_back = owner.put("/v2/agents/a1", &made).await?.expect(200)?;
    assert_eq!(put_back["tool_configurations"], made["tool_configurations"], "an answer can be put back");
    assert_eq!(put_back["created_at"], made["created_at"]);

    owner.delete("/v2/agents/a1").await?.expect(204)?;
    assert_eq!(owner.get("/v2/agents/a1").await?.expect(404)?["code"], "agent_not_found");
    owner.post("/v2/agents", &agent("a1")).await?.expect(201)?;
    Ok(())
}

#[tokio::test]
async fn a_taken_key_or_name_is_a_conflict_and_changes_nothing() -> Result<()> {
    let (_server, owner) = start().await?;
    owner.post("/v2/agents", &agent("a1")).await?.expect(201)?;
    assert_eq!(owner.post("/v2/agents", &agent("a1")).await?.expect(409)?["code"], "conflict");
    let mut same_name = agent("a2");
    same_name["name"] = "Agent a1".into();
    owner.post("/v2/agents", &same_name).await?.expect(409)?;
    owner.get("/v2/agents/a2").await?.expect(404)?;
    Ok(())
}

#[tokio::test]
async fn what_an_agent_names_must_exist() -> Result<()> {
    let (_server, owner) = start().await?;
    let mut body = agent("a1");
    body["model"]["name"] = "gpt-unheard-of".into();
    let error = owner.post("/v2/agents", &body).await?.expect(400)?;
    assert_eq!(error["code"], "invalid_model_configuration");
    assert!(error["messages"][0].as_str().unwrap().contains("gpt-unheard-of"), "{error}");
    let mut body = agent("a1");
    body["tool_configurations"]["calc"]["tool_id"] = "tol_calculator_conjure".into();
    let error = owner.post("/v2/agents", &body).await?.expect(400)?;
    assert_eq!(error["code"], "invalid_tool_reference");
    assert!(error.to_string().contains("tol_calculator_conjure"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_key_is_made_from_the_name_where_none_is_given() -> Result<()> {
    let (_server, owner) = start().await?;
    let mut body = agent("x");
    body.as_object_mut().unwrap().remove("key");
    body["name"] = "My Own Agent".into();
    let key = owner.post("/v2/agents", &body).await?.expect(201)?["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("agt_my_own_agent_"), "{key}");
    for bad in ["", "has blank", "a/b", &"x".repeat(51)] {
        body["key"] = bad.into();
        assert_eq!(owner.post("/v2/agents", &body).await?.expect(400)?["code"], "invalid_request", "{bad:?}");
    }
    Ok(())
}

#[tokio::test]
async fn lists_page_through_every_agent_once_and_refuse_a_foreign_page_key() -> Result<()> {
    let (_server, owner) = start().await?;
    for i in 0..7 {
        owner.post("/v2/agents", &agent(&format!("a{i}"))).await?.expect(201)?;
    }
    let (mut seen, mut page_key) = (Vec::new(), String::new());
    loop {
        let page = owner.get(&format!("/v2/agents?limit=3{page_key}")).await?.expect(200)?;
        let agents = page["agents"].as_array().unwrap();
        assert!(!agents.is_empty());
        seen.extend(agents.iter().filter_map(|agent| agent["key"].as_str().map(str::to_owned)));
        match page["metadata"]["page_key"].as_str() {
            Some(next) => page_key = format!("&page_key={next}"),
            None => break,
        }
    }
    seen.retain(|key| key.starts_with('a') && key.len() == 2);
    seen.sort();
    assert_eq!(seen, ["a0", "a1", "a2", "a3", "a4", "a5", "a6"]);
    let filtered = owner.get("/v2/agents?filter=Agent%20a3").await?.expect(200)?;
    assert_eq!(filtered["agents"].as_array().unwrap().len(), 1);
    owner.patch("/v2/agents/a5", &json!({"name": "Agent a3 (copy)", "description": "like Agent a3"})).await?.expect(200)?;
    let exact = owner.get("/v2/agents?filter=%5EAgent%20a3%24").await?.expect(200)?;
    assert_eq!(exact["agents"].as_array().unwrap().iter().map(|agent| &agent["key"]).collect::<Vec<_>>(), ["a3"]);
    let quoted = owner.get("/v2/agents?filter=%5EAgent%20a3%20%5C%28copy%5C%29%24").await?.expect(200)?;
    assert_eq!(quoted["agents"][0]["key"], "a5");
    for bad in ["page_key=abc", "page_key=eyJldmVudF9pZCI6ImFldl8xIn0=", "limit=0", "limit=1000", "limit=x", "filter=("] {
        let error = owner.get(&format!("/v2/agents?{bad}")).await?.expect(400)?;
        let field = bad.split('=').next().unwrap();
        assert!(error["field_errors"][field].is_string(), "{bad}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn roles_decide_and_another_tenants_agent_looks_like_none() -> Result<()> {
    let (server, owner) = start().await?;
    owner.post("/v2/agents", &agent("a1")).await?.expect(201)?;
    let key = async |body: Value| -> Result<Client> {
        let made = owner.post("/operator/v1/keys", &body).await?.expect(201)?;
        Ok(owner.with_key(made["key"].as_str()))
    };
    owner.post("/operator/v1/tenants", &json!({"name": "other"})).await?.expect(201)?;
    let user = key(json!({"role": "agent_user", "agents": ["a1"]})).await?;
    let viewer = key(json!({"role": "agent_viewer"})).await?;
    let stranger = key(json!({"tenant": "other", "role": "agent_administrator"})).await?;

    assert_eq!(user.get("/v2/agents/a1").await?.expect(403)?["code"], "forbidden");
    let session = user.post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?["key"].as_str().unwrap().to_owned();
    user.get(&format!("/v2/agents/a1/sessions/{session}")).await?.expect(200)?;
    user.get("/v2/agents/a1/sessions").await?.expect(403)?;
    user.get(&format!("/v2/agents/a1/sessions/{session}/events")).await?.expect(403)?;
    user.post("/v2/agents/agt_customer_support/sessions", &json!({})).await?.expect(404)?;

    viewer.get("/v2/agents/a1").await?.expect(200)?;
    viewer.post("/v2/agents", &agent("a2")).await?.expect(403)?;
    viewer.delete("/v2/agents/a1").await?.expect(403)?;
    viewer.get("/operator/v1/keys").await?.expect(403)?;

    let foreign = stranger.get("/v2/agents/a1").await?.expect(404)?;
    let missing = stranger.get("/v2/agents/a9").await?.expect(404)?;
    assert_eq!(foreign["code"], missing["code"]);
    stranger.post("/v2/agents", &agent("a1")).await?.expect(400)?;
    drop(server);
    Ok(())
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_clears_what_may_be_empty() -> Result<()> {
    let (_server, owner) = start().await?;
    let mut body = agent("a1");
    (body["description"], body["metadata"], body["enabled"]) = (json!("d"), json!({"a": 1}), json!(false));
    let made = owner.post("/v2/agents", &body).await?.expect(201)?;
    let nothing = json!({"first_step": null, "first_step_name": null, "steps": null, "key": "other"});
    let mut same = owner.patch("/v2/agents/a1", &nothing).await?.expect(200)?;
    same["updated_at"] = made["updated_at"].clone();
    assert_eq!(same, made);
    let nulls = json!({"description": null, "metadata": null, "enabled": null, "tool_configurations": null});
    let cleared = owner.patch("/v2/agents/a1", &nulls).await?.expect(200)?;
    assert_eq!((&cleared["metadata"], &cleared["enabled"], &cleared["tool_configurations"]), (&json!({}), &json!(true), &json!({})));
    assert!(cleared.get("description").is_none());
    for (patch, field) in [
        (json!({"name": null}), "name"),
        (json!({"model": null}), "model"),
        (json!({"steps": {"first_step": null}}), "first_step_name"),
        (json!({"first_step": {"allowed_tools": ["nope"]}}), "steps.first_step.allowed_tools"),
        (json!({"first_step": {"instructions": [{"name": "x", "template": "#set($a = 1)"}]}}), "steps.first_step.instructions[0].template"),
    ] {
        let error = owner.patch("/v2/agents/a1", &patch).await?.expect(400)?;
        assert!(error["field_errors"][field].is_string(), "{patch}: {error}");
    }
    let parser = json!({"type": "structured", "json_schema": {"name": "x", "strict": false, "schema": {"type": "object"}}});
    let changed = owner.patch("/v2/agents/a1", &json!({"first_step": {"name": "main", "output_parser": parser}})).await?.expect(200)?;
    assert_eq!((&changed["first_step_name"], &changed["first_step"]["output_parser"]), (&json!("main"), &parser));
    assert_eq!(
        (&changed["steps"]["main"]["output_parser"], &changed["steps"]["main"]["instructions"]),
        (&parser, &made["first_step"]["instructions"])
    );
    let back =
        owner.patch("/v2/agents/a1", &json!({"steps": {"main": {"output_parser": null, "instructions": null}}})).await?.expect(200)?;
    assert_eq!((&back["first_step"]["output_parser"]["type"], &back["first_step"]["instructions"]), (&json!("default"), &json!([])));
    Ok(())
}

#[tokio::test]
async fn a_conflict_on_a_change_says_what_is_taken() -> Result<()> {
    let (_server, owner) = start().await?;
    owner.post("/v2/agents", &agent("a1")).await?.expect(201)?;
    owner.post("/v2/agents", &agent("a2")).await?.expect(201)?;
    for error in [
        owner.patch("/v2/agents/a2", &json!({"name": "Agent a1"})).await?.expect(409)?,
        owner.put("/v2/agents/a2", &agent("a1")).await?.expect(409)?,
    ] {
        let why = error["messages"][0].as_str().unwrap_or_default();
        assert!(why.contains("name `Agent a1`"), "{error}");
    }
    assert_eq!(owner.get("/v2/agents/a2").await?.expect(200)?["name"], "Agent a2");
    Ok(())
}

#[tokio::test]
async fn a_filter_finds_a_name_that_is_no_pattern_for_itself() -> Result<()> {
    let (_server, owner) = start().await?;
    let mut body = agent("a1");
    body["name"] = "What? (v1.0)".into();
    owner.post("/v2/agents", &body).await?.expect(201)?;
    let found = owner.get("/v2/agents?filter=What%3F%20%28v1.0%29").await?.expect(200)?;
    assert_eq!(found["agents"].as_array().map(Vec::len), Some(1), "{found}");
    Ok(())
}

#[tokio::test]
async fn an_identity_has_all_its_members_and_roles_are_kept_in_manual_alone() -> Result<()> {
    let (_server, owner) = start().await?;
    owner.post("/v2/agents", &agent("a1")).await?.expect(201)?;
    let path = "/v2/agents/a1/identity";
    let first = owner.get(path).await?.expect(200)?;
    assert_eq!(
        (&first["mode"], &first["api_roles"], &first["corpus_roles"], &first["agent_roles"]),
        (&json!("auto"), &json!([]), &json!([]), &json!([]))
    );
    let auto = owner.patch(path, &json!({"api_roles": ["agent_user"], "client_id": "mine"})).await?.expect(200)?;
    assert_eq!(auto, first);
    let manual = json!({"mode": "manual", "api_roles": ["agent_user"], "agent_roles": [{"agent_key": "a1", "role": "agent_viewer"}]});
    let manual = owner.patch(path, &manual).await?.expect(200)?;
    assert_eq!(
        (&manual["mode"], &manual["api_roles"], &manual["client_id"]),
        (&json!("manual"), &json!(["agent_user"]), &first["client_id"])
    );
    assert!(owner.patch(path, &json!({"api_roles": ["king"]})).await?.expect(400)?["field_errors"]["api_roles"].is_string());
    owner.put("/v2/agents/a1", &agent("a1")).await?.expect(200)?;
    assert_eq!(owner.get(path).await?.expect(200)?, manual, "replacing the agent leaves it");
    owner.get("/v2/agents/nobody/identity").await?.expect(404)?;
    Ok(())
}

#[tokio::test]
async fn a_template_is_rendered_with_what_the_conversation_is_about() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let mut body = agent("a1");
    body["metadata"] = json!({"team": "widgets"});
    let template = "You are $agent.name of $agent.metadata.team, for $session.metadata.who. Tools:\n#foreach($tool in $tools)\n* $tool.name\n#end\n#if($session.metadata.vip)Be quick.#end";
    body["first_step"]["instructions"][0] = json!({"name": "one", "template": template});
    owner.post("/v2/agents", &body).await?.expect(201)?;
    owner.post("/v2/agents/a1/sessions", &json!({"key": "s", "metadata": {"who": "Bo", "vip": true}})).await?.expect(201)?;
    model.queue([tests::fake_model::text("ok")]);
    owner.post("/v2/agents/a1/sessions/s/events", &tests::server::say("go")).await?.expect(201)?;
    let system = &model.requests()[0]["messages"][0]["content"];
    assert_eq!(system, "You are Agent a1 of widgets, for Bo. Tools:\n* calc\nBe quick.");
    body["key"] = "a2".into();
    body["name"] = "A2".into();
    body["first_step"]["instructions"][0]["template"] = "#foreach($tool in $tools) no end".into();
    assert_eq!(owner.post("/v2/agents", &body).await?.expect(400)?["code"], "invalid_template");
    Ok(())
}
