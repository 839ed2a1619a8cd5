//! One folder's names, sizes and times. In a component these come straight from
//! `wasi:filesystem`: through `std` each name would cost several calls to the
//! host, and a search looks at every file.

#[cfg(not(target_family = "wasm"))]
pub(crate) use self::native::Folder;
#[cfg(target_family = "wasm")]
pub(crate) use self::wasi::Folder;

/// One name in a folder. It is empty where the name is no text.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
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

    use super::{Entry, Facts, Kind};

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
        pub(crate) fn facts(&self, entry: &Entry) -> Option<Facts> {
            // Following links costs the host three times as much, for each file.
            let follow = if entry.kind == Kind::Link { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() };
            let stat = self.0.stat_at(follow, &entry.name).ok()?;
            let changed = stat.data_modification_timestamp;
            let changed_ns = changed.and_then(|at| at.seconds.checked_mul(1_000_000_000)?.checked_add(at.nanoseconds.into())).unwrap_or(0);
            (stat.type_ == DescriptorType::RegularFile).then_some(Facts { bytes: stat.size, changed_ns })
        }
    }

    struct Entries(DirectoryEntryStream);

    impl Iterator for Entries {
        type Item = Entry;

        fn next(&mut self) -> Option<Entry> {
            let Ok(entry) = self.0.read_directory_entry() else {
                return Some(Entry { name: String::new(), kind: Kind::File });
            };
            entry.map(|entry| Entry { name: entry.name, kind: kind(entry.type_) })
        }
    }

    fn kind(descriptor: DescriptorType) -> Kind {
        match descriptor {
            DescriptorType::Directory => Kind::Folder,
            DescriptorType::SymbolicLink => Kind::Link,
            _ => Kind::File,
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

    use super::{Entry, Facts, Kind};

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
                let kind = entry.file_type().ok()?;
                let name = entry.file_name().into_string().unwrap_or_default();
                let kind = if kind.is_dir() {
                    Kind::Folder
                } else if kind.is_symlink() {
                    Kind::Link
                } else {
                    Kind::File
                };
                Some(Entry { name, kind })
            }))
        }

        pub(crate) fn facts(&self, entry: &Entry) -> Option<Facts> {
            let metadata = fs::metadata(self.0.join(&entry.name)).ok().filter(fs::Metadata::is_file)?;
            let changed = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok();
            let changed_ns = changed.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0);
            Some(Facts { bytes: metadata.len(), changed_ns })
        }
    }
}
