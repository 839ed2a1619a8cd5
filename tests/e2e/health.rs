//! `/livez`, `/readyz`, `/metrics`, and what stands around every route.

use anyhow::Result;
use http::Method;
use serde_json::json;
use tests::fake_model::{FakeModel, text};
use tests::server::{Server, config, config_with_rate, say};

#[tokio::test]
async fn health_needs_no_key_and_metrics_need_the_owners() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let nobody = owner.with_key(None);
    assert_eq!(nobody.get("/livez").await?.status, 200);
    // It asks without a key.
    server.ready().await?;
    assert_eq!(nobody.get("/metrics").await?.status, 401);
    model.queue([text("hello")]);
    owner.post("/v2/agents/assistant/sessions", &json!({"key": "s"})).await?.expect(201)?;
    owner.post("/v2/agents/assistant/sessions/s/events", &say("hi")).await?.expect(201)?;
    let metrics = owner.get("/metrics").await?;
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(text.contains("wardian_turns_total{how=\"answered\"} 1"), "{text}");
    assert!(text.contains("wardian_model_call_seconds"), "{text}");
    assert!(text.contains("/v2/agents/{agent_key}/sessions/{session_key}/events"), "{text}");
    Ok(())
}

#[tokio::test]
async fn every_refusal_has_the_one_body_shape_and_a_request_id() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let (json_type, text_type) = ("application/json", "text/plain");
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    let cases = [
        (Method::GET, "/v2/nothing", json_type, String::new(), 404),
        (Method::GET, "/v2/corpora", json_type, String::new(), 404),
        (Method::PUT, "/v2/agents", json_type, "{}".into(), 405),
        (Method::POST, "/v2/agents", json_type, "{\"name\":".into(), 400),
        (Method::POST, "/v2/agents", json_type, "[1]".into(), 400),
        (Method::POST, "/v2/agents", json_type, deep, 400),
        (Method::POST, "/v2/agents", json_type, "{\"name\":\"a\\u0000\"}".into(), 400),
        (Method::POST, "/v2/agents", text_type, "{}".into(), 415),
        (Method::POST, "/v2/agents", json_type, format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20)), 413),
    ];
    for (method, path, content_type, body, status) in cases {
        let answer = owner.send(method.clone(), path, &[("content-type", content_type)], body.into()).await?;
        let error = answer.expect(status)?;
        assert!(error["messages"].as_array().is_some_and(|m| !m.is_empty()), "{method} {path}: {error}");
        assert_eq!(error["request_id"].as_str(), answer.headers.get("x-request-id").and_then(|id| id.to_str().ok()));
        assert!(error["code"].is_string(), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_back() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config_with_rate(&model.base_url, "5/min")).await?;
    let owner = server.owner();
    for i in 0..40 {
        let answer = owner.get("/v2/agents").await?;
        if answer.status == 429 {
            assert!(answer.headers["retry-after"].to_str()?.parse::<u64>()? >= 1);
            assert_eq!(answer.json()?["code"], "rate_limit_exceeded");
            assert!(i >= 5, "the sixth request at the earliest");
            return Ok(());
        }
    }
    panic!("40 requests in a moment passed a limit of 5 a minute");
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let made = owner.post("/operator/v1/keys", &json!({"role": "agent_viewer"})).await?.expect(201)?;
    let viewer = owner.with_key(made["key"].as_str());
    viewer.get("/v2/agents").await?.expect(200)?;
    owner.delete(&format!("/operator/v1/keys/{}", made["id"].as_str().unwrap_or_default())).await?.expect(204)?;
    let mut last = 0;
    for _ in 0..50 {
        last = viewer.get("/v2/agents").await?.status.as_u16();
        if last == 401 {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
    panic!("two seconds after it was revoked the key still answers {last}");
}

#[tokio::test]
async fn a_stop_ends_open_streams_and_the_process_exits_cleanly() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    owner.post("/v2/agents/assistant/sessions", &json!({"key": "s"})).await?.expect(201)?;
    model.queue([tests::fake_model::Reply::Hang]);
    let mut body = say("hi");
    body["stream_response"] = true.into();
    let mut stream = owner.stream("/v2/agents/assistant/sessions/s/events", &body).await?;
    stream.until("input_message").await?;
    let (stopped, rest) = tokio::join!(server.stop(), stream.all());
    assert!(stopped?.1.success());
    assert!(rest.is_ok(), "the stream ended in the middle of a frame: {rest:?}");
    Ok(())
}
