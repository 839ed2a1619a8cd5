//! Power cuts and failing disks, in the mode in which the store really commits.

use ::redb::{Builder, StorageBackend};
use session::{Kind as EntryKind, Seq, Uid};

use super::disk::{Chance, Disk};
use super::{assert_chained, assert_nothing_else, chained};
use crate::backends::redb::file::{self, OpenError};
use crate::backends::redb::writer::FREE_BYTES_MIN;
use crate::backends::redb::{Options, Redb};
use crate::contract::{Pen, one, session, tenant, uid};
use crate::{Directory, Error, Journal, When};

/// Lives of one disk, each ended by a cut.
const LIVES: u64 = 12;

/// Disks.
const DISKS: u64 = 40;

/// Batches to each session in one life, if it lasts.
const ROUNDS: usize = 6;

fn new_disk() -> Disk {
    let disk = Disk::default();
    file::initialise(Builder::new().create_with_backend(disk.clone()).unwrap()).unwrap();
    disk.sync_data().unwrap();
    disk
}

fn open(disk: &Disk) -> Result<Redb, OpenError> {
    Redb::open_on(Box::new(disk.clone()), Options::default())
}

/// What a session must hold and what it may hold.
#[derive(Debug, Clone, Copy)]
struct Account {
    session: Uid,
    acknowledged: Seq,
    attempted: Seq,
}

impl Account {
    fn check(&mut self, store: &Redb, when: &str) {
        let last = store.head(self.session).unwrap().map_or(Seq(0), |head| head.last);
        assert!(last >= self.acknowledged, "{when}: {last:?} is there, {:?} was acknowledged", self.acknowledged);
        assert!(last <= self.attempted, "{when}: {last:?} is there, {:?} was the last", self.attempted);
        let page = store.read(self.session, Seq(1), usize::MAX).unwrap();
        assert_eq!(page.entries.len() as u64, last.0, "{when}");
        assert!(page.entries.iter().all(|entry| entry.body.starts_with(&format!("{{\"seq\":{}}}", entry.seq.0))), "{when}");
        assert_chained(store, self.session, when);
        (self.acknowledged, self.attempted) = (last, last);
    }

    /// Appends once; answers whether it went through. Bodies of many sizes make the file grow.
    async fn write(&mut self, store: &Redb, pen: &mut Pen, chance: &mut Chance) -> bool {
        let kinds = [EntryKind::InputMessage, EntryKind::Reply];
        let mut batch = chained(pen, &kinds[usize::try_from(chance.below(2)).unwrap()..]);
        for entry in &mut batch.entries {
            let padding = " ".repeat(usize::try_from(chance.below(9_000)).unwrap());
            entry.body = format!("{}{padding}", entry.body).into();
        }
        self.attempted = batch.head.last;
        let when = if chance.below(4) == 0 { When::WithNext } else { When::Now };
        let durable = store.commit(vec![batch], when).await.iter().all(Result::is_ok);
        if durable {
            self.acknowledged = self.attempted;
        }
        durable
    }
}

/// Writes to all accounts in turn until the disk fails; answers whether it lasted.
async fn live(store: &Redb, accounts: &mut [Account], chance: &mut Chance) -> bool {
    let mut pens: Vec<Pen> = accounts.iter().map(|account| Pen::new(store, account.session)).collect();
    for _ in 0..ROUNDS {
        for (account, pen) in accounts.iter_mut().zip(&mut pens) {
            if !account.write(store, pen, chance).await {
                return false;
            }
        }
    }
    true
}

/// Begins a session that nobody will make and writes to it, if the disk lasts.
async fn begin(store: &Redb, number: u64) -> Result<(), Error> {
    store.begin(uid(number), tenant()).await?;
    one(store, chained(&mut Pen::new(store, uid(number)), &[EntryKind::InputMessage, EntryKind::Reply])).await
}

#[tokio::test]
async fn a_power_cut_at_any_moment_loses_nothing_acknowledged_and_keeps_no_part_of_a_batch() {
    let (mut failed, mut unopened, mut begun) = (0, 0, 0);
    for seed in 1..=DISKS {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut disk = new_disk();
        let store = open(&disk).unwrap();
        let mut accounts = [10, 11].map(|number| Account { session: uid(number), acknowledged: Seq(0), attempted: Seq(0) });
        for number in [10, 11] {
            session(&store, number).await;
        }
        drop(store);
        for life in 0..LIVES {
            let when = format!("disk {seed}, life {life}");
            let fuse = chance.below(120);
            disk.fail_after(Some(fuse));
            // The cut may come while the store opens, that is also during a repair.
            if let Ok(store) = open(&disk) {
                accounts.iter_mut().for_each(|account| account.check(&store, &when));
                let lasts = begin(&store, 100 + life).await.is_ok();
                begun += u32::from(lasts);
                failed += u32::from(!(lasts && live(&store, &mut accounts, &mut chance).await));
            } else {
                unopened += 1;
            }
            disk = disk.cut(&mut chance);
        }
        let store = open(&disk).unwrap_or_else(|error| panic!("disk {seed} does not open: {error}"));
        let when = format!("disk {seed}, at the end");
        accounts.iter_mut().for_each(|account| account.check(&store, &when));
        assert!(live(&store, &mut accounts, &mut chance).await, "{when}: the store still takes entries");
        accounts.iter_mut().for_each(|account| account.check(&store, &when));
        assert_nothing_else(&store, &accounts.map(|account| account.session)).await;
    }
    assert!(failed > 100 && unopened > 10, "the cuts fell into writing ({failed}) and into opening ({unopened})");
    assert!(begun > 100, "and behind sessions that were only begun ({begun})");
}

#[test]
fn a_power_cut_during_creation_leaves_no_store_or_an_empty_one() {
    let mut chance = Chance(7);
    let mut published = 0;
    for fuse in 0..200 {
        let draft = Disk::default();
        draft.fail_after(Some(fuse));
        let made = Builder::new().create_with_backend(draft.clone()).map(file::initialise);
        // Only now the file gets its name; before that, a cut leaves nothing that is ever opened.
        if matches!(made, Ok(Ok(()))) && draft.sync_data().is_ok() {
            published += 1;
            let store = open(&draft.cut(&mut chance)).unwrap();
            assert_eq!(store.head(uid(10)).unwrap(), None);
        }
    }
    assert!((1..200).contains(&published), "the cuts cover the whole creation, and {published} came after it");
}

#[tokio::test]
async fn nothing_is_acknowledged_after_a_failed_sync() {
    let disk = new_disk();
    let store = open(&disk).unwrap();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &[EntryKind::InputMessage]).await;

    disk.fail_after(Some(0));
    let failed = one(&store, pen.clone().batch(&[EntryKind::AgentOutput])).await;
    disk.fail_after(None);
    let after = one(&store, pen.batch(&[EntryKind::AgentOutput])).await;

    assert!(matches!(failed, Err(Error::Broken(_))), "{failed:?}");
    assert!(matches!(after, Err(Error::Broken(_))), "a disk that failed once is not trusted again: {after:?}");
    assert!(matches!(store.probe().await.as_slice(), [Err(Error::Broken(_))]));
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_refuses_writes_reads_on_and_recovers() {
    let disk = new_disk();
    let store = open(&disk).unwrap();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &[EntryKind::InputMessage]).await;

    disk.say_free(Some(FREE_BYTES_MIN - 1));
    let refused = one(&store, pen.clone().batch(&[EntryKind::AgentOutput])).await;
    let ready = store.probe().await;
    let read = store.read(pen.session, Seq(1), 10).unwrap().entries.len();
    disk.say_free(Some(FREE_BYTES_MIN));
    pen.write(&store, &[EntryKind::AgentOutput]).await;

    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert!(matches!(ready.as_slice(), [Err(Error::Full)]), "{ready:?}");
    assert_eq!(read, 1);
}

#[tokio::test]
async fn a_write_that_finds_no_space_is_survived_by_the_store() {
    let disk = new_disk();
    let store = open(&disk).unwrap();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &[EntryKind::InputMessage]).await;

    // The space ends somewhere while the file grows.
    disk.limit_growth(Some(0));
    let mut stored = pen.clone();
    let mut refused = Ok(());
    for _ in 0..64 {
        let mut batch = pen.batch(&[EntryKind::InputMessage]);
        batch.entries[0].body = "x".repeat(256 << 10).into();
        refused = one(&store, batch).await;
        if refused.is_err() {
            break;
        }
        stored = pen.clone();
    }
    let read = store.head(stored.session).unwrap();
    disk.limit_growth(None);
    stored.write(&store, &[EntryKind::AgentOutput]).await;

    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert!(read.is_some(), "reading goes on");
    assert_eq!(store.head(stored.session).unwrap(), Some(stored.head));
}
