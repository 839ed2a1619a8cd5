//! What a request that fails asks of the caller: the same in every SDK whose answers are made
//! in a component. (That of Rust is held to the same table by tests of its own.)

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::net::TcpSocket;

use super::{shell, typed};

const C: &str = r#"#include "wardian.h"

static const wardian_tool tools[] = {{
    .name = "fetch",
    .description = "Fetches an address.",
    .input = "{\"type\": \"object\", \"properties\": {\"url\": {\"type\": \"string\"}}, \"required\": [\"url\"]}",
}};

const wardian_tool *wardian_tools(size_t *count) {
  *count = 1;
  return tools;
}

bool wardian_invoke(const char *tool, const wardian_json *input) {
  (void)tool;
  wardian_response response;
  if (!wardian_http_get(wardian_get_string(input, "url", ""), &response)) return false;
  return wardian_text(response.body.data);
}
"#;

const GO: &str = r#"package main

import "wardian.dev/plugin"

type Fetch struct {
	URL string `json:"url" doc:"Where."`
}

func init() {
	plugin.Tool("fetch", "Fetches an address.", func(in Fetch) (plugin.Text, error) {
		response, err := plugin.HTTP.Get(in.URL)
		return plugin.Text(response.Body), err
	})
}

func main() {}
"#;

const PYTHON: &str = r#"from wardian_plugin import http, tool


@tool
def fetch(url: str) -> str:
    """Fetches an address."""
    return http.get(url).text
"#;

const JS: &str = r#"import { http, s, tool } from "@wardian/plugin";

tool({ name: "fetch", description: "Fetches an address.", input: s.object({ url: s.string("Where.") }) }, ({ url }) => http.get(url).text());
"#;

/// A project whose one tool fetches what it is told to.
async fn fetching(place: &Path, language: &str) -> Result<()> {
    let (file, source) = match language {
        "c" => ("src/*.c", C),
        "go" => ("main.go", GO),
        "python" => ("src/*.py", PYTHON),
        _ => ("src/index.js", JS),
    };
    let plain = if language == "js" { "--plain" } else { "" };
    typed(place, &format!("wardian new {language}-fetch --lang {language} {plain}")).await?;
    let project = place.join(format!("{language}-fetch"));
    std::fs::write(place.join("source"), source)?;
    typed(&project, &format!("for file in {file}; do cp ../source \"$file\"; done; wardian build")).await.map(drop)
}

/// A server that answers a few paths in ways of its own, for as long as the test lives.
fn serve() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                let read = client.read(&mut head).unwrap_or_default();
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                // Whoever does not want the rest goes away.
                let _ = match head.split_whitespace().nth(1) {
                    Some("/big") => client
                        .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                        .and_then(|()| (0..512).try_for_each(|_| client.write_all(&[b'x'; 65_536]))),
                    Some("/short") => client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nconnection: close\r\n\r\nabc"),
                    _ => client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"),
                };
            });
        }
    });
    Ok(port)
}

#[tokio::test]
async fn a_request_that_fails_asks_the_same_of_the_caller_in_every_language() -> Result<()> {
    let place = tempfile::tempdir()?;
    let port = serve()?;
    // Held to the end and never listened on: a port that was let go could be another test's by then.
    let held = TcpSocket::new_v4()?;
    held.bind("127.0.0.1:0".parse()?)?;
    let closed = held.local_addr()?.port();
    for language in ["c", "go", "python", "js"] {
        fetching(place.path(), language).await?;
        for (url, end) in [
            (format!("http://127.0.0.1:{port}/"), "done"),
            (format!("http://127.0.0.1:{port}/big"), "refused"),
            (format!("http://127.0.0.1:{port}/short"), "failed"),
            (format!("http://127.0.0.1:{closed}/"), "unavailable"),
            ("http://elsewhere.example/".to_owned(), "unauthorized"),
            ("nonsense".to_owned(), "invalid_input"),
            ("http://a b/".to_owned(), "invalid_input"),
            ("http://[".to_owned(), "invalid_input"),
        ] {
            let grants = [port, closed].map(|port| format!("--grant 'http GET http://127.0.0.1:{port}/*'")).join(" ");
            let script = format!("wardian call {language}-fetch fetch '{{\"url\": \"{url}\"}}' --json --network 127.0.0.1/32 {grants}");
            let output = shell(place.path(), &script)?.output().await?;
            let called: Value = serde_json::from_slice(&output.stdout)
                .with_context(|| format!("{language} {url}: {}", String::from_utf8_lossy(&output.stderr)))?;
            assert_eq!(called["end"], end, "{language} {url}: {called}");
        }
    }
    Ok(())
}
