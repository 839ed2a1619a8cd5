//! `/v2/tools`.

use anyhow::Result;
use serde_json::Value;
use tests::fake_model::FakeModel;
use tests::server::{Server, config};

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
