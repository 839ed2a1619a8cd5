//! What the host offers, one module for each interface of the contract. In a
//! component these are the imports themselves; natively a stand-in answers.

/// Generates a module that re-exports an interface's functions from the imports
/// or from the stand-in, and its types from the imports in both cases.
macro_rules! interface {
    ($(#[$doc:meta])* $name:ident { $($function:ident),+ } $($kind:ident),* $(; $($more:ident),+)?) => {
        $(#[$doc])*
        pub mod $name {
            #[cfg(target_family = "wasm")]
            pub use crate::bindings::wardian::plugin::$name::{$($function),+};
            #[cfg(not(target_family = "wasm"))]
            pub use crate::native::$name::{$($function),+};
            $(pub use crate::bindings::wardian::plugin::$name::$kind;)*
            $(pub use crate::json::$name::{$($more),+};)?
        }
    };
}

interface! {
    /// What is known about the running call. Always available.
    context { id, session, agent, user, time_left, trace }
}

interface! {
    /// Files that can be made again, kept on the host's machine.
    cache { size, read, write, delete, names } Error
}

interface! {
    /// Settings from the operator's file.
    config { get, keys }
}

interface! {
    /// Progress, early parts of the answer, and whether the caller still waits. Always available.
    feedback { progress, emit, cancelled }
}

interface! {
    /// Credentials, for the rare plugin that must hold one itself.
    secrets { reveal, ready } Denial
}

interface! {
    /// A small durable key-value store.
    store { get, set, delete, keys } Error; get_json, set_json
}

/// Lines for the operator's log. Always available, counted.
pub mod log {
    pub use crate::bindings::wardian::plugin::log::Level;
    #[cfg(target_family = "wasm")]
    pub use crate::bindings::wardian::plugin::log::write;
    #[cfg(not(target_family = "wasm"))]
    pub use crate::native::log::write;

    /// Writes a line about something that somebody has to mend.
    pub fn error(message: impl AsRef<str>) {
        write(Level::Error, message.as_ref());
    }

    /// Writes a line that the operator should see even in a quiet log.
    pub fn warn(message: impl AsRef<str>) {
        write(Level::Warn, message.as_ref());
    }

    /// Writes a line of the ordinary story.
    pub fn info(message: impl AsRef<str>) {
        write(Level::Info, message.as_ref());
    }

    /// Writes a line for whoever looks for a fault.
    pub fn debug(message: impl AsRef<str>) {
        write(Level::Debug, message.as_ref());
    }
}
