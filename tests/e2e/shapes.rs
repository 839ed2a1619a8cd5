//! Components that were not written for Wardian, called by an agent: functions of
//! wit-bindgen's own test components, and a program from the crate registry.
//! `tests/strangers/build functions command` makes them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use tests::fake_model::{FakeModel, call, text};
use tests::server::{Server, config, say, session};

use crate::cli::run;

/// How long compiling may take on a busy machine.
const COMPILED: Duration = Duration::from_secs(120);

const LINES: &str = r#"
[plugin.records]
shape = "functions"
approve = "never"

[plugin.variants]
shape = "functions"
approve = "never"

[plugin.json-small]
shape = "command"

[plugin.json-small.command]
arguments = ["-m"]

[plugin.json-small.tool.json_small]
description = "Writes JSON without white space."
traits = ["read-only", "closed-world"]
"#;

/// A server with the strangers in its plugin directory, and an agent that may call them.
struct Place {
    model: FakeModel,
    server: Server,
    session: String,
    turns: u32,
}

impl Place {
    async fn new(lines: &str) -> Result<Self> {
        let model = FakeModel::start().await?;
        let server = Server::start_in(Arc::new(tempfile::tempdir()?), &format!("{}{lines}", config(&model.base_url)), &[]).await?;
        for (built, name) in [("records", "records"), ("variants", "variants"), ("command", "json-small")] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/strangers/{built}.wasm"));
            let hint =
                format!("no {}; run `host/crates/author/toolchain.sh rust` and `tests/strangers/build functions command`", from.display());
            server.install(name, &std::fs::read(&from).context(hint)?)?;
        }
        Ok(Self { model, server, session: String::new(), turns: 0 })
    }

    /// A plugin, once nothing is being prepared any more.
    async fn settled(&self, name: &str) -> Result<Value> {
        let began = Instant::now();
        loop {
            let found = self.server.owner().get(&format!("/operator/v1/plugins/{name}")).await?;
            if found.status == 200 && found.json()?["state"] != "preparing" {
                return found.json();
            }
            anyhow::ensure!(began.elapsed() < COMPILED, "{name} was not there in time:\n{}", self.server.output());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn bind(&mut self, tools: &[&str]) -> Result<()> {
        let bound =
            tools.iter().map(|tool| ((*tool).replace('-', "_"), json!({"type": "dynamic_vectara", "tool_id": format!("tol_{tool}")})));
        self.session = session(&self.server.owner(), "a1", &Value::Object(bound.collect::<Map<_, _>>())).await?;
        Ok(())
    }

    /// What a call of one tool gives, once the turn was answered.
    async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value> {
        self.turns += 1;
        self.model.queue([call(tool, arguments), text("done")]);
        let answer =
            self.server.owner().post(&format!("{}/events", self.session), &say(&format!("turn {}", self.turns))).await?.expect(201)?;
        let events = answer["events"].as_array().context("events")?;
        Ok(events.iter().find(|event| event["type"] == "tool_output").with_context(|| answer.to_string())?.clone())
    }

    /// The data of an answer that is no object.
    async fn data(&mut self, tool: &str, arguments: Value) -> Result<Value> {
        let output = self.call(tool, arguments).await?;
        assert_eq!(output["error"], false, "{output}");
        Ok(output["tool_output"]["content"][0]["data"].clone())
    }
}

#[tokio::test]
async fn an_agent_calls_functions_and_commands_that_were_not_written_for_it() -> Result<()> {
    let mut place = Place::new(LINES).await?;
    for plugin in ["records", "variants", "json-small"] {
        assert_eq!(place.settled(plugin).await?["state"], "ready");
    }
    let tools =
        ["records_roundtrip_record1", "records_swap_tuple", "variants_roundtrip_result", "variants_variant_casts", "json-small_json_small"];
    place.bind(&tools).await?;
    let record = place.call("records_roundtrip_record1", json!({"a": {"a": 7, "b": ["b"]}})).await?;
    assert_eq!((&record["error"], &record["tool_output"]), (&json!(false), &json!({"a": 7, "b": ["b"]})));
    assert_eq!(place.data("records_swap_tuple", json!({"a": [1, 70_000]})).await?, json!([70_000, 1]));
    assert_eq!(place.data("variants_roundtrip_result", json!({"a": {"ok": 5}})).await?, json!(5.0));
    let failed = place.call("variants_roundtrip_result", json!({"a": {"error": 3.5}})).await?;
    assert_eq!((&failed["error"], &failed["tool_output"]["error"]["reason"]), (&json!(true), &json!("failed")));
    assert_eq!(failed["tool_output"]["error"]["message"], "3");
    let cases = json!([{"a": 1}, {"b": 2.5}, {"b": -3.5}, {"a": "9007199254740993"}, {"a": 5}, {"b": 0.5}]);
    assert_eq!(place.data("variants_variant_casts", json!({"a": cases})).await?, cases);

    let small = place.call("json_small_json_small", json!({"list": [1, 2, {"deep": null}]})).await?;
    assert_eq!((&small["error"], &small["tool_output"]), (&json!(false), &json!({"list": [1, 2, {"deep": null}]})));
    let wrong = place.call("records_swap_tuple", json!({"a": [1]})).await?;
    assert_eq!(wrong["tool_output"]["error"]["reason"], "invalid_arguments");
    Ok(())
}

#[tokio::test]
async fn without_a_line_they_are_refused_and_the_command_line_says_which_one() -> Result<()> {
    let place = Place::new("").await?;
    for (plugin, line) in
        [("records", "shape = \"functions\" in [plugin.records]"), ("json-small", "shape = \"command\" in [plugin.json-small]")]
    {
        let found = place.settled(plugin).await?;
        assert_eq!((&found["state"], &found["shape"]), (&json!("refused"), &json!("native")));
        let shown = run(place.server.home.path(), &["plugins", "inspect", plugin]).await?.out;
        assert!(shown.contains(line), "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn the_command_line_shows_the_tools_of_both_shapes() -> Result<()> {
    let place = Place::new(LINES).await?;
    for (plugin, shape, tool) in [("records", "functions", "swap_tuple"), ("json-small", "command", "json_small")] {
        assert_eq!(place.settled(plugin).await?["state"], "ready");
        let shown = run(place.server.home.path(), &["plugins", "inspect", plugin]).await?.out;
        assert!(shown.contains(shape) && shown.contains(tool), "{shown}");
        let listed = run(place.server.home.path(), &["plugins", "list"]).await?.out;
        assert!(listed.contains(tool), "{listed}");
        assert!(run(place.server.home.path(), &["plugins", "diff", plugin]).await?.ok);
        assert!(run(place.server.home.path(), &["plugins", "accept", plugin, "--yes"]).await?.ok);
    }
    Ok(())
}
