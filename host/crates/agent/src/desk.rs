//! What stays at hand of a live session while a future of its turn borrows the
//! state: the mailbox, those who watch, and the batches on their way to the store.

use std::collections::VecDeque;
use std::sync::Arc;

use session::{Decider, Entry, HowEnded, Millis, Queued, Seq, TurnNo};
use storage::Ticket;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::hub::{Hub, Of};
use crate::inbox;
use crate::live::Command;
use crate::repeats::{Answered, Taken};
use crate::since::Reading;
use crate::tail::Tail;
use crate::task::Stopped;
use crate::watcher::{Closing, Watcher};

/// What stays at hand.
pub(crate) struct Desk {
    pub(crate) commands: mpsc::Receiver<Command>,
    /// Shared with the sink of the model call that runs.
    pub(crate) hub: Arc<Hub>,
    pub(crate) tail: Tail,
    pub(crate) unsettled: Unsettled,
    /// The turn that runs; none where it pauses.
    pub(crate) turn: Option<TurnNo>,
    /// The inputs that its answer is for: a repeat of one joins it.
    pub(crate) taken: Vec<Taken>,
    /// The inputs before, for repeats of them; the oldest first.
    pub(crate) past: VecDeque<Answered>,
    /// The server wants to stop: end after this turn.
    pub(crate) retiring: bool,
}

impl Desk {
    /// A turn runs, for these inputs.
    pub(crate) fn take_on(&mut self, turn: TurnNo, taken: Vec<Taken>) {
        (self.turn, self.taken) = (Some(turn), taken);
    }

    /// Everybody who watches is told that nothing follows and let go; whose answer it was is kept for repeats.
    pub(crate) fn put_down(&mut self, closing: &Closing, at: Millis) {
        let readers = self.hub.close(closing);
        let taken = std::mem::take(&mut self.taken);
        if let Some(turn) = self.turn.take() {
            self.remember(turn, taken, readers, closing, at);
        }
    }

    /// One more reader.
    pub(crate) fn watch(&self, reading: Reading, of: Of) -> Watcher {
        let before = reading.since.map(|since| self.tail.replay(since, self.unsettled.durable, reading.follow));
        let turn = self.turn.filter(|_| of.queued.is_none());
        self.hub.watch(reading.follow, of, before).of_turn(turn)
    }

    /// The task ends in the middle of a turn: those who watch are told what that means for them.
    pub(crate) fn let_go(&self, stopped: Stopped) {
        match stopped {
            Stopped::Leaving => self.hub.abandon(),
            Stopped::Store => {
                let why = "the server could not store the turn; try again in a moment, and read the session's events first";
                self.hub.close_all(&Closing::Ended(HowEnded::Failed(why.into())));
            }
        }
    }

    /// A command while a turn runs. Answers by whom the turn is to be stopped, if it is.
    pub(crate) fn while_running(&mut self, inbox: &mut VecDeque<Queued>, command: Option<Command>) -> Result<Option<Decider>, Stopped> {
        match command {
            Some(Command::Post(post)) => inbox::post(self, inbox, *post),
            Some(Command::Decide(decide)) => {
                let taken = Taken::new(&decide.principal, decide.input.hash, decide.input.repeat);
                let reading = Reading { follow: decide.input.follow, since: None };
                let _ = decide.answer.send(self.repeated(inbox, &taken, reading).unwrap_or_else(|| Err(self.busy())));
            }
            Some(Command::Rejoin { reading, answer }) => drop(answer.send(Ok(self.watch(reading, Of::default())))),
            // What is due is looked at again when the turn pauses; it is not idle.
            Some(Command::Expire | Command::Idle { .. } | Command::TakeBack { .. }) => {}
            Some(Command::Interrupt { by, follow, answer }) => {
                let _ = answer.send(Ok(self.watch(Reading { follow, since: None }, Of::default())));
                return Ok(Some(by));
            }
            Some(Command::Leave { by, turn }) => {
                let left = self.turn == Some(turn) && !self.hub.answers_somebody();
                if left {
                    // Nobody wants this answer any more: the same words again ask for another one.
                    self.taken.clear();
                }
                return Ok(Some(by).filter(|_| left));
            }
            Some(Command::Edit(change)) => change.refuse(Error::EditWhileRunning(self.tail.key.clone())),
            Some(Command::Retire) => self.retiring = true,
            Some(Command::Stop) | None => return Err(Stopped::Leaving),
        }
        Ok(None)
    }

    /// What an input hears that will not wait for the turn that runs.
    pub(crate) fn busy(&self) -> Error {
        Error::Busy(self.tail.key.clone())
    }
}

/// Batches on their way to the store, oldest first.
pub(crate) struct Unsettled {
    waiting: VecDeque<(Ticket, Then)>,
    /// Up to here the journal is durable.
    pub(crate) durable: Seq,
    hub: Arc<Hub>,
    key: String,
}

/// What happens when a batch is durable.
enum Then {
    /// These entries are shown.
    Show(Vec<Arc<Entry>>),
    /// Whoever posted what it holds gets this answer.
    Answer(oneshot::Sender<Result<Watcher, Error>>, Watcher),
}

impl Unsettled {
    pub(crate) fn new(hub: Arc<Hub>, key: String, durable: Seq) -> Self {
        Self { waiting: VecDeque::new(), durable, hub, key }
    }

    /// A batch with these entries is on its way: they are shown when it is durable.
    pub(crate) fn show(&mut self, ticket: Ticket, entries: Vec<Arc<Entry>>) {
        self.hub.hold();
        self.waiting.push_back((ticket, Then::Show(entries)));
    }

    /// A batch without entries is on its way: what it holds is acknowledged when it is durable.
    pub(crate) fn answer(&mut self, ticket: Ticket, answer: oneshot::Sender<Result<Watcher, Error>>, watcher: Watcher) {
        self.waiting.push_back((ticket, Then::Answer(answer, watcher)));
    }

    /// Waits for the oldest batch that is not durable yet and does what waited for it.
    /// True while more wait after it. Safe to drop and call again.
    pub(crate) async fn settle(&mut self) -> Result<bool, Stopped> {
        let Some((ticket, _)) = self.waiting.front_mut() else { return Ok(false) };
        let results = ticket.await;
        let Some((_, then)) = self.waiting.pop_front() else { return Ok(false) };
        match results.into_iter().find_map(Result::err) {
            None => {}
            Some(storage::Error::Gone(_)) => {
                tracing::info!(session.key = %self.key, "the session was deleted while its turn ran");
                return Err(Stopped::Leaving);
            }
            Some(error) => {
                tracing::error!(session.key = %self.key, %error, "a batch was not stored; the turn stops here");
                return Err(Stopped::Store);
            }
        }
        match then {
            Then::Show(entries) => {
                self.durable = entries.last().map_or(self.durable, |last| last.seq);
                self.hub.settled(&entries);
            }
            Then::Answer(answer, watcher) => {
                if answer.send(Ok(watcher)).is_err() {
                    tracing::debug!(session.key = %self.key, "the client left before its input was acknowledged; it waits all the same");
                }
            }
        }
        Ok(!self.waiting.is_empty())
    }

    /// Whether a batch is on its way.
    pub(crate) fn is_some(&self) -> bool {
        !self.waiting.is_empty()
    }
}
