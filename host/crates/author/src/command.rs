//! Running a language's own tool, and telling of its failure in its own words.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// What is shown of a tool's last words. The first mistake of a long list stands above them, but is
/// rarely further away.
const LAST_WORDS_LINES_MAX: usize = 60;

/// Runs a tool to its end with nothing on its standard input, and answers with what it wrote to standard output.
/// A command that is to be understood on its own has a current directory: that is what the failure names.
pub(crate) fn run(command: &mut Command, next: &str) -> Result<Vec<u8>> {
    let program = Path::new(command.get_program());
    let mut subject = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(folder) = command.get_current_dir() {
        subject = format!("{subject} in {}", folder.display());
    }
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::of(&subject, "it is not there", next),
        _ => Error::of(&subject, format!("it cannot be started: {error}"), next),
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(Error::of(subject, format!("it ended with {}", output.status), next).saying(last_words(&said)))
}

fn last_words(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_WORDS_LINES_MAX)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_tool_folder_and_next_step_before_the_tools_own_words() {
        let failed = run(Command::new("/bin/sh").current_dir("/").args(["-c", "echo out; echo err >&2; exit 3"]), "mend it").unwrap_err();
        assert_eq!(failed.to_string(), "sh in /: it ended with exit status: 3; mend it\nout\nerr");
    }

    #[test]
    fn a_tool_that_is_not_there_is_said_to_be_missing() {
        let missing = run(&mut Command::new("/nowhere/no-such-tool"), "install it").unwrap_err();
        assert_eq!(missing.to_string(), "no-such-tool: it is not there; install it");
    }

    #[test]
    fn of_a_long_story_the_end_is_told() {
        let story: String = (0..1000).map(|line| format!("line {line}\n\n")).collect();
        let told = last_words(&story);
        assert_eq!(told.lines().count(), LAST_WORDS_LINES_MAX);
        assert!(told.ends_with("line 999"));
    }
}
