//! The compilers of guest languages: where they are, what is missing, and how it is installed.

use std::path::PathBuf;

/// Where compilers are installed and looked for.
#[derive(Debug, Clone)]
pub struct Toolchains {
    /// One folder for all of them.
    pub prefix: PathBuf,
}

impl Toolchains {
    /// `GUEST_TOOLCHAINS`, or `guest-toolchains` where the user's data lies (`XDG_DATA_HOME`, `~/.local/share`).
    pub fn of_user() -> Self {
        let data = || {
            let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/share");
            std::env::var_os("XDG_DATA_HOME").map_or_else(home, PathBuf::from)
        };
        Self { prefix: std::env::var_os("GUEST_TOOLCHAINS").map_or_else(|| data().join("guest-toolchains"), PathBuf::from) }
    }
}
