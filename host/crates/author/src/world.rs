//! The WIT world that a plugin is written against: the contract, which this
//! binary carries, or another one from files of the author's.

use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;
use wit_parser::{Resolve, SourceMap, UnresolvedPackageGroup, WorldId};

use crate::assets::{Contract, Sdk};
use crate::{Error, Result};

/// The WIT of the SDKs inside [`Sdk`].
const SDK_WIT: &str = "wit/";

/// A world and everything that it refers to.
#[derive(Debug, Clone)]
pub struct World {
    pub(crate) resolve: Resolve,
    pub(crate) id: WorldId,
}

impl World {
    /// `wardian:plugin/plugin`: exactly the contract.
    pub fn contract() -> Result<Self> {
        let mut resolve = Resolve::default();
        let package = resolve.push_group(parse("the contract", sources::<Contract>(""))?);
        let package = package.map_err(|error| embedded(&error))?;
        Self::choose(resolve, package, "plugin")
    }

    /// `wardian:sdk/sdk`: the contract and HTTP requests, which the SDKs are made from.
    pub fn sdk() -> Result<Self> {
        let mut main = Vec::new();
        let mut dependencies = vec![parse("the contract", sources::<Contract>(""))?];
        for (path, text) in sources::<Sdk>(SDK_WIT) {
            match Path::new(&path).parent() == Some(Path::new("deps")) {
                true => dependencies.push(parse(&path, vec![(path.clone(), text)])?),
                false => main.push((path, text)),
            }
        }
        let mut resolve = Resolve::default();
        let package = resolve.push_groups(parse("the SDK's world", main)?, dependencies).map_err(|error| embedded(&error))?;
        Self::choose(resolve, package, "sdk")
    }

    /// A world of a WIT file, or of a folder of them with what they use in its `deps`.
    pub fn read(path: &Path, name: Option<&str>) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) =
            resolve.push_path(path).map_err(|error| Error::at(path, format!("it is no WIT that can be read: {error:#}"), "mend it"))?;
        let id = resolve
            .select_world(&[package], name)
            .map_err(|error| Error::at(path, format!("the world cannot be chosen: {error:#}"), "name one of its worlds with --world"))?;
        Ok(Self { resolve, id })
    }

    /// What the WIT calls it.
    pub fn name(&self) -> &str {
        &self.resolve.worlds[self.id].name
    }

    fn choose(resolve: Resolve, package: wit_parser::PackageId, name: &str) -> Result<Self> {
        let id = resolve.select_world(&[package], Some(name)).map_err(|error| embedded(&error))?;
        Ok(Self { resolve, id })
    }
}

/// The WIT files below a folder of what the binary carries, by their paths in it.
fn sources<E: RustEmbed>(folder: &str) -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = E::iter().map(|path| PathBuf::from(path.as_ref())).collect();
    paths.sort();
    let wit = paths.into_iter().filter_map(|path| {
        let path = path.to_str()?.to_owned();
        let short = path.strip_prefix(folder).filter(|short| short.ends_with(".wit"))?.to_owned();
        let text = String::from_utf8(E::get(&path)?.data.into_owned()).ok()?;
        Some((short, text))
    });
    wit.collect()
}

fn parse(subject: &str, files: Vec<(String, String)>) -> Result<UnresolvedPackageGroup> {
    let mut sources = SourceMap::default();
    for (path, text) in files {
        sources.push_str(&path, text);
    }
    sources.parse().map_err(|(_, error)| Error::of(subject, error.to_string(), "report it: this binary carries a broken contract"))
}

fn embedded(error: &impl std::fmt::Display) -> Error {
    Error::of("the contract", error.to_string(), "report it: this binary carries a broken contract")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_carried_worlds_can_be_read() {
        assert_eq!(World::contract().expect("the contract").name(), "plugin");
        assert_eq!(World::sdk().expect("the SDK's world").name(), "sdk");
    }

    #[test]
    fn a_world_that_is_not_there_is_named_with_its_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../wit/v0.1");
        assert_eq!(World::read(&folder, None).expect("one world").name(), "plugin");
        let error = World::read(&folder, Some("gadget")).expect_err("no such world").to_string();
        assert!(error.contains("gadget") && error.contains("v0.1"), "{error}");
    }
}
