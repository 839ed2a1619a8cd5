//! Redirects: each hop is a request of its own.

use egress::Error;
use http::Request;

use crate::server::{Call, OPEN, Server, body, ok, text};

fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// A server that leads on from `/` to the place, and answers elsewhere.
async fn leading_to(place: &str) -> Server {
    let place = place.to_owned();
    Server::answering(move |request| if request.starts_with("GET / ") { redirect(&place) } else { ok("", "there") }).await
}

#[tokio::test]
async fn a_redirect_to_a_granted_place_is_followed() {
    let server = leading_to("/next?x").await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("")));
    assert_eq!(text(call.get(&server.url("/")).await.unwrap()).await.unwrap(), "there");
    assert!(server.seen()[1].starts_with("GET /next?x HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_redirect_to_a_place_that_was_not_granted_is_denied() {
    for place in ["/other", "https://127.0.0.1/", "http://evil.example/", "http://127.0.0.1:1/next", "/next/../other"] {
        let server = leading_to(place).await;
        let call = Call::new(&format!("{OPEN}{}", server.rule("paths = ['/', '/next*']")));
        let error = call.get(&server.url("/")).await.err().expect("the hop is not granted");
        assert!(matches!(error, Error::Denied(_)), "{place}: {error}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_to_a_closed_address_is_refused() {
    let server = leading_to("http://169.254.169.254/").await;
    let metadata = "[[plugin.fetch.http]]\nhost = '169.254.169.254'\nscheme = 'http'\n";
    let call = Call::new(&format!("{OPEN}{}{metadata}", server.rule("")));
    let error = call.get(&server.url("/")).await.err().unwrap();
    assert!(matches!(error, Error::AddressClosed { .. }), "{error}");
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let server = Server::answering(|_| redirect("/again")).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("")));
    let error = call.get(&server.url("/")).await.err().unwrap();
    assert!(matches!(error, Error::Redirects(3)), "{error}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_redirect_of_a_post_is_handed_back() {
    let server = Server::answering(|_| redirect("/next")).await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("")));
    let response = call.send(Request::post(server.url("/")).body(body("x")).unwrap()).await.unwrap();
    assert_eq!((response.status().as_u16(), server.seen().len()), (302, 1));
}

#[tokio::test]
async fn with_no_redirects_allowed_they_are_handed_back() {
    let server = leading_to("/next").await;
    let call = Call::new(&format!("{OPEN}redirects = 0\n{}", server.rule("")));
    let response = call.get(&server.url("/")).await.unwrap();
    assert_eq!((response.status().as_u16(), server.seen().len()), (302, 1));
}

#[tokio::test]
async fn credentials_stay_behind_when_a_redirect_leads_elsewhere() {
    let other = Server::answering(|_| ok("", "there")).await;
    let server = leading_to(&other.url("/next")).await;
    let inject = "inject = { secret = 'key', header = 'x-key' }";
    let call = Call::new(&format!("{OPEN}{}{}", server.rule(inject), other.rule("")));
    let request =
        Request::get(server.url("/")).header("authorization", "mine").header("cookie", "mine").header("x-own", "1").body(body(""));

    assert_eq!(text(call.send(request.unwrap()).await.unwrap()).await.unwrap(), "there");

    let (first, second) = (server.seen().remove(0), other.seen().remove(0));
    assert!(first.contains("authorization: mine") && first.contains("x-key: hush-hush"), "{first}");
    assert!(!second.contains("mine") && !second.contains("x-key") && second.contains("x-own: 1"), "{second}");
}

#[tokio::test]
async fn a_rule_for_https_does_not_cover_the_way_down_to_http() {
    let plain = Server::answering(|_| ok("", "plain")).await;
    let server = leading_to(&plain.url("/")).await;
    // The place that is led to is granted with TLS alone.
    let https = format!("[[plugin.fetch.http]]\nhost = '127.0.0.1'\nport = {}\n", plain.port());
    let call = Call::new(&format!("{OPEN}{}{https}", server.rule("")));
    let error = call.get(&server.url("/")).await.err().expect("the hop is not granted");
    assert!(matches!(error, Error::Denied(_)), "{error}");
    assert!(plain.seen().is_empty());
}

#[tokio::test]
async fn a_secret_is_injected_again_only_where_a_rule_says_so() {
    let server = leading_to("/next").await;
    let rules =
        format!("{}{}", server.rule("paths = ['/']\ninject = { secret = 'key', header = 'x-key' }"), server.rule("paths = ['/next']"));
    let call = Call::new(&format!("{OPEN}{rules}"));
    assert_eq!(text(call.get(&server.url("/")).await.unwrap()).await.unwrap(), "there");
    let seen = server.seen();
    assert!(seen[0].contains("x-key: hush-hush") && !seen[1].contains("x-key"), "{seen:?}");
}

#[tokio::test]
async fn a_redirect_that_carries_the_secret_in_its_address_carries_it_masked() {
    let server = leading_to("/next?key=hush-hush").await;
    let call = Call::new(&format!("{OPEN}{}", server.rule("inject = { secret = 'key', header = 'x-key' }")));
    call.get(&server.url("/")).await.unwrap();
    assert!(server.seen()[1].starts_with("GET /next?key=********* HTTP/1.1"), "{:?}", server.seen());
}
