//! Bindings of a world for languages whose compilers know nothing of WIT: the C
//! and the Go that carries values over the border of a component.

use std::fs;
use std::path::Path;

use wit_bindgen_core::{Files, WorldGenerator};

use crate::assets::GoWit;
use crate::{Error, Result, World};

/// A file of bindings: its path in their folder, and what stands in it.
pub type File = (String, Vec<u8>);

/// Where generated Go code looks for what it needs at run time.
const GO_RUNTIME: &str = "go.bytecodealliance.org/pkg/wit/";
/// The part of it that only asynchronous functions need.
const GO_ASYNC: &str = "wit/async\"";

/// How a generated import begins that keeps memory in its place, and how an export ends.
const GO_IMPORT: &str = "\ndefer pinner.Unpin()\n";
const GO_EXPORTED: &str = "\nreturn exportReturnArea\n";

/// The bindings of a world in C.
pub fn c(world: &World) -> Result<Vec<File>> {
    generate(world, wit_bindgen_c::Opts::default().build())
}

/// The bindings of a world as Go packages below the import path `package`:
/// `imports/INTERFACE`, `exports/wit_exports`, and in `wit` what they need at run
/// time, so that nothing has to be fetched. The author adds `exports/export_INTERFACE`.
pub fn go(world: &World, package: &str) -> Result<Vec<File>> {
    let options = wit_bindgen_go::Opts {
        format: wit_bindgen_go::Format::False,
        pkg_name: Some(package.to_owned()),
        quiet: true,
        ..wit_bindgen_go::Opts::default()
    };
    let mut files = generate(world, options.build())?;
    for (path, bytes) in files.iter_mut().filter(|(path, _)| path.ends_with(".go")) {
        let text = String::from_utf8_lossy(bytes).replace(GO_RUNTIME, &format!("{package}/wit/"));
        if text.contains(GO_ASYNC) {
            let reason = format!("{path} would need asynchronous Go");
            return Err(Error::of(format!("world {}", world.name()), reason, "take futures and streams out of it"));
        }
        *bytes = at_rest(text).into_bytes();
    }
    let runtime = GoWit::iter().filter_map(|path| Some((format!("wit/{path}"), GoWit::get(&path)?.data.into_owned())));
    files.extend(runtime);
    Ok(files)
}

/// Has Go's collector and clock rest while the host may call into the component for
/// memory; why, and how, is said in the runtime's source. Files that never hand
/// over memory do not import the runtime.
fn at_rest(text: String) -> String {
    if !text.contains("\nwitRuntime ") && !text.contains(" witRuntime ") {
        return text;
    }
    text.replace(GO_IMPORT, &format!("{GO_IMPORT}defer witRuntime.Import()()\n"))
        .replace(GO_EXPORTED, &format!("\nwitRuntime.Leave(){GO_EXPORTED}"))
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
