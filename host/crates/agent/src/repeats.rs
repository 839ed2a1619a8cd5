//! Repeats: an input that comes again, because its first answer was lost. It
//! joins the turn that takes it, waits where the first one waits, or gets the
//! answer again; a turn is never run twice for it.

use std::collections::VecDeque;
use std::sync::Arc;

use session::{Asker, Entry, HowEnded, Kind, Millis, Principal, Queued, TurnNo, Uid};
use storage::IdempotencyKey;

use crate::desk::Desk;
use crate::error::Error;
use crate::hub::{Of, Readers};
use crate::live::Repeat;
use crate::since::Reading;
use crate::watcher::{Closing, Reader, Shown, Watcher};

/// How long the answer of a finished turn is kept for a client that never got it.
/// The official SDK repeats a lost POST within seconds.
const WINDOW_MS: i64 = 120_000;

/// Answers that are kept so; the oldest goes first. As many inputs as one turn and a full inbox
/// answer, and some more: what is forgotten is run again when it comes again.
const KEPT: usize = 16;

/// Whose input of which content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) key: Uid,
    pub(crate) subject: Option<String>,
    pub(crate) hash: [u8; 32],
}

/// An input by what a repeat of it is recognised.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) asked: Asked,
    /// The digest of its idempotency key, if it has one.
    pub(crate) repeat: Option<[u8; 32]>,
}

/// An input whose turn is over or paused, for a repeat of it.
pub(crate) struct Answered {
    asked: Asked,
    turn: TurnNo,
    /// Whether it ended without an answer that repeating could not better.
    failed: bool,
    at: Millis,
    readers: Vec<Arc<Reader>>,
}

/// An input that is in the session already, and has no answer.
pub(crate) struct Retried {
    /// Its message, where it has one of its own.
    pub(crate) message: Option<Arc<Entry>>,
}

impl Asked {
    pub(crate) fn new(principal: &Principal, hash: [u8; 32]) -> Self {
        Self { key: principal.key, subject: principal.subject.clone(), hash }
    }

    /// As the journal has it; none where its hash is no hash.
    pub(crate) fn of(asker: &Asker) -> Option<Self> {
        Some(Self { key: asker.key, subject: asker.subject.clone(), hash: digest(&asker.input_hash)? })
    }

    /// As it is written into the journal.
    pub(crate) fn asker(&self) -> Asker {
        Asker { key: self.key, subject: self.subject.clone(), input_hash: data_encoding::HEXLOWER.encode(&self.hash) }
    }
}

impl Taken {
    pub(crate) fn new(principal: &Principal, hash: [u8; 32], repeat: Option<Repeat>) -> Self {
        Self { asked: Asked::new(principal, hash), repeat: repeat.map(|repeat| repeat.digest) }
    }

    /// A queued input, as the inbox has it.
    pub(crate) fn queued(queued: &Queued) -> Option<Self> {
        let asked = Asked::new(&queued.principal, digest(&queued.input_hash)?);
        Some(Self { asked, repeat: queued.repeat.as_deref().and_then(digest) })
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

impl Desk {
    /// What answers this input, if it came before.
    pub(crate) fn repeated(&mut self, inbox: &VecDeque<Queued>, taken: &Taken, reading: Reading) -> Option<Result<Watcher, Error>> {
        match taken.repeat {
            Some(key) => self.repeated_key(inbox, key, &taken.asked, reading).transpose(),
            None => self.repeated_words(inbox, &taken.asked, reading),
        }
    }

    /// By its idempotency key. Another key is another input, whatever it says.
    fn repeated_key(&self, inbox: &VecDeque<Queued>, key: [u8; 32], asked: &Asked, reading: Reading) -> Result<Option<Watcher>, Error> {
        let same = |other: &Asked| if other == asked { Ok(()) } else { Err(Error::KeyReused) };
        if let Some(running) = self.taken.iter().find(|running| running.repeat == Some(key)) {
            same(&running.asked)?;
            return Ok(Some(self.join(asked, None, reading)));
        }
        let queued = inbox.iter().filter_map(|queued| Some((queued.no, Taken::queued(queued)?)));
        if let Some((no, queued)) = queued.into_iter().find(|(_, queued)| queued.repeat == Some(key)) {
            same(&queued.asked)?;
            return Ok(Some(self.join(asked, Some(no), reading)));
        }
        let key = IdempotencyKey { tenant: self.tail.tenant, digest: key };
        let Some(known) = self.tail.journal.idempotency(&key)? else { return Ok(None) };
        if known.body != asked.hash || known.session != self.tail.session {
            return Err(Error::KeyReused);
        }
        let runs = self.turn == Some(known.turn) && (reading.since.is_some() || self.answers(asked));
        if runs { Ok(Some(self.join(asked, None, reading))) } else { self.again(known.turn, asked, reading).map(Some) }
    }

    /// By who says what.
    fn repeated_words(&mut self, inbox: &VecDeque<Queued>, asked: &Asked, reading: Reading) -> Option<Result<Watcher, Error>> {
        if self.answers(asked) {
            return Some(Ok(self.join(asked, None, reading)));
        }
        let queued = inbox.iter().find(|queued| Taken::queued(queued).is_some_and(|queued| queued.asked == *asked));
        if let Some(queued) = queued {
            return Some(Ok(self.join(asked, Some(queued.no), reading)));
        }
        let now = self.tail.clock.now();
        let at = self.past.iter().rposition(|past| past.asked == *asked && past.is_lost(now))?;
        let watcher = self.again(self.past[at].turn, asked, reading);
        if let Ok(watcher) = &watcher {
            self.past[at].readers.push(watcher.reader().clone());
        }
        Some(watcher)
    }

    /// Whether the running turn answers this input.
    fn answers(&self, asked: &Asked) -> bool {
        self.taken.iter().any(|running| running.asked == *asked)
    }

    /// One more reader of an input that is taken, or that waits under this number.
    fn join(&self, asked: &Asked, queued: Option<u64>, reading: Reading) -> Watcher {
        // Nobody knows how long an input waits behind a pause.
        if self.turn.is_none() && queued.is_some() {
            let before = reading.since.map(|since| self.tail.replay(since, self.unsettled.durable, reading.follow));
            return Watcher::of_past(before, &Shown::default(), reading.follow, Closing::Paused);
        }
        self.watch(reading, Of { asked: Some(asked.clone()), queued })
    }

    /// What answered this input in a turn of the past, from the journal.
    fn again(&self, turn: TurnNo, asked: &Asked, reading: Reading) -> Result<Watcher, Error> {
        match reading.since {
            None => {
                let (shown, closing) = self.tail.shown(turn, asked)?;
                let closing = closing.unwrap_or_else(|| Closing::Ended(HowEnded::Failed("the turn did not end".into())));
                Ok(Watcher::of_past(None, &shown, reading.follow, closing))
            }
            Some(since) => {
                let (to, closing) = self.tail.end_of(turn)?;
                Ok(Watcher::of_past(Some(self.tail.replay(since, to, reading.follow)), &Shown::default(), reading.follow, closing))
            }
        }
    }

    /// A turn is over or paused, and so are the answers to these inputs.
    pub(crate) fn remember(&mut self, turn: TurnNo, taken: Vec<Taken>, mut readers: Readers, closing: &Closing, at: Millis) {
        let failed = matches!(closing, Closing::Ended(HowEnded::Failed(_)));
        for Taken { asked, .. } in taken {
            let readers = readers.extract_if(.., |(of, _)| of.as_ref() == Some(&asked)).map(|(_, reader)| reader).collect();
            self.past.push_back(Answered { asked, turn, failed, at, readers });
        }
        self.past.drain(..self.past.len().saturating_sub(KEPT));
    }

    /// What the last turn recorded, if that failed on this very input: the client
    /// repeats it, and nothing of it is recorded a second time.
    pub(crate) fn retried(&mut self, asked: &Asked) -> Result<Option<Retried>, Error> {
        let (last, now) = (self.tail.head.turn, self.tail.clock.now());
        let at = self.past.iter().rposition(|past| past.asked == *asked && past.failed && past.turn == last && past.is_fresh(now));
        let Some(past) = at.and_then(|at| self.past.remove(at)) else { return Ok(None) };
        let from = self.tail.start_of(past.turn)?;
        let first = self.tail.journal.entry(self.tail.session, from)?;
        Ok(Some(Retried { message: first.filter(|entry| entry.kind == Kind::InputMessage).map(Arc::new) }))
    }
}

impl Answered {
    fn is_fresh(&self, now: Millis) -> bool {
        now.0 - self.at.0 <= WINDOW_MS
    }

    /// Whether it has an answer that nobody got.
    fn is_lost(&self, now: Millis) -> bool {
        !self.failed && self.is_fresh(now) && !self.readers.iter().any(|reader| reader.delivered())
    }
}
