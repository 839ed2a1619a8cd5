//! What a call's instance may grow to: one sum over all its memories and
//! tables. A refusal is remembered, because all that a guest usually makes of
//! it is an abort that looks like any other.

use wasmtime::ResourceLimiter;

use crate::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};

/// What one entry of a table counts for.
const TABLE_ENTRY_BYTES: u64 = 8;

/// The sum of memories and tables of one call.
pub(crate) struct Memory {
    max: u64,
    now: u64,
    peak: u64,
    refused: bool,
}

impl Memory {
    /// Nothing used yet, of at most `max` bytes.
    pub(crate) fn new(max: u64) -> Self {
        Self { max, now: 0, peak: 0, refused: false }
    }

    /// The most that was in use, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// Whether the guest asked for more than it may have.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    fn grow(&mut self, current: u64, desired: u64) -> bool {
        let next = self.now.saturating_add(desired.saturating_sub(current));
        if next > self.max {
            self.refused = true;
            return false;
        }
        self.now = next;
        self.peak = self.peak.max(next);
        true
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current as u64, desired as u64))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current as u64 * TABLE_ENTRY_BYTES, desired as u64 * TABLE_ENTRY_BYTES))
    }

    /// The pool's slots are smaller than what the operator allows.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_and_tables_share_one_sum() {
        let mut memory = Memory::new(100_000);
        assert!(memory.memory_growing(0, 65_536, None).unwrap());
        assert!(!memory.memory_growing(0, 65_536, None).unwrap(), "a second memory of the same size is too much");
        assert!(memory.table_growing(0, 1_000, None).unwrap());
        assert!(!memory.table_growing(1_000, 10_000, None).unwrap());
        assert_eq!(memory.peak(), 73_536);
        assert!(memory.refused());
    }
}
