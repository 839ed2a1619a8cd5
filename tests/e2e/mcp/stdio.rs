//! `wardian mcp`: the same over standard input and output.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::patience::PATIENCE;
use tests::server::{Server, command};
use tokio::io::AsyncWriteExt;

use super::{CALCULATOR, offering};

/// Says this to `wardian mcp`, and no more; what comes back, and what it logs.
async fn say(home: &Path, messages: &str) -> Result<(Vec<Value>, String)> {
    let mut child = command(home)?
        .args(["mcp", "--config", "wardian.toml"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("a standard input")?;
    input.write_all(messages.as_bytes()).await?;
    drop(input);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.context("it does not end with its input")??;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "{log}");
    let lines = String::from_utf8(output.stdout)?;
    let lines = lines.lines().map(|line| serde_json::from_str(line).with_context(|| format!("not of the protocol: {line}")));
    Ok((lines.collect::<Result<_>>()?, log))
}

fn conversation() -> String {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let messages = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": "list", "method": "tools/list"}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call",
            "params": {"name": "calculator__calculate", "arguments": {"expression": "6*7"}, "_meta": {"progressToken": 1}}}),
    ];
    messages.iter().map(|message| format!("{message}\n")).collect::<String>() + "\nnonsense\n"
}

fn check(answers: &[Value]) -> Result<()> {
    let of = |id: Value| answers.iter().find(|answer| answer["id"] == id).with_context(|| format!("no answer to {id}: {answers:?}"));
    assert_eq!(of(json!(1))?["result"]["serverInfo"]["name"], "wardian");
    assert_eq!(of(json!("list"))?["result"]["tools"][0]["name"], "calculator__calculate");
    assert_eq!(of(json!(3))?["result"]["structuredContent"]["result"], "42");
    assert_eq!(of(Value::Null)?["error"]["code"], -32_700);
    assert_eq!(answers.len(), 4, "{answers:?}");
    Ok(())
}

#[tokio::test]
async fn messages_go_to_the_running_server_and_every_answer_comes_before_the_end() -> Result<()> {
    let server = Server::start(&offering(CALCULATOR)).await?;
    let (answers, log) = say(server.home.path(), &conversation()).await?;
    assert_eq!(log, "");
    check(&answers)?;
    server.says("route=\"/mcp\"").await.context("the running server answers")
}

#[tokio::test]
async fn without_a_server_one_is_made_for_as_long_as_the_client_is_there() -> Result<()> {
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join("wardian.toml"), offering(CALCULATOR))?;
    let (answers, _) = say(home.path(), &conversation()).await?;
    check(&answers)?;
    let (answers, _) = say(home.path(), &conversation()).await?;
    check(&answers)
}

#[tokio::test]
async fn a_line_that_is_too_long_is_answered_and_passed_over() -> Result<()> {
    let server = Server::start(&offering(CALCULATOR)).await?;
    let long = format!("{{\"x\":\"{}\"}}\n{}\n", "x".repeat(2 << 20), json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
    let (answers, _) = say(server.home.path(), &long).await?;
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(answers[0]["error"]["message"].as_str().is_some_and(|why| why.contains("1048576 bytes")), "{answers:?}");
    assert_eq!(answers[1]["result"], json!({}));
    Ok(())
}
