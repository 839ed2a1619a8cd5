//! Running a language's own tool, and telling of its failure in its own words.

use std::process::{Command, Stdio};

use crate::{Error, Result};

/// What is shown of a tool's last words.
const LAST_WORDS_LINES_MAX: usize = 40;

/// Runs a tool to its end with nothing on its standard input, and answers with what it wrote to standard output.
pub(crate) fn run(command: &mut Command, next: &str) -> Result<Vec<u8>> {
    let subject = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::of(subject.clone(), format!("it cannot be started: {error}"), next))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LAST_WORDS_LINES_MAX)..].join("\n");
    Err(Error::of(subject, format!("it ended with {}:\n{last}\n", output.status), next))
}
