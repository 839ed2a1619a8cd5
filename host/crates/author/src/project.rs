//! A plugin's source folder: `plugin.toml`, the file that marks its language, and
//! the component in `dist` once it is built.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Language, Result};

/// The manifest's file.
pub const MANIFEST: &str = "plugin.toml";

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
        let manifest = fs::read_to_string(&file).map_err(|error| Error::at(&file, error.to_string(), "every project has one"))?;
        let table: toml::Table =
            toml::from_str(&manifest).map_err(|error| Error::at(&file, error.message().to_owned(), "mend the TOML"))?;
        let name = table.get("name").and_then(toml::Value::as_str).unwrap_or_default();
        if !tool::ToolId::is_plugin_name(name) {
            return Err(Error::at(
                &file,
                format!("its name {name:?} is no plugin name"),
                "give it a `name` of the form [a-z][a-z0-9-]{0,31}",
            ));
        }
        Ok(Self { root: root.to_owned(), name: name.to_owned(), language: language(root)?, manifest })
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
