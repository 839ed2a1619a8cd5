//! Promises about entries that get another content.

use session::{Audience, Entry, Kind as EntryKind, Seq};

use super::Backend;
use super::fixture::{Pen, one, seqs, session, shapes};
use crate::{Batch, Error, InboxChange, InboxRow, Journal, Rewrite, When};

const TURN: [EntryKind; 4] = [EntryKind::InputMessage, EntryKind::Began, EntryKind::Reply, EntryKind::AgentOutput];

/// What entries are and become where it does not matter.
const KINDS: [EntryKind; 3] = [EntryKind::AgentOutput, EntryKind::Tombstone, EntryKind::Reply];

fn tombstone(seq: u64) -> Rewrite {
    Rewrite { seq: Seq(seq), kind: EntryKind::Tombstone, body: "{}".into() }
}

/// The batch that appends nothing and rewrites these entries.
fn rewriting(pen: &mut Pen, rewrites: Vec<Rewrite>) -> Batch {
    Batch { rewrites, ..pen.batch(&[]) }
}

/// In every kind of read, before and after a crash; what is around it stays, and so do its
/// position, time, turn and step.
pub async fn a_rewritten_entry_reads_as_its_new_form_everywhere(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    let mut first = pen.batch(&TURN);
    first.entries[3].body = "the secret word is plum".into();
    let mut expected: Vec<Entry> = first.entries.clone();
    one(&store, first).await.expect("an accepted batch");
    let more = pen.batch(&TURN);
    expected.extend(more.entries.clone());
    one(&store, more).await.expect("an accepted batch");

    let scrubbed = Rewrite { seq: Seq(3), kind: EntryKind::Reply, body: "a text that is a good deal longer than the one before".into() };
    let mut batch = rewriting(&mut pen, vec![tombstone(4), scrubbed.clone(), tombstone(5)]);
    batch.rewrites.insert(0, Rewrite { body: "a former wish".into(), ..tombstone(5) });
    one(&store, batch).await.expect("an accepted batch");
    for (at, rewrite) in [(2, scrubbed), (3, tombstone(4)), (4, tombstone(5))] {
        (expected[at].kind, expected[at].body) = (rewrite.kind, rewrite.body);
    }

    reads_as(&store, &pen, &expected);
    reads_as(&backend.crash(store), &pen, &expected);
}

fn reads_as(store: &impl Journal, pen: &Pen, expected: &[Entry]) {
    assert_eq!(store.read(pen.session, Seq(1), 100).expect("a page").entries, expected);
    assert_eq!(seqs(&store.listed(pen.session, Seq(1), 100, false).expect("a page").entries), [1, 8]);
    assert_eq!(seqs(&store.listed(pen.session, Seq(2), 1, true).expect("a page").entries), [8]);
    for entry in expected {
        assert_eq!(store.entry(pen.session, entry.seq).expect("an entry").as_ref(), Some(entry));
    }
    assert_eq!(store.head(pen.session).expect("a head"), Some(pen.head.clone()));
}

/// With the entries, the inbox and all; and a batch may append and rewrite.
pub async fn rewrites_stand_or_fall_with_their_batch(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &TURN).await;
    let mut late = Batch { rewrites: vec![tombstone(1)], ..pen.clone().batch(&TURN) };
    late.expect = Seq(3);

    let refused = one(&store, late).await;
    assert!(matches!(refused, Err(Error::HeadMoved { .. })), "{refused:?}");
    assert_eq!(seqs(&store.listed(pen.session, Seq(1), 100, false).expect("a page").entries), [1, 4]);

    one(&store, Batch { rewrites: vec![tombstone(1)], ..pen.batch(&TURN) }).await.expect("an accepted batch");
    assert_eq!(seqs(&store.listed(pen.session, Seq(1), 100, false).expect("a page").entries), [4, 5, 8]);
    assert_eq!(store.head(pen.session).expect("a head"), Some(pen.head));
}

/// Neither one that is still to come, nor one of the batch itself; and then nothing of the batch is stored.
pub async fn an_entry_that_is_not_stored_cannot_be_rewritten(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &TURN).await;

    for seq in [0, 5, 6, u64::MAX] {
        let mut batch = Batch { rewrites: vec![tombstone(1), tombstone(seq)], ..pen.clone().batch(&TURN) };
        batch.inbox = vec![InboxChange::Put(InboxRow { no: 1, body: b"a".to_vec() })];
        let refused = one(&store, batch).await;
        assert!(
            matches!(refused, Err(Error::Missing { session, seq: Seq(named) }) if session == pen.session && named == seq),
            "{refused:?}"
        );
    }

    assert_eq!(seqs(&store.listed(pen.session, Seq(1), 100, false).expect("a page").entries), [1, 4]);
    assert_eq!(store.inbox(pen.session).expect("an inbox"), []);
    pen.write(&store, &TURN).await;
}

/// Rows of one entry and rows of many, all of them or all but one.
pub async fn lists_leave_out_tombstones_however_many_there_are(backend: &impl Backend) {
    let store = backend.open();
    for (number, each) in [(10, 1), (11, 300)] {
        let mut pen = Pen::new(&store, session(&store, number).await);
        let batches: Vec<Batch> = (0..600 / each).map(|_| pen.batch(&vec![EntryKind::AgentOutput; each])).collect();
        assert!(store.commit(batches, When::Now).await.iter().all(Result::is_ok));
        one(&store, rewriting(&mut pen, (1..=600).filter(|seq| *seq != 450).map(tombstone).collect())).await.expect("an accepted batch");

        let list = |from, limit| {
            let page = store.listed(pen.session, Seq(from), limit, false).expect("a page");
            (seqs(&page.entries), page.more)
        };
        assert_eq!(list(1, 10), (vec![450], false));
        assert_eq!(list(450, 1), (vec![450], false));
        assert_eq!(list(1, 0), (vec![], true));
        assert_eq!(list(451, 10), (vec![], false));
        one(&store, rewriting(&mut pen, vec![tombstone(450)])).await.expect("an accepted batch");
        let page = store.listed(pen.session, Seq(1), 10, true).expect("a page");
        assert_eq!((seqs(&page.entries), page.more), (vec![], false));
        assert_eq!(store.read(pen.session, Seq(1), 1000).expect("a page").entries.len(), 600);
    }
}

/// Whatever becomes of what, and of the rows that hold it.
pub async fn lists_agree_with_a_plain_model_after_rewrites(backend: &impl Backend) {
    let store = backend.open();
    for shape in 0..12_u64 {
        let mut roll = shapes(shape);
        let mut pen = Pen::new(&store, session(&store, 10 + shape).await);
        let mut model: Vec<EntryKind> = Vec::new();
        for _ in 0..8 {
            let kinds: Vec<EntryKind> = (0..roll(5)).map(|_| KINDS[roll(3) as usize]).collect();
            let stored = model.len() as u64;
            let rewrites = if stored == 0 { 0 } else { roll(6) };
            let rewrites: Vec<Rewrite> =
                (0..rewrites).map(|_| Rewrite { kind: KINDS[roll(3) as usize], ..tombstone(1 + roll(stored)) }).collect();
            for rewrite in &rewrites {
                model[usize::try_from(rewrite.seq.0 - 1).expect("a small number")] = rewrite.kind;
            }
            model.extend(&kinds);
            one(&store, Batch { rewrites, ..pen.batch(&kinds) }).await.expect("an accepted batch");
        }

        let all: Vec<EntryKind> = store.read(pen.session, Seq(1), 100).expect("a page").entries.iter().map(|entry| entry.kind).collect();
        assert_eq!(all, model, "shape {shape}");
        for from in 1..=pen.head.last.0 + 1 {
            for limit in [1, 3, 100] {
                let listed = (1..).zip(&model).filter(|(seq, kind)| *seq >= from && kind.audience() == Audience::Listed);
                let listed: Vec<u64> = listed.map(|(seq, _)| seq).collect();
                let page = store.listed(pen.session, Seq(from), limit, false).expect("a page");
                assert_eq!(page.more, listed.len() > limit, "shape {shape}, from {from}, limit {limit}");
                assert_eq!(seqs(&page.entries), listed[..listed.len().min(limit)], "shape {shape}, from {from}, limit {limit}");
            }
        }
    }
}
