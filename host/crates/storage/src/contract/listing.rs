//! Promises about reading pages.

use session::{Audience, Kind as EntryKind, Seq};

use super::Backend;
use super::fixture::{Pen, seqs, session, shapes};
use crate::Journal;

/// Also in the middle of a batch, and beyond the end.
pub async fn a_page_of_entries_begins_anywhere(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    for _ in 0..4 {
        pen.write(&store, &[EntryKind::InputMessage, EntryKind::Began, EntryKind::AgentOutput]).await;
        pen.write(&store, &[EntryKind::Reply, EntryKind::Ended]).await;
    }

    for from in 0..=22 {
        for limit in [0, 1, 2, 7, 100] {
            let page = store.read(pen.session, Seq(from), limit).expect("a page");
            let expected: Vec<u64> = (from.max(1)..=20).take(limit).collect();
            let more = (from.max(1)..=20).count() > limit;
            assert_eq!((seqs(&page.entries), page.more), (expected, more), "from {from}, limit {limit}");
        }
    }
}

/// Wherever it lies.
pub async fn a_list_leaves_out_what_is_internal(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &[EntryKind::InputMessage, EntryKind::Began]).await;
    for _ in 0..50 {
        pen.write(&store, &[EntryKind::Receipt, EntryKind::Reply]).await;
    }
    pen.write(&store, &[EntryKind::Reply, EntryKind::AgentOutput, EntryKind::SessionInterrupted, EntryKind::Ended]).await;

    let all = store.listed(pen.session, Seq(1), 10, false).expect("a page");
    let late = store.listed(pen.session, Seq(2), 10, false).expect("a page");

    assert_eq!((seqs(&all.entries), all.more), (vec![1, 104], false));
    assert_eq!((seqs(&late.entries), late.more), (vec![104], false));
}

/// Runs may begin and end inside batches.
pub async fn a_list_jumps_over_hidden_runs_unless_asked(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    for _ in 0..100 {
        pen.write(&store, &[EntryKind::InputMessage, EntryKind::AgentOutput]).await;
    }
    pen.hide(2, 99);
    pen.hide(102, 102);
    pen.hide(150, 200);
    pen.write(&store, &[]).await;

    let list = |from, limit, hidden| {
        let page = store.listed(pen.session, Seq(from), limit, hidden).expect("a page");
        (seqs(&page.entries), page.more)
    };

    assert_eq!(list(1, 4, false), (vec![1, 100, 101, 103], true));
    assert_eq!(list(50, 2, false), (vec![100, 101], true));
    assert_eq!(list(148, 5, false), (vec![148, 149], false));
    assert_eq!(list(148, 2, false), (vec![148, 149], false));
    assert_eq!(list(1, 3, true), (vec![1, 2, 3], true));
    assert_eq!(list(199, 5, true), (vec![199, 200], false));
}

/// Exactly at the end there is no more.
pub async fn a_page_says_whether_more_follows(backend: &impl Backend) {
    let store = backend.open();
    let mut pen = Pen::new(&store, session(&store, 10).await);
    pen.write(&store, &[EntryKind::InputMessage, EntryKind::AgentOutput, EntryKind::Ended]).await;

    let more = |limit| store.listed(pen.session, Seq(1), limit, false).expect("a page").more;

    assert_eq!([more(0), more(1), more(2), more(3)], [true, true, false, false]);
}

/// Batches and hidden runs of many shapes, every start, several limits.
pub async fn lists_agree_with_a_plain_model(backend: &impl Backend) {
    let store = backend.open();
    for shape in 0..12_u64 {
        let mut pen = Pen::new(&store, session(&store, 10 + shape).await);
        let mut model: Vec<(u64, EntryKind)> = Vec::new();
        let mut roll = shapes(shape);
        let mut batches = Vec::new();
        for _ in 0..12 {
            let kinds: Vec<EntryKind> = (0..roll(5))
                .map(|_| match roll(4) {
                    0 => EntryKind::AgentOutput,
                    1 => EntryKind::SessionInterrupted,
                    _ => EntryKind::Reply,
                })
                .collect();
            model.extend(kinds.iter().enumerate().map(|(at, kind)| (pen.head.last.0 + 1 + at as u64, *kind)));
            batches.push(pen.batch(&kinds));
        }
        let mut at = 1 + roll(4);
        while at < pen.head.last.0 {
            let to = at + roll(6);
            pen.hide(at, to);
            at = to + 2 + roll(6);
        }
        batches.push(pen.batch(&[]));
        assert!(store.commit(batches, crate::When::Now).await.iter().all(Result::is_ok));

        for from in 0..=pen.head.last.0 + 1 {
            for limit in [1, 3, 100] {
                for include_hidden in [false, true] {
                    let visible = |seq: u64| include_hidden || !pen.head.hidden.iter().any(|run| (run.from.0..=run.to.0).contains(&seq));
                    let expected: Vec<u64> = model
                        .iter()
                        .filter(|(seq, kind)| *seq >= from && kind.audience() == Audience::Listed && visible(*seq))
                        .map(|(seq, _)| *seq)
                        .collect();
                    let page = store.listed(pen.session, Seq(from), limit, include_hidden).expect("a page");
                    assert_eq!(page.more, expected.len() > limit, "shape {shape}, from {from}, limit {limit}");
                    assert_eq!(seqs(&page.entries), expected[..expected.len().min(limit)], "shape {shape}, from {from}, limit {limit}");
                }
            }
        }
    }
}
