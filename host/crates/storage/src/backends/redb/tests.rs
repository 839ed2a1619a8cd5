//! The contract on a file, and what only a file has: crashes, power cuts, full disks.

mod disk;
mod file;
mod kill;
mod model;
mod power;

use ::redb::{ReadableTable, ReadableTableMetadata};
use session::{Kind as EntryKind, Seq, Uid};

use super::layout::{BEGUN, GRAVES, INBOX, LOG, SESSIONS};
use super::{Options, Redb};
use crate::contract::{Backend, Pen};
use crate::{Batch, InboxChange, InboxRow, Journal, Rewrite};

/// A store in a directory of its own.
pub(super) struct InDirectory(tempfile::TempDir);

impl InDirectory {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.0.path().join("wardian.redb")
    }
}

impl Backend for InDirectory {
    type Store = Redb;

    fn open(&self) -> Redb {
        Redb::open(self.path(), Options::default()).unwrap()
    }

    /// The bytes as they lie in the file at this moment, which is what a killed
    /// process leaves; the closing that follows happens to a file that is no longer ours.
    fn crash(&self, store: Redb) -> Redb {
        let copy = self.0.path().join("as-it-was");
        std::fs::copy(self.path(), &copy).unwrap();
        drop(store);
        std::fs::rename(&copy, self.path()).unwrap();
        self.open()
    }
}

/// The batch that appends these entries, buries the one in front of them and moves the one input
/// that waits to their end: so that nothing of a batch can be there without the rest.
fn chained(pen: &mut Pen, kinds: &[EntryKind]) -> Batch {
    let before = pen.head.last;
    let mut batch = pen.batch(kinds);
    batch.inbox = vec![InboxChange::Remove(before.0), InboxChange::Put(InboxRow { no: pen.head.last.0, body: b"later".to_vec() })];
    if before > Seq(0) {
        let body = format!("{{\"seq\":{}}}", before.0).into();
        batch.rewrites = vec![Rewrite { seq: before, kind: EntryKind::Tombstone, body }];
    }
    batch
}

/// Whether a session that was written in [`chained`] batches, each ending in something else than
/// an `InputMessage`, holds all of each of them.
fn assert_chained(store: &Redb, session: Uid, when: &str) {
    let last = store.head(session).unwrap().map_or(Seq(0), |head| head.last);
    let waiting: Vec<u64> = store.inbox(session).unwrap().iter().map(|row| row.no).collect();
    assert_eq!(waiting, if last == Seq(0) { vec![] } else { vec![last.0] }, "{when}: the input goes with the entries");
    for entry in store.read(session, Seq(1), usize::MAX).unwrap().entries {
        let buried = entry.kind == EntryKind::Tombstone;
        let expected = entry.seq != last && entry.kind != EntryKind::InputMessage;
        assert_eq!(buried, expected, "{when}: entry {} is {} and {} is the last", entry.seq.0, entry.kind.word(), last.0);
    }
}

/// Reaps to the end and looks for rows of entries and inputs that belong to other sessions than these, or to none.
async fn assert_nothing_else(store: &Redb, living: &[Uid]) {
    while crate::Directory::reap(store, 100).await.unwrap() > 0 {}
    let view = store.view().unwrap();
    let mut places = 0;
    for row in view.transaction.open_table(SESSIONS).unwrap().iter().unwrap() {
        let key = *row.unwrap().0.value();
        assert!(living.iter().any(|uid| key.starts_with(&uid.0)), "a row of a session that nobody made");
        places += u64::from(key[16] != super::layout::Class::Head as u8);
    }
    for row in view.transaction.open_table(INBOX).unwrap().iter().unwrap() {
        assert!(living.iter().any(|uid| row.as_ref().unwrap().0.value().starts_with(&uid.0)), "an input of a session that nobody made");
    }
    assert_eq!(view.transaction.open_table(LOG).unwrap().len().unwrap(), places, "each row of the log has its session");
    assert_eq!(view.transaction.open_table(GRAVES).unwrap().len().unwrap(), 0);
    assert_eq!(view.transaction.open_table(BEGUN).unwrap().len().unwrap(), 0);
}

crate::contract!(InDirectory::new());
