//! What an author names on the command line: a component's file, or the folder of a project that was built.

use std::path::{Path, PathBuf};

use author::{Error, Project};
use tool::ToolId;

/// A component and what its author says about it.
#[derive(Debug, Clone)]
pub(crate) struct Artefact {
    /// Where it lies.
    pub(crate) file: PathBuf,
    /// Under which name it is called.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// The manifest beside it; none where it is inside, or there is none.
    pub(crate) manifest: Option<Vec<u8>>,
    /// The project that it belongs to, where it was named by that.
    pub(crate) project: Option<Project>,
}

impl Artefact {
    /// The component in a file or of a project.
    pub(crate) fn find(path: &Path) -> author::Result<Self> {
        if path.is_dir() {
            let project = Project::find(path)?;
            let file = project.component();
            if !file.is_file() {
                return Err(Error::at(&file, "it is not there", "make it with `wardian build`"));
            }
            return Ok(Self { name: project.name.clone(), project: Some(project), ..Self::read(&file)? });
        }
        Self::read(path)
    }

    fn read(file: &Path) -> author::Result<Self> {
        let next = "name a component's file, or the folder of a project";
        let bytes = std::fs::read(file).map_err(|error| Error::at(file, format!("it cannot be read: {error}"), next))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self { file: file.to_owned(), name: plugin_name(&stem), bytes, manifest: manifest(file), project: None })
    }
}

/// `X.toml` beside `X.wasm`, or `plugin.toml` in a folder that is called `X`: as in a plugin directory.
fn manifest(file: &Path) -> Option<Vec<u8>> {
    let folder = file.parent().and_then(Path::file_name);
    let in_folder = file.with_file_name("plugin.toml");
    let manifest =
        if folder.is_some() && folder == file.file_stem() && in_folder.is_file() { in_folder } else { file.with_extension("toml") };
    std::fs::read(manifest).ok()
}

/// A name that a plugin can have, as near to the file's as can be: compilers write `my_tool.wasm`.
fn plugin_name(stem: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = stem.chars().map(plain).skip_while(|c| !c.is_ascii_lowercase()).take(32).collect();
    if ToolId::is_plugin_name(&name) { name } else { "plugin".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_name_has_a_plugin_of_a_legal_one() {
        for (stem, name) in [("notes", "notes"), ("My_Tool", "my-tool"), ("9lives", "lives"), ("é", "plugin"), ("", "plugin")] {
            assert_eq!(plugin_name(stem), name);
        }
        assert!(ToolId::is_plugin_name(&plugin_name(&"x".repeat(99))));
    }
}
