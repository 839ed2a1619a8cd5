//! From a project to a component in its `dist` folder, with the language's own tools.

mod c;
mod go;
mod js;
mod python;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wit_component::DecodedWasm;

pub(crate) use go::{complete_sdk, own as own_go};

use crate::toolchain::Toolchains;
use crate::{Error, Language, Project, Result, section};

/// What a component has to export to be a plugin.
const TOOLS: &str = "wardian:plugin/tools@0.1.0";

/// What a build gave.
#[derive(Debug, Clone)]
pub struct Built {
    /// The component, with the manifest inside.
    pub component: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// Builds a project into `dist/NAME.wasm`. What was there stays until the new one is whole.
pub fn build(project: &Project, toolchains: &Toolchains) -> Result<Built> {
    let began = Instant::now();
    let bare = component(project, toolchains)?;
    let file = project.component();
    let not_sound = |reason: String| Error::at(&file, reason, "the last good component stays where it is");
    let whole = section::with_manifest(&bare, &project.manifest).map_err(not_sound)?;
    is_plugin(&bare).map_err(not_sound)?;
    replace(&file, &whole)?;
    Ok(Built { bytes: whole.len() as u64, component: file, took: began.elapsed() })
}

/// The bytes of a project's component, without the manifest.
pub fn component(project: &Project, toolchains: &Toolchains) -> Result<Vec<u8>> {
    match project.language {
        Language::Rust => rust::component(project, toolchains),
        Language::Python => python::component(project, toolchains),
        Language::Js => js::component(project, toolchains),
        Language::Go => go::component(project, toolchains),
        Language::C => c::component(project, toolchains),
    }
}

/// Whether a component has what makes it a plugin; if not, what it has instead.
fn is_plugin(component: &[u8]) -> std::result::Result<(), String> {
    let decoded = wit_component::decode(component).map_err(|error| format!("its types cannot be read: {error:#}"))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("it is a package of WIT, not a component".into());
    };
    let exports: Vec<String> = resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key)).collect();
    if exports.iter().any(|export| export == TOOLS) {
        return Ok(());
    }
    let instead = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
    Err(format!("it exports {instead}, and a plugin exports {TOOLS}"))
}

/// Writes a file whole or not at all.
fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let new = file.with_extension(format!("wasm.{}", std::process::id()));
    let folder = file.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&new, bytes)).and_then(|()| fs::rename(&new, file));
    written.map_err(|error| {
        // What is half written is of no use; that it cannot be removed either says nothing new.
        let _ = fs::remove_file(&new);
        Error::at(file, format!("it cannot be written: {error}"), "see whether you may write to that folder and whether the disk is full")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_without_tools_is_no_plugin_and_is_told_what_it_exports() {
        let empty = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
        assert_eq!(is_plugin(&empty).unwrap_err(), format!("it exports nothing, and a plugin exports {TOOLS}"));
        assert!(is_plugin(&[&empty[..], &[11, 1]].concat()).unwrap_err().starts_with("its types cannot be read"));
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("dist/a.wasm");
        for bytes in [&b"first"[..], b"second"] {
            replace(&file, bytes).unwrap();
            assert_eq!(fs::read(&file).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(place.path().join("dist")).unwrap().count(), 1);
        fs::create_dir(place.path().join("dist/b.wasm")).unwrap();
        let refused = replace(&place.path().join("dist/b.wasm"), b"third").unwrap_err();
        assert!(refused.reason.starts_with("it cannot be written"), "{refused}");
        assert_eq!(fs::read_dir(place.path().join("dist")).unwrap().count(), 2);
    }
}
