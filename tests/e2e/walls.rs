//! The wall around the whole server, seen from the wire: the server runs in a
//! network namespace of its own whose only way out is an interface that counts.
//! Everything is there for a packet to leave (an address, a route, a neighbour,
//! a name server), so that none that leaves means none that was sent.

mod names;
mod namespace;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::fake_model::{FakeModel, call, text};
use tests::server::{Server, config, say, session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use names::Names;
use namespace::Way;

/// A public address. Nobody is there: the wire ends in the namespace.
const PUBLIC: &str = "93.184.216.34";

/// Where the one granted server on this machine listens.
const OPENED: &str = "127.0.0.9";

#[test]
fn nothing_leaves_for_what_was_not_granted() -> Result<()> {
    namespace::inside("walls::nothing_leaves_for_what_was_not_granted", || async {
        let world = World::new().await?;
        let way = world.way.settled().await?;
        let tried = world.tries(denied()).await?;
        for (step, outcome) in denied().iter().zip(&tried) {
            assert!(outcome["error"].is_string(), "{step}: {outcome}");
        }
        assert_eq!(way.sent()?, way.before, "packets left for what was denied");
        assert_eq!(world.names.asked("denied.example"), 0, "a name was looked up that nobody may reach");

        // The same in the other direction: the counter would have seen it.
        let tried = world.tries(vec![get("granted.example", "/")]).await?;
        assert!(tried[0]["error"].is_string(), "nobody answers at the wire's end: {}", tried[0]);
        assert!(way.sent()? > way.before, "a granted request leaves");
        Ok(())
    })
}

#[test]
fn a_name_is_resolved_once_and_one_closed_address_closes_it() -> Result<()> {
    namespace::inside("walls::a_name_is_resolved_once_and_one_closed_address_closes_it", || async {
        let world = World::new().await?;
        let inner = Inner::listening("127.0.0.1:80").await?;
        let way = world.way.settled().await?;
        for name in ["inner.example", "mixed.example", "neighbour.example", "metadata.example"] {
            let tried = world.tries(vec![get(name, "/")]).await?;
            assert_eq!(tried[0]["error"], "ErrorCode::DestinationIpProhibited", "{name}: {}", tried[0]);
        }
        assert_eq!(way.sent()?, way.before, "packets left for closed addresses");

        // The first answer is public, every later one is this machine: who asks twice connects to himself.
        let tried = world.tries(vec![get("rebind.example", "/")]).await?;
        assert!(tried[0]["error"].is_string(), "{}", tried[0]);
        assert_eq!(world.names.asked("rebind.example"), 1, "looked up more than once");
        assert!(way.sent()? > way.before, "it went to the address that was checked");
        assert_eq!(inner.accepted(), 0, "a name led to this machine");
        Ok(())
    })
}

#[test]
fn no_proxy_is_taken_from_the_environment() -> Result<()> {
    namespace::inside("walls::no_proxy_is_taken_from_the_environment", || async {
        let world = World::new().await?;
        let server = Inner::listening(&format!("{OPENED}:8080")).await?;
        let way = world.way.settled().await?;
        let tried = world.tries(vec![get(&format!("{OPENED}:8080"), "/")]).await?;
        assert_eq!(tried[0]["ok"]["text"], "hello", "{}", tried[0]);
        assert_eq!((server.accepted(), way.sent()?), (1, way.before), "it went there, and past the proxy");
        Ok(())
    })
}

fn get(authority: &str, path: &str) -> Value {
    json!({"http": {"authority": authority, "path": path}})
}

/// Every way out that a guest could think of.
fn denied() -> Vec<Value> {
    let mut steps = vec![
        json!({"http": {"method": "POST", "authority": "granted.example", "path": "/"}}),
        json!({"http": {"scheme": "https", "authority": "granted.example", "path": "/"}}),
        get("granted.example", "/other"),
        get("granted.example:81", "/"),
        get("denied.example", "/"),
        get("granted.example.denied.example", "/"),
    ];
    for host in [PUBLIC, "8.8.8.8", "169.254.169.254", "10.77.0.2", "[fd77::2]", "[2606:2800:220:1::1]", "[ff02::1]", "255.255.255.255"] {
        steps.push(get(host, "/"));
    }
    for address in ["93.184.216.34:80", "10.77.0.2:80", "[2606:2800:220:1::1]:443", "[fd77::2]:80"] {
        steps.push(json!({"socket": {"tcp": address}}));
    }
    for address in ["8.8.8.8:53", "10.77.0.2:53", "255.255.255.255:9", "224.0.0.1:9", "[2606:4700::1111]:53", "[ff02::1]:9"] {
        steps.push(json!({"socket": {"udp": address}}));
    }
    for name in ["denied.example", "granted.example", "localhost"] {
        steps.push(json!({"socket": {"resolve": name}}));
    }
    steps
}

/// A server with the probe in it, in this namespace.
struct World {
    way: Way,
    names: Names,
    model: FakeModel,
    server: Server,
    session: String,
}

impl World {
    async fn new() -> Result<Self> {
        let way = Way::out()?;
        let names = Names::answering(&[
            ("granted.example", &[&[PUBLIC]]),
            ("denied.example", &[&[PUBLIC]]),
            ("inner.example", &[&["127.0.0.1"]]),
            ("mixed.example", &[&[PUBLIC, "127.0.0.1"]]),
            ("neighbour.example", &[&["10.77.0.2"]]),
            ("metadata.example", &[&["169.254.169.254"]]),
            ("rebind.example", &[&[PUBLIC], &["127.0.0.1"]]),
        ])
        .await?;
        let model = FakeModel::start().await?;
        let granted = ["granted", "inner", "mixed", "neighbour", "metadata", "rebind"].map(|name| rule(&format!("{name}.example"), 80));
        let policy =
            format!("[plugin.probe]\napprove = 'never'\n{}{}\n[network]\nprivate = ['{OPENED}']\n", granted.concat(), rule(OPENED, 8080));
        let proxy = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
        let variables = proxy.map(|name| (name, "http://10.77.0.2:3128"));
        let server = Server::start_with_variables(&format!("{}{policy}", config(&model.base_url)), &variables).await?;
        namespace::install_probe(&server)?;
        let tools = json!({"try": {"type": "dynamic_vectara", "tool_id": "tol_probe_try"}});
        crate::hostile::settled(&server.owner(), "probe").await?;
        let session = session(&server.owner(), "a1", &tools).await?;
        Ok(Self { way, names, model, server, session })
    }

    /// One call of the probe, through a model that asks for it.
    async fn tries(&self, steps: Vec<Value>) -> Result<Vec<Value>> {
        self.model.queue([call("try", json!({ "steps": steps })), text("done")]);
        let answer = self.server.owner().post(&format!("{}/events", self.session), &say("go")).await?.expect(201)?;
        let events = answer["events"].as_array().context("events")?;
        let output = events.iter().find(|event| event["type"] == "tool_output").context("an output")?;
        let outcomes = output["tool_output"]["content"][0]["data"].as_array().with_context(|| format!("the probe answered {output}"))?;
        Ok(outcomes.clone())
    }
}

fn rule(host: &str, port: u16) -> String {
    format!("[[plugin.probe.http]]\nhost = '{host}'\nscheme = 'http'\nport = {port}\npaths = ['/']\n")
}

/// A server on this machine that counts who comes.
struct Inner(Arc<AtomicU32>);

impl Inner {
    async fn listening(at: &str) -> Result<Self> {
        let listener = TcpListener::bind(at.parse::<SocketAddr>()?).await?;
        let accepted = Arc::<AtomicU32>::default();
        let count = accepted.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 4096])).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
            }
        });
        Ok(Self(accepted))
    }

    fn accepted(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}
