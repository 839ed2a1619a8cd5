//! `/v2/tools`.

use anyhow::Result;
use serde_json::{Value, json};
use tests::fake_model::{FakeModel, Reply, text};
use tests::server::{Server, config, say, session};

#[tokio::test]
async fn every_bundled_tool_is_listed_with_its_schema() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let listed = owner.get("/v2/tools?limit=100").await?.expect(200)?;
    let tools = listed["tools"].as_array().unwrap();
    let ids: Vec<&str> = tools.iter().filter_map(|tool| tool["id"].as_str()).collect();
    for id in ["tol_knowledge_knowledge_base_search", "tol_calculator_calculate", "tol_web_web_get", "tol_json_json_query"] {
        assert!(ids.contains(&id), "{id} is not among {ids:?}");
    }
    for tool in tools {
        assert_eq!(tool["type"], "dynamic_vectara");
        assert_eq!(tool["input_schema"]["type"], "object", "{tool}");
        assert!(tool["enabled"].is_boolean() && tool["name"].is_string() && tool["description"].is_string(), "{tool}");
        assert!(tool["output_schema"].is_object(), "{tool}");
    }
    let one = owner.get("/v2/tools/tol_calculator_calculate").await?.expect(200)?;
    assert_eq!(one["name"], "calculate");
    assert_eq!(owner.get("/v2/tools/tol_calculator_x").await?.expect(404)?["code"], "tool_not_found");
    let filtered = owner.get("/v2/tools?filter=calculate").await?.expect(200)?;
    assert!(filtered["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["name"] == "calculate")));
    assert!(listed["metadata"].get("page_key").is_none_or(Value::is_null));
    Ok(())
}

#[tokio::test]
async fn arguments_in_which_a_member_stands_twice_are_refused_and_the_model_is_told() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let path = session(&owner, "a1", &json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}})).await?;
    let doubled = r#"{"expression": "1+1", "expression": "2+2"}"#;
    model.queue([Reply::Calls(vec![("calc".into(), doubled.into())]), text("I see")]);
    let answer = owner.post(&format!("{path}/events"), &say("compute")).await?.expect(201)?;
    let output = &answer["events"][2];
    assert_eq!((&output["type"], &output["error"]), (&json!("tool_output"), &json!(true)), "{answer}");
    assert_eq!(output["tool_output"]["error"]["reason"], "invalid_arguments");
    assert!(output["tool_output"]["error"]["message"].as_str().is_some_and(|why| why.contains("stands twice")), "{output}");
    assert!(model.requests()[1].to_string().contains("stands twice"), "the model can do better next time");
    Ok(())
}
