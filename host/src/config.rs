//! The operator's configuration: flag over environment over file over default.
//!
//! [`file`] is what is written, [`layers`] puts the layers on each other,
//! [`settings`] is the validated form that the rest of the program sees, and
//! [`complaint`] says what is wrong: file, line, column, and the nearest right key.

mod complaint;
mod file;
mod layers;
mod settings;

pub(crate) use complaint::{Complaint, Complaints};
pub(crate) use file::LogFormat;
pub(crate) use layers::{Flags, Sources, read};
pub(crate) use settings::{Scheme, Settings};

/// Every setting with its default and its meaning; also what `wardian init`
/// writes, and from what the names of environment variables are derived.
pub(crate) const EXAMPLE: &str = include_str!("../wardian.example.toml");

/// The file that is read where none is named.
pub(crate) const DEFAULT_FILE: &str = "wardian.toml";

/// The sections of a file's text that say what is allowed; else why it cannot be read.
pub(crate) fn policy_of(text: &str) -> Result<policy::file::PolicyFile, String> {
    let file: file::File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    Ok(file.policy())
}

/// Switches every setting of an example file on: a line that begins with `#` and
/// no blank is a setting that is switched off, everything else after `#` is prose.
pub(crate) fn switched_on(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with([' ', '#']) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}

#[cfg(test)]
mod tests;
