//! Damaged components at the door: bytes of real ones flipped, cut, doubled and
//! spliced, given to the child process that compiles and describes. Whatever
//! they are, it answers: refused with words, or compiled.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::guests::guest;
use crate::hostiles::Guest;
use crate::place::shipped;

/// What the child is asked: for the engine that runs guests, within what compiling may take.
const TASK: &str = r#"{"kind":"plain","shape":"native","bounds":{"cpu_seconds":60,"memory_bytes":1073741824}}"#;

/// What the door said.
enum Door {
    Refused(String),
    Compiled,
}

/// Gives the bytes to the child and reads its answer. Panics where it gives
/// none: it crashed, was killed, or says something that cannot be read.
fn knock(bytes: &[u8]) -> Door {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox-child"))
        .args([sandbox::child::ARGUMENT, TASK])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut stdin = child.stdin.take().expect("it has a pipe");
    // It reads everything before it answers; it may also end before it has read.
    let _ = stdin.write_all(bytes);
    drop(stdin);
    let output = child.wait_with_output().expect("the child ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
    let (length, rest) = output.stdout.split_first_chunk::<4>().expect("a frame");
    let text = rest.get(..u32::from_le_bytes(*length) as usize).expect("a whole frame");
    let answer = std::str::from_utf8(text).expect("the answer is text");
    if answer.starts_with(r#"{"refused":"#) {
        return Door::Refused(answer.to_owned());
    }
    assert!(answer.starts_with(r#"{"compiled":"#), "{answer}");
    Door::Compiled
}

/// A small generator of numbers (splitmix64), so that a failure can be had again.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// One damage, or a few.
fn damaged(whole: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len());
        match chance.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << chance.below(8)),
            2 => bytes.iter_mut().skip(at).take(8).for_each(|byte| *byte = 0xff),
            3 => {
                let again = bytes[at..].iter().take(200).copied().collect::<Vec<_>>();
                bytes.splice(at..at, again);
            }
            4 => drop(bytes.drain(at..(at + chance.below(50)).min(bytes.len()))),
            _ => {
                let from = chance.below(other.len());
                let piece = other[from..].iter().take(chance.below(300)).copied();
                bytes.splice(at..at, piece.collect::<Vec<_>>());
            }
        }
    }
    bytes
}

/// So many mutants of `whole`; how many were refused.
fn knock_with_mutants(whole: &[u8], other: &[u8], count: u64, seed: u64) -> u64 {
    let mut refused = 0;
    for n in 0..count {
        // Panics name the seed: `Chance(seed)` makes the same bytes again.
        let mutant = damaged(whole, other, &mut Chance(seed + n));
        if let Door::Refused(why) = knock(&mutant) {
            assert!(why.len() < 10_000 && !why.contains("panicked"), "seed {}: {why}", seed + n);
            refused += 1;
        }
    }
    refused
}

#[test]
fn damaged_components_are_refused_or_compiled_and_never_crash_the_child() {
    let good = guest("(call $ok)");
    assert!(matches!(knock(&good), Door::Compiled), "what is whole passes");
    let hostile: Vec<Vec<u8>> = ["t5-resources", "t9-cache", "t16-overlap", "t20-two-faces"]
        .iter()
        .map(|name| Guest::all().into_iter().find(|guest| guest.name == *name).expect("it stands in the table").bytes())
        .collect();
    let mut refused = 0;
    for (n, whole) in hostile.iter().enumerate() {
        refused += knock_with_mutants(whole, &good, 60, n as u64 * 1_000);
    }
    let notes = shipped("notes");
    for (n, header_only) in [&notes[..notes.len() / 50], &notes[..]].iter().enumerate() {
        refused += knock_with_mutants(header_only, &hostile[0], 30, 10_000 + n as u64 * 1_000);
    }
    assert!(refused > 150, "most damage shows: {refused} of 300");
}
