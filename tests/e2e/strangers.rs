//! Plugins as strangers write them, one for each guest language, without
//! anything of ours but the contract. With no grant they compute, and that is
//! all: each tries what its language offers to reach the outside, and says what
//! came of it. `tests/strangers/build` makes them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use tests::fake_model::{FakeModel, call, text};
use tests::server::{Server, config, say, session};

const LANGUAGES: [&str; 5] = ["rust", "python", "js", "c", "go"];

/// How long compiling all of them may take; Python's alone is some 20 s of processor time.
const COMPILED: Duration = Duration::from_secs(900);

/// What every stranger tries, whatever its language offers beyond that.
const TRIED_BY_ALL: [&str; 10] =
    ["environment", "arguments", "stdin", "tcp_connect", "resolve_name", "secret", "secret_ready", "config", "store", "cache"];

/// A server with some of the strangers in its plugin directory, and somebody who
/// listens where they try to connect.
struct Place {
    model: FakeModel,
    server: Server,
    session: String,
    connections: TcpListener,
    datagrams: UdpSocket,
    turns: u32,
}

impl Place {
    async fn new(languages: &[&str], grants: &str) -> Result<Self> {
        let connections = TcpListener::bind("127.0.0.1:0")?;
        let datagrams = UdpSocket::bind(connections.local_addr()?)?;
        connections.set_nonblocking(true)?;
        datagrams.set_nonblocking(true)?;
        let model = FakeModel::start().await?;
        let home = Arc::new(tempfile::tempdir()?);
        std::fs::create_dir(home.path().join("maps"))?;
        std::fs::write(home.path().join("weather.key"), "a secret of the operator")?;
        let server = Server::start_in(home, &format!("{}{grants}", config(&model.base_url)), &[]).await?;
        for language in languages {
            drop_in(&server, language)?;
        }
        all_ready(&server, languages).await?;
        let tool = |language: &str, tool: &str| json!({"type": "dynamic_vectara", "tool_id": format!("tol_stranger-{language}_{tool}")});
        let tools: Map<String, Value> = languages
            .iter()
            .flat_map(|language| ["compute", "reach"].map(|name| (format!("{language}_{name}"), tool(language, name))))
            .collect();
        let session = session(&server.owner(), "a1", &Value::Object(tools)).await?;
        Ok(Self { model, server, session, connections, datagrams, turns: 0 })
    }

    /// What a call of one tool gives: its output, once the turn was answered.
    async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value> {
        self.turns += 1;
        self.model.queue([call(tool, arguments), text("done")]);
        let said = say(&format!("turn {}", self.turns));
        let answer = self.server.owner().post(&format!("{}/events", self.session), &said).await?.expect(201)?;
        let events = answer["events"].as_array().context("events")?;
        assert!(events.iter().any(|event| event["type"] == "agent_output"), "{tool}: the turn was not answered: {answer}");
        let output = events.iter().find(|event| event["type"] == "tool_output").with_context(|| format!("{tool}: {answer}"))?;
        assert_eq!(output["error"], false, "{tool}: {output}");
        Ok(output["tool_output"].clone())
    }

    /// What came of a stranger's attempts: which succeeded, and why the others did not.
    async fn reach(&mut self, language: &str) -> Result<(Vec<String>, BTreeMap<String, String>)> {
        let port = self.connections.local_addr()?.port();
        let found = self.call(&format!("{language}_reach"), json!({ "port": port })).await?;
        println!("{language} reaches {found}");
        let refused: BTreeMap<String, String> = serde_json::from_value(found["refused"].clone())?;
        assert!(refused.values().all(|reason| !reason.is_empty()), "{language}: {refused:?}");
        Ok((serde_json::from_value(found["succeeded"].clone())?, refused))
    }

    fn assert_nobody_came(&self) {
        assert!(self.connections.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "somebody connected");
        assert!(self.datagrams.recv(&mut [0; 64]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "somebody sent");
    }
}

/// Puts a component into the plugin directory of a running server, as an operator would.
fn drop_in(server: &Server, language: &str) -> Result<()> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/strangers/{language}.wasm"));
    let hint = format!("no {}; run `host/crates/author/toolchain.sh {language}` and `tests/strangers/build {language}`", built.display());
    server.install(&format!("stranger-{language}"), &std::fs::read(&built).context(hint)?)
}

async fn all_ready(server: &Server, languages: &[&str]) -> Result<()> {
    let began = Instant::now();
    let mut waiting: Vec<String> = languages.iter().map(|language| format!("stranger-{language}")).collect();
    while !waiting.is_empty() {
        anyhow::ensure!(began.elapsed() < COMPILED, "{waiting:?} were not ready in time:\n{}", server.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
        let listed = server.owner().get("/operator/v1/plugins").await?.expect(200)?;
        for plugin in listed["plugins"].as_array().context("plugins")? {
            assert_ne!(plugin["state"], "refused", "{plugin}");
            if plugin["state"] == "ready" && waiting.iter().any(|name| plugin["name"] == **name) {
                waiting.retain(|name| plugin["name"] != **name);
                println!("{} ready after {:.1} s, {:.1} s of compilers", plugin["name"], began.elapsed().as_secs_f64(), compilers(server)?);
            }
        }
    }
    Ok(())
}

/// Seconds of processor time that the children of a server have used so far.
fn compilers(server: &Server) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid().context("the server has ended")?))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).context("no times in /proc");
    Ok((ticks(13)? + ticks(14)?) / 100.0)
}

#[tokio::test]
async fn a_strangers_plugin_in_any_language_computes_and_reaches_nothing_without_a_grant() -> Result<()> {
    let mut place = Place::new(&LANGUAGES, "").await?;
    for language in LANGUAGES {
        let computed = place.call(&format!("{language}_compute"), json!({"below": 100_000})).await?;
        assert_eq!(computed, json!({"primes": 9592, "sum": 454_396_537}), "{language}");
        let nothing = place.call(&format!("{language}_compute"), json!({"below": 2})).await?;
        assert_eq!(nothing, json!({"primes": 0, "sum": 0}), "{language}");
        let (succeeded, refused) = place.reach(language).await?;
        assert_eq!(succeeded, [""; 0], "{language} reached the outside; refused: {refused:?}");
        for name in TRIED_BY_ALL {
            assert!(refused.contains_key(name), "{language} did not try {name}: {refused:?}");
        }
        for noun in ["config", "store", "cache", "secrets"] {
            let line = format!("[plugin.stranger-{language}.{noun}]");
            place.server.says(&line).await?;
        }
    }
    for line in place.server.output().lines().filter(|line| line.contains("tool call ended")) {
        println!("{}", line.split_once("ended: ").map_or(line, |(_, figures)| figures));
    }
    place.assert_nobody_came();
    assert!(!place.server.home.path().join("stranger.txt").exists(), "a stranger wrote into the server's directory");
    Ok(())
}

const GRANTS: &str = r#"
[secrets.weather-key]
from = "file:weather.key"

[plugin.stranger-c]
approve = "never"

[[plugin.stranger-c.files]]
host = "maps"
guest = "maps"
access = "write"

[plugin.stranger-c.secrets]
weather-key = "reveal"

[plugin.stranger-c.config]
units = "metric"

[plugin.stranger-c.store]
scope = "session"

[plugin.stranger-c.cache]
quota = "1MiB"
"#;

#[tokio::test]
async fn what_was_granted_is_what_a_stranger_reaches_and_nothing_beside_it() -> Result<()> {
    let mut place = Place::new(&["c"], GRANTS).await?;
    let (succeeded, refused) = place.reach("c").await?;
    let granted = ["read_maps", "write_maps", "preopens", "secret", "secret_ready", "config", "store", "cache"];
    assert_eq!(succeeded, granted, "refused: {refused:?}");
    place.assert_nobody_came();
    assert!(place.server.home.path().join("maps/stranger.txt").exists());
    Ok(())
}
