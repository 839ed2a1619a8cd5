//! `wardian toolchain`: the compilers of plugins.

use author::Language;
use author::toolchain::{State, Toolchains};

use super::table;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the languages, their compilers, and what installs those that are missing
    List,
    /// Install the compilers of one or more languages
    #[command(after_help = "\
Examples:
  wardian toolchain install python
  wardian toolchain install rust go

They come from the packages of Debian and of the languages, and lie in ~/.local/share/guest-toolchains, or where
GUEST_TOOLCHAINS says. What is there already is kept. With rustup you may as well run
`rustup target add wasm32-wasip2` yourself, instead of installing rust here.")]
    Install {
        /// rust, python, js, go or c
        #[arg(required = true, value_name = "LANGUAGE")]
        languages: Vec<Language>,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let toolchains = Toolchains::of_user();
    match command {
        Command::List => list(&toolchains),
        Command::Install { languages } => toolchains.install(languages)?,
    }
    Ok(())
}

fn list(toolchains: &Toolchains) {
    let row = |language: Language| {
        let state = toolchains.state(language);
        let install = format!("wardian toolchain install {language}");
        let (word, next) = match &state {
            State::Ready { .. } => ("ready", String::new()),
            State::Outdated { .. } => ("outdated", install),
            State::Missing { .. } => ("missing", install),
        };
        [language.to_string(), state.compiler().to_owned(), word.to_owned(), next]
    };
    table::print(["LANGUAGE", "COMPILER", "STATE", "NEXT"], &Language::ALL.map(row));
}
