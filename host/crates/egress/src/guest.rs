//! Requests of sandboxed tools. Each one, and each redirect it leads to, goes
//! the same way: canonical name, decision, one resolution, every address checked
//! against the floor, a connection to that very address, TLS for the name, the
//! operator's secrets into headers, bytes counted in both directions. A
//! connection serves one request: nothing a guest did stays behind for the next.

mod address;
mod body;
mod connect;
mod headers;
mod mask;
mod meter;
mod placeholders;
mod redirect;
mod target;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Body;
use policy::{Denied, Floor, HttpPermit, HttpRequest, Inject, Secret, SecretError};
use tokio::time::timeout;

use crate::error::{Error, Part, Wait};
use crate::tls::Roots;
use body::Counted;
pub use body::ResponseBody;
use connect::Connector;
use headers::Injected;
use mask::Mask;
pub use meter::Meter;
pub use placeholders::Placeholder;
use target::Target;

/// Any error of a request's body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body, as the guest produces it.
pub type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// Name, connection and TLS together: a host that takes longer is not there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the connection to the head of the answer.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two pieces of an answer: a server that drips holds a connection for nothing.
pub const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(15);

/// What a request asks on its way. Asked again at every hop.
pub trait Gate: Send + Sync {
    /// Whether this hop is allowed. Called once for every hop, before anything
    /// is resolved; must not block.
    fn decide(&self, request: &HttpRequest<'_>) -> Result<HttpPermit, Denied>;

    /// The floor of the network. Called a few times for every hop.
    fn floor(&self) -> &Floor;

    /// The value of a secret that a permit injects. Called once for each
    /// injection of a hop; may read a small file, must not wait.
    fn secret(&self, inject: &Inject) -> Result<Secret, SecretError>;

    /// What the guest may have put into headers in the place of secrets. Called
    /// a few times for every hop; the same for all requests of a call.
    fn placeholders(&self) -> &[Placeholder] {
        &[]
    }
}

/// How long the three waits of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name, connection and TLS together.
    pub connect: Duration,
    /// From the connection to the head of the answer.
    pub first_byte: Duration,
    /// Between two pieces of the answer's body.
    pub between_bytes: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: CONNECT_TIMEOUT, first_byte: FIRST_BYTE_TIMEOUT, between_bytes: BETWEEN_BYTES_TIMEOUT }
    }
}

impl Timeouts {
    /// The shorter of each: a guest may ask for less time, never for more.
    pub fn at_most(self, other: Self) -> Self {
        Self {
            connect: self.connect.min(other.connect),
            first_byte: self.first_byte.min(other.first_byte),
            between_bytes: self.between_bytes.min(other.between_bytes),
        }
    }
}

/// On what terms a request is sent.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Who decides.
    pub gate: &'a dyn Gate,
    /// What the call has used up so far.
    pub meter: &'a Arc<Meter>,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// Sends requests of guests; cheap to clone.
#[derive(Clone)]
pub struct Client {
    connector: Connector,
}

impl Client {
    /// A client that believes these roots.
    pub fn new(roots: &Roots) -> Self {
        Self { connector: Connector::new(roots) }
    }

    /// Sends a request with an absolute URI and waits for the head of the answer.
    /// Redirects of GET and HEAD are followed as far as the floor says, each
    /// decided again; those of other methods are handed back. Dropping the
    /// future, or the answer's body, closes the connection.
    pub async fn send(&self, request: Request<RequestBody>, terms: Terms<'_>) -> Result<Response<ResponseBody>, Error> {
        let (mut head, body) = request.into_parts();
        let mut target = Target::of(&head.uri)?;
        let declared = headers::declared_length(&head.headers, &body)?;
        headers::clean(&mut head.headers);
        let redirects = terms.gate.floor().redirects;
        let follows = redirects > 0 && matches!(head.method, Method::GET | Method::HEAD);
        let mut outgoing = Outgoing { body, declared };
        for _ in 0..=redirects {
            let response = self.exchange(&head, &target, outgoing, terms).await?;
            let next = if follows { redirect::target(&target, &response)? } else { None };
            let Some(next) = next else {
                return Ok(response);
            };
            if !next.same_place(&target) {
                headers::drop_credentials(&mut head.headers);
                placeholders::drop_from(&mut head.headers, terms.gate.placeholders());
            }
            target = next;
            outgoing = Outgoing::empty();
        }
        Err(Error::Redirects(redirects))
    }

    /// One hop.
    async fn exchange(&self, head: &Parts, target: &Target, outgoing: Outgoing, terms: Terms<'_>) -> Result<Response<ResponseBody>, Error> {
        let Terms { gate, meter, timeouts } = terms;
        meter.request()?;
        let permit = gate.decide(&target.as_asked(&head.method)).map_err(|denied| Error::denied(&target.host, denied))?;
        let injected = headers::injected(&permit, gate)?;
        let request = request(head, target, &permit, outgoing, Hidden { injected: &injected, placeholders: gate.placeholders() }, meter)?;
        let slot = meter.slot(timeouts.connect).await?;
        let connecting = self.connector.connect(&permit, gate.floor(), meter.header_bytes_max());
        let mut connection =
            timeout(timeouts.connect, connecting).await.map_err(|_| Error::Timeout { what: Wait::Connect, after: timeouts.connect })??;
        let response = timeout(timeouts.first_byte, connection.send(request))
            .await
            .map_err(|_| Error::Timeout { what: Wait::FirstByte, after: timeouts.first_byte })??;

        let (mut answer, incoming) = response.into_parts();
        let mask = Mask::new(injected.iter().map(|it| &it.secret).chain(gate.placeholders().iter().map(|it| &it.secret)));
        headers::check_answer(&mut answer, meter.header_bytes_max(), &mask)?;
        if incoming.size_hint().lower() > permit.response_bytes_max {
            return Err(Error::TooLarge { what: Part::ResponseBody, bytes_max: permit.response_bytes_max });
        }
        let body = ResponseBody::new(incoming, body::Bounds { bytes_max: permit.response_bytes_max, gap: timeouts.between_bytes })
            .holding(connection, slot)
            .counted(meter.clone())
            .masked(mask);
        Ok(Response::from_parts(answer, body))
    }
}

/// A body on its way out and the length that its guest declared for it.
struct Outgoing {
    body: RequestBody,
    declared: Option<u64>,
}

impl Outgoing {
    fn empty() -> Self {
        Self { body: Empty::new().map_err(|never| match never {}).boxed_unsync(), declared: None }
    }
}

/// What goes into the headers of a hop and is not for the guest to see.
#[derive(Clone, Copy)]
struct Hidden<'a> {
    injected: &'a [Injected],
    placeholders: &'a [Placeholder],
}

/// The request as it goes over the wire of one connection.
fn request(
    head: &Parts,
    target: &Target,
    permit: &HttpPermit,
    outgoing: Outgoing,
    hidden: Hidden<'_>,
    meter: &Arc<Meter>,
) -> Result<Request<Counted>, Error> {
    let mut request = Request::new(Counted::new(outgoing.body, outgoing.declared, meter.clone()));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = target.origin_form()?;
    *request.headers_mut() = headers::outgoing(&head.headers, permit, outgoing.declared, hidden)?;
    if headers::size(request.headers()) > meter.header_bytes_max() {
        return Err(Error::TooLarge { what: Part::RequestHeaders, bytes_max: meter.header_bytes_max() });
    }
    Ok(request)
}
