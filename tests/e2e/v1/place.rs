//! The server that the tests of these doors speak to: an agent that calculates and takes
//! notes; notes need somebody's word.

use anyhow::Result;
use serde_json::json;
use tests::client::Client;
use tests::fake_model::FakeModel;
use tests::server::{Server, config};

pub(in crate::v1) struct Place {
    pub(in crate::v1) model: FakeModel,
    pub(in crate::v1) server: Server,
    pub(in crate::v1) config: String,
}

fn gated(base_url: &str, approver: &str) -> String {
    config(base_url)
        + &format!(
            "\n[plugin.notes]\napprove = \"always\"\napprover = \"{approver}\"\n[plugin.notes.tool.note_read]\napprove = \"never\"\n\
             [plugin.notes.store]\nscope = \"session\"\nquota = \"1MiB\"\n"
        )
}

impl Place {
    pub(in crate::v1) async fn new() -> Result<Self> {
        Self::of(|config| config, "client").await
    }

    /// With another configuration, and somebody else who has to agree.
    pub(in crate::v1) async fn of(change: impl Fn(String) -> String, approver: &str) -> Result<Self> {
        let model = FakeModel::start().await?;
        let config = change(gated(&model.base_url, approver));
        let server = Server::start(&config).await?;
        let tool = |id: &str| json!({"type": "dynamic_vectara", "tool_id": id});
        let body = json!({"key": "a1", "name": "a1", "model": {"name": "default"},
            "tool_configurations": {"calc": tool("tol_calculator_calculate"), "write": tool("tol_notes_note_write")},
            "first_step": {"name": "main", "instructions": []}});
        server.owner().post("/v2/agents", &body).await?.expect(201)?;
        Ok(Self { model, server, config })
    }

    pub(in crate::v1) fn owner(&self) -> Client {
        self.server.owner()
    }

    /// The same after `kill -9` and a restart.
    pub(in crate::v1) async fn killed(self) -> Result<Self> {
        let home = self.server.kill().await?;
        let server = Server::start_in(home, &self.config, &[]).await?;
        Ok(Self { server, ..self })
    }
}
