//! A plugin's source folder: `plugin.toml`, the file that marks its language, and
//! the component in `dist` once it is built.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Language, Result};

/// The manifest's file.
pub const MANIFEST: &str = "plugin.toml";

/// The contract that the SDKs and servers of this version speak.
pub const CONTRACT: &str = "0.1";

/// What a server reads of a manifest.
const MANIFEST_BYTES_MAX: usize = 64 << 10;

/// What a server shows of a manifest; the requests are shown as well.
const TEXTS: [&str; 5] = ["name", "version", "license", "description", "contract"];

/// One text that a server shows.
const TEXT_CHARS_MAX: usize = 500;

/// What helps against an invisible character.
const VISIBLE: &str = "remove it, servers refuse what operators cannot see";

/// A plugin's project on disk.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its folder.
    pub root: PathBuf,
    /// The plugin's name, as its manifest gives it.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// The text of its manifest.
    pub manifest: String,
}

impl Project {
    /// The project that a folder belongs to: the folder itself or the nearest one above it with a manifest.
    pub fn find(folder: &Path) -> Result<Self> {
        let folder = std::path::absolute(folder).map_err(|error| Error::at(folder, error.to_string(), "name a folder that is there"))?;
        let root = folder.ancestors().find(|folder| folder.join(MANIFEST).is_file()).ok_or_else(|| {
            Error::at(
                &folder,
                "this is no plugin's project: neither it nor a folder above it has a plugin.toml",
                "make one with `wardian new NAME --lang LANGUAGE`",
            )
        })?;
        Self::open(root)
    }

    /// The project in exactly this folder.
    pub fn open(root: &Path) -> Result<Self> {
        let file = root.join(MANIFEST);
        let manifest = fs::read_to_string(&file)
            .map_err(|error| Error::at(&file, format!("it cannot be read: {error}"), "a project has one, as UTF-8 text"))?;
        let name = check(&file, &manifest)?;
        Ok(Self { root: root.to_owned(), name, language: language(root)?, manifest })
    }

    /// Where its component lies once it is built.
    pub fn component(&self) -> PathBuf {
        self.root.join("dist").join(format!("{}.wasm", self.name))
    }

    /// Where everything lies that a build makes on its way: may be removed at any time.
    pub fn scratch(&self) -> PathBuf {
        self.root.join("target")
    }
}

/// A plugin's name, or why it is none.
pub fn name(text: &str) -> std::result::Result<String, String> {
    if tool::ToolId::is_plugin_name(text) {
        return Ok(text.to_owned());
    }
    Err("a plugin's name has lower-case letters, digits and dashes and begins with a letter: [a-z][a-z0-9-]{0,31}".into())
}

fn invisible(subject: &str, hidden: char) -> String {
    format!("{subject} holds an invisible character, U+{:04X}", u32::from(hidden))
}

/// Refuses a key, and the texts and keys below it, that an operator could not read. TOML has escapes: what the file
/// does not show may be there all the same. The way to the value begins with the key at the top.
fn readable(file: &Path, top: &str, way: &str, value: &toml::Value) -> Result<()> {
    let shown = || format!("`{}`", schema::text::escaped(way));
    if let Some(hidden) = schema::text::hidden(way) {
        return Err(Error::at(file, invisible(&format!("the key {}", shown()), hidden), VISIBLE));
    }
    match value {
        toml::Value::String(text) => {
            if let Some(hidden) = schema::text::hidden(text) {
                return Err(Error::at(file, invisible(&shown(), hidden), VISIBLE));
            }
            let is_shown = top == "requests" || TEXTS.contains(&top);
            if is_shown && text.chars().count() > TEXT_CHARS_MAX {
                let reason = format!("{} is longer than {TEXT_CHARS_MAX} characters", shown());
                return Err(Error::at(file, reason, "shorten it, operators read all of it"));
            }
            Ok(())
        }
        toml::Value::Array(items) => items.iter().try_for_each(|item| readable(file, top, way, item)),
        toml::Value::Table(members) => members.iter().try_for_each(|(key, member)| readable(file, top, &format!("{way}.{key}"), member)),
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => Ok(()),
    }
}

/// What a server would refuse in a manifest, said before anything is built; the plugin's name, if there is nothing.
fn check(file: &Path, manifest: &str) -> Result<String> {
    if manifest.len() > MANIFEST_BYTES_MAX {
        let reason = format!("it is {} bytes long, and a server reads {MANIFEST_BYTES_MAX} at most", manifest.len());
        return Err(Error::at(file, reason, "keep in it what operators have to read"));
    }
    if let Some(hidden) = schema::text::hidden(manifest) {
        return Err(Error::at(file, invisible("it", hidden), VISIBLE));
    }
    let table: toml::Table = toml::from_str(manifest).map_err(|error| {
        let line = error.span().map_or(0, |span| manifest[..span.start].lines().count().max(1));
        Error::at(file, format!("line {line} is no TOML: {}", error.message()), "mend that line")
    })?;
    for (key, value) in &table {
        readable(file, key, key, value)?;
        if TEXTS.contains(&key.as_str()) && !value.is_str() {
            let reason = format!("its {key} is no text");
            return Err(Error::at(file, reason, format!("write `{key} = \"…\"`")));
        }
    }
    let given = table.get("name").and_then(toml::Value::as_str).unwrap_or_default();
    let name = name(given).map_err(|rule| Error::at(file, format!("its name {given:?} is no plugin name"), rule))?;
    match table.get("contract").and_then(toml::Value::as_str) {
        None | Some(CONTRACT) => Ok(name),
        Some(other) => {
            let reason = format!("it is made for contract {other}, and this Wardian builds for {CONTRACT}");
            Err(Error::at(file, reason, format!("write `contract = \"{CONTRACT}\"`, or use the Wardian of that contract")))
        }
    }
}

fn language(root: &Path) -> Result<Language> {
    let marked = Language::ALL.into_iter().find(|language| language.mark().is_some_and(|mark| root.join(mark).is_file()));
    if let Some(language) = marked {
        return Ok(language);
    }
    let sources = fs::read_dir(root.join("src")).into_iter().flatten().flatten();
    if sources.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|extension| extension == "c")) {
        return Ok(Language::C);
    }
    Err(Error::at(
        root,
        "it does not show what it is written in",
        "it needs a Cargo.toml, pyproject.toml, package.json or go.mod, or a .c file in src",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(manifest: &str) -> String {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(MANIFEST), manifest).unwrap();
        let refused = Project::open(place.path()).unwrap_err();
        assert!(refused.subject.starts_with(&*place.path().to_string_lossy()), "{refused}");
        refused.to_string()
    }

    #[test]
    fn a_manifest_that_a_server_would_refuse_is_refused_before_anything_is_built() {
        for (manifest, why) in [
            (
                "name = 'a'\ncontract = '0.2'".to_owned(),
                "it is made for contract 0.2, and this Wardian builds for 0.1; write `contract = \"0.1\"`",
            ),
            ("name = 'a'\ncontract = 0.1".into(), "plugin.toml: its contract is no text; write `contract ="),
            ("name = 'A B'".into(), "its name \"A B\" is no plugin name; a plugin's name has"),
            ("version = '1'".into(), "its name \"\" is no plugin name"),
            ("name = 'a'\n\nversion = = 2".into(), "plugin.toml: line 3 is no TOML"),
            ("name = 'a'\nversion = 1".into(), "plugin.toml: its version is no text; write `version ="),
            ("name = 'a\u{202e}'".into(), "plugin.toml: it holds an invisible character, U+202E"),
            (
                "name = 'a'\ndescription = \"a\\u202ec\"".into(),
                "plugin.toml: `description` holds an invisible character, U+202E; remove it",
            ),
            ("name = 'a'\ncontract = \"\\u001b\"".into(), "`contract` holds an invisible character, U+001B"),
            (
                "name = 'a'\n[[requests.http]]\nmethods = [\"G\\u200b\"]".into(),
                "`requests.http.methods` holds an invisible character, U+200B",
            ),
            ("[requests.secrets]\n\"k\\u200b\" = 'x'".into(), "the key `requests.secrets.k\\u{200b}` holds an invisible character, U+200B"),
            (format!("name = 'a'\ndescription = '{}'", "x".repeat(501)), "`description` is longer than 500 characters; shorten it"),
            (format!("[[requests.http]]\nreason = '{}'", "x".repeat(501)), "`requests.http.reason` is longer than 500 characters"),
            (format!("name = 'a' # {}", "x".repeat(MANIFEST_BYTES_MAX)), "bytes long"),
            ("name = 'a'".into(), "it does not show what it is written in; it needs a Cargo.toml"),
        ] {
            let refused = refusal(&manifest);
            assert!(refused.contains(why), "{manifest}: {refused}");
        }
    }

    #[test]
    fn a_project_is_found_from_any_folder_in_it() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("src/deep")).unwrap();
        fs::write(place.path().join(MANIFEST), "name = 'a'").unwrap();
        fs::write(place.path().join("src/a.c"), "").unwrap();
        let project = Project::find(&place.path().join("src/deep")).unwrap();
        assert_eq!((project.name.as_str(), project.language), ("a", Language::C));
        assert_eq!(project.component(), place.path().join("dist/a.wasm"));
    }

    #[test]
    fn outside_of_projects_the_way_to_one_is_told() {
        let place = tempfile::tempdir().unwrap();
        let lost = Project::find(place.path()).unwrap_err().to_string();
        assert!(lost.contains("this is no plugin's project") && lost.contains("wardian new NAME"), "{lost}");
    }
}
