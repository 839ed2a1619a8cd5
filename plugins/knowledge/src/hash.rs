//! A quick hash (FNV-1a, 64 bits) against accidents: torn files and stale ones.
//! It keeps nobody out who wants to forge something.

/// A hash of what was added so far.
pub(crate) struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    /// Adds bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The hash of everything added.
    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}
