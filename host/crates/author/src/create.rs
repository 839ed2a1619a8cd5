//! A new project: the language's template with the plugin's name in it, and the SDK
//! beside it in `sdk`, so that nothing but the language's own packages is needed.
//! A plugin may be called `json`, `std` or `class`, which no module may be in every
//! language: a module or package that is compiled has `_tools` after the name, with
//! which it is nobody's keyword, standard module, or package.

use std::borrow::Cow;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::assets::{Contract, Sdk, Templates};
use crate::{Error, Language, Result, build};

/// Ends the name of a template's file that the tools of this repository would take for their own.
const DISGUISE: &str = ".in";

/// What an SDK has for itself, not for those who use it.
const OF_THE_SDK_ALONE: [&str; 5] = ["tests/", "test/", "Cargo.lock", "package-lock.json", ".gitignore"];

/// What may lie in the folder already: somebody who begins with a repository.
const MAY_LIE_THERE: &str = ".git";

/// What a new project is to be.
#[derive(Debug, Clone)]
pub struct New {
    /// The plugin's name.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// JavaScript without types; of other languages there is one kind only.
    pub is_plain: bool,
    /// Its folder, which is made if it is not there.
    pub folder: PathBuf,
}

/// Writes the project, and answers with its files, relative to its folder and sorted.
pub fn create(new: &New) -> Result<Vec<String>> {
    crate::project::name(&new.name).map_err(|rule| Error::of(format!("{:?}", new.name), "it is no plugin name", rule))?;
    let template = template(new.language, new.is_plain)?;
    be_empty(&new.folder)?;
    let mut files: Vec<(String, Cow<'static, [u8]>)> = Vec::new();
    for path in Templates::iter().filter_map(|path| path.strip_prefix(template).map(str::to_owned)) {
        if let Some(file) = Templates::get(&format!("{template}{path}")) {
            files.push((named(&path, &new.name), filled(file.data, &new.name)));
        }
    }
    files.extend(sdk(new.language));
    files.sort();
    for (path, bytes) in &files {
        write(&new.folder.join(path), bytes)?;
    }
    // Go's own tools want all of a module's packages, also before the first build.
    build::complete_sdk(&new.folder)?;
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// The folder of the templates, with a slash at its end.
fn template(language: Language, is_plain: bool) -> Result<&'static str> {
    match (language, is_plain) {
        (Language::Rust, false) => Ok("rust/"),
        (Language::Python, false) => Ok("python/"),
        (Language::Js, false) => Ok("js/"),
        (Language::Js, true) => Ok("js-plain/"),
        (Language::Go, false) => Ok("go/"),
        (Language::C, false) => Ok("c/"),
        (Language::Rust | Language::Python | Language::Go | Language::C, true) => Err(Error::of(
            "--plain",
            format!("there is one kind of {language} only"),
            "use it with --lang js, for JavaScript without types",
        )),
    }
}

/// The SDK as it lies in a project. That of Rust is generated from the contract as it is compiled.
fn sdk(language: Language) -> Vec<(String, Cow<'static, [u8]>)> {
    let folder = format!("{language}/");
    let mut files = Vec::new();
    for path in Sdk::iter().filter_map(|path| path.strip_prefix(&folder).map(str::to_owned)) {
        // Rust's is a link to the contract, which comes below.
        let is_left_out = is_of_the_sdk_alone(&path) || (language == Language::Rust && path.starts_with("wit/"));
        if let Some(file) = Sdk::get(&format!("{folder}{path}")).filter(|_| !is_left_out) {
            files.push((format!("sdk/{path}"), file.data));
        }
    }
    if language == Language::Rust {
        files.extend(Contract::iter().filter_map(|path| Some((format!("sdk/wit/{path}"), Contract::get(&path)?.data))));
    }
    files
}

fn is_of_the_sdk_alone(path: &str) -> bool {
    OF_THE_SDK_ALONE.iter().any(|own| path.starts_with(own)) || path.ends_with("_test.go")
}

fn named(path: &str, name: &str) -> String {
    path.strip_suffix(DISGUISE).unwrap_or(path).replace("{{snake}}", &name.replace('-', "_"))
}

/// The contents with the name in its places. What is no text stays as it is.
fn filled(contents: Cow<'static, [u8]>, name: &str) -> Cow<'static, [u8]> {
    match std::str::from_utf8(&contents) {
        Ok(text) => text.replace("{{name}}", name).replace("{{snake}}", &name.replace('-', "_")).into_bytes().into(),
        Err(_) => contents,
    }
}

fn be_empty(folder: &Path) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::at(folder, format!("it cannot be looked into: {error}"), "name another folder with --into")),
    };
    let there = entries.flatten().find(|entry| entry.file_name() != MAY_LIE_THERE);
    there.map_or(Ok(()), |there| {
        let reason = format!("it is not empty, {} lies in it", there.file_name().display());
        Err(Error::at(folder, reason, "name another folder with --into, or remove what is there"))
    })
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let made = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, bytes));
    made.map_err(|error| Error::at(file, format!("it cannot be written: {error}"), "name a folder with --into that you may write to"))
}

#[cfg(test)]
mod tests;
