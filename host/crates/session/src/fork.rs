//! A session made from another one's past: its entries once more, one after the
//! other, under ids of the new session. What is hidden or erased stays behind, and so
//! does what speaks of it; nothing here reads or writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::entry::{Audience, Entry, Kind};
use crate::event::{Event, StoredEvent, moved};
use crate::ids::{EventId, Millis, Seq, TurnNo, Uid};
use crate::mark::{Ended, HowEnded, ReplyMark};
use crate::session::{Head, Status};
use crate::state::Unreadable;
use crate::transcript::Origin;
use crate::wait::{Paused, Resolved, Waiting};

/// A session in the making.
#[derive(Debug)]
pub struct Fork {
    uid: Uid,
    key: String,
    head: Head,
    /// Where the calls of the running turn stand now, by where they stood.
    calls: BTreeMap<Seq, Seq>,
    step: Step,
    /// Since when a turn goes on that has not ended yet.
    open: Option<Millis>,
    /// The last position of the source that was left behind though it was an event.
    torn: Seq,
}

/// What was copied since the last reply.
#[derive(Debug, Default)]
struct Step {
    /// The first event that belongs to the reply.
    first: Option<Seq>,
    number: u32,
    corrected: bool,
    /// Whether the last output was left behind; its receipt follows it.
    output_left: bool,
    /// Whether nothing of the last reply came along; then nothing of what its calls gave does.
    lost: bool,
}

impl Fork {
    /// An empty session of this identity.
    pub fn new(uid: Uid, key: &str) -> Self {
        Self {
            uid,
            key: key.to_owned(),
            head: Head { fold_from: Seq(1), ..Head::default() },
            calls: BTreeMap::new(),
            step: Step::default(),
            open: None,
            torn: Seq(0),
        }
    }

    /// The head after what was copied so far.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// A summary that stands for what was not copied, or, in the middle of a copy, for all before it too.
    pub fn summary(&mut self, turn: TurnNo, at: Millis, text: &Summary) -> Entry {
        let before = (self.head.fold_from.0 > 1).then(|| EventId { session: self.uid, seq: Seq(self.head.fold_from.0 - 1) });
        let Summary { turns, events, key, text } = text.clone();
        let event = Event::Compaction { turns, events, key, text, up_to: before };
        let id = EventId { session: self.uid, seq: self.head.last.next() };
        let body = event.render(id, &self.key, at);
        self.head.usage = None;
        self.put(Kind::Compaction, body, at, turn, 0)
    }

    /// Nothing that was copied so far is shown to the model: a summary will stand for it.
    pub fn folds_here(&mut self) {
        self.head.fold_from = self.head.last.next();
    }

    /// One more entry of the source, in order, if it comes along. Summaries are not copied but made with `summary`.
    pub fn copy(&mut self, entry: &Entry, hidden: bool) -> Result<Option<Entry>, Unreadable> {
        let unreadable = |why: serde_json::Error| Unreadable { seq: entry.seq.0, kind: entry.kind.word(), why: why.to_string() };
        if entry.kind == Kind::Tombstone || (entry.audience() == Audience::Listed && hidden) {
            self.torn = entry.seq;
            self.step.output_left |= entry.kind == Kind::ToolOutput;
            return Ok(None);
        }
        let body = match entry.kind {
            Kind::InputMessage => {
                self.calls.clear();
                self.moved(entry)
            }
            Kind::Thinking | Kind::AgentOutput | Kind::StructuredOutput => {
                self.in_step(entry);
                self.moved(entry)
            }
            Kind::ToolInput => {
                self.in_step(entry);
                self.calls.insert(entry.seq, self.head.last.next());
                self.moved(entry)
            }
            Kind::ToolOutput => {
                self.step.output_left = self.step.lost;
                self.moved(entry).filter(|_| !self.step.lost)
            }
            Kind::Receipt => (!std::mem::take(&mut self.step.output_left)).then(|| entry.body.clone()),
            Kind::Reply => self.reply(serde_json::from_str(&entry.body).map_err(unreadable)?).map(|mark| json(&mark)),
            Kind::Corrected => {
                self.step.corrected = true;
                Some(entry.body.clone())
            }
            Kind::Waiting => self.waiting(serde_json::from_str(&entry.body).map_err(unreadable)?).map(|mark| json(&mark)),
            Kind::Resolved => self.resolved(serde_json::from_str(&entry.body).map_err(unreadable)?).map(|mark| json(&mark)),
            Kind::Paused => Some(json(&self.paused(serde_json::from_str(&entry.body).map_err(unreadable)?))),
            Kind::Began | Kind::Resumed | Kind::Steered | Kind::Ended => Some(entry.body.clone()),
            Kind::Compaction | Kind::Overflowed | Kind::Tombstone => None,
            Kind::ContextLimitExceeded | Kind::SessionInterrupted | Kind::ClientToolPending => None,
        };
        let Some(body) = body else { return Ok(None) };
        if entry.kind == Kind::Ended {
            (self.open, self.step) = (None, Step::default());
        } else {
            self.open = self.open.or(Some(entry.at));
        }
        Ok(Some(self.put(entry.kind, body, entry.at, entry.turn, entry.step)))
    }

    /// The end of a turn that was cut in the middle: a reply that lost its mark, and the mark of its end.
    pub fn close(&mut self) -> Vec<Entry> {
        let Some(began_at) = self.open.take() else { return Vec::new() };
        let (at, turn, step) = (self.head.last_at, self.head.turn, self.step.number);
        let mut entries = Vec::new();
        if let Some(first) = self.step.first.take() {
            let origin = Origin { wire: String::new(), provider: String::new(), model: String::new(), format: 0 };
            let mark = ReplyMark { origin, raw: None, first, last: self.head.last, usage: None };
            entries.push(self.put(Kind::Reply, json(&mark), at, turn, step));
        }
        let ended = Ended { how: HowEnded::Interrupted, began_at };
        entries.push(self.put(Kind::Ended, json(&ended), at, turn, step));
        self.step = Step::default();
        entries
    }

    fn moved(&self, entry: &Entry) -> Option<Arc<str>> {
        moved(&entry.body, EventId { session: self.uid, seq: self.head.last.next() }, &self.key)
    }

    fn in_step(&mut self, entry: &Entry) {
        self.step.first.get_or_insert(self.head.last.next());
        self.step.number = entry.step;
    }

    /// The mark of a reply, in its own form only where all of it came along; none where nothing of it did.
    fn reply(&mut self, mut mark: ReplyMark) -> Option<ReplyMark> {
        let torn = self.torn >= mark.first;
        let (first, corrected) = (self.step.first.take(), std::mem::take(&mut self.step.corrected));
        self.step.lost = torn && first.is_none() && !corrected;
        if self.step.lost {
            return None;
        }
        self.head.usage = mark.usage.or(self.head.usage);
        mark.raw = mark.raw.filter(|_| !torn && first.is_some());
        mark.first = first.unwrap_or(self.head.last.next());
        mark.last = self.head.last;
        Some(mark)
    }

    fn waiting(&self, mut mark: Waiting) -> Option<Waiting> {
        mark.waits.retain_mut(|wait| {
            let call = self.calls.get(&wait.call).copied();
            wait.call = call.unwrap_or_default();
            call.is_some()
        });
        (!mark.waits.is_empty()).then_some(mark)
    }

    fn resolved(&self, mark: Resolved) -> Option<Resolved> {
        let call = self.calls.get(&mark.call).copied()?;
        Some(Resolved { call, ..mark })
    }

    fn paused(&self, mark: Paused) -> Paused {
        Paused { calls: mark.calls.iter().filter_map(|call| self.calls.get(call).copied()).collect() }
    }

    fn put(&mut self, kind: Kind, body: Arc<str>, at: Millis, turn: TurnNo, step: u32) -> Entry {
        let seq = self.head.last.next();
        let at = at.max(self.head.last_at);
        (self.head.last, self.head.last_at, self.head.turn, self.head.status) = (seq, at, turn, Status::Stopped);
        self.head.listed += u64::from(kind.audience() == Audience::Listed);
        Entry { seq, at, turn, step, kind, body }
    }
}

/// What a summary says, and what it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Turns that went into it.
    pub turns: u64,
    /// Listed events that went into it.
    pub events: u64,
    /// Its own key.
    pub key: String,
    /// The text.
    pub text: String,
}

impl Summary {
    /// The one that a stored event holds.
    pub fn of(entry: &Entry) -> Result<Self, Unreadable> {
        let read = serde_json::from_str::<StoredEvent<'_>>(&entry.body);
        let event = read.map_err(|why| Unreadable { seq: entry.seq.0, kind: entry.kind.word(), why: why.to_string() })?;
        Ok(Self {
            turns: event.turns_compacted,
            events: event.events_compacted,
            key: event.summary_key.unwrap_or_default(),
            text: event.summary_text.unwrap_or_default(),
        })
    }
}

fn json(mark: &impl serde::Serialize) -> Arc<str> {
    serde_json::to_string(mark).expect("a mark is made of JSON values").into()
}
