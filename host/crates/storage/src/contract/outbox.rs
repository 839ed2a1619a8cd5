//! Promises about what leaves the store.

use session::{Kind as EntryKind, Seq};

use super::Backend;
use super::fixture::{Pen, one, session};
use crate::{Directory, Error, Outbox, OutboxId};

const RECEIPT: [EntryKind; 2] = [EntryKind::ToolOutput, EntryKind::Receipt];

fn texts(rows: &[(OutboxId, Vec<u8>)]) -> Vec<&str> {
    rows.iter().map(|(_, row)| std::str::from_utf8(row).expect("a text of this suite")).collect()
}

async fn write(store: &impl Backed, pen: &mut Pen, rows: &[&str]) -> Result<(), Error> {
    let mut batch = pen.batch(&RECEIPT);
    batch.audit = rows.iter().map(|row| row.as_bytes().to_vec()).collect();
    one(store, batch).await
}

/// What the promises below need of a store.
trait Backed: crate::Journal + Outbox {}
impl<T: crate::Journal + Outbox> Backed for T {}

/// A row is there as soon as its batch is, behind all that came before.
pub async fn what_a_batch_puts_out_waits_in_order_and_a_refused_one_puts_out_nothing(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    write(&store, &mut pen, &["a", "b"]).await.expect("an accepted batch");
    store.put(vec![b"c".to_vec()]).await.expect("a row of no session");
    let mut wrong = pen.clone();
    wrong.head.last = Seq(70);
    assert!(matches!(write(&store, &mut wrong, &["never"]).await, Err(Error::HeadMoved { .. })));
    write(&store, &mut pen, &["d"]).await.expect("an accepted batch");

    let rows = store.pending(100).expect("rows");

    assert_eq!(texts(&rows), ["a", "b", "c", "d"]);
    assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0), "{rows:?}");
    assert_eq!(texts(&store.pending(3).expect("rows")), ["a", "b", "c"]);
    assert_eq!(store.waiting().expect("a count"), 4);
}

/// Nothing but settling removes a row.
pub async fn what_waits_outlives_a_crash_and_its_session(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    write(&store, &mut pen, &["a"]).await.expect("an accepted batch");
    let before = store.pending(100).expect("rows");

    assert!(store.delete(pen.session).await.expect("a deletion"));
    while store.reap(100).await.expect("reaping") > 0 {}
    let store = backend.crash(store);

    assert_eq!(store.pending(100).expect("rows"), before);
    assert_eq!(texts(&before), ["a"]);
}

/// An id that was seen never names another row, and the mark comes with the removal.
pub async fn settled_rows_are_gone_for_ever_and_their_ids_too(backend: &impl Backend) {
    let store = backend.open();
    store.put(vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]).await.expect("rows");
    assert_eq!(store.mark().expect("no mark"), None);
    let rows = store.pending(100).expect("rows");

    store.settle(Some(rows[1].0), b"after b".to_vec()).await.expect("settled");
    assert_eq!(texts(&store.pending(100).expect("rows")), ["c"]);
    store.settle(Some(rows[2].0), b"after c".to_vec()).await.expect("settled");
    store.settle(None, b"later".to_vec()).await.expect("a mark alone");
    let store = backend.crash(store);

    assert_eq!(store.pending(100).expect("no rows"), []);
    assert_eq!(store.mark().expect("a mark"), Some(b"later".to_vec()));
    store.put(vec![b"d".to_vec()]).await.expect("a row");
    let after = store.pending(100).expect("rows");
    assert!(after[0].0 > rows[2].0, "{after:?} comes after {rows:?}");
}

/// Whoever carries the rows need not look again and again.
pub async fn the_outbox_says_when_it_was_filled(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let moment = std::time::Duration::from_millis(20);
    assert!(tokio::time::timeout(moment, store.filled()).await.is_err(), "nothing waits yet");

    write(&store, &mut pen, &["a"]).await.expect("an accepted batch");

    tokio::time::timeout(std::time::Duration::from_secs(5), store.filled()).await.expect("it says so");
}
