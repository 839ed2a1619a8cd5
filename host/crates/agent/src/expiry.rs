//! Sessions that end by idling. The directory has a time for each at which to look at it; that is
//! never after the session ends and often before, because nothing is written there while a
//! session is in use. Whoever looks decides by what the session is then: over, or look again later.
//! Only the session's own task deletes it, between two inputs: what it acknowledged is not lost.

use std::sync::Arc;
use std::time::Duration;

use session::{Millis, Session, Status, Uid};
use tokio::sync::{MutexGuard, oneshot};

use crate::Engine;
use crate::error::Error;
use crate::live::Command;
use crate::task::Task;

/// Sessions that are due and looked up at once.
const PAGE: usize = 64;

/// Longest that the look for what is due sleeps. Shorter than the shortest time to idle, so that
/// nobody has to wake it; the system's clock may be set meanwhile, and what failed is tried again.
const LOOK_LATEST: Duration = Duration::from_secs(30);

/// Shortest that it sleeps, however many sessions end.
const LOOK_SOONEST: Duration = Duration::from_millis(200);

const MINUTE_MS: u64 = 60_000;

/// What a session does, as far as idling goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rest {
    /// The time of its last entry.
    pub(crate) last_at: Millis,
    /// A turn runs, or waits for somebody, or an input waits for its turn.
    pub(crate) busy: bool,
}

/// When a session is over that nothing happens to from now on; none for never.
fn over_at(tti_minutes: u64, since: Millis) -> Option<Millis> {
    let ms = i64::try_from(tti_minutes.saturating_mul(MINUTE_MS)).unwrap_or(i64::MAX);
    (tti_minutes > 0).then(|| Millis(since.0.saturating_add(ms)))
}

/// When this one is over, if it stays as it is. While it is busy it is not idle.
fn ends_at(session: &Session, rest: Rest, now: Millis) -> Option<Millis> {
    let since = if rest.busy { now } else { rest.last_at.max(session.created_at) };
    over_at(session.tti_minutes, since)
}

/// A session that was idle for too long. While this is held, nobody changes how long it may be.
struct Over<'a> {
    session: Session,
    _alone: MutexGuard<'a, ()>,
}

impl Engine {
    /// From now on a session may idle for so many minutes, before it is looked at. Comes before
    /// what it belongs to is written, so that a crash in between loses no time.
    pub(crate) async fn may_idle(&self, session: Uid, tti_minutes: u64) -> Result<(), Error> {
        match over_at(tti_minutes, self.clock.now()) {
            Some(at) => Ok(self.directory.expire_at(session, Some(at)).await?),
            None => Ok(()),
        }
    }

    /// Sets the time back after a change that was not made, so that nothing ends before its time.
    pub(crate) async fn may_idle_as_before(&self, session: Uid) {
        let restored = match self.session_of(session) {
            Ok(Some(session)) => self.may_idle(session.uid, session.tti_minutes).await,
            Ok(None) => self.directory.expire_at(session, None).await.map_err(Error::from),
            Err(error) => Err(error),
        };
        if let Err(error) = restored {
            tracing::warn!(session.uid = %session, %error, "a session may be looked at too early for its end by idling");
        }
    }

    /// Deletes sessions that were idle for too long, each when it is due. Runs until its future is dropped.
    pub async fn end_idle(self: &Arc<Self>) {
        loop {
            let next = self.end_idle_now().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "sessions that were idle for too long could not be looked up; trying again later");
                None
            });
            tokio::time::sleep(LOOK_SOONEST).await;
            let until = next.map_or(LOOK_LATEST, |due| {
                Duration::from_millis(u64::try_from(due.0.saturating_sub(self.clock.now().0)).unwrap_or(0)).min(LOOK_LATEST)
            });
            tokio::time::sleep(until).await;
        }
    }

    /// Looks once at every session whose time has come; answers when the next one's will.
    pub async fn end_idle_now(self: &Arc<Self>) -> Result<Option<Millis>, Error> {
        let now = self.clock.now();
        let mut after = None;
        loop {
            let due = self.directory.expiring(now, after, PAGE)?;
            for (_, session) in &due {
                if let Err(error) = self.look(*session).await {
                    tracing::warn!(session.uid = %session, %error, "a session may be over and cannot be looked at; trying again later");
                }
            }
            match due.last() {
                Some(last) if due.len() == PAGE => after = Some(*last),
                _ => break,
            }
        }
        let all_due = (now, Uid([0xff; 16]));
        Ok(self.directory.expiring(Millis(i64::MAX), Some(all_due), 1)?.first().map(|(at, _)| *at))
    }

    /// Looks at one session as the store has it, and has its task look again where it seems to be over.
    async fn look(self: &Arc<Self>, uid: Uid) -> Result<(), Error> {
        // Not held any longer: the task takes it itself.
        let session = match self.over(uid, self.rest(uid)?).await? {
            Some(over) => over.session,
            None => return Ok(()),
        };
        let (looked, answer) = oneshot::channel();
        self.tell(&session.into(), Command::Idle { looked })?;
        // A task that ends without an answer is busy or could not be started: the next look comes.
        let _ = answer.await;
        Ok(())
    }

    fn rest(&self, uid: Uid) -> Result<Rest, Error> {
        let head = self.journal.head(uid)?.unwrap_or_default();
        let busy = head.status == Status::Running
            || self.journal.running_turn(uid)?.is_some()
            || !self.journal.waits(uid)?.is_empty()
            || !self.journal.inbox(uid)?.is_empty();
        Ok(Rest { last_at: head.last_at, busy })
    }

    /// The session, if it was idle for too long; otherwise it is to be looked at when that may be so.
    async fn over(&self, uid: Uid, rest: Rest) -> Result<Option<Over<'_>>, Error> {
        let _alone = self.idling.lock().await;
        let Some(session) = self.session_of(uid)? else { return Ok(None) };
        let now = self.clock.now();
        match ends_at(&session, rest, now) {
            Some(at) if at <= now => Ok(Some(Over { session, _alone })),
            later => {
                self.directory.expire_at(uid, later).await?;
                Ok(None)
            }
        }
    }
}

/// Deletes the session of a task, if it was idle for too long. True where it is gone.
pub(crate) async fn end(task: &Task) -> bool {
    let ended = async {
        let Some(over) = task.engine.over(task.session.uid, task.rest()).await? else { return Ok(false) };
        task.engine.delete_session(&over.session).await?;
        tracing::info!(session.uid = %over.session.uid, tti_minutes = over.session.tti_minutes, "session was idle for too long and is deleted");
        metrics::counter!("wardian_sessions_expired_total").increment(1);
        Ok::<_, Error>(true)
    };
    ended.await.unwrap_or_else(|error| {
        tracing::warn!(session.uid = %task.session.uid, %error, "a session that was idle for too long could not be deleted; trying again later");
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::example;

    fn session(tti_minutes: u64) -> Session {
        Session { tti_minutes, ..example() }
    }

    fn at(tti_minutes: u64, last_at: i64, busy: bool) -> Option<i64> {
        ends_at(&session(tti_minutes), Rest { last_at: Millis(last_at), busy }, Millis(500_000)).map(|at| at.0)
    }

    #[test]
    fn a_session_is_over_so_many_minutes_after_its_last_event_or_its_creation() {
        assert_eq!(at(2, 100_000, false), Some(220_000));
        assert_eq!(at(2, 0, false), Some(121_000), "nothing was said yet");
        assert_eq!(at(0, 100_000, false), None);
    }

    #[test]
    fn while_something_goes_on_the_minutes_do_not_begin() {
        assert_eq!(at(2, 100_000, true), Some(620_000));
        assert_eq!(at(0, 100_000, true), None);
    }

    #[test]
    fn a_time_beyond_all_times_is_never_reached() {
        assert_eq!(at(u64::MAX, 100_000, false), Some(i64::MAX));
    }
}
