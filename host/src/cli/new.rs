//! `wardian new`: a plugin's project that works as it is.

use std::path::PathBuf;

use author::create::{New, create};
use author::toolchain::Toolchains;
use author::{Language, project};

use crate::banner::quoted;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wardian new greeter --lang rust
  wardian new greeter --lang js --plain      JavaScript instead of TypeScript
  wardian new greeter --lang go --into .     into this folder, which is empty

Everything that the project needs beside the language's own packages lies in it; `wardian build` builds it.")]
pub(super) struct Args {
    /// The plugin's name: lower-case letters, digits and dashes
    #[arg(value_parser = project::name)]
    name: String,
    /// What it is written in: rust, python, js, go or c
    #[arg(long, value_name = "LANGUAGE")]
    lang: Language,
    /// JavaScript without types
    #[arg(long)]
    plain: bool,
    /// Where to write it [default: a folder of the plugin's name]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

pub(super) fn run(Args { name, lang: language, plain: is_plain, into }: Args) -> anyhow::Result<()> {
    let folder = into.unwrap_or_else(|| PathBuf::from(&name));
    let new = New { name, language, is_plain, folder };
    create(&new)?;
    println!("{} is in {}, written in {language}. Next:\n", new.name, new.folder.display());
    let folder = quoted(&new.folder.display().to_string());
    if !Toolchains::of_user().state(language).is_ready() {
        println!("  wardian toolchain install {language}");
    }
    println!("  cd {folder}");
    println!("  wardian build");
    println!("  wardian call dist/{}.wasm greet '{{\"name\": \"Ada\"}}'", new.name);
    Ok(())
}
