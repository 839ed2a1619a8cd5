//! Reading: one read transaction for one page, never held longer.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use ::redb::{AccessGuard, Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use session::{Audience, Entry, Head, Hidden, Seq, Uid};

use super::layout::{self, Class};
use super::row::{Peeked, Row};
use super::{codec, layout as at};
use crate::batch::{Blob, Idempotency, IdempotencyKey, Running};
use crate::directory::{Kind, Record};
use crate::journal::{Error, Page};
use crate::outbox::OutboxId;

/// The database while it is open; the writer empties and fills it again after a failure.
pub(super) type Slot = RwLock<Option<Database>>;

/// What was committed at one moment.
pub(super) struct View<'a> {
    // Before the guard: the transaction ends before the database may be closed.
    pub(super) transaction: ReadTransaction,
    _open: RwLockReadGuard<'a, Option<Database>>,
}

type Sessions = ReadOnlyTable<&'static [u8; 25], &'static [u8]>;

/// A row that says what is scoped under what.
type Member<'a> = (AccessGuard<'a, &'static [u8; 49]>, AccessGuard<'a, ()>);

impl<'a> View<'a> {
    /// The last commit.
    pub(super) fn of(slot: &'a Slot) -> Result<Self, Error> {
        let open = slot.read().unwrap_or_else(PoisonError::into_inner);
        let database = open.as_ref().ok_or_else(|| Error::Broken("the store is closed".into()))?;
        Ok(Self { transaction: database.begin_read()?, _open: open })
    }

    fn dead(&self, uids: &[Uid]) -> Result<bool, Error> {
        let dead = self.transaction.open_table(at::DEAD)?;
        for uid in uids {
            if layout::is_dead(&dead, *uid)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The tenant of a uid, or none where it is dead.
    pub(super) fn tenant_of(&self, uid: Uid) -> Result<Option<Uid>, Error> {
        let Some(record) = self.transaction.open_table(at::RECORDS)?.get(&uid.0)? else { return Ok(None) };
        let (tenant, scope) = codec::record_place(record.value())?;
        Ok((!self.dead(&[scope, tenant])?).then_some(tenant))
    }

    /// The record of a uid, or none where it is dead.
    pub(super) fn record(&self, uid: Uid) -> Result<Option<Record>, Error> {
        let Some(record) = self.transaction.open_table(at::RECORDS)?.get(&uid.0)? else { return Ok(None) };
        let record = codec::read_record(uid, record.value())?;
        Ok((!self.dead(&[record.scope, record.tenant])?).then_some(record))
    }

    /// The record of a name.
    pub(super) fn named(&self, tenant: Uid, kind: Kind, scope: Uid, name: &str) -> Result<Option<Record>, Error> {
        let key = layout::name_key(tenant, kind, layout::Which::Name, scope, name);
        let uid = self.transaction.open_table(at::NAMES)?.get(key.as_slice())?.map(|uid| Uid(*uid.value()));
        uid.map_or(Ok(None), |uid| self.record(uid))
    }

    /// Living records by age.
    pub(super) fn records(&self, tenant: Uid, kind: Kind, scope: Uid, after: Option<Uid>, limit: usize) -> Result<Vec<Record>, Error> {
        use std::ops::Bound::{Excluded, Included};
        if self.dead(&[scope, tenant])? {
            return Ok(Vec::new());
        }
        let last = layout::member_key(tenant, kind, scope, Uid([0xff; 16]));
        let first = layout::member_key(tenant, kind, scope, after.unwrap_or(Uid([0; 16])));
        let from = if after.is_some() { Excluded(&first) } else { Included(&first) };
        let members = self.transaction.open_table(at::MEMBERS)?;
        self.members(members.range::<&[u8; 49]>((from, Included(&last)))?.take(limit))
    }

    /// Living records by age, the newest first.
    pub(super) fn latest(&self, tenant: Uid, kind: Kind, scope: Uid, before: Option<Uid>, limit: usize) -> Result<Vec<Record>, Error> {
        use std::ops::Bound::{Excluded, Included};
        if self.dead(&[scope, tenant])? {
            return Ok(Vec::new());
        }
        let first = layout::member_key(tenant, kind, scope, Uid([0; 16]));
        let last = layout::member_key(tenant, kind, scope, before.unwrap_or(Uid([0xff; 16])));
        let to = if before.is_some() { Excluded(&last) } else { Included(&last) };
        let members = self.transaction.open_table(at::MEMBERS)?;
        self.members(members.range::<&[u8; 49]>((Included(&first), to))?.rev().take(limit))
    }

    /// The records of these members.
    fn members<'m>(&self, members: impl Iterator<Item = Result<Member<'m>, ::redb::StorageError>>) -> Result<Vec<Record>, Error> {
        let records = self.transaction.open_table(at::RECORDS)?;
        let mut found = Vec::new();
        for member in members {
            let uid = layout::last_uid(member?.0.value());
            if let Some(record) = records.get(&uid.0)? {
                found.push(codec::read_record(uid, record.value())?);
            }
        }
        Ok(found)
    }

    /// A living session's head.
    pub(super) fn head(&self, session: Uid) -> Result<Option<Head>, Error> {
        if self.tenant_of(session)?.is_none() {
            return Ok(None);
        }
        let head = self.transaction.open_table(at::SESSIONS)?.get(&layout::head(session))?;
        head.map(|head| codec::read_head(head.value())).transpose()
    }

    /// Entries of all audiences.
    pub(super) fn entries(&self, session: Uid, from: Seq, limit: usize) -> Result<Page, Error> {
        let mut page = Page::default();
        let Some(head) = self.head(session)? else { return Ok(page) };
        let mut next = from.max(Seq(1));
        let mut walk = Walk::new(self, session)?;
        while next <= head.last {
            if page.entries.len() >= limit {
                page.more = true;
                break;
            }
            let place = walk.holding(next)?;
            next = walk.row(place, |entry| {
                if entry.seq >= next && page.entries.len() < limit {
                    page.entries.push(entry.entry()?);
                }
                Ok(if page.entries.len() < limit { Go::On } else { Go::To(entry.seq.next()) })
            })?;
        }
        Ok(page)
    }

    /// Listed entries. Rows without any are never touched; hidden runs are jumped over.
    pub(super) fn listed(&self, session: Uid, from: Seq, limit: usize, include_hidden: bool) -> Result<Page, Error> {
        let mut page = Page::default();
        let Some(head) = self.head(session)? else { return Ok(page) };
        let hidden = if include_hidden { &[] } else { head.hidden.as_slice() };
        let mut next = past(hidden, from.max(Seq(1)));
        let mut walk = Walk::new(self, session)?;
        while !page.more
            && let Some(place) = walk.listed(next)?
        {
            let least = next;
            next = walk.row(place, |entry| {
                if entry.seq < least || entry.kind.audience() != Audience::Listed {
                    return Ok(Go::On);
                }
                let visible = past(hidden, entry.seq);
                if visible != entry.seq {
                    return Ok(Go::To(visible));
                }
                page.more = page.entries.len() >= limit;
                if !page.more {
                    page.entries.push(entry.entry()?);
                }
                Ok(if page.more { Go::To(entry.seq) } else { Go::On })
            })?;
        }
        Ok(page)
    }

    /// One entry.
    pub(super) fn entry(&self, session: Uid, seq: Seq) -> Result<Option<Entry>, Error> {
        Ok(self.entries(session, seq, 1)?.entries.pop().filter(|entry| entry.seq == seq))
    }

    /// The mark of one session's turn that has not ended.
    pub(super) fn running_turn(&self, session: Uid) -> Result<Option<Running>, Error> {
        let table = self.transaction.open_table(at::RUNNING)?;
        let mark = table.get(&session.0)?;
        mark.map(|mark| Ok(codec::read_running(mark.value())?.1)).transpose()
    }

    /// Turns that have not ended, of living sessions.
    pub(super) fn running(&self, after: Option<Uid>, limit: usize) -> Result<Vec<(Uid, Uid, Running)>, Error> {
        use std::ops::Bound::{Excluded, Unbounded};
        let table = self.transaction.open_table(at::RUNNING)?;
        let from = after.map(|uid| uid.0);
        let mut found = Vec::new();
        for mark in table.range::<&[u8; 16]>((from.as_ref().map_or(Unbounded, Excluded), Unbounded))? {
            if found.len() >= limit {
                break;
            }
            let (session, mark) = mark?;
            let session = Uid(*session.value());
            if self.tenant_of(session)?.is_some() {
                let (tenant, running) = codec::read_running(mark.value())?;
                found.push((tenant, session, running));
            }
        }
        Ok(found)
    }

    /// What a client's key stands for.
    pub(super) fn idempotency(&self, key: &IdempotencyKey) -> Result<Option<Idempotency>, Error> {
        let row = self.transaction.open_table(at::IDEMPOTENCY)?.get(&layout::idempotency_key(key))?;
        let Some(row) = row else { return Ok(None) };
        let stands_for = codec::read_idempotency(row.value())?;
        Ok(self.tenant_of(stands_for.session)?.is_some().then_some(stands_for))
    }

    /// Whether the store of this owner lives.
    fn owns(&self, tenant: Uid, owner: Uid) -> Result<bool, Error> {
        if owner == tenant { Ok(!self.dead(&[tenant])?) } else { Ok(self.tenant_of(owner)? == Some(tenant)) }
    }

    /// One value of a plugin's store.
    pub(super) fn state(&self, tenant: Uid, plugin: &str, owner: Uid, key: &str) -> Result<Option<Vec<u8>>, Error> {
        if !self.owns(tenant, owner)? {
            return Ok(None);
        }
        let value = self.transaction.open_table(at::STATE)?.get(layout::state_key(owner, tenant, plugin, key).as_slice())?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    /// Keys and sizes of a plugin's store.
    pub(super) fn state_sizes(&self, tenant: Uid, plugin: &str, owner: Uid) -> Result<Vec<(String, u64)>, Error> {
        let mut sizes = Vec::new();
        if !self.owns(tenant, owner)? {
            return Ok(sizes);
        }
        let prefix = layout::state_key(owner, tenant, plugin, "");
        for row in self.transaction.open_table(at::STATE)?.range::<&[u8]>(prefix.as_slice()..)? {
            let (key, value) = row?;
            let Some(key) = key.value().strip_prefix(prefix.as_slice()) else { break };
            let key = std::str::from_utf8(key).map_err(|_| Error::Damaged("a key of a plugin's store is not UTF-8".into()))?;
            sizes.push((key.to_owned(), value.value().len() as u64));
        }
        Ok(sizes)
    }

    /// One blob.
    pub(super) fn blob(&self, tenant: Uid, digest: [u8; 32]) -> Result<Option<Blob>, Error> {
        if self.dead(&[tenant])? {
            return Ok(None);
        }
        let row = self.transaction.open_table(at::BLOBS)?.get(&layout::join(&[&tenant.0, &digest]))?;
        row.map(|row| codec::read_blob(digest, row.value())).transpose()
    }

    /// Whether a session holds a blob.
    pub(super) fn holds(&self, session: Uid, tenant: Uid, digest: [u8; 32]) -> Result<bool, Error> {
        if self.tenant_of(session)? != Some(tenant) {
            return Ok(false);
        }
        let held = self.transaction.open_table(at::HELD_BLOBS)?.get(&layout::join(&[&session.0, &tenant.0, &digest]))?;
        Ok(held.is_some())
    }

    /// The oldest rows of the outbox.
    pub(super) fn outbox(&self, limit: usize) -> Result<Vec<(OutboxId, Vec<u8>)>, Error> {
        let table = self.transaction.open_table(at::OUTBOX)?;
        let rows = table.iter()?.take(limit).map(|row| row.map(|(key, value)| (layout::outbox_id(key.value()), value.value().to_vec())));
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many rows the outbox holds.
    pub(super) fn outbox_waiting(&self) -> Result<u64, Error> {
        Ok(self.transaction.open_table(at::OUTBOX)?.len()?)
    }

    /// What was kept when rows of the outbox were last settled.
    pub(super) fn outbox_mark(&self) -> Result<Option<Vec<u8>>, Error> {
        let mark = self.transaction.open_table(at::META)?.get(at::META_OUTBOX)?;
        Ok(mark.map(|mark| mark.value().to_vec()))
    }
}

/// The position itself, or the one after the hidden run that holds it.
fn past(hidden: &[Hidden], seq: Seq) -> Seq {
    let run = hidden.partition_point(|run| run.to < seq);
    match hidden.get(run) {
        Some(run) if run.from <= seq => run.to.next(),
        Some(_) | None => seq,
    }
}

/// Whether a walk through a row goes on or leaves for another position.
enum Go {
    On,
    To(Seq),
}

/// A walk over the rows of one session.
struct Walk {
    session: Uid,
    sessions: Sessions,
    log: ReadOnlyTable<u64, &'static [u8]>,
}

impl Walk {
    fn new(view: &View<'_>, session: Uid) -> Result<Self, Error> {
        let sessions = view.transaction.open_table(at::SESSIONS)?;
        Ok(Self { session, sessions, log: view.transaction.open_table(at::LOG)? })
    }

    /// The row of a class that begins at `seq` or most closely before it.
    fn before(&self, class: Class, seq: Seq) -> Result<Option<(Seq, u64)>, Error> {
        let (from, to) = (layout::position(self.session, class, Seq(0)), layout::position(self.session, class, seq));
        let found = self.sessions.range::<&[u8; 25]>(&from..=&to)?.next_back().transpose()?;
        found.map(|(key, place)| Ok((layout::first_of(key.value()), layout::read_place(place.value())?))).transpose()
    }

    /// The row that holds a position.
    fn holding(&self, seq: Seq) -> Result<u64, Error> {
        let rows = [self.before(Class::Listed, seq)?, self.before(Class::Other, seq)?];
        let row = rows.into_iter().flatten().max_by_key(|(first, _)| *first);
        let missing = || Error::Damaged(format!("session {} has no entry {}", self.session, seq.0));
        let (_, place) = row.ok_or_else(missing)?;
        Ok(place)
    }

    /// The row with listed entries that holds a position, or else the next one.
    fn listed(&mut self, seq: Seq) -> Result<Option<u64>, Error> {
        if let Some((_, place)) = self.before(Class::Listed, seq)?
            && self.open(place, |row| Ok(row.end() > seq))?
        {
            return Ok(Some(place));
        }
        let (from, to) = (layout::position(self.session, Class::Listed, seq), layout::position(self.session, Class::Listed, Seq(u64::MAX)));
        let found = self.sessions.range::<&[u8; 25]>(&from..=&to)?.next().transpose()?;
        found.map(|(_, place)| layout::read_place(place.value())).transpose()
    }

    fn open<T>(&self, place: u64, use_row: impl FnOnce(Row<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let bytes = self.log.get(place)?.ok_or_else(|| Error::Damaged(format!("session {} lost a row", self.session)))?;
        use_row(Row::open(bytes.value())?)
    }

    /// Shows the entries of a row; answers the position to go on from.
    fn row(&mut self, place: u64, mut see: impl FnMut(Peeked<'_>) -> Result<Go, Error>) -> Result<Seq, Error> {
        self.open(place, |mut row| {
            let end = row.end();
            while let Some(entry) = row.peek()? {
                if let Go::To(seq) = see(entry)? {
                    return Ok(seq);
                }
            }
            Ok(end)
        })
    }
}
