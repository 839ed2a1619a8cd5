//! Requests of a real guest, as raw as `wasi:http` lets them be, against small
//! real servers on loopback.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tool::End;

use crate::place::Place;
use crate::probe::{self, error, outcome, outcomes};

/// A listening server and the heads that it was sent.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn speaking<F>(speak: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
        let heads = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let head = head(&mut stream).await;
                heads.lock().unwrap().push(head);
                tokio::spawn(speak(stream));
            }
        });
        Self { port, seen }
    }

    async fn answering(answer: &'static str) -> Self {
        Self::speaking(move |mut stream| async move {
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn rule(&self, more: &str) -> String {
        let Self { port, .. } = self;
        format!(
            "[[plugin.probe.http]]\nhost = '127.0.0.1'\nscheme = 'http'\nport = {port}\nmethods = ['GET', 'POST']\n{more}\n[network]\nprivate = ['127.0.0.0/8']\n"
        )
    }

    fn get(&self, path: &str) -> Value {
        json!({"http": {"authority": format!("127.0.0.1:{}", self.port), "path": path}})
    }

    fn post(&self, bytes: u64) -> Value {
        json!({"http": {"method": "POST", "authority": format!("127.0.0.1:{}", self.port), "path": "/", "body_size": bytes}})
    }
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 1 << 16 {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// The probe, granted a server and with these limits.
async fn limited(server: &Server, limits: &str) -> Place {
    probe::place(&format!("limits = {{ {limits} }}\n{}", server.rule(""))).await
}

#[tokio::test]
async fn a_granted_request_comes_back_and_its_bytes_are_counted() {
    let server = Server::speaking(|mut stream| async move {
        let mut body = vec![0; 7];
        let _ = stream.read_exact(&mut body).await;
        let _ = stream.write_all(OK.as_bytes()).await;
        let _ = stream.shutdown().await;
    })
    .await;
    let place = probe::place(&server.rule("")).await;
    let step = json!({"http": {"method": "POST", "authority": format!("127.0.0.1:{}", server.port), "path": "/x", "headers": [["content-length", "7"]], "body": "sevenby"}});
    let reply = probe::call(&place, json!([step])).await;
    assert!(format!("{:?}", reply.parts).contains("hello"), "{reply:?}");
    assert_eq!((reply.usage.sent_bytes, reply.usage.received_bytes), (7, 5));
}

#[tokio::test]
async fn what_a_rule_does_not_name_never_reaches_a_socket_in_whatever_spelling() {
    let server = Server::answering(OK).await;
    let port = server.port;
    let place = probe::place(&server.rule("paths = ['/a/*']")).await;
    let http = |authority: String, path: &str| json!({"http": {"authority": authority, "path": path}});
    let here = format!("127.0.0.1:{port}");
    let mut steps = vec![json!({"http": {"path": "/a/x"}}), json!({"http": {"scheme": "ftp", "authority": here, "path": "/a/x"}})];
    for path in [
        "/b",
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/..%2fb",
        "/a/..;/b",
        "/a//b",
        "/a\\..\\b",
        "/a/%5c..",
        "/a/x\r\nhost: evil",
        "/a/x HTTP/1.1\r\n",
        "a/x",
        "http://127.0.0.1/a/x",
        "//evil.example/a/x",
        "",
    ] {
        steps.push(http(here.clone(), path));
    }
    for host in [
        "localhost",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.nip.io",
        "１２７.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "user@127.0.0.1",
        "127.0.0.1@evil.example",
        "evil.example#@127.0.0.1",
        "127.0.0.1\\@evil",
        "127.0.0.1%00",
        "127.0.0.1\r\nx: y",
        " 127.0.0.1",
        "127.0.0.1:80:",
    ] {
        steps.push(http(format!("{host}:{port}"), "/a/x"));
    }
    for port in ["", "0", "65536", "+80", "99999999999", "port"] {
        steps.push(http(format!("127.0.0.1:{port}"), "/a/x"));
    }
    for method in ["CONNECT", "TRACE", "PUT", "get", "GET /a/x HTTP/1.1\r\nx: y\r\n\r\nGET"] {
        steps.push(json!({"http": {"method": method, "authority": here, "path": "/a/x"}}));
    }
    let tried = outcomes(&place, steps.clone().into()).await;
    for (step, tried) in steps.iter().zip(&tried) {
        assert!(tried["error"].is_string(), "{step}: {tried}");
    }
    assert_eq!(server.seen(), Vec::<String>::new());
    assert_eq!(outcome(&place, server.get("/a/x")).await["ok"]["text"], "hello", "the check could have failed");
}

#[tokio::test]
async fn headers_that_frame_or_steer_are_never_the_guests() {
    let server = Server::answering(OK).await;
    let place = probe::place(&server.rule("")).await;
    let with = |name: &str, value: &str| json!({"http": {"authority": format!("127.0.0.1:{}", server.port), "path": "/", "headers": [[name, value], ["x-own", "1"]]}});
    for (name, value) in [
        ("host", "evil.example"),
        ("Host", "evil.example"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade, x-own"),
        ("upgrade", "websocket"),
        ("te", "trailers"),
        ("proxy-authorization", "x"),
        ("proxy-connection", "keep-alive"),
        ("keep-alive", "1"),
        ("expect", "100-continue"),
        ("x-evil", "a\r\nhost: evil.example"),
        ("x-evil", "a\nhost: evil.example"),
        ("x-evil\r\nhost", "evil.example"),
        ("x evil", "1"),
        ("", "1"),
        ("content-length", "5, 6"),
        ("content-length", "-1"),
    ] {
        let before = server.seen().len();
        let tried = outcome(&place, with(name, value)).await;
        if tried["error"].is_string() {
            assert_eq!(server.seen().len(), before, "{name}: {value}");
            continue;
        }
        let seen = server.seen().pop().unwrap().to_ascii_lowercase();
        let host = format!("host: 127.0.0.1:{}\r\n", server.port);
        assert_eq!((seen.matches("host:").count(), seen.contains(&host)), (1, true), "{seen}");
        for gone in ["evil", "chunked", "upgrade", "trailers", "proxy-", "keep-alive", "expect"] {
            assert!(!seen.contains(gone), "{gone} in {seen}");
        }
    }
}

#[tokio::test]
async fn each_limit_is_told_apart() {
    let server = Server::answering(OK).await;
    let get = server.get("/");
    let place = limited(&server, "requests = 2").await;
    let tried = outcomes(&place, json!([get, get, get])).await;
    assert_eq!(tried[1]["ok"]["status"], 200);
    assert!(error(&tried[2]).contains("2 requests"), "{}", tried[2]);

    let place = limited(&server, "received = '12B'").await;
    let tried = outcomes(&place, json!([get, get, get])).await;
    assert_eq!((&tried[1]["ok"]["broken"], &tried[2]["ok"]["broken"]), (&Value::Null, &json!("ErrorCode::HttpResponseBodySize(Some(12))")));

    let place = limited(&server, "sent = '100B'").await;
    let sent = outcome(&place, server.post(101)).await;
    assert_eq!(error(&sent), "ErrorCode::HttpRequestBodySize(Some(100))");

    let place = probe::place(&server.rule("response = '4B'")).await;
    assert_eq!(error(&outcome(&place, get.clone()).await), "ErrorCode::HttpResponseBodySize(Some(4))");

    let place = limited(&server, "headers = '1KiB'").await;
    let mut large = get.clone();
    large["http"]["headers"] = json!([["x", "y".repeat(900)], ["z", "y".repeat(900)]]);
    let tried = outcome(&place, large).await;
    assert_eq!(error(&tried), "ErrorCode::HttpRequestHeaderSectionSize(None)");
    let mut larger = get.clone();
    larger["http"]["headers"] = json!([["x", "y".repeat(5_000)]]);
    let reply = probe::call(&place, json!([larger])).await;
    assert!(matches!(&reply.end, End::HostCalls(why) if why.contains("limits.headers")), "{:?}", reply.end);
}

#[tokio::test]
async fn ten_thousand_connections_are_six() {
    let open = Arc::new(Mutex::new((0_u32, 0_u32)));
    let count = open.clone();
    let server = Server::speaking(move |mut stream| {
        let count = count.clone();
        async move {
            {
                let mut open = count.lock().unwrap();
                open.0 += 1;
                open.1 = open.1.max(open.0);
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
            count.lock().unwrap().0 -= 1;
        }
    })
    .await;
    let place = limited(&server, "time = '5min', requests = 10000, handles = 10000").await;
    let request = server.get("/")["http"].clone();
    let reply = probe::call(&place, json!([{"http-many": {"count": 1000, "request": request}}])).await;
    // It waits for connections of its own that it never lets go: either each is told so, or the time of the call is over.
    let told = format!("{:?}", reply.parts).contains("ConnectionLimitReached");
    assert!(told || matches!(reply.end, End::Time(_) | End::HostCalls(_)), "{reply:?}");
    assert_eq!(open.lock().unwrap().1, 6, "limits.connections is 6 where nothing is said");
    let until = Instant::now() + Duration::from_secs(180);
    while open.lock().unwrap().0 > 0 {
        assert!(Instant::now() < until, "connections outlive their call");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What a server may do to hold a call up, each ended by the call's own time.
async fn ends_in_time<F>(speak: impl Fn(TcpStream) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let server = Server::speaking(speak).await;
    let place = limited(&server, "time = '1s', received = '1MiB'").await;
    let reply = probe::call(&place, json!([server.get("/")])).await;
    let over = format!("{:?}", reply.parts);
    assert!(matches!(reply.end, End::Time(1_000)) || over.contains("BodySize") || over.contains("HeaderSectionSize"), "{reply:?}");
    // The guests' threads are free again, for a call with more time.
    probe::allow(&place, "");
    assert_eq!(outcome(&place, json!({"machine": "args"})).await["ok"], json!([]));
}

#[tokio::test]
async fn a_server_that_drips_is_ended_with_the_call() {
    ends_in_time(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_head_that_drips_is_ended_with_the_call() {
    ends_in_time(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_silent_is_ended_with_the_call() {
    ends_in_time(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
}

#[tokio::test]
async fn a_body_without_end_is_ended_at_its_limit() {
    ends_in_time(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await;
}

#[tokio::test]
async fn informational_answers_without_end_are_ended_with_the_call() {
    ends_in_time(|mut stream| async move { while stream.write_all(b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n").await.is_ok() {} }).await;
}

#[tokio::test]
async fn a_head_without_end_is_ended_at_its_limit() {
    ends_in_time(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n").await.is_ok() {}
    })
    .await;
}

#[tokio::test]
async fn an_injected_secret_arrives_in_place_of_the_guests_own_and_never_comes_back() {
    let server = Server::speaking(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx-echo: Bearer hush-hush\r\ncontent-length: 18\r\n\r\nyour hush-hush key").await;
        let _ = stream.shutdown().await;
    })
    .await;
    let place = probe::place("").await;
    std::fs::write(place.directory.path().join("key"), "hush-hush\n").unwrap();
    let inject = "inject = { secret = 'key', header = 'authorization', format = 'Bearer {}' }";
    probe::allow(&place, &format!("{}[secrets.key]\nfrom = 'file:key'\n", server.rule(inject)));
    let mut get = server.get("/");
    get["http"]["headers"] = json!([["Authorization", "forged"]]);
    let tried = outcome(&place, get).await;
    assert_eq!(tried["ok"]["text"], "your ********* key", "{tried}");
    assert!(!tried.to_string().contains("hush"), "{tried}");
    let seen = server.seen().remove(0).to_ascii_lowercase();
    assert!(seen.contains("authorization: bearer hush-hush\r\n") && !seen.contains("forged"), "{seen}");
}
