//! The languages that a plugin can be written in with nothing but this binary and
//! packages of the language.

use std::fmt;
use std::str::FromStr;

/// A guest language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// Rust, compiled for `wasm32-wasip2`.
    Rust,
    /// Python, with an interpreter inside the component.
    Python,
    /// JavaScript and TypeScript, with QuickJS inside the component.
    Js,
    /// C, compiled for `wasm32-wasip2`.
    C,
    /// Go.
    Go,
}

impl Language {
    /// All of them, in the order in which they are listed everywhere.
    pub const ALL: [Self; 5] = [Self::Rust, Self::Python, Self::Js, Self::Go, Self::C];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Js => "js",
            Self::C => "c",
            Self::Go => "go",
        }
    }

    /// The file by which a project of this language is known. C has none: whatever
    /// has no other and a `.c` file in `src` is C.
    pub const fn mark(self) -> Option<&'static str> {
        match self {
            Self::Rust => Some("Cargo.toml"),
            Self::Python => Some("pyproject.toml"),
            Self::Js => Some("package.json"),
            Self::Go => Some("go.mod"),
            Self::C => None,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "javascript" | "typescript" | "ts" => return Ok(Self::Js),
            "py" => return Ok(Self::Python),
            "golang" => return Ok(Self::Go),
            _ => {}
        }
        let known = Self::ALL.into_iter().find(|language| language.name() == text);
        known.ok_or_else(|| format!("{text:?} is not one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}
