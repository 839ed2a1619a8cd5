//! Clients that talk as fast as they are answered, each over one connection.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tests::server::OWNER;
use tokio::net::TcpStream;

use crate::{Shared, ms};

/// What to do.
#[derive(Debug, Clone)]
pub struct Load {
    pub address: String,
    pub agent: &'static str,
    pub stream: bool,
    pub clients: u32,
    pub turns: u32,
    pub turns_per_session: u32,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Done {
    pub turns: u32,
    pub wall: Duration,
    pub bytes: u64,
    latencies: Vec<f64>,
}

impl Done {
    /// A percentile of the turns' times in milliseconds.
    pub fn p(&self, percent: usize) -> f64 {
        self.latencies.get(self.latencies.len() * percent / 100).or(self.latencies.last()).copied().unwrap_or_default()
    }
}

/// One client's connection.
pub struct Connection {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self> {
        Ok(Self { address: address.to_owned(), sender: connect(address).await? })
    }

    pub async fn get(&mut self, path: &str) -> Result<Bytes> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Bytes> {
        self.send(Method::POST, path, body.to_string().into()).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        if self.sender.ready().await.is_err() {
            // A stream ends with its connection: the next request opens another.
            self.sender = connect(&self.address).await?;
        }
        let request = Request::builder().method(method).uri(path).header("host", &self.address).header("x-api-key", OWNER);
        let request = request.header("content-type", "application/json").body(Full::new(body))?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Runs the load to its end.
pub async fn run(load: Load) -> Result<Done> {
    let done: Shared<Done> = Shared::default();
    let began = Instant::now();
    let clients: Vec<_> = (0..load.clients).map(|i| tokio::spawn(client(load.clone(), i, done.clone()))).collect();
    for client in clients {
        client.await??;
    }
    let mut done = std::mem::take(&mut *done.lock().ok().context("a client panicked")?);
    done.wall = began.elapsed();
    done.latencies.sort_by(f64::total_cmp);
    Ok(done)
}

async fn client(load: Load, number: u32, done: Shared<Done>) -> Result<()> {
    let mut connection = Connection::open(&load.address).await?;
    let turns = load.turns / load.clients;
    let mut path = String::new();
    for i in 0..turns {
        if i % load.turns_per_session == 0 {
            let made = connection.post(&format!("/v2/agents/{}/sessions", load.agent), &json!({"name": "load"})).await?;
            let made: Value = serde_json::from_slice(&made)?;
            path = format!("/v2/agents/{}/sessions/{}/events", load.agent, made["key"].as_str().context("a key")?);
        }
        let body = json!({"type": "input_message", "stream_response": load.stream,
            "messages": [{"type": "text", "content": format!("client {number} says for the {i}th time: please compute")}]});
        let began = Instant::now();
        let answer = connection.post(&path, &body).await?;
        let took = ms(began.elapsed());
        ensure!(answer.windows(12).any(|w| w == b"agent_output"), "no answer: {}", String::from_utf8_lossy(&answer));
        let mut done = done.lock().ok().context("a client panicked")?;
        done.turns += 1;
        done.bytes += answer.len() as u64;
        done.latencies.push(took);
    }
    Ok(())
}
