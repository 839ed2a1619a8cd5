//! What people who write tools work with: a new project in any of the guest
//! languages, its build into a component, the compilers that it needs, and the
//! checks, recordings and replays of what came out. It runs no component itself:
//! that is the sandbox's, and reaches this crate as a [`tool::Toolbox`].

mod assets;
pub mod bindings;
pub mod build;
pub mod check;
mod command;
pub mod componentize;
pub mod create;
pub mod differences;
mod error;
pub mod language;
pub mod mask;
pub mod project;
pub mod recording;
pub mod section;
pub mod text;
pub mod toolchain;
mod world;

pub use error::{Error, Result};
pub use language::Language;
pub use project::Project;
pub use world::World;
