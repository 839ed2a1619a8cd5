//! Destinations that the operator configured.

use std::time::Duration;

use bytes::Bytes;
use egress::trusted::{Client, Options};
use egress::{Error, Wait};
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::io::AsyncReadExt;

use crate::server::{Server, read_request, write_ok};

fn post(url: &str) -> Request<Full<Bytes>> {
    Request::post(url).body(Full::new(Bytes::from_static(b"{}"))).unwrap()
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() {
    let server = Server::speaking(|mut stream, seen| async move {
        seen.lock().unwrap().push("a connection".to_owned());
        while !read_request(&mut stream).await.is_empty() {
            write_ok(&mut stream, "hello").await;
        }
    })
    .await;
    let client = Client::new(Options::default());
    for _ in 0..3 {
        let response = client.send(post(&server.url("/v1"))).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_destination_that_stays_silent_is_given_up() {
    let server = Server::speaking(|mut stream, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let wait = Duration::from_millis(100);
    let client = Client::new(Options { answer_timeout: wait, ..Default::default() });
    let error = client.send(post(&server.url("/"))).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { what: Wait::FirstByte, after } if after == wait), "{error}");
}

#[tokio::test]
async fn a_destination_that_is_not_there_is_named_without_its_credentials() {
    let error = Client::new(Options::default()).send(post("http://user:pass@127.0.0.1:1/")).await.unwrap_err();
    assert!(matches!(&error, Error::Connect { host, .. } if host == "127.0.0.1:1"), "{error:?}");
    assert!(!error.to_string().contains("pass"), "{error}");
}
