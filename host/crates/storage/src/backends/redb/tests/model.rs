//! Heads, hidden runs and pages against a plain list, over shapes that chance finds.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use session::{Audience, Head, Hidden, Kind as EntryKind, Millis, Seq, Status, TurnNo};

use super::InDirectory;
use crate::backends::redb::codec;
use crate::backends::redb::row::ENTRIES_MAX;
use crate::contract::{Backend, Pen, seqs, session};
use crate::{Journal, Rewrite, When};

/// Batches, what becomes of which entry, gaps and lengths of hidden runs, then questions.
type Shape = (Vec<Vec<EntryKind>>, Vec<(Index, EntryKind)>, Vec<(u64, u64)>, Vec<(u64, usize, bool)>);

fn kind() -> impl Strategy<Value = EntryKind> {
    prop_oneof![
        Just(EntryKind::AgentOutput),
        Just(EntryKind::ToolOutput),
        Just(EntryKind::SessionInterrupted),
        Just(EntryKind::Tombstone),
        Just(EntryKind::Reply),
    ]
}

fn kinds() -> impl Strategy<Value = Vec<EntryKind>> {
    prop_oneof![
        4 => proptest::collection::vec(kind(), 0..6),
        1 => (0..2 * ENTRIES_MAX + 2).prop_map(|count| vec![EntryKind::Reply; count]),
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    let batches = proptest::collection::vec(kinds(), 1..20);
    let rewrites = proptest::collection::vec((any::<Index>(), kind()), 0..40);
    let hidden = proptest::collection::vec((1..9_u64, 0..30_u64), 0..8);
    let questions = proptest::collection::vec((0..200_u64, 0..12_usize, any::<bool>()), 20);
    (batches, rewrites, hidden, questions)
}

#[test]
fn pages_agree_with_a_plain_list() {
    let place = InDirectory::new();
    let store = place.open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let number = std::cell::Cell::new(10);
    proptest!(ProptestConfig { cases: 96, ..ProptestConfig::default() }, |((batches, rewrites, hidden, questions) in shape())| {
        number.set(number.get() + 1);
        let mut pen = Pen::new(&store, runtime.block_on(session(&store, number.get())));
        let mut kinds = Vec::new();
        let mut group = Vec::new();
        for batch in batches {
            kinds.extend(batch.iter().copied());
            group.push(pen.batch(&batch));
        }
        let mut at = 0;
        for (gap, length) in hidden {
            pen.hide(at + gap, at + gap + length);
            at += gap + length + 1;
        }
        let mut last = pen.batch(&[]);
        if !kinds.is_empty() {
            for (at, kind) in rewrites {
                let at = at.index(kinds.len());
                kinds[at] = kind;
                last.rewrites.push(Rewrite { seq: Seq(at as u64 + 1), kind, body: kind.word().into() });
            }
        }
        let bodies: HashMap<Seq, Arc<str>> = last.rewrites.iter().map(|rewrite| (rewrite.seq, rewrite.body.clone())).collect();
        group.push(last);
        let answers = runtime.block_on(store.commit(group, When::Now));
        prop_assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        prop_assert_eq!(store.head(pen.session).unwrap(), Some(pen.head.clone()));

        let all: Vec<(u64, EntryKind)> = (1..).zip(kinds).collect();
        for (from, limit, include_hidden) in questions {
            let visible = |seq: u64| include_hidden || !pen.head.hidden.iter().any(|run| (run.from.0..=run.to.0).contains(&seq));
            let listed = all.iter().filter(|(seq, kind)| *seq >= from && kind.audience() == Audience::Listed && visible(*seq));
            let listed: Vec<u64> = listed.map(|(seq, _)| *seq).collect();
            let page = store.listed(pen.session, Seq(from), limit, include_hidden).unwrap();
            prop_assert_eq!((seqs(&page.entries), page.more), (listed[..listed.len().min(limit)].to_vec(), listed.len() > limit));

            let rest: Vec<u64> = all.iter().map(|(seq, _)| *seq).filter(|seq| *seq >= from).collect();
            let page = store.read(pen.session, Seq(from), limit).unwrap();
            prop_assert_eq!((seqs(&page.entries), page.more), (rest[..rest.len().min(limit)].to_vec(), rest.len() > limit));

            let entry = store.entry(pen.session, Seq(from)).unwrap();
            if let (Some(entry), Some(body)) = (&entry, bodies.get(&Seq(from))) {
                prop_assert_eq!(&entry.body, body);
            }
            prop_assert_eq!(entry.map(|entry| entry.kind), all.iter().find(|(seq, _)| *seq == from).map(|(_, kind)| *kind));
        }
    });
}

proptest! {
    #[test]
    fn a_head_reads_back(numbers in any::<[u64; 4]>(), at in any::<i64>(), hidden in proptest::collection::vec(any::<[u64; 3]>(), 0..5)) {
        let hidden = hidden.into_iter().map(|[from, to, listed]| Hidden { from: Seq(from), to: Seq(to), listed }).collect();
        let [last, fold_from, listed, turn] = numbers;
        let head = Head {
            last: Seq(last),
            fold_from: Seq(fold_from),
            listed,
            hidden,
            turn: TurnNo(turn),
            status: Status::Running,
            last_at: Millis(at),
            usage: None,
        };
        prop_assert_eq!(codec::read_head(&codec::head(&head)).unwrap(), head);
    }

    #[test]
    fn reading_strange_bytes_gives_an_error_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // Whatever they mean; it only has to come back.
        let _ = codec::read_head(&bytes);
        let _ = codec::read_record(crate::contract::NOBODY, &bytes);
        let _ = codec::read_blob([0; 32], &bytes);
    }
}
