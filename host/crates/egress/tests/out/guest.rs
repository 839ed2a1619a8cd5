//! What is let out, and where it arrives.

use std::sync::Arc;

use bytes::Bytes;
use egress::Error;
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;

use crate::server::{Call, OPEN, Server, body, ok, read_request, text, write_ok};

#[tokio::test]
async fn a_granted_request_arrives_and_is_answered() {
    let server = Server::answering(|_| ok("x-answer: yes\r\n", "hello")).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("")));
    let request = Request::post(server.url("/a/b?c=d")).header("x-own", "1").body(body("question")).unwrap();

    let response = call.send(request).await.unwrap();

    assert_eq!((response.status().as_u16(), &response.headers()["x-answer"]), (200, &"yes".parse().unwrap()));
    assert_eq!(text(response).await.unwrap(), "hello");
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /a/b?c=d HTTP/1.1\r\n") && seen.ends_with("\r\n\r\nquestion"), "{seen}");
    assert!(seen.contains("x-own: 1\r\n") && seen.contains(&format!("host: 127.0.0.1:{}\r\n", server.port())), "{seen}");
}

#[tokio::test]
async fn what_was_not_granted_never_reaches_a_socket() {
    let server = Server::answering(|_| ok("", "")).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("paths = ['/a/*']")));
    for url in [server.url("/b"), server.url("/a/../b"), server.url("/a/%2e%2e/b"), format!("http://localhost:{}/a/x", server.port())] {
        let error = call.get(&url).await.err().expect("it is not granted");
        assert!(matches!(error, Error::Denied(_)), "{url}: {error}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_closed_address_is_refused_under_every_name() {
    let server = Server::answering(|_| ok("", "")).await;
    let port = server.port();
    let rule = |host: &str| format!("[[plugin.fetch.http]]\nhost = '{host}'\nscheme = 'http'\nport = {port}\n");
    let call = Call::new(&["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.0"].map(rule).concat());
    for host in ["localhost", "LOCALHOST.", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "169.254.169.254", "0.0.0.0"] {
        let error = call.get(&format!("http://{host}:{port}/")).await.err().expect("it is closed");
        assert!(matches!(error, Error::AddressClosed { .. }), "{host}: {error}");
    }
    for host in ["127.1", "2130706433", "0x7f000001", "0177.0.0.1"] {
        let error = call.get(&format!("http://{host}:{port}/")).await.err().expect("it is no host");
        assert!(matches!(error, Error::Denied(_)), "{host}: {error}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_host_header_and_the_framing_are_ours() {
    let server = Server::answering(|_| ok("", "")).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("")));
    let request = Request::post(server.url("/"))
        .header("host", "evil.example")
        .header("transfer-encoding", "chunked")
        .header("connection", "x-hop, upgrade")
        .header("upgrade", "websocket")
        .header("x-hop", "1")
        .body(body("abc"))
        .unwrap();

    call.send(request).await.unwrap();

    let seen = server.seen().remove(0);
    for gone in ["evil.example", "chunked", "upgrade", "x-hop"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    assert!(seen.contains("content-length: 3\r\n"), "{seen}");
}

#[tokio::test]
async fn user_info_is_refused() {
    let call = Call::new(OPEN);
    let error = call.get("http://user:pass@127.0.0.1/").await.err().unwrap();
    assert!(matches!(error, Error::Request(_)), "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_its_declared_length_breaks_the_request() {
    let server = Server::answering(|_| ok("", "")).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("")));
    let post = |declared: &str| Request::post(server.url("/")).header("content-length", declared).body(pieces(["ab", "cd"])).unwrap();
    for declared in ["1", "5"] {
        let error = call.send(post(declared)).await.err().expect("the length is wrong");
        assert!(matches!(error, Error::Request(_)), "{declared}: {error}");
    }
    // What comes after the declared end is never sent, so it cannot pass for a second request.
    call.send(post("2")).await.unwrap();
    assert!(server.seen().iter().all(|request| !request.contains("cd") || request.contains("content-length: 5")));
}

/// A body in pieces, of unknown length.
fn pieces(pieces: [&'static str; 2]) -> egress::guest::RequestBody {
    let frames = pieces.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
    StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync()
}

#[tokio::test]
async fn a_body_of_unknown_length_is_sent_in_chunks() {
    let server = Server::answering(|_| ok("", "")).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("")));
    call.send(Request::post(server.url("/")).body(pieces(["ab", "cd"])).unwrap()).await.unwrap();
    let seen = server.seen().remove(0);
    assert!(seen.contains("transfer-encoding: chunked") && seen.contains("2\r\nab\r\n"), "{seen}");
}

#[tokio::test]
async fn dropping_an_answer_closes_its_connection() {
    let closed = Arc::new(Notify::new());
    let notify = closed.clone();
    let server = Server::speaking(move |mut stream, _| {
        let notify = notify.clone();
        async move {
            read_request(&mut stream).await;
            write_ok(&mut stream, "hello").await;
            let end = stream.read(&mut [0; 16]).await;
            if !matches!(end, Ok(1..)) {
                notify.notify_one();
            }
        }
    })
    .await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("")));
    drop(call.get(&server.url("/")).await.unwrap());
    closed.notified().await;
}

#[tokio::test]
async fn a_host_that_refuses_connections_is_named() {
    let server = Server::answering(|_| ok("", "")).await;
    // Nobody listens at the port below the first ones that can be had without rights.
    let call = Call::new(&format!("{OPEN}[[plugin.fetch.http]]\nhost = '127.0.0.1'\nscheme = 'http'\nport = 1\n{}", server.rule("")));
    let error = call.get("http://127.0.0.1:1/").await.err().unwrap();
    assert!(matches!(&error, Error::Connect { host, .. } if host == "127.0.0.1:1"), "{error}");
}
