//! TLS: the name that was asked for, and the roots that are believed.

use std::sync::Arc;

use egress::guest::Client;
use egress::trusted;
use egress::{Error, Roots};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::server::{Call, OPEN, Server, text, write_ok};

/// A server for `localhost`, and the PEM text of its certificate.
async fn secure_server(protocols: &[&str]) -> (Server, String) {
    server_with(protocols, |_| {}).await
}

/// The same with a certificate of another kind.
async fn server_with(protocols: &[&str], change: impl FnOnce(&mut rcgen::CertificateParams)) -> (Server, String) {
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut parameters);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let made = parameters.self_signed(&signing_key).unwrap();
    let chain = vec![CertificateDer::from(made.der().to_vec())];
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Server::speaking(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let answer =
                service_fn(|_| async { Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(bytes::Bytes::from("safe")))) });
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
        }
    })
    .await;
    (server, made.pem())
}

fn call(server: &Server, roots: &Roots) -> Call {
    let rule = |host: &str| format!("[[plugin.fetch.http]]\nhost = '{host}'\nport = {}\n", server.port());
    let open = OPEN.replace("['127.0.0.0/8']", "['127.0.0.0/8', '::1']");
    let mut call = Call::new(&format!("{open}{}{}", rule("localhost"), rule("127.0.0.1")));
    call.client = Client::new(roots);
    call
}

#[tokio::test]
async fn a_server_with_the_name_and_a_believed_root_is_spoken_to() {
    let (server, pem) = secure_server(&["http/1.1"]).await;
    let call = call(&server, &Roots::default().with_pem(pem.as_bytes()).unwrap());
    let response = call.get(&format!("https://LOCALHOST.:{}/", server.port())).await.unwrap();
    assert_eq!(text(response).await.unwrap(), "safe");
}

#[tokio::test]
async fn another_name_or_an_unknown_root_is_refused() {
    let (server, pem) = secure_server(&["http/1.1"]).await;
    let known = Roots::default().with_pem(pem.as_bytes()).unwrap();
    for (host, roots) in [("127.0.0.1", known), ("localhost", Roots::default())] {
        let error = call(&server, &roots).get(&format!("https://{host}:{}/", server.port())).await.err().unwrap();
        assert!(matches!(error, Error::Certificate { .. }), "{host}: {error}");
        assert!(error.to_string().starts_with(&format!("the certificate of {host}:")), "{error}");
    }
}

#[tokio::test]
async fn a_trusted_destination_is_held_to_its_certificate_too() {
    let (server, pem) = secure_server(&["h2", "http/1.1"]).await;
    let ask = |roots| {
        let client = trusted::Client::new(trusted::Options { roots, ..Default::default() });
        let uri = format!("https://localhost:{}/", server.port());
        async move { client.send(http::Request::get(uri).body(Full::default()).unwrap()).await }
    };
    let response = ask(Roots::default().with_pem(pem.as_bytes()).unwrap()).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "safe");
    let error = ask(Roots::default()).await.unwrap_err();
    assert!(matches!(error, Error::Certificate { .. }), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_no_matter_of_certificates() {
    let plain = Server::speaking(|mut stream, _| async move { write_ok(&mut stream, "plain").await }).await;
    let error = call(&plain, &Roots::default()).get(&format!("https://localhost:{}/", plain.port())).await.err().unwrap();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_that_has_run_out_is_refused() {
    let (server, pem) = server_with(&["http/1.1"], |parameters| {
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    })
    .await;
    let call = call(&server, &Roots::default().with_pem(pem.as_bytes()).unwrap());
    let error = call.get(&format!("https://localhost:{}/", server.port())).await.err().unwrap();
    assert!(matches!(&error, Error::Certificate { why, .. } if why.contains("expired")), "{error}");
}
