//! One folder's names, sizes and times. In a component these come straight from
//! `wasi:filesystem`: through `std` each name would cost several calls to the
//! host, and a search looks at every file.

#[cfg(not(target_family = "wasm"))]
pub(crate) use self::native::Folder;
#[cfg(target_family = "wasm")]
pub(crate) use self::wasi::Folder;

/// One name in a folder.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) is_folder: bool,
}

/// What the fingerprint is made of.
pub(crate) struct Facts {
    pub(crate) bytes: u64,
    /// When the file was last written, in nanoseconds of Unix time; 0 where that is unknown.
    pub(crate) changed_ns: u64,
}

#[cfg(target_family = "wasm")]
mod wasi {
    use std::{io, path::Path};

    use wasip2::filesystem::{
        preopens,
        types::{Descriptor, DescriptorFlags, DescriptorType, DirectoryEntryStream, ErrorCode, OpenFlags, PathFlags},
    };

    use super::{Entry, Facts};

    pub(crate) struct Folder(Descriptor);

    impl Folder {
        /// A folder that the operator granted.
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            let wanted = path.to_string_lossy();
            let granted = preopens::get_directories().into_iter();
            let found = granted.into_iter().find(|(_, name)| trimmed(name) == trimmed(&wanted));
            found.map(|(folder, _)| Self(folder)).ok_or(io::ErrorKind::NotFound.into())
        }

        /// A folder inside this one.
        pub(crate) fn enter(&self, path: &str) -> io::Result<Self> {
            let folder = self.0.open_at(PathFlags::empty(), path, OpenFlags::DIRECTORY, DescriptorFlags::READ);
            folder.map(Self).map_err(error)
        }

        pub(crate) fn entries(&self) -> io::Result<impl Iterator<Item = Entry>> {
            self.0.read_directory().map(Entries).map_err(error)
        }

        /// None for what vanished, may not be seen, or is no file.
        pub(crate) fn facts(&self, name: &str) -> Option<Facts> {
            let stat = self.0.stat_at(PathFlags::SYMLINK_FOLLOW, name).ok()?;
            let changed = stat.data_modification_timestamp;
            let changed_ns = changed.and_then(|at| at.seconds.checked_mul(1_000_000_000)?.checked_add(at.nanoseconds.into())).unwrap_or(0);
            (stat.type_ == DescriptorType::RegularFile).then_some(Facts { bytes: stat.size, changed_ns })
        }
    }

    struct Entries(DirectoryEntryStream);

    impl Iterator for Entries {
        type Item = Entry;

        fn next(&mut self) -> Option<Entry> {
            let entry = self.0.read_directory_entry().ok()??;
            Some(Entry { name: entry.name, is_folder: entry.type_ == DescriptorType::Directory })
        }
    }

    fn trimmed(path: &str) -> &str {
        path.trim_start_matches("./").trim_matches('/')
    }

    fn error(code: ErrorCode) -> io::Error {
        io::Error::other(code.message())
    }
}

#[cfg(not(target_family = "wasm"))]
mod native {
    use std::{
        fs, io,
        path::{Path, PathBuf},
        time::SystemTime,
    };

    use super::{Entry, Facts};

    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            fs::read_dir(path).map(|_| Self(path.to_owned()))
        }

        pub(crate) fn enter(&self, path: &str) -> io::Result<Self> {
            Self::open(&self.0.join(path))
        }

        pub(crate) fn entries(&self) -> io::Result<impl Iterator<Item = Entry>> {
            Ok(fs::read_dir(&self.0)?.flatten().filter_map(|entry| {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                entry.file_name().into_string().ok().map(|name| Entry { name, is_folder })
            }))
        }

        pub(crate) fn facts(&self, name: &str) -> Option<Facts> {
            let metadata = fs::metadata(self.0.join(name)).ok().filter(fs::Metadata::is_file)?;
            let changed = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok();
            let changed_ns = changed.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0);
            Some(Facts { bytes: metadata.len(), changed_ns })
        }
    }
}
