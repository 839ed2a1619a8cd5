//! The live news of one session's turn, and those who watch it.
//!
//! Pieces of text leave at once when the reader is idle and merge with what is
//! waiting otherwise; nothing here waits for a reader or keeps a timer.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use session::{Audience, Entry, HowEnded, Kind, Millis, StoredEvent, TokenUsage};

/// What a watcher learns, in order.
#[derive(Debug, Clone)]
pub enum News {
    /// An event, after its commit. Its body is what clients get.
    Entry(Arc<Entry>),
    /// A piece of text that is being written. The entry of the whole follows.
    Delta {
        /// Of what.
        part: Part,
        /// The text.
        text: String,
        /// When.
        at: Millis,
    },
    /// What was written of this part is void: the model is being asked again.
    Void {
        /// Of what.
        part: Part,
        /// When.
        at: Millis,
    },
    /// What a model call consumed.
    Usage {
        /// The tokens.
        usage: TokenUsage,
        /// When.
        at: Millis,
    },
    /// Nothing follows.
    Closed(Closing),
}

/// Why nothing follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    /// The turn ended.
    Ended(HowEnded),
    /// It goes on when somebody has answered for the calls that wait.
    Paused,
}

impl Closing {
    /// The word for logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ended(how) => how.word(),
            Self::Paused => "paused",
        }
    }
}

/// What a piece of text belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The model's reasoning.
    Thinking,
    /// The agent's answer.
    Text,
}

/// A reader of one turn. Dropping it never stops the turn.
#[derive(Debug)]
pub struct Watcher(Arc<Shared>);

impl Watcher {
    /// The next piece of news; none after `Closed`, or where the reader was cut
    /// off because it was too slow or the session went away.
    pub async fn next(&mut self) -> Option<News> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As `next`, for a reader that is polled itself.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<News>> {
        let mut queue = self.0.lock();
        if let Some(news) = queue.news.pop_front() {
            queue.bytes = queue.bytes.saturating_sub(size(&news));
            queue.delivered |= matches!(news, News::Closed(_));
            return Poll::Ready(Some(news));
        }
        if queue.over {
            return Poll::Ready(None);
        }
        if !queue.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            queue.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[derive(Debug, Default)]
struct Shared(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    news: VecDeque<News>,
    bytes: usize,
    over: bool,
    delivered: bool,
    waker: Option<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over news; false where the reader had fallen too far behind before
    /// and is cut off. One piece of any size always fits: it exists anyway.
    fn push(&self, news: News, bytes_max: usize) -> bool {
        let mut queue = self.lock();
        if queue.bytes > bytes_max {
            (queue.news, queue.over) = (VecDeque::new(), true);
        } else {
            queue.bytes += size(&news);
            queue.over = matches!(news, News::Closed(_));
            match (queue.news.back_mut(), news) {
                (Some(News::Delta { part, text, .. }), News::Delta { part: more_of, text: more, .. }) if *part == more_of => {
                    text.push_str(&more);
                }
                (_, news) => queue.news.push_back(news),
            }
        }
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
        !queue.over
    }

    /// Nothing follows; what waits is still handed out.
    fn cut(&self) {
        let mut queue = self.lock();
        queue.over = true;
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
    }
}

/// What a piece of news weighs while it waits.
fn size(news: &News) -> usize {
    match news {
        News::Entry(entry) => entry.body.len(),
        News::Delta { text, .. } => text.len(),
        News::Void { .. } | News::Usage { .. } | News::Closed(_) => 16,
    }
}

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
    open: Option<Open>,
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
}

#[derive(Debug)]
struct Tap {
    reader: Arc<Shared>,
    live: bool,
}

#[derive(Debug)]
struct Open {
    part: Part,
    text: String,
    at: Millis,
}

/// What a turn, or its part up to a pause, left behind for those who ask again.
#[derive(Debug)]
pub(crate) struct Past {
    shown: Vec<Arc<Entry>>,
    closing: Closing,
    readers: Vec<Arc<Shared>>,
}

impl Past {
    /// Whether any reader took the end of the answer.
    pub(crate) fn delivered(&self) -> bool {
        self.readers.iter().any(|reader| reader.lock().delivered)
    }

    /// The turn once more, for one more reader.
    pub(crate) fn watch(&mut self, live: bool) -> Watcher {
        let reader = replay(&self.shown, live);
        reader.push(News::Closed(self.closing.clone()), usize::MAX);
        self.readers.push(reader.clone());
        Watcher(reader)
    }

    /// Whether it ended without an answer that repeating could not better.
    pub(crate) fn failed(&self) -> bool {
        matches!(self.closing, Closing::Ended(HowEnded::Failed(_)))
    }

    /// The entries that it showed.
    pub(crate) fn shown(&self) -> &[Arc<Entry>] {
        &self.shown
    }
}

/// A turn that is over or paused, as a watcher of it would have seen it.
pub(crate) fn past(shown: Vec<Arc<Entry>>, closing: Closing) -> Past {
    Past { shown, closing, readers: Vec::new() }
}

impl Hub {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new reader of the running turn: what was shown, one piece with the
    /// unfinished text, then live. A reader that is not `live` gets entries only.
    pub(crate) fn watch(&self, live: bool) -> Watcher {
        let mut inner = self.lock();
        let reader = replay(&inner.shown, live);
        if let (true, Some(open)) = (live, &inner.open) {
            reader.push(News::Delta { part: open.part, text: open.text.clone(), at: open.at }, usize::MAX);
        }
        inner.taps.push(Tap { reader: reader.clone(), live });
        Watcher(reader)
    }

    /// Whether anybody reads along.
    pub(crate) fn watched(&self) -> bool {
        self.lock().taps.iter().any(|tap| tap.live && Arc::strong_count(&tap.reader) > 1)
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
            Some(Waiting::Text(..)) | None => None,
        };
        for entry in entries.iter().filter(|entry| entry.audience() != Audience::Internal) {
            if matches!(entry.kind, Kind::Thinking | Kind::AgentOutput) {
                inner.open = None;
            }
            inner.tell(&News::Entry(entry.clone()), self.bytes_max);
            inner.shown.push(entry.clone());
        }
        if let Some((usage, at)) = usage {
            inner.tell(&News::Usage { usage, at }, self.bytes_max);
        }
        while let Some(Waiting::Text(..)) = inner.waiting.front() {
            if let Some(Waiting::Text(part, text, at)) = inner.waiting.pop_front() {
                inner.write(part, &text, at, self.bytes_max);
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
        if inner.waiting.is_empty()
            && let Some(open) = inner.open.take()
        {
            inner.tell(&News::Void { part: open.part, at }, self.bytes_max);
        }
    }

    /// What the last model call consumed: told after the entries of the next batch.
    pub(crate) fn usage(&self, usage: TokenUsage, at: Millis) {
        self.lock().usage = Some((usage, at));
    }

    /// The turn is over or paused: everybody is told and let go.
    pub(crate) fn close(&self, closing: Closing) -> Past {
        let mut inner = self.lock();
        inner.tell(&News::Closed(closing.clone()), self.bytes_max);
        let readers = inner.taps.drain(..).map(|tap| tap.reader).collect();
        (inner.open, inner.usage) = (None, None);
        inner.waiting.clear();
        Past { shown: std::mem::take(&mut inner.shown), closing, readers }
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
    /// Text that may be shown now. Another part than the open one begins anew:
    /// the one before is whole, and becomes an entry at the end of the step.
    fn write(&mut self, part: Part, piece: &str, at: Millis, bytes_max: usize) {
        match &mut self.open {
            Some(open) if open.part == part => open.text.push_str(piece),
            open => *open = Some(Open { part, text: piece.to_owned(), at }),
        }
        self.tell(&News::Delta { part, text: piece.to_owned(), at }, bytes_max);
    }

    fn tell(&mut self, news: &News, bytes_max: usize) {
        let for_all = matches!(news, News::Entry(_) | News::Closed(_));
        let last = matches!(news, News::Closed(_));
        self.taps.retain(|tap| {
            // A reader of the answer alone waits for its end: what it holds, the hub holds too.
            let bytes_max = if tap.live { bytes_max } else { usize::MAX };
            let kept = last || Arc::strong_count(&tap.reader) > 1;
            kept && ((!for_all && !tap.live) || tap.reader.push(news.clone(), bytes_max) || last)
        });
    }
}

fn replay(shown: &[Arc<Entry>], live: bool) -> Arc<Shared> {
    let reader = Arc::new(Shared::default());
    for entry in shown {
        let part = match entry.kind {
            Kind::Thinking => Some(Part::Thinking),
            Kind::AgentOutput => Some(Part::Text),
            _ => None,
        };
        if let (true, Some(part)) = (live, part) {
            let text = serde_json::from_str::<StoredEvent<'_>>(&entry.body).map(|event| event.text()).unwrap_or_default();
            reader.push(News::Delta { part, text, at: entry.at }, usize::MAX);
        }
        reader.push(News::Entry(entry.clone()), usize::MAX);
    }
    reader
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::{Seq, TurnNo};

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
                News::Usage { .. } => "usage".into(),
                News::Closed(closing) => closing.word().to_owned(),
            });
        }
        seen
    }

    #[test]
    fn text_never_overtakes_an_entry_that_waits_for_its_commit() {
        let hub = Hub::new(1 << 20);
        let mut live = hub.watch(true);
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
        let mut live = hub.watch(true);
        hub.hold();
        hub.delta(Part::Text, "one".into(), Millis(1));
        hub.usage(TokenUsage::default(), Millis(1));
        hub.hold();
        hub.delta(Part::Text, "two".into(), Millis(2));
        hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
        assert_eq!(drain(&mut live), ["input_message", "one"]);
        hub.settled(&[entry(2, Kind::AgentOutput, "{}"), entry(3, Kind::ToolInput, "{}")]);
        assert_eq!(drain(&mut live), ["agent_output", "tool_input", "usage", "two"]);
    }

    #[test]
    fn waiting_pieces_merge_and_an_idle_reader_gets_each_at_once() {
        let hub = Hub::new(1 << 20);
        let mut live = hub.watch(true);
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
        let mut late = hub.watch(true);
        assert_eq!(drain(&mut late), ["input_message", "hm", "thinking", "one two"]);
        let past = hub.close(Closing::Ended(HowEnded::Answered));
        assert!(!past.delivered());
        assert_eq!(drain(&mut late), ["answered"]);
        assert!(past.delivered());
    }

    #[test]
    fn a_reader_that_only_wants_the_answer_gets_entries_alone() {
        let hub = Hub::new(1 << 20);
        let mut plain = hub.watch(false);
        assert!(!hub.watched());
        hub.delta(Part::Text, "x".into(), Millis(1));
        hub.settled(&[entry(1, Kind::AgentOutput, "{}"), entry(2, Kind::Ended, "{}")]);
        hub.close(Closing::Ended(HowEnded::Answered));
        assert_eq!(drain(&mut plain), ["agent_output", "answered"]);
    }

    #[test]
    fn a_reader_that_never_reads_is_cut_off_and_costs_no_more() {
        let hub = Hub::new(8);
        let mut slow = hub.watch(true);
        hub.delta(Part::Text, "0123456789".into(), Millis(1));
        hub.delta(Part::Text, "more than it may keep waiting".into(), Millis(1));
        assert_eq!(drain(&mut slow), Vec::<String>::new());
        assert!(hub.lock().taps.is_empty());
    }

    #[test]
    fn one_large_piece_reaches_a_reader_that_keeps_up() {
        let hub = Hub::new(8);
        let mut live = hub.watch(true);
        hub.delta(Part::Text, "0123456789".into(), Millis(1));
        assert_eq!(drain(&mut live), ["0123456789"]);
        hub.delta(Part::Text, "0123456789".into(), Millis(1));
        assert_eq!(drain(&mut live), ["0123456789"]);
    }

    #[test]
    fn readers_are_let_go_when_the_session_ends_without_a_word() {
        let hub = Hub::new(8);
        let mut live = hub.watch(true);
        drop(hub);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(live.poll_next(&mut cx), Poll::Ready(None)));
    }
}
