//! A reader of a session, and what it learns: first what the journal holds, as
//! far as the reader asked for that, then what happens from then on.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use session::{Audience, Entry, Hidden, HowEnded, Kind, Millis, Seq, StoredEvent, TokenUsage, TurnNo, Uid, Waiting, hidden};
use storage::Journal;

use crate::error::Error;
use crate::hub::calls;

/// Stored entries that are read at once for one reader: it takes them in its own time.
const PAGE: usize = 64;

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
    /// A call that the model is writing, or that runs. The entries of it follow, or went before.
    Call {
        /// The id of the call, as its events carry it.
        id: Arc<str>,
        /// What of it.
        what: CallNews,
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
    /// A summary of the conversation is being made.
    CompactionStarted {
        /// When.
        at: Millis,
    },
    /// Nothing follows.
    Closed(Closing),
}

/// How much a reader follows of what happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Follow {
    /// The entries, and what model calls consume: for an answer in one piece.
    #[default]
    Entries,
    /// Text as it is written too.
    Text,
    /// Calls as they are written, and what they report, too. Every call that is to run is told as `Began` and all of
    /// its `Arguments` before its `ToolInput`; one that the client runs with arguments of the agent's over the
    /// model's before the `ClientToolPending` that names it, with what the client is to act on.
    Calls,
}

impl Follow {
    /// Whether this is for such a reader.
    pub(crate) fn wants(self, news: &News) -> bool {
        match news {
            News::Entry(_) | News::Usage { .. } | News::Closed(_) => true,
            News::Delta { .. } | News::Void { .. } | News::CompactionStarted { .. } => self >= Self::Text,
            News::Call { .. } => self >= Self::Calls,
        }
    }
}

/// What is learnt of a call beside its entries.
#[derive(Debug, Clone, PartialEq)]
pub enum CallNews {
    /// The model asks for it.
    Began {
        /// The name under which the agent binds the tool, as the model wrote it.
        name: Arc<str>,
    },
    /// A piece of its arguments: text, anywhere cut.
    Arguments(String),
    /// What was written of it is void: the model is being asked again, or no longer.
    Void,
    /// The tool says how far it is.
    Progress {
        /// From 0 to 1, where it knows.
        share: Option<f32>,
        /// For people; may be empty.
        note: String,
    },
}

/// Why nothing follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    /// The turn ended.
    Ended(HowEnded),
    /// It goes on when somebody has answered for the calls that wait.
    Paused,
    /// There is no turn that the reader could wait for.
    Idle,
    /// The input waited, and when its turn came it could not begin.
    Refused(Error),
}

impl Closing {
    /// The word for logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ended(how) => how.word(),
            Self::Paused => "paused",
            Self::Idle => "idle",
            Self::Refused(_) => "refused",
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

impl Part {
    /// Of which part such an event is the whole.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Thinking => Some(Self::Thinking),
            Kind::AgentOutput => Some(Self::Text),
            Kind::InputMessage | Kind::ToolInput | Kind::ToolOutput | Kind::StructuredOutput | Kind::Compaction => None,
            Kind::ClientToolPending | Kind::ContextLimitExceeded | Kind::SessionInterrupted | Kind::Tombstone => None,
            Kind::Began | Kind::Reply | Kind::Receipt | Kind::Ended | Kind::Corrected | Kind::Overflowed | Kind::Steered => None,
            Kind::Waiting | Kind::Paused | Kind::Resumed | Kind::Resolved => None,
        }
    }
}

/// A reader of a session. Dropping it never stops a turn.
#[derive(Debug)]
pub struct Watcher {
    before: Option<Box<Replay>>,
    reader: Arc<Reader>,
    turn: Option<TurnNo>,
}

impl Watcher {
    /// One that reads what this replay has, and then what this reader is handed.
    pub(crate) fn new(before: Option<Replay>, reader: Arc<Reader>) -> Self {
        Self { before: before.map(Box::new), reader, turn: None }
    }

    /// The same, of the turn that runs.
    pub(crate) fn of_turn(self, turn: Option<TurnNo>) -> Self {
        Self { turn, ..self }
    }

    /// The turn that it was told to follow, where one runs; none of an input that waits for one.
    pub fn turn(&self) -> Option<TurnNo> {
        self.turn
    }

    /// One for whom nothing happens any more.
    pub(crate) fn of_past(before: Option<Replay>, shown: &Shown, follow: Follow, closing: Closing) -> Self {
        let reader = Reader::after(&shown.entries, follow, &shown.withheld);
        reader.push(News::Closed(closing));
        Self { before: before.map(Box::new), reader, turn: None }
    }

    /// The reader, for whoever wants to know whether it took the end of its answer.
    pub(crate) fn reader(&self) -> &Arc<Reader> {
        &self.reader
    }

    /// The next piece of news; none after `Closed`, or where the reader was cut
    /// off because it was too slow or the session went away.
    pub async fn next(&mut self) -> Option<News> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As `next`, for a reader that is polled itself.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<News>> {
        if let Some(before) = &mut self.before {
            match before.next() {
                Some(Ok(news)) => return Poll::Ready(Some(news)),
                Some(Err(error)) => {
                    tracing::warn!(session.uid = %before.session, %error, "stored events could not be read for a watcher");
                    self.reader.cut();
                    return Poll::Ready(None);
                }
                None => self.before = None,
            }
        }
        self.reader.poll_next(cx)
    }
}

/// What was shown of a turn so far.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Its events.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// The ids of the calls among them that are told when they wait for the client, and not before.
    pub(crate) withheld: Vec<Arc<str>>,
}

impl Shown {
    /// A step waits: its calls that are the client's.
    pub(crate) fn waits(&mut self, waiting: &Waiting) {
        let theirs = calls::of_client(waiting).filter_map(|call| self.entries.iter().find(|entry| entry.seq == call));
        self.withheld.extend(theirs.filter_map(|entry| calls::asked(entry)));
    }
}

/// Stored events that a reader gets before the live ones.
pub(crate) struct Replay {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) session: Uid,
    /// The next position to read.
    pub(crate) next: Seq,
    /// The last one.
    pub(crate) to: Seq,
    /// What is left out.
    pub(crate) hidden: Vec<Hidden>,
    /// How much the reader follows; what is stored it gets the same way.
    pub(crate) follow: Follow,
    /// The calls of the turn that are told when they wait for the client.
    pub(crate) withheld: Vec<Arc<str>>,
    pub(crate) ready: VecDeque<News>,
}

impl Replay {
    fn next(&mut self) -> Option<Result<News, storage::Error>> {
        while self.ready.is_empty() && self.next <= self.to {
            let entries = match self.read() {
                Ok(entries) => entries,
                Err(error) => return Some(Err(error)),
            };
            // What was there and is there no more went with its session.
            let Some(last) = entries.last() else { return Some(Err(storage::Error::Gone(self.session))) };
            self.next = last.seq.next();
            for entry in entries.into_iter().filter(|entry| entry.seq <= self.to) {
                if entry.audience() != Audience::Internal && !hidden::covers(&self.hidden, entry.seq) {
                    stored(&Arc::new(entry), self.follow, &self.withheld, |news| self.ready.push_back(news));
                    // One that goes on waiting after others were answered is not told again.
                    self.withheld.retain(|id| !self.ready.iter().any(|news| matches!(news, News::Call { id: told, .. } if told == id)));
                }
            }
        }
        self.ready.pop_front().map(Ok)
    }

    /// The next entries, and whole steps for who follows calls: which of them wait stands behind all of them.
    fn read(&mut self) -> Result<Vec<Entry>, storage::Error> {
        let mut page = self.journal.read(self.session, self.next, PAGE)?;
        let mut entries = std::mem::take(&mut page.entries);
        if self.follow < Follow::Calls {
            return Ok(entries);
        }
        while page.more
            && let Some(last) = entries.last().filter(|last| matches!(last.kind, Kind::ToolInput | Kind::Reply))
        {
            page = self.journal.read(self.session, last.seq.next(), PAGE)?;
            entries.append(&mut page.entries);
        }
        for entry in entries.iter().filter(|entry| entry.kind == Kind::Waiting) {
            let waiting: Waiting = serde_json::from_str(&entry.body).map_err(|e| storage::Error::Damaged(e.to_string()))?;
            for call in calls::of_client(&waiting) {
                let asked = self.journal.entry(self.session, call)?;
                self.withheld.extend(asked.and_then(|entry| calls::asked(&entry)));
            }
        }
        Ok(entries)
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("next", &self.next).field("to", &self.to).finish_non_exhaustive()
    }
}

/// A stored event as news: text and calls in one piece before it, for who follows them. Of the calls that are
/// `withheld` it tells when they wait for the client.
fn stored(entry: &Arc<Entry>, follow: Follow, withheld: &[Arc<str>], mut push: impl FnMut(News)) {
    if let (true, Some(part)) = (follow >= Follow::Text, Part::of(entry.kind)) {
        let text = serde_json::from_str::<StoredEvent<'_>>(&entry.body).map(|event| event.text()).unwrap_or_default();
        if !text.is_empty() {
            push(News::Delta { part, text, at: entry.at });
        }
    }
    if follow >= Follow::Calls {
        calls::told(entry, withheld, &[]).into_iter().for_each(&mut push);
    }
    push(News::Entry(entry.clone()));
}

/// What waits for one reader. Shared between it and who writes to it.
#[derive(Debug, Default)]
pub(crate) struct Reader(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    news: VecDeque<News>,
    bytes: usize,
    over: bool,
    delivered: bool,
    waker: Option<Waker>,
}

impl Reader {
    /// A reader to whom this was shown so far.
    pub(crate) fn after(shown: &[Arc<Entry>], follow: Follow, withheld: &[Arc<str>]) -> Arc<Self> {
        let reader = Arc::new(Self::default());
        for entry in shown {
            stored(entry, follow, withheld, |news| {
                reader.push(news);
            });
        }
        reader
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<News>> {
        let mut queue = self.lock();
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

    /// Hands over news; false where nothing can be handed over any more. What continues the piece that waits last
    /// merges with it.
    pub(crate) fn push(&self, news: News) -> bool {
        let mut queue = self.lock();
        if queue.over {
            return false;
        }
        queue.over = matches!(news, News::Closed(_));
        if let Some(news) = queue.merged(news) {
            queue.bytes += size(&news);
            queue.news.push_back(news);
        }
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
        !queue.over
    }

    /// Whether more waits than may. Then it is cut off, and what waits is dropped.
    pub(crate) fn is_behind(&self, bytes_max: usize) -> bool {
        let mut queue = self.lock();
        let behind = queue.bytes > bytes_max;
        if behind {
            (queue.news, queue.over) = (VecDeque::new(), true);
            if let Some(waker) = queue.waker.take() {
                waker.wake();
            }
        }
        behind
    }

    /// Nothing follows; what waits is still handed out.
    pub(crate) fn cut(&self) {
        let mut queue = self.lock();
        queue.over = true;
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
    }

    /// Whether it took the end of its answer.
    pub(crate) fn delivered(&self) -> bool {
        self.lock().delivered
    }
}

impl Queue {
    /// The news, unless it became a part of what waits: it continues the last piece, or overtakes an older report of
    /// the same call.
    fn merged(&mut self, news: News) -> Option<News> {
        if let News::Call { id, what: CallNews::Progress { .. }, .. } = &news {
            let older = self
                .news
                .iter_mut()
                .find(|waiting| matches!(waiting, News::Call { id: of, what: CallNews::Progress { .. }, .. } if of == id));
            let Some(older) = older else { return Some(news) };
            *older = news;
            return None;
        }
        match (self.news.back_mut(), news) {
            (Some(News::Delta { part, text, .. }), News::Delta { part: more_of, text: more, .. }) if *part == more_of => {
                text.push_str(&more);
                None
            }
            (
                Some(News::Call { id, what: CallNews::Arguments(text), .. }),
                News::Call { id: more_of, what: CallNews::Arguments(more), .. },
            ) if *id == more_of => {
                text.push_str(&more);
                None
            }
            (_, news) => Some(news),
        }
    }
}

/// What a piece of news weighs while it waits. What is being written weighs next to nothing, however long it is: the
/// reply that it belongs to is bounded, and weighs as the entries that it becomes.
fn size(news: &News) -> usize {
    match news {
        News::Entry(entry) => entry.body.len(),
        News::Delta { .. } | News::Call { .. } | News::Void { .. } => PIECE,
        News::Usage { .. } | News::CompactionStarted { .. } | News::Closed(_) => PIECE,
    }
}

/// What everything weighs that is no entry, in bytes: about what it takes to hold it.
const PIECE: usize = 64;
