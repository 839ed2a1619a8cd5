//! What is bounded: bytes, time, requests, connections.

use std::time::Duration;

use egress::{Error, Part, Wait};
use http::Request;
use policy::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Call, OPEN, Server, body, ok, read_request, text};

/// How long a wait is that ends in vain.
const SHORT: Duration = Duration::from_millis(100);

fn too_large(error: &Error, part: Part) -> bool {
    matches!(error, Error::TooLarge { what, .. } if *what == part)
}

#[tokio::test]
async fn an_answer_that_announces_too_much_is_refused_before_its_body() {
    let server = Server::answering(|_| ok("", &"x".repeat(11))).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("response = '10B'")));
    let error = call.get(&server.url("/")).await.err().expect("it is too large");
    assert!(too_large(&error, Part::ResponseBody), "{error}");
    assert_eq!(error.to_string(), "the answer's body is over the 10 bytes of its rule's `response`");
}

#[tokio::test]
async fn an_answer_without_a_length_is_cut_off_at_its_limit() {
    let server = Server::answering(|_| b"HTTP/1.1 200 OK\r\n\r\nmore than ten bytes".to_vec()).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("response = '10B'")));
    let error = text(call.get(&server.url("/")).await.unwrap()).await.unwrap_err();
    assert!(too_large(&error, Part::ResponseBody), "{error}");
}

#[tokio::test]
async fn the_bytes_of_all_requests_of_a_call_count_together() {
    let server = Server::answering(|_| ok("", "sixsix")).await;
    let limits = Limits { received_bytes: 10, sent_bytes: 10, ..Limits::default() };
    let call = Call::within(&format!("{OPEN}{}", server.rule("")), limits);
    let post = || Request::post(server.url("/")).body(body("sixsix")).unwrap();

    let first = call.send(post()).await.unwrap();
    let second = call.send(post()).await.err().expect("the second body is too much");
    assert!(too_large(&second, Part::RequestBodies), "{second}");
    assert!(second.to_string().ends_with("limits.sent"), "{second}");
    assert_eq!(text(first).await.unwrap(), "sixsix");
    let third = text(call.get(&server.url("/")).await.unwrap()).await.unwrap_err();
    assert!(too_large(&third, Part::ResponseBodies), "{third}");
    assert!(third.to_string().ends_with("limits.received"), "{third}");
    assert!(call.meter.sent() >= 6 && call.meter.received() >= 6);
}

#[tokio::test]
async fn large_headers_are_refused_both_ways() {
    let server = Server::answering(|_| ok(&format!("x: {}\r\n", "y".repeat(2000)), "")).await;
    let limits = Limits { header_bytes: 1000, ..Limits::default() };
    let call = Call::within(&format!("{OPEN}{}", server.rule("")), limits);
    let answer = call.get(&server.url("/")).await.err().unwrap();
    assert!(too_large(&answer, Part::ResponseHeaders), "{answer}");
    let own = call.send(Request::get(server.url("/")).header("x", "y".repeat(2000)).body(body("")).unwrap()).await.err().unwrap();
    assert!(too_large(&own, Part::RequestHeaders), "{own}");
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let server = Server::speaking(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n").await.is_ok() {}
    })
    .await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("")));
    let error = call.get(&server.url("/")).await.err().unwrap();
    assert!(too_large(&error, Part::ResponseHeaders), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = Server::speaking(|mut stream, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let call = Call::new(&format!("{OPEN}{}", server.rule(""))).impatient(Wait::FirstByte, SHORT);
    let error = call.get(&server.url("/")).await.err().unwrap();
    assert!(matches!(error, Error::Timeout { what: Wait::FirstByte, after: SHORT }), "{error}");
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_is_given_up() {
    let server = Server::speaking(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let call = Call::new(&format!("{OPEN}{}", server.rule(""))).impatient(Wait::NextBytes, SHORT);
    let error = text(call.get(&server.url("/")).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { what: Wait::NextBytes, after: SHORT }), "{error}");
}

#[tokio::test]
async fn a_server_that_never_speaks_tls_is_given_up() {
    let server = Server::speaking(|mut stream, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let rule = format!("[[plugin.fetch.http]]\nhost = '127.0.0.1'\nport = {}\n", server.port());
    let call = Call::new(&format!("{OPEN}{rule}")).impatient(Wait::Connect, SHORT);
    let error = call.get(&format!("https://127.0.0.1:{}/", server.port())).await.err().unwrap();
    assert!(matches!(error, Error::Timeout { what: Wait::Connect, after: SHORT }), "{error}");
}

#[tokio::test]
async fn a_call_has_a_bounded_number_of_requests() {
    let server = Server::answering(|_| ok("", "")).await;
    let call = Call::within(&format!("{OPEN}{}", server.rule("")), Limits { requests: 2, ..Limits::default() });
    for _ in 0..2 {
        call.get(&server.url("/")).await.unwrap();
    }
    let error = call.get(&server.url("/")).await.err().unwrap();
    assert!(matches!(error, Error::Requests(2)) && error.to_string().contains("limits.requests"), "{error}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_call_holds_a_bounded_number_of_connections() {
    let server = Server::answering(|_| ok("", "hello")).await;
    let limits = Limits { connections: 1, ..Limits::default() };
    let mut call = Call::within(&format!("{OPEN}{}", server.rule("")), limits);
    let held = call.get(&server.url("/")).await.unwrap();
    let patient = std::mem::replace(&mut call.timeouts.connect, SHORT);
    let error = call.get(&server.url("/")).await.err().unwrap();
    assert!(matches!(error, Error::Connections(1)) && error.to_string().contains("limits.connections"), "{error}");
    drop(held);
    call.timeouts.connect = patient;
    assert!(call.get(&server.url("/")).await.is_ok());
}
