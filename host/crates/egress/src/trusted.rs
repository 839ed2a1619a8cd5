//! Requests to destinations that the operator configured, such as model
//! providers. They are believed: any address is reached, no body is bounded, and
//! redirects are handed back as they are. Connections are kept and shared.
//!
//! ```no_run
//! # async fn ask() -> Result<(), egress::Error> {
//! use bytes::Bytes;
//! use egress::trusted::{Client, Options};
//! use http_body_util::Full;
//!
//! let client = Client::new(Options::default());
//! let request = http::Request::post("https://models.example/v1/chat/completions").body(Full::new(Bytes::from("{}"))).expect("valid");
//! let response = client.send(request).await?;
//! # Ok(()) }
//! ```

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::error::{self, Error, Wait};
use crate::tls::Roots;

/// How long an unused connection is kept: shorter than the five seconds after
/// which common servers close theirs, so that a request seldom meets a closing one.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// Unused connections kept for one host; more would only be idle sockets.
const POOL_IDLE_PER_HOST: usize = 64;
/// When an open connection begins to ask whether the other side is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How to reach out.
#[derive(Debug, Clone)]
pub struct Options {
    /// For the TCP connection.
    pub connect_timeout: Duration,
    /// From the request to the head of the answer, connecting included. Long,
    /// because a model may think before its first word; a silent provider must still end.
    pub answer_timeout: Duration,
    /// Whom to believe.
    pub roots: Roots,
}

impl Default for Options {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), answer_timeout: Duration::from_secs(600), roots: Roots::default() }
    }
}

/// A pool of connections; cheap to clone, clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    answer_timeout: Duration,
}

impl Client {
    /// Opens nothing yet.
    pub fn new(options: Options) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(options.connect_timeout));
        tcp.set_keepalive(Some(KEEP_ALIVE));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(options.roots.config()).https_or_http().enable_all_versions().wrap_connector(tcp);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
            .build(connector);
        Self { inner, answer_timeout: options.answer_timeout }
    }

    /// Sends a request and waits for the head of the answer. The URI is absolute.
    /// Dropping the future, or the answer's body, gives the exchange up.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        let host = request.uri().authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default().to_owned());
        match tokio::time::timeout(self.answer_timeout, self.inner.request(request)).await {
            Ok(answer) => answer.map_err(|error| told_apart(host.unwrap_or_default(), &error)),
            Err(_) => Err(Error::Timeout { what: Wait::FirstByte, after: self.answer_timeout }),
        }
    }
}

fn told_apart(host: String, error: &legacy::Error) -> Error {
    let why = error::chain(error);
    match error::find::<rustls::Error>(error) {
        Some(rustls::Error::InvalidCertificate(why)) => return Error::Certificate { host, why: why.to_string() },
        Some(_) => return Error::Tls { host, why },
        None => {}
    }
    if !error.is_connect() {
        return Error::Protocol(why);
    }
    if why.contains("dns error") { Error::Dns { host, why } } else { Error::Connect { host, why } }
}
