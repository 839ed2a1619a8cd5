//! A new session from another one's past. It is written in bounded pieces before its
//! record is, so that nobody sees half of it, and nothing is left of one that fails.

use std::sync::Arc;

use session::fork::Summary;
use session::{Agent, Entry, EventId, Fork, Head, Kind, Principal, Seq, Session, StoredEvent, hidden};
use storage::{Batch, When};

use crate::Engine;
use crate::compaction::new_key;
use crate::error::{Error, Thing};
use crate::fold::{end_of_step, folded_up_to};
use crate::sessions::{NewSession, record, taken};
use crate::summary::Wish;

/// Entries that are read and written in one go.
const PAGE: usize = 256;

/// Bytes after which a piece is written though it has fewer entries. Against pieces of many large outputs.
const PIECE_BYTES: usize = 1 << 20;

/// Entries that one copy may have. Against a request that keeps the store busy for minutes.
const ENTRIES_MAX: usize = 100_000;

/// Whose past a new session begins with.
#[derive(Debug, Clone)]
pub struct ForkOf {
    /// The session; the caller may read it.
    pub session: Arc<Session>,
    /// The id of the last event that is copied; else all of it.
    pub include_up_to: Option<String>,
    /// The id of the last event that a summary takes the place of; else nothing is summarised.
    pub compact_up_to: Option<String>,
}

impl Engine {
    /// Opens a session that begins with the past of another one. A client that goes away does not stop it.
    pub async fn fork_session(
        self: &Arc<Self>,
        agent: &Arc<Agent>,
        principal: &Principal,
        new: NewSession,
        of: ForkOf,
    ) -> Result<Arc<Session>, Error> {
        let session = Arc::new(self.new_session(agent, principal, new)?);
        if self.directory.find(agent.tenant, storage::Kind::Session, agent.uid, &session.key)?.is_some() {
            return Err(Error::Taken { what: Thing::Session, name: session.key.clone() });
        }
        let place = self.forks.clone().try_acquire_owned().map_err(|_| Error::Overloaded("sessions that are being copied"))?;
        let (engine, agent, made) = (self.clone(), agent.clone(), session.clone());
        let work = self.tasks.spawn(async move {
            let made = engine.make_fork(&agent, &made, of).await;
            drop(place);
            made
        });
        work.await.unwrap_or_else(|_| Err(Error::NotTaken(session.key.clone())))?;
        Ok(session)
    }

    /// Makes the copy, or leaves nothing of it: also where the server stops meanwhile.
    async fn make_fork(&self, agent: &Agent, session: &Session, of: ForkOf) -> Result<(), Error> {
        let made = tokio::select! {
            made = self.make_copy(agent, session, of) => made,
            () = self.stopping.cancelled() => Err(Error::Draining),
        };
        if made.is_err()
            && let Err(error) = self.directory.delete(session.uid).await
        {
            tracing::warn!(session.uid = %session.uid, %error, "what was written of a copy stays until the next start");
        }
        made
    }

    async fn make_copy(&self, agent: &Agent, session: &Session, of: ForkOf) -> Result<(), Error> {
        let source = Source::of(self, &of)?;
        let summary = match source.compact_up_to {
            Some(up_to) => Some(self.summary_for(agent, &source, up_to).await?),
            None => None,
        };
        self.directory.begin(session.uid, session.tenant).await?;
        let mut copy = Copy::new(self, session);
        copy.make(&source, summary).await?;
        self.may_idle(session.uid, session.tti_minutes).await?;
        self.directory.create(record(session)).await.map_err(|e| taken(e, agent, session))
    }

    /// A summary of the source up to there, made by the new session's agent.
    async fn summary_for(&self, agent: &Agent, source: &Source<'_>, up_to: Seq) -> Result<Summary, Error> {
        let uid = source.session.uid;
        let state = folded_up_to(&*self.journal, uid, &source.head, source.end)?;
        let (setting, model) = (agent.compaction.clone().unwrap_or_default(), self.known_model(&agent.model.name)?);
        let items = state.transcript.up_to(up_to);
        if items.is_empty() {
            return Err(Error::NothingToCompact);
        }
        let wish = Wish { agent, model: &*model, setting: &setting, message: None };
        let made = wish.make(state.transcript.summary(), items).await.map_err(Error::NoSummary)?;
        let starts = state.starts.values().filter(|start| **start <= up_to).count() as u64;
        let mut events = 0;
        source.each(source.head.fold_from, up_to, |entry, hidden| {
            events += u64::from(!hidden && entry.audience() == session::Audience::Listed && entry.kind != Kind::Compaction);
            Ok(())
        })?;
        Ok(Summary { turns: starts, events, key: new_key(self.clock), text: made.text })
    }
}

/// What is copied from.
struct Source<'a> {
    engine: &'a Engine,
    session: Arc<Session>,
    head: Head,
    /// The last entry of the last turn that has ended; 0 where none has.
    end: Seq,
    /// The last entry that is copied.
    last: Seq,
    /// The last entry that a summary takes the place of: the end of a step.
    compact_up_to: Option<Seq>,
}

impl<'a> Source<'a> {
    fn of(engine: &'a Engine, of: &ForkOf) -> Result<Self, Error> {
        let session = of.session.clone();
        let head = engine.journal.head(session.uid)?.unwrap_or_default();
        let mut source = Self { engine, session, head, end: Seq(0), last: Seq(0), compact_up_to: None };
        source.end = source.last_end()?;
        source.last = match &of.include_up_to {
            Some(id) => source.named(id)?,
            None => source.end,
        };
        if let Some(id) = &of.compact_up_to {
            source.compact_up_to = Some(end_of_step(&*engine.journal, source.session.uid, source.named(id)?)?);
        }
        Ok(source)
    }

    /// The last entry of the last turn that has ended.
    fn last_end(&self) -> Result<Seq, Error> {
        let mut before = self.head.last.next();
        while before > Seq(1) {
            let from = Seq(before.0.saturating_sub(PAGE as u64).max(1));
            let page = self.engine.journal.read(self.session.uid, from, PAGE)?;
            let ended = page.entries.iter().rev().find(|entry| entry.seq < before && entry.kind == Kind::Ended);
            if let Some(ended) = ended {
                return Ok(ended.seq);
            }
            before = from;
        }
        Ok(Seq(0))
    }

    /// Where the event of this id stands, if it can be the last one of something.
    fn named(&self, id: &str) -> Result<Seq, Error> {
        let seq = self.engine.event(&self.session, id)?.seq;
        let no = |why| Error::NoFork { event: id.to_owned(), why };
        if hidden::covers(&self.head.hidden, seq) {
            return Err(no("it is hidden; name one that the list shows"));
        }
        if seq > self.end {
            return Err(no("it belongs to a turn that is not over"));
        }
        Ok(seq)
    }

    /// The entries of a span in order, with whether they are hidden.
    fn each(&self, from: Seq, to: Seq, mut take: impl FnMut(&Entry, bool) -> Result<(), Error>) -> Result<(), Error> {
        let mut from = from.max(Seq(1));
        while from <= to {
            let entries = self.page(from)?;
            for entry in entries.iter().take_while(|entry| entry.seq <= to) {
                take(entry, hidden::covers(&self.head.hidden, entry.seq))?;
            }
            let Some(last) = entries.last() else { break };
            from = last.seq.next();
        }
        Ok(())
    }

    fn page(&self, from: Seq) -> Result<Vec<Entry>, Error> {
        Ok(self.engine.journal.read(self.session.uid, from, PAGE)?.entries)
    }

    /// Whether this is the summary that the model is shown in the place of what is folded away.
    fn is_in_force(&self, entry: &Entry) -> bool {
        let read = || serde_json::from_str::<StoredEvent<'_>>(&entry.body).ok()?.compacted_up_to_event_id;
        let up_to = || read().and_then(|id| EventId::parse(&id)).map_or(Seq(0), |id| id.seq);
        entry.kind == Kind::Compaction && up_to().next() == self.head.fold_from.max(Seq(1))
    }

    /// The summary in force, where it stands behind the last entry that is copied and speaks of what is before it.
    fn late_summary(&self) -> Result<Option<Summary>, Error> {
        if self.last < self.head.fold_from || self.head.fold_from <= Seq(1) {
            return Ok(None);
        }
        let mut found = None;
        self.each(self.last.next(), self.head.last, |entry, _| {
            if found.is_none() && self.is_in_force(entry) {
                found = Some(Summary::of(entry).map_err(|e| Error::Damaged(self.session.uid, e.to_string()))?);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// A copy that is being written.
struct Copy<'a> {
    engine: &'a Engine,
    session: &'a Session,
    fork: Fork,
    epoch: u64,
    /// A summary that stands behind the last entry that is copied, and speaks of what is before it.
    late: Option<Summary>,
    /// Whether the copy has come to where the source is folded from.
    folded: bool,
    /// The last position that the store has.
    written: Seq,
    piece: Vec<Entry>,
    bytes: usize,
}

impl<'a> Copy<'a> {
    fn new(engine: &'a Engine, session: &'a Session) -> Self {
        let fork = Fork::new(session.uid, &session.key);
        Self { engine, session, fork, epoch: 0, late: None, folded: false, written: Seq(0), piece: Vec::new(), bytes: 0 }
    }

    async fn make(&mut self, source: &Source<'_>, made: Option<Summary>) -> Result<(), Error> {
        self.epoch = self.engine.journal.lease(self.session.uid)?;
        let summarised = source.compact_up_to.unwrap_or_default();
        if let Some(made) = made {
            // It is as old as the last of what it stands for.
            let last = self.engine.journal.entry(source.session.uid, summarised)?;
            let last = last.ok_or(storage::Error::Gone(source.session.uid))?;
            let summary = self.fork.summary(last.turn, last.at, &made);
            self.put(summary);
        } else {
            self.late = source.late_summary()?;
        }
        let mut from = summarised.next();
        // What is hidden since a summary stands for it is jumped over. Of any other hidden event the copy has to know:
        // what is left of its step is not whole.
        if let Some(run) = source.head.hidden.first().filter(|run| run.from <= from) {
            from = from.max(run.to.next().min(source.head.fold_from));
        }
        while from <= source.last {
            let entries = source.page(from)?;
            for entry in entries.iter().take_while(|entry| entry.seq <= source.last) {
                self.copy(source, entry)?;
            }
            let Some(last) = entries.last() else { return Err(storage::Error::Gone(source.session.uid).into()) };
            from = last.seq.next();
            if self.piece.len() >= PAGE || self.bytes >= PIECE_BYTES {
                self.write().await?;
            }
        }
        self.fork.close().into_iter().for_each(|entry| self.put(entry));
        self.write().await
    }

    fn copy(&mut self, source: &Source<'_>, entry: &Entry) -> Result<(), Error> {
        let unreadable = |e: session::state::Unreadable| Error::Damaged(source.session.uid, e.to_string());
        let whole = source.compact_up_to.is_none();
        if whole && !self.folded && entry.seq >= source.head.fold_from {
            self.folded = true;
            self.fork.folds_here();
            if let Some(late) = self.late.take() {
                let summary = self.fork.summary(entry.turn, entry.at, &late);
                self.put(summary);
            }
        }
        if entry.kind == Kind::Compaction {
            if whole && source.is_in_force(entry) {
                let summary = self.fork.summary(entry.turn, entry.at, &Summary::of(entry).map_err(unreadable)?);
                self.put(summary);
            }
        } else if let Some(copied) = self.fork.copy(entry, hidden::covers(&source.head.hidden, entry.seq)).map_err(unreadable)? {
            self.put(copied);
        }
        match self.fork.head().last.0 {
            entries if entries > ENTRIES_MAX as u64 => Err(Error::TooLong(ENTRIES_MAX)),
            _ => Ok(()),
        }
    }

    fn put(&mut self, entry: Entry) {
        self.bytes += entry.body.len();
        self.piece.push(entry);
    }

    async fn write(&mut self) -> Result<(), Error> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            session: self.session.uid,
            tenant: self.session.tenant,
            epoch: self.epoch,
            expect: self.written,
            entries: std::mem::take(&mut self.piece),
            rewrites: Vec::new(),
            head: self.fork.head().clone(),
            running: None,
            inbox: Vec::new(),
            waits: Vec::new(),
            idempotency: Vec::new(),
            state: Vec::new(),
            blobs: Vec::new(),
            audit: Vec::new(),
        };
        (self.written, self.bytes) = (batch.head.last, 0);
        self.engine.journal.commit(vec![batch], When::Now).await.into_iter().collect::<Result<(), _>>()?;
        Ok(())
    }
}
