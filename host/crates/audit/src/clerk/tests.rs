//! From a real store into real files: every record once, whatever happens in between.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use storage::backends::redb::{Options as StoreOptions, Redb};
use tempfile::TempDir;

use super::*;
use crate::chain::CURRENT;
use crate::{chain, line, verify};

/// How long the clerk's next step is waited for.
const PATIENCE: Duration = Duration::from_secs(180);

fn store(home: &TempDir) -> Arc<Redb> {
    Arc::new(Redb::open(home.path().join("wardian.redb"), StoreOptions::default()).unwrap())
}

fn records(numbers: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    numbers.map(|n| format!("{{\"kind\":\"call\",\"n\":{n}}}").into_bytes()).collect()
}

/// The records in the log by their number, in order; the chain is whole.
fn arrived(directory: &Path) -> Vec<u32> {
    assert_eq!(verify(directory).unwrap().fault, None);
    let mut found = Vec::new();
    chain::lines(&chain::files(directory).unwrap(), |bytes| {
        let members = line::read(bytes).unwrap().members;
        let number = std::str::from_utf8(members).unwrap().split_once("\"n\":").map(|(_, n)| n.parse::<u32>().unwrap());
        found.extend(number);
        true
    })
    .unwrap();
    found
}

fn start(home: &TempDir, outbox: Arc<Redb>) -> Clerk {
    Clerk::start(Options { directory: home.path().join("audit"), outbox }).unwrap()
}

async fn finish(clerk: Clerk) {
    tokio::task::spawn_blocking(move || clerk.finish()).await.unwrap();
}

#[tokio::test]
async fn what_waits_arrives_in_order_and_leaves_the_store() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    store.put(records(0..2_500)).await.unwrap();
    let clerk = start(&home, store.clone());
    store.put(records(2_500..2_503)).await.unwrap();
    finish(clerk).await;

    assert_eq!(arrived(&home.path().join("audit")), (0..2_503).collect::<Vec<_>>());
    assert_eq!(store.waiting().unwrap(), 0);
    let mark = Head::from_mark(&store.mark().unwrap().unwrap()).unwrap();
    assert_eq!(mark.seq, 2_503);
}

#[tokio::test]
async fn a_record_is_carried_soon_without_anybody_asking() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    let clerk = start(&home, store.clone());
    store.put(records(0..1)).await.unwrap();
    let until = Instant::now() + PATIENCE;
    while store.waiting().unwrap() > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(arrived(&home.path().join("audit")), [0]);
    drop(clerk);
}

/// A crash may come after any byte of what was written and not settled.
#[tokio::test]
async fn a_crash_between_writing_and_settling_doubles_nothing_and_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("audit");
    let store = store(&home);
    store.put(records(0..3)).await.unwrap();
    finish(start(&home, store.clone())).await;
    let settled = fs::read(directory.join(CURRENT)).unwrap().len();
    store.put(records(3..6)).await.unwrap();
    let mark = Head::from_mark(&store.mark().unwrap().unwrap());
    let rows = store.pending(100).unwrap();
    let mut book = Book::open(&directory, FILE_BYTES, mark).unwrap();
    book.append(&rows.iter().map(|(id, record)| (Some(*id), record.clone())).collect::<Vec<_>>()).unwrap();
    drop(book);
    let written = fs::read(directory.join(CURRENT)).unwrap();

    for end in (settled..=written.len()).step_by(7).chain([written.len()]) {
        let again = tempfile::tempdir().unwrap();
        let directory = again.path().to_owned();
        fs::write(directory.join(CURRENT), &written[..end]).unwrap();
        let mut book = Book::open(&directory, FILE_BYTES, mark).unwrap();
        let fresh = rows.iter().filter(|(id, record)| !book.holds(*id, record));
        let fresh: Vec<_> = fresh.map(|(id, record)| (Some(*id), record.clone())).collect();
        book.append(&fresh).unwrap();
        assert_eq!(arrived(&directory), [0, 1, 2, 3, 4, 5], "cut at {end}");
    }

    finish(start(&home, store.clone())).await;
    assert_eq!((arrived(&directory), store.waiting().unwrap()), (vec![0, 1, 2, 3, 4, 5], 0));
}

#[tokio::test]
async fn while_the_log_cannot_be_written_the_clerk_is_not_ready_and_everything_waits() {
    let home = tempfile::tempdir().unwrap();
    let in_the_way = home.path().join("audit");
    fs::write(&in_the_way, "a file where the directory should be").unwrap();
    let store = store(&home);
    let clerk = start(&home, store.clone());
    store.put(records(0..4)).await.unwrap();
    let until = Instant::now() + PATIENCE;
    while clerk.ready() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!clerk.ready());
    assert_eq!(store.waiting().unwrap(), 4);

    fs::remove_file(&in_the_way).unwrap();
    let until = Instant::now() + PATIENCE;
    while !clerk.ready() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(clerk.ready());
    finish(clerk).await;
    assert_eq!(arrived(&in_the_way), [0, 1, 2, 3]);
}

/// A store that was put back from a backup knows an older head, and takes the same epochs again.
#[tokio::test]
async fn a_store_from_a_backup_goes_on_behind_the_newest_line() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("audit");
    let path = home.path().join("wardian.redb");
    let first = store(&home);
    first.put(records(0..2)).await.unwrap();
    finish(start(&home, first.clone())).await;
    drop(first);
    let backup = fs::read(&path).unwrap();
    let later = store(&home);
    later.put(records(2..4)).await.unwrap();
    finish(start(&home, later.clone())).await;
    drop(later);

    fs::write(&path, backup).unwrap();
    let restored = store(&home);
    restored.put(records(7..9)).await.unwrap();
    finish(start(&home, restored.clone())).await;

    assert_eq!(arrived(&directory), [0, 1, 2, 3, 7, 8]);
}

#[tokio::test]
async fn the_head_is_noted_when_it_is_time_and_only_where_lines_were_added() {
    let home = tempfile::tempdir().unwrap();
    let mut book = Book::open(home.path(), FILE_BYTES, None).unwrap();
    book.append(&[(None, records(0..1).remove(0))]).unwrap();
    let head = book.head();
    let mut checkpoint = Some((Instant::now(), Head::default()));

    note_head(&mut book, &mut checkpoint).unwrap();
    note_head(&mut book, &mut checkpoint).unwrap();
    checkpoint = checkpoint.map(|(_, noted)| (Instant::now(), noted));
    note_head(&mut book, &mut checkpoint).unwrap();

    let text = fs::read_to_string(home.path().join(CURRENT)).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((text.lines().count(), &last["head"], &last["count"]), (2, &head.hex().into(), &1.into()));
}
