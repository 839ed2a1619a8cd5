//! The live news of one session's turns, and those who watch them.
//!
//! Pieces of text leave at once when the reader is idle and merge with what is
//! waiting otherwise; nothing here waits for a reader or keeps a timer.

pub(crate) mod calls;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session::{Audience, Entry, Kind, Millis, TokenUsage};

use crate::error::Error;
use crate::repeats::Asked;
use crate::watcher::{CallNews, Closing, Follow, News, Part, Reader, Replay, Shown, Watcher};

use self::calls::Calls;

/// A session's side: what its turn has shown so far, and to whom it shows it.
/// Locked for moments: by the session's own task, between whose futures it is
/// shared, and where a tool runs that says how far it is.
#[derive(Debug)]
pub(crate) struct Hub {
    bytes_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    taps: Vec<Tap>,
    shown: Vec<Arc<Entry>>,
    /// What was written of the reply that is coming, one text a part.
    open: Vec<Open>,
    /// The calls that were written of it.
    calls: Calls,
    /// Since when a summary is being made, if one is.
    compacting: Option<Millis>,
    /// Batches on their way to the store, and what must not overtake them.
    waiting: VecDeque<Waiting>,
    /// What the last model call consumed, to be told after its entries.
    usage: Option<(TokenUsage, Millis)>,
}

#[derive(Debug)]
enum Waiting {
    /// The entries of one batch, then what their model call consumed.
    Batch(Option<(TokenUsage, Millis)>),
    /// Text that came after them.
    Text(Part, String, Millis),
    /// What was written of a call after them.
    Call(Arc<str>, CallNews, Millis),
    /// A summary was begun after them.
    Compaction(Millis),
}

/// Whose answer a reader reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Of {
    /// The input that is answered; none for who only looks on.
    pub(crate) asked: Option<Asked>,
    /// Its number while it waits: the answer goes on until a turn took it.
    pub(crate) queued: Option<u64>,
}

#[derive(Debug)]
struct Tap {
    reader: Arc<Reader>,
    follow: Follow,
    of: Of,
}

impl Tap {
    /// Whether anybody is at the other end.
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.reader) > 1
    }
}

#[derive(Debug)]
struct Open {
    part: Part,
    text: String,
    at: Millis,
}

/// Those who read the answer to an input, at its end.
pub(crate) type Readers = Vec<(Option<Asked>, Arc<Reader>)>;

impl Hub {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new reader of the running turn: what was shown, or what is replayed `before`
    /// instead, one piece each with what is unfinished, then what comes, as far as it follows.
    pub(crate) fn watch(&self, follow: Follow, of: Of, before: Option<Replay>) -> Watcher {
        let mut inner = self.lock();
        let reader = if before.is_some() { Arc::default() } else { Reader::after(&inner.shown, follow, inner.calls.withheld()) };
        let compacting = inner.compacting.map(|at| News::CompactionStarted { at });
        let texts = inner.open.iter().map(|open| News::Delta { part: open.part, text: open.text.clone(), at: open.at });
        for news in compacting.into_iter().chain(texts).chain(inner.calls.snapshot()).filter(|news| follow.wants(news)) {
            reader.push(news);
        }
        inner.taps.push(Tap { reader: reader.clone(), follow, of });
        Watcher::new(before, reader)
    }

    /// A queued input is taken by the turn that runs or is about to begin: its readers read until that ends.
    pub(crate) fn taken(&self, no: u64) {
        for tap in self.lock().taps.iter_mut().filter(|tap| tap.of.queued == Some(no)) {
            tap.of.queued = None;
        }
    }

    /// A queued input will never be taken: its readers are told why, and let go.
    pub(crate) fn refuse(&self, no: u64, error: &Error) {
        let closing = Closing::Refused(error.clone());
        self.lock().let_go(&closing, |tap| tap.of.queued == Some(no));
    }

    /// Whether anybody reads along.
    pub(crate) fn watched(&self) -> bool {
        self.lock().is_followed(Follow::Text)
    }

    /// Whether anybody is to hear of calls as they are written.
    pub(crate) fn calls_are_followed(&self) -> bool {
        self.lock().is_followed(Follow::Calls)
    }

    /// Whether somebody waits for the answer of the turn that runs: who only looks on does not.
    pub(crate) fn answers_somebody(&self) -> bool {
        self.lock().taps.iter().any(|tap| tap.of.asked.is_some() && tap.of.queued.is_none() && tap.is_held())
    }

    /// A batch is on its way to the store: what comes now waits until it is `settled`.
    pub(crate) fn hold(&self) {
        let inner = &mut *self.lock();
        inner.waiting.push_back(Waiting::Batch(inner.usage.take()));
    }

    /// The oldest batch on its way is durable: its entries are shown, and what waited behind it.
    pub(crate) fn settled(&self, entries: &[Arc<Entry>]) {
        let inner = &mut *self.lock();
        inner.cut_who_is_behind(self.bytes_max);
        let usage = match inner.waiting.pop_front() {
            Some(Waiting::Batch(usage)) => usage,
            Some(Waiting::Text(..) | Waiting::Call(..) | Waiting::Compaction(_)) | None => None,
        };
        // What is appended next is the summary, or that there is none.
        inner.compacting = inner.compacting.filter(|_| entries.is_empty());
        let reply = entries.iter().find(|entry| entry.kind == Kind::Reply);
        let written = reply.map(|reply| inner.close_parts(entries, reply.at)).unwrap_or_default();
        for entry in entries.iter().filter(|entry| entry.audience() != Audience::Internal) {
            inner.show(entry, &written);
        }
        if let Some((usage, at)) = usage {
            inner.tell(&News::Usage { usage, at });
        }
        while let Some(waiting) = inner.waiting.pop_front_if(|waiting| !matches!(waiting, Waiting::Batch(_))) {
            match waiting {
                Waiting::Text(part, text, at) => inner.write(part, &text, at),
                Waiting::Call(id, what, at) => inner.call(id, what, at),
                Waiting::Compaction(at) => inner.compaction(at),
                Waiting::Batch(_) => {}
            }
        }
    }

    /// A piece of text.
    pub(crate) fn delta(&self, part: Part, piece: String, at: Millis) {
        let inner = &mut *self.lock();
        match inner.waiting.back_mut() {
            None => inner.write(part, &piece, at),
            Some(Waiting::Text(last, text, _)) if *last == part => text.push_str(&piece),
            Some(_) => inner.waiting.push_back(Waiting::Text(part, piece, at)),
        }
    }

    /// The model asks for a call, or writes its arguments.
    pub(crate) fn call(&self, id: Arc<str>, what: CallNews, at: Millis) {
        let inner = &mut *self.lock();
        match (inner.waiting.back_mut(), what) {
            (None, what) => inner.call(id, what, at),
            (Some(Waiting::Call(last, CallNews::Arguments(text), _)), CallNews::Arguments(piece)) if *last == id => text.push_str(&piece),
            (Some(_), what) => inner.waiting.push_back(Waiting::Call(id, what, at)),
        }
    }

    /// Of this call readers are told when it waits for the client, not while it is written.
    pub(crate) fn withhold(&self, id: Arc<str>) {
        self.lock().calls.withhold(id);
    }

    /// A call that runs says how far it is. Its intent was shown before it began.
    pub(crate) fn progress(&self, id: Arc<str>, share: Option<f32>, note: String, at: Millis) {
        self.lock().tell(&News::Call { id, what: CallNews::Progress { share, note }, at });
    }

    /// What was streamed of the open reply does not count.
    pub(crate) fn void(&self, at: Millis) {
        let inner = &mut *self.lock();
        while let Some(Waiting::Text(..) | Waiting::Call(..)) = inner.waiting.back() {
            inner.waiting.pop_back();
        }
        // With a batch on its way what is open is an earlier reply's, which counts.
        if inner.waiting.is_empty() {
            inner.close_parts(&[], at);
        }
    }

    /// What the last model call consumed: told after the entries of the next batch.
    pub(crate) fn usage(&self, usage: TokenUsage, at: Millis) {
        self.lock().usage = Some((usage, at));
    }

    /// A summary is begun.
    pub(crate) fn compacting(&self, at: Millis) {
        let inner = &mut *self.lock();
        if inner.waiting.is_empty() {
            inner.compaction(at);
        } else {
            inner.waiting.push_back(Waiting::Compaction(at));
        }
    }

    /// The turn is over or paused: who watches it is told and let go. At its end those stay whose
    /// input still waits; at a pause nobody knows when that will be.
    pub(crate) fn close(&self, closing: &Closing) -> Readers {
        let mut inner = self.lock();
        let stay = !matches!(closing, Closing::Paused);
        let readers = inner.let_go(closing, |tap| !(stay && tap.of.queued.is_some() && tap.is_held()));
        (inner.usage, inner.compacting) = (None, None);
        inner.open.clear();
        inner.calls.clear();
        inner.waiting.clear();
        inner.shown.clear();
        readers
    }

    /// The session stops in the middle of a turn: all are told why.
    pub(crate) fn close_all(&self, closing: &Closing) {
        self.lock().let_go(closing, |_| true);
    }

    /// What was shown before: of the turn that is taken up, or the input of the one that is retried.
    pub(crate) fn preface(&self, before: Shown) {
        let inner = &mut *self.lock();
        inner.shown.extend(before.entries);
        before.withheld.into_iter().for_each(|id| inner.calls.withhold(id));
    }

    /// The session goes away in the middle of a turn: readers are cut off.
    pub(crate) fn abandon(&self) {
        for tap in self.lock().taps.drain(..) {
            tap.reader.cut();
        }
    }
}

/// Whatever ends a session's task, nobody is left waiting for it.
impl Drop for Hub {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Inner {
    /// Text that may be shown now.
    fn write(&mut self, part: Part, piece: &str, at: Millis) {
        match self.open.iter_mut().find(|open| open.part == part) {
            Some(open) => open.text.push_str(piece),
            None => self.open.push(Open { part, text: piece.to_owned(), at }),
        }
        self.tell(&News::Delta { part, text: piece.to_owned(), at });
    }

    /// What was written of a call, which may be shown now.
    fn call(&mut self, id: Arc<str>, what: CallNews, at: Millis) {
        if self.calls.write(&id, &what, at) {
            self.tell(&News::Call { id, what, at });
        }
    }

    /// A summary is being made, and that may be shown now.
    fn compaction(&mut self, at: Millis) {
        self.compacting = Some(at);
        self.tell(&News::CompactionStarted { at });
    }

    /// The reply is whole, or does not count: what was written of it and is none of these entries is void.
    /// Answers the calls that were written.
    fn close_parts(&mut self, entries: &[Arc<Entry>], at: Millis) -> Vec<Arc<str>> {
        for Open { part, .. } in std::mem::take(&mut self.open) {
            if !entries.iter().any(|entry| Part::of(entry.kind) == Some(part)) {
                self.tell(&News::Void { part, at });
            }
        }
        let written = self.calls.close();
        if !written.is_empty() {
            let asked: Vec<Arc<str>> = entries.iter().filter_map(|entry| calls::asked(entry)).collect();
            for id in written.iter().filter(|id| !asked.contains(id)) {
                self.tell(&News::Call { id: id.clone(), what: CallNews::Void, at });
            }
        }
        written
    }

    /// An entry that is durable; the calls that were `written` need no other word.
    fn show(&mut self, entry: &Arc<Entry>, written: &[Arc<str>]) {
        if self.is_followed(Follow::Calls) {
            for news in calls::told(entry, self.calls.withheld(), written) {
                self.tell(&news);
            }
        }
        self.tell(&News::Entry(entry.clone()));
        self.shown.push(entry.clone());
    }

    /// Whether anybody follows so much.
    fn is_followed(&self, follow: Follow) -> bool {
        self.taps.iter().any(|tap| tap.follow >= follow && tap.is_held())
    }

    /// Those are cut off for whom too much waits already, as more comes. Who reads the answer alone waits for its end:
    /// what it holds, the hub holds too.
    fn cut_who_is_behind(&mut self, bytes_max: usize) {
        self.taps.retain(|tap| tap.follow == Follow::Entries || !tap.reader.is_behind(bytes_max));
    }

    fn tell(&mut self, news: &News) {
        self.taps.retain(|tap| tap.is_held() && (!tap.follow.wants(news) || tap.reader.push(news.clone())));
    }

    /// Tells those taps that nothing follows, and forgets them. Answers who they were.
    fn let_go(&mut self, closing: &Closing, which: impl Fn(&Tap) -> bool) -> Readers {
        let go = self.taps.extract_if(.., |tap| which(tap));
        go.map(|tap| {
            tap.reader.push(News::Closed(closing.clone()));
            (tap.of.asked, tap.reader)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
