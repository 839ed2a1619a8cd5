//! `wardian mcp`: the door for clients of MCP over standard input and output,
//! for those that start their servers themselves. Each line is handed to `/mcp`
//! of the running server, or of one in this process, and what comes back is a
//! line again; nothing else is ever written to standard output.

mod lines;
mod message;

use std::cell::RefCell;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Method;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use tokio::io::{AsyncWriteExt, Stdout};
use tokio::sync::Mutex;

use super::access::{Access, Answer, Missing, whole};
use super::frames::Frames;
use crate::config::Settings;
use lines::{Line, Lines};

/// Messages that are on their way at once. One more waits until another is answered: a client has no use for more,
/// and each holds a connection to the server.
const AT_ONCE: usize = 64;

/// By which the server tells this client's requests from others'.
const SESSION: &str = "mcp-session-id";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A client of MCP starts this by itself, from its own configuration:
  {\"mcpServers\": {\"wardian\": {\"command\": \"wardian\", \"args\": [\"mcp\", \"--config\", \"/path/to/wardian.toml\"]}}}

The tools offered are those of plugins whose entry in wardian.toml names the agent mcp:
  [plugin.calculator]
  agents = [\"*\", \"mcp\"]")]
pub(super) struct Args {}

pub(super) async fn run(Args {}: Args, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach_or(&settings, Missing::Make).await?;
    let done = bridge(&server, Lines::of_stdin(settings.server.body_bytes)).await;
    server.close().await;
    done
}

/// Carries messages until there are no more, and waits for the answers that are still to come.
async fn bridge(server: &Access, mut lines: Lines) -> anyhow::Result<()> {
    let client = Client { server, session: RefCell::default(), out: Mutex::new(tokio::io::stdout()) };
    let (mut running, mut more) = (FuturesUnordered::new(), true);
    while more || !running.is_empty() {
        tokio::select! {
            line = lines.next(), if more && running.len() < AT_ONCE => match line {
                Line::Text(text) if text.trim().is_empty() => {}
                Line::Text(text) => running.push(client.carry(text)),
                Line::TooLong(bytes_max) => {
                    let why = format!("a message may be at most {bytes_max} bytes long; server.body sets that");
                    client.write(&message::refused(None, &why)).await?;
                }
                Line::End => more = false,
            },
            Some(done) = running.next() => done?,
        }
    }
    Ok(())
}

/// The client at the other end of the pipe.
struct Client<'a> {
    server: &'a Access,
    session: RefCell<Option<String>>,
    out: Mutex<Stdout>,
}

impl Client<'_> {
    /// Hands over one message and writes what comes of it.
    async fn carry(&self, text: String) -> anyhow::Result<()> {
        let session = self.session.borrow().clone();
        let mut headers = vec![("accept", "application/json, text/event-stream")];
        headers.extend(session.as_deref().map(|session| (SESSION, session)));
        match self.server.send_with(Method::POST, "/mcp", &headers, Some(text.clone())).await {
            Ok(answer) => self.answered(&text, answer).await,
            Err(error) => self.failed(&text, &format!("{error:#}")).await,
        }
    }

    async fn answered(&self, text: &str, answer: Answer) -> anyhow::Result<()> {
        let (status, headers) = (answer.status(), answer.headers());
        if let Some(session) = headers.get(SESSION).and_then(|session| session.to_str().ok()) {
            self.session.replace(Some(session.to_owned()));
        }
        if headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return self.streamed(text, answer).await;
        }
        let body = match whole(answer).await {
            Ok(body) => body,
            Err(error) => return self.failed(text, &format!("{error:#}")).await,
        };
        match String::from_utf8(body.to_vec()) {
            // A notification has no answer.
            Ok(body) if body.is_empty() => Ok(()),
            Ok(body) if status.is_success() => self.write(&body).await,
            Ok(body) => self.write(&message::readdressed(text, body)).await,
            Err(_) => self.failed(text, "the server's answer is not text").await,
        }
    }

    async fn streamed(&self, text: &str, answer: Answer) -> anyhow::Result<()> {
        let (mut body, mut frames) = (answer.into_body(), Frames::default());
        while let Some(piece) = body.frame().await {
            let bytes = match piece {
                Ok(piece) => piece.into_data().unwrap_or_default(),
                Err(error) => return self.failed(text, &format!("the answer broke off: {error}")).await,
            };
            let messages = match frames.push(&bytes) {
                Ok(messages) => messages,
                // This answer is lost, and no other: the rest of it is left unread.
                Err(error) => return self.failed(text, &format!("the answer cannot be read: {error:#}")).await,
            };
            for message in messages {
                self.write(&message).await?;
            }
        }
        Ok(())
    }

    /// A message came to nothing on its way: whoever waits for an answer is told, and the log where nobody does.
    async fn failed(&self, text: &str, why: &str) -> anyhow::Result<()> {
        match message::id(text) {
            Some(id) => self.write(&message::refused(Some(&id), why)).await,
            None => {
                tracing::error!("a notification did not reach the server: {why}");
                Ok(())
            }
        }
    }

    async fn write(&self, message: &str) -> anyhow::Result<()> {
        let mut out = self.out.lock().await;
        out.write_all(message.as_bytes()).await?;
        out.write_all(b"\n").await?;
        Ok(out.flush().await?)
    }
}
