//! What the server costs: processor time of the whole server process per turn,
//! against a model server that answers at once. `README.md` beside this file
//! says how to run it and how to read it.

mod load;
mod model;
mod process;
mod wall;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::Client;
use tests::server::{Server, config, config_with_rate, session};

use load::{Load, run};
use model::Peer;
use process::{commit_ms, cpu, resident};

/// Words of a streamed answer.
const WORDS: usize = 32;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let asked = std::env::args().nth(1);
    let peer = Peer::start().await?;
    if asked.as_deref() == Some("wall") {
        return wall::run(&peer).await;
    }
    let scale: u32 = asked.map(|n| n.parse()).transpose()?.unwrap_or(1);
    starts(&peer).await?;
    let server = Server::start(&config_with_rate(&peer.base_url, "100000000/min")).await?;
    println!("idle RSS after start: {:.1} MiB", resident(&server)? / 1024.0 / 1024.0);
    let owner = server.owner();
    let tools = json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}});
    session(&owner, "plain", &json!({})).await?;
    session(&owner, "tooled", &tools).await?;
    turns(&server, &peer, scale).await?;
    bursts(&server, &peer).await?;
    lists(&server, &peer).await?;
    println!("RSS after the load: {:.1} MiB", resident(&server)? / 1024.0 / 1024.0);
    Ok(())
}

/// The first start compiles the bundled components, in a data directory that
/// nothing was put into; the next ones find what it made.
async fn starts(peer: &Peer) -> Result<()> {
    const FRESH: [&str; 2] = ["--data", "fresh"];
    let mut home = Arc::new(tempfile::tempdir()?);
    for start in ["first", "second", "third", "fourth"] {
        let began = Instant::now();
        let server = Server::start_in(home, &config(&peer.base_url), &FRESH).await?;
        println!("{start} start until ready: {} ms, {:.0} ms of processor time", began.elapsed().as_millis(), cpu(&server)? * 1e3);
        (home, _) = server.stop().await?;
    }
    Ok(())
}

/// Turns in each form, with 16 clients, with one, and with 64.
async fn turns(server: &Server, peer: &Peer, scale: u32) -> Result<()> {
    let cases = [
        ("turn, JSON, 16 clients", "plain", false, 16, 2_000),
        ("turn with one tool, JSON, 16 clients", "tooled", false, 16, 2_000),
        ("turn of 32 words, streamed, 16 clients", "plain", true, 16, 2_000),
        ("turn, JSON, one client", "plain", false, 1, 400),
        ("turn with one tool, JSON, one client", "tooled", false, 1, 400),
        ("turn, JSON, 64 clients", "plain", false, 64, 4_000),
        ("turn with one tool, JSON, 64 clients", "tooled", false, 64, 4_000),
    ];
    println!("one 4 KiB write and fdatasync beside the data: {:.2} ms (median of 200)", commit_ms(server.home.path())?);
    for (name, agent, stream, clients, turns) in cases {
        peer.answer(if stream { WORDS } else { 8 });
        let load = Load { address: server.address.clone(), agent, stream, clients, turns: turns * scale, turns_per_session: 20 };
        run(Load { turns: load.turns / 10, ..load.clone() }).await?;
        let before = cpu(server)?;
        let done = run(load).await?;
        let per_turn = (cpu(server)? - before) * 1e3 / f64::from(done.turns);
        println!(
            "{name}: {per_turn:.3} ms of processor time a turn, {:.0} turns/s, p50 {:.2} ms, p99 {:.2} ms",
            f64::from(done.turns) / done.wall.as_secs_f64(),
            done.p(50),
            done.p(99)
        );
    }
    Ok(())
}

/// One long answer that comes as fast as the model server can write it.
async fn bursts(server: &Server, peer: &Peer) -> Result<()> {
    const LONG: usize = 50_000;
    peer.answer(LONG);
    let before = cpu(server)?;
    let load = Load { address: server.address.clone(), agent: "plain", stream: true, clients: 1, turns: 4, turns_per_session: 1 };
    let done = run(load).await?;
    let words = (LONG * done.turns as usize) as f64;
    println!(
        "long streams: {:.0} words a second of processor time, {:.0} bytes a word",
        words / (cpu(server)? - before),
        done.bytes as f64 / words
    );
    peer.answer(8);
    Ok(())
}

/// Listing the newest page of a short and of a long session.
async fn lists(server: &Server, peer: &Peer) -> Result<()> {
    let owner = server.owner();
    peer.answer(8);
    owner.post("/v2/agents/plain/sessions", &json!({"key": "long"})).await?.expect(201)?;
    let path = "/v2/agents/plain/sessions/long/events";
    let mut events = 0;
    for goal in [100, 1_000, 10_000] {
        while events < goal {
            owner.post(path, &json!({"messages": [{"content": format!("message {events}")}]})).await?.expect(201)?;
            events += 2;
        }
        let (first, middle) = (list_ms(server, path, "").await?, list_ms(server, path, &page_key(&owner, path).await?).await?);
        println!("list 20 of {goal} events: {first:.3} ms of processor time (first page), {middle:.3} ms (a later page)");
    }
    Ok(())
}

async fn page_key(owner: &Client, path: &str) -> Result<String> {
    let page = owner.get(&format!("{path}?limit=50")).await?.expect(200)?;
    let key = page["metadata"]["page_key"].as_str().context("more follows")?;
    Ok(format!("&page_key={key}"))
}

async fn list_ms(server: &Server, path: &str, more: &str) -> Result<f64> {
    let mut connection = load::Connection::open(&server.address).await?;
    let before = cpu(server)?;
    let rounds = 500;
    for _ in 0..rounds {
        let body = connection.get(&format!("{path}?limit=20{more}")).await?;
        let page: Value = serde_json::from_slice(&body)?;
        anyhow::ensure!(page["events"].as_array().is_some_and(|events| events.len() == 20), "a full page");
    }
    Ok((cpu(server)? - before) * 1e3 / f64::from(rounds))
}

/// How long a thing took in milliseconds.
fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What several clients share.
type Shared<T> = Arc<std::sync::Mutex<T>>;
