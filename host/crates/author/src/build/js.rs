//! Building a project in this language.

use crate::toolchain::Toolchains;
use crate::{Error, Project, Result};

/// The component, without the manifest.
pub(super) fn component(project: &Project, _toolchains: &Toolchains) -> Result<Vec<u8>> {
    Err(Error::at(&project.root, "this language cannot be built", "see the languages that can"))
}
