//! Promises about when records are to be looked at.

use session::{Millis, Uid};

use super::Backend;
use super::fixture::{agent, record, session, uid};
use crate::{Directory, Kind};

fn due(store: &impl Directory, until: i64) -> Vec<(i64, Uid)> {
    store.expiring(Millis(until), None, 100).expect("a look-up").into_iter().map(|(at, uid)| (at.0, uid)).collect()
}

/// At its moment and not before; also after a crash, and before 1970.
pub async fn a_time_comes_until_it_is_moved_or_taken_away(backend: &impl Backend) {
    let store = backend.open();
    for (number, at) in [(10, 70), (11, -50), (12, 60)] {
        store.expire_at(session(&store, number).await, Some(Millis(at))).await.expect("a time");
    }
    let store = backend.crash(store);
    assert_eq!(due(&store, 69), [(-50, uid(11)), (60, uid(12))]);
    assert_eq!(due(&store, 70), [(-50, uid(11)), (60, uid(12)), (70, uid(10))]);

    store.expire_at(uid(10), Some(Millis(40))).await.expect("a time");
    store.expire_at(uid(10), Some(Millis(50))).await.expect("a time");
    store.expire_at(uid(11), None).await.expect("no time");
    store.expire_at(uid(11), None).await.expect("none already");
    let store = backend.crash(store);

    assert_eq!(due(&store, 100), [(50, uid(10)), (60, uid(12))]);
    assert_eq!(due(&store, -50), []);
}

/// Also among those of one moment.
pub async fn times_that_have_come_are_read_in_pages(backend: &impl Backend) {
    let store = backend.open();
    for (number, at) in [(12, 5), (10, 7), (11, 5), (13, 9)] {
        store.expire_at(session(&store, number).await, Some(Millis(at))).await.expect("a time");
    }

    let (mut pages, mut after) = (Vec::new(), None);
    while let Some(next) = store.expiring(Millis(8), after, 1).expect("a look-up").pop() {
        pages.push(next.1);
        after = Some(next);
    }

    assert_eq!(pages, [uid(11), uid(12), uid(10)]);
    assert_eq!(store.expiring(Millis(3), after, 1).expect("a look-up"), []);
    assert_eq!(store.expiring(Millis(8), None, 0).expect("a look-up"), []);
}

/// It counts from the record on. One whose record never came goes once it is due.
pub async fn a_time_may_be_set_before_its_record(backend: &impl Backend) {
    let store = backend.open();
    store.expire_at(uid(10), Some(Millis(5))).await.expect("a time");
    store.expire_at(uid(11), Some(Millis(i64::MAX))).await.expect("a time");
    assert_eq!(due(&store, 100), []);

    session(&store, 10).await;
    assert_eq!(due(&store, 100), [(5, uid(10))]);
    store.expire_at(uid(12), Some(Millis(5))).await.expect("a time");
    assert_eq!(store.reap(100).await.expect("a slice"), 1);
    session(&store, 11).await;
    session(&store, 12).await;

    assert_eq!(due(&store, i64::MAX), [(5, uid(10)), (i64::MAX, uid(11))]);
}

/// Neither by itself nor with what it belonged to; and reaping leaves the living theirs.
pub async fn what_was_deleted_has_no_time(backend: &impl Backend) {
    let store = backend.open();
    for number in [10, 11] {
        store.expire_at(session(&store, number).await, Some(Millis(5))).await.expect("a time");
    }
    let other = uid(50);
    store.create(record(other, Kind::Agent, super::NOBODY, "other")).await.expect("a new agent");
    store.create(record(uid(51), Kind::Session, other, "of the other")).await.expect("a new session");
    store.expire_at(uid(51), Some(Millis(6))).await.expect("a time");

    store.delete(uid(10)).await.expect("a deletion");
    assert_eq!(due(&store, 100), [(5, uid(11)), (6, uid(51))]);
    store.delete(agent()).await.expect("a deletion");

    for _ in 0..2 {
        assert_eq!(due(&store, 100), [(6, uid(51))]);
        while store.reap(1).await.expect("a slice") > 0 {}
    }
}
