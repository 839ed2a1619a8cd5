//! Promises about named things.

use session::{Kind as EntryKind, Seq, TurnNo, Uid};

use super::Backend;
use super::fixture::{NOBODY, Pen, agent, one, record, session, tenant, uid};
use crate::{Directory, Error, Journal, Kind, Record, Rename, Running};

/// The same name elsewhere is another name.
pub async fn names_are_unique_within_tenant_kind_and_scope(backend: &impl Backend) {
    let store = backend.open();
    let first = record(uid(10), Kind::Agent, NOBODY, "same");
    store.create(first.clone()).await.expect("a new record");

    let taken = store.create(record(uid(11), Kind::Agent, NOBODY, "same")).await;
    let reused = store.create(record(uid(10), Kind::Agent, NOBODY, "other")).await;
    store.create(Record { tenant: uid(99), ..record(uid(12), Kind::Agent, NOBODY, "same") }).await.expect("another tenant");
    store.create(record(uid(13), Kind::Session, uid(10), "same")).await.expect("another kind");
    store.create(record(uid(14), Kind::Session, uid(12), "same")).await.expect("another scope");
    store.create(record(uid(15), Kind::Lease, uid(10), "same")).await.expect("another kind");
    assert!(store.delete(uid(15)).await.expect("it is deleted"));
    let store = backend.crash(store);

    assert!(matches!(taken, Err(Error::Taken)), "{taken:?}");
    assert!(matches!(reused, Err(Error::Taken)), "a uid is never reused: {reused:?}");
    assert_eq!(store.get(uid(11)).expect("no record"), None);
    assert_eq!(store.get(uid(10)).expect("a record").as_ref(), Some(&first));
    assert_eq!(store.find(tenant(), Kind::Agent, NOBODY, "same").expect("a record"), Some(first));
    let found = store.find(tenant(), Kind::Session, uid(10), "same").expect("a record");
    assert_eq!(found.map(|record| record.uid), Some(uid(13)));
    assert_eq!(store.find(tenant(), Kind::Agent, NOBODY, "sam").expect("no record"), None);
}

/// The successor has nothing of its predecessor.
pub async fn a_name_is_free_as_soon_as_its_holder_is_deleted(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &[EntryKind::InputMessage]).await;

    assert!(store.delete(uid(10)).await.expect("a deletion"));
    store.create(record(uid(11), Kind::Session, agent(), "session-10")).await.expect("the name is free");
    let revived = store.create(record(uid(10), Kind::Session, agent(), "another")).await;

    assert!(matches!(revived, Err(Error::Taken)), "a uid is never reused: {revived:?}");
    assert_eq!(store.get(uid(10)).expect("no record"), None);
    assert_eq!(store.find(tenant(), Kind::Session, agent(), "session-10").expect("a record").map(|record| record.uid), Some(uid(11)));
    assert_eq!(store.head(uid(11)).expect("no head"), None);
}

/// Independent of first names.
pub async fn second_names_are_unique_and_can_move(backend: &impl Backend) {
    let store = backend.open();
    let named = |number, name: &str, alias: &str| Record { alias: Some(alias.into()), ..record(uid(number), Kind::Agent, NOBODY, name) };
    store.create(named(10, "a", "Ada")).await.expect("a new record");
    store.create(named(11, "b", "Bob")).await.expect("a new record");

    let taken = store.create(named(12, "c", "Ada")).await;
    let also_taken = store.update(uid(11), 1, vec![], Rename::To(Some("Ada".into()))).await;
    store.update(uid(10), 1, b"new".to_vec(), Rename::To(None)).await.expect("an update");
    store.update(uid(11), 1, b"new".to_vec(), Rename::To(Some("Ada".into()))).await.expect("an update");
    store.create(named(13, "d", "Bob")).await.expect("the old second name is free");

    assert!(matches!(taken, Err(Error::Taken)), "{taken:?}");
    assert!(matches!(also_taken, Err(Error::Taken)), "{also_taken:?}");
    let bob = store.get(uid(11)).expect("a record").expect("a living record");
    assert_eq!((bob.alias.as_deref(), bob.version, bob.body.as_slice()), (Some("Ada"), 2, b"new".as_slice()));
    assert_eq!(store.get(uid(10)).expect("a record").and_then(|record| record.alias), None);
}

/// The later of two editors notices.
pub async fn an_update_of_another_version_is_refused(backend: &impl Backend) {
    let store = backend.open();
    store.create(record(uid(10), Kind::Agent, NOBODY, "a")).await.expect("a new record");

    store.update(uid(10), 1, b"first".to_vec(), Rename::Keep).await.expect("an update");
    let late = store.update(uid(10), 1, b"second".to_vec(), Rename::Keep).await;
    let unknown = store.update(uid(11), 1, vec![], Rename::Keep).await;

    assert!(matches!(late, Err(Error::Conflict)), "{late:?}");
    assert!(matches!(unknown, Err(Error::Gone(_))), "{unknown:?}");
    assert_eq!(store.get(uid(10)).expect("a record").map(|record| record.body), Some(b"first".to_vec()));
}

/// In the order of their uids, whatever the order of their creation.
pub async fn records_are_listed_by_age_in_pages(backend: &impl Backend) {
    let store = backend.open();
    for number in [14, 11, 13, 10, 12] {
        store.create(record(uid(number), Kind::Agent, NOBODY, &format!("agent-{}", 20 - number))).await.expect("a new record");
    }
    store.create(record(uid(15), Kind::Session, uid(10), "a session")).await.expect("a new record");
    store.delete(uid(12)).await.expect("a deletion");

    let page = |after, limit| -> Vec<Uid> {
        let page = store.list(tenant(), Kind::Agent, NOBODY, after, limit).expect("a page");
        page.into_iter().map(|record| record.uid).collect()
    };

    assert_eq!(page(None, 3), [uid(10), uid(11), uid(13)]);
    assert_eq!(page(Some(uid(11)), 3), [uid(13), uid(14)]);
    assert_eq!(page(Some(uid(12)), 1), [uid(13)]);
    assert_eq!(page(Some(uid(14)), 3), []);
}

/// Within the same bounds as the list by age.
pub async fn records_are_listed_from_the_newest_on_in_pages(backend: &impl Backend) {
    let store = backend.open();
    for number in [14, 11, 13, 10, 12] {
        store.create(record(uid(number), Kind::Session, agent(), &format!("session-{number}"))).await.expect("a new record");
    }
    store.create(record(uid(15), Kind::Feedback, agent(), "another kind")).await.expect("a new record");
    store.create(record(uid(16), Kind::Session, uid(10), "another scope")).await.expect("a new record");
    store.create(Record { tenant: uid(99), ..record(uid(17), Kind::Session, agent(), "another tenant") }).await.expect("a new record");
    store.delete(uid(12)).await.expect("a deletion");

    let page = |store: &dyn Directory, before, limit| -> Vec<Uid> {
        let page = store.latest(tenant(), Kind::Session, agent(), before, limit).expect("a page");
        page.into_iter().map(|record| record.uid).collect()
    };

    assert_eq!(page(&store, None, 3), [uid(14), uid(13), uid(11)]);
    assert_eq!(page(&store, Some(uid(11)), 3), [uid(10)]);
    assert_eq!(page(&store, Some(uid(12)), 1), [uid(11)]);
    assert_eq!(page(&store, Some(uid(10)), 3), []);
    store.create(record(agent(), Kind::Agent, NOBODY, "agent")).await.expect("a new record");
    assert!(store.delete(agent()).await.expect("a deletion"));
    assert_eq!(page(&store, None, 3), []);
}

/// And its name is free for what another agent is told.
pub async fn what_is_thought_of_an_agent_goes_with_it(backend: &impl Backend) {
    let store = backend.open();
    store.create(record(agent(), Kind::Agent, NOBODY, "agent")).await.expect("a new agent");
    for number in 10..20 {
        store.create(record(uid(number), Kind::Feedback, agent(), &format!("feedback-{number}"))).await.expect("a new record");
    }
    store.create(record(uid(20), Kind::Feedback, uid(3), "feedback-10")).await.expect("another agent's");

    assert!(store.delete(agent()).await.expect("a deletion"));
    assert_eq!(store.get(uid(10)).expect("no record"), None);
    assert_eq!(store.find(tenant(), Kind::Feedback, agent(), "feedback-10").expect("no record"), None);
    let late = store.create(record(uid(21), Kind::Feedback, agent(), "late")).await;
    assert!(matches!(late, Err(Error::Gone(gone)) if gone == agent()), "{late:?}");

    let mut removed = 0;
    loop {
        let slice = store.reap(3).await.expect("a slice");
        assert!(slice <= 3, "a slice of 3 removed {slice}");
        removed += slice;
        if slice == 0 {
            break;
        }
    }
    assert!(removed > 10, "10 records and their agent are more than {removed}");
    let store = backend.crash(store);
    assert_eq!(store.get(uid(20)).expect("a record").map(|record| record.scope), Some(uid(3)));
    // A uid that was reaped whole is one that nothing is known of.
    assert!(store.create(record(uid(10), Kind::Feedback, uid(3), "feedback-11")).await.is_ok());
}

/// Within its tenant, and beside agents of the same names; both are free again when it is deleted.
pub async fn a_tool_is_named_once_by_its_id_and_once_by_its_name(backend: &impl Backend) {
    let store = backend.open();
    let tool = |number, id: &str, name: &str| Record { alias: Some(name.into()), ..record(uid(number), Kind::Tool, NOBODY, id) };
    store.create(Record { kind: Kind::Agent, ..tool(10, "tol_a", "ask") }).await.expect("another kind");
    store.create(tool(11, "tol_a", "ask")).await.expect("a new tool");
    store.create(Record { tenant: uid(99), ..tool(12, "tol_a", "ask") }).await.expect("another tenant");

    let same_id = store.create(tool(13, "tol_a", "other")).await;
    let same_name = store.create(tool(13, "tol_b", "ask")).await;
    let store = backend.crash(store);

    assert!(matches!(same_id, Err(Error::Taken)), "{same_id:?}");
    assert!(matches!(same_name, Err(Error::Taken)), "{same_name:?}");
    assert_eq!(store.find(tenant(), Kind::Tool, NOBODY, "tol_a").expect("a record"), Some(tool(11, "tol_a", "ask")));
    assert_eq!(store.list(tenant(), Kind::Tool, NOBODY, None, 10).expect("a page"), [tool(11, "tol_a", "ask")]);
    assert!(store.delete(uid(11)).await.expect("a deletion"));
    store.create(tool(13, "tol_a", "ask")).await.expect("both names are free");
}

/// In the very commit that deletes the agent.
pub async fn a_deleted_agent_takes_its_sessions_along_at_once(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let mut batch = pen.batch(&[EntryKind::InputMessage, EntryKind::Began]);
    batch.running = Some(Some(Running { turn: TurnNo(1), attempt: 1 }));
    one(&store, batch).await.expect("an accepted batch");

    assert!(store.delete(agent()).await.expect("a deletion"));
    let refused = one(&store, pen.batch(&[EntryKind::Ended])).await;
    let late = store.create(record(uid(11), Kind::Session, agent(), "late")).await;

    assert!(matches!(refused, Err(Error::Gone(gone)) if gone == pen.session), "{refused:?}");
    assert!(matches!(late, Err(Error::Gone(gone)) if gone == agent()), "{late:?}");
    let store = backend.crash(store);
    assert_eq!(store.get(uid(10)).expect("no record"), None);
    assert_eq!(store.find(tenant(), Kind::Session, agent(), "session-10").expect("no record"), None);
    assert_eq!(store.list(tenant(), Kind::Session, agent(), None, 10).expect("a page"), []);
    assert_eq!(store.head(uid(10)).expect("no head"), None);
    assert_eq!(store.running(None, 10).expect("a scan"), []);
}

/// Agents, sessions and all.
pub async fn a_deleted_tenant_takes_everything_along_at_once(backend: &impl Backend) {
    let store = backend.open();
    store.create(Record { tenant: NOBODY, ..record(tenant(), Kind::Tenant, NOBODY, "tenant") }).await.expect("a new tenant");
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &[EntryKind::InputMessage]).await;

    assert!(store.delete(tenant()).await.expect("a deletion"));

    let refused = one(&store, pen.batch(&[EntryKind::Ended])).await;
    assert!(matches!(refused, Err(Error::Gone(_))), "{refused:?}");
    assert_eq!(store.get(agent()).expect("no record"), None);
    assert_eq!(store.list(tenant(), Kind::Agent, NOBODY, None, 10).expect("a page"), []);
    assert_eq!(store.get(pen.session).expect("no record"), None);
    while store.reap(3).await.expect("a slice") > 0 {}
    let late = store.create(record(uid(12), Kind::Agent, NOBODY, "late")).await;
    assert!(matches!(late, Err(Error::Gone(_))), "{late:?}");
}

/// Slices never take more than they were asked for, and come to an end.
pub async fn reaping_ends_and_leaves_the_living_alone(backend: &impl Backend) {
    let store = backend.open();
    let other = uid(3);
    store.create(record(other, Kind::Agent, NOBODY, "other")).await.expect("a new agent");
    store.create(record(uid(20), Kind::Session, other, "stays")).await.expect("a new session");
    let mut stays = Pen::new(&store, uid(20));
    for number in 10..15 {
        let mut pen = Pen::new(&store, session(&store, number).await);
        for _ in 0..3 {
            pen.write(&store, &[EntryKind::InputMessage, EntryKind::Began]).await;
            stays.write(&store, &[EntryKind::InputMessage, EntryKind::Began]).await;
        }
    }
    store.delete(agent()).await.expect("a deletion");

    let mut slices = 0;
    loop {
        let removed = store.reap(4).await.expect("a slice");
        assert!(removed <= 4, "a slice of 4 removed {removed}");
        slices += 1;
        assert!(slices < 100, "reaping has to end");
        if removed == 0 {
            break;
        }
    }

    assert!(slices > 5, "15 rows of entries do not go in {slices} slices of 4");
    let store = backend.crash(store);
    assert_eq!(store.read(uid(20), Seq(1), 100).expect("a page").entries.len(), 30);
    assert_eq!(store.get(other).expect("a record").map(|record| record.uid), Some(other));
}
