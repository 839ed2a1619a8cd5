//! Building a C project: every `.c` file below `src`, `sdk` and `lib` with clang,
//! linked to a module, made a component. Flags of the project's own stand in
//! `compile_flags.txt`, one on each line, where clangd reads them too.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::toolchain::Toolchains;
use crate::{Error, Project, Result, World, bindings, command, componentize};

/// Where a project's sources lie: its own, the SDK's, and those of libraries.
const FOLDERS: [&str; 3] = ["src", "sdk", "lib"];
/// Flags of the project's own.
const FLAGS: &str = "compile_flags.txt";
/// What has wasi-libc for the second preview.
const TARGET: &str = "--target=wasm32-wasip2";
/// The one command that helps where something is missing.
const INSTALL: &str = "run `wardian toolchain install c`, or set WASI_SDK_PATH to a WASI SDK";
/// A project with more sources than this is a mistake, such as a link to a folder above it.
const SOURCES_MAX: usize = 10_000;

/// The component, without the manifest.
pub(super) fn component(project: &Project, toolchains: &Toolchains) -> Result<Vec<u8>> {
    let compiler = Compiler::find(toolchains)?;
    let root =
        std::path::absolute(&project.root).map_err(|error| Error::at(&project.root, error.to_string(), "name a folder that is there"))?;
    let project = &Project { root, ..project.clone() };
    let scratch = project.scratch().join("c");
    let bound = scratch.join("bindings");
    let world = World::sdk()?;
    bindings::write(&bindings::c(&world)?, &bound)?;
    let sources = Sources::of(project, &bound)?;
    let mut objects = Vec::new();
    for source in &sources.files {
        objects.push(compiler.compile(source, project, &sources, &scratch)?);
    }
    objects.push(bound.join("sdk_component_type.o"));
    let module = scratch.join(format!("{}.wasm", project.name));
    compiler.link(project, &objects, &module)?;
    let bytes = fs::read(&module).map_err(|error| Error::at(&module, error.to_string(), "build again"))?;
    componentize::component(&module, &bytes, &world)
}

/// What is compiled, and what makes all of it be compiled again.
struct Sources {
    files: Vec<PathBuf>,
    flags: Vec<String>,
    folders: Vec<PathBuf>,
    /// When a header or the flags changed last: nobody keeps account of which source uses which.
    shared: SystemTime,
}

impl Sources {
    fn of(project: &Project, bound: &Path) -> Result<Self> {
        let mut found = Vec::new();
        for folder in FOLDERS {
            collect(&project.root.join(folder), &mut found)?;
        }
        collect(bound, &mut found)?;
        found.sort();
        let flags = project.root.join(FLAGS);
        let text = fs::read_to_string(&flags).unwrap_or_default();
        let shared = found.iter().filter(|path| is(path, "h")).chain([&flags]).filter_map(|path| changed(path)).max();
        let folders = FOLDERS.map(|folder| project.root.join(folder)).into_iter().chain([bound.to_owned()]);
        Ok(Self {
            files: found.into_iter().filter(|path| is(path, "c")).collect(),
            flags: text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            folders: folders.filter(|folder| folder.is_dir()).collect(),
            shared: shared.unwrap_or(SystemTime::UNIX_EPOCH),
        })
    }
}

/// A clang with what it needs to compile and link for WASI.
#[derive(Debug)]
struct Compiler {
    clang: PathBuf,
    /// Debian's libraries of clang lie beside it, where the loader does not look.
    libraries: Vec<PathBuf>,
    linker: PathBuf,
    sysroot: PathBuf,
    /// Debian's compiler runtime lies where clang does not look for this target.
    builtins: Option<PathBuf>,
}

impl Compiler {
    fn find(toolchains: &Toolchains) -> Result<Self> {
        match &toolchains.wasi_sdk {
            Some(sdk) => Self::of_sdk(sdk),
            None => Self::of_prefix(&toolchains.prefix),
        }
    }

    /// What `https://github.com/WebAssembly/wasi-sdk` unpacks to.
    fn of_sdk(sdk: &Path) -> Result<Self> {
        let there = |path: &str| {
            let path = sdk.join(path);
            if path.exists() { Ok(path) } else { Err(Error::at(&path, "WASI_SDK_PATH has none", INSTALL)) }
        };
        Ok(Self {
            clang: there("bin/clang")?,
            libraries: Vec::new(),
            linker: there("bin/wasm-ld")?,
            sysroot: there("share/wasi-sysroot")?,
            builtins: None,
        })
    }

    /// What `wardian toolchain install c` unpacks.
    fn of_prefix(prefix: &Path) -> Result<Self> {
        let usr = prefix.join("clang/usr");
        let missing = |what: &str| Error::at(prefix, format!("there is no {what} for C plugins"), INSTALL);
        let llvm = newest(&usr.join("lib"), "llvm-").ok_or_else(|| missing("clang"))?;
        let runtimes = newest(&llvm.join("lib/clang"), "").ok_or_else(|| missing("clang"))?;
        let sysroot = prefix.join("wasi/usr");
        if !sysroot.join("lib/wasm32-wasip2/libc.a").is_file() {
            return Err(missing("wasi-libc"));
        }
        Ok(Self {
            clang: llvm.join("bin/clang"),
            libraries: vec![usr.join("lib/x86_64-linux-gnu"), usr.join("lib/aarch64-linux-gnu"), llvm.join("lib")],
            linker: linker(&llvm.join("bin")).ok_or_else(|| missing("wasm-ld"))?,
            sysroot,
            builtins: Some(runtimes.join("lib/wasi/libclang_rt.builtins-wasm32.a")),
        })
    }

    /// The object of a source; compiled only if it, a header or the flags changed since.
    fn compile(&self, source: &Path, project: &Project, sources: &Sources, scratch: &Path) -> Result<PathBuf> {
        let object = object(source, project, scratch);
        let needs = changed(source).unwrap_or(SystemTime::now()).max(sources.shared);
        if changed(&object).is_some_and(|made| made > needs) {
            return Ok(object);
        }
        let folder = object.parent().unwrap_or(scratch);
        fs::create_dir_all(folder).map_err(|error| Error::at(folder, error.to_string(), "make room for it"))?;
        let mut clang = self.command();
        // The project's own folder is where it is run, so that nothing in the component names it.
        clang.current_dir(&project.root).args(["-O2", "-Wall", "-c"]);
        for folder in &sources.folders {
            clang.arg("-I").arg(folder.strip_prefix(&project.root).unwrap_or(folder));
        }
        clang.args(&sources.flags).arg(source.strip_prefix(&project.root).unwrap_or(source)).arg("-o").arg(&object);
        command::run(&mut clang, &format!("mend {}", source.display()))?;
        Ok(object)
    }

    fn link(&self, project: &Project, objects: &[PathBuf], module: &Path) -> Result<()> {
        let mut clang = self.command();
        let mut linker = std::ffi::OsString::from("-fuse-ld=");
        linker.push(&self.linker);
        clang.current_dir(&project.root).args(["-mexec-model=reactor", "-Wl,--strip-all"]).arg(linker).args(objects);
        if let Some(builtins) = &self.builtins {
            clang.args(["-nodefaultlibs", "-lc"]).arg(builtins);
        }
        clang.arg("-o").arg(module);
        let next = "define what is missing; every plugin needs wardian_tools and wardian_invoke";
        command::run(&mut clang, next).map(drop)
    }

    fn command(&self) -> Command {
        let mut clang = Command::new(&self.clang);
        let mut sysroot = std::ffi::OsString::from("--sysroot=");
        sysroot.push(&self.sysroot);
        clang.arg(TARGET).arg(sysroot);
        if !self.libraries.is_empty()
            && let Ok(paths) = std::env::join_paths(&self.libraries)
        {
            clang.env("LD_LIBRARY_PATH", paths);
        }
        clang
    }
}

/// Where the object of a source lies: in folders like those of the sources, so that each has one of its own.
fn object(source: &Path, project: &Project, scratch: &Path) -> PathBuf {
    let inside = source.strip_prefix(&project.root).unwrap_or(source);
    let folders = inside.components().filter(|part| matches!(part, Component::Normal(_)));
    let mut object = scratch.join("objects").join(folders.collect::<PathBuf>()).into_os_string();
    object.push(".o");
    object.into()
}

/// `wasm-ld`: beside clang, on PATH, or the one that rustup ships.
fn linker(beside: &Path) -> Option<PathBuf> {
    let named = beside.join("wasm-ld");
    if named.is_file() {
        return Some(named);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("wasm-ld")).find(|file| file.is_file());
    found.or_else(|| {
        let sysroot = command::run(Command::new("rustc").args(["--print", "sysroot"]), "").ok()?;
        let hosts = PathBuf::from(String::from_utf8(sysroot).ok()?.trim()).join("lib/rustlib");
        let hosts = fs::read_dir(hosts).ok()?.flatten();
        hosts.map(|host| host.path().join("bin/gcc-ld/wasm-ld")).find(|file| file.is_file())
    })
}

/// The last of the entries of a folder that begin like this: the highest version.
fn newest(folder: &Path, begin: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let version = |path: &Path| path.file_name().and_then(OsStr::to_str)?.strip_prefix(begin)?.split('.').next()?.parse::<u32>().ok();
    entries.filter_map(|path| Some((version(&path)?, path))).max().map(|(_, path)| path)
}

/// The C files below a folder, without those of tests and without following links.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && entry.file_name() != "tests" => collect(&path, found)?,
            Ok(kind) if kind.is_file() && (is(&path, "c") || is(&path, "h")) => found.push(path),
            Ok(_) | Err(_) => {}
        }
        if found.len() > SOURCES_MAX {
            return Err(Error::at(folder, format!("it has more than {SOURCES_MAX} sources"), "keep only the plugin's own"));
        }
    }
    Ok(())
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_compiler_names_the_command_that_installs_it() {
        let empty = tempfile::tempdir().expect("a folder");
        let error = Compiler::of_prefix(empty.path()).expect_err("nothing is there").to_string();
        assert!(error.contains("wardian toolchain install c"), "{error}");
        let error = Compiler::of_sdk(empty.path()).expect_err("nothing is there").to_string();
        assert!(error.contains("WASI_SDK_PATH"), "{error}");
    }

    #[test]
    fn the_newest_of_several_versions_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["llvm-9", "llvm-19", "python3"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        assert_eq!(newest(folder.path(), "llvm-"), Some(folder.path().join("llvm-19")));
    }

    #[test]
    fn each_source_has_an_object_of_its_own_below_the_scratch_folder() {
        let place = tempfile::tempdir().expect("a folder");
        fs::write(place.path().join("plugin.toml"), "name = 'a'").expect("a file");
        fs::create_dir(place.path().join("src")).expect("a folder");
        fs::write(place.path().join("src/a.c"), "").expect("a file");
        let project = Project::open(place.path()).expect("a project");
        let scratch = project.scratch().join("c");
        let of = |source: &str| object(&project.root.join(source), &project, &scratch);
        assert_eq!(of("src/a/b.c"), scratch.join("objects/src/a/b.c.o"));
        assert_eq!(of("src/a-b.c"), scratch.join("objects/src/a-b.c.o"));
        assert!(object(Path::new("/elsewhere/b.c"), &project, &scratch).starts_with(&scratch));
    }

    #[test]
    fn the_sdks_json_and_memory_hold_on_this_machine() {
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plugins/sdk/c");
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("json_test");
        let mut cc = Command::new("cc");
        cc.current_dir(&sdk).args(["-Wall", "-Wextra", "-Werror", "-I.", "tests/json_test.c", "json.c", "memory.c", "-o"]);
        command::run(cc.arg(&program), "see the compiler").expect("it compiles");
        command::run(&mut Command::new(&program), "see what does not hold").expect("all of it holds");
    }
}
