//! `/v2/openapi.json`.

use anyhow::Result;
use tests::fake_model::FakeModel;
use tests::server::{Server, config};

#[tokio::test]
async fn the_served_document_names_every_route_that_answers() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let document = server.owner().get("/v2/openapi.json").await?.expect(200)?;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let paths = document["paths"].as_object().unwrap();
    let wanted = [
        ("/v2/agents", "post"),
        ("/v2/agents", "get"),
        ("/v2/agents/{agent_key}", "patch"),
        ("/v2/agents/{agent_key}", "put"),
        ("/v2/agents/{agent_key}", "delete"),
        ("/v2/agents/{agent_key}/sessions", "post"),
        ("/v2/agents/{agent_key}/sessions/{session_key}", "patch"),
        ("/v2/agents/{agent_key}/sessions/{session_key}/events", "post"),
        ("/v2/agents/{agent_key}/sessions/{session_key}/events", "get"),
        ("/v2/agents/{agent_key}/sessions/{session_key}/events/{event_id}", "get"),
        ("/v2/tools", "get"),
        ("/v2/tools/{tool_id}", "get"),
    ];
    for (path, method) in wanted {
        let operation = &paths.get(path).unwrap_or_else(|| panic!("{path} is missing"))[method];
        assert!(operation["responses"].is_object(), "{method} {path}");
    }
    Ok(())
}
