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
    let odd = [
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.256",
        "[::1%25lo]",
        "[fe80::1%25eth0]",
        "[::ffff:127.1]",
        "%31%32%37.0.0.1",
        "127.0.0.1%00.example.com",
        "1.2.3.4.5",
        "0",
        "0x",
    ];
    for host in odd {
        let Ok(request) = Request::get(format!("http://{host}:{port}/")).body(body("")) else { continue };
        let error = call.send(request).await.err().expect("it is no host");
        assert!(matches!(error, Error::Denied(_) | Error::Request(_)), "{host}: {error}");
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

#[tokio::test]
async fn every_special_range_is_closed_also_where_a_rule_names_it() {
    let server = Server::answering(|_| ok("", "")).await;
    let closed = [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[100::1]",
        "[2001::1]",
        "[2001:db8::1]",
        "[2002:7f00:1::]",
        "[3fff::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ];
    let rule = |host: &str| format!("[[plugin.fetch.http]]\nhost = '{host}'\nscheme = 'http'\nport = {}\n", server.port());
    let call = Call::within(&closed.map(rule).concat(), policy::Limits { requests: 100, ..Default::default() });
    for host in closed {
        let error = call.get(&format!("http://{host}:{}/", server.port())).await.err().expect("it is closed");
        assert!(matches!(error, Error::AddressClosed { .. }), "{host}: {error}");
        assert!(error.to_string().contains("[network]"), "{error}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_private_range_opens_on_purpose_and_only_as_far_as_it_says() {
    let server = Server::answering(|_| ok("", "hello")).await;
    let rules = format!("{}{}", server.rule(""), server.rule("").replace("127.0.0.1", "127.0.0.2"));
    let call = Call::new(&format!("[network]\nprivate = ['127.0.0.1']\n{rules}"));
    assert_eq!(text(call.get(&server.url("/")).await.unwrap()).await.unwrap(), "hello");
    let other = call.get(&server.url("/").replace("127.0.0.1", "127.0.0.2")).await.err().unwrap();
    assert!(matches!(other, Error::AddressClosed { .. }), "{other}");
}

#[tokio::test]
async fn a_path_that_servers_read_differently_is_refused_and_never_mended() {
    let server = Server::answering(|_| ok("", "")).await;
    let call = Call::within(&format!("{OPEN}{}", server.rule("")), policy::Limits { requests: 100, ..Default::default() });
    for path in [
        "/a/../b",
        "/a/./b",
        "/..",
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a/.%2e/b",
        "/a/..;x/b",
        "/a/..%3bx/b",
        "//a",
        "/a//b",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a%00b",
        "/a%zz",
        "/a%2",
    ] {
        let Ok(request) = Request::get(server.url(path)).body(body("")) else { continue };
        let error = call.send(request).await.err().expect("it is refused");
        assert!(matches!(error, Error::Denied(_) | Error::Request(_)), "{path}: {error}");
    }
    assert!(server.seen().is_empty());
}
