//! Everything that reads a plugin's bytes, with bytes that were made to break it:
//! the files under `tests/corpus`, and each of them damaged in many places.

use std::fs;
use std::path::Path;

use sandbox::fuzz;

use crate::guests::guest;

/// Damages of one file.
const DAMAGES: usize = 400;

fn corpus(kind: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 4, "{}", folder.display());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The bytes themselves, cut off, and with single bytes changed. The same at every run.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 1).unwrap_or(0) % below.max(1)
    };
    let damages = (0..DAMAGES).map(move |round| {
        let mut bytes = bytes.to_vec();
        let at = next(bytes.len());
        match round % 4 {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] ^= 1 << next(8),
            2 if !bytes.is_empty() => bytes[at] = u8::try_from(next(256)).unwrap_or(0),
            _ => bytes.insert(at, u8::try_from(next(256)).unwrap_or(0)),
        }
        bytes
    });
    std::iter::once(bytes.to_vec()).chain(damages)
}

#[test]
fn no_bytes_break_what_reads_a_component() {
    for bytes in corpus("component").into_iter().chain([guest("(call $ok)"), Vec::new()]) {
        damaged(&bytes).for_each(|bytes| fuzz::component(&bytes));
    }
}

#[test]
fn no_bytes_break_what_reads_a_manifest() {
    corpus("manifest").iter().flat_map(|bytes| damaged(bytes).collect::<Vec<_>>()).for_each(|bytes| fuzz::manifest(&bytes));
}

#[test]
fn no_bytes_break_what_checks_a_descriptor() {
    corpus("descriptor").iter().flat_map(|bytes| damaged(bytes).collect::<Vec<_>>()).for_each(|bytes| fuzz::descriptor(&bytes));
}
