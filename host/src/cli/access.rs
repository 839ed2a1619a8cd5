//! The way to a server: over the running one's socket, or, where none runs, to
//! one that is opened in this process and serves nobody else. Either way a command
//! speaks HTTP to the same router as its owner.

use std::path::Path;

use anyhow::{Context, bail};
use api::{Body, Peer, Router};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tower::ServiceExt;

use crate::config::Settings;
use crate::open::{self, Server};

/// An answer that is read whole. Pages are bounded by their limit; this only bounds a mistake.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What an answer's body is, wherever it comes from.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, anyhow::Error>>;

/// A server that can be asked.
pub(super) enum Access {
    /// The running one.
    Socket(std::path::PathBuf),
    /// One of our own.
    Inside(Box<Server>),
}

/// What to do where there is no data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Say so: a misspelt directory must not become a new one.
    Refuse,
    /// Make it, as a server would at its first start.
    Make,
}

impl Access {
    /// The running server of this data directory, or one that is opened for the occasion.
    pub(super) async fn reach(settings: &Settings) -> anyhow::Result<Self> {
        Self::reach_or(settings, Missing::Refuse).await
    }

    /// As `reach`, with a word about a data directory that does not exist.
    pub(super) async fn reach_or(settings: &Settings, missing: Missing) -> anyhow::Result<Self> {
        if let Some(running) = Self::running(settings).await {
            return Ok(running);
        }
        if missing == Missing::Refuse && !settings.data.exists() {
            bail!("there is no data directory {}; start a server with `wardian`, or name another with --data", settings.data.display());
        }
        let why = || format!("no server answers on {}, and its data directory cannot be opened either", settings.socket().display());
        let server = open::open(settings, open::Manner::Quiet).await.with_context(why)?;
        Ok(Self::Inside(Box::new(server)))
    }

    /// The running server, if one answers.
    pub(super) async fn running(settings: &Settings) -> Option<Self> {
        let socket = settings.socket();
        connect(&socket).await.is_ok().then_some(Self::Socket(socket))
    }

    /// Waits until the plugins that were found are ready to serve. A running server has done so for itself.
    pub(super) async fn plugins_ready(&self) {
        if let Self::Inside(server) = self {
            server.sandbox.wait_ready().await;
        }
    }

    /// Asks, and gives the answer as it comes.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        self.send(method, path, body.map(Value::to_string)).await
    }

    /// The same with a body whose text goes on as it is.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Answer> {
        self.send_with(method, path, &[], body).await
    }

    /// The same with further headers.
    pub(super) async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let bytes = body.unwrap_or_default();
        match self {
            Self::Socket(socket) => {
                let request = request.body(Full::new(Bytes::from(bytes)))?;
                let mut sender = connect(socket).await.with_context(|| format!("cannot reach the server on {}", socket.display()))?;
                let answer = sender.send_request(request).await.context("the server did not answer")?;
                Ok(answer.map(|body| body.map_err(anyhow::Error::from).boxed_unsync()))
            }
            Self::Inside(server) => {
                let mut request = request.body(Body::from(bytes))?;
                request.extensions_mut().insert(Peer::Operator);
                let router: Router = server.router.clone();
                let answer = router.oneshot(request).await?;
                Ok(answer.map(|body| body.map_err(anyhow::Error::from).boxed_unsync()))
            }
        }
    }

    /// Asks for JSON; a refusal is an error with the server's own sentence.
    pub(super) async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let answer = self.ask(method, path, body).await?;
        let status = answer.status();
        let bytes = whole(answer).await?;
        if !status.is_success() {
            return Err(refusal(status, &bytes));
        }
        if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes).context("the server's answer is not JSON") }
    }

    /// Closes what was opened for the occasion.
    pub(super) async fn close(self) {
        if let Self::Inside(server) = self {
            server.close().await;
        }
    }
}

/// What a refused request is told.
pub(super) fn refusal(status: StatusCode, bytes: &[u8]) -> anyhow::Error {
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let message = body["messages"][0].as_str().unwrap_or("the server gave no reason");
    anyhow::anyhow!("{} ({})", super::table::plain(message), body["code"].as_str().unwrap_or(status.as_str()))
}

/// An answer's body in one piece.
pub(super) async fn whole(answer: Answer) -> anyhow::Result<Bytes> {
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
    Ok(body.collect().await.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes())
}

async fn connect(socket: &Path) -> anyhow::Result<http1::SendRequest<Full<Bytes>>> {
    let stream = UnixStream::connect(socket).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the answer, or with the sender; what breaks it shows in the answer.
    tokio::spawn(connection);
    Ok(sender)
}
