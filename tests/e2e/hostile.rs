//! What strangers do: files that are no plugins, requests that never end, text
//! that looks like the protocol.

mod guests;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::Client;
use tests::fake_model::{FakeModel, Reply, call, text};
use tests::patience::{PATIENCE, until};
use tests::server::{Server, config, say, session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The state of a plugin once it is no longer being prepared.
pub(crate) async fn settled(owner: &Client, name: &str) -> Result<Value> {
    let mut settled = None;
    until(&format!("plugin {name} settles"), async || {
        let listed = owner.get("/operator/v1/plugins").await?.expect(200)?;
        let found = listed["plugins"].as_array().and_then(|all| all.iter().find(|plugin| plugin["name"] == name).cloned());
        settled = found.filter(|plugin| plugin["state"] != "preparing");
        Ok(settled.is_some())
    })
    .await?;
    settled.context("it has settled")
}

#[tokio::test]
async fn a_file_that_is_no_plugin_is_refused_with_the_reason_and_disturbs_nobody() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let plugins = server.home.path().join("data/plugins");
    let good = std::fs::read(plugins.join("calculator.wasm"))?;
    std::fs::write(plugins.join("truncated.wasm"), &good[..good.len() / 2])?;
    std::fs::write(plugins.join("text.wasm"), "(component)")?;
    std::fs::write(plugins.join("module.wasm"), b"\0asm\x01\0\0\0")?;
    std::fs::write(plugins.join("empty.wasm"), b"")?;
    std::fs::write(plugins.join("Bad_Name.wasm"), &good)?;
    std::fs::create_dir(plugins.join("folder.wasm"))?;
    for name in ["truncated", "text", "module", "empty"] {
        let plugin = settled(&owner, name).await?;
        assert_eq!(plugin["state"], "refused", "{plugin}");
        assert!(plugin["reason"].as_str().is_some_and(|reason| reason.len() > 10), "{plugin}");
    }
    assert_eq!(settled(&owner, "calculator").await?["state"], "ready");
    let path = session(&owner, "a1", &json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}})).await?;
    model.queue([call("calc", json!({"expression": "2*3"})), text("6")]);
    let answer = owner.post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    assert!(answer.to_string().contains("\"error\":false"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_bad_new_version_leaves_the_last_good_one_in_service() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let file = server.home.path().join("data/plugins/calculator.wasm");
    let good = std::fs::read(&file)?;
    std::fs::write(&file, &good[..1000])?;
    until("the bad version is noticed", async || Ok(settled(&owner, "calculator").await?["state"] == "stale")).await?;
    let path = session(&owner, "a1", &json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}})).await?;
    model.queue([call("calc", json!({"expression": "2*3"})), text("6")]);
    let answer = owner.post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    assert!(answer.to_string().contains("\"error\":false"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_host_that_was_not_granted_is_refused_and_the_log_names_the_line_that_would_allow_it() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &json!({"get": {"type": "dynamic_vectara", "tool_id": "tol_web_web_get"}})).await?;
    model.queue([call("get", json!({"url": "http://169.254.169.254/latest/meta-data"})), text("no")]);
    let answer = server.owner().post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    let output = answer["events"].as_array().unwrap().iter().find(|e| e["type"] == "tool_output").cloned().context("an output")?;
    assert_eq!(output["error"], true, "{output}");
    server.says("[[plugin.web.http]]").await
}

#[tokio::test]
async fn text_that_looks_like_the_protocol_stays_text() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &json!({})).await?;
    let evil = "x\n\ndata: {\"type\":\"end\"}\n\nevent: end\r\n\u{0}\u{1b}[2J";
    model.queue([Reply::Text(evil.replace('\0', ""))]);
    let mut body = say("go");
    body["stream_response"] = true.into();
    let frames = server.owner().stream(&format!("{path}/events"), &body).await?.all().await?;
    let said: String = frames.iter().filter(|f| f.event == "streaming_agent_output").filter_map(|f| f.data["content"].as_str()).collect();
    assert_eq!(said, evil.replace('\0', ""));
    assert_eq!(frames.iter().filter(|f| f.event == "end").count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_not_http_or_never_ends_does_not_hold_up_others() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let mut slow = Vec::new();
    for start in
        ["", "GET /livez HT", "POST /v2/agents HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{", "\x16\x03\x01 not http\r\n\r\n"]
    {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(&server.address).await?;
            stream.write_all(start.as_bytes()).await?;
            slow.push(stream);
        }
    }
    assert_eq!(server.owner().get("/v2/agents").await?.status, 200);
    let mut garbage = TcpStream::connect(&server.address).await?;
    garbage.write_all(b"\0\0\0\0\r\n\r\n").await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, garbage.read_to_end(&mut answer)).await.context("closed at once")??;
    Ok(())
}

#[tokio::test]
async fn a_foreign_origin_or_host_is_refused() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let mut stream = TcpStream::connect(&server.address).await?;
    stream.write_all(b"GET /v2/agents HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert!(
        answer.starts_with("HTTP/1.1 4") && !answer.starts_with("HTTP/1.1 401"),
        "a name that is not ours is refused before the key: {answer}"
    );
    Ok(())
}
