//! What the store costs: commits a second for 1, 8 and 64 producers, the CPU
//! time of one, and the time of a list of 20 events in sessions of 1,000,
//! 100,000 and 1,000,000 entries, also behind a long hidden run, many hidden runs and tombstones.
//!
//! ```text
//! cargo run --release -p storage --example commits --features contract [DIRECTORY]
//! ```
//!
//! The figures mean little without the disk's own: the first line is a plain
//! append and sync in the same directory.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use session::{Hidden, Kind as EntryKind, Seq};
use storage::backends::redb::{Options, Redb};
use storage::contract::{Pen, one, session};
use storage::{Batch, Journal, Rewrite, When};

/// How long each count of producers writes.
const WRITING: Duration = Duration::from_secs(3);

/// Entries of a session in one batch while it is filled.
const FILLING: usize = 10;

/// Hidden runs with nothing to be seen between them, which an engine would write as one.
const RUNS: u64 = 200;

/// Entries that become tombstones in one batch.
const BURYING: usize = 1_000;

/// Lists that are timed.
const LISTS: u32 = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::Builder::new().prefix("commits-").tempdir_in(parent)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    println!("append and sync: {:.0}/s", appends(directory.path())?);
    for producers in [1, 8, 64] {
        let store = Arc::new(Redb::open(directory.path().join(format!("{producers}.redb")), Options::default())?);
        runtime.block_on(produce(store, producers));
    }
    let store = Redb::open(directory.path().join("lists.redb"), Options::default())?;
    for (number, entries) in [(10, 1_000), (11, 100_000), (12, 1_000_000)] {
        runtime.block_on(list(&store, number, entries));
    }
    Ok(())
}

/// The disk alone.
fn appends(directory: &Path) -> std::io::Result<f64> {
    let mut file = std::fs::File::create(directory.join("plain"))?;
    let (begin, mut count) = (Instant::now(), 0_u32);
    while begin.elapsed() < Duration::from_secs(1) {
        file.write_all(&[b'x'; 600])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begin.elapsed().as_secs_f64())
}

/// The batch of a whole turn's end: three events of 200 bytes and two marks.
fn turn(pen: &mut Pen) -> Batch {
    let kinds = [EntryKind::InputMessage, EntryKind::Began, EntryKind::Reply, EntryKind::AgentOutput, EntryKind::Ended];
    let mut batch = pen.batch(&kinds);
    for entry in &mut batch.entries {
        entry.body = format!("{{\"content\":\"{}\"}}", "x".repeat(186)).into();
    }
    batch
}

async fn produce(store: Arc<Redb>, producers: u64) {
    let mut tasks = Vec::new();
    for number in 10..10 + producers {
        let mut pen = Pen::new(&*store, session(&*store, number).await);
        let store = Arc::clone(&store);
        tasks.push(async move {
            let (begin, mut waits) = (Instant::now(), Vec::new());
            while begin.elapsed() < WRITING {
                let asked = Instant::now();
                one(&*store, turn(&mut pen)).await.expect("an accepted batch");
                waits.push(asked.elapsed());
            }
            waits
        });
    }
    let (begin, before) = (Instant::now(), cpu());
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut waits = Vec::new();
    for task in running {
        waits.extend(task.await.expect("a producer that ends"));
    }
    let (took, spent) = (begin.elapsed(), cpu().saturating_sub(before));
    waits.sort();
    let commits = u32::try_from(waits.len()).unwrap_or(u32::MAX).max(1);
    println!(
        "{producers:>2} producers: {:>6.0} commits/s, p50 {:.2?}, p99 {:.2?}, {:.0?} CPU a commit",
        f64::from(commits) / took.as_secs_f64(),
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
        spent / commits,
    );
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

async fn list(store: &Redb, number: u64, entries: u64) {
    let mut pen = Pen::new(store, session(store, number).await);
    while pen.head.last.0 < entries {
        let group = (0..100).map(|_| pen.batch(&[EntryKind::AgentOutput; FILLING])).collect();
        assert!(store.commit(group, When::Now).await.iter().all(Result::is_ok), "accepted batches");
    }
    let half = entries / 2;
    let timed = |from, pen: &Pen| {
        let begin = Instant::now();
        for _ in 0..LISTS {
            let page = store.listed(pen.session, Seq(from), 20, false).expect("a page");
            assert_eq!(page.entries.len(), 20);
        }
        begin.elapsed() / LISTS
    };
    let (first, middle) = (timed(1, &pen), timed(half, &pen));
    let (from, to) = (11, entries - 100);
    pen.head.hidden = vec![Hidden { from: Seq(from), to: Seq(to), listed: entries - 110 }];
    one(store, pen.batch(&[])).await.expect("an accepted batch");
    println!("list 20 of {entries:>7}: first {first:.1?}, in the middle {middle:.1?}, across a hidden run {:.1?}", timed(1, &pen));

    let each = (to - from) / RUNS;
    pen.head.hidden =
        (0..RUNS).map(|run| from + run * each).map(|at| Hidden { from: Seq(at), to: Seq(at + each - 1), listed: each }).collect();
    one(store, pen.batch(&[])).await.expect("an accepted batch");
    let runs = timed(1, &pen);
    pen.head.hidden.clear();
    let begin = Instant::now();
    for at in (from..=to).step_by(BURYING) {
        let tombstone = |seq| Rewrite { seq: Seq(seq), kind: EntryKind::Tombstone, body: "{}".into() };
        let rewrites = (at..=to.min(at + BURYING as u64 - 1)).map(tombstone).collect();
        one(store, Batch { rewrites, ..pen.batch(&[]) }).await.expect("an accepted batch");
    }
    let buried = u32::try_from(to - from + 1).unwrap_or(u32::MAX);
    let burying = begin.elapsed() / buried;
    println!(
        "                    across {RUNS} hidden runs {runs:.1?}, across {buried} tombstones {:.1?} ({:.1?} for each of them)",
        timed(1, &pen),
        burying
    );
}
