//! From where on a client wants the events of a session: after one that it has
//! seen, or from the start.

use session::{Audience, EventId, Kind, Principal, Seq, Session};
use std::sync::Arc;

use crate::Engine;
use crate::error::Error;
use crate::live::Command;
use crate::watcher::{Closing, Follow, Shown, Watcher};

/// Entries that one answer goes back at most. Against answers that are a whole life: lists are for those.
pub const REPLAY_ENTRIES: u64 = 10_000;

/// Bytes of stored events in an answer that comes in one piece; a stream reads them as it is read.
const REPLAY_BYTES: usize = 16 << 20;

/// Entries that are weighed at once.
const PAGE: usize = 256;

/// What a client has seen: events after this position are news to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since(pub(crate) Seq);

impl Since {
    /// The last position that the client has seen; 0 where it has seen nothing.
    pub fn seq(self) -> Seq {
        self.0
    }
}

/// How the answer to an input is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// How much of it.
    pub(crate) follow: Follow,
    /// From where on; from the input on where absent.
    pub(crate) since: Option<Since>,
}

impl Engine {
    /// What a client means by `start`, or by the id of an event of this session.
    pub fn since(&self, session: &Session, text: &str) -> Result<Since, Error> {
        if text == "start" {
            return Ok(Since(Seq(0)));
        }
        let unknown = || Error::NotSince(format!("`since` must be `start` or the id of an event of this session, not `{text}`"));
        let named = EventId::parse(text).filter(|event| event.session == session.uid).ok_or_else(unknown)?;
        let entry = self.journal.entry(session.uid, named.seq)?.ok_or_else(unknown)?;
        // One that was erased since still says how far the client had read.
        let shown = entry.kind == Kind::Tombstone || entry.audience() != Audience::Internal;
        if shown { Ok(Since(named.seq)) } else { Err(unknown()) }
    }

    /// Shows what happened since, and what happens until the turn that runs now ends. Begins nothing.
    pub async fn rejoin(
        self: &Arc<Self>,
        session: &Arc<Session>,
        principal: &Principal,
        since: Since,
        follow: Follow,
    ) -> Result<Watcher, Error> {
        self.may_replay(session, since, follow)?;
        tracing::debug!(session.uid = %session.uid, key = %principal.key, since = since.0.0, "a reader rejoins");
        if self.live.record(session.uid).is_none() && self.journal.running_turn(session.uid)?.is_none() {
            let head = self.head(session)?;
            let before = crate::tail::replay(&self.journal, session.uid, &head, since, head.last, follow);
            return Ok(Watcher::of_past(Some(before), &Shown::default(), follow, Closing::Idle));
        }
        let (answer, taken) = tokio::sync::oneshot::channel();
        self.tell(session, Command::Rejoin { reading: Reading { follow, since: Some(since) }, answer })?;
        taken.await.unwrap_or_else(|_| Err(self.not_taken(session)))
    }

    /// Whether what happened since is little enough for one answer.
    pub(crate) fn may_replay(&self, session: &Session, since: Since, follow: Follow) -> Result<(), Error> {
        let last = self.head(session)?.last;
        if last.0.saturating_sub(since.0.0) > REPLAY_ENTRIES {
            let why = format!("more than {REPLAY_ENTRIES} entries lie after `since`; list the session's events and name a later one");
            return Err(Error::NotSince(why));
        }
        let mut bytes = 0;
        let mut from = since.0.next();
        while follow == Follow::Entries && from <= last {
            let page = self.journal.read(session.uid, from, PAGE)?;
            let shown = page.entries.iter().filter(|entry| entry.audience() != Audience::Internal);
            bytes += shown.map(|entry| entry.body.len()).sum::<usize>();
            if bytes > REPLAY_BYTES {
                let most = REPLAY_BYTES >> 20;
                let why = format!("the events after `since` have more than {most} MiB; set stream_response, or name a later event");
                return Err(Error::NotSince(why));
            }
            let Some(last) = page.entries.last() else { break };
            from = last.seq.next();
        }
        Ok(())
    }
}
