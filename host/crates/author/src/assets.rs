//! What the binary carries for authors: the contract, the SDKs and the templates of new projects.

use rust_embed::RustEmbed;

/// `wit/v0.1`: the contract.
#[derive(RustEmbed)]
#[folder = "../../../wit/v0.1"]
pub(crate) struct Contract;

/// `plugins/sdk`: the SDKs and the WIT that they are generated from.
#[derive(RustEmbed)]
#[folder = "../../../plugins/sdk"]
#[exclude = "*/target/*"]
#[exclude = "*/node_modules/*"]
#[exclude = "*/__pycache__/*"]
pub(crate) struct Sdk;

/// A folder for each language, in which `{{name}}` stands for the plugin's name.
#[derive(RustEmbed)]
#[folder = "templates"]
pub(crate) struct Templates;
