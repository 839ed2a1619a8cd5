//! From a WebAssembly module, which compilers give, to the component that the
//! contract asks for.

use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::{Error, Result, World, section};

/// How WebAssembly begins: the same four bytes for modules and components.
const MAGIC: &[u8] = b"\0asm";
/// What follows in a module. A component has another version and layer.
const MODULE: &[u8] = &[1, 0, 0, 0];

/// The sections in which a module says itself what it implements.
const TYPES: &str = "component-type";

/// The component of a module, which implements a world. A module that says itself
/// what it implements, because it was linked with the object of [`bindings::c`](crate::bindings::c),
/// keeps to that. Calls of WASI's first preview go through an adapter to the second.
pub fn component(file: &Path, module: &[u8], world: &World) -> Result<Vec<u8>> {
    check(file, module)?;
    encode(module, world).map_err(|words| {
        let next = format!("it has to import and export what world {} says", world.name());
        Error::at(file, "no component can be made of it", next).saying(words)
    })
}

fn encode(module: &[u8], world: &World) -> std::result::Result<Vec<u8>, String> {
    let mut module = module.to_vec();
    if !section::has_custom(&module, TYPES) {
        embed_component_metadata(&mut module, &world.resolve, world.id, StringEncoding::UTF8, false).map_err(words)?;
    }
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).map_err(words)?.adapter(ADAPTER_NAME, ADAPTER).map_err(words)?;
    encoder.encode().map_err(words)
}

/// An error with all that led to it.
fn words(error: impl std::fmt::Display) -> String {
    format!("{error:#}")
}

fn check(file: &Path, bytes: &[u8]) -> Result<()> {
    match bytes.strip_prefix(MAGIC) {
        Some(rest) if rest.starts_with(MODULE) => Ok(()),
        Some(_) => Err(Error::at(file, "it is a component already", "use it as it is")),
        None => Err(Error::at(file, "it is no WebAssembly", "name what the compiler wrote")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(module: &[u8]) -> String {
        let world = World::contract().expect("the contract");
        component(Path::new("tool.wasm"), module, &world).expect_err("no component").to_string()
    }

    #[test]
    fn a_module_without_the_exports_is_told_the_first_that_is_missing() {
        let said = said_of(b"\0asm\x01\0\0\0");
        assert!(said.starts_with("tool.wasm: ") && said.contains("describe"), "{said}");
    }

    #[test]
    fn what_is_no_module_is_told_what_it_is() {
        assert!(said_of(b"#!/bin/sh").contains("no WebAssembly"));
        assert!(said_of(b"\0asm\x0d\0\x01\0").contains("a component already"));
    }
}
