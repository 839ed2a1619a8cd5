//! What comes with the server: the plugins with the narrow grants they need, a
//! small knowledge base, and two agents. All of it is put in place at the first
//! start and is the operator's from then on: what was changed stays changed, and
//! what was removed stays away.

mod agents;
mod grants;
mod knowledge;
mod plugins;

/// What the build embedded.
mod embedded {
    use super::Plugin;

    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

pub(crate) use agents::create_once;
pub(crate) use grants::grants;
pub(crate) use knowledge::unpack as unpack_knowledge;
pub(crate) use plugins::unpack as unpack_plugins;

use sha2::{Digest, Sha256};

/// A shipped plugin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plugin {
    /// Its name, the stem of its file.
    pub(crate) name: &'static str,
    /// The component.
    pub(crate) component: &'static [u8],
    /// What it says about itself, and what it requests.
    pub(crate) manifest: Option<&'static [u8]>,
}

/// The shipped plugins.
pub(crate) fn all() -> &'static [Plugin] {
    embedded::PLUGINS
}

/// A digest as it is written everywhere: `sha256:<hex>`.
fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}
