//! What the audit log costs a turn with one tool: processor time of the whole
//! process for the batch of a call's end, without a row for the outbox, with one,
//! and with a clerk that carries them into the log. The three alternate, so that
//! they meet the same machine.
//!
//! ```text
//! cargo run --release -p audit --example carry [DIRECTORY]
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit::{Clerk, Options, Place, Record};
use session::{Consumed, Kind as EntryKind, Millis, Receipt, TurnNo, Uid};
use storage::backends::redb::{Options as StoreOptions, Redb};
use storage::contract::{Pen, one, session};
use storage::{Batch, Outbox};
use tool::{Bounds, Decision, ToolId};

/// How often each of the three is measured.
const ROUNDS: usize = 5;

/// Sessions that write at the same time, and what each writes in a round.
const SESSIONS: u64 = 16;
const CALLS: usize = 250;

/// What goes on beside the batches.
#[derive(Debug, Clone, Copy)]
enum With {
    Nothing,
    Rows,
    RowsAndClerk,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ways = [With::Nothing, With::Rows, With::RowsAndClerk];
    let mut spent = [Duration::ZERO; 3];
    for _ in 0..ROUNDS {
        for (with, spent) in ways.iter().zip(&mut spent) {
            let directory = tempfile::Builder::new().prefix("carry-").tempdir_in(&parent)?;
            let store = Arc::new(Redb::open(directory.path().join("store.redb"), StoreOptions::default())?);
            *spent += runtime.block_on(calls(store, *with, directory.path().join("audit")))?;
        }
    }
    let calls = u32::try_from(SESSIONS as usize * CALLS * ROUNDS)?;
    for (with, spent) in ways.iter().zip(spent) {
        println!("{with:?}: {:.1?} of processor time a call", spent / calls);
    }
    Ok(())
}

async fn calls(store: Arc<Redb>, with: With, directory: PathBuf) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut pens = Vec::new();
    for number in 10..10 + SESSIONS {
        pens.push(Pen::new(&*store, session(&*store, number).await));
    }
    let before = cpu();
    let clerk = match with {
        With::Nothing | With::Rows => None,
        With::RowsAndClerk => Some(Clerk::start(Options { directory, outbox: store.clone() })?),
    };
    let writing = pens.into_iter().map(|mut pen| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..CALLS {
                one(&*store, ended(&mut pen, with)).await.expect("an accepted batch");
            }
        })
    });
    for writer in writing.collect::<Vec<_>>() {
        writer.await?;
    }
    if let Some(clerk) = clerk {
        tokio::task::spawn_blocking(move || clerk.finish()).await?;
        assert_eq!(store.waiting()?, 0, "everything was carried");
    }
    Ok(cpu().saturating_sub(before))
}

/// The batch of a call's end, with the row that the engine would give it.
fn ended(pen: &mut Pen, with: With) -> Batch {
    let mut batch = pen.batch(&[EntryKind::ToolOutput, EntryKind::Receipt]);
    for entry in &mut batch.entries {
        entry.body = format!("{{\"content\":\"{}\"}}", "x".repeat(600)).into();
    }
    batch.audit = match with {
        With::Nothing => Vec::new(),
        With::Rows | With::RowsAndClerk => {
            let place = Place { tenant: "default", agent: "assistant", session: "ase_example", turn: TurnNo(1), key: Uid([1; 16]) };
            Record::Call { place, receipt: &receipt() }.rows(Millis(1_780_000_000_000))
        }
    };
    batch
}

/// A receipt as a tool without further grants leaves it.
fn receipt() -> Receipt {
    let digest = || Some(format!("sha256:{}", "a".repeat(64)));
    let decision = Decision { capability: "call".into(), what: "calculate".into(), rule: "the default".into(), allowed: true, times: 1 };
    Receipt {
        call: "aev_06h03nqu5206uaf5obbr6nougc0000000000058".into(),
        tool: Some(ToolId { plugin: "calculator".into(), name: "calculate".into() }),
        end: "done".into(),
        component: digest(),
        tools: digest(),
        policy: digest(),
        limits: Some(Bounds { time_ms: 15_000, cpu_ms: 3_000, memory_bytes: 64 << 20, output_bytes: 256 << 10, fuel: None }),
        decisions: vec![decision],
        input_hash: "b".repeat(64),
        output_hash: "c".repeat(64),
        consumed: Consumed { wall_us: 400, cpu_us: 90, memory_bytes: 1 << 20, ..Consumed::default() },
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
