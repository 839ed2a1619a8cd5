//! Compiled components on disk. An entry is two files named by the component's
//! digest and the engine's fingerprint: the compiled form, which is native code
//! and is mapped into memory, and a note with the form's digest and the tools
//! that the component described. The note carries a MAC under a key that only
//! this server has, and its age tells when the entry was last used.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::descriptor::Tool;
use crate::error::Error;

/// Entries that are kept; those that were not used for longest go first when the cache is opened.
const ENTRIES_MAX: usize = 2_048;

/// The note of an entry: 64 tools with their schemas.
const NOTE_BYTES_MAX: u64 = 16 << 20;

/// How much of a file is hashed at a time.
const PIECE_BYTES: usize = 256 << 10;

/// One block of SHA-256: the key is used as it is.
const KEY_BYTES: usize = 64;

/// The directory and the key.
pub(super) struct Cache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
    fingerprint: String,
}

/// What is known about a compiled form.
#[derive(Serialize, Deserialize)]
struct Note {
    component: String,
    fingerprint: String,
    /// Digest of the compiled form.
    compiled: String,
    tools: Vec<Tool>,
}

impl Cache {
    /// Opens the directory, and removes what is over so many bytes or entries.
    pub(super) fn open(directory: PathBuf, key: &Path, fingerprint: String, bytes_max: u64) -> Result<Self, Error> {
        own(&directory).map_err(|cause| Error::Directory { path: directory.clone(), cause })?;
        let key = read_or_make_key(key).map_err(|cause| Error::Key { path: key.to_owned(), cause })?;
        let cache = Self { directory, key, fingerprint };
        cache.prune(bytes_max);
        Ok(cache)
    }

    /// The tools and the component, mapped, where the entry is there and ours.
    pub(super) fn load(&self, engine: &Engine, digest: &str) -> Option<(Vec<Tool>, Component)> {
        let note = self.note(digest)?;
        let path = self.path(digest, "compiled");
        if hash(&path).ok()? != note.compiled {
            tracing::warn!("the compiled form of {digest} was changed or damaged, it is made again");
            return None;
        }
        #[expect(unsafe_code, reason = "maps native code that this server made; the proof stands here")]
        // SAFETY: the bytes in the file must be what `Component::serialize` gave for a compatible
        // engine, and must not change while they are mapped. They are: their SHA-256, just
        // computed, stands in a note whose MAC is made with a key that only this server's user can
        // read, and such a note is written in one place, `store`, with what our own child compiled
        // for this fingerprint (wasmtime checks its version and settings again). They do not
        // change, neither between the check and the mapping nor later: the directory is 0700 and
        // ours, and a file in it is only ever made under a new name and renamed or unlinked as a
        // whole, which leaves a mapping on the old one.
        let component = unsafe { Component::deserialize_file(engine, path) };
        let component = component.inspect_err(|error| tracing::warn!("the compiled form of {digest} does not load: {error:#}")).ok()?;
        self.used(digest);
        Some((note.tools, component))
    }

    /// Makes an entry the last one to go. Where it cannot be, it is compiled again some day.
    fn used(&self, digest: &str) {
        let _ = File::open(self.path(digest, "note")).and_then(|note| note.set_modified(SystemTime::now()));
    }

    /// Keeps what the child compiled.
    pub(super) fn store(&self, digest: &str, tools: &[Tool], compiled: &[u8]) -> io::Result<()> {
        let note = Note {
            component: digest.to_owned(),
            fingerprint: self.fingerprint.clone(),
            compiled: crate::sha256(compiled),
            tools: tools.to_vec(),
        };
        let text = serde_json::to_vec(&note)?;
        let mut authenticated = self.mac(&text).finalize().into_bytes().to_vec();
        authenticated.extend_from_slice(&text);
        replace(&self.path(digest, "compiled"), compiled)?;
        replace(&self.path(digest, "note"), &authenticated)
    }

    fn note(&self, digest: &str) -> Option<Note> {
        let mut bytes = Vec::new();
        File::open(self.path(digest, "note")).ok()?.take(NOTE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let (mac, text) = bytes.split_first_chunk::<32>()?;
        if self.mac(text).verify_slice(mac).is_err() {
            tracing::warn!("the note about the compiled form of {digest} was not written by this server, it is made again");
            return None;
        }
        let note: Note = serde_json::from_slice(text).ok()?;
        (note.component == digest && note.fingerprint == self.fingerprint).then_some(note)
    }

    fn mac(&self, text: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(text);
        mac
    }

    fn path(&self, digest: &str, kind: &str) -> PathBuf {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.directory.join(format!("{digest}-{}.{kind}", self.fingerprint))
    }

    /// Removes entries over the limits, but the last that was used. What is mapped stays mapped.
    fn prune(&self, bytes_max: u64) {
        let mut entries: Vec<Entry> = self.entries().into_values().collect();
        entries.sort_by_key(|entry| Reverse(entry.used));
        let mut bytes = 0;
        for (index, entry) in entries.iter().enumerate() {
            bytes += entry.bytes;
            if index >= ENTRIES_MAX || (index > 0 && bytes > bytes_max) {
                entry.files.iter().for_each(|path| drop(fs::remove_file(path)));
            }
        }
    }

    /// What lies in the directory, by what the names of an entry's files begin with.
    fn entries(&self) -> BTreeMap<OsString, Entry> {
        let mut entries: BTreeMap<OsString, Entry> = BTreeMap::new();
        for file in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let (path, Ok(metadata)) = (file.path(), file.metadata()) else { continue };
            let (Some(stem), Ok(modified)) = (path.file_stem(), metadata.modified()) else { continue };
            let entry = entries.entry(stem.to_owned()).or_insert(Entry { used: modified, bytes: 0, files: Vec::new() });
            entry.used = entry.used.max(modified);
            entry.bytes += metadata.len();
            entry.files.push(path);
        }
        entries
    }
}

/// The files of one entry.
struct Entry {
    /// When the last of them was written, or the entry was used.
    used: SystemTime,
    bytes: u64,
    files: Vec<PathBuf>,
}

/// The digest of a file, read in pieces.
fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut piece) = (File::open(path)?, Sha256::new(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(format!("sha256:{}", crate::hex(&hash.finalize()))),
            read => hash.update(&piece[..read]),
        }
    }
}

/// Makes the directory, and refuses one that others may write.
pub(crate) fn own(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it is not a directory of the user that runs the server"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    match File::open(path) {
        Ok(mut file) => {
            if file.read_exact(&mut key).is_ok() {
                return Ok(key);
            }
            // Cut short by a crash: a new key only means that everything is compiled once more.
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    replace(path, &key)?;
    Ok(key)
}

/// Writes a 0600 file beside the old one and renames it over.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    let _ = fs::remove_file(&partial);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_note_that_this_server_did_not_write_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        let open = |key: &str| Cache::open(place.path().join("cache"), &place.path().join(key), "f".into(), u64::MAX).unwrap();
        open("key").store("sha256:ab", &[], b"code").unwrap();
        assert!(open("key").note("sha256:ab").is_some());
        assert!(open("other").note("sha256:ab").is_none(), "another key");
        let note = open("key").path("sha256:ab", "note");
        let mut bytes = fs::read(&note).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&note, bytes).unwrap();
        assert!(open("key").note("sha256:ab").is_none(), "another text");
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_where_there_is_too_much() {
        const EMPTY: &[u8] = b"\0asm\r\0\x01\0";
        let (place, engine) = (tempfile::tempdir().unwrap(), Engine::default());
        let open = |bytes_max| Cache::open(place.path().join("cache"), &place.path().join("key"), "f".into(), bytes_max).unwrap();
        let compiled = engine.precompile_component(EMPTY).unwrap();
        let cache = open(u64::MAX);
        for (digest, age) in [("sha256:aa", 30), ("sha256:bb", 20), ("sha256:cc", 10)] {
            cache.store(digest, &[], &compiled).unwrap();
            for kind in ["compiled", "note"] {
                let file = File::open(cache.path(digest, kind)).unwrap();
                file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
            }
        }
        let there = |cache: &Cache| ["sha256:aa", "sha256:bb", "sha256:cc"].map(|digest| cache.note(digest).is_some());
        let entry = cache.entries().values().map(|entry| entry.bytes).max().unwrap();
        assert_eq!(there(&open(3 * entry)), [true; 3]);
        assert!(cache.load(&engine, "sha256:aa").is_some(), "which uses it");
        assert_eq!(there(&open(2 * entry)), [true, false, true]);
        assert_eq!(there(&open(1)), [true, false, false], "the last one stays however large");
        assert_eq!(fs::read_dir(place.path().join("cache")).unwrap().count(), 2, "both files of an entry go");
    }

    #[test]
    fn only_the_servers_user_can_enter_the_cache() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("cache");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        Cache::open(directory.clone(), &place.path().join("key"), "f".into(), u64::MAX).unwrap();
        assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(place.path().join("key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
