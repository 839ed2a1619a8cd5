//! The shape `command`: a program with a `main` that knows nothing of us. It is
//! one tool: its arguments come as JSON on standard input, what it writes to
//! standard output is the answer, and an exit other than zero is a failure.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::{io, mem};

use bytes::Bytes;
use policy::Start;
use tokio::io::AsyncWrite;
use tool::{Reason, Traits};
use wasmtime::Store;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

use crate::bindings::wardian::plugin::types;
use crate::descriptor::Tool;
use crate::functions::{Answer, BYTES, error};
use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::outcome::NoAnswer;

/// The schema of a command whose author gave none: whatever it makes of it.
const ANYTHING: &str = r#"{"type":"object"}"#;

/// How much may be written in one go; the whole is bounded by the limit of the answer.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// The tool of a command, by its manifest. It has the plugin's name.
pub(crate) fn tool(plugin: &str, manifest: &Manifest) -> Tool {
    let unsaid = || format!("The command `{plugin}`. It reads its arguments as JSON.");
    Tool {
        name: tool_name(plugin),
        description: manifest.description.clone().unwrap_or_else(unsaid),
        input: manifest.command.input.clone().unwrap_or_else(|| ANYTHING.to_owned()),
        output: None,
        traits: Traits::default(),
        annotations: None,
    }
}

/// No tool's name has a dash.
fn tool_name(plugin: &str) -> String {
    plugin.replace('-', "_")
}

/// Gives a command what it begins with. Answers where its output will be.
pub(crate) fn prepare(wasi: &mut WasiCtxBuilder, plugin: &str, start: &Start, input: String, bytes_max: u64) -> Output {
    let output = Output { written: Arc::default(), bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX) };
    wasi.arg(plugin).args(&start.arguments).stdin(MemoryInputPipe::new(input.into_bytes())).stdout(output.clone());
    output
}

/// Runs a command in a fresh instance, to its end.
pub(crate) async fn run(pre: &CommandPre<Guest>, store: &mut Store<Guest>) -> wasmtime::Result<Answer> {
    let command = pre.instantiate_async(&mut *store).await?;
    store.data_mut().instantiated = true;
    let status = match command.wasi_cli_run().call_run(&mut *store).await {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => error.downcast_ref::<I32Exit>().map(|exit| exit.0).ok_or(error)?,
    };
    if status == 0 {
        let written = store.data().output.as_ref().map(Output::take).unwrap_or_default();
        return Ok(Ok(part(written).into_iter().collect()));
    }
    let last_words = store.data().log.finish();
    let message = if last_words.is_empty() { format!("the command ended with status {status}") } else { last_words };
    Ok(Err(types::ToolError { code: Some(format!("exit_{status}")), ..error(Reason::Failed, message) }))
}

/// JSON is data, other text is text, and bytes that are neither are a file.
fn part(written: Vec<u8>) -> Option<types::Content> {
    let text = match String::from_utf8(written) {
        Ok(text) => text,
        Err(bytes) => {
            return Some(types::Content::Blob(types::Blob { media_type: BYTES.into(), name: None, bytes: bytes.into_bytes() }));
        }
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return None;
    }
    let is_json = serde_json::from_str::<serde_json::Value>(trimmed).is_ok();
    Some(if is_json { types::Content::Data(trimmed.to_owned()) } else { types::Content::Text(text) })
}

/// What a command writes to its standard output, up to the limit of an answer.
#[derive(Clone)]
pub(crate) struct Output {
    written: Arc<Mutex<Vec<u8>>>,
    bytes_max: usize,
}

impl Output {
    fn take(&self) -> Vec<u8> {
        mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn append(&self, bytes: &[u8]) -> Result<(), NoAnswer> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() + bytes.len() > self.bytes_max {
            return Err(NoAnswer::TooLarge);
        }
        written.extend_from_slice(bytes);
        Ok(())
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Output {
    /// A command that writes more than an answer may have is ended: nothing of it would be passed on.
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes).map_err(|over| StreamError::Trap(over.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.append(bytes).map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_data_text_a_file_or_nothing() {
        let shown = |bytes: &[u8]| part(bytes.to_vec()).map(crate::outcome::content);
        use tool::Content::{Blob, Data, Text};
        assert_eq!(shown(b" {\"a\": 1}\n"), Some(Data("{\"a\": 1}".into())));
        assert_eq!(shown(b"12\n"), Some(Data("12".into())));
        assert_eq!(shown(b"1\n2\n"), Some(Text("1\n2\n".into())), "two values are no JSON");
        assert_eq!(shown("é\n".as_bytes()), Some(Text("é\n".into())));
        assert_eq!(shown(b"\xff\x00"), Some(Blob { media_type: BYTES.into(), name: None, bytes: vec![0xff, 0] }));
        assert_eq!(shown(b" \n"), None);
    }

    #[test]
    fn a_command_is_described_by_its_manifest() {
        let manifest =
            Manifest::parse(b"description = 'Counts words.'\n[command]\ninput = '{\"type\":\"object\",\"required\":[\"text\"]}'\n");
        let described = tool("word-count", &manifest.unwrap());
        assert_eq!((&*described.name, &*described.description), ("word_count", "Counts words."));
        assert!(described.input.contains("required"));
        let described = tool("wc", &Manifest::default());
        assert_eq!((&*described.input, &*described.description), (ANYTHING, "The command `wc`. It reads its arguments as JSON."));
    }

    #[test]
    fn output_beyond_the_limit_is_refused_whole() {
        let output = Output { written: Arc::default(), bytes_max: 4 };
        assert!(output.append(b"abc").is_ok() && output.append(b"de").is_err() && output.append(b"d").is_ok());
        assert_eq!((output.take(), output.take()), (b"abcd".to_vec(), Vec::new()));
    }
}
