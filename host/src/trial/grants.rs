//! What a recording says was granted: the part of the terms that can stand in
//! one, and terms again. Recordings come with projects of others: what is read
//! from one reaches the project's own folder, and that for reading only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use author::Error;
use author::mask::{Mask, placeholder};
use author::recording::Recording;
use policy::file::{MountFile, PluginFile, SecretFile};
use policy::{Access, TENANT};

use super::{Terms, Unclear};

/// The keys of `[plugin.NAME]` that are about one call. The others say for whom a
/// plugin works, and which person and which bytes are trusted: nothing that a recording could know.
const KEYS: [&str; 9] = ["shape", "command", "limits", "http", "files", "secrets", "config", "store", "cache"];

/// A directory that cannot stand in a recording: why, and what would help.
struct Elsewhere(String, &'static str);

impl Terms {
    /// Whether a call on these terms can be recorded in this file.
    pub(crate) fn recordable(&self, file: &Path) -> anyhow::Result<()> {
        let root = root(file)?;
        let not_so = |Elsewhere(why, next)| Unclear(format!("--record: {why}; {next}")).into();
        self.entry.files.iter().try_for_each(|mount| directory(mount, &self.base, &root).map(drop)).map_err(not_so)
    }
}

/// The folder to which a recording's directories are relative: its project's, else the current one.
pub(super) fn root(file: &Path) -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("cannot find the current directory")?;
    let file = here.join(file);
    let project = file.ancestors().skip(1).find(|folder| folder.join(author::project::MANIFEST).is_file());
    Ok(project.map_or(here, Path::to_owned))
}

/// What is granted, with the keys of the operator's file and nothing that is empty.
pub(super) fn written(terms: &Terms, root: &Path, mask: &Mask) -> anyhow::Result<toml::Table> {
    let mut entry = terms.entry.clone();
    for mount in &mut entry.files {
        let place = directory(mount, &terms.base, root).map_err(|Elsewhere(why, next)| Unclear(format!("--record: {why}; {next}")))?;
        mount.host = place.to_string_lossy().into_owned();
    }
    let text = toml::to_string(&entry).context("the grants cannot be written")?;
    let mut table: toml::Table = mask.text(&text).parse().context("the grants cannot be written without their secrets")?;
    table.retain(|key, value| {
        KEYS.contains(&key)
            && match value {
                toml::Value::Array(items) => !items.is_empty(),
                toml::Value::Table(table) => !table.is_empty(),
                _ => true,
            }
    });
    Ok(table)
}

/// The secrets that the plugin may use and that have a value. An operator's file may name others: their names are nobody's business.
pub(super) fn ready(terms: &Terms) -> Vec<String> {
    let named = named(&terms.entry);
    terms.values().into_iter().map(|(name, _)| name).filter(|name| named.contains(name)).collect()
}

/// The terms of a recording. Placeholders of its secrets are written into `place`; `root` is its project's folder.
pub(crate) fn read(recording: &Recording, file: &Path, root: &Path, place: &Path) -> anyhow::Result<Terms> {
    let unfit = |why: String| Error::at(file, why, "make it anew with `wardian call … --record`");
    if let Some(key) = recording.grants.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(unfit(format!("its grants have the key {key:?}, which is none of a recording's")).into());
    }
    let entry = recording.grants.clone().try_into();
    let mut entry: PluginFile = entry.map_err(|error: toml::de::Error| unfit(format!("its grants cannot be read: {}", error.message())))?;
    for mount in &mut entry.files {
        if Path::new(&mount.host).is_absolute() {
            return Err(unfit(format!("it grants {}, which is not named from the project's folder", mount.host)).into());
        }
        let inside = directory(mount, root, root).map_err(|Elsewhere(why, _)| unfit(why))?;
        mount.host = inside.to_string_lossy().into_owned();
    }
    // They are about several calls, and a recording is one.
    (entry.limits.rate, entry.limits.at_once) = (None, None);
    let base = root.canonicalize().with_context(|| format!("cannot find {}", root.display()))?;
    let mut terms = Terms { entry, base, ..Terms::default() };
    for name in named(&terms.entry).into_iter().chain(recording.secrets.clone()) {
        let from = secret(&name, recording.secrets.contains(&name), place)?;
        terms.secrets.insert(name, SecretFile { from });
    }
    Ok(terms)
}

/// The secrets that an entry names.
fn named(entry: &PluginFile) -> BTreeSet<String> {
    let injected = entry.http.iter().filter_map(|rule| Some(rule.inject.as_ref()?.secret.clone()));
    entry.secrets.keys().cloned().chain(injected).collect()
}

/// Where a played call finds a secret. One that had no value when the call was recorded has none
/// now, in a place of its own: terms that disagree about a secret name different places.
fn secret(name: &str, has_value: bool, place: &Path) -> anyhow::Result<String> {
    let value = place.join(format!("{}-{}", if has_value { "value" } else { "none" }, data_encoding::HEXLOWER.encode(name.as_bytes())));
    if has_value {
        std::fs::write(&value, placeholder(name)).with_context(|| format!("cannot write {}", value.display()))?;
    }
    Ok(format!("file:{}", value.display()))
}

/// The directory of a grant as it lies in the project's folder, with no link left in its path.
fn directory(mount: &MountFile, base: &Path, root: &Path) -> Result<PathBuf, Elsewhere> {
    let host = base.join(&mount.host);
    if mount.access == Access::Write {
        let why = format!("a recording does not hold what a tool writes into {}", mount.guest);
        return Err(Elsewhere(why, "grant it for reading only"));
    }
    let found = host.canonicalize().ok().filter(|path| path.is_dir());
    let found = found.ok_or_else(|| Elsewhere(format!("it needs the directory {}, which is not there", host.display()), "make it"))?;
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    // A name that is no text, or that another one is put into, leads elsewhere when it is read again.
    let inside = found.strip_prefix(&root).ok().filter(|_| found.to_str().is_some_and(|path| !path.contains(TENANT)));
    let why = || format!("{} is not a folder of the project in {}", host.display(), root.display());
    let inside = inside.map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    inside.map(Path::to_owned).ok_or_else(|| Elsewhere(why(), "copy what the tool reads into the project"))
}

#[cfg(test)]
mod tests;
