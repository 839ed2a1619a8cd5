//! The end of one session's journal: where its entries are appended, and where
//! what was appended is looked up. Stays at hand while a future of the turn
//! borrows the state.

use std::collections::VecDeque;
use std::sync::Arc;

use session::{Entry, EventId, Head, Kind, Millis, Seq, TurnNo, Uid};
use storage::{Batch, Journal};

use crate::Clock;
use crate::draft::{Line, json};
use crate::error::Error;
use crate::since::Since;
use crate::watcher::{Follow, Replay};

/// The end of a session's journal.
pub(crate) struct Tail {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Clock,
    pub(crate) session: Uid,
    pub(crate) tenant: Uid,
    /// What clients call the session.
    pub(crate) key: String,
    pub(crate) epoch: u64,
    /// As it is after the last batch that was handed to the store.
    pub(crate) head: Head,
}

impl Tail {
    /// The time of the next entry: never before the last.
    pub(crate) fn now(&self) -> Millis {
        self.clock.now().max(self.head.last_at)
    }

    /// An entry at the next position.
    pub(crate) fn entry(&mut self, line: Line, at: Millis, turn: TurnNo, step: u32) -> Entry {
        let seq = self.head.last.next();
        let (kind, body) = match line {
            Line::Event(event) => {
                let id = EventId { session: self.session, seq };
                (event.kind(), event.render(id, &self.key, at))
            }
            Line::Waiting(waiting) => (Kind::Waiting, json(&waiting).into()),
            Line::Resolved(resolved) => (Kind::Resolved, json(&resolved).into()),
            Line::Mark(kind, body) => (kind, body.into()),
        };
        (self.head.last, self.head.last_at, self.head.turn) = (seq, at, turn);
        self.head.listed += u64::from(kind.audience() == session::Audience::Listed);
        Entry { seq, at, turn, step, kind, body }
    }

    /// A batch behind the entries up to `expect`, with nothing in it but the head.
    pub(crate) fn batch(&self, expect: Seq) -> Batch {
        Batch {
            session: self.session,
            tenant: self.tenant,
            epoch: self.epoch,
            expect,
            entries: Vec::new(),
            rewrites: Vec::new(),
            head: self.head.clone(),
            running: None,
            inbox: Vec::new(),
            waits: Vec::new(),
            idempotency: Vec::new(),
            state: Vec::new(),
            blobs: Vec::new(),
            audit: Vec::new(),
        }
    }

    /// What happened since, up to an entry that is durable.
    pub(crate) fn replay(&self, since: Since, to: Seq, follow: Follow) -> Replay {
        replay(&self.journal, self.session, &self.head, since, to, follow)
    }

    /// The first entry of a turn. Turns follow one another, so it is looked for by halves.
    pub(crate) fn start_of(&self, turn: TurnNo) -> Result<Seq, Error> {
        let (mut low, mut high) = (Seq(1), self.head.last.next());
        while low < high {
            let middle = Seq(low.0 + (high.0 - low.0) / 2);
            // What is not there yet comes after all that is.
            match self.journal.entry(self.session, middle)? {
                Some(entry) if entry.turn < turn => low = middle.next(),
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }
}

/// What happened in a session since, up to an entry that is durable, without what is hidden.
pub(crate) fn replay(journal: &Arc<dyn Journal>, session: Uid, head: &Head, since: Since, to: Seq, follow: Follow) -> Replay {
    let (next, hidden) = (since.0.next(), head.hidden.clone());
    Replay { journal: journal.clone(), session, next, to, hidden, follow, withheld: Vec::new(), ready: VecDeque::new() }
}
