//! Promises about inputs that wait for a session.

use session::{Kind as EntryKind, Millis, Seq, Status, TurnNo};

use super::Backend;
use super::fixture::{NOBODY, Pen, one, record, session, tenant, uid};
use crate::{Batch, Directory, Error, Idempotency, IdempotencyKey, InboxChange, InboxRow, Journal, Kind};

const TURN: [EntryKind; 2] = [EntryKind::InputMessage, EntryKind::Began];

fn input(no: u64, text: &str) -> InboxRow {
    InboxRow { no, body: text.into() }
}

fn put(no: u64, text: &str) -> InboxChange {
    InboxChange::Put(input(no, text))
}

/// The batch that appends nothing and changes these inputs.
fn queueing(pen: &mut Pen, inbox: Vec<InboxChange>) -> Batch {
    Batch { inbox, ..pen.batch(&[]) }
}

/// An input is accepted, a turn's status changes, a key is noted: none of them needs an entry,
/// and none a session that has one.
pub async fn a_batch_without_entries_changes_the_rest(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let key = IdempotencyKey { tenant: tenant(), digest: [7; 32] };
    let stands_for = Idempotency { body: [8; 32], session: pen.session, turn: TurnNo(1), at: Millis(1_700_000_000_000) };
    for begun in [false, true] {
        let mut batch = queueing(&mut pen, vec![put(u64::from(begun), "later")]);
        batch.idempotency = vec![(key.clone(), stands_for.clone())];
        one(&store, batch).await.expect("a batch without entries");
        pen.head.status = Status::Running;
        pen.head.usage = None;
        one(&store, pen.batch(&[])).await.expect("a head alone");
        assert_eq!(store.head(pen.session).expect("a head"), Some(pen.head.clone()));
        pen.write(&store, &TURN).await;
    }

    let mut late = queueing(&mut pen, vec![put(9, "never")]);
    late.expect = Seq(3);
    let refused = one(&store, late).await;
    let store = backend.crash(store);

    assert!(matches!(refused, Err(Error::HeadMoved { .. })), "{refused:?}");
    assert_eq!(store.inbox(pen.session).expect("an inbox"), [input(0, "later"), input(1, "later")]);
    assert_eq!(store.idempotency(&key).expect("a look-up"), Some(stands_for));
    assert_eq!(store.head(pen.session).expect("a head"), Some(pen.head));
}

/// With what was written, after a crash; and it is taken in the batch of the turn that it begins.
pub async fn an_input_waits_until_it_is_taken(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    one(&store, queueing(&mut pen, vec![put(1, "first"), put(2, "second")])).await.expect("an accepted batch");

    let store = backend.crash(store);
    assert_eq!(store.inbox(pen.session).expect("an inbox"), [input(1, "first"), input(2, "second")]);
    pen = Pen::new(&store, pen.session);
    let taken = Batch { inbox: vec![InboxChange::Remove(1), InboxChange::Remove(7), put(2, "edited")], ..pen.batch(&TURN) };
    one(&store, taken).await.expect("an accepted batch");
    let store = backend.crash(store);

    assert_eq!(store.inbox(pen.session).expect("an inbox"), [input(2, "edited")]);
    assert_eq!(store.head(pen.session).expect("a head").map(|head| head.last), Some(Seq(2)));
}

/// Whatever the order in which they came; changes of one batch are made in theirs.
pub async fn inputs_wait_in_the_order_of_their_numbers(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let mut other = Pen::new(&store, session(&store, 11).await);
    one(&store, queueing(&mut other, vec![put(1, "another session's")])).await.expect("an accepted batch");

    one(&store, queueing(&mut pen, vec![put(256, "c"), put(u64::MAX, "d"), put(2, "b")])).await.expect("an accepted batch");
    let churn = vec![put(1, "x"), InboxChange::Remove(1), put(1, "a"), put(3, "x"), InboxChange::Remove(3)];
    one(&store, queueing(&mut pen, churn)).await.expect("an accepted batch");

    let waiting = store.inbox(pen.session).expect("an inbox");
    assert_eq!(waiting, [input(1, "a"), input(2, "b"), input(256, "c"), input(u64::MAX, "d")]);
    assert_eq!(store.inbox(other.session).expect("an inbox"), [input(1, "another session's")]);
    assert_eq!(store.inbox(uid(77)).expect("no inbox"), []);
}

/// As its entries do.
pub async fn a_refused_batch_changes_no_inbox(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    one(&store, queueing(&mut pen, vec![put(1, "a")])).await.expect("an accepted batch");
    let mut wrong = Batch { inbox: vec![InboxChange::Remove(1), put(2, "b")], ..pen.batch(&TURN) };
    wrong.expect = Seq(5);

    let refused = one(&store, wrong).await;

    assert!(matches!(refused, Err(Error::HeadMoved { .. })), "{refused:?}");
    assert_eq!(store.inbox(pen.session).expect("an inbox"), [input(1, "a")]);
}

/// At once to readers, and in slices from the store.
pub async fn inputs_go_with_their_session(backend: &impl Backend) {
    let store = backend.open();
    let rows = || (1..=5).map(|no| put(no, "a")).collect();
    let mut gone = Pen::new(&store, session(&store, 10).await);
    one(&store, queueing(&mut gone, rows())).await.expect("an accepted batch");
    let other = uid(50);
    store.create(record(other, Kind::Agent, NOBODY, "other")).await.expect("a new agent");
    store.create(record(uid(51), Kind::Session, other, "of the other")).await.expect("a new session");
    let mut stays = Pen::new(&store, uid(51));
    one(&store, queueing(&mut stays, rows())).await.expect("an accepted batch");

    store.delete(gone.session).await.expect("a deletion");
    assert_eq!(store.inbox(gone.session).expect("no inbox"), []);
    let mut removed = 0;
    loop {
        match store.reap(2).await.expect("a slice") {
            0 => break,
            rows => removed += rows,
        }
    }
    assert!(removed >= 5, "five inputs go, not {removed} rows");
    assert_eq!(store.inbox(stays.session).expect("an inbox").len(), 5);

    store.delete(other).await.expect("a deletion");
    assert_eq!(store.inbox(stays.session).expect("no inbox"), []);
}
