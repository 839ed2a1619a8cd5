//! Pages of other origins: closed unless the operator names them, and never open to what is the operator's.

use anyhow::Result;
use bytes::Bytes;
use http::Method;
use serde_json::json;
use tests::client::Answer;
use tests::fake_model::FakeModel;
use tests::server::{Server, config};

const APP: &str = "https://app.example";

async fn start(cors: &str) -> Result<(Server, FakeModel)> {
    let model = FakeModel::start().await?;
    let config = config(&model.base_url).replacen("[server]\n", &format!("[server]\n{cors}\n"), 1);
    Ok((Server::start(&config).await?, model))
}

async fn ask(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    server.owner().send(method, path, headers, Bytes::new()).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).and_then(|value| value.to_str().ok())
}

const PREFLIGHT: [(&str, &str); 3] =
    [("origin", APP), ("access-control-request-method", "POST"), ("access-control-request-headers", "authorization,x-tcb-source")];

#[tokio::test]
async fn no_page_of_another_origin_is_let_in_by_default() -> Result<()> {
    let (server, _model) = start("").await?;
    for method in [Method::OPTIONS, Method::GET] {
        let refused = ask(&server, method, "/v1/aibot/bots", &PREFLIGHT).await?;
        assert_eq!((refused.status.as_u16(), header(&refused, "access-control-allow-origin")), (403, None));
        assert_eq!(refused.json()?["code"], "ACTION_FORBIDDEN");
    }
    let without = ask(&server, Method::GET, "/v1/aibot/bots", &[]).await?;
    assert_eq!((without.status.as_u16(), header(&without, "vary")), (200, None));
    Ok(())
}

#[tokio::test]
async fn a_page_that_was_named_may_ask_and_read_and_others_may_not() -> Result<()> {
    let (server, _model) = start(&format!("cors = [\"{APP}\", \"http://localhost:3000\"]")).await?;
    let nobody = server.owner().with_key(None);
    let preflight = nobody.send(Method::OPTIONS, "/v1/aibot/bots/x/send-message", &PREFLIGHT, Bytes::new()).await?;
    assert_eq!((preflight.status.as_u16(), preflight.body.len()), (204, 0), "no key is needed to ask");
    assert_eq!(header(&preflight, "access-control-allow-origin"), Some(APP));
    assert_eq!(header(&preflight, "access-control-allow-headers"), Some("authorization,x-tcb-source"));
    assert_eq!(header(&preflight, "access-control-max-age"), Some("600"));

    let from_app = [("origin", APP)];
    for (path, status) in [("/v1/aibot/bots", 200), ("/v2/agents", 200), ("/v1/aibot/bots/nope", 404)] {
        let answer = ask(&server, Method::GET, path, &from_app).await?;
        assert_eq!((answer.status.as_u16(), header(&answer, "access-control-allow-origin")), (status, Some(APP)), "{path}");
        let exposed = header(&answer, "access-control-expose-headers").unwrap_or_default();
        assert!(["X-Request-Id", "X-Conversation-Id", "Retry-After"].iter().all(|name| exposed.contains(name)), "{path}: {exposed}");
        assert_eq!(header(&answer, "vary"), Some("Origin"), "{path}");
    }
    let unknown = nobody.send(Method::GET, "/v1/aibot/bots", &from_app, Bytes::new()).await?;
    assert_eq!((unknown.status.as_u16(), header(&unknown, "access-control-allow-origin")), (401, Some(APP)), "a page may read why");

    for origin in ["https://evil.example", "https://app.example.evil", "http://app.example", "null"] {
        let refused = ask(&server, Method::GET, "/v1/aibot/bots", &[("origin", origin)]).await?;
        assert_eq!((refused.status.as_u16(), header(&refused, "access-control-allow-origin")), (403, None), "{origin}");
    }
    for path in ["/operator/v1/keys", "/metrics"] {
        let refused = ask(&server, Method::GET, path, &from_app).await?;
        assert_eq!((refused.status.as_u16(), header(&refused, "access-control-allow-origin")), (403, None), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn every_page_may_be_let_in_on_purpose() -> Result<()> {
    let (server, model) = start("cors = [\"*\"]").await?;
    model.always(tests::fake_model::text("Hello."));
    let agent = json!({"key": "a1", "name": "a1", "model": {"name": "default"}, "first_step": {"name": "main", "instructions": []}});
    server.owner().post("/v2/agents", &agent).await?.expect(201)?;
    let headers = [("origin", "https://anywhere.example"), ("content-type", "application/json")];
    let body = json!({"conversationId": "c", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let answer = server.owner().send(Method::POST, "/v1/aibot/bots/a1/send-message", &headers, body.into()).await?;
    assert_eq!((answer.status.as_u16(), header(&answer, "access-control-allow-origin")), (200, Some("*")));
    assert_eq!(header(&answer, "x-conversation-id"), Some("c"));
    let refused = ask(&server, Method::GET, "/operator/v1/keys", &headers[..1]).await?;
    assert_eq!(refused.status, 403);
    Ok(())
}
