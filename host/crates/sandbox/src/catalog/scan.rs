//! One look at the plugin directory: `X.wasm` with `X.toml` beside it, or
//! `X/X.wasm` with `X/plugin.toml`; nothing deeper, and no links.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::child::COMPONENT_BYTES_MAX;

/// A file that was written so recently may still be growing.
const STILL_BEING_WRITTEN: Duration = Duration::from_millis(300);

/// Plugins in one directory.
const PLUGINS_MAX: usize = 1_000;

/// A plugin's name.
const NAME_BYTES_MAX: usize = 32;

/// The files of one plugin.
pub(super) struct Found {
    pub file: PathBuf,
    pub manifest: Option<PathBuf>,
    pub identity: Identity,
    /// Why it cannot be taken, where the look alone says so.
    pub unfit: Option<String>,
    /// Written a moment ago, so perhaps not yet whole.
    pub recent: bool,
}

/// What changes when a plugin's files change: of the component and of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity(File, Option<File>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for File {
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

/// All plugins by name.
pub(super) fn directory(directory: &Path) -> io::Result<BTreeMap<String, Found>> {
    let mut found = BTreeMap::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let Some((name, file, manifest)) = candidate(&path) else { continue };
        let Ok(metadata) = fs::symlink_metadata(&file) else { continue };
        let Some(identity) = identity(&file, manifest.as_deref()) else { continue };
        let recent = recent(&metadata) || manifest.as_ref().is_some_and(|it| fs::symlink_metadata(it).is_ok_and(|it| recent(&it)));
        if found.len() >= PLUGINS_MAX {
            tracing::warn!(
                "the plugin directory holds more than {PLUGINS_MAX} plugins; {} and those after it are left out",
                path.display()
            );
            break;
        }
        let unfit = unfit(&name, &file, &metadata);
        match found.entry(name) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Found { file, manifest, identity, unfit, recent });
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let both = format!("both {} and {} are there; remove one", entry.get().file.display(), file.display());
                entry.get_mut().unfit = Some(both);
            }
        }
    }
    Ok(found)
}

/// Name, component and manifest of what may be a plugin.
fn candidate(path: &Path) -> Option<(String, PathBuf, Option<PathBuf>)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if metadata.is_dir() {
        let name = path.file_name()?.to_str()?.to_owned();
        let file = path.join(format!("{name}.wasm"));
        fs::symlink_metadata(&file).ok()?;
        return Some((name, file, present(path.join("plugin.toml"))));
    }
    if path.extension()? != "wasm" {
        return None;
    }
    let name = path.file_stem()?.to_str()?.to_owned();
    Some((name, path.to_owned(), present(path.with_extension("toml"))))
}

fn present(path: PathBuf) -> Option<PathBuf> {
    fs::symlink_metadata(&path).is_ok().then_some(path)
}

/// What stands for the contents of a plugin's files; none where they are gone.
pub(super) fn identity(file: &Path, manifest: Option<&Path>) -> Option<Identity> {
    let component = File::from(&fs::symlink_metadata(file).ok()?);
    let manifest = manifest.and_then(|path| fs::symlink_metadata(path).ok());
    Some(Identity(component, manifest.as_ref().map(File::from)))
}

fn recent(metadata: &Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_some_and(|age| age < STILL_BEING_WRITTEN)
}

fn unfit(name: &str, file: &Path, metadata: &Metadata) -> Option<String> {
    if !valid_name(name) {
        return Some("its name is not of the form [a-z][a-z0-9-]{0,31}; rename the file".into());
    }
    if !metadata.is_file() {
        return Some(format!("{} is not a regular file; links are not followed", file.display()));
    }
    (metadata.len() > COMPONENT_BYTES_MAX).then(|| format!("the file is larger than {COMPONENT_BYTES_MAX} bytes"))
}

fn valid_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_files_or_folders_and_nothing_deeper() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        fs::create_dir_all(at("two/deeper")).unwrap();
        for path in ["one.wasm", "one.toml", "two/two.wasm", "two/plugin.toml", "two/deeper/deeper.wasm", "notes.txt", "Bad_Name.wasm"] {
            fs::write(at(path), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", at("link.wasm")).unwrap();
        let found = directory(place.path()).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["Bad_Name", "link", "one", "two"]);
        assert!(found["one"].recent, "it was written just now");
        assert!(found["one"].unfit.is_none() && found["one"].manifest.is_some());
        assert!(found["two"].unfit.is_none() && found["two"].manifest.is_some());
        assert!(found["Bad_Name"].unfit.as_ref().unwrap().contains("rename"));
        assert!(found["link"].unfit.as_ref().unwrap().contains("links are not followed"));
    }

    #[test]
    fn a_plugin_that_is_there_twice_is_refused_with_both_places() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("a")).unwrap();
        fs::write(place.path().join("a/a.wasm"), "x").unwrap();
        fs::write(place.path().join("a.wasm"), "x").unwrap();
        let why = directory(place.path()).unwrap()["a"].unfit.clone().unwrap();
        assert!(why.contains("a/a.wasm and") && why.contains("remove one"), "{why}");
    }
}
