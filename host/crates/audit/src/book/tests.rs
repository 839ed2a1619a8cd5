//! The chain: what a crash leaves is mended, and what somebody did to it is found.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::chain::Fault;
use crate::verify::look;
use crate::{verify, verify_noted};

fn record(n: u64) -> (Option<OutboxId>, Vec<u8>) {
    (Some(OutboxId { epoch: 1, number: n }), format!("{{\"kind\":\"call\",\"n\":{n}}}").into_bytes())
}

/// A log of these many lines.
fn log(lines: u64) -> (TempDir, Head) {
    let directory = tempfile::tempdir().unwrap();
    let mut book = Book::open(directory.path(), FILE_BYTES, None).unwrap();
    for n in 1..=lines {
        book.append(&[record(n)]).unwrap();
    }
    book.sync().unwrap();
    let head = book.head();
    (directory, head)
}

fn current(directory: &TempDir) -> PathBuf {
    directory.path().join(CURRENT)
}

fn texts(directory: &TempDir) -> Vec<String> {
    fs::read_to_string(current(directory)).unwrap().lines().map(str::to_owned).collect()
}

fn fault(directory: &TempDir) -> Option<(u64, Wrong)> {
    look(directory.path(), None).unwrap().fault.map(|Fault { line, wrong, .. }| (line, wrong))
}

/// A line written anew by somebody who knows how lines are made.
fn forged(line: &str, from: &str, to: &str) -> String {
    let (hashed, _) = line.rsplit_once(",\"hash\"").unwrap();
    let hashed = hashed.replace(from, to);
    assert!(!line.contains(&hashed), "something changed");
    format!("{hashed},\"hash\":\"{}\"}}", data_encoding::HEXLOWER.encode(&Sha256::digest(hashed.as_bytes())))
}

#[test]
fn a_log_is_whole_over_restarts_and_the_servers_own_user_alone_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("audit");
    let mut head = Head::default();
    for n in 1..=4 {
        let mut book = Book::open(&directory, FILE_BYTES, Some(head)).unwrap();
        book.append(&[record(n)]).unwrap();
        book.sync().unwrap();
        head = book.head();
    }
    let report = verify(&directory).unwrap();
    assert_eq!((report.fault, report.lines, report.first, report.head), (None, 4, Some(1), Some(head)));
    assert_eq!(report.kinds["call"], 4);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&directory.join(CURRENT))), (0o700, 0o600));
}

type Deed = fn(&mut Vec<String>);

#[test]
fn whatever_is_done_to_a_line_is_found_at_that_line_and_named() {
    let deeds: [(&str, Deed, u64, Wrong); 8] = [
        ("a changed digit", |lines| lines[2] = lines[2].replace("\"n\":3", "\"n\":4"), 3, Wrong::Edited),
        ("a changed hash", |lines| lines[4] = lines[4].replace("\"hash\":\"", "\"hash\":\"0"), 5, Wrong::Unknown),
        ("a forged line", |lines| lines[2] = forged(&lines[2], "\"n\":3", "\"n\":9"), 4, Wrong::Replaced),
        ("a removed line", |lines| drop(lines.remove(2)), 3, Wrong::Missing { from: 3, to: 3 }),
        ("two removed lines", |lines| drop(lines.drain(1..3)), 2, Wrong::Missing { from: 2, to: 3 }),
        ("two lines in each other's place", |lines| lines.swap(1, 2), 2, Wrong::Reordered { found: 3, expected: 2 }),
        ("a line twice", |lines| lines.insert(3, lines[2].clone()), 4, Wrong::Reordered { found: 3, expected: 4 }),
        ("a line of somebody's own", |lines| lines.insert(1, "{\"kind\":\"call\"}".into()), 2, Wrong::Unknown),
    ];
    for (deed, act, line, wrong) in deeds {
        let (directory, _) = log(6);
        let mut lines = texts(&directory);
        act(&mut lines);
        fs::write(current(&directory), lines.join("\n") + "\n").unwrap();
        assert_eq!(fault(&directory), Some((line, wrong)), "{deed}");
    }
}

#[test]
fn the_end_that_was_cut_off_is_seen_only_by_whoever_noted_a_head() {
    let (directory, head) = log(6);
    let kept = texts(&directory)[..4].join("\n") + "\n";
    fs::write(current(&directory), kept).unwrap();

    assert_eq!(fault(&directory), None);
    assert_eq!(verify_noted(directory.path(), Some(head.hash)).unwrap().noted, None);
    let shorter = verify(directory.path()).unwrap().head.unwrap();
    assert_eq!(verify_noted(directory.path(), Some(shorter.hash)).unwrap().noted, Some(4));
}

#[test]
fn full_files_get_names_of_their_own_and_the_chain_goes_on_over_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut book = Book::open(directory.path(), 1_000, None).unwrap();
    for n in 1..=40 {
        book.append(&[record(n)]).unwrap();
    }
    book.sync().unwrap();
    let report = verify(directory.path()).unwrap();
    assert!(report.files.len() > 5, "{:?}", report.files);
    assert_eq!((report.lines, report.fault.clone()), (40, None));
    assert_eq!(verify(&report.files[2]).unwrap().fault, None, "a file by itself");

    let mark = Some(book.head());
    drop(book);
    let book = Book::open(directory.path(), 1_000, mark).unwrap();
    assert_eq!(Some(book.head()), mark);
    fs::rename(&report.files[0], directory.path().join("moved-away")).unwrap();
    let first = verify(directory.path()).unwrap();
    assert!(first.fault.is_none() && first.first > Some(1), "older files may be kept elsewhere");
    fs::remove_file(&report.files[2]).unwrap();
    let Some(fault) = verify(directory.path()).unwrap().fault else { panic!("a gap between files is found") };
    assert!(fault.file == report.files[3] && matches!(fault.wrong, Wrong::Missing { .. }), "{fault}");
}

#[test]
fn a_line_that_a_crash_cut_anywhere_is_taken_off_and_the_log_goes_on() {
    let (directory, _) = log(3);
    let whole = fs::read(current(&directory)).unwrap();
    let last = texts(&directory)[2].len() + 1;
    for cut in 1..last {
        fs::write(current(&directory), &whole[..whole.len() - cut]).unwrap();
        assert_eq!(fault(&directory), Some((3, Wrong::Torn)), "{cut} bytes short");
        let mut book = Book::open(directory.path(), FILE_BYTES, None).unwrap();
        book.append(&[record(3)]).unwrap();
        drop(book);
        let report = verify(directory.path()).unwrap();
        assert_eq!((report.fault, report.lines, report.kinds["repair"]), (None, 4, 1), "{cut} bytes short");
    }
}

#[test]
fn what_a_power_cut_garbled_behind_the_last_settled_line_is_written_again() {
    let (directory, head) = log(3);
    let mut book = Book::open(directory.path(), FILE_BYTES, Some(head)).unwrap();
    book.append(&[record(4), record(5), record(6)]).unwrap();
    drop(book);
    let mut lines = texts(&directory);
    lines[4] = "\0".repeat(lines[4].len());
    fs::write(current(&directory), lines.join("\n") + "\n").unwrap();

    let mut book = Book::open(directory.path(), FILE_BYTES, Some(head)).unwrap();
    let held: Vec<bool> = (3..=6).map(|n| book.holds(record(n).0.unwrap(), &record(n).1)).collect();
    assert_eq!(held, [false, true, false, false], "line 4 is there, the others wait in the outbox");
    book.append(&[record(5), record(6)]).unwrap();

    assert_eq!(fault(&directory), None);
    assert_eq!(texts(&directory).len(), 7, "three, the one that stayed, the repair, two again");
}

#[test]
fn a_log_that_was_shortened_while_no_server_ran_is_not_mended_in_silence() {
    let (directory, head) = log(6);
    fs::write(current(&directory), texts(&directory)[..4].join("\n") + "\n").unwrap();

    let mut book = Book::open(directory.path(), FILE_BYTES, Some(head)).unwrap();
    book.append(&[record(7)]).unwrap();

    let lines = texts(&directory);
    assert!(lines[0].contains("\"seq\":7,") && lines[0].contains("set_aside"), "{}", lines[0]);
    let report = verify(directory.path()).unwrap();
    assert_eq!((report.set_aside.len(), report.first, report.lines), (1, Some(7), 2));
    assert_eq!(report.gaps, [7], "what was changed is no whole log");
    let chain = [report.set_aside[0].clone(), current(&directory)];
    let walked = chain::walk(&chain, |_| {}).unwrap();
    assert_eq!(walked.fault.unwrap().wrong, Wrong::Missing { from: 5, to: 6 });
}

#[test]
fn a_log_that_was_moved_away_goes_on_where_it_was() {
    let (directory, _) = log(3);
    let elsewhere = tempfile::tempdir().unwrap();
    let archived = elsewhere.path().join("audit-0000000000000001.jsonl");
    let mut book = Book::open(directory.path(), FILE_BYTES, None).unwrap();
    book.append(&[record(4)]).unwrap();
    fs::rename(current(&directory), &archived).unwrap();
    book.append(&[record(5)]).unwrap();
    fs::rename(current(&directory), elsewhere.path().join("audit-0000000000000005.jsonl")).unwrap();
    let mark = book.head();
    drop(book);
    let mut book = Book::open(directory.path(), FILE_BYTES, Some(mark)).unwrap();
    book.append(&[record(6)]).unwrap();

    fs::copy(current(&directory), elsewhere.path().join(CURRENT)).unwrap();
    let report = verify(elsewhere.path()).unwrap();
    assert_eq!((report.fault, report.lines, report.first), (None, 7, Some(1)), "six and one that says that the log was gone");
}

#[test]
fn a_write_that_fails_counts_as_none_and_the_next_one_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", current(&directory)).unwrap();
    let mut book = Book { found: HashMap::new(), ..Book::open(&directory.path().join("other"), FILE_BYTES, None).unwrap() };
    book.directory = directory.path().to_owned();
    let error = book.append(&[record(1)]).unwrap_err();
    assert!(error.to_string().starts_with("cannot write to"), "{error}");
    assert_eq!(book.head(), Head::default());

    fs::remove_file(current(&directory)).unwrap();
    book.append(&[record(1)]).unwrap();

    assert_eq!((fault(&directory), texts(&directory).len()), (None, 1));
}

#[test]
fn a_record_that_cannot_be_a_line_is_told_of_by_its_digest() {
    let (directory, _) = log(1);
    let mut book = Book::open(directory.path(), FILE_BYTES, None).unwrap();
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(LINE_BYTES_MAX));
    for odd in [&b"{\"a\":1\n}"[..], b"[1]", b"{}", b"", b"{\"a\":}", huge.as_bytes()] {
        book.append(&[(None, odd.to_vec())]).unwrap();
    }
    let report = verify(directory.path()).unwrap();
    assert_eq!((report.fault, report.kinds["unreadable"]), (None, 6));
}
