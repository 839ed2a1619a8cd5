//! `/mcp` and `wardian mcp`: what is offered, and that a call over them is a call like any other.

mod approvals;
mod calls;
mod leaving;
mod stdio;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::server::{OWNER, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A configuration with these plugins' entries.
fn offering(plugins: &str) -> String {
    format!("data = \"data\"\n[server]\nrate = \"1000000/min\"\n[models.default]\nprovider = \"offline\"\n{plugins}")
}

/// A call of a tool.
fn call(tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// Posts a message and answers with what came back, whatever it is.
async fn post(client: &Client, headers: &[(&str, &str)], message: &str) -> Result<Answer> {
    let headers: Vec<_> = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")]
        .into_iter()
        .chain(headers.iter().copied())
        .collect();
    client.send(Method::POST, "/mcp", &headers, Bytes::from(message.to_owned())).await
}

/// The answer to a request.
async fn ask(client: &Client, message: &Value) -> Result<Value> {
    post(client, &[], &message.to_string()).await?.expect(200)
}

/// The result of a call, errors of the tool included.
async fn called(client: &Client, tool: &str, arguments: &Value) -> Result<Value> {
    let answer = ask(client, &call(tool, arguments)).await?;
    answer.get("result").cloned().with_context(|| format!("{tool}: {answer}"))
}

/// What a result says first.
fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

/// The names of the tools that are listed.
async fn listed(client: &Client) -> Result<Vec<String>> {
    let answer = ask(client, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await?;
    let tools = answer["result"]["tools"].as_array().with_context(|| answer.to_string())?;
    Ok(tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect())
}

/// A web server that says hello, or, where it is slow, nothing at all for as long as anybody listens.
struct Site {
    port: u16,
    came: Arc<AtomicU32>,
    left: Arc<AtomicU32>,
}

impl Site {
    async fn start(slow: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (came, left) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let (coming, leaving) = (came.clone(), left.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (came, left) = (coming.clone(), leaving.clone());
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    came.fetch_add(1, Ordering::SeqCst);
                    if !slow {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";
                        let _ = stream.write_all(answer).await;
                    }
                    while matches!(stream.read(&mut request).await, Ok(bytes) if bytes > 0) {}
                    left.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Self { port, came, left })
    }

    /// The lines that let the web plugin read it, also over MCP.
    fn grant(&self) -> String {
        format!(
            "[network]\nprivate = [\"127.0.0.0/8\"]\n[plugin.web]\nagents = [\"*\", \"mcp\"]\napprove = \"never\"\n\
             [[plugin.web.http]]\nhost = \"127.0.0.1\"\nscheme = \"http\"\nport = {}\n",
            self.port
        )
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    fn came(&self) -> u32 {
        self.came.load(Ordering::SeqCst)
    }

    fn left(&self) -> u32 {
        self.left.load(Ordering::SeqCst)
    }
}

const CALCULATOR: &str = "[plugin.calculator]\nagents = [\"*\", \"mcp\"]\n";

#[tokio::test]
async fn what_is_no_message_of_a_caller_is_refused_before_anything_is_done() -> Result<()> {
    let server = Server::start(&offering(CALCULATOR)).await?;
    let (owner, ping) = (server.owner(), r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert_eq!(post(&owner, &[], ping).await?.expect(200)?, json!({"jsonrpc": "2.0", "id": 1, "result": {}}));

    let nobody = post(&owner.with_key(None), &[], ping).await?;
    assert_eq!(nobody.headers["www-authenticate"], "Bearer");
    assert_eq!(nobody.expect(401)?["error"]["data"]["code"], "unauthorized");
    post(&owner.with_key(Some("wrong")), &[], ping).await?.expect(401)?;
    let bearer = format!("Bearer {OWNER}");
    post(&owner.with_key(None), &[("authorization", &bearer)], ping).await?.expect(200)?;

    post(&owner, &[("origin", "https://evil.example")], ping).await?.expect(403)?;
    post(&owner, &[("mcp-protocol-version", "2024-11-05")], ping).await?.expect(400)?;
    post(&owner, &[("mcp-session-id", &"x".repeat(1_000))], ping).await?.expect(400)?;
    for (message, code) in [("{", -32_700), ("[]", -32_600), (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32_600)] {
        let refused = post(&owner, &[], message).await?.expect(400)?;
        assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(code), &Value::Null), "{message}");
    }
    owner.send(Method::POST, "/mcp", &[("content-type", "text/plain")], Bytes::from(ping)).await?.expect(415)?;
    post(&owner, &[], &" ".repeat(2 << 20)).await?.expect(413)?;
    for method in [Method::GET, Method::DELETE] {
        let answer = owner.send(method, "/mcp", &[("accept", "text/event-stream")], Bytes::new()).await?;
        assert_eq!((answer.status.as_u16(), &answer.headers["allow"]), (405, &http::HeaderValue::from_static("POST")));
    }

    let unknown = ask(&owner, &json!({"jsonrpc": "2.0", "id": "a", "method": "resources/list"})).await?;
    assert_eq!((&unknown["error"]["code"], &unknown["id"]), (&json!(-32_601), &json!("a")));
    let notified = post(&owner, &[], r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
    assert_eq!((notified.status.as_u16(), notified.body.len()), (202, 0));
    Ok(())
}

#[tokio::test]
async fn the_handshake_agrees_on_a_revision_and_says_what_would_offer_tools() -> Result<()> {
    let hello = |version: &str| {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string()
    };
    let server = Server::start(&offering("")).await?;
    for (wanted, agreed) in
        [("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("1999-01-01", "2025-11-25")]
    {
        let answer = post(&server.owner(), &[], &hello(wanted)).await?;
        assert!(answer.headers.contains_key("mcp-session-id"));
        let result = answer.expect(200)?["result"].clone();
        assert_eq!((&result["protocolVersion"], &result["serverInfo"]["name"]), (&json!(agreed), &json!("wardian")));
        assert!(result["instructions"].as_str().is_some_and(|said| said.contains("agents = [\"*\", \"mcp\"]")), "{result}");
    }
    let (home, _) = server.stop().await?;
    let server = Server::start_in(home, &offering(CALCULATOR), &[]).await?;
    let result = post(&server.owner(), &[], &hello("2025-11-25")).await?.expect(200)?["result"].clone();
    assert!(result.get("instructions").is_none() && result["capabilities"]["tools"].is_object(), "{result}");
    Ok(())
}

#[tokio::test]
async fn only_what_the_operator_named_for_mcp_is_there() -> Result<()> {
    let others = "[plugin.datetime]\n[plugin.json]\nagents = [\"*\"]\n";
    let server = Server::start(&offering(&format!("{CALCULATOR}{others}"))).await?;
    let owner = server.owner();
    assert_eq!(listed(&owner).await?, ["calculator__calculate"]);
    for hidden in ["datetime__time_now", "json__json_query", "notes__note_list", "nothing__at_all", "calculate", ""] {
        let refused = ask(&owner, &call(hidden, &json!({}))).await?;
        assert_eq!(refused["error"]["code"], -32_602, "{hidden}: {refused}");
    }
    // The operator's own agents keep what they had.
    owner.post("/v2/agents/assistant/sessions", &json!({"key": "s"})).await?.expect(201)?;
    let said = tests::server::say("/json_query {\"json\": [1], \"query\": \".[0]\"}");
    let answer = owner.post("/v2/agents/assistant/sessions/s/events", &said).await?.expect(201)?;
    assert!(answer.to_string().contains("\"error\":false"), "{answer}");

    let tool = ask(&owner, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await?["result"]["tools"][0].clone();
    assert_eq!((&tool["inputSchema"]["type"], &tool["outputSchema"]["type"]), (&json!("object"), &json!("object")), "{tool}");
    let hints =
        json!({"title": tool["title"], "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false});
    assert_eq!(tool["annotations"], hints);
    let bad = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": "elsewhere"}});
    assert_eq!(ask(&owner, &bad).await?["error"]["code"], -32_602);
    Ok(())
}

#[tokio::test]
async fn a_key_reaches_the_door_by_its_role_its_tenant_and_its_agents() -> Result<()> {
    let server = Server::start(&offering(CALCULATOR)).await?;
    let owner = server.owner();
    let key = async |members: Value| -> Result<Client> {
        let made = owner.post("/operator/v1/keys", &members).await?.expect(201)?;
        Ok(owner.with_key(made["key"].as_str()))
    };
    let user = key(json!({"role": "agent_user", "agents": ["mcp"]})).await?;
    assert_eq!(called(&user, "calculator__calculate", &json!({"expression": "6*7"})).await?["structuredContent"]["result"], "42");
    let limited = key(json!({"role": "agent_administrator", "agents": ["assistant"]})).await?;
    post(&limited, &[], r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await?.expect(403)?;
    owner.post("/operator/v1/tenants", &json!({"name": "acme"})).await?.expect(201)?;
    let elsewhere = key(json!({"role": "agent_user", "tenant": "acme"})).await?;
    assert!(listed(&elsewhere).await?.is_empty());

    // The record is an ordinary one: whoever disables it closes the door.
    owner.patch("/v2/agents/mcp", &json!({"enabled": false})).await?.expect(200)?;
    let closed = ask(&user, &call("calculator__calculate", &json!({"expression": "1"}))).await?;
    assert_eq!(closed["error"]["data"]["code"], "agent_disabled", "{closed}");
    let closed = ask(&user, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await?;
    assert_eq!(closed["error"]["data"]["code"], "agent_disabled", "{closed}");
    Ok(())
}
