//! An HTTP/1.1 client without opinions: what the server sent is what a test sees.

use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

use crate::patience::PATIENCE;

/// A caller with a key.
#[derive(Debug, Clone)]
pub struct Client {
    address: String,
    key: Option<String>,
    from: Option<IpAddr>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("{} is not JSON: {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// The body as JSON, if the status is this one.
    pub fn expect(&self, status: u16) -> Result<Value> {
        if self.status.as_u16() != status {
            bail!("expected {status}, got {}: {}", self.status, String::from_utf8_lossy(&self.body));
        }
        if self.body.is_empty() { Ok(Value::Null) } else { self.json() }
    }
}

impl Client {
    /// A caller of the server at `address` (`host:port`).
    pub fn new(address: &str, key: Option<&str>) -> Self {
        Self { address: address.to_owned(), key: key.map(str::to_owned), from: None }
    }

    /// The same caller with another key.
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// The same caller from another address of this machine, for servers that count by address.
    pub fn coming_from(&self, address: IpAddr) -> Self {
        Self { from: Some(address), ..self.clone() }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, &[], Bytes::new()).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string().into()).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::PATCH, path, &[("content-type", "application/json")], body.to_string().into()).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::PUT, path, &[("content-type", "application/json")], body.to_string().into()).await
    }

    /// Any request, answered whole.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Result<Answer> {
        tokio::time::timeout(PATIENCE, async {
            let response = self.begin(method, path, headers, body).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        })
        .await
        .context("no answer in time")?
    }

    /// A POST whose answer is a stream of frames.
    pub async fn stream(&self, path: &str, body: &Value) -> Result<Stream> {
        self.stream_with(path, &[], body).await
    }

    /// The same with further headers.
    pub async fn stream_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Result<Stream> {
        let headers: Vec<_> = [("content-type", "application/json")].into_iter().chain(headers.iter().copied()).collect();
        let response = tokio::time::timeout(PATIENCE, self.begin(Method::POST, path, &headers, body.to_string().into()));
        let response = response.await.context("no answer in time")??;
        let (parts, body) = response.into_parts();
        Ok(Stream { status: parts.status, headers: parts.headers, body, buffer: BytesMut::new() })
    }

    async fn connect(&self) -> Result<TcpStream> {
        let Some(from) = self.from else { return Ok(TcpStream::connect(&self.address).await?) };
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        Ok(socket.connect(self.address.parse()?).await?)
    }

    async fn begin(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Result<http::Response<Incoming>> {
        let stream = self.connect().await.with_context(|| format!("connecting to {}", self.address))?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", &self.address);
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Ok(sender.send_request(request.body(Full::new(body))?).await?)
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Stream {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    buffer: BytesMut,
}

/// One frame.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What its `event:` line says.
    pub event: String,
    /// What its `data:` line says.
    pub data: Value,
    /// The frame as it came, with its blank line.
    pub raw: String,
}

impl Stream {
    /// The next frame; none after the connection was closed. Comments are passed over.
    pub async fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            match self.raw().await? {
                None => return Ok(None),
                Some(comment) if comment.starts_with(':') => {}
                Some(raw) => return frame(raw).map(Some),
            }
        }
    }

    /// The next frame or comment as it came, with its blank line; none after the connection was closed.
    pub async fn raw(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|w| w == b"\n\n") {
                return Ok(Some(String::from_utf8(self.buffer.split_to(end + 2).to_vec())?));
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.frame()).await.context("no frame in time")?;
            match chunk.transpose()? {
                Some(chunk) => self.buffer.extend_from_slice(chunk.data_ref().map_or(&[][..], |data| data)),
                None if self.buffer.is_empty() => return Ok(None),
                None => bail!("the stream ends in the middle of a frame: {:?}", self.buffer),
            }
        }
    }

    /// All frames up to the end of the connection.
    pub async fn all(&mut self) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await? {
            frames.push(frame);
        }
        Ok(frames)
    }

    /// Frames up to and with the first of this type.
    pub async fn until(&mut self, event: &str) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await? {
            let last = frame.event == event;
            frames.push(frame);
            if last {
                return Ok(frames);
            }
        }
        bail!("the stream ended before `{event}`; it had {:?}", types(&frames))
    }
}

/// The types of frames, in order.
pub fn types(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.event.as_str()).collect()
}

fn frame(raw: String) -> Result<Frame> {
    let mut lines = raw.trim_end_matches('\n').split('\n');
    let event = lines.next().and_then(|line| line.strip_prefix("event: ")).with_context(|| format!("no event line in {raw:?}"))?;
    let data = lines.next().and_then(|line| line.strip_prefix("data: ")).with_context(|| format!("no data line in {raw:?}"))?;
    if let Some(more) = lines.next() {
        bail!("a third line {more:?} in {raw:?}");
    }
    Ok(Frame { event: event.to_owned(), data: serde_json::from_str(data)?, raw: raw.clone() })
}
