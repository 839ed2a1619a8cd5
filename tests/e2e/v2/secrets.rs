//! Secrets of agents and sessions: they reach the server that they are for, in a
//! header, and are found nowhere else.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::Client;
use tests::fake_model::{FakeModel, call, text};
use tests::server::{Server, config, say};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const OF_THE_AGENT: &str = "agent-value-that-nobody-sees-91f3";
const OF_THE_SESSION: &str = "session-value-that-nobody-sees-7be2";

/// A server that sends back what it was sent.
async fn echo() -> Result<(u16, Arc<Mutex<Vec<String>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (port, seen) = (listener.local_addr()?.port(), Arc::<Mutex<Vec<String>>>::default());
    let requests = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 16 << 10];
            let mut read = 0;
            while let Ok(more) = stream.read(&mut buffer[read..]).await {
                read += more;
                let so_far = String::from_utf8_lossy(&buffer[..read]).into_owned();
                if more == 0 || so_far.ends_with("0\r\n\r\n") || so_far.ends_with("END") {
                    break;
                }
            }
            let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{request}", request.len());
            requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    Ok((port, seen))
}

/// The guest that sends what it is told, in a server that lets it reach this port.
async fn start(port: u16) -> Result<(Server, FakeModel, Client)> {
    let model = FakeModel::start().await?;
    let grants = format!(
        "\n[network]\nprivate = [\"127.0.0.0/8\"]\n\n[plugin.probe]\napprove = \"never\"\n\n[[plugin.probe.http]]\nhost = \"127.0.0.1\"\nscheme = \"http\"\nport = {port}\nmethods = [\"POST\"]\n"
    );
    let server = Server::start(&format!("{}{grants}", config(&model.base_url))).await?;
    let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/hostile/probe.wasm");
    let bytes = std::fs::read(&probe).with_context(|| format!("cannot read {}; run tests/hostile/build", probe.display()))?;
    server.install("probe", &bytes)?;
    let owner = server.owner();
    let settled = crate::hostile::settled(&owner, "probe").await?;
    assert_eq!(settled["state"], "ready", "{settled}");
    Ok((server, model, owner))
}

/// One request with a secret in a header, in the path and in the body.
fn steps(port: u16) -> Value {
    let (agent, session) = (json!({"$ref": "agent.secrets.token"}), json!({"$ref": "session.secrets[session.metadata.which]"}));
    json!([{"http": {"method": "POST", "authority": format!("127.0.0.1:{port}"), "path": "/x",
        "headers": [["authorization", agent], ["x-session", session]], "body": agent}}])
}

/// How often a text stands in the files below a directory, by file.
fn found(below: &Path, needle: &str) -> Result<Vec<(String, usize)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(self::found(&path, needle)?);
            continue;
        }
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let times = bytes.windows(needle.len()).filter(|window| *window == needle.as_bytes()).count();
        if times > 0 {
            found.push((path.display().to_string(), times));
        }
    }
    found.sort();
    Ok(found)
}

#[tokio::test]
async fn a_secret_reaches_its_server_in_a_header_and_stands_nowhere_else() -> Result<()> {
    let (port, seen) = echo().await?;
    let (server, model, owner) = start(port).await?;
    let tool = json!({"type": "dynamic_vectara", "tool_id": "tol_probe_try", "argument_override": {"steps": steps(port)}});
    let agent = json!({"key": "a1", "name": "A1", "model": {"name": "default"}, "tool_configurations": {"send": tool},
        "first_step": {"instructions": []}});
    owner.post("/v2/agents", &agent).await?.expect(201)?;
    let mut answers = vec![owner.put("/v2/agents/a1/secrets", &json!({"secrets": {"token": OF_THE_AGENT}})).await?.expect(200)?];
    let body = json!({"secrets": {"mine": OF_THE_SESSION}, "metadata": {"which": "mine"}});
    let session = owner.post("/v2/agents/a1/sessions", &body).await?.expect(201)?;
    let path = format!("/v2/agents/a1/sessions/{}", session["key"].as_str().context("a key")?);
    answers.push(session);
    let home = server.home.path().join("data");
    let before = [found(&home, OF_THE_AGENT)?, found(&home, OF_THE_SESSION)?];

    model.queue([call("send", json!({})), text("sent")]);
    answers.push(owner.post(&format!("{path}/events"), &say("go")).await?.expect(201)?);

    let request = seen.lock().unwrap_or_else(PoisonError::into_inner).first().cloned().context("no request came")?;
    assert!(request.contains(&format!("authorization: {OF_THE_AGENT}\r\n")), "{request}");
    assert!(request.contains(&format!("x-session: {OF_THE_SESSION}\r\n")), "{request}");
    assert_eq!(request.matches(OF_THE_AGENT).count(), 1, "the body has a placeholder: {request}");
    assert!(request.contains("wsec_"), "{request}");

    for read in [path.clone(), format!("{path}/events"), "/v2/agents/a1".into(), "/v2/agents/a1/secrets".into()] {
        answers.push(owner.get(&read).await?.expect(200)?);
    }
    let output = answers[2]["events"].as_array().context("events")?.iter().find(|event| event["type"] == "tool_output");
    let output = output.with_context(|| format!("no output in {}", answers[2]))?;
    assert_eq!(output["error"], false, "{output}");
    assert_eq!(output["resolved_argument_overrides"]["steps"][0]["http"]["headers"][0][1], "****", "{output}");
    assert!(output["tool_output"].to_string().contains(&"*".repeat(OF_THE_AGENT.len())), "what came back is masked: {output}");
    let shown = format!("{answers:?} {:?} {}", model.requests(), server.output());
    assert!(!shown.contains(OF_THE_AGENT) && !shown.contains(OF_THE_SESSION), "{shown}");

    let (home, _) = server.stop().await?;
    let home = home.path().join("data");
    for (secret, before) in [OF_THE_AGENT, OF_THE_SESSION].into_iter().zip(before) {
        let times = |files: &[(String, usize)]| files.iter().map(|(_, times)| times).sum::<usize>();
        let after = found(&home, secret)?;
        // What the turn wrote holds none: the records that were there before do, and pages that the store has given up.
        assert!(times(&after) <= times(&before), "{before:?} became {after:?}");
        assert!(after.iter().all(|(file, _)| file.ends_with(".redb")), "{after:?}");
    }
    Ok(())
}

#[tokio::test]
async fn secrets_are_written_and_never_read_back() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let owner = server.owner();
    let agent = json!({"key": "a1", "name": "A1", "model": {"name": "default"}, "first_step": {"instructions": []}});
    owner.post("/v2/agents", &agent).await?.expect(201)?;
    let path = "/v2/agents/a1/secrets";
    assert_eq!(owner.get(path).await?.expect(200)?, json!({"secrets": {}}));
    let put = owner.put(path, &json!({"secrets": {"a": "one-one", "b": "two-two"}})).await?.expect(200)?;
    assert_eq!(put, json!({"secrets": {"a": "****", "b": "****"}}));
    let patched = owner.patch(path, &json!({"secrets": {"a": null, "c": "three"}})).await?.expect(200)?;
    assert_eq!(patched, json!({"secrets": {"b": "****", "c": "****"}}));
    let replaced = owner.put(path, &json!({"secrets": {"b": "****"}})).await?.expect(200)?;
    assert_eq!(replaced, json!({"secrets": {"b": "****"}}));
    for (body, field) in
        [(json!({}), "secrets"), (json!({"secrets": {"a": "x\ny"}}), "secrets.a"), (json!({"secrets": {"a": 1}}), "secrets.a")]
    {
        let error = owner.patch(path, &body).await?.expect(400)?;
        assert!(error["field_errors"][field].is_string(), "{error}");
    }
    owner.put("/v2/agents/a1", &agent).await?.expect(200)?;
    assert_eq!(owner.get(path).await?.expect(200)?, replaced, "replacing the agent leaves them");
    let made = owner.post("/operator/v1/keys", &json!({"role": "agent_viewer"})).await?.expect(201)?;
    let viewer = owner.with_key(made["key"].as_str());
    viewer.get(path).await?.expect(200)?;
    viewer.patch(path, &json!({"secrets": {"b": "x"}})).await?.expect(403)?;

    let session = owner.post("/v2/agents/a1/sessions", &json!({"key": "s1", "secrets": {"a": "one-one"}})).await?.expect(201)?;
    assert_eq!(session["secrets"], json!({"a": "****"}));
    let changed = owner.patch("/v2/agents/a1/sessions/s1", &json!({"secrets": {"a": null, "b": "two"}})).await?.expect(200)?;
    assert_eq!(changed["secrets"], json!({"b": "****"}));
    Ok(())
}
