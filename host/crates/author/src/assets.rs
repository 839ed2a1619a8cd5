//! What the binary carries for authors: the contract, the SDKs and the templates of new projects.

use std::fs;
use std::path::Path;

use rust_embed::RustEmbed;

use crate::{Error, Result};

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
#[exclude = "go/internal/bindings/imports/*"]
#[exclude = "go/internal/bindings/exports/wit_exports/*"]
#[exclude = "go/internal/bindings/wit/*"]
pub(crate) struct Sdk;

/// A folder for each language, in which `{{name}}` stands for the plugin's name.
#[derive(RustEmbed)]
#[folder = "templates"]
pub(crate) struct Templates;

/// What Go bindings need at run time; see the README there.
#[derive(RustEmbed)]
#[folder = "go-wit"]
pub(crate) struct GoWit;

/// Writes the WIT that SDKs are generated from into a folder: the world `sdk`, with the contract and what
/// else it needs in `deps`. A file that is right already stays untouched, so that nothing is built again for its sake.
pub(crate) fn write_wit(folder: &Path) -> Result<()> {
    let sdk = Sdk::iter().filter_map(|path| Some((path.strip_prefix("wit/")?.to_owned(), Sdk::get(&path)?.data)));
    let contract = Contract::iter().filter_map(|path| Some((format!("deps/wardian-plugin/{path}"), Contract::get(&path)?.data)));
    for (path, bytes) in sdk.chain(contract) {
        let file = folder.join(path);
        if fs::read(&file).is_ok_and(|there| there == *bytes) {
            continue;
        }
        let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&file, &bytes));
        written.map_err(|error| Error::at(&file, format!("it cannot be written: {error}"), "see whether you may write to that folder"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wit_that_is_written_is_a_world_with_tools_and_requests() {
        let place = tempfile::tempdir().unwrap();
        write_wit(place.path()).unwrap();
        write_wit(place.path()).unwrap();
        let mut resolve = wit_parser::Resolve::default();
        let (package, _) = resolve.push_dir(place.path()).unwrap();
        let world = resolve.select_world(&[package], Some("sdk")).unwrap();
        let names = |items: Vec<&wit_parser::WorldKey>| items.into_iter().map(|key| resolve.name_world_key(key)).collect::<Vec<_>>();
        assert_eq!(names(resolve.worlds[world].exports.keys().collect()), ["wardian:plugin/tools@0.1.0"]);
        assert!(names(resolve.worlds[world].imports.keys().collect()).iter().any(|name| name.starts_with("wasi:http/outgoing-handler")));
    }
}
