//! A process that is killed while it writes, again and again over one file.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use session::{Kind as EntryKind, Seq, Uid};

use super::{InDirectory, assert_chained, assert_nothing_else, chained};
use crate::backends::redb::{Options, Redb};
use crate::contract::{Backend, Pen, session, tenant, uid};
use crate::{Directory, Journal, When};

/// How often the process is killed.
const KILLS: u64 = 12;

/// Sessions that it writes at the same time.
const SESSIONS: u64 = 3;

/// Tells the child where to write; without it the child's test does nothing.
const PATH: &str = "WARDIAN_TEST_KILL_PATH";

#[tokio::test]
#[ignore = "the process that the other test starts and kills"]
async fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let store = Redb::open(path, Options::default()).unwrap();
    let mut pens = Vec::new();
    for number in 10..10 + SESSIONS {
        if store.get(uid(number)).unwrap().is_none() {
            session(&store, number).await;
        }
        pens.push(Pen::new(&store, uid(number)));
    }
    // Sessions that are written and never made, with numbers that no process before this one used.
    for number in 1_000_000 * u64::from(std::process::id()).. {
        store.begin(uid(number), tenant()).await.unwrap();
        let mut begun = Pen::new(&store, uid(number));
        // It is durable with what follows in its order.
        drop(store.commit(vec![chained(&mut begun, &[EntryKind::InputMessage, EntryKind::Began])], When::WithNext));
        let mut tickets = Vec::new();
        for pen in &mut pens {
            let riding = store.commit(vec![chained(pen, &[EntryKind::InputMessage, EntryKind::Began])], When::WithNext);
            tickets.push((pen.session, pen.head.last, riding));
            let urgent = store.commit(vec![chained(pen, &[EntryKind::AgentOutput])], When::Now);
            tickets.push((pen.session, pen.head.last, urgent));
        }
        for (session, last, ticket) in tickets {
            assert!(ticket.await.iter().all(Result::is_ok));
            println!("\nacknowledged {session} {};", last.0);
            std::io::stdout().flush().unwrap();
        }
    }
}

fn start(path: &Path) -> Child {
    let name = format!("{}::writes_until_it_is_killed", module_path!().split_once("::").unwrap().1);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The session and position of a line that was written whole.
fn acknowledged(line: &str) -> Option<(Uid, Seq)> {
    let (session, seq) = line.strip_prefix("acknowledged ")?.strip_suffix(';')?.split_once(' ')?;
    Some((Uid::from_hex(session)?, Seq(seq.parse().ok()?)))
}

#[tokio::test]
async fn a_process_killed_at_any_moment_loses_nothing_acknowledged_and_keeps_no_part_of_a_batch() {
    let place = InDirectory::new();
    let mut last = std::collections::HashMap::new();
    for kill in 0..KILLS {
        let mut child = start(&place.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told = lines.by_ref().filter_map(|line| acknowledged(&line)).take(1 + usize::try_from(kill * 7 % 40).unwrap());
        let mut seen: Vec<_> = told.collect();
        assert!(!seen.is_empty(), "the process has to get to writing");
        child.kill().unwrap();
        child.wait().unwrap();
        seen.extend(lines.filter_map(|line| acknowledged(&line)));
        for (session, seq) in seen {
            assert!(last.insert(session, seq) < Some(seq), "positions only grow");
        }

        let store = place.open();
        for (session, seq) in &mut last {
            let head = store.head(*session).unwrap().unwrap();
            assert!(head.last >= *seq, "kill {kill}: {:?} is there, {seq:?} was acknowledged", head.last);
            let entries = store.read(*session, Seq(1), usize::MAX).unwrap().entries;
            assert_eq!(entries.len() as u64, head.last.0);
            assert_chained(&store, *session, &format!("kill {kill}"));
            *seq = head.last;
        }
    }
    let living: Vec<Uid> = last.keys().copied().collect();
    assert_nothing_else(&place.open(), &living).await;
    assert_eq!(last.len() as u64, SESSIONS);
}
