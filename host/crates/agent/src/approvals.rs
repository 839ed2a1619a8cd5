//! Approvals, as people and the clock meet them: what waits, deciding about it,
//! and the look for what nobody answered in time. Listing never wakes a session.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use session::{Agent, EventId, Millis, Principal, Seq, Session, StoredEvent, Uid, Wait};
use storage::{DueWait, Kind, OpenWait, WaitRow};
use tokio::sync::oneshot;
use tool::Approver;

use crate::Engine;
use crate::client_calls::Outcome;
use crate::error::{Error, Thing};
use crate::leaving::Awaiting;
use crate::live::{Command, Repeat, takes_input};
use crate::overrides;
use crate::watcher::{Follow, Watcher};

/// Waits that are due and looked up at once.
const PAGE: usize = 64;

/// Longest that the look for what is due sleeps: the system's clock may be set meanwhile.
const LOOK_LATEST: Duration = Duration::from_secs(30);

/// Shortest that it sleeps, however much begins to wait.
const LOOK_SOONEST: Duration = Duration::from_millis(200);

/// What somebody decided about calls that wait, or brought for them; all of it counts, or nothing.
#[derive(Debug, Clone)]
pub struct Decisions {
    /// At least one, each about another event.
    pub decisions: Vec<Decision>,
    /// SHA-256 of the decisions as posted.
    pub hash: [u8; 32],
    /// The client's idempotency key, if it sent one.
    pub repeat: Option<Repeat>,
    /// How much is followed of what comes of it.
    pub follow: Follow,
    /// Whether the turn stops where whoever decided is gone before they have its answer to read.
    pub unless_left: bool,
}

/// A decision about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The call's `tool_input`.
    pub event: EventId,
    /// What was decided.
    pub verdict: Verdict,
}

/// What can be said about a call that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may run.
    Approve {
        /// With these arguments in the place of its own: JSON, the exact text.
        input: Option<String>,
    },
    /// It may not.
    Reject {
        /// For the model.
        reason: Option<String>,
    },
    /// The client ran it, and this came of it.
    Ran(Outcome),
}

/// A call that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenApproval {
    /// The call's `tool_input`.
    pub event: EventId,
    /// The name under which the agent binds the tool.
    pub configuration: String,
    /// The tool's own name.
    pub tool: String,
    /// The arguments as they would run, secrets masked: a JSON object, exact text.
    pub arguments: String,
    /// Whose agreement it needs.
    pub approver: Approver,
    /// Since when it waits.
    pub asked_at: Millis,
    /// From when on nobody can answer.
    pub expires: Millis,
}

/// What waits in one session, for whoever sees all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenApprovals {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The agent's key.
    pub agent: String,
    /// The session's key.
    pub session: String,
    /// In the order of the calls.
    pub approvals: Vec<OpenApproval>,
}

/// Decisions with everything that carrying them out needs.
pub(crate) struct Decide {
    pub(crate) session: Arc<Session>,
    pub(crate) principal: Principal,
    /// For whom the principal speaks.
    pub(crate) standing: Approver,
    pub(crate) input: Decisions,
    pub(crate) answer: oneshot::Sender<Result<Watcher, Error>>,
}

impl Engine {
    /// Decides about calls that wait, or takes what the client brings for them. The turn goes on; the answer, a watcher of its
    /// next part, comes when the decision is durable.
    pub async fn decide(
        self: &Arc<Self>,
        agent: &Agent,
        session: &Arc<Session>,
        principal: &Principal,
        standing: Approver,
        input: Decisions,
    ) -> Result<Watcher, Error> {
        takes_input(agent, session)?;
        let (answer, taken) = oneshot::channel();
        let leaves = input.unless_left;
        let decide = Decide { session: session.clone(), principal: principal.clone(), standing, input, answer };
        self.tell(session, Command::Decide(Box::new(decide)))?;
        Awaiting { engine: self, session, principal, taken, leaves }.answer().await
    }

    /// The calls of a session that wait for a person's agreement, in their order.
    pub fn approvals(&self, session: &Session) -> Result<Vec<OpenApproval>, Error> {
        let now = self.clock.now();
        let rows = self.journal.waits(session.uid)?;
        let open = rows.iter().filter(|row| row.due > now).map(|row| self.open_approval(session.uid, row));
        // One that is decided in this very moment may already be gone.
        open.filter_map(Result::transpose).collect()
    }

    /// The calls that wait in the sessions of one tenant or of all, oldest session first, after the
    /// session `after`; at least `limit` of them where there are as many, because no session is torn.
    /// With them the session after which the next page begins, where there is one.
    pub fn all_approvals(
        &self,
        tenant: Option<Uid>,
        mut after: Option<Uid>,
        limit: usize,
    ) -> Result<(Vec<OpenApprovals>, Option<Uid>), Error> {
        loop {
            let rows = self.journal.open_waits(tenant, after, limit)?;
            let more = rows.last().filter(|_| rows.len() >= limit).map(|last| last.session);
            let sessions = rows.chunk_by(|one, next| one.session == next.session).filter_map(|waits| {
                // Whatever was deleted in this very moment is left out; so is what cannot be read, or it would hide all others.
                self.all_of_session(waits).unwrap_or_else(|error| {
                    tracing::error!(%error, "what a session waits for cannot be listed");
                    None
                })
            });
            let sessions: Vec<OpenApprovals> = sessions.filter(|session| !session.approvals.is_empty()).collect();
            if !sessions.is_empty() || more.is_none() {
                return Ok((sessions, more));
            }
            // All of these wait for clients; an empty page would look like the end. There are only so many rows.
            after = more;
        }
    }

    fn all_of_session(&self, waits: &[OpenWait]) -> Result<Option<OpenApprovals>, Error> {
        let Some(OpenWait { session, .. }) = waits.first() else { return Ok(None) };
        let Some(session) = self.session_of(*session)? else { return Ok(None) };
        let Some(agent) = self.agent_of(session.agent)? else { return Ok(None) };
        let (now, tenant) = (self.clock.now(), self.tenant_name(session.tenant)?);
        let open = waits.iter().filter(|wait| wait.row.due > now).map(|wait| self.open_approval(session.uid, &wait.row));
        let approvals = open.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok(Some(OpenApprovals { tenant, agent: agent.key.clone(), session: session.key, approvals }))
    }

    /// The session and the agent of an event, for whoever may see every tenant's.
    pub fn place_of(&self, event: EventId) -> Result<(Arc<Agent>, Arc<Session>), Error> {
        let missing = || Error::NotFound { what: Thing::Event, name: event.to_string() };
        let session = self.session_of(event.session)?.ok_or_else(missing)?;
        let agent = self.agent_of(session.agent)?.ok_or_else(missing)?;
        Ok((agent, Arc::new(session)))
    }

    pub(crate) fn session_of(&self, uid: Uid) -> Result<Option<Session>, Error> {
        let record = self.directory.get(uid)?.filter(|record| record.kind == Kind::Session);
        record.map(|record| crate::sessions::decode(&record)).transpose()
    }

    fn open_approval(&self, session: Uid, row: &WaitRow) -> Result<Option<OpenApproval>, Error> {
        let damaged = |e: serde_json::Error| Error::Damaged(session, e.to_string());
        let wait: Wait = serde_json::from_slice(&row.body).map_err(damaged)?;
        // What waits for the client is no approval.
        let Some(approver) = wait.approver() else { return Ok(None) };
        let Some(entry) = self.journal.entry(session, row.call)? else { return Ok(None) };
        let event: StoredEvent<'_> = serde_json::from_str(&entry.body).map_err(damaged)?;
        Ok(Some(OpenApproval {
            event: EventId { session, seq: row.call },
            arguments: overrides::shown_over(event.tool_input.map_or("{}", RawValue::get), wait.overrides.as_deref()),
            configuration: event.tool_configuration_name.unwrap_or_default(),
            tool: event.tool_name.unwrap_or_default(),
            approver,
            asked_at: wait.asked_at,
            expires: wait.expires,
        }))
    }

    /// Ends waits that nobody answered in time, each when it is due. Runs until its future is dropped.
    pub async fn expire(self: &Arc<Self>) {
        loop {
            let next = self.end_due().unwrap_or_else(|error| {
                tracing::warn!(%error, "waits that are due could not be looked up; trying again later");
                None
            });
            tokio::time::sleep(LOOK_SOONEST).await;
            let until = next.map_or(LOOK_LATEST, |due| {
                Duration::from_millis(u64::try_from(due.0.saturating_sub(self.clock.now().0)).unwrap_or(0)).min(LOOK_LATEST)
            });
            tokio::select! {
                () = tokio::time::sleep(until) => {}
                () = self.asked.notified() => {}
            }
        }
    }

    /// Tells every session with a wait that is due; answers when the next one will be.
    fn end_due(self: &Arc<Self>) -> Result<Option<Millis>, Error> {
        let now = self.clock.now();
        let mut after = None;
        loop {
            let due = self.journal.due_waits(now, after, PAGE)?;
            let sessions: BTreeSet<Uid> = due.iter().map(|wait| wait.session).collect();
            for session in sessions {
                if let Err(error) = self.end_due_of(session) {
                    tracing::warn!(session.uid = %session, %error, "a wait is due and its session cannot be woken; trying again later");
                }
            }
            match due.last() {
                Some(last) if due.len() == PAGE => after = Some(*last),
                _ => break,
            }
        }
        let all_due = DueWait { due: now, session: Uid([0xff; 16]), call: Seq(u64::MAX) };
        Ok(self.journal.due_waits(Millis(i64::MAX), Some(all_due), 1)?.first().map(|wait| wait.due))
    }

    fn end_due_of(self: &Arc<Self>, session: Uid) -> Result<(), Error> {
        match self.session_of(session)? {
            Some(session) => self.tell(&Arc::new(session), Command::Expire),
            None => Ok(()),
        }
    }
}
