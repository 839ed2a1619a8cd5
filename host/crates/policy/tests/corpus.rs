//! The bodies that a fuzzer would call, called over a small corpus and over every
//! beginning of each of its files. They only have to come back.

#[path = "fuzz/bodies.rs"]
mod bodies;

use std::path::{Path, PathBuf};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the corpus is there").map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    assert!(files.len() > 10, "{files:?}");
    files
}

fn over(folder: &str, body: fn(&[u8])) {
    for file in files(folder) {
        let bytes = std::fs::read(&file).expect("it can be read");
        for end in (0..=bytes.len()).step_by(1 + bytes.len() / 200) {
            body(&bytes[..end]);
        }
        body(&bytes);
    }
}

#[test]
fn no_file_makes_the_reader_panic() {
    over("policy", bodies::policy);
}

#[test]
fn no_question_makes_a_decision_panic() {
    over("question", bodies::question);
}
