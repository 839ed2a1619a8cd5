//! Building a project in Rust: cargo, with a rustc that has the guests' target.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::run;
use crate::toolchain::{RUST_TARGET, Toolchains};
use crate::{Error, Language, Project, Result};

const NEXT: &str = "mend what cargo says";

/// What of the caller's environment would have the guest built in another way or another place.
const NOT_FOR_GUESTS: [&str; 6] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"];

/// How rustc says that it does not find what std is made of. cargo does not notice when std
/// is installed anew, and goes on with what it compiled against the old one.
const ANOTHER_STD: &str = "error[E0463]";

/// The component, without the manifest.
pub(super) fn component(project: &Project, toolchains: &Toolchains) -> Result<Vec<u8>> {
    toolchains.require(Language::Rust)?;
    let rustc = toolchains.rustc().unwrap_or_else(|| "rustc".into());
    let built = match cargo(project, &rustc) {
        Err(failed) if failed.words.contains(ANOTHER_STD) => {
            let stale = project.scratch().join(RUST_TARGET);
            fs::remove_dir_all(&stale)
                .map_err(|error| Error::at(&stale, format!("it cannot be removed: {error}"), "remove it yourself"))?;
            cargo(project, &rustc)?
        }
        built => built?,
    };
    let file = artefact(project, &built)?;
    fs::read(&file).map_err(|error| Error::at(&file, format!("it cannot be read: {error}"), "build again"))
}

/// One build; what cargo says about its artefacts, a JSON object a line.
fn cargo(project: &Project, rustc: &Path) -> Result<Vec<u8>> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&project.root).env("RUSTC", rustc);
    for name in NOT_FOR_GUESTS {
        cargo.env_remove(name);
    }
    cargo.args(["build", "--release", "--lib", "--quiet", "--message-format=json-render-diagnostics", "--target", RUST_TARGET]);
    cargo.arg("--target-dir").arg(project.scratch());
    run(&mut cargo, NEXT).map_err(|mut failed| {
        let words: Vec<&str> = failed.words.lines().filter(|line| !line.starts_with("{\"reason\"")).collect();
        failed.words = words.join("\n");
        failed
    })
}

/// The component among the artefacts: the only WebAssembly that the project's own library gave.
fn artefact(project: &Project, said: &[u8]) -> Result<PathBuf> {
    let manifest = project.root.join("Cargo.toml");
    let messages = said.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let own = messages.filter(|message| message["reason"] == "compiler-artifact");
    let own = own.filter(|message| message["manifest_path"].as_str().is_some_and(|path| is_same(Path::new(path), &manifest)));
    let files = own.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let mut components =
        files.filter_map(|file| file.as_str().map(PathBuf::from)).filter(|file| file.extension().is_some_and(|it| it == "wasm"));
    components
        .next()
        .ok_or_else(|| Error::at(&manifest, "it gives no component", "write `crate-type = [\"cdylib\", \"rlib\"]` under `[lib]`"))
}

/// Whether two paths lead to one file: cargo resolves links.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || fs::canonicalize(one).is_ok_and(|one| fs::canonicalize(other).is_ok_and(|other| one == other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(place: &tempfile::TempDir) -> Project {
        fs::write(place.path().join("plugin.toml"), "name = 'a'").unwrap();
        fs::write(place.path().join("Cargo.toml"), "").unwrap();
        Project::open(place.path()).unwrap()
    }

    #[test]
    fn the_component_is_the_one_of_the_project_itself() {
        let place = tempfile::tempdir().unwrap();
        let project = project(&place);
        let line = |manifest: &Path, files: &[&str]| {
            serde_json::json!({"reason": "compiler-artifact", "manifest_path": manifest, "filenames": files}).to_string()
        };
        let own = place.path().join("Cargo.toml");
        let said = [line(Path::new("/other/Cargo.toml"), &["/x/other.wasm"]), line(&own, &["/x/liba.rlib", "/x/a.wasm"]), "no JSON".into()];
        assert_eq!(artefact(&project, said.join("\n").as_bytes()).unwrap(), Path::new("/x/a.wasm"));
        let none = artefact(&project, line(&own, &["/x/liba.rlib"]).as_bytes()).unwrap_err();
        assert!(none.to_string().contains("Cargo.toml: it gives no component; write `crate-type"), "{none}");
    }
}
