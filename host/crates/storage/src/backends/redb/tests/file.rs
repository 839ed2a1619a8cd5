//! Opening, refusing and closing a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::redb::{Database, ReadableDatabase, TableDefinition};
use session::{Kind as EntryKind, Millis};

use super::{InDirectory, assert_chained, chained};
use crate::backends::redb::layout::{
    BEGUN, DUE_TIMERS, DUE_WAITS, FORMAT, INBOX, META, META_FORMAT, OUTBOX, TENANT_WAITS, TIMERS, WAITS, kind_of,
};
use crate::backends::redb::{OpenError, Options, Redb};
use crate::contract::{Backend, Pen, one, session};
use crate::{Directory, Error, Journal, Kind, Outbox};

fn refusal(place: &InDirectory) -> OpenError {
    Redb::open(place.path(), Options::default()).unwrap_err()
}

#[test]
fn a_store_that_is_open_is_refused_by_the_name_of_its_directory() {
    let place = InDirectory::new();
    let _open = place.open();

    let error = refusal(&place);

    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains(&place.0.path().display().to_string()), "{error}");
}

#[test]
fn a_new_store_leaves_nothing_else_in_its_directory() {
    let place = InDirectory::new();

    drop(place.open());

    let names: Vec<_> = fs::read_dir(place.0.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["wardian.redb"]);
}

#[test]
fn only_the_servers_own_user_can_read_a_new_store() {
    let place = InDirectory::new();

    drop(place.open());

    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_of_a_newer_format_is_refused_with_both_versions() {
    let place = InDirectory::new();
    drop(place.open());
    let database = Database::open(place.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert(META_FORMAT, (FORMAT + 1).to_be_bytes().as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);

    let error = refusal(&place);

    assert!(matches!(error, OpenError::Newer { found, known, .. } if found == FORMAT + 1 && known == FORMAT), "{error:?}");
}

/// Makes a store one of an older format: its number, and without the tables that came after it.
fn make_older(place: &InDirectory, format: u32) {
    let database = Database::open(place.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert(META_FORMAT, format.to_be_bytes().as_slice()).unwrap();
    if format < 3 {
        transaction.delete_table(INBOX).unwrap();
        transaction.delete_table(TIMERS).unwrap();
        transaction.delete_table(DUE_TIMERS).unwrap();
        transaction.delete_table(BEGUN).unwrap();
    }
    if format < 2 {
        transaction.delete_table(WAITS).unwrap();
        transaction.delete_table(TENANT_WAITS).unwrap();
        transaction.delete_table(DUE_WAITS).unwrap();
        transaction.delete_table(OUTBOX).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_file_of_an_older_format_is_taken_over_with_what_it_holds() {
    for older in 1..FORMAT {
        let place = InDirectory::new();
        let store = place.open();
        let mut pen = Pen::new(&store, session(&store, 10).await);
        pen.write(&store, &[EntryKind::InputMessage]).await;
        drop(store);
        make_older(&place, older);

        let store = place.open();

        assert_eq!(store.head(pen.session).unwrap(), Some(pen.head));
        assert_eq!(store.waits(pen.session).unwrap(), []);
        assert_eq!(store.inbox(pen.session).unwrap(), []);
        assert_eq!(store.expiring(Millis(i64::MAX), None, 1).unwrap(), []);
        assert_eq!(store.pending(1).unwrap(), []);
        store.put(vec![b"a".to_vec()]).await.unwrap();
        assert_eq!(store.waiting().unwrap(), 1);
        pen = Pen::new(&store, pen.session);
        one(&store, chained(&mut pen, &[EntryKind::Began])).await.unwrap();
        assert_chained(&store, pen.session, &format!("a file of format {older}"));
        drop(store);
        let database = Database::open(place.path()).unwrap();
        let view = database.begin_read().unwrap();
        let format = view.open_table(META).unwrap().get(META_FORMAT).unwrap().map(|row| row.value().to_vec());
        assert_eq!(format, Some(FORMAT.to_be_bytes().to_vec()));
    }
}

#[test]
fn records_of_a_new_kind_come_with_a_format_that_programs_without_it_refuse() {
    let format = |kind| match kind {
        Kind::Tenant | Kind::Key | Kind::Agent | Kind::Session | Kind::Lease => 1,
        Kind::Tool => 3,
        Kind::Feedback => 4,
    };
    let kinds: Vec<u32> = (0..=u8::MAX).filter_map(|code| kind_of(code).ok()).map(format).collect();
    assert!(kinds.iter().all(|since| *since <= FORMAT), "{kinds:?}");
}

#[test]
fn a_database_of_another_program_is_refused() {
    let place = InDirectory::new();
    let database = Database::create(place.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);

    assert!(matches!(refusal(&place), OpenError::Damaged { .. }));
}

#[test]
fn files_that_are_no_store_are_refused_and_left_as_they_are() {
    let place = InDirectory::new();
    drop(place.open());
    let whole = fs::read(place.path()).unwrap();
    let mut torn = whole.clone();
    torn[64..4096].fill(0xA5);
    for bytes in [Vec::new(), b"hello".to_vec(), vec![0; 65_536], whole[..5_000].to_vec(), torn] {
        fs::write(place.path(), &bytes).unwrap();

        let error = refusal(&place);

        assert!(matches!(error, OpenError::Damaged { .. }), "{} bytes: {error:?}", bytes.len());
    }
}

#[tokio::test]
async fn a_clean_stop_is_followed_by_a_start_without_a_check() {
    let place = InDirectory::new();
    let store = place.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &[EntryKind::InputMessage]).await;
    let checks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&checks);
    let progress: Arc<dyn Fn(f64) + Send + Sync> = Arc::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let options = Options { progress: Some(progress), ..Options::default() };

    let crashed = place.0.path().join("crashed");
    fs::copy(place.path(), &crashed).unwrap();
    store.close();
    drop(Redb::open(place.path(), options.clone()).unwrap());
    let after_a_stop = checks.load(Ordering::Relaxed);
    drop(Redb::open(&crashed, options).unwrap());

    assert_eq!(after_a_stop, 0);
    assert!(checks.load(Ordering::Relaxed) > 0, "after a crash the check shows its progress");
}

#[tokio::test]
async fn a_closed_store_answers_that_it_is_closed() {
    let place = InDirectory::new();
    let store = place.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);

    store.close();
    store.close();

    assert!(matches!(one(&store, pen.batch(&[EntryKind::InputMessage])).await, Err(Error::Broken(_))));
    assert!(matches!(store.head(pen.session), Err(Error::Broken(_))));
    drop(place.open());
}

#[tokio::test]
async fn more_than_the_queue_holds_is_refused_and_changes_nothing() {
    let place = InDirectory::new();
    let store = place.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let mut batches = Vec::new();
    let mut stored = pen.clone();
    for _ in 0..40 {
        let mut batch = pen.batch(&[EntryKind::InputMessage]);
        batch.entries[0].body = "x".repeat(4 << 20).into();
        batches.push(batch);
    }

    let tickets: Vec<_> = batches.into_iter().map(|batch| store.commit(vec![batch], crate::When::Now)).collect();
    let mut busy = 0;
    for ticket in tickets {
        match ticket.await.remove(0) {
            Ok(()) => drop(stored.batch(&[EntryKind::InputMessage])),
            Err(Error::Busy) => busy += 1,
            Err(Error::HeadMoved { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }

    assert!(busy > 0, "160 MiB at once are more than the queue holds");
    assert_eq!(store.head(pen.session).unwrap(), Some(stored.head));
}
