//! Reads a plugin's files whole: exactly those that were seen, by a way on which
//! no link is followed, and without waiting for whoever holds the other end of a pipe.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::scan::{Found, Stamp};
use crate::child::COMPONENT_BYTES_MAX;
use crate::functions::docs::Docs;
use crate::manifest::{self, Manifest};
use crate::{census, shape};

/// What was read of a plugin.
pub(super) struct Contents {
    pub bytes: Arc<[u8]>,
    pub digest: String,
    pub manifest: Manifest,
    pub docs: Docs,
}

/// Why a plugin's files were not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// They are no longer what was seen; another look will tell.
    Moved,
    /// They are not a plugin that can be used.
    Unfit(String),
}

/// Reads a plugin's files, and its manifest from wherever it lies.
pub(super) fn plugin(directory: &Path, name: &str, found: &Found) -> Result<Contents, Fault> {
    if let Some(why) = &found.unfit {
        return Err(Fault::Unfit(why.clone()));
    }
    let bytes = file(directory, &found.file, &found.identity.component, COMPONENT_BYTES_MAX)?;
    let census = census::take(&bytes).map_err(Fault::Unfit)?;
    shape::fits(name, found.wanted.shape, &census.exports).map_err(Fault::Unfit)?;
    let beside = match (&found.manifest, &found.identity.manifest) {
        (Some(path), Some(stamp)) => Some(file(directory, path, stamp, manifest::BYTES_MAX as u64)?),
        _ => None,
    };
    let manifest = match beside.or(census.manifest) {
        Some(bytes) => Manifest::parse(&bytes).map_err(Fault::Unfit)?,
        None => Manifest::default(),
    };
    if let Some(other) = manifest.name.as_deref().filter(|other| *other != name) {
        tracing::info!(plugin.id = name, "plugin {name} calls itself {other:?}; the file's name counts");
    }
    let docs = census.docs.as_deref().map(Docs::parse).unwrap_or_default();
    Ok(Contents { digest: crate::sha256(&bytes), bytes: bytes.into(), manifest, docs })
}

/// A component that was taken into service before, as it is now. Whoever asks compares its digest.
pub(crate) fn component(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|error| cannot(error.into()))?);
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let bytes = whole(&file, COMPONENT_BYTES_MAX).map_err(cannot)?;
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        return Err(format!("{} is larger than {COMPONENT_BYTES_MAX} bytes", path.display()));
    }
    Ok(bytes)
}

/// The bytes of the file that was seen under this path.
fn file(directory: &Path, path: &Path, seen: &Stamp, bytes_max: u64) -> Result<Vec<u8>, Fault> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Fault::Moved,
        _ => Fault::Unfit(format!("{} cannot be read: {error}", path.display())),
    };
    let file = File::from(open(directory, path).map_err(cannot)?);
    let same = |file: &File| file.metadata().map(|metadata| metadata.is_file() && Stamp::from(&metadata) == *seen).map_err(cannot);
    if !same(&file)? {
        return Err(Fault::Moved);
    }
    let bytes = whole(&file, bytes_max).map_err(cannot)?;
    if !same(&file)? {
        return Err(Fault::Moved);
    }
    if bytes.len() as u64 > bytes_max {
        return Err(Fault::Unfit(format!("{} is larger than {bytes_max} bytes", path.display())));
    }
    Ok(bytes)
}

/// At most one byte more than allowed.
fn whole(file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len().min(bytes_max);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Goes down from the plugin directory one name at a time, through real folders only.
fn open(directory: &Path, path: &Path) -> io::Result<OwnedFd> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = rustix::fs::open(directory, folder, Mode::empty())?;
    let below = path.strip_prefix(directory).map_err(io::Error::other)?;
    let mut names = below.components().peekable();
    while let Some(name) = names.next() {
        let Component::Normal(name) = name else { return Err(io::Error::other("it does not lie in the plugin directory")) };
        let flags = match names.peek() {
            Some(_) => folder | OFlags::NOFOLLOW,
            None => OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY,
        };
        at = rustix::fs::openat(&at, name, flags, Mode::empty())?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn stamp(path: &Path) -> Stamp {
        Stamp::from(&fs::metadata(path).unwrap())
    }

    #[test]
    fn a_file_that_is_no_longer_the_one_that_was_seen_is_not_taken() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.wasm");
        fs::write(&path, "first").unwrap();
        let seen = stamp(&path);
        assert_eq!(file(place.path(), &path, &seen, 99), Ok(b"first".to_vec()));
        fs::remove_file(&path).unwrap();
        assert_eq!(file(place.path(), &path, &seen, 99), Err(Fault::Moved), "it vanished");
        fs::write(&path, "another").unwrap();
        assert_eq!(file(place.path(), &path, &seen, 99), Err(Fault::Moved), "another one took its place");
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(file(place.path(), &path, &seen, 99), Err(Fault::Moved), "a pipe did, and nobody waits for it");
    }

    #[test]
    fn no_link_is_followed_on_the_way() {
        let place = tempfile::tempdir().unwrap();
        let (plugins, outside) = (place.path().join("plugins"), place.path().join("outside"));
        fs::create_dir_all(plugins.join("a")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("a.wasm"), "secret").unwrap();
        let seen = stamp(&outside.join("a.wasm"));
        std::os::unix::fs::symlink(outside.join("a.wasm"), plugins.join("a/a.wasm")).unwrap();
        assert!(file(&plugins, &plugins.join("a/a.wasm"), &seen, 99).is_err());
        fs::remove_dir_all(plugins.join("a")).unwrap();
        std::os::unix::fs::symlink(&outside, plugins.join("a")).unwrap();
        assert!(file(&plugins, &plugins.join("a/a.wasm"), &seen, 99).is_err());
        assert!(file(&plugins, &plugins.join("../outside/a.wasm"), &seen, 99).is_err());
    }

    #[test]
    fn a_file_that_gives_no_bytes_or_too_many_is_refused_with_its_name() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.wasm");
        fs::write(&path, "12345").unwrap();
        assert!(matches!(file(place.path(), &path, &stamp(&path), 4), Err(Fault::Unfit(why)) if why.contains("larger than 4 bytes")));
        // A regular file whose reading fails, whoever asks.
        let broken = Path::new("/proc/self/mem");
        if broken.exists() {
            let why = file(Path::new("/proc/self"), broken, &stamp(broken), 4).unwrap_err();
            assert!(matches!(&why, Fault::Unfit(why) if why.contains("cannot be read")), "{why:?}");
        }
    }
}
