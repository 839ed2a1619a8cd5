//! Puts the shipped plugins into the plugin directory. Beside them lies a record
//! of what was put there, so that a later version can tell a component that it
//! may renew from one that the operator changed or removed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::{Plugin, digest};
use crate::files;

/// The record: file names with the digests under which they were written.
const RECORD: &str = ".shipped.json";

type Record = BTreeMap<String, String>;

/// What happened to one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is as it should be.
    Keep,
    /// It is new here, or one that an earlier version put there.
    Write,
    /// The operator's own, or removed by the operator.
    Leave,
}

/// Puts `plugins` into `directory`. Answers the names of those that were written.
pub(crate) fn unpack(directory: &Path, plugins: &[Plugin]) -> io::Result<Vec<&'static str>> {
    std::fs::create_dir_all(directory)?;
    let path = directory.join(RECORD);
    let before: Record = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| io::Error::other(format!("{} is damaged: {error}", path.display())))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Record::new(),
        Err(error) => return Err(error),
    };
    let mut record = before.clone();
    let mut written = Vec::new();
    for plugin in plugins {
        match place(directory, plugin, &mut record)? {
            Step::Write => written.push(plugin.name),
            Step::Leave => tracing::debug!(plugin.id = plugin.name, "a shipped plugin was changed or removed here; it stays so"),
            Step::Keep => {}
        }
    }
    if record != before {
        let text = serde_json::to_vec_pretty(&record).map_err(io::Error::other)?;
        files::replace(&path, &text, files::Readable::ByAll)?;
    }
    Ok(written)
}

/// One plugin: the component decides, the manifest goes with it.
fn place(directory: &Path, plugin: &Plugin, record: &mut Record) -> io::Result<Step> {
    let component = format!("{}.wasm", plugin.name);
    // A folder of this name is the operator's own version of the plugin.
    if directory.join(plugin.name).is_dir() {
        return Ok(Step::Leave);
    }
    let step =
        decide(found(&directory.join(&component))?.as_deref(), record.get(&component).map(String::as_str), &digest(plugin.component));
    if step == Step::Leave {
        return Ok(step);
    }
    // The manifest first: whoever watches the directory looks at it when the component appears.
    let manifest = plugin.manifest.map(|bytes| (format!("{}.toml", plugin.name), bytes));
    for (name, bytes) in manifest.into_iter().chain([(component, plugin.component)]) {
        let (path, wanted) = (directory.join(&name), digest(bytes));
        if decide(found(&path)?.as_deref(), record.get(&name).map(String::as_str), &wanted) == Step::Write {
            files::replace(&path, bytes, files::Readable::ByAll)?;
        }
        record.insert(name, wanted);
    }
    Ok(step)
}

/// `found` is what lies there, `put` what we once put there, `wanted` what we ship now.
fn decide(found: Option<&str>, put: Option<&str>, wanted: &str) -> Step {
    match (found, put) {
        (None, None) => Step::Write,
        (None, Some(_)) => Step::Leave,
        (Some(found), _) if found == wanted => Step::Keep,
        (Some(found), Some(put)) if found == put => Step::Write,
        (Some(_), _) => Step::Leave,
    }
}

/// The digest of a file, or none where there is none.
fn found(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(digest(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Plugin = Plugin { name: "notes", component: b"old", manifest: Some(b"version = 1") };
    const NEW: Plugin = Plugin { name: "notes", component: b"new", manifest: Some(b"version = 2") };

    fn component(directory: &Path) -> Option<String> {
        std::fs::read_to_string(directory.join("notes.wasm")).ok()
    }

    #[test]
    fn an_empty_directory_gets_component_and_manifest_once() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(unpack(directory.path(), &[OLD]).unwrap(), ["notes"]);
        assert_eq!(unpack(directory.path(), &[OLD]).unwrap(), [""; 0]);
        assert_eq!(component(directory.path()).as_deref(), Some("old"));
        assert_eq!(std::fs::read(directory.path().join("notes.toml")).unwrap(), b"version = 1");
    }

    #[test]
    fn what_an_earlier_version_shipped_is_renewed() {
        let directory = tempfile::tempdir().unwrap();
        unpack(directory.path(), &[OLD]).unwrap();
        assert_eq!(unpack(directory.path(), &[NEW]).unwrap(), ["notes"]);
        assert_eq!(component(directory.path()).as_deref(), Some("new"));
        assert_eq!(std::fs::read(directory.path().join("notes.toml")).unwrap(), b"version = 2");
    }

    #[test]
    fn what_the_operator_changed_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        unpack(directory.path(), &[OLD]).unwrap();
        std::fs::write(directory.path().join("notes.wasm"), "mine").unwrap();
        unpack(directory.path(), &[NEW]).unwrap();
        assert_eq!(component(directory.path()).as_deref(), Some("mine"));
        assert_eq!(std::fs::read(directory.path().join("notes.toml")).unwrap(), b"version = 1");
    }

    #[test]
    fn a_plugin_of_the_same_name_that_was_there_first_stays() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("notes.wasm"), "mine").unwrap();
        unpack(directory.path(), &[OLD]).unwrap();
        assert_eq!(component(directory.path()).as_deref(), Some("mine"));
        assert!(!directory.path().join("notes.toml").exists());
    }

    #[test]
    fn what_the_operator_removed_stays_away() {
        let directory = tempfile::tempdir().unwrap();
        unpack(directory.path(), &[OLD]).unwrap();
        std::fs::remove_file(directory.path().join("notes.wasm")).unwrap();
        unpack(directory.path(), &[NEW]).unwrap();
        assert_eq!(component(directory.path()), None);
    }

    #[test]
    fn a_changed_manifest_stays_while_the_component_is_renewed() {
        let directory = tempfile::tempdir().unwrap();
        unpack(directory.path(), &[OLD]).unwrap();
        std::fs::write(directory.path().join("notes.toml"), "mine").unwrap();
        unpack(directory.path(), &[NEW]).unwrap();
        assert_eq!(component(directory.path()).as_deref(), Some("new"));
        assert_eq!(std::fs::read(directory.path().join("notes.toml")).unwrap(), b"mine");
    }
}
