//! One connection for one request: TCP to an address that was checked, TLS for
//! the name that was asked for, HTTP/1.1 on top.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use policy::{Floor, HttpPermit, Scheme};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::address::Resolver;
use super::body::Counted;
use crate::error::{self, Error, Part};
use crate::tls::Roots;

/// Addresses of one name that are tried: the wait for all of them together is bounded.
const TRIES_MAX: usize = 4;
/// Headers in an answer; more count as too large.
const HEADERS_MAX: usize = 256;
/// The smallest read buffer that the HTTP library takes.
const BUFFER_BYTES_MIN: usize = 8 << 10;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Opens connections.
#[derive(Clone)]
pub(super) struct Connector {
    tls: TlsConnector,
    resolver: Resolver,
}

/// An open connection. Ends when it is dropped.
pub(super) struct Connection {
    place: String,
    header_bytes_max: u64,
    sender: SendRequest<Counted>,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connector {
    pub(super) fn new(roots: &Roots) -> Self {
        let mut config = roots.config();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // No session outlives its request, so none can tell two calls apart or join them.
        config.resumption = rustls::client::Resumption::disabled();
        Self { tls: TlsConnector::from(Arc::new(config)), resolver: Resolver::default() }
    }

    pub(super) async fn connect(&self, permit: &HttpPermit, floor: &Floor, header_bytes_max: u64) -> Result<Connection, Error> {
        let place = format!("{}:{}", permit.host, permit.port);
        let addresses = self.resolver.resolve(&permit.host, permit.port, floor).await?;
        let tcp = dial(&place, &addresses).await?;
        let stream: Box<dyn Stream> = match permit.scheme {
            Scheme::Http => Box::new(tcp),
            Scheme::Https => Box::new(self.secure(permit, &place, tcp).await?),
        };
        // The library counts the status line too; `check_answer` counts exactly.
        let buffer = usize::try_from(header_bytes_max).unwrap_or(usize::MAX).saturating_add(BUFFER_BYTES_MIN);
        let handshake = http1::Builder::new().max_buf_size(buffer).max_headers(HEADERS_MAX).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| Error::Protocol(error::chain(&error)))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = error::chain(&error), "a guest's connection ended early");
            }
        });
        Ok(Connection { place, header_bytes_max, sender, driver: driver.abort_handle() })
    }

    async fn secure(&self, permit: &HttpPermit, place: &str, tcp: TcpStream) -> Result<impl Stream + use<>, Error> {
        let tls = |why: String| Error::Tls { host: place.to_owned(), why };
        let failed = |error: std::io::Error| match error::find::<rustls::Error>(&error) {
            Some(rustls::Error::InvalidCertificate(why)) => Error::Certificate { host: place.to_owned(), why: why.to_string() },
            _ => tls(error.to_string()),
        };
        let name = match &permit.host {
            policy::Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| tls(error.to_string()))?,
            policy::Host::Address(address) => ServerName::from(*address),
        };
        self.tls.connect(name, tcp).await.map_err(failed)
    }
}

async fn dial(place: &str, addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
    let mut why = String::from("there is no address");
    for address in addresses.iter().take(TRIES_MAX) {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                // Requests are small and waited for; without it the last packet may be held back.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(Error::Connect { host: place.to_owned(), why })
}

impl Connection {
    pub(super) async fn send(&mut self, request: Request<Counted>) -> Result<Response<Incoming>, Error> {
        self.sender.send_request(request).await.map_err(|error| self.told_apart(&error))
    }

    fn told_apart(&self, error: &hyper::Error) -> Error {
        // Our own refusals come back from inside the library's error.
        match error::find::<Error>(error) {
            Some(Error::TooLarge { what, bytes_max }) => Error::TooLarge { what: *what, bytes_max: *bytes_max },
            Some(Error::Request(why)) => Error::Request(why),
            _ if error.is_parse_too_large() => Error::TooLarge { what: Part::ResponseHeaders, bytes_max: self.header_bytes_max },
            _ => Error::Protocol(format!("{}: {}", self.place, error::chain(error))),
        }
    }
}
