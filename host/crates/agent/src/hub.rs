//! The live news of one session's turns, and those who watch them.
//!
//! Pieces of text leave at once when the reader is idle and merge with what is
//! waiting otherwise; nothing here waits for a reader or keeps a timer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session::{Audience, Entry, Kind, Millis, TokenUsage};

use crate::error::Error;
use crate::repeats::Asked;
use crate::watcher::{Closing, News, Part, Reader, Replay, Watcher};

/// A session's side: what its turn has shown so far, and to whom it shows it.
/// Locked for moments by the session's own task only; the lock makes it
/// shareable between the futures of that task.
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
    live: bool,
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
    /// instead, one piece with the unfinished text, then live. A reader that is not
    /// `live` gets entries only.
    pub(crate) fn watch(&self, live: bool, of: Of, before: Option<Replay>) -> Watcher {
        let mut inner = self.lock();
        let reader = if before.is_some() { Arc::default() } else { Reader::after(&inner.shown, live) };
        if let (true, Some(at)) = (live, inner.compacting) {
            reader.push(News::CompactionStarted { at }, usize::MAX);
        }
        for open in inner.open.iter().filter(|_| live) {
            reader.push(News::Delta { part: open.part, text: open.text.clone(), at: open.at }, usize::MAX);
        }
        inner.taps.push(Tap { reader: reader.clone(), live, of });
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
        self.lock().let_go(&closing, self.bytes_max, |tap| tap.of.queued == Some(no));
    }

    /// Whether anybody reads along.
    pub(crate) fn watched(&self) -> bool {
        self.lock().taps.iter().any(|tap| tap.live && tap.is_held())
    }

    /// A batch is on its way to the store: what comes now waits until it is `settled`.
    pub(crate) fn hold(&self) {
        let inner = &mut *self.lock();
        inner.waiting.push_back(Waiting::Batch(inner.usage.take()));
    }

    /// The oldest batch on its way is durable: its entries are shown, and what waited behind it.
    pub(crate) fn settled(&self, entries: &[Arc<Entry>]) {
        let inner = &mut *self.lock();
        let usage = match inner.waiting.pop_front() {
            Some(Waiting::Batch(usage)) => usage,
            Some(Waiting::Text(..) | Waiting::Compaction(_)) | None => None,
        };
        // What is appended next is the summary, or that there is none.
        inner.compacting = inner.compacting.filter(|_| entries.is_empty());
        if let Some(reply) = entries.iter().find(|entry| entry.kind == Kind::Reply) {
            inner.close_parts(entries, reply.at, self.bytes_max);
        }
        for entry in entries.iter().filter(|entry| entry.audience() != Audience::Internal) {
            inner.tell(&News::Entry(entry.clone()), self.bytes_max);
            inner.shown.push(entry.clone());
        }
        if let Some((usage, at)) = usage {
            inner.tell(&News::Usage { usage, at }, self.bytes_max);
        }
        while let Some(waiting) = inner.waiting.pop_front_if(|waiting| !matches!(waiting, Waiting::Batch(_))) {
            match waiting {
                Waiting::Text(part, text, at) => inner.write(part, &text, at, self.bytes_max),
                Waiting::Compaction(at) => inner.compaction(at, self.bytes_max),
                Waiting::Batch(_) => {}
            }
        }
    }

    /// A piece of text.
    pub(crate) fn delta(&self, part: Part, piece: String, at: Millis) {
        let inner = &mut *self.lock();
        match inner.waiting.back_mut() {
            None => inner.write(part, &piece, at, self.bytes_max),
            Some(Waiting::Text(last, text, _)) if *last == part => text.push_str(&piece),
            Some(_) => inner.waiting.push_back(Waiting::Text(part, piece, at)),
        }
    }

    /// What was streamed of the open reply does not count.
    pub(crate) fn void(&self, at: Millis) {
        let inner = &mut *self.lock();
        while let Some(Waiting::Text(..)) = inner.waiting.back() {
            inner.waiting.pop_back();
        }
        // With a batch on its way the open part is an earlier reply's, which counts.
        if inner.waiting.is_empty() {
            inner.close_parts(&[], at, self.bytes_max);
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
            inner.compaction(at, self.bytes_max);
        } else {
            inner.waiting.push_back(Waiting::Compaction(at));
        }
    }

    /// The turn is over or paused: who watches it is told and let go. At its end those stay whose
    /// input still waits; at a pause nobody knows when that will be.
    pub(crate) fn close(&self, closing: &Closing) -> Readers {
        let mut inner = self.lock();
        let stay = !matches!(closing, Closing::Paused);
        let readers = inner.let_go(closing, self.bytes_max, |tap| !(stay && tap.of.queued.is_some() && tap.is_held()));
        (inner.usage, inner.compacting) = (None, None);
        inner.open.clear();
        inner.waiting.clear();
        inner.shown.clear();
        readers
    }

    /// The session stops in the middle of a turn: all are told why.
    pub(crate) fn close_all(&self, closing: &Closing) {
        self.lock().let_go(closing, self.bytes_max, |_| true);
    }

    /// Entries that were shown before: of the turn that is taken up, or the input of the one that is retried.
    pub(crate) fn preface(&self, entries: impl IntoIterator<Item = Arc<Entry>>) {
        self.lock().shown.extend(entries);
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
    fn write(&mut self, part: Part, piece: &str, at: Millis, bytes_max: usize) {
        match self.open.iter_mut().find(|open| open.part == part) {
            Some(open) => open.text.push_str(piece),
            None => self.open.push(Open { part, text: piece.to_owned(), at }),
        }
        self.tell(&News::Delta { part, text: piece.to_owned(), at }, bytes_max);
    }

    /// A summary is being made, and that may be shown now.
    fn compaction(&mut self, at: Millis, bytes_max: usize) {
        self.compacting = Some(at);
        self.tell(&News::CompactionStarted { at }, bytes_max);
    }

    /// The reply is whole, or does not count: what was written of it and is none of these entries is void.
    fn close_parts(&mut self, entries: &[Arc<Entry>], at: Millis, bytes_max: usize) {
        for Open { part, .. } in std::mem::take(&mut self.open) {
            if !entries.iter().any(|entry| Part::of(entry.kind) == Some(part)) {
                self.tell(&News::Void { part, at }, bytes_max);
            }
        }
    }

    fn tell(&mut self, news: &News, bytes_max: usize) {
        let for_all = matches!(news, News::Entry(_));
        self.taps.retain(|tap| tap.is_held() && ((!for_all && !tap.live) || tap.reader.push(news.clone(), room(tap, bytes_max))));
    }

    /// Tells those taps that nothing follows, and forgets them. Answers who they were.
    fn let_go(&mut self, closing: &Closing, bytes_max: usize, which: impl Fn(&Tap) -> bool) -> Readers {
        let go = self.taps.extract_if(.., |tap| which(tap));
        go.map(|tap| {
            tap.reader.push(News::Closed(closing.clone()), room(&tap, bytes_max));
            (tap.of.asked, tap.reader)
        })
        .collect()
    }
}

/// How much may wait for a reader. One of the answer alone waits for its end: what it holds, the hub holds too.
fn room(tap: &Tap, bytes_max: usize) -> usize {
    if tap.live { bytes_max } else { usize::MAX }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use session::{HowEnded, Seq, TurnNo};

    use super::*;

    fn entry(seq: u64, kind: Kind, body: &str) -> Arc<Entry> {
        Arc::new(Entry { seq: Seq(seq), at: Millis(0), turn: TurnNo(1), step: 0, kind, body: body.into() })
    }

    fn drain(watcher: &mut Watcher) -> Vec<String> {
        let mut seen = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(news)) = watcher.poll_next(&mut cx) {
            seen.push(match news {
                News::Entry(entry) => entry.kind.word().to_owned(),
                News::Delta { text, .. } => text,
                News::Void { .. } => "void".into(),
                News::Call { id, .. } => id.to_string(),
                News::Usage { .. } => "usage".into(),
                News::CompactionStarted { .. } => "compaction_started".into(),
                News::Closed(closing) => closing.word().to_owned(),
            });
        }
        seen
    }

    /// A reader of what runs.
    fn watch(hub: &Hub, live: bool) -> Watcher {
        hub.watch(live, Of::default(), None)
    }

    /// A reader of an input that waits.
    fn wait_for(hub: &Hub, no: u64, live: bool) -> Watcher {
        hub.watch(live, Of { asked: None, queued: Some(no) }, None)
    }

    fn ended() -> Closing {
        Closing::Ended(HowEnded::Answered)
    }

    #[test]
    fn text_never_overtakes_an_entry_that_waits_for_its_commit() {
        let hub = Hub::new(1 << 20);
        let mut live = watch(&hub, true);
        hub.hold();
        hub.delta(Part::Thinking, "hm".into(), Millis(1));
        hub.delta(Part::Text, "early".into(), Millis(1));
        assert_eq!(drain(&mut live), Vec::<String>::new());
        hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
        assert_eq!(drain(&mut live), ["input_message", "hm", "early"]);
    }

    #[test]
    fn everything_keeps_its_order_when_the_model_is_faster_than_the_disk() {
        let hub = Hub::new(1 << 20);
        let mut live = watch(&hub, true);
        hub.hold();
        hub.delta(Part::Text, "one".into(), Millis(1));
        hub.usage(TokenUsage::default(), Millis(1));
        hub.hold();
        hub.delta(Part::Text, "two".into(), Millis(2));
        hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
        assert_eq!(drain(&mut live), ["input_message", "one"]);
        hub.settled(&[entry(2, Kind::AgentOutput, "{}"), entry(3, Kind::ToolInput, "{}"), entry(4, Kind::Reply, "{}")]);
        assert_eq!(drain(&mut live), ["agent_output", "tool_input", "usage", "two"]);
    }

    #[test]
    fn waiting_pieces_merge_and_an_idle_reader_gets_each_at_once() {
        let hub = Hub::new(1 << 20);
        let mut live = watch(&hub, true);
        hub.delta(Part::Text, "a".into(), Millis(1));
        assert_eq!(drain(&mut live), ["a"]);
        hub.delta(Part::Text, "b".into(), Millis(1));
        hub.delta(Part::Text, "c".into(), Millis(1));
        assert_eq!(drain(&mut live), ["bc"]);
    }

    #[test]
    fn a_late_reader_gets_what_was_shown_then_the_unfinished_text_in_one_piece() {
        let hub = Hub::new(1 << 20);
        hub.settled(&[entry(1, Kind::InputMessage, "{}"), entry(2, Kind::Thinking, r#"{"content":"hm"}"#)]);
        hub.delta(Part::Text, "one ".into(), Millis(1));
        hub.delta(Part::Text, "two".into(), Millis(1));
        let mut late = watch(&hub, true);
        assert_eq!(drain(&mut late), ["input_message", "hm", "thinking", "one two"]);
        let readers = hub.close(&ended());
        assert!(!readers[0].1.delivered());
        assert_eq!(drain(&mut late), ["answered"]);
        assert!(readers[0].1.delivered());
    }

    #[test]
    fn a_late_reader_gets_all_parts_of_the_reply_that_is_coming_and_what_becomes_no_event_is_void() {
        let hub = Hub::new(1 << 20);
        hub.delta(Part::Thinking, "hm".into(), Millis(1));
        hub.delta(Part::Text, "{".into(), Millis(1));
        let mut late = watch(&hub, true);
        hub.hold();
        hub.settled(&[entry(1, Kind::Thinking, "{}"), entry(2, Kind::StructuredOutput, "{}"), entry(3, Kind::Reply, "{}")]);
        assert_eq!(drain(&mut late), ["hm", "{", "void", "thinking", "structured_output"]);
        hub.delta(Part::Text, "anew".into(), Millis(1));
        assert_eq!(drain(&mut watch(&hub, true)), ["thinking", "structured_output", "anew"]);
    }

    #[test]
    fn a_reader_that_only_wants_the_answer_gets_entries_alone() {
        let hub = Hub::new(1 << 20);
        let mut plain = watch(&hub, false);
        assert!(!hub.watched());
        hub.delta(Part::Text, "x".into(), Millis(1));
        hub.settled(&[entry(1, Kind::AgentOutput, "{}"), entry(2, Kind::Ended, "{}")]);
        hub.close(&ended());
        assert_eq!(drain(&mut plain), ["agent_output", "answered"]);
    }

    #[test]
    fn a_reader_that_never_reads_is_cut_off_and_costs_no_more() {
        let hub = Hub::new(8);
        let mut slow = watch(&hub, true);
        hub.delta(Part::Text, "0123456789".into(), Millis(1));
        hub.delta(Part::Text, "more than it may keep waiting".into(), Millis(1));
        assert_eq!(drain(&mut slow), Vec::<String>::new());
        assert!(hub.lock().taps.is_empty());
    }

    #[test]
    fn one_large_piece_reaches_a_reader_that_keeps_up() {
        let hub = Hub::new(8);
        let mut live = watch(&hub, true);
        hub.delta(Part::Text, "0123456789".into(), Millis(1));
        assert_eq!(drain(&mut live), ["0123456789"]);
        hub.delta(Part::Text, "0123456789".into(), Millis(1));
        assert_eq!(drain(&mut live), ["0123456789"]);
    }

    #[test]
    fn readers_are_let_go_when_the_session_ends_without_a_word() {
        let hub = Hub::new(8);
        let mut live = watch(&hub, true);
        drop(hub);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(live.poll_next(&mut cx), Poll::Ready(None)));
    }

    #[test]
    fn who_waits_for_a_later_turn_sees_the_rest_of_this_one_and_then_its_own() {
        let hub = Hub::new(1 << 20);
        hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
        hub.delta(Part::Text, "so far".into(), Millis(1));
        let mut later = wait_for(&hub, 3, true);
        hub.settled(&[entry(2, Kind::AgentOutput, "{}")]);
        assert_eq!(hub.close(&ended()).len(), 0);
        hub.taken(3);
        hub.settled(&[entry(4, Kind::InputMessage, "{}")]);
        assert_eq!(hub.close(&ended()).len(), 1);
        assert_eq!(drain(&mut later), ["input_message", "so far", "agent_output", "input_message", "answered"]);
    }

    #[test]
    fn a_pause_lets_everybody_go_and_an_input_that_cannot_begin_its_own_readers_alone() {
        let hub = Hub::new(1 << 20);
        let (mut first, mut second) = (wait_for(&hub, 1, false), wait_for(&hub, 2, false));
        hub.refuse(1, &Error::Idle);
        assert_eq!(drain(&mut first), ["refused"]);
        hub.close(&Closing::Paused);
        assert_eq!(drain(&mut second), ["paused"]);
        assert!(hub.lock().taps.is_empty());
    }

    #[test]
    fn a_summary_is_announced_after_what_was_before_it() {
        let hub = Hub::new(1 << 20);
        let mut live = watch(&hub, true);
        hub.hold();
        hub.compacting(Millis(2));
        hub.delta(Part::Text, "after".into(), Millis(3));
        assert_eq!(drain(&mut live), Vec::<String>::new());
        hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
        assert_eq!(drain(&mut live), ["input_message", "compaction_started", "after"]);
        assert_eq!(drain(&mut watch(&hub, true)), ["input_message", "compaction_started", "after"]);
        hub.settled(&[entry(2, Kind::Compaction, "{}")]);
        assert_eq!(drain(&mut watch(&hub, true)), ["input_message", "compaction", "after"]);
    }
}
