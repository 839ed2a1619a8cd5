//! The requests that run: a client takes one back by its id, in a request of
//! its own. Ids are a client's own, so each is known together with its client:
//! the key, and the session id that `initialize` gave, which stands for nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderName};
use session::{Principal, Uid};
use tokio_util::sync::CancellationToken;

use super::message::Fault;

/// By which a client says that requests are its own.
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// Bytes of it: ours are shorter, and it is kept while a request runs.
const SESSION_BYTES: usize = 128;

/// The client took the request back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cancelled;

/// Who has requests running.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Client {
    key: Uid,
    subject: Option<String>,
    scope: Option<Box<str>>,
}

/// A request by its client's name for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    client: Client,
    id: Box<str>,
}

/// What the client calls itself in the headers, if anything.
pub(super) fn scope(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let Some(value) = headers.get(SESSION) else { return Ok(None) };
    let fits = |text: &&str| (1..=SESSION_BYTES).contains(&text.len());
    value.to_str().ok().filter(fits).map(Some).ok_or_else(|| Fault::invalid("the header Mcp-Session-Id is none that this server gave"))
}

impl Client {
    pub(super) fn new(principal: &Principal, scope: Option<&str>) -> Self {
        Self { key: principal.key, subject: principal.subject.clone(), scope: scope.map(Into::into) }
    }

    /// The request of this id: JSON, exact text.
    pub(super) fn request(&self, id: &str) -> Name {
        Name { client: self.clone(), id: id.into() }
    }
}

/// All requests that run. Each is held by a connection, and those are counted.
#[derive(Default)]
pub(crate) struct Running(Arc<Mutex<Requests>>);

#[derive(Default)]
struct Requests {
    begun: u64,
    by_name: HashMap<Name, Vec<(u64, CancellationToken)>>,
}

fn lock(requests: &Mutex<Requests>) -> MutexGuard<'_, Requests> {
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    /// A request runs, until the ticket is dropped.
    pub(super) fn begin(&self, name: Name) -> Ticket {
        let token = CancellationToken::new();
        let mut requests = lock(&self.0);
        requests.begun += 1;
        let number = requests.begun;
        requests.by_name.entry(name.clone()).or_default().push((number, token.clone()));
        Ticket { requests: self.0.clone(), name, number, token }
    }

    /// The client takes the request back. Where it is not there any more nothing happens, and neither where two
    /// of the same name run: their clients cannot be told apart, and one of them still wants its answer.
    pub(super) fn cancel(&self, name: &Name) {
        if let Some([(_, token)]) = lock(&self.0).by_name.get(name).map(Vec::as_slice) {
            token.cancel();
        }
    }
}

/// A request that runs.
pub(super) struct Ticket {
    requests: Arc<Mutex<Requests>>,
    name: Name,
    number: u64,
    token: CancellationToken,
}

impl Ticket {
    /// Resolves once its client takes it back.
    pub(super) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut requests = lock(&self.requests);
        if let Some(running) = requests.by_name.get_mut(&self.name) {
            running.retain(|(number, _)| *number != self.number);
            if running.is_empty() {
                requests.by_name.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: u8, scope: Option<&str>, id: &str) -> Name {
        Client { key: Uid([key; 16]), subject: None, scope: scope.map(Into::into) }.request(id)
    }

    #[test]
    fn a_request_is_taken_back_by_its_own_client_alone() {
        let running = Running::default();
        let ticket = running.begin(name(1, Some("a"), "7"));
        for other in [name(2, Some("a"), "7"), name(1, Some("b"), "7"), name(1, None, "7"), name(1, Some("a"), "\"7\"")] {
            running.cancel(&other);
            assert!(!ticket.token.is_cancelled(), "{other:?}");
        }
        running.cancel(&name(1, Some("a"), "7"));
        assert!(ticket.token.is_cancelled());
    }

    #[test]
    fn of_two_requests_of_one_name_none_is_taken_back_until_one_is_left() {
        let running = Running::default();
        let (first, second) = (running.begin(name(1, None, "1")), running.begin(name(1, None, "1")));
        running.cancel(&name(1, None, "1"));
        assert!(!first.token.is_cancelled() && !second.token.is_cancelled());
        drop(first);
        running.cancel(&name(1, None, "1"));
        assert!(second.token.is_cancelled());
        drop(second);
        assert!(lock(&running.0).by_name.is_empty());
    }

    #[test]
    fn a_session_id_that_cannot_be_ours_is_refused() {
        let headers = |text: &str| HeaderMap::from_iter([(SESSION, http::HeaderValue::from_bytes(text.as_bytes()).unwrap())]);
        assert_eq!(scope(&headers("0a1b")), Ok(Some("0a1b")));
        assert_eq!(scope(&HeaderMap::new()), Ok(None));
        for bad in ["", "\u{e9}", &"x".repeat(SESSION_BYTES + 1)] {
            assert!(scope(&headers(bad)).is_err(), "{bad}");
        }
    }
}
