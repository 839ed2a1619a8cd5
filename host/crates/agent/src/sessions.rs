//! Sessions by name, and reading what they hold.

use std::sync::Arc;

use serde_json::{Map, Value};
use session::{Agent, Entry, EventId, Head, Principal, Secrets, Seq, Session, TurnNo};
use storage::{Kind, Page, Record, Rename};
use tokio::sync::oneshot;

use crate::Engine;
use crate::error::{Error, Thing};
use crate::live::{Command, Going};

/// What a client says about a session.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// What clients will call it, unique with its agent.
    pub key: String,
    /// For people, never empty.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The client's own.
    pub metadata: Map<String, Value>,
    /// Whether it takes input.
    pub enabled: bool,
    /// Minutes without events after which it is deleted; 0 means never.
    pub tti_minutes: u64,
    /// Values for the arguments that its agent sets itself.
    pub secrets: Secrets,
    /// What its client calls it where that is another name than the key.
    pub conversation: Option<String>,
    /// Whether lists leave it out.
    pub unlisted: bool,
}

/// A page of listed events, and how many there are at this moment.
#[derive(Debug)]
pub struct Listed {
    /// The events.
    pub page: Page,
    /// All listed events of the session, hidden ones included only if asked for.
    pub total: u64,
}

impl Engine {
    /// Opens a session.
    pub async fn create_session(&self, agent: &Agent, principal: &Principal, new: NewSession) -> Result<Arc<Session>, Error> {
        let session = self.new_session(agent, principal, new)?;
        self.may_idle(session.uid, session.tti_minutes).await?;
        if let Err(error) = self.directory.create(record(&session)).await {
            self.may_idle_as_before(session.uid).await;
            return Err(taken(error, agent, &session));
        }
        Ok(Arc::new(session))
    }

    /// A session as a client wants it, not announced to anybody yet.
    pub(crate) fn new_session(&self, agent: &Agent, principal: &Principal, new: NewSession) -> Result<Session, Error> {
        if !agent.enabled {
            return Err(Error::Disabled(Thing::Agent, agent.key.clone()));
        }
        Ok(Session {
            uid: self.clock.uid(),
            tenant: agent.tenant,
            agent: agent.uid,
            key: new.key,
            revision: 1,
            name: new.name,
            description: new.description,
            metadata: new.metadata,
            enabled: new.enabled,
            tti_minutes: new.tti_minutes,
            compaction: agent.compaction.clone().unwrap_or_default(),
            secrets: new.secrets,
            owner_key: principal.key,
            owner_subject: principal.subject.clone(),
            created_at: self.clock.now(),
            conversation: new.conversation,
            unlisted: new.unlisted,
        })
    }

    /// The session of a key.
    pub fn session(&self, agent: &Agent, key: &str) -> Result<Arc<Session>, Error> {
        if let Some(session) = self.live.session(agent.uid, key) {
            return Ok(session);
        }
        let record = self.directory.find(agent.tenant, Kind::Session, agent.uid, key)?;
        let record = record.ok_or_else(|| Error::NotFound { what: Thing::Session, name: key.to_owned() })?;
        Ok(Arc::new(decode(&record)?))
    }

    /// Deletes a session that was made for an input which was then refused, unless another input was taken there meanwhile.
    pub async fn take_back(self: &Arc<Self>, session: &Arc<Session>) -> Result<(), Error> {
        let (engine, asleep) = (self.clone(), session.clone());
        let settled = async move {
            let Some(going) = engine.live.going_asleep(asleep.uid) else { return Ok(false) };
            if engine.head(&asleep)?.turn > TurnNo(0) || !engine.journal.inbox(asleep.uid)?.is_empty() {
                going.stays();
            } else {
                engine.remove_session(&asleep, going).await?;
            }
            Ok(true)
        };
        if !self.to_its_end(settled).await? {
            let (looked, answer) = oneshot::channel();
            self.tell(session, Command::TakeBack { looked })?;
            // A task that ends without an answer takes that other input, or went away with the server; a session in
            // which nothing was said does no harm.
            let _ = answer.await;
        }
        Ok(())
    }

    /// Whether a session was deleted, as the store has it.
    pub fn is_deleted(&self, session: &Session) -> Result<bool, Error> {
        Ok(self.directory.get(session.uid)?.is_none())
    }

    /// Sessions of an agent, oldest first, after `after`, at most `limit`.
    pub fn sessions(&self, agent: &Agent, after: Option<session::Uid>, limit: usize) -> Result<Vec<Session>, Error> {
        let records = self.directory.list(agent.tenant, Kind::Session, agent.uid, after, limit)?;
        records.iter().map(decode).collect()
    }

    /// The same from the newest on, before `before`.
    pub fn latest_sessions(&self, agent: &Agent, before: Option<session::Uid>, limit: usize) -> Result<Vec<Session>, Error> {
        let records = self.directory.latest(agent.tenant, Kind::Session, agent.uid, before, limit)?;
        records.iter().map(decode).collect()
    }

    /// Replaces what clients may change about a session that was read as `seen`; key, identity and age stay.
    pub async fn update_session(self: &Arc<Self>, agent: &Agent, seen: &Session, new: NewSession) -> Result<Arc<Session>, Error> {
        let session = Session {
            revision: seen.revision + 1,
            name: new.name,
            description: new.description,
            metadata: new.metadata,
            enabled: new.enabled,
            tti_minutes: new.tti_minutes,
            secrets: new.secrets,
            ..seen.clone()
        };
        let (engine, agent, seen) = (self.clone(), agent.clone(), seen.clone());
        self.to_its_end(async move { engine.store_session(&agent, &seen, session).await }).await
    }

    async fn store_session(&self, agent: &Agent, seen: &Session, session: Session) -> Result<Arc<Session>, Error> {
        let idles_otherwise = session.tti_minutes != seen.tti_minutes;
        let _alone = if idles_otherwise { Some(self.idling.lock().await) } else { None };
        if idles_otherwise {
            self.may_idle(session.uid, session.tti_minutes).await?;
        }
        if let Err(error) = self.directory.update(seen.uid, seen.revision, encode(&session), Rename::Keep).await {
            if idles_otherwise {
                self.may_idle_as_before(session.uid).await;
            }
            return Err(taken(error, agent, &session));
        }
        let session = Arc::new(session);
        self.live.changed(session.clone());
        Ok(session)
    }

    /// Deletes a session. A running turn of it stops.
    pub async fn delete_session(self: &Arc<Self>, session: &Session) -> Result<(), Error> {
        let (engine, session) = (self.clone(), session.clone());
        self.to_its_end(async move { engine.remove_session(&session, engine.live.going(session.uid)).await }).await
    }

    async fn remove_session(&self, session: &Session, going: Going<'_>) -> Result<(), Error> {
        let was_there = match self.directory.delete(session.uid).await {
            Ok(was_there) => was_there,
            Err(error) => {
                going.stays();
                return Err(error.into());
            }
        };
        drop(going);
        if was_there { Ok(()) } else { Err(Error::NotFound { what: Thing::Session, name: session.key.clone() }) }
    }

    /// Where a session stands: status, counts, usage. Never wakes it.
    pub fn head(&self, session: &Session) -> Result<Head, Error> {
        Ok(self.journal.head(session.uid)?.unwrap_or_default())
    }

    /// Listed events from position `from` on, in order. Never wakes the session.
    pub fn events(&self, session: &Session, from: Seq, limit: usize, include_hidden: bool) -> Result<Listed, Error> {
        let head = self.head(session)?;
        let hidden: u64 = if include_hidden { 0 } else { head.hidden.iter().map(|run| run.listed).sum() };
        let page = self.journal.listed(session.uid, from, limit, include_hidden)?;
        Ok(Listed { page, total: head.listed - hidden.min(head.listed) })
    }

    /// One event by its id, as clients give it.
    pub fn event(&self, session: &Session, id: &str) -> Result<Entry, Error> {
        let missing = || Error::NotFound { what: Thing::Event, name: id.to_owned() };
        let named = EventId::parse(id).filter(|event| event.session == session.uid).ok_or_else(missing)?;
        let entry = self.journal.entry(session.uid, named.seq)?;
        entry.filter(|entry| entry.audience() == session::Audience::Listed).ok_or_else(missing)
    }
}

/// A new session's record.
pub(crate) fn record(session: &Session) -> Record {
    Record {
        uid: session.uid,
        tenant: session.tenant,
        kind: Kind::Session,
        scope: session.agent,
        name: session.key.clone(),
        alias: None,
        version: session.revision,
        body: encode(session),
    }
}

fn encode(session: &Session) -> Vec<u8> {
    serde_json::to_vec(session).expect("a session is made of JSON values")
}

pub(crate) fn decode(record: &Record) -> Result<Session, Error> {
    serde_json::from_slice(&record.body).map_err(|e| Error::Damaged(record.uid, e.to_string()))
}

pub(crate) fn taken(error: storage::Error, agent: &Agent, session: &Session) -> Error {
    match error {
        storage::Error::Taken => Error::Taken { what: Thing::Session, name: session.key.clone() },
        storage::Error::Conflict => Error::Conflict,
        storage::Error::Gone(uid) if uid == agent.uid => Error::NotFound { what: Thing::Agent, name: agent.key.clone() },
        storage::Error::Gone(_) => Error::NotFound { what: Thing::Session, name: session.key.clone() },
        other => Error::Store(other),
    }
}

/// A session of which nothing is special.
#[cfg(test)]
pub(crate) fn example() -> Session {
    Session {
        uid: session::Uid([1; 16]),
        tenant: session::Uid([2; 16]),
        agent: session::Uid([3; 16]),
        key: "s".into(),
        revision: 1,
        name: "S".into(),
        description: None,
        metadata: Map::new(),
        enabled: true,
        tti_minutes: 0,
        compaction: session::Compaction::default(),
        secrets: Secrets::default(),
        owner_key: session::Uid([4; 16]),
        owner_subject: None,
        created_at: session::Millis(1_000),
        conversation: None,
        unlisted: false,
    }
}
