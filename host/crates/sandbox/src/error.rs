//! Why the sandbox could not be opened. What goes wrong with one plugin is that
//! plugin's state, and what goes wrong in a call is its end; neither is an error of this type.

use std::path::PathBuf;

/// A failure of the sandbox itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine, its pool or its threads could not be started.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
    /// A directory could not be made or read.
    #[error("cannot open the directory {path}: {cause}")]
    Directory {
        /// Which one.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The key that authenticates compiled code could not be read or written.
    #[error("cannot use the key of the compile cache {path}: {cause}; remove the file to have a new one made")]
    Key {
        /// Its file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}
