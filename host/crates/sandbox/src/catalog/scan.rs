//! One look at the plugin directory: `X.wasm` with `X.toml` beside it, or
//! `X/X.wasm` with `X/plugin.toml`; nothing deeper, and no links. Looks only: no
//! file is opened, because opening a device or a pipe can already do something.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use policy::Shape;

use crate::child::COMPONENT_BYTES_MAX;
use schema::text;

/// A file that was written so recently may still be growing.
const STILL_BEING_WRITTEN: Duration = Duration::from_millis(300);

/// Plugins in one directory.
pub(crate) const PLUGINS_MAX: usize = 1_000;

/// Entries of the directory that are looked at; the rest of a directory that somebody filled is left out.
const ENTRIES_MAX: usize = 20_000;

/// The files of one plugin, and what the operator wants of it.
pub(super) struct Found {
    pub file: PathBuf,
    pub manifest: Option<PathBuf>,
    pub identity: Identity,
    /// Why it cannot be taken, where the look alone says so.
    pub unfit: Option<String>,
    /// Written a moment ago, so perhaps not yet whole.
    pub recent: bool,
    /// What the operator's entry says; nothing is known of that here.
    pub wanted: Wanted,
}

/// What the operator's entry says of how a plugin is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub shape: Shape,
    /// The schema of a command's input, in place of its manifest's.
    pub input: Option<Arc<str>>,
}

/// What changes when a plugin's files change: of the component and of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub component: Stamp,
    pub manifest: Option<Stamp>,
}

/// What stands for a file's contents. A change through another name of the same
/// file shows here as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// When the file was modified, in milliseconds since 1970.
    pub(super) fn modified_ms(&self) -> i64 {
        let (seconds, nanoseconds) = self.modified;
        seconds.saturating_mul(1_000).saturating_add(nanoseconds / 1_000_000)
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What may be a plugin: where it says its parts are.
struct Candidate {
    name: String,
    file: PathBuf,
    manifest: PathBuf,
}

/// All plugins by name. A second one of a name stands under its path instead,
/// which no plugin can have as its name.
pub(super) fn directory(directory: &Path, now: SystemTime) -> io::Result<BTreeMap<String, Found>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)?.flatten().map(|entry| entry.path()).take(ENTRIES_MAX).collect();
    // `X.wasm` stands before `X/X.wasm`, so that of two plugins with one name the same one is the first at every start.
    entries.sort_by_cached_key(|path| (path.extension().is_none(), path.clone()));
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for path in entries {
        let Some((candidate, metadata)) = candidate(&path) else { continue };
        if found.len() >= PLUGINS_MAX {
            let path = text::escaped(&path.display().to_string());
            tracing::warn!("the plugin directory holds more than {PLUGINS_MAX} plugins; {path} and those after it are left out");
            break;
        }
        let mut taken = look(&candidate, &metadata, now);
        let shown = candidate.file.strip_prefix(directory).unwrap_or(&candidate.file).display().to_string();
        match found.entry(candidate.name) {
            Entry::Vacant(entry) => {
                entry.insert(taken);
            }
            Entry::Occupied(entry) => {
                let (first, second) = (entry.get().file.display(), taken.file.display());
                taken.unfit =
                    Some(format!("{first} and {second} are two plugins of one name, and the first one is taken; rename or remove one"));
                found.insert(text::escaped(&shown), taken);
            }
        }
    }
    same_but_for_case(&mut found);
    Ok(found)
}

/// Says of a name with capitals which plugin it could be taken for.
fn same_but_for_case(found: &mut BTreeMap<String, Found>) {
    let alike: Vec<(String, String)> = found
        .keys()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let other = found.get(&lower).filter(|_| lower != *name)?;
            Some((name.clone(), format!("its name differs from that of {} in capitals only; rename or remove it", other.file.display())))
        })
        .collect();
    for (name, why) in alike {
        if let Some(found) = found.get_mut(&name) {
            found.unfit = Some(why);
        }
    }
}

/// Name, component and manifest of what may be a plugin, with what is known of the component.
fn candidate(path: &Path) -> Option<(Candidate, Metadata)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let of = |name: &std::ffi::OsStr| text::escaped(&name.to_string_lossy());
    if path.extension().is_some_and(|extension| extension == "wasm") {
        let candidate = Candidate { name: of(path.file_stem()?), file: path.to_owned(), manifest: path.with_extension("toml") };
        return Some((candidate, metadata));
    }
    let name = path.file_name()?;
    let mut file = path.join(name).into_os_string();
    file.push(".wasm");
    // Also through a link to a folder: it is refused with words instead of being passed over.
    let inner = fs::symlink_metadata(&file).ok()?;
    let metadata = if metadata.is_dir() { inner } else { metadata };
    Some((Candidate { name: of(name), file: file.into(), manifest: path.join("plugin.toml") }, metadata))
}

fn look(candidate: &Candidate, metadata: &Metadata, now: SystemTime) -> Found {
    let manifest = fs::symlink_metadata(&candidate.manifest).ok();
    let identity = Identity { component: metadata.into(), manifest: manifest.as_ref().map(Into::into) };
    let unfit = unfit(candidate, metadata).or_else(|| not_a_file(&candidate.manifest, manifest.as_ref()?));
    let recent = recent(metadata, now) || manifest.as_ref().is_some_and(|manifest| recent(manifest, now));
    Found {
        file: candidate.file.clone(),
        manifest: manifest.map(|_| candidate.manifest.clone()),
        identity,
        unfit,
        recent,
        wanted: Wanted::default(),
    }
}

fn recent(metadata: &Metadata, now: SystemTime) -> bool {
    let age = metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok());
    age.is_some_and(|age| age < STILL_BEING_WRITTEN)
}

fn unfit(candidate: &Candidate, metadata: &Metadata) -> Option<String> {
    if !tool::ToolId::is_plugin_name(&candidate.name) {
        return Some("its name is not of the form [a-z][a-z0-9-]{0,31}; rename the file".into());
    }
    if let Some(why) = not_a_file(&candidate.file, metadata) {
        return Some(why);
    }
    match metadata.len() {
        0 => Some("the file is empty".into()),
        size if size > COMPONENT_BYTES_MAX => Some(format!("the file is larger than {COMPONENT_BYTES_MAX} bytes")),
        _ => None,
    }
}

/// What a path is instead of a regular file.
fn not_a_file(path: &Path, metadata: &Metadata) -> Option<String> {
    let kind = kind(metadata.file_type())?;
    Some(format!("{} is {kind}; a plugin is made of regular files, and links are not followed", path.display()))
}

fn kind(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_file() => None,
        () if kind.is_symlink() => Some("a symbolic link"),
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a pipe"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(directory: &Path) -> BTreeMap<String, Found> {
        super::directory(directory, SystemTime::now()).unwrap()
    }

    fn why(found: &BTreeMap<String, Found>, name: &str) -> String {
        found[name].unfit.clone().unwrap_or_else(|| panic!("{name} is fit"))
    }

    #[test]
    fn plugins_are_files_or_folders_and_nothing_deeper() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        fs::create_dir_all(at("two/deeper")).unwrap();
        for path in ["one.wasm", "one.toml", "two/two.wasm", "two/plugin.toml", "two/deeper/deeper.wasm", "notes.txt", "Bad_Name.wasm"] {
            fs::write(at(path), "x").unwrap();
        }
        let found = scanned(place.path());
        assert_eq!(found.keys().collect::<Vec<_>>(), ["Bad_Name", "one", "two"]);
        assert!(found["one"].unfit.is_none() && found["one"].manifest.is_some());
        assert!(found["two"].unfit.is_none() && found["two"].manifest.is_some());
        assert!(why(&found, "Bad_Name").contains("rename"));
    }

    #[test]
    fn a_file_is_recent_for_a_moment_after_it_was_written() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("one.wasm"), "x").unwrap();
        let written = fs::metadata(place.path().join("one.wasm")).unwrap().modified().unwrap();
        let recent = |age| super::directory(place.path(), written + age).unwrap()["one"].recent;
        assert!(recent(Duration::ZERO) && recent(STILL_BEING_WRITTEN / 2));
        assert!(!recent(STILL_BEING_WRITTEN));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_by_its_kind_and_never_opened() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        fs::write(at("real.wasm"), "x").unwrap();
        fs::create_dir(at("folder.wasm")).unwrap();
        fs::create_dir(at("real")).unwrap();
        fs::write(at("real/linked.wasm"), "x").unwrap();
        std::os::unix::fs::symlink(at("real.wasm"), at("link.wasm")).unwrap();
        std::os::unix::fs::symlink(at("real"), at("linked")).unwrap();
        fs::write(at("odd.wasm"), "x").unwrap();
        std::os::unix::fs::symlink(at("real.wasm"), at("odd.toml")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe.wasm"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket.wasm")).unwrap();
        fs::write(at("empty.wasm"), "").unwrap();
        fs::File::create(at("huge.wasm")).unwrap().set_len(COMPONENT_BYTES_MAX + 1).unwrap();
        let found = scanned(place.path());
        for (name, kind) in [
            ("folder", "a directory"),
            ("link", "a symbolic link"),
            ("linked", "a symbolic link"),
            ("odd", "odd.toml is a symbolic link"),
            ("pipe", "a pipe"),
            ("socket", "a socket"),
            ("empty", "empty"),
            ("huge", "larger than 67108864 bytes"),
        ] {
            assert!(why(&found, name).contains(kind), "{name}: {}", why(&found, name));
        }
        assert!(kind(fs::metadata("/dev/null").unwrap().file_type()).unwrap().contains("device"));
        assert!(found["real"].unfit.is_none());
    }

    #[test]
    fn of_two_plugins_with_one_name_the_second_is_refused_with_both_places() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("a")).unwrap();
        for path in ["a/a.wasm", "a.wasm", "b.wasm", "B.wasm"] {
            fs::write(place.path().join(path), "x").unwrap();
        }
        let found = scanned(place.path());
        assert!(found["a"].unfit.is_none() && found["a"].file.ends_with("a.wasm"));
        let second = why(&found, "a/a.wasm");
        assert!(second.contains("/a.wasm and ") && second.contains("/a/a.wasm are two plugins of one name"), "{second}");
        assert!(found["b"].unfit.is_none());
        assert!(why(&found, "B").contains("/b.wasm in capitals only"));
    }

    #[test]
    fn a_name_that_would_steer_a_terminal_is_listed_escaped() {
        let place = tempfile::tempdir().unwrap();
        for name in ["\u{1b}[2Jx.wasm", "caf\u{e9}.wasm", "p\u{430}y.wasm", "..wasm", "x.y.wasm"] {
            fs::write(place.path().join(name), "x").unwrap();
        }
        let found = scanned(place.path());
        assert_eq!(found.len(), 5);
        for (name, found) in &found {
            assert!(found.unfit.as_ref().is_some_and(|why| why.contains("rename")), "{name}");
            assert!(!name.chars().any(char::is_control), "{name:?}");
        }
    }

    #[test]
    fn a_change_through_another_name_of_the_file_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let (inside, outside) = (place.path().join("plugins/a.wasm"), place.path().join("b"));
        fs::create_dir(place.path().join("plugins")).unwrap();
        fs::write(&outside, "x").unwrap();
        fs::hard_link(&outside, &inside).unwrap();
        let before = scanned(&place.path().join("plugins")).remove("a").unwrap();
        assert_eq!(before.unfit, None, "a second name of a file is no link that could lead elsewhere");
        fs::write(&outside, "xy").unwrap();
        assert_ne!(scanned(&place.path().join("plugins"))["a"].identity, before.identity);
    }
}
