//! Injected secrets: they arrive, and they do not come back.

use std::time::Duration;

use egress::Error;
use http::Request;
use tokio::io::AsyncWriteExt;

use crate::server::{Call, OPEN, Server, body, ok, read_request, text};

const INJECT: &str = "inject = { secret = 'key', header = 'Authorization', format = 'Bearer {}' }";

#[tokio::test]
async fn the_injected_header_replaces_the_guests_own() {
    let server = Server::answering(|_| ok("", "")).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule(INJECT)));
    let request = Request::get(server.url("/")).header("authorization", "forged").header("authorization", "twice").body(body("")).unwrap();

    call.send(request).await.unwrap();

    let seen = server.seen().remove(0);
    assert_eq!(seen.matches("authorization:").count(), 1);
    assert!(seen.contains("authorization: Bearer hush-hush\r\n"), "{seen}");
}

#[tokio::test]
async fn a_server_that_echoes_gives_no_secret_away() {
    let server = Server::answering(|request| ok("x-echo: Bearer hush-hush\r\n", request)).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule(INJECT)));

    let response = call.get(&server.url("/")).await.unwrap();

    assert_eq!(response.headers()["x-echo"], "Bearer *********");
    let text = text(response).await.unwrap();
    assert!(text.contains("authorization: Bearer *********") && !text.contains("hush"), "{text}");
}

#[tokio::test]
async fn an_answer_that_could_hide_the_secret_is_refused() {
    let server = Server::answering(|_| ok("content-encoding: gzip\r\n", "squeezed")).await;
    let request = || Request::get(server.url("/")).header("accept-encoding", "gzip").body(body("")).unwrap();

    let error = Call::new(&format!("{OPEN}{}", server.rule(INJECT))).send(request()).await.err().unwrap();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert!(server.seen()[0].contains("accept-encoding: identity"));

    let plain = Call::new(&format!("{OPEN}{}", server.rule(""))).send(request()).await.unwrap();
    assert_eq!(text(plain).await.unwrap(), "squeezed");
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    let server = Server::answering(|_| b"HTTP/9 hush-hush\r\n\r\n".to_vec()).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule(INJECT)));
    let error = call.get(&server.url("/")).await.err().unwrap();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn a_secret_that_comes_back_in_pieces_is_masked_too() {
    let server = Server::speaking(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        for piece in ["a hu", "sh", "-", "hus", "h b"] {
            let _ = stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await;
            let _ = stream.flush().await;
            // So that each piece is a packet of its own; the outcome is the same if they meet.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let _ = stream.write_all(b"0\r\n\r\n").await;
    })
    .await;
    let call = Call::new(&format!("{OPEN}{}", server.rule(INJECT)));
    assert_eq!(text(call.get(&server.url("/")).await.unwrap()).await.unwrap(), "a ********* b");
}

#[tokio::test]
async fn a_placeholder_is_replaced_in_headers_and_nowhere_else() {
    let server = Server::answering(|request| ok("", request)).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule(""))).hiding("wsec_x", "open-sesame");
    let request = Request::post(server.url("/wsec_x?q=wsec_x")).header("authorization", "Bearer wsec_x").body(body("wsec_x")).unwrap();

    let response = call.send(request).await.unwrap();

    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /wsec_x?q=wsec_x ") && seen.ends_with("\r\n\r\nwsec_x"), "{seen}");
    assert!(seen.contains("authorization: Bearer open-sesame\r\n") && seen.matches("open-sesame").count() == 1, "{seen}");
    let echoed = text(response).await.unwrap();
    assert!(echoed.contains("Bearer ***********") && !echoed.contains("sesame"), "{echoed}");
}

#[tokio::test]
async fn a_redirect_to_another_place_does_not_carry_the_secret() {
    let other = Server::answering(|_| ok("", "there")).await;
    let to = other.url("/");
    let server =
        Server::answering(move |_| format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()).await;
    let call = Call::new(&format!("{OPEN}{}{}", server.rule(""), other.rule(""))).hiding("wsec_x", "open-sesame");
    let request = Request::get(server.url("/")).header("x-api-key", "wsec_x").header("x-other", "1").body(body("")).unwrap();

    assert_eq!(text(call.send(request).await.unwrap()).await.unwrap(), "there");

    assert!(server.seen()[0].contains("x-api-key: open-sesame\r\n"));
    let seen = other.seen().remove(0);
    assert!(seen.contains("x-other: 1\r\n") && !seen.contains("x-api-key") && !seen.contains("sesame"), "{seen}");
}
