//! Whether the server stays quick while a component that nobody can compile is
//! being compiled: the times of `/livez` before and meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tests::client::Client;
use tests::server::{Server, config_with_rate};

use crate::load::Connection;
use crate::model::Peer;
use crate::ms;

/// How long is looked.
const SPAN: Duration = Duration::from_secs(5);

/// Functions of the component, and additions in each of them: minutes of a compiler's time.
const FUNCTIONS: usize = 100_000;
const ADDITIONS: usize = 60;

/// Starts a server, looks, drops the component into its directory, and looks again.
pub async fn run(peer: &Peer) -> Result<()> {
    let server = Server::start(&config_with_rate(&peer.base_url, "100000000/min")).await?;
    times(&server.address).await?;
    let mut alone = times(&server.address).await?;
    let began = Instant::now();
    std::fs::write(server.home.path().join("data/plugins/bomb.wasm"), bomb())?;
    let owner = server.owner();
    while state(&owner).await?.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut meanwhile = times(&server.address).await?;
    let still = state(&owner).await?.as_deref() == Some("preparing");
    println!(
        "/livez alone: p50 {:.2} ms, p99 {:.2} ms; while a bomb compiles: p50 {:.2} ms, p99 {:.2} ms (it compiled for all of it: {still})",
        quantile(&mut alone, 50),
        quantile(&mut alone, 99),
        quantile(&mut meanwhile, 50),
        quantile(&mut meanwhile, 99)
    );
    while state(&owner).await?.as_deref() == Some("preparing") {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("the bomb was given up after {:.0} s: {}", began.elapsed().as_secs_f64(), listed(&owner).await?.unwrap_or_default());
    Ok(())
}

/// The times of one request after the other, in milliseconds.
async fn times(address: &str) -> Result<Vec<f64>> {
    let mut connection = Connection::open(address).await?;
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < SPAN {
        let asked = Instant::now();
        connection.get("/livez").await?;
        times.push(ms(asked.elapsed()));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(times)
}

async fn listed(owner: &Client) -> Result<Option<serde_json::Value>> {
    let listed = owner.get("/operator/v1/plugins").await?.expect(200)?;
    let plugins = listed["plugins"].as_array().context("a list of plugins")?;
    Ok(plugins.iter().find(|plugin| plugin["name"] == "bomb").cloned())
}

async fn state(owner: &Client) -> Result<Option<String>> {
    Ok(listed(owner).await?.and_then(|plugin| plugin["state"].as_str().map(str::to_owned)))
}

/// A component around one core module with very many functions.
fn bomb() -> Vec<u8> {
    let types = [1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f];
    let functions = [leb(FUNCTIONS), vec![0; FUNCTIONS]].concat();
    // local 0 = local 0 * local 1 + local 1
    let addition = [0x20, 0, 0x20, 1, 0x6c, 0x20, 1, 0x6a, 0x21, 0];
    let body = [vec![0], addition.repeat(ADDITIONS), vec![0x20, 0, 0x0b]].concat();
    let code = [leb(FUNCTIONS), [leb(body.len()), body].concat().repeat(FUNCTIONS)].concat();
    let module = [b"\0asm\x01\0\0\0".to_vec(), section(1, &types), section(3, &functions), section(10, &code)].concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module)].concat()
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [vec![id], leb(body.len()), body.to_vec()].concat()
}

/// A number in seven bits a byte, the lowest first.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn quantile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}
