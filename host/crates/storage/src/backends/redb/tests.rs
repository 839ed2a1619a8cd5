//! The contract on a file, and what only a file has: crashes, power cuts, full disks.

mod disk;
mod file;
mod kill;
mod model;
mod power;

use crate::contract::Backend;

use super::{Options, Redb};

/// A store in a directory of its own.
pub(super) struct InDirectory(tempfile::TempDir);

impl InDirectory {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.0.path().join("wardian.redb")
    }
}

impl Backend for InDirectory {
    type Store = Redb;

    fn open(&self) -> Redb {
        Redb::open(self.path(), Options::default()).unwrap()
    }

    /// The bytes as they lie in the file at this moment, which is what a killed
    /// process leaves; the closing that follows happens to a file that is no longer ours.
    fn crash(&self, store: Redb) -> Redb {
        let copy = self.0.path().join("as-it-was");
        std::fs::copy(self.path(), &copy).unwrap();
        drop(store);
        std::fs::rename(&copy, self.path()).unwrap();
        self.open()
    }
}

crate::contract!(InDirectory::new());
