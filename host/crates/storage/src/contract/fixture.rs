//! What the promises are told with: a tenant, an agent, a session and a pen.

use session::{Audience, Entry, Head, Hidden, Kind as EntryKind, Millis, Seq, Status, TurnNo, Uid};

use crate::{Batch, Directory, Error, Journal, Kind, Record, When};

/// No scope; also the tenant in which tenants live.
pub const NOBODY: Uid = Uid([0; 16]);

/// A uid that sorts by `number`.
pub fn uid(number: u64) -> Uid {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    Uid::new(Millis(1_700_000_000_000), random)
}

/// The tenant of the fixtures.
pub fn tenant() -> Uid {
    uid(1)
}

/// The agent of the fixtures.
pub fn agent() -> Uid {
    uid(2)
}

/// A record without content.
pub fn record(uid: Uid, kind: Kind, scope: Uid, name: &str) -> Record {
    Record { uid, tenant: tenant(), kind, scope, name: name.into(), alias: None, version: 1, body: b"{}".to_vec() }
}

/// Makes the agent and a session of it.
pub async fn session(store: &impl Directory, number: u64) -> Uid {
    if store.get(agent()).expect("a directory that reads").is_none() {
        store.create(record(agent(), Kind::Agent, NOBODY, "agent")).await.expect("a new agent");
    }
    let session = uid(number);
    store.create(record(session, Kind::Session, agent(), &format!("session-{number}"))).await.expect("a new session");
    session
}

/// Writes to one session as its only holder would.
#[derive(Debug, Clone)]
pub struct Pen {
    /// The session.
    pub session: Uid,
    /// The lease.
    pub epoch: u64,
    /// The head after the last batch.
    pub head: Head,
}

impl Pen {
    /// A pen at the session's present head.
    pub fn new(store: &impl Journal, session: Uid) -> Self {
        let epoch = store.lease(session).expect("a lease");
        let head = store.head(session).expect("a head that reads").unwrap_or_default();
        Self { session, epoch, head }
    }

    /// The batch that appends these kinds of entries; the pen moves on.
    pub fn batch(&mut self, kinds: &[EntryKind]) -> Batch {
        let expect = self.head.last;
        let entries: Vec<Entry> = kinds.iter().map(|kind| self.entry(*kind)).collect();
        Batch {
            session: self.session,
            tenant: tenant(),
            epoch: self.epoch,
            expect,
            entries,
            rewrites: Vec::new(),
            head: self.head.clone(),
            running: None,
            inbox: Vec::new(),
            waits: Vec::new(),
            idempotency: Vec::new(),
            state: Vec::new(),
            blobs: Vec::new(),
            audit: Vec::new(),
        }
    }

    fn entry(&mut self, kind: EntryKind) -> Entry {
        let head = &mut self.head;
        head.last = head.last.next();
        head.fold_from = Seq(1);
        head.turn = TurnNo(1);
        head.status = Status::Stopped;
        head.last_at = Millis(1_700_000_000_000 + i64::try_from(head.last.0).unwrap_or(0));
        head.listed += u64::from(kind.audience() == Audience::Listed);
        let body = format!("{{\"seq\":{}}}", head.last.0).into();
        Entry { seq: head.last, at: head.last_at, turn: TurnNo(1), step: 1, kind, body }
    }

    /// Hides a run of positions with the next batch.
    pub fn hide(&mut self, from: u64, to: u64) {
        self.head.hidden.push(Hidden { from: Seq(from), to: Seq(to), listed: 0 });
    }

    /// Appends and waits until it is durable.
    pub async fn write(&mut self, store: &impl Journal, kinds: &[EntryKind]) {
        let batch = self.batch(kinds);
        one(store, batch).await.expect("an accepted batch");
    }
}

/// Commits one batch and waits for its answer.
pub async fn one(store: &impl Journal, batch: Batch) -> Result<(), Error> {
    let mut answers = store.commit(vec![batch], When::Now).await;
    assert_eq!(answers.len(), 1, "one answer for one batch");
    answers.remove(0)
}

/// The positions of entries.
pub fn seqs(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq.0).collect()
}

/// Chance that is the same for each backend: numbers below the one asked for (xorshift).
pub(super) fn shapes(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut noise = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |sides| {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise % sides
    }
}
