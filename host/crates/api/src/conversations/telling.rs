//! What the doors of conversations tell alike, each in frames of its own: which calls, whom a paused turn waits for, and
//! which conversation it is.

use std::collections::HashSet;
use std::sync::Arc;

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use agent::OpenApproval;
use session::{Entry, EventId, Session, StoredEvent};
use tool::Approver;

use crate::App;
use crate::errors::{Error, Result};

/// Tells the client the conversation, also where it named none.
const CONVERSATION: HeaderName = HeaderName::from_static("x-conversation-id");

/// What stands for the output of a call that the model took back.
pub(crate) const TAKEN_BACK: &str = "the call was not made: the model took it back";

/// Names the conversation in a header. What is no header value the client has chosen itself, so it knows it.
pub(crate) fn named(mut response: Response, id: &str) -> Response {
    // Readers take the bytes of a header for Latin-1 or for ASCII; what is neither would come back as another id.
    if let (true, Ok(id)) = (id.is_ascii(), HeaderValue::from_str(id)) {
        response.headers_mut().insert(CONVERSATION, id);
    }
    response
}

/// What an event says to people.
pub(crate) fn message(entry: &Entry) -> String {
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    serde_json::from_str::<Told>(&entry.body).map_or_else(|_| String::new(), |told| told.message)
}

/// Where what waits is looked up when a turn pauses.
pub(crate) struct Place {
    pub app: Arc<App>,
    pub session: Arc<Session>,
}

impl Place {
    /// The approval that the client is told of, with the id by which it knows the call. One is told at a time: a client has
    /// one card for it, and is told the next when that is decided.
    pub(crate) fn asked(&self) -> Result<Option<(OpenApproval, String)>> {
        let open = self.app.engine.approvals(&self.session)?;
        let waiting: Vec<_> = open.iter().map(|approval| (approval.event, approval.approver)).collect();
        let first = first_told(&waiting);
        let Some(approval) = open.into_iter().find(|approval| Some(approval.event) == first) else { return Ok(None) };
        let entry = self.app.engine.event(&self.session, &approval.event.to_string())?;
        let event: StoredEvent<'_> = serde_json::from_str(&entry.body).map_err(Error::internal)?;
        Ok(Some((approval, event.call_name().id.to_string())))
    }
}

/// Which of the approvals that wait a client is told of: one that it may answer before one that it may not.
pub(crate) fn first_told(waiting: &[(EventId, Approver)]) -> Option<EventId> {
    let client = waiting.iter().find(|(_, approver)| *approver == Approver::Client);
    client.or(waiting.first()).map(|(event, _)| *event)
}

/// The calls of an answer, as its client knows them.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Those whose arguments are not complete.
    open: Vec<Arc<str>>,
    /// Those that the client answered, and those that it was not told of: it needs no output of them.
    silent: HashSet<Box<str>>,
}

impl Calls {
    /// Of a client that has `answered` these itself.
    pub(crate) fn new(answered: HashSet<Box<str>>) -> Self {
        Self { open: Vec::new(), silent: answered }
    }

    /// The client is told that it began.
    pub(crate) fn began(&mut self, id: &Arc<str>) {
        self.open.push(id.clone());
    }

    /// Its arguments are complete, or void. False where the client was not told that it began.
    #[must_use]
    pub(crate) fn end(&mut self, id: &str) -> bool {
        let before = self.open.len();
        self.open.retain(|open| **open != *id);
        self.open.len() < before
    }

    /// The model asked for it: as [`Calls::end`], and of one that the client was not told of it will not be told the output.
    #[must_use]
    pub(crate) fn asked_for(&mut self, id: &str) -> bool {
        let told = self.end(id);
        if !told {
            self.silent.insert(id.into());
        }
        told
    }

    /// The client is to run those that wait: the ones that were told only now are complete as well.
    pub(crate) fn pending(&mut self) -> Vec<Arc<str>> {
        let open = self.take_open();
        for id in &open {
            self.silent.remove(&**id);
        }
        open
    }

    /// Those whose arguments are not complete; they are ended with this.
    pub(crate) fn take_open(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.open)
    }

    /// Whether the client is told the output.
    pub(crate) fn tells_output(&self, id: &str) -> bool {
        !self.silent.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::{Seq, Uid};

    #[test]
    fn an_approval_that_the_client_may_give_is_told_first() {
        let event = |seq| EventId { session: Uid([1; 16]), seq: Seq(seq) };
        let (operator, client) = ((event(3), Approver::Operator), (event(4), Approver::Client));
        assert_eq!(first_told(&[operator, client]), Some(event(4)));
        assert_eq!(first_told(&[operator]), Some(event(3)));
        assert_eq!(first_told(&[]), None);
    }

    #[test]
    fn a_client_is_told_the_outputs_of_the_calls_that_it_knows_and_did_not_answer() {
        let mut calls = Calls::new(HashSet::from(["answered".into()]));
        calls.began(&"told".into());
        assert!(calls.asked_for("told") && !calls.asked_for("untold") && !calls.end("told"));
        let known = ["told", "untold", "answered"].map(|id| calls.tells_output(id));
        assert_eq!(known, [true, false, false]);
        calls.began(&"untold".into());
        assert_eq!(calls.pending(), ["untold".into()]);
        assert!(calls.tells_output("untold") && calls.take_open().is_empty());
    }
}
