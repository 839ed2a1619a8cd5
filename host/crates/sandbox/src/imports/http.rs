//! `wasi:http`: every request of a guest passes the policy, hop by hop, and
//! leaves through egress. A denial is the answer `HTTP-request-denied`.

mod tape;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egress::guest::{Client, Gate, Meter, Placeholder, Terms, Timeouts};
use egress::{Part, Roots, Wait};
use http_body_util::BodyExt;
use policy::{Denied, Floor, HttpPermit, HttpRequest, Inject, Limits, Secret, SecretError};
use tool::Sign;
use tool::tape::{Answer, Tape};
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::guest::Guest;
use crate::imports::secrets;
use crate::reach::Scope;

/// The interface whose `http-error-code` is replaced.
const TYPES: &str = "wasi:http/types@0.2.12";

/// The linked `http-error-code` knows why a request failed, but not why a body
/// broke off: a guest could not tell a limit from a broken connection.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap("http-error-code", |mut store, (error,): (Resource<IoError>,)| {
        let guest: &mut Guest = store.data_mut();
        let error = guest.table.get(&error)?;
        let code = error.downcast_ref::<Error>().and_then(broken_off);
        Ok((code.or_else(|| error.downcast_ref::<ErrorCode>().cloned()),))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The codes that a body of ours breaks off with.
fn broken_off(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::HttpResponseBodySize(bytes) => Some(ErrorCode::HttpResponseBodySize(*bytes)),
        Error::HttpResponseTimeout => Some(ErrorCode::HttpResponseTimeout),
        Error::HttpProtocolError => Some(ErrorCode::HttpProtocolError),
        _ => None,
    }
}

/// What all calls share to send requests with.
pub(crate) type Egress = Client;

/// A client that believes the public roots.
pub(crate) fn egress() -> Egress {
    Client::new(&Roots::default())
}

/// The requests of one call.
pub(crate) struct Requests(Option<Way>);

/// How a call's requests leave.
struct Way {
    client: Egress,
    scope: Arc<Scope>,
    limits: Limits,
    tape: Option<Arc<dyn Tape>>,
}

impl Requests {
    /// All requests are denied.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Bytes of request and of response bodies so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        self.0.as_ref().map_or((0, 0), |way| way.scope.bytes())
    }

    /// Requests are decided by the scope's policy.
    pub(crate) fn new(client: Egress, scope: Arc<Scope>, limits: &Limits, tape: Option<Arc<dyn Tape>>) -> Self {
        Self(Some(Way { client, scope, limits: *limits, tape }))
    }
}

/// The head of an answer with its body to come.
type Answered = wasmtime_wasi_http::Result<http::Response<WasiBody>>;

/// The answer, and what comes of sending the request's body; wasmtime-wasi-http names neither type.
type Sent = wasmtime_wasi_http::Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>)>;

impl WasiHttpHooks for Requests {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _received: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Some(way) = &mut self.0 else { return Box::new(async { Err(Error::HttpRequestDenied) }) };
        // Made with the first request: most calls send none.
        let meter = way.scope.traffic.get_or_init(|| Meter::new(&way.limits)).clone();
        let (leaving, tape) =
            (Leaving { client: way.client.clone(), scope: way.scope.clone(), meter, timeouts: timeouts(options) }, way.tape.clone());
        let sent_bytes_max = way.limits.sent_bytes;
        Box::new(async move {
            let response = match tape {
                None => leaving.send(request).await?,
                Some(tape) => leaving.taped(request, tape, sent_bytes_max).await?,
            };
            Ok((response, Box::new(async { Ok(()) }) as Box<dyn Future<Output = Result<(), Error>> + Send>))
        })
    }
}

/// What one request leaves with.
struct Leaving {
    client: Egress,
    scope: Arc<Scope>,
    meter: Arc<Meter>,
    timeouts: Timeouts,
}

impl Leaving {
    /// Boxed: the compiler cannot tell that the future of the other form may be sent.
    fn send(self, request: http::Request<WasiBody>) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let Self { client, scope, meter, timeouts } = self;
        Box::pin(async move {
            let heard = scope.listener().map(|_| (Instant::now(), request.method().clone(), request.uri().to_string()));
            let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
            let terms = Terms { gate: &*scope, meter: &meter, timeouts };
            let sent = client.send(request, terms).await.map_err(|error| refused(&scope, error));
            if let (Some(listener), Some((began, method, url))) = (scope.listener(), heard) {
                let failure = sent.as_ref().err().map(tape::code);
                let outcome = sent.as_ref().map(|response| response.status().as_u16()).map_err(|_| failure.as_deref().unwrap_or_default());
                let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                listener.sign(Sign::Request { method: method.as_str(), url: &url, outcome, took_us });
            }
            Ok(sent?.map(|body| body.map_err(move |error| refused(&scope, error)).boxed_unsync()))
        })
    }

    /// The same with a tape: it answers, or keeps what the world answered.
    async fn taped(self, request: http::Request<WasiBody>, tape: Arc<dyn Tape>, sent_bytes_max: u64) -> Answered {
        let (head, taken) = tape::request(request, sent_bytes_max).await?;
        if let Some(answer) = tape.play(&taken) {
            return tape::told(answer);
        }
        let answer = match self.send(tape::outgoing(head, &taken.body)).await {
            Ok(response) => tape::response(response).await,
            Err(error) => Answer::Failure(tape::code(&error)),
        };
        tape.keep(taken, &answer);
        tape::told(answer)
    }
}

impl Gate for Scope {
    fn decide(&self, request: &HttpRequest<'_>) -> Result<HttpPermit, Denied> {
        self.http(request)
    }

    fn floor(&self) -> &Floor {
        self.policy().floor()
    }

    fn secret(&self, inject: &Inject) -> Result<Secret, SecretError> {
        secrets::resolve(&inject.reference)
    }

    fn placeholders(&self) -> &[Placeholder] {
        self.placeholders()
    }
}

/// A guest may ask for less time than there is, never for more.
fn timeouts(options: Option<RequestOptions>) -> Timeouts {
    let options = options.unwrap_or_default();
    Timeouts::default().at_most(Timeouts {
        connect: options.connect_timeout.unwrap_or(Duration::MAX),
        first_byte: options.first_byte_timeout.unwrap_or(Duration::MAX),
        between_bytes: options.between_bytes_timeout.unwrap_or(Duration::MAX),
    })
}

/// Tells the operator, once for each thing: denials with the line that would
/// allow them, limits with their key, the rest as news of the day.
fn log(scope: &Scope, error: &egress::Error) {
    use egress::Error as Out;
    let plugin = scope.plugin();
    match error {
        Out::Denied(denied) => scope.log(denied),
        Out::AddressClosed { host, denied } => scope.closed(host, denied),
        other if !scope.is_news(other.to_string()) => {}
        Out::TooLarge { .. } | Out::Requests(_) | Out::Connections(_) | Out::Secret { .. } => {
            tracing::warn!(plugin.id = plugin, "a request of plugin {plugin} was refused: {error}");
        }
        Out::Dns { .. }
        | Out::Connect { .. }
        | Out::Certificate { .. }
        | Out::Tls { .. }
        | Out::Timeout { .. }
        | Out::Redirects(_)
        | Out::Request(_)
        | Out::Protocol(_) => tracing::info!(plugin.id = plugin, "a request of plugin {plugin} failed: {error}"),
    }
}

/// The code that a guest sees.
fn refused(scope: &Scope, error: egress::Error) -> Error {
    use egress::Error as Out;
    log(scope, &error);
    match error {
        Out::Denied(_) => Error::HttpRequestDenied,
        Out::AddressClosed { .. } => Error::DestinationIpProhibited,
        Out::Dns { .. } => Error::DestinationNotFound,
        Out::Connect { .. } => Error::ConnectionRefused,
        Out::Certificate { .. } => Error::TlsCertificateError,
        Out::Tls { .. } => Error::TlsProtocolError,
        Out::Timeout { what: Wait::Connect, .. } => Error::ConnectionTimeout,
        Out::Timeout { what: Wait::FirstByte | Wait::NextBytes, .. } => Error::HttpResponseTimeout,
        Out::TooLarge { what: Part::RequestHeaders, .. } => Error::HttpRequestHeaderSectionSize(None),
        Out::TooLarge { what: Part::RequestBodies, bytes_max } => Error::HttpRequestBodySize(Some(bytes_max)),
        Out::TooLarge { what: Part::ResponseHeaders, .. } => Error::HttpResponseHeaderSectionSize(None),
        Out::TooLarge { what: Part::ResponseBody | Part::ResponseBodies, bytes_max } => Error::HttpResponseBodySize(Some(bytes_max)),
        Out::Connections(_) => Error::ConnectionLimitReached,
        // WASI has no code for it; the sentence says nothing about the host.
        Out::Requests(max) => Error::InternalError(Some(format!("the call has sent the {max} requests that it may"))),
        Out::Redirects(_) => Error::LoopDetected,
        // Which secret is missing is the operator's business alone.
        Out::Secret { .. } => Error::HttpRequestDenied,
        Out::Request(_) => Error::HttpRequestUriInvalid,
        Out::Protocol(_) => Error::HttpProtocolError,
    }
}
