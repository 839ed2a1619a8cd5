//! Promises about sessions whose entries are written before their record.

use session::{Kind as EntryKind, Millis, Seq, TurnNo};

use super::Backend;
use super::fixture::{NOBODY, Pen, agent, one, record, seqs, session, tenant, uid};
use crate::{Batch, Directory, Error, InboxChange, InboxRow, Journal, Kind, Record, Running};

const TURN: [EntryKind; 3] = [EntryKind::InputMessage, EntryKind::Began, EntryKind::AgentOutput];

/// A pen of a session that was begun.
async fn begun(store: &(impl Journal + Directory), number: u64) -> Pen {
    store.begin(uid(number), tenant()).await.expect("a session that begins");
    Pen::new(store, uid(number))
}

/// A batch with a row of every sort that is found by more than its session.
fn whole(pen: &mut Pen) -> Batch {
    let mut batch = pen.batch(&TURN);
    batch.running = Some(Some(Running { turn: TurnNo(1), attempt: 1 }));
    batch.inbox = vec![InboxChange::Put(InboxRow { no: 1, body: b"later".to_vec() })];
    batch
}

/// Nobody sees anything of it before, everybody all of it after; and its writer goes on.
pub async fn a_session_may_be_written_before_its_record(backend: &impl Backend) {
    let store = backend.open();
    session(&store, 9).await;
    let mut pen = begun(&store, 10).await;
    one(&store, whole(&mut pen)).await.expect("an accepted batch");
    pen.write(&store, &TURN).await;
    store.expire_at(pen.session, Some(Millis(5))).await.expect("a time");

    assert_eq!(store.get(pen.session).expect("no record"), None);
    assert_eq!(store.head(pen.session).expect("no head"), None);
    assert_eq!(store.read(pen.session, Seq(1), 10).expect("no page").entries, []);
    assert_eq!(store.listed(pen.session, Seq(1), 10, true).expect("no page").entries, []);
    assert_eq!(store.inbox(pen.session).expect("no inbox"), []);
    assert_eq!(store.running(None, 10).expect("a scan"), []);
    assert_eq!(store.expiring(Millis(100), None, 10).expect("a look-up"), []);
    while store.reap(1).await.expect("a slice") > 0 {}

    store.create(record(pen.session, Kind::Session, agent(), "a fork")).await.expect("its record");
    pen.write(&store, &[EntryKind::Ended]).await;
    let store = backend.crash(store);

    assert_eq!(store.head(pen.session).expect("a head"), Some(pen.head));
    assert_eq!(seqs(&store.read(pen.session, Seq(1), 10).expect("a page").entries), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(store.inbox(pen.session).expect("an inbox").len(), 1);
    assert_eq!(store.running(None, 10).expect("a scan").len(), 1);
    assert_eq!(store.expiring(Millis(100), None, 10).expect("a look-up"), [(Millis(5), pen.session)]);
}

/// From then on it takes nothing, and reaping takes what it had.
pub async fn a_session_that_was_begun_and_given_up_leaves_nothing(backend: &impl Backend) {
    let store = backend.open();
    session(&store, 9).await;
    let mut pen = begun(&store, 10).await;
    one(&store, whole(&mut pen)).await.expect("an accepted batch");
    store.expire_at(pen.session, Some(Millis(5))).await.expect("a time");

    assert!(store.delete(pen.session).await.expect("given up"));

    assert!(!store.delete(pen.session).await.expect("a deletion"), "it was given up already");
    let refused = one(&store, pen.batch(&TURN)).await;
    assert!(matches!(refused, Err(Error::Gone(gone)) if gone == pen.session), "{refused:?}");
    left_nothing(&store, &pen).await;
}

/// Whoever began it cannot bring it to life any more.
pub async fn what_was_begun_before_a_crash_is_given_up(backend: &impl Backend) {
    let store = backend.open();
    session(&store, 9).await;
    let mut pen = begun(&store, 10).await;
    one(&store, whole(&mut pen)).await.expect("an accepted batch");
    let mut made = begun(&store, 11).await;
    one(&store, whole(&mut made)).await.expect("an accepted batch");
    store.create(record(made.session, Kind::Session, agent(), "made")).await.expect("its record");

    let store = backend.crash(store);

    let mut successor = Pen { epoch: store.lease(pen.session).expect("a lease"), ..pen.clone() };
    let refused = one(&store, successor.batch(&TURN)).await;
    assert!(matches!(refused, Err(Error::Gone(gone)) if gone == pen.session), "{refused:?}");
    assert!(!store.delete(pen.session).await.expect("a deletion"), "it was given up already");
    left_nothing(&store, &pen).await;
    assert_eq!(store.head(made.session).expect("a head"), Some(made.head));
}

/// After reaping not even another session with this uid finds anything.
async fn left_nothing(store: &(impl Journal + Directory), pen: &Pen) {
    let early = store.create(record(pen.session, Kind::Session, agent(), "reused")).await;
    assert!(matches!(early, Err(Error::Taken)), "rows are left of it: {early:?}");
    while store.reap(1).await.expect("a slice") > 0 {}

    store.create(record(pen.session, Kind::Session, agent(), "reused")).await.expect("nothing is left");
    assert_eq!(store.head(pen.session).expect("no head"), None);
    assert_eq!(store.read(pen.session, Seq(1), 10).expect("a page").entries, []);
    assert_eq!(store.inbox(pen.session).expect("no inbox"), []);
    assert_eq!(store.running_turn(pen.session).expect("no turn"), None);
    assert_eq!(store.expiring(Millis(100), None, 10).expect("a look-up"), []);
}

/// Its record is a session's, of the same tenant.
pub async fn a_session_is_begun_once_and_for_its_tenant_alone(backend: &impl Backend) {
    let store = backend.open();
    session(&store, 9).await;
    let mut pen = begun(&store, 10).await;

    for used in [uid(9), uid(10), agent()] {
        let again = store.begin(used, tenant()).await;
        assert!(matches!(again, Err(Error::Taken)), "{again:?}");
    }
    let stranger = Batch { tenant: uid(99), ..pen.clone().batch(&TURN) };
    let refused = one(&store, stranger).await;
    assert!(matches!(refused, Err(Error::Gone(_))), "{refused:?}");
    let other_kind = store.create(record(pen.session, Kind::Agent, NOBODY, "an agent")).await;
    assert!(matches!(other_kind, Err(Error::Taken)), "{other_kind:?}");
    let other_tenant = store.create(Record { tenant: uid(99), ..record(pen.session, Kind::Session, agent(), "s") }).await;
    assert!(matches!(other_tenant, Err(Error::Taken)), "{other_tenant:?}");
    pen.write(&store, &TURN).await;

    store.create(Record { tenant: NOBODY, ..record(tenant(), Kind::Tenant, NOBODY, "tenant") }).await.expect("a new tenant");
    store.delete(tenant()).await.expect("a deletion");
    let late = store.begin(uid(12), tenant()).await;
    assert!(matches!(late, Err(Error::Gone(gone)) if gone == tenant()), "{late:?}");
    let refused = one(&store, pen.batch(&TURN)).await;
    assert!(matches!(refused, Err(Error::Gone(_))), "{refused:?}");
    assert!(store.delete(uid(10)).await.expect("given up"), "also below a dead tenant");
}
