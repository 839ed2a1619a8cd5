//! Lists what is embedded in the binary: the built components of the shipped
//! plugins with their manifests, and the small knowledge base.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../plugins");
    let dist = root.join("dist");
    let base = root.join("knowledge/base");
    for watched in [&dist, &base] {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    let mut code = String::from("/// The shipped plugins, by name.\npub(super) static PLUGINS: &[Plugin] = &[\n");
    for component in files(&dist, "wasm")? {
        let name = stem(&component);
        let manifest = component.with_extension("toml");
        let manifest = if manifest.is_file() { format!("Some(include_bytes!({:?}))", manifest.canonicalize()?) } else { "None".into() };
        let bytes = component.canonicalize()?;
        let _ = writeln!(code, "    Plugin {{ name: {name:?}, component: include_bytes!({bytes:?}), manifest: {manifest} }},");
    }
    code.push_str("];\n/// The shipped pages of the knowledge base, by file name.\npub(super) static PAGES: &[(&str, &[u8])] = &[\n");
    for page in files(&base, "md")? {
        let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let _ = writeln!(code, "    ({name:?}, include_bytes!({:?})),", page.canonicalize()?);
    }
    code.push_str("];\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("embedded.rs"), code)
}

/// The files of a directory with this ending, sorted; none where there is no directory.
fn files(directory: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut found: Vec<PathBuf> = paths?.into_iter().filter(|path| path.extension().is_some_and(|it| it == ending)).collect();
    found.sort();
    Ok(found)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
