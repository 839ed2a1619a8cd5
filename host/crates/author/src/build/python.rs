//! Building a project in Python: componentize-py makes a component of the plugin's module, the SDK and
//! what `pyproject.toml` depends on. Only packages of pure Python can be taken along.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::assets::{Sdk, write_wit};
use crate::command::run;
use crate::toolchain::Toolchains;
use crate::{Error, Language, Project, Result};

/// The interpreter inside of componentize-py: packages are chosen for it.
const PYTHON: &str = "3.14";

/// Where modules lie unless `[tool.wardian]` says otherwise, as far as the folders are there.
const PATHS: [&str; 2] = ["src", "sdk/src"];

/// The SDK's package.
const SDK: &str = "wardian_plugin";

/// The module that a component is made of. It is written here.
const APP: &str = "wardian_app";

/// What of the caller's environment would bring other modules into the component.
const NOT_FOR_GUESTS: [&str; 4] = ["PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_REQUIRE_VIRTUALENV"];

/// The component, without the manifest.
pub(super) fn component(project: &Project, toolchains: &Toolchains) -> Result<Vec<u8>> {
    let componentize = toolchains.program(Language::Python, "componentize-py")?;
    let settings = Settings::read(project)?;
    let mut paths = settings.paths(project)?;
    let packages = Packages { folder: project.scratch().join("packages") };
    packages.install(project, toolchains, &settings.project.dependencies)?;
    let environment = packages.folder.clone();
    paths.push(packages.modules());
    if !paths.iter().any(|path| path.join(SDK).is_dir()) {
        paths.push(sdk(project)?);
    }
    let wit = project.scratch().join("wit");
    write_wit(&wit)?;
    let app = app(project, &settings.module(project))?;
    let out = project.scratch().join("component.wasm");

    let mut command = Command::new(componentize);
    command.current_dir(&project.root).env("RUST_BACKTRACE", "0").env("VIRTUAL_ENV", environment);
    for name in NOT_FOR_GUESTS {
        command.env_remove(name);
    }
    command.arg("-d").arg(&wit).args(["-w", "sdk", "componentize", APP, "-p"]).arg(&app);
    for path in &paths {
        command.arg("-p").arg(path);
    }
    command.arg("-o").arg(&out);
    run(&mut command, "mend what Python says; the top level of a module runs while it is built").map_err(|mut failed| {
        failed.words = of_python(&failed.words);
        failed
    })?;
    fs::read(&out).map_err(|error| Error::at(&out, format!("it cannot be read: {error}"), "build again"))
}

/// What a project says about itself in `pyproject.toml`; tools of others have their own tables there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    project: About,
    tool: Tools,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct About {
    dependencies: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tools {
    wardian: Ours,
}

/// `[tool.wardian]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ours {
    /// The module that declares the tools; the plugin's name with underscores where there is none.
    module: Option<String>,
    /// The folders in which modules are looked for, relative to the project.
    paths: Option<Vec<PathBuf>>,
}

impl Settings {
    fn read(project: &Project) -> Result<Self> {
        let file = project.root.join("pyproject.toml");
        let text = fs::read_to_string(&file)
            .map_err(|error| Error::at(&file, format!("it cannot be read: {error}"), "a project in Python has one, as UTF-8 text"))?;
        toml::from_str(&text).map_err(|error| Error::at(&file, error.message().to_owned(), "mend it").saying(error.to_string()))
    }

    fn module(&self, project: &Project) -> String {
        self.tool.wardian.module.clone().unwrap_or_else(|| project.name.replace('-', "_"))
    }

    /// The folders that are there, if one of them has the plugin's module.
    fn paths(&self, project: &Project) -> Result<Vec<PathBuf>> {
        let named = self.tool.wardian.paths.clone().unwrap_or_else(|| PATHS.iter().map(PathBuf::from).collect());
        let paths: Vec<PathBuf> = named.iter().map(|path| project.root.join(path)).filter(|path| path.is_dir()).collect();
        let module = self.module(project);
        let file = module.replace('.', "/");
        let is_there = |path: &PathBuf| path.join(format!("{file}.py")).is_file() || path.join(&file).join("__init__.py").is_file();
        if paths.iter().any(is_there) {
            return Ok(paths);
        }
        let shown: Vec<String> = named.iter().map(|path| path.display().to_string()).collect();
        Err(Error::at(
            &project.root.join("pyproject.toml"),
            format!("there is no module {module} in {}", shown.join(" or ")),
            "name the module that declares the tools under `[tool.wardian]`: module = \"…\", paths = [\"…\"]",
        ))
    }
}

/// The packages that a project depends on, laid out as in an environment of its own.
struct Packages {
    folder: PathBuf,
}

impl Packages {
    fn modules(&self) -> PathBuf {
        self.folder.join("lib/python/site-packages")
    }

    /// Installs what is asked for, unless that is there already. Versions with their digests in a
    /// `requirements.txt` beside `pyproject.toml` win over the names in it.
    fn install(&self, project: &Project, toolchains: &Toolchains, dependencies: &[String]) -> Result<()> {
        let locked = project.root.join("requirements.txt");
        let lock = fs::read_to_string(&locked).ok();
        let made_of = lock.clone().unwrap_or_else(|| dependencies.join("\n"));
        let stamp = self.folder.join(".made-of");
        if fs::read_to_string(&stamp).is_ok_and(|there| there == made_of) {
            return Ok(());
        }
        let not_written = |error: std::io::Error| Error::at(&self.folder, format!("it cannot be written: {error}"), "remove it");
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(not_written)?;
        }
        fs::create_dir_all(self.modules()).map_err(not_written)?;
        if lock.is_some() || !dependencies.is_empty() {
            let mut pip = self.pip(project, toolchains);
            if lock.is_some() {
                pip.arg("-r").arg(&locked);
            } else {
                pip.arg("--").args(dependencies);
            }
            run(&mut pip, "see what pip says about it").map_err(|failed| no_wheel(failed, project))?;
        }
        fs::write(&stamp, made_of).map_err(not_written)
    }

    /// pip, choosing wheels without native code for the interpreter inside of the component.
    fn pip(&self, project: &Project, toolchains: &Toolchains) -> Command {
        let mut pip = Command::new(toolchains.prefix.join("python/bin/python"));
        pip.current_dir(&project.root);
        for name in NOT_FOR_GUESTS {
            pip.env_remove(name);
        }
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--only-binary=:all:"]);
        pip.args(["--implementation", "py", "--abi", "none", "--platform", "any", "--python-version", PYTHON, "--target"]);
        pip.arg(self.modules());
        pip
    }
}

/// pip finds no wheel: most often because there are only such with native code.
fn no_wheel(failed: Error, project: &Project) -> Error {
    let found = failed.words.lines().find_map(|line| line.split_once("No matching distribution found for "));
    let Some((_, package)) = found else { return failed };
    let reason = format!("of {} there is no wheel in pure Python {PYTHON}, and native code does not run in a component", package.trim());
    Error::at(&project.root.join("pyproject.toml"), reason, "choose another version or another package").saying(failed.words)
}

/// The SDK that this binary carries, for projects that bring none.
fn sdk(project: &Project) -> Result<PathBuf> {
    let folder = project.scratch().join("sdk");
    for path in Sdk::iter() {
        if let (Some(inner), Some(file)) = (path.strip_prefix("python/src/"), Sdk::get(&path)) {
            write(&folder.join(inner), &file.data)?;
        }
    }
    Ok(folder)
}

/// The folder of the module that joins the plugin's module and the component's export.
fn app(project: &Project, module: &str) -> Result<PathBuf> {
    let folder = project.scratch().join("app");
    let text = format!("import {module}\nfrom {SDK}.component import Tools, require_tools\n\nrequire_tools(\"{module}\")\n");
    write(&folder.join(format!("{APP}.py")), text.as_bytes())?;
    Ok(folder)
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, bytes));
    written.map_err(|error| Error::at(file, format!("it cannot be written: {error}"), "see whether you may write to that folder"))
}

/// What the plugin's own Python said: componentize-py tells it inside of a failure of its own, and twice.
fn of_python(words: &str) -> String {
    let inner = words.split_once("AssertionError: ").map_or(words, |(_, inner)| inner);
    inner.split("Caused by:").next().unwrap_or(inner).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(place: &Path, pyproject: &str) -> Project {
        write(&place.join("plugin.toml"), b"name = 'word-count'").unwrap();
        write(&place.join("pyproject.toml"), pyproject.as_bytes()).unwrap();
        Project::open(place).unwrap()
    }

    fn paths(project: &Project) -> Result<Vec<PathBuf>> {
        Settings::read(project)?.paths(project)
    }

    #[test]
    fn the_module_is_named_like_the_plugin_and_lies_in_src_unless_told_otherwise() {
        let place = tempfile::tempdir().unwrap();
        let plain = project(place.path(), "[project]\nname = 'x'\n[tool.other]\na = 1\n");
        let missing = paths(&plain).unwrap_err().to_string();
        assert!(missing.contains("pyproject.toml: there is no module word_count in src or sdk/src; name the module"), "{missing}");
        write(&place.path().join("src/word_count.py"), b"").unwrap();
        assert_eq!(paths(&plain).unwrap(), [place.path().join("src")]);

        write(&place.path().join("lib/words/__init__.py"), b"").unwrap();
        let told = project(place.path(), "[tool.wardian]\nmodule = 'words'\npaths = ['lib']\n");
        assert_eq!(paths(&told).unwrap(), [place.path().join("lib")]);
    }

    #[test]
    fn a_setting_that_does_not_exist_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let refused = paths(&project(place.path(), "[tool.wardian]\nmodul = 'words'\n")).unwrap_err().to_string();
        assert!(refused.contains("pyproject.toml: unknown field `modul`, expected `module` or `paths`; mend it"), "{refused}");
    }

    #[test]
    fn a_package_with_native_code_is_named() {
        let place = tempfile::tempdir().unwrap();
        let said = "ERROR: Could not find a version (from versions: none)\nERROR: No matching distribution found for rapidfuzz==3.0";
        let failed = no_wheel(Error::of("python", "it ended", "see").saying(said), &project(place.path(), ""));
        assert!(failed.to_string().contains("pyproject.toml: of rapidfuzz==3.0 there is no wheel in pure Python"), "{failed}");
        assert!(failed.to_string().ends_with(said), "{failed}");
    }

    #[test]
    fn of_a_failed_build_the_words_of_python_are_told_once() {
        let said = "Traceback (most recent call last):\n  componentize-py\nAssertionError: Traceback:\n  File \"/1/a.py\"\nValueError: no\n\
                    Caused by:\n    ValueError: no";
        assert_eq!(of_python(said), "Traceback:\n  File \"/1/a.py\"\nValueError: no");
    }

    #[test]
    fn a_project_without_an_sdk_gets_the_one_of_this_binary() {
        let place = tempfile::tempdir().unwrap();
        let folder = sdk(&project(place.path(), "")).unwrap();
        assert!(folder.join(SDK).join("__init__.py").is_file() && folder.join(SDK).join("_host/component.py").is_file());
    }
}
