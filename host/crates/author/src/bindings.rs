//! Bindings of a world for languages whose compilers know nothing of WIT: the C
//! and the Go that carries values over the border of a component.

use std::fs;
use std::path::Path;

use wit_bindgen_core::{Files, WorldGenerator};

use crate::{Error, Result, World};

/// A language that bindings can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// `WORLD.h`, `WORLD.c` and an object with the world's types that is to be linked.
    C,
    /// Go packages in the folder of this name inside of a module; the module brings `Describe` and `Invoke` itself.
    Go,
}

/// A file of bindings: its path in their folder, and what stands in it.
pub type File = (String, Vec<u8>);

/// What the module at this address is to be called in a Go program that brings it along.
const GO_RUNTIME: &str = "go.bytecodealliance.org/pkg/wit/";

/// The bindings of a world in C.
pub fn c(world: &World) -> Result<Vec<File>> {
    generate(world, wit_bindgen_c::Opts::default().build())
}

/// The bindings of a world as Go packages of the module path `package`. They
/// import their runtime from `runtime` rather than from a module of its own, so
/// that nothing has to be fetched.
pub fn go(world: &World, package: &str, runtime: &str) -> Result<Vec<File>> {
    let options = wit_bindgen_go::Opts {
        format: wit_bindgen_go::Format::False,
        pkg_name: Some(package.to_owned()),
        quiet: true,
        ..wit_bindgen_go::Opts::default()
    };
    let mut files = generate(world, options.build())?;
    for (path, bytes) in &mut files {
        if let Ok(text) = std::str::from_utf8(bytes)
            && path.ends_with(".go")
        {
            *bytes = text.replace(GO_RUNTIME, &format!("{runtime}/")).into_bytes();
        }
    }
    Ok(files)
}

/// Writes files of bindings into a folder, which is made if it is not there. A
/// file that says the same already keeps its time, for compilers that go by it.
pub fn write(files: &[File], folder: &Path) -> Result<()> {
    for (path, bytes) in files {
        let file = folder.join(path);
        if fs::read(&file).is_ok_and(|there| there == *bytes) {
            continue;
        }
        let parent = file.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&file, bytes))
            .map_err(|error| Error::at(&file, format!("the bindings cannot be written: {error}"), "make room for them"))?;
    }
    Ok(())
}

fn generate(world: &World, mut generator: Box<dyn WorldGenerator>) -> Result<Vec<File>> {
    let mut files = Files::default();
    let mut resolve = world.resolve.clone();
    generator
        .generate(&mut resolve, world.id, &mut files)
        .map_err(|error| Error::of(format!("world {}", world.name()), format!("no bindings: {error:#}"), "write its types differently"))?;
    Ok(files.iter().map(|(path, bytes)| (path.to_owned(), bytes.to_owned())).collect())
}
