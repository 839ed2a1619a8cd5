//! Building a Go project: the bindings put into its copy of the SDK, the module
//! compiled by Go for WASI's first preview, and made a component.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::toolchain::Toolchains;
use crate::{Error, Project, Result, World, bindings, command, componentize};

/// The import path under which the SDK looks for its bindings.
const BINDINGS: &str = "wardian.dev/plugin/internal/bindings";
/// Where they lie in a project's copy of the SDK.
const FOLDER: &str = "sdk/internal/bindings";
/// The first Go whose functions can be called from outside of a module.
const VERSION_MIN: u32 = 24;
/// The bindings use one of the runtime's own functions.
const LINKER_FLAGS: &str = "-ldflags=-s -w -checklinkname=0";

/// The component, without the manifest.
pub(super) fn component(project: &Project, toolchains: &Toolchains) -> Result<Vec<u8>> {
    let go = Go::find(toolchains)?;
    let root =
        std::path::absolute(&project.root).map_err(|error| Error::at(&project.root, error.to_string(), "name a folder that is there"))?;
    complete_sdk(&root)?;
    let module = root.join("target/go").join(format!("{}.wasm", project.name));
    let mut build = go.command();
    build.current_dir(&root).args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", LINKER_FLAGS, "-o"]);
    command::run(build.arg(&module).arg("."), "mend what it names")?;
    let bytes = fs::read(&module).map_err(|error| Error::at(&module, error.to_string(), "build again"))?;
    componentize::component(&module, &bytes, &World::sdk()?)
}

/// Writes the generated part of the SDK into a Go project that has a copy of it.
pub(crate) fn complete_sdk(root: &Path) -> Result<()> {
    if !root.join("sdk/go.mod").is_file() {
        return Ok(());
    }
    bindings::write(&bindings::go(&World::sdk()?, BINDINGS)?, &root.join(FOLDER))
}

/// The user's own Go, if there is one that is new enough.
pub(crate) fn own() -> Option<String> {
    let minor = Go { program: "go".into(), cache: None }.version()?;
    (minor >= VERSION_MIN).then(|| format!("go 1.{minor} on PATH"))
}

/// A Go, and whether it is ours.
#[derive(Debug)]
struct Go {
    program: PathBuf,
    /// Where ours keeps what it compiled.
    cache: Option<PathBuf>,
}

impl Go {
    /// The one on PATH if it is new enough, otherwise the one of `wardian toolchain install go`.
    fn find(toolchains: &Toolchains) -> Result<Self> {
        let own = Self { program: "go".into(), cache: None };
        if own.version().is_some_and(|minor| minor >= VERSION_MIN) {
            return Ok(own);
        }
        let program = toolchains.prefix.join("go/bin/go");
        if program.is_file() {
            return Ok(Self { program, cache: Some(toolchains.prefix.join("go-cache")) });
        }
        let reason = format!("there is no Go 1.{VERSION_MIN} or newer");
        Err(Error::at(&program, reason, "run `wardian toolchain install go`, or put your own on PATH"))
    }

    /// The middle number of its version.
    fn version(&self) -> Option<u32> {
        let said = command::run(Command::new(&self.program).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local"), "").ok()?;
        String::from_utf8(said).ok()?.trim().strip_prefix("go1.")?.split(['.', 'r', 'b']).next()?.parse().ok()
    }

    /// The user's own Go fetches what its settings say. Ours fetches nothing unless
    /// the user names a proxy: everything that a new project needs is in it.
    fn command(&self) -> Command {
        let mut go = Command::new(&self.program);
        go.env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0");
        if let Some(cache) = &self.cache {
            go.env("GOTOOLCHAIN", "local");
            for (name, value) in [("GOPROXY", Path::new("off")), ("GOCACHE", cache)] {
                if std::env::var_os(name).is_none() {
                    go.env(name, value);
                }
            }
        }
        go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_part_is_written_only_into_a_copy_of_the_sdk() {
        let project = tempfile::tempdir().expect("a folder");
        complete_sdk(project.path()).expect("nothing to do");
        assert!(!project.path().join("sdk").exists());
        fs::create_dir(project.path().join("sdk")).expect("a folder");
        fs::write(project.path().join("sdk/go.mod"), "module wardian.dev/plugin\n").expect("a file");
        complete_sdk(project.path()).expect("the bindings");
        let bound = project.path().join(FOLDER);
        let store = fs::read_to_string(bound.join("imports/wardian_plugin_store/wit_bindings.go")).expect("the store's");
        assert!(store.contains("\"wardian.dev/plugin/internal/bindings/wit/types\""), "{store}");
        assert!(bound.join("wit/LICENSE").is_file());
    }
}
