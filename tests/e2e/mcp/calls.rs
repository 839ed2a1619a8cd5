//! Calls: every bundled tool, exact text on both ways, progress, and the line in the audit log.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::types;
use tests::server::Server;

use super::{CALCULATOR, Site, call, called, listed, offering, post, text};

/// Every bundled plugin, offered over MCP as narrowly as it still works.
fn everything(site: &Site) -> String {
    let bare: String = ["datetime", "json"].map(|name| format!("[plugin.{name}]\nagents = [\"*\", \"mcp\"]\n")).concat();
    let notes = "[plugin.notes]\nagents = [\"*\", \"mcp\"]\napprove = \"never\"\n[plugin.notes.store]\nscope = \"agent\"\n";
    let knowledge = "[plugin.knowledge]\nagents = [\"*\", \"mcp\"]\n[plugin.knowledge.cache]\n\
        [[plugin.knowledge.files]]\nhost = \"data/knowledge\"\nguest = \"knowledge\"\naccess = \"read\"\n";
    offering(&format!("{}{CALCULATOR}{bare}{notes}{knowledge}", site.grant()))
}

#[tokio::test]
async fn every_bundled_tool_answers() -> Result<()> {
    let site = Site::start(false).await?;
    let server = Server::start(&everything(&site)).await?;
    let owner = server.owner();
    let calls = [
        ("calculator__calculate", json!({"expression": "2^10"}), "1024"),
        ("datetime__time_now", json!({"zone": "Europe/Oslo"}), "Europe/Oslo"),
        ("datetime__time_convert", json!({"time": "2026-01-01T12:00:00Z", "to": "Asia/Tokyo"}), "21:00"),
        ("datetime__time_difference", json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z"}), "2"),
        ("datetime__time_add", json!({"time": "2026-01-01T00:00:00Z", "duration": "1 day"}), "2026-01-02"),
        ("json__json_query", json!({"json": {"a": [1, 2, 3]}, "query": ".a | add"}), "6"),
        ("knowledge__knowledge_base_search", json!({"query": "widget installation"}), "Widget Installation Guide"),
        ("notes__note_write", json!({"key": "color", "text": "blue"}), "color"),
        ("notes__note_list", json!({}), "color"),
        ("notes__note_read", json!({"key": "color"}), "blue"),
        ("notes__note_delete", json!({"key": "color"}), "color"),
        ("web__web_get", json!({"url": site.url()}), "hello"),
    ];
    let mut names: Vec<String> = calls.iter().map(|(name, ..)| (*name).to_owned()).collect();
    names.sort();
    assert_eq!(listed(&owner).await?, names);
    for (tool, arguments, said) in &calls {
        let result = called(&owner, tool, arguments).await?;
        assert_eq!(result["isError"], false, "{tool}: {result}");
        assert!(result.to_string().contains(said), "{tool}: {result}");
        assert_eq!(serde_json::from_str::<Value>(text(&result))?, result["structuredContent"], "{tool}");
    }
    let wrong = called(&owner, "calculator__calculate", &json!({"expr": "1"})).await?;
    assert!(wrong["isError"] == true && text(&wrong).starts_with("invalid_arguments: "), "{wrong}");
    let failed = called(&owner, "calculator__calculate", &json!({"expression": "1 +"})).await?;
    assert!(failed["isError"] == true && text(&failed).starts_with("invalid_input: "), "{failed}");
    let odd = post(&owner, &[], &call("calculator__calculate", &json!([1])).to_string()).await?.expect(200)?;
    assert_eq!(odd["error"]["code"], -32_602);
    Ok(())
}

#[tokio::test]
async fn numbers_stay_as_they_were_written() -> Result<()> {
    let server = Server::start(&offering("[plugin.json]\nagents = [\"mcp\"]\n")).await?;
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"json__json_query",
        "arguments":{"json":{"n": 123456789012345678901234567890},"query":".n"}}}"#;
    let answer = post(&server.owner(), &[], message).await?;
    let body = String::from_utf8(answer.body.to_vec())?;
    assert!(body.contains("123456789012345678901234567890") && body.is_ascii(), "{body}");
    Ok(())
}

#[tokio::test]
async fn who_reads_streams_is_told_how_far_a_call_is_and_then_its_result() -> Result<()> {
    let site = Site::start(false).await?;
    let server = Server::start(&everything(&site)).await?;
    // The index is made anew where a file came: that is what takes its time.
    std::fs::write(server.home.path().join("data/knowledge/zanzibar.md"), "# Zanzibar\n\nThe frobnicator is blue.\n")?;
    let mut message = call("knowledge__knowledge_base_search", &json!({"query": "frobnicator"}));
    message["params"]["_meta"] = json!({"progressToken": "far"});
    let mut stream = server.owner().stream_with("/mcp", &[("accept", "application/json, text/event-stream")], &message).await?;
    assert_eq!((stream.status.as_u16(), &stream.headers["content-type"]), (200, &http::HeaderValue::from_static("text/event-stream")));
    let frames = stream.all().await?;
    assert!(types(&frames).iter().all(|kind| *kind == "message"), "{frames:?}");
    let (last, signs) = frames.split_last().context("frames")?;
    assert!(last.data["result"]["isError"] == false && last.raw.contains("frobnicator is blue"), "{last:?}");
    assert!(!signs.is_empty(), "{frames:?}");
    for sign in signs {
        assert_eq!((&sign.data["method"], &sign.data["params"]["progressToken"]), (&json!("notifications/progress"), &json!("far")));
        assert!(sign.data["params"]["progress"].as_f64() > Some(0.0) && sign.data["params"]["message"].is_string(), "{sign:?}");
    }
    // Without a stream the result comes in one piece.
    let whole = server.owner().post("/mcp", &message).await?;
    assert_eq!(whole.headers["content-type"], "application/json");
    assert_eq!(whole.expect(200)?["result"]["isError"], false);
    Ok(())
}

#[tokio::test]
async fn a_call_leaves_its_events_and_its_line_in_the_audit_log() -> Result<()> {
    let server = Server::start(&offering(CALCULATOR)).await?;
    let owner = server.owner();
    called(&owner, "calculator__calculate", &json!({"expression": "6 * 7"})).await?;
    called(&owner, "calculator__calculate", &json!({"nothing": 1})).await?;
    let sessions = owner.get("/v2/agents/mcp/sessions").await?.expect(200)?;
    assert_eq!(sessions["sessions"], json!([]), "nobody looks for them by name");
    let (home, _) = server.stop().await?;
    let log = std::fs::read_to_string(home.path().join("data/audit/audit.jsonl"))?;
    let lines: Vec<Value> = log.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let calls: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "call").collect();
    let ends: Vec<&str> = calls.iter().filter_map(|line| line["end"].as_str()).collect();
    assert_eq!(ends, ["done", "invalid_arguments"]);
    for line in calls {
        assert_eq!((&line["tenant"], &line["agent"], &line["plugin"]), (&"default".into(), &"mcp".into(), &"calculator".into()));
    }
    assert!(!log.contains("6 * 7"), "values stay out of the log");
    Ok(())
}
