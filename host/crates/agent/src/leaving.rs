//! Those who go away before they hear that what they posted was taken: a turn that would run for nobody stops, where
//! they want that.

use std::sync::Arc;

use session::{Decider, Principal, Session};
use tokio::sync::oneshot;

use crate::Engine;
use crate::error::Error;
use crate::task::Task;
use crate::watcher::Watcher;

/// Somebody who waits to hear that what they posted was taken. Dropping this is going away.
pub(crate) struct Awaiting<'a> {
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) session: &'a Arc<Session>,
    pub(crate) principal: &'a Principal,
    pub(crate) taken: oneshot::Receiver<Result<Watcher, Error>>,
    /// Whether the turn stops with that.
    pub(crate) leaves: bool,
}

impl Awaiting<'_> {
    /// What they hear.
    pub(crate) async fn answer(mut self) -> Result<Watcher, Error> {
        (&mut self.taken).await.unwrap_or_else(|_| Err(self.engine.not_taken(self.session)))
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        // An answer that is not sent by now finds nobody, which the session's task sees. One that was sent and not read is here.
        self.taken.close();
        let Ok(Ok(watcher)) = self.taken.try_recv() else { return };
        let turn = watcher.turn();
        drop(watcher);
        if let (true, Some(turn)) = (self.leaves, turn) {
            self.engine.leave(self.session, self.principal, turn);
        }
    }
}

impl Task {
    /// Hands over the reader of the turn that was begun, or that goes on. Where nobody is there to take it, the turn is
    /// stopped by `left`, if anybody.
    pub(crate) fn hand_over(&mut self, answer: oneshot::Sender<Result<Watcher, Error>>, watcher: Watcher, left: Option<Decider>) {
        let sent = answer.send(Ok(watcher)).is_ok();
        if sent {
            return;
        }
        tracing::debug!(session.uid = %self.session.uid, stops = left.is_some(), "the client left before what it posted was acknowledged");
        if let Some(by) = left.filter(|_| !self.desk.hub.answers_somebody()) {
            // Nobody wants this answer: the same words again ask for another one.
            self.desk.taken.clear();
            self.interrupt(by);
        }
    }
}
