//! The front doors: HTTP in, the engine's plain calls out. Only this crate
//! knows axum, status codes and API keys. A door is a folder (`agents_v2`), a
//! route is a function and one line in [`router`]; every operation stands in one
//! table from which the routes, the role checks and the OpenAPI document are made.

mod agents_v2;
mod agui;
pub mod auth;
mod body;
mod caller;
mod cloudbase;
mod conversations;
pub mod cors;
mod docs;
pub mod errors;
mod fields;
mod following;
mod front;
mod health;
mod hosts;
pub mod limits;
mod mcp;
mod metadata_filter;
pub mod metrics;
mod naming;
mod oauth;
mod openai;
mod openapi;
mod operation;
pub mod operator;
mod page;
mod rate;
mod repeats;
mod reply;
mod router;
pub mod server;
mod sse;
#[cfg(test)]
mod testing;
mod token;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use auth::{Key, Keyring, NewKey, Tenant};
pub use axum::{Router, body::Body};
pub use limits::Limits;
pub use operator::grants::{Answered, Ask, Grants, LeaseInfo, Lent, NewLease, NotLent};
pub use operator::{ModelInfo, Operator, Status};
pub use router::router;
pub use server::{Doors, Listener, Peer, Tls, serve};

/// What the front doors are built from.
pub struct Options {
    /// What does the work.
    pub engine: Arc<agent::Engine>,
    /// Who may come in.
    pub keyring: Arc<Keyring>,
    /// What the host knows beside the engine: models, policy, status.
    pub operator: Arc<dyn Operator>,
    /// Where the audit log takes what operators do from.
    pub outbox: Arc<dyn storage::Outbox>,
    /// Where files lie that tools answered with.
    pub blobs: Arc<dyn storage::Blobs>,
    /// Where `/metrics` is read from.
    pub metrics: metrics::Handle,
    /// Of this data directory; page keys, access tokens and the keys of conversations are made under it, so they outlive a restart.
    pub secret: [u8; 32],
    /// The bounds of a request.
    pub limits: Limits,
    /// Names under which this server may be called, beside the loopback ones; without port. Empty means any on
    /// listeners beyond loopback.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may call this server.
    pub origins: cors::Origins,
    /// What becomes of a turn whose client goes away, at doors whose clients cannot say that it is to stop.
    pub on_disconnect: OnDisconnect,
    /// Cancelled when the server is to stop: open streams end, readiness turns.
    pub stop: CancellationToken,
}

/// What becomes of a turn whose client goes away before its end, at doors whose clients have no other way to stop one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDisconnect {
    /// It is stopped, as by an interrupt.
    #[default]
    Interrupt,
    /// It goes on.
    Continue,
}

impl OnDisconnect {
    /// Whether the turn is stopped.
    pub(crate) fn stops(self) -> bool {
        match self {
            Self::Interrupt => true,
            Self::Continue => false,
        }
    }
}

/// What every request can reach.
pub(crate) struct App {
    engine: Arc<agent::Engine>,
    keyring: Arc<Keyring>,
    operator: Arc<dyn Operator>,
    outbox: Arc<dyn storage::Outbox>,
    blobs: Arc<dyn storage::Blobs>,
    metrics: metrics::Handle,
    page_keys: page::PageKeys,
    tokens: token::Tokens,
    conversations: conversations::Names,
    mcp: mcp::Mcp,
    limits: Limits,
    rate: rate::Rate,
    hosts: hosts::Hosts,
    origins: cors::Origins,
    on_disconnect: OnDisconnect,
    described: openapi::Described,
    stop: CancellationToken,
}
