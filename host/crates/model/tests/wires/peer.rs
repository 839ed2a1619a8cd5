//! A provider that says exactly what it is told to, one answer a connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One answer. The pieces are HTTP chunks, so the reader gets them cut exactly there.
pub(crate) struct Answer {
    head: String,
    pieces: Vec<Vec<u8>>,
    ending: Ending,
}

/// How a connection goes on after the pieces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The body ends as it should.
    Proper,
    /// The connection is closed in mid-body.
    Cut,
    /// Nothing comes any more.
    Silence,
}

impl Answer {
    fn new(status: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n");
        Self { head, pieces: vec![body.into()], ending: Ending::Proper }
    }

    /// An event stream.
    pub(crate) fn events(body: impl Into<Vec<u8>>) -> Self {
        Self::new("200 OK", "text/event-stream; charset=utf-8", body)
    }

    /// JSON values as `data:` events, and `[DONE]`.
    pub(crate) fn chunks(chunks: &[Value]) -> Self {
        Self::events(data(chunks) + "data: [DONE]\n\n")
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::new("200 OK", "application/json", body.to_string())
    }

    pub(crate) fn status(status: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    pub(crate) fn of_type(content_type: &str, body: &str) -> Self {
        Self::new("200 OK", content_type, body)
    }

    pub(crate) fn header(mut self, line: &str) -> Self {
        self.head.push_str(line);
        self.head.push_str("\r\n");
        self
    }

    /// The body as two pieces.
    pub(crate) fn split_at(mut self, at: usize) -> Self {
        let body = self.pieces.concat();
        let (a, b) = body.split_at(at.min(body.len()));
        self.pieces = vec![a.to_vec(), b.to_vec()];
        self
    }

    /// The body byte by byte.
    pub(crate) fn in_bytes(mut self) -> Self {
        self.pieces = self.pieces.concat().chunks(1).map(<[u8]>::to_vec).collect();
        self
    }

    pub(crate) fn then_cut(self) -> Self {
        Self { ending: Ending::Cut, ..self }
    }

    pub(crate) fn then_silence(self) -> Self {
        Self { ending: Ending::Silence, ..self }
    }
}

/// Events of these values, without an end.
pub(crate) fn data(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

/// What the peer was asked.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Request {
    /// Whether the head holds a line, in any case of letters.
    pub(crate) fn has_line(&self, line: &str) -> bool {
        self.head.lines().any(|l| l.eq_ignore_ascii_case(line))
    }
}

/// The listening side.
pub(crate) struct Peer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    pub(crate) async fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            let mut silent = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                if let Some(request) = read(&mut stream).await {
                    seen.lock().unwrap().push(request);
                }
                // A client that has heard enough may hang up.
                let _ = write(&mut stream, &answer).await;
                if answer.ending == Ending::Silence {
                    silent.push(stream);
                }
            }
            // Whoever asks once more is refused: the listener goes, the silent ones stay.
            drop(listener);
            std::future::pending::<()>().await;
        });
        Self { address, requests, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                let text = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                let body = serde_json::from_str(&text).unwrap_or_default();
                return Some(Request { head, text, body });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn write(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    stream.write_all(format!("{}\r\n", answer.head).as_bytes()).await?;
    for piece in answer.pieces.iter().filter(|piece| !piece.is_empty()) {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        stream.write_all(piece).await?;
        stream.write_all(b"\r\n").await?;
    }
    if answer.ending == Ending::Proper {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    stream.flush().await
}
