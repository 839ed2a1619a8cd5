//! Random numbers of a call that is on a tape: all of them follow from the tape's
//! seed, so that the call can be run again. Calls of a server have the machine's own.

use sha2::{Digest, Sha256};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::random::Deterministic;

/// Bytes after which they begin anew: more than a call asks for in one go.
const CYCLE_BYTES: usize = 64 << 10;

/// Lets all three sources of random numbers follow from the seed.
pub(crate) fn seeded(wasi: &mut WasiCtxBuilder, seed: &[u8; 32]) {
    let first = stream(seed, "seed");
    let insecure_seed = first.first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes));
    wasi.secure_random(Deterministic::new(stream(seed, "secure")))
        .insecure_random(Deterministic::new(stream(seed, "insecure")))
        .insecure_random_seed(insecure_seed);
}

/// Bytes that only the seed and the purpose decide.
fn stream(seed: &[u8; 32], purpose: &str) -> Vec<u8> {
    let blocks = (0u64..).map(|block| {
        let mut hash = Sha256::new();
        hash.update(seed);
        hash.update(purpose);
        hash.update(block.to_le_bytes());
        hash.finalize()
    });
    blocks.flatten().take(CYCLE_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_follows_from_its_seed_and_its_purpose() {
        assert_eq!(stream(&[1; 32], "a"), stream(&[1; 32], "a"));
        assert_ne!(stream(&[1; 32], "a"), stream(&[2; 32], "a"));
        assert_ne!(stream(&[1; 32], "a"), stream(&[1; 32], "b"));
        assert_eq!(stream(&[1; 32], "a").len(), CYCLE_BYTES);
    }
}
