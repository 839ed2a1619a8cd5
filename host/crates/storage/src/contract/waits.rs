//! Promises about what sessions wait for.

use session::{Kind as EntryKind, Millis, Seq, Uid};

use super::Backend;
use super::fixture::{NOBODY, Pen, one, record, session, tenant, uid};
use crate::{Batch, Directory, DueWait, Error, Journal, Kind, OpenWait, WaitChange, WaitRow};

const STEP: [EntryKind; 2] = [EntryKind::ToolInput, EntryKind::Waiting];

fn row(call: u64, due: i64) -> WaitRow {
    WaitRow { call: Seq(call), due: Millis(due), body: format!("{{\"call\":{call}}}").into_bytes() }
}

/// The batch with these changes.
fn changing(pen: &mut Pen, changes: Vec<WaitChange>) -> Batch {
    Batch { waits: changes, ..pen.batch(&STEP) }
}

/// A session that waits for calls with these times.
async fn waiting(store: &(impl Journal + Directory), number: u64, waits: &[(u64, i64)]) -> Pen {
    let mut pen = Pen::new(store, session(store, number).await);
    let changes = waits.iter().map(|(call, due)| WaitChange::Put(row(*call, *due))).collect();
    one(store, changing(&mut pen, changes)).await.expect("an accepted batch");
    pen
}

fn places(found: &[OpenWait]) -> Vec<(Uid, u64)> {
    found.iter().map(|wait| (wait.session, wait.row.call.0)).collect()
}

fn due(store: &impl Journal, until: i64) -> Vec<DueWait> {
    store.due_waits(Millis(until), None, 100).expect("a look-up")
}

/// By its session, its tenant, all together and by time; with what was written, after a crash.
pub async fn a_wait_is_found_until_it_is_over(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = waiting(&store, 10, &[(1, 70), (2, -50)]).await;
    let store = backend.crash(store);

    let whole = OpenWait { tenant: tenant(), session: pen.session, row: row(1, 70) };
    assert_eq!(store.waits(pen.session).expect("waits"), [row(1, 70), row(2, -50)]);
    assert_eq!(store.open_waits(None, None, 10).expect("a page")[0], whole);
    assert_eq!(store.open_waits(Some(tenant()), None, 10).expect("a page")[0], whole);
    assert_eq!(store.open_waits(Some(uid(99)), None, 10).expect("a page"), []);
    assert_eq!(due(&store, 100).iter().map(|due| due.call.0).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(due(&store, 69).len(), 1);

    pen = Pen::new(&store, pen.session);
    let over = changing(&mut pen, vec![WaitChange::Remove(Seq(1)), WaitChange::Remove(Seq(7)), WaitChange::Put(row(2, 90))]);
    one(&store, over).await.expect("an accepted batch");

    assert_eq!(store.waits(pen.session).expect("waits"), [row(2, 90)]);
    assert_eq!(places(&store.open_waits(Some(tenant()), None, 10).expect("a page")), [(pen.session, 2)]);
    assert_eq!(due(&store, 100), [DueWait { due: Millis(90), session: pen.session, call: Seq(2) }]);
}

/// Oldest session first; the next page begins with the next session.
pub async fn a_page_of_waits_never_tears_a_session(backend: &impl Backend) {
    let store = backend.open();
    for number in [12, 10, 11] {
        waiting(&store, number, &[(1, 5), (2, 5), (3, 5)]).await;
    }

    for scope in [None, Some(tenant())] {
        let first = store.open_waits(scope, None, 2).expect("a page");
        assert_eq!(places(&first), [(uid(10), 1), (uid(10), 2), (uid(10), 3)]);
        let rest = store.open_waits(scope, Some(uid(10)), 4).expect("a page");
        assert_eq!(places(&rest), [(uid(11), 1), (uid(11), 2), (uid(11), 3), (uid(12), 1), (uid(12), 2), (uid(12), 3)]);
        assert_eq!(store.open_waits(scope, Some(uid(12)), 4).expect("a page"), []);
    }
}

/// The first due first, also among those of one moment.
pub async fn due_waits_are_read_in_pages(backend: &impl Backend) {
    let store = backend.open();
    waiting(&store, 11, &[(1, 5), (2, 9)]).await;
    waiting(&store, 10, &[(1, 7), (2, 5)]).await;

    let (mut pages, mut after) = (Vec::new(), None);
    while let Some(next) = store.due_waits(Millis(8), after, 1).expect("a look-up").pop() {
        pages.push((next.session, next.call.0));
        after = Some(next);
    }

    assert_eq!(pages, [(uid(10), 2), (uid(11), 1), (uid(10), 1)]);
}

/// As its entries do.
pub async fn a_refused_batch_changes_no_wait(backend: &impl Backend) {
    let store = backend.open();
    let pen = waiting(&store, 10, &[(1, 5)]).await;
    let mut wrong = changing(&mut pen.clone(), vec![WaitChange::Remove(Seq(1)), WaitChange::Put(row(2, 5))]);
    wrong.expect = Seq(0);

    let refused = one(&store, wrong).await;

    assert!(matches!(refused, Err(Error::HeadMoved { .. })), "{refused:?}");
    assert_eq!(store.waits(pen.session).expect("waits"), [row(1, 5)]);
}

/// From the moment of the deletion of the session or of what it belongs to; and reaping leaves none behind.
pub async fn what_was_deleted_waits_for_nothing(backend: &impl Backend) {
    let store = backend.open();
    let gone = waiting(&store, 10, &[(1, 5), (2, 5)]).await.session;
    let other = uid(50);
    store.create(record(other, Kind::Agent, NOBODY, "other")).await.expect("a new agent");
    store.create(record(uid(51), Kind::Session, other, "of the other")).await.expect("a new session");
    let mut of_other = Pen::new(&store, uid(51));
    one(&store, changing(&mut of_other, vec![WaitChange::Put(row(1, 5))])).await.expect("an accepted batch");
    let stays = waiting(&store, 11, &[(1, 5)]).await.session;

    store.delete(gone).await.expect("a deletion");
    store.delete(other).await.expect("a deletion");

    for _ in 0..2 {
        assert_eq!(store.waits(gone).expect("waits"), []);
        assert_eq!(places(&store.open_waits(None, None, 10).expect("a page")), [(stays, 1)]);
        assert_eq!(places(&store.open_waits(Some(tenant()), None, 10).expect("a page")), [(stays, 1)]);
        assert_eq!(due(&store, 100).len(), 1);
        while store.reap(2).await.expect("a slice") > 0 {}
    }
}
