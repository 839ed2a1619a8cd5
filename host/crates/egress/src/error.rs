//! How a request can fail on its way out.

use std::error::Error as StdError;
use std::time::Duration;

use policy::{Denied, Layer, SecretError};

/// Why there is no answer. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy does not allow the request, or the redirect it led to.
    #[error("{0}")]
    Denied(Denied),
    /// The host has an address that the network's floor closes.
    #[error("host {host}: {denied}")]
    AddressClosed {
        /// The canonical host.
        host: Box<str>,
        /// Which address, and the line that would open it.
        denied: Box<Denied>,
    },
    /// The name has no address.
    #[error("cannot resolve {host}: {why}")]
    Dns {
        /// The canonical host.
        host: String,
        /// The resolver's reason.
        why: String,
    },
    /// No address took the connection.
    #[error("cannot connect to {host}: {why}")]
    Connect {
        /// Host and port.
        host: String,
        /// The system's reason.
        why: String,
    },
    /// The server's certificate is not acceptable: another name, an unknown root, out of date.
    #[error("the certificate of {host} is not acceptable: {why}")]
    Certificate {
        /// Host and port.
        host: String,
        /// The reason.
        why: String,
    },
    /// No TLS that we accept is spoken there.
    #[error("cannot speak TLS with {host}: {why}")]
    Tls {
        /// Host and port.
        host: String,
        /// The reason.
        why: String,
    },
    /// The other side, or the network, was too slow.
    #[error("{what} took longer than {} ms", after.as_millis())]
    Timeout {
        /// What was waited for.
        what: Wait,
        /// For how long.
        after: Duration,
    },
    /// One side sent more than it may.
    #[error("{what} over the {bytes_max} bytes of {}", what.limit())]
    TooLarge {
        /// What was too large.
        what: Part,
        /// How large it may be.
        bytes_max: u64,
    },
    /// The call has sent as many requests as it may.
    #[error("the call has sent the {0} requests of limits.requests")]
    Requests(u32),
    /// The call holds as many connections open as it may, and none ended while it waited.
    #[error("the call holds the {0} connections of limits.connections open")]
    Connections(u32),
    /// The answer led from one place to the next too often.
    #[error("more than {0} redirects")]
    Redirects(u32),
    /// The secret that has to be injected cannot be had.
    #[error("secret {name}: {error}")]
    Secret {
        /// The secret's name.
        name: String,
        /// Why not.
        error: SecretError,
    },
    /// The request cannot be sent as it is.
    #[error("the request is refused: {0}")]
    Request(&'static str),
    /// The connection broke, or the other side does not speak HTTP.
    #[error("the exchange failed: {0}")]
    Protocol(String),
}

impl Error {
    /// A refusal of the policy. An address that was written as one is refused there
    /// already; it is the same refusal as that of an address which a name leads to.
    pub(crate) fn denied(host: &str, denied: Denied) -> Self {
        match denied.layer {
            Layer::Floor => Self::AddressClosed { host: host.into(), denied: denied.into() },
            Layer::Request | Layer::Component | Layer::Tenant | Layer::Agent | Layer::Tool | Layer::Grant => Self::Denied(denied),
        }
    }
}

/// What was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Name, connection and TLS.
    Connect,
    /// The head of the answer.
    FirstByte,
    /// The next piece of the answer's body.
    NextBytes,
}

/// What was too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Names and values of the request's headers.
    RequestHeaders,
    /// The bodies of all requests of one call.
    RequestBodies,
    /// Names and values of the answer's headers.
    ResponseHeaders,
    /// One answer's body.
    ResponseBody,
    /// The bodies of all answers of one call.
    ResponseBodies,
}

impl Part {
    /// The key of the operator's file that bounds it.
    pub fn limit(self) -> &'static str {
        match self {
            Self::RequestHeaders | Self::ResponseHeaders => "limits.headers",
            Self::RequestBodies => "limits.sent",
            Self::ResponseBody => "its rule's `response`",
            Self::ResponseBodies => "limits.received",
        }
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::FirstByte => "the answer's head",
            Self::NextBytes => "the next piece of the answer",
        })
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RequestHeaders => "the request's header is",
            Self::RequestBodies => "the bodies of the call's requests are",
            Self::ResponseHeaders => "the answer's header is",
            Self::ResponseBody => "the answer's body is",
            Self::ResponseBodies => "the answers of the call are",
        })
    }
}

/// An error's text with those of its causes.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// The error itself or the first of its causes that is a `T`.
pub(crate) fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An `io::Error` shows what it carries only through `get_ref`.
        let carried = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        if let Some(found) = carried.and_then(|carried| find::<T>(carried)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}
