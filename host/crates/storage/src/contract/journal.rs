//! Promises about writing, leases and what is written beside the entries.

use std::time::{Duration, SystemTime};

use session::{Kind as EntryKind, Millis, Seq, TurnNo};

use super::Backend;
use super::fixture::{Pen, agent, one, seqs, session, tenant, uid};
use crate::{Blob, Blobs, Directory, Error, Idempotency, IdempotencyKey, Journal, Running, StateWrite, When};

const TURN: [EntryKind; 3] = [EntryKind::InputMessage, EntryKind::Began, EntryKind::AgentOutput];

/// What a ticket promised survives the process.
pub async fn acknowledged_entries_are_there_after_a_crash(backend: &impl Backend) {
    let store = backend.open();
    let session = session(&store, 10).await;
    let mut pen = Pen::new(&store, session);
    pen.write(&store, &TURN).await;
    pen.write(&store, &TURN).await;

    let store = backend.crash(store);

    assert_eq!(store.head(session).expect("a head"), Some(pen.head));
    assert_eq!(seqs(&store.read(session, Seq(1), 100).expect("a page").entries), [1, 2, 3, 4, 5, 6]);
}

/// Nothing of an entry is changed.
pub async fn entries_read_back_as_they_were_written_and_in_order(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let (first, second) = (pen.batch(&TURN), pen.batch(&[EntryKind::Ended]));
    let written = [first.entries.clone(), second.entries.clone()].concat();

    let answers = store.commit(vec![first, second], When::Now).await;

    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(store.read(pen.session, Seq(1), 100).expect("a page").entries, written);
    assert_eq!(store.entry(pen.session, Seq(4)).expect("an entry").as_ref(), written.last());
    assert_eq!(store.entry(pen.session, Seq(5)).expect("no entry"), None);
    assert_eq!(store.entry(pen.session, Seq(0)).expect("no entry"), None);
}

/// A refusal in the middle of a call stops neither what is before nor what is after it.
pub async fn each_batch_of_a_group_stands_alone(backend: &impl Backend) {
    let store = backend.open();
    let mut first = Pen::new(&store, session(&store, 10).await);
    let mut second = Pen::new(&store, session(&store, 11).await);
    let mut wrong = second.clone().batch(&TURN);
    wrong.expect = Seq(7);

    let answers = store.commit(vec![first.batch(&TURN), wrong, second.batch(&TURN)], When::Now).await;

    assert!(matches!(answers.as_slice(), [Ok(()), Err(Error::HeadMoved { .. }), Ok(())]), "{answers:?}");
    assert_eq!(store.head(first.session).expect("a head"), Some(first.head));
    assert_eq!(store.head(second.session).expect("a head"), Some(second.head));
}

/// Neither entries nor what came with them.
pub async fn a_batch_with_another_head_is_refused_and_leaves_nothing(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let late = pen.clone();
    pen.write(&store, &TURN).await;
    let mut batch = late.clone().batch(&TURN);
    batch.running = Some(Some(Running { turn: TurnNo(1), attempt: 1 }));
    batch.state = vec![StateWrite { plugin: "notes".into(), owner: pen.session, key: "k".into(), value: Some(b"v".to_vec()) }];

    let refused = one(&store, batch).await;

    assert!(matches!(refused, Err(Error::HeadMoved { expected: Seq(0), found: Seq(3), .. })), "{refused:?}");
    assert_eq!(store.head(pen.session).expect("a head"), Some(pen.head));
    assert_eq!(store.running(None, 10).expect("a scan"), []);
    assert_eq!(store.state(tenant(), "notes", pen.session, "k").expect("a value"), None);
}

/// Positions are never skipped and never used twice.
pub async fn a_batch_whose_positions_have_a_gap_is_refused(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let mut batch = pen.batch(&TURN);
    batch.entries.remove(1);

    let refused = one(&store, batch).await;

    assert!(matches!(refused, Err(Error::HeadMoved { .. })), "{refused:?}");
    assert!(store.read(pen.session, Seq(1), 10).expect("a page").entries.is_empty());
}

/// Whoever lost the store can't write to it by an old lease.
pub async fn a_lease_from_before_a_takeover_is_stale(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &TURN).await;

    let store = backend.crash(store);
    let refused = one(&store, pen.clone().batch(&TURN)).await;
    let mut successor = Pen::new(&store, pen.session);
    successor.write(&store, &TURN).await;

    assert!(matches!(refused, Err(Error::StaleLease { held, current, .. }) if held == pen.epoch && current > held), "{refused:?}");
    assert_eq!(store.head(pen.session).expect("a head").map(|head| head.last), Some(Seq(6)));
}

/// The directory comes first.
pub async fn a_session_that_was_never_made_takes_no_batches(backend: &impl Backend) {
    let store = backend.open();

    let refused = one(&store, Pen::new(&store, uid(77)).batch(&TURN)).await;

    assert!(matches!(refused, Err(Error::Gone(gone)) if gone == uid(77)), "{refused:?}");
    assert_eq!(store.head(uid(77)).expect("a head"), None);
}

/// To another tenant a session is the same as unknown.
pub async fn a_session_of_another_tenant_takes_no_batches(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &TURN).await;
    let mut batch = pen.clone().batch(&TURN);
    batch.tenant = uid(99);

    let refused = one(&store, batch).await;

    assert!(matches!(refused, Err(Error::Gone(_))), "{refused:?}");
}

/// From the moment of the deletion, whatever the backend remembers.
pub async fn a_deleted_session_takes_no_batches_and_reads_as_empty(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let mut begin = pen.batch(&TURN);
    begin.running = Some(Some(Running { turn: TurnNo(1), attempt: 1 }));
    one(&store, begin).await.expect("an accepted batch");

    assert!(store.delete(pen.session).await.expect("a deletion"));
    let refused = one(&store, pen.batch(&TURN)).await;

    assert!(matches!(refused, Err(Error::Gone(gone)) if gone == pen.session), "{refused:?}");
    assert_eq!(store.head(pen.session).expect("a head"), None);
    assert!(store.read(pen.session, Seq(1), 10).expect("a page").entries.is_empty());
    assert!(store.listed(pen.session, Seq(1), 10, true).expect("a page").entries.is_empty());
    assert_eq!(store.entry(pen.session, Seq(1)).expect("no entry"), None);
    assert_eq!(store.running(None, 10).expect("a scan"), []);
    assert!(!store.delete(pen.session).await.expect("a deletion"), "it was dead already");
}

/// `WithNext` before `Now` in the order of the calls, durable with it.
pub async fn what_rides_along_becomes_durable_in_order(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let riding: Vec<_> = (0..5).map(|_| store.commit(vec![pen.batch(&TURN)], When::WithNext)).collect();

    one(&store, pen.batch(&[EntryKind::Ended])).await.expect("an accepted batch");
    let store = backend.crash(store);

    assert_eq!(store.head(pen.session).expect("a head"), Some(pen.head));
    for ticket in riding {
        assert!(ticket.await.iter().all(Result::is_ok));
    }
}

/// Nobody has to come after it.
pub async fn what_rides_along_alone_is_answered_soon(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);

    let answers = store.commit(vec![pen.batch(&TURN)], When::WithNext).await;

    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(store.head(pen.session).expect("a head"), Some(pen.head));
}

fn now() -> Millis {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A repeat after a crash is still a repeat.
pub async fn an_idempotency_key_is_found_after_a_crash(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let key = IdempotencyKey { tenant: tenant(), digest: [7; 32] };
    let stands_for = Idempotency { body: [8; 32], session: pen.session, turn: TurnNo(1), at: now() };
    let mut batch = pen.batch(&TURN);
    batch.idempotency = vec![(key.clone(), stands_for.clone())];
    one(&store, batch).await.expect("an accepted batch");

    let store = backend.crash(store);

    assert_eq!(store.idempotency(&key).expect("a look-up"), Some(stands_for));
    assert_eq!(store.idempotency(&IdempotencyKey { tenant: uid(99), ..key }).expect("a look-up"), None);
}

/// After 24 hours, by reaping.
pub async fn an_expired_idempotency_key_is_reaped_and_a_fresh_one_stays(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let key = |byte| IdempotencyKey { tenant: tenant(), digest: [byte; 32] };
    let day = Duration::from_secs(24 * 60 * 60).as_millis();
    let old = Millis(now().0 - i64::try_from(day).unwrap_or(0) - 60_000);
    let accepted = |at| Idempotency { body: [8; 32], session: pen.session, turn: TurnNo(1), at };
    let rows = vec![(key(1), accepted(old)), (key(2), accepted(now())), (key(3), accepted(old))];
    let mut batch = pen.batch(&TURN);
    batch.idempotency = rows;
    one(&store, batch).await.expect("an accepted batch");
    // Accepted once more since: it counts from then.
    let mut again = pen.batch(&[EntryKind::Ended]);
    again.idempotency = vec![(key(3), Idempotency { body: [8; 32], session: pen.session, turn: TurnNo(2), at: now() })];
    one(&store, again).await.expect("an accepted batch");

    assert_eq!(store.reap(100).await.expect("a slice"), 1);

    assert_eq!(store.idempotency(&key(1)).expect("a look-up"), None);
    assert!(store.idempotency(&key(2)).expect("a look-up").is_some());
    assert!(store.idempotency(&key(3)).expect("a look-up").is_some());
}

/// Nobody reads another's values; sizes are sorted by key.
pub async fn plugin_state_is_kept_by_tenant_plugin_owner_and_key(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let put = |plugin: &str, owner, key: &str, value: Option<&str>| StateWrite {
        plugin: plugin.into(),
        owner,
        key: key.into(),
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    let mut batch = pen.batch(&TURN);
    batch.state = vec![
        put("notes", pen.session, "b", Some("session's")),
        put("notes", pen.session, "a", Some("x")),
        put("notes", pen.session, "gone", Some("x")),
        put("note", pen.session, "sa", Some("another plugin's")),
        put("notes", agent(), "b", Some("agent's")),
        put("notes", tenant(), "b", Some("tenant's")),
        put("notes", pen.session, "gone", None),
    ];
    one(&store, batch).await.expect("an accepted batch");

    let store = backend.crash(store);

    let value = |plugin, owner, key| store.state(tenant(), plugin, owner, key).expect("a value");
    assert_eq!(value("notes", pen.session, "b").as_deref(), Some(b"session's".as_slice()));
    assert_eq!(value("notes", agent(), "b").as_deref(), Some(b"agent's".as_slice()));
    assert_eq!(value("notes", tenant(), "b").as_deref(), Some(b"tenant's".as_slice()));
    assert_eq!(value("notes", pen.session, "gone"), None);
    assert_eq!(value("other", pen.session, "b"), None);
    assert_eq!(store.state(uid(99), "notes", pen.session, "b").expect("a value"), None);
    let sizes = store.state_sizes(tenant(), "notes", pen.session).expect("sizes");
    assert_eq!(sizes, [("a".to_owned(), 1), ("b".to_owned(), 9)]);
}

/// Oldest first, in pages, without those that ended.
pub async fn the_scan_finds_only_turns_that_run(backend: &impl Backend) {
    let store = backend.open();
    let running = Running { turn: TurnNo(1), attempt: 2 };
    let mut pens = Vec::new();
    for number in [12, 10, 11] {
        let mut pen = Pen::new(&store, session(&store, number).await);
        let mut batch = pen.batch(&TURN);
        batch.running = Some(Some(running));
        one(&store, batch).await.expect("an accepted batch");
        pens.push(pen);
    }
    let mut end = pens[2].batch(&[EntryKind::Ended]);
    end.running = Some(None);
    one(&store, end).await.expect("an accepted batch");
    pens[1].write(&store, &TURN).await;

    let store = backend.crash(store);

    assert_eq!(store.running(None, 1).expect("a scan"), [(tenant(), uid(10), running)]);
    assert_eq!(store.running(Some(uid(10)), 10).expect("a scan"), [(tenant(), uid(12), running)]);
}

/// Digests are no secret between tenants, nor between the sessions of one.
pub async fn a_blob_is_found_by_its_tenant_alone(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let blob = Blob { digest: [5; 32], media_type: "image/png".into(), bytes: vec![0, 255, 1] };
    let mut batch = pen.batch(&TURN);
    batch.blobs = vec![blob.clone()];
    one(&store, batch).await.expect("an accepted batch");

    let store = backend.crash(store);

    assert_eq!(store.blob(tenant(), [5; 32]).expect("a blob"), Some(blob));
    assert_eq!(store.blob(uid(99), [5; 32]).expect("no blob"), None);
    assert!(store.holds(uid(10), tenant(), [5; 32]).expect("an answer"));
    for (session, tenant, digest) in [(uid(11), tenant(), [5; 32]), (uid(10), uid(99), [5; 32]), (uid(10), tenant(), [6; 32])] {
        assert!(!store.holds(session, tenant, digest).expect("an answer"));
    }
}

/// Deleting a conversation also deletes its pictures, but not another's.
pub async fn a_blob_goes_with_the_last_session_that_holds_it(backend: &impl Backend) {
    let store = backend.open();
    let blob = Blob { digest: [5; 32], media_type: "image/png".into(), bytes: vec![1] };
    for number in [10, 11] {
        let mut batch = Pen::new(&store, session(&store, number).await).batch(&TURN);
        batch.blobs = vec![blob.clone()];
        one(&store, batch).await.expect("an accepted batch");
    }

    store.delete(uid(10)).await.expect("a deletion");
    assert!(!store.holds(uid(10), tenant(), [5; 32]).expect("an answer"), "what is deleted holds nothing from that moment on");
    while store.reap(2).await.expect("a slice") > 0 {}
    assert_eq!(store.blob(tenant(), [5; 32]).expect("a blob"), Some(blob));
    assert!(store.holds(uid(11), tenant(), [5; 32]).expect("an answer"));

    store.delete(uid(11)).await.expect("a deletion");
    while store.reap(2).await.expect("a slice") > 0 {}
    assert_eq!(store.blob(tenant(), [5; 32]).expect("no blob"), None);
}

/// With one answer.
pub async fn a_probe_is_answered(backend: &impl Backend) {
    let store = backend.open();

    let answers = store.probe().await;

    assert!(matches!(answers.as_slice(), [Ok(())]), "{answers:?}");
}
