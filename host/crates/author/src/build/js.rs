//! Building a project in TypeScript or JavaScript: esbuild makes one file of the plugin, the SDK and the packages
//! from npm, and componentize-qjs makes a component of it, with QuickJS inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::assets::{Sdk, write_wit};
use crate::command::run;
use crate::toolchain::Toolchains;
use crate::{Error, Language, Project, Result};

/// The SDK's package.
const SDK: &str = "@wardian/plugin";

/// Where the plugin begins unless `main` in `package.json` says otherwise.
const MAINS: [&str; 4] = ["src/index.ts", "src/index.js", "index.ts", "index.js"];

/// Where npm keeps the versions that it chose.
const LOCK: &str = "package-lock.json";
/// What npm leaves beside the packages that it installed.
const OF_NPM: &str = ".package-lock.json";
/// What a build leaves beside them: what they were installed for.
const STAMP: &str = ".wardian";

/// The interfaces of WASI that the SDK imports.
const INTERFACES: [&str; 6] =
    ["wasi:http/types", "wasi:http/outgoing-handler", "wasi:io/error", "wasi:io/poll", "wasi:io/streams", "wasi:clocks/monotonic-clock"];

/// Their version as the SDK has it.
const WRITTEN: &str = "@0.2.0";

/// Their version while the component is made. componentize-qjs runs the top level of the plugin in a host that
/// has WASI 0.2 without HTTP and refuses whatever else is built upon its streams; what it does not know at
/// all it lets be. So nothing that it knows may have this version.
const UNKNOWN: &str = "@0.7.0";

/// Their version in the component: of WASI 0.2 again, and another one than the engine's own imports have.
const IMPORTED: &str = "@0.2.1";

/// The component, without the manifest.
pub(super) fn component(project: &Project, toolchains: &Toolchains) -> Result<Vec<u8>> {
    let componentize = toolchains.program(Language::Js, "componentize-qjs")?;
    let package = Package::read(project)?;
    package.install(project)?;
    let bundle = bundle(project, toolchains, &package)?;
    let wit = project.scratch().join("wit");
    write_wit(&wit)?;
    in_every_file(&wit, &|text| with_version(text, WRITTEN, UNKNOWN))?;
    let out = project.scratch().join("component.wasm");
    let mut command = Command::new(componentize);
    command.current_dir(&project.root).args(["--sync", "--world", "sdk", "--wit"]).arg(&wit);
    command.arg("--js").arg(&bundle).arg("--output").arg(&out);
    run(&mut command, "mend what it says; the top level of a module runs while it is built")?;
    let component = fs::read(&out).map_err(|error| unreadable(&out, &error))?;
    Ok(imported(component))
}

/// A project's `package.json`.
struct Package {
    file: PathBuf,
    said: Value,
}

impl Package {
    fn read(project: &Project) -> Result<Self> {
        let file = project.root.join("package.json");
        let text =
            fs::read(&file).map_err(|error| Error::at(&file, format!("it cannot be read: {error}"), "a project in JavaScript has one"))?;
        let said = serde_json::from_slice(&text).map_err(|error| Error::at(&file, error.to_string(), "mend the JSON"))?;
        Ok(Self { file, said })
    }

    /// The module that declares the tools.
    fn main(&self, project: &Project) -> Result<PathBuf> {
        let named = self.said["main"].as_str();
        let candidates = named.map_or_else(|| MAINS.to_vec(), |main| vec![main]);
        let found = candidates.iter().map(|main| project.root.join(main)).find(|main| main.is_file());
        found.ok_or_else(|| {
            let reason = format!("there is no {}", candidates.join(" or "));
            Error::at(&self.file, reason, "name the module that declares the tools in `main`")
        })
    }

    /// Has npm install what the plugin depends on, if some of it is not there or others are wanted by now. Packages'
    /// own scripts are not run.
    fn install(&self, project: &Project) -> Result<()> {
        let Some(what) = self.wanted(project) else { return Ok(()) };
        let modules = project.root.join("node_modules");
        // A clean install begins with removing what is there, which would then have to be fetched again.
        let way = if project.root.join(LOCK).is_file() && !modules.exists() { "ci" } else { "install" };
        let mut npm = Command::new("npm");
        npm.current_dir(&project.root).args([way, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        run(&mut npm, &format!("see what npm says: it was to install {what} of {}", self.file.display()))?;
        write(&modules.join(STAMP), self.stamp(project).as_bytes())
    }

    /// What npm has to install, if anything.
    fn wanted(&self, project: &Project) -> Option<String> {
        // The SDK may come from elsewhere: it is looked for when it is needed.
        let names = self.said["dependencies"].as_object().into_iter().flat_map(|names| names.keys());
        let names: Vec<&String> = names.filter(|name| *name != SDK).collect();
        let modules = project.root.join("node_modules");
        if let Some(missing) = names.iter().find(|name| !modules.join(name).is_dir()) {
            return Some(format!("the dependency {missing}"));
        }
        let stale = match fs::read_to_string(modules.join(STAMP)) {
            Ok(stamp) => stamp != self.stamp(project),
            // What another tool than npm installed is that tool's own affair.
            Err(_) => modules.join(OF_NPM).is_file(),
        };
        (stale && !names.is_empty()).then(|| "the dependencies".to_owned())
    }

    /// What was asked for: a digest of `package.json` and of the lock.
    fn stamp(&self, project: &Project) -> String {
        let lock = fs::read(project.root.join(LOCK)).unwrap_or_default();
        let asked = Sha256::new().chain_update(self.said.to_string()).chain_update([0]).chain_update(lock);
        data_encoding::HEXLOWER.encode(&asked.finalize())
    }
}

/// One file of all modules. Functions that wait become generators over the promises of the SDK, because the
/// engine of a component has nobody who would run what waits.
fn bundle(project: &Project, toolchains: &Toolchains, package: &Package) -> Result<PathBuf> {
    let main = package.main(project)?;
    let folder = project.scratch().join("app");
    let entry = folder.join("entry.js");
    let relative = |path: &Path| Value::from(path.to_string_lossy()).to_string();
    let text = format!(
        "import \"{SDK}/globals\";\nimport {};\nimport {{ ready, tools }} from \"{SDK}/component\";\n\nready();\nexport {{ tools }};\n",
        relative(&main)
    );
    write(&entry, text.as_bytes())?;
    let out = folder.join("bundle.js");
    let mut esbuild = Command::new(esbuild(project, toolchains)?);
    esbuild.current_dir(&project.root).arg(&entry).arg(format!("--outfile={}", out.display()));
    let installed = project.root.join("node_modules");
    let modules = if installed.join(SDK).join("package.json").is_file() { installed } else { sdk(project)? };
    esbuild.env("NODE_PATH", modules);
    esbuild.args(["--bundle", "--format=esm", "--platform=neutral", "--main-fields=module,main", "--conditions=wardian"]);
    esbuild.args(["--external:wardian:*", "--external:wasi:*", "--target=es2023", "--charset=utf8", "--keep-names", "--log-level=warning"]);
    esbuild.args(["--supported:async-await=false", "--supported:async-generator=false", "--supported:for-await=false"]);
    esbuild.args(["--define:process.env.NODE_ENV=\"production\"", "--define:global=globalThis"]);
    run(&mut esbuild, "mend what esbuild says; modules of Node are not there in a component")?;
    in_file(&out, &|text| with_version(text, WRITTEN, UNKNOWN))?;
    Ok(out)
}

/// The project's own esbuild, where it has one.
fn esbuild(project: &Project, toolchains: &Toolchains) -> Result<PathBuf> {
    let own = project.root.join("node_modules/.bin/esbuild");
    if own.is_file() { Ok(own) } else { toolchains.program(Language::Js, "esbuild") }
}

/// A folder of modules with the SDK in it: the one beside the plugin, or else the one that this binary carries.
fn sdk(project: &Project) -> Result<PathBuf> {
    // Not where esbuild finds it by itself: once npm has installed the SDK, there must not be a second one.
    let modules = project.scratch().join("sdk/node_modules");
    let folder = modules.join(SDK);
    let beside = project.root.join("sdk");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| Error::at(&folder, format!("it cannot be removed: {error}"), "remove it yourself"))?;
    }
    if beside.join("package.json").is_file() {
        copy(&beside, &folder)?;
        return Ok(modules);
    }
    for path in Sdk::iter() {
        if let (Some(inner), Some(file)) = (path.strip_prefix("js/"), Sdk::get(&path)) {
            write(&folder.join(inner), &file.data)?;
        }
    }
    Ok(modules)
}

fn with_version(text: &str, from: &str, to: &str) -> String {
    // WIT says the version of a package, JavaScript that of an interface.
    let packages = ["package wasi:http", "package wasi:io", "package wasi:clocks"];
    let names = INTERFACES.iter().chain(&packages);
    names.fold(text.to_owned(), |text, name| text.replace(&format!("{name}{from}"), &format!("{name}{to}")))
}

/// The component with the names under which a host knows what it imports. They are as long as the ones they
/// replace, so nothing else in it changes.
fn imported(mut component: Vec<u8>) -> Vec<u8> {
    for name in INTERFACES {
        let (from, to) = (format!("{name}{UNKNOWN}"), format!("{name}{IMPORTED}"));
        let mut at = 0;
        while let Some(found) = component[at..].windows(from.len()).position(|bytes| bytes == from.as_bytes()) {
            at += found;
            component[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    component
}

fn in_every_file(folder: &Path, change: &dyn Fn(&str) -> String) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() { in_every_file(&path, change)? } else { in_file(&path, change)? }
    }
    Ok(())
}

/// Copies a folder, without the modules that were installed into it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for path in entries(from)? {
        let Some(name) = path.file_name().filter(|name| *name != "node_modules") else { continue };
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            write(&to.join(name), &fs::read(&path).map_err(|error| unreadable(&path, &error))?)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    listed.map_err(|error| unreadable(folder, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::at(path, format!("it cannot be read: {error}"), "see whether you may read it")
}

fn in_file(file: &Path, change: &dyn Fn(&str) -> String) -> Result<()> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    write(file, change(&text).as_bytes())
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, bytes));
    written.map_err(|error| Error::at(file, format!("it cannot be written: {error}"), "see whether you may write to that folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(place: &Path, package: &str) -> Project {
        write(&place.join("plugin.toml"), b"name = 'a'").unwrap();
        write(&place.join("package.json"), package.as_bytes()).unwrap();
        Project::open(place).unwrap()
    }

    #[test]
    fn the_plugin_begins_where_main_says_or_where_plugins_usually_do() {
        let place = tempfile::tempdir().unwrap();
        let plain = project(place.path(), "{}");
        let missing = Package::read(&plain).unwrap().main(&plain).unwrap_err().to_string();
        assert!(missing.contains("package.json: there is no src/index.ts or src/index.js or index.ts or index.js; name"), "{missing}");
        write(&place.path().join("index.js"), b"").unwrap();
        assert_eq!(Package::read(&plain).unwrap().main(&plain).unwrap(), place.path().join("index.js"));
        let named = project(place.path(), r#"{"main": "lib/a.ts"}"#);
        let missing = Package::read(&named).unwrap().main(&named).unwrap_err().to_string();
        assert!(missing.contains("there is no lib/a.ts; name the module"), "{missing}");
    }

    #[test]
    fn a_package_that_is_no_json_is_named() {
        let place = tempfile::tempdir().unwrap();
        let refused = Package::read(&project(place.path(), "{")).err().unwrap().to_string();
        assert!(refused.contains("package.json: EOF while parsing"), "{refused}");
    }

    #[test]
    fn without_packages_of_others_npm_is_not_started() {
        let place = tempfile::tempdir().unwrap();
        let own = project(place.path(), r#"{"dependencies": {"@wardian/plugin": "file:sdk"}, "devDependencies": {"typescript": "^5"}}"#);
        Package::read(&own).unwrap().install(&own).unwrap();
        assert!(!place.path().join("node_modules").exists());
    }

    #[test]
    fn packages_are_installed_again_when_others_are_wanted() {
        let place = tempfile::tempdir().unwrap();
        let wanted = |version: &str| {
            let project = project(place.path(), &format!(r#"{{"dependencies": {{"x": "{version}"}}}}"#));
            Package::read(&project).unwrap().wanted(&project)
        };
        let again = Some("the dependencies".to_owned());
        assert_eq!(wanted("1.0.0"), Some("the dependency x".to_owned()));
        write(&place.path().join("node_modules/x/index.js"), b"").unwrap();
        assert_eq!(wanted("1.0.0"), None, "somebody else installed it");
        write(&place.path().join("node_modules").join(OF_NPM), b"{}").unwrap();
        assert_eq!(wanted("1.0.0"), again, "nobody knows for what it was installed");

        let own = project(place.path(), r#"{"dependencies": {"x": "1.0.0"}}"#);
        let stamp = Package::read(&own).unwrap().stamp(&own);
        write(&place.path().join("node_modules").join(STAMP), stamp.as_bytes()).unwrap();
        assert_eq!(wanted("1.0.0"), None);
        assert_eq!(wanted("2.0.0"), again);
        write(&place.path().join(LOCK), b"{}").unwrap();
        assert_eq!(wanted("1.0.0"), again, "the lock is another one");
    }

    #[test]
    fn npm_installs_the_version_that_is_asked_for_now() {
        let place = tempfile::tempdir().unwrap();
        for folder in ["one", "two"] {
            let package = format!(r#"{{"name": "x", "version": "1.0.0", "main": "{folder}.js"}}"#);
            write(&place.path().join(folder).join("package.json"), package.as_bytes()).unwrap();
            let own = project(place.path(), &format!(r#"{{"dependencies": {{"x": "file:{folder}"}}}}"#));
            let package = Package::read(&own).unwrap();
            package.install(&own).unwrap();
            let installed = fs::read_to_string(place.path().join("node_modules/x/package.json")).unwrap();
            assert!(installed.contains(&format!("{folder}.js")), "{installed}");
            assert_eq!(package.wanted(&own), None, "npm is not started again");
        }
    }

    #[test]
    fn the_sdk_beside_the_plugin_wins_and_is_taken_as_a_whole() {
        let place = tempfile::tempdir().unwrap();
        let project = project(place.path(), "{}");
        let embedded = sdk(&project).unwrap().join(SDK);
        assert!(embedded.join("src/component.js").is_file() && embedded.join("src/host/wasi-http.js").is_file());
        write(&place.path().join("sdk/package.json"), b"{}").unwrap();
        write(&place.path().join("sdk/src/own.js"), b"").unwrap();
        write(&place.path().join("sdk/node_modules/x/index.js"), b"").unwrap();
        let own = sdk(&project).unwrap().join(SDK);
        assert!(own.join("src/own.js").is_file() && !own.join("src/component.js").exists() && !own.join("node_modules").exists());
    }

    #[test]
    fn the_interfaces_of_wasi_have_a_version_of_their_own_while_the_component_is_made() {
        let place = tempfile::tempdir().unwrap();
        write_wit(place.path()).unwrap();
        in_every_file(place.path(), &|text| with_version(text, WRITTEN, UNKNOWN)).unwrap();
        let mut resolve = wit_parser::Resolve::default();
        let (package, _) = resolve.push_dir(place.path()).unwrap();
        let world = resolve.select_world(&[package], Some("sdk")).unwrap();
        let imports: Vec<String> = resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key)).collect();
        let of_wasi: Vec<&String> = imports.iter().filter(|name| name.starts_with("wasi:")).collect();
        assert!(of_wasi.len() >= 4 && of_wasi.iter().all(|name| name.ends_with(UNKNOWN)), "{imports:?}");
        assert!(of_wasi.iter().all(|name| INTERFACES.contains(&name.trim_end_matches(UNKNOWN))), "{imports:?}");

        assert_eq!(with_version("from \"wasi:http/types@0.2.0\"", WRITTEN, UNKNOWN), "from \"wasi:http/types@0.7.0\"");
        let renamed = imported(b"..wasi:http/types@0.7.0wasi:io/poll@0.7.0 wasi:other/x@0.7.0".to_vec());
        assert_eq!(renamed, b"..wasi:http/types@0.2.1wasi:io/poll@0.2.1 wasi:other/x@0.7.0");
    }
}
