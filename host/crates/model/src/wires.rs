//! The wires: one file a protocol, and what they share. A wire renders a prompt
//! into a request and reads an answer into a reply; asking, waiting and asking
//! again is the same for all.

pub mod anthropic;
pub mod chat_completions;
pub mod responses;

pub(crate) mod exchange;
mod json;
mod order;
mod overflow;
mod structured;
mod trouble;

use std::sync::Arc;

pub use exchange::{Settings, Timeouts};

/// The most calls that are read out of one reply. Far above what a turn runs, so that only a
/// model that has lost its way, or a hostile server, gets here; the reply is refused.
pub const CALLS_MAX: usize = 128;

/// The most bytes of one call's arguments. A model caught in a loop writes for ever; the reply is refused.
pub const ARGUMENTS_BYTES_MAX: usize = 256 << 10;

/// The most bytes of one answer of a provider, framing included; what is longer is refused.
pub const REPLY_BYTES_MAX: usize = 16 << 20;

/// The id of a call in its reply: the provider's own, made up where it gave none, altered where it gave one twice.
/// A made-up one tells the reply's place in the conversation, so it is unique there too.
fn unique_id(given: &str, place: usize, at: usize, taken: impl Fn(&str) -> bool) -> Arc<str> {
    let given = if given.is_empty() { format!("call_{place}_{at}") } else { given.to_owned() };
    let mut id = given.clone();
    let mut again = 2;
    while taken(&id) {
        id = format!("{given}_{again}");
        again += 1;
    }
    id.into()
}

/// Whether a provider's host is one of these, or under one.
fn is_under(host: &str, domains: &[&str]) -> bool {
    domains.iter().any(|domain| host == *domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}
