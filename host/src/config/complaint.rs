//! What is wrong with the configuration, said so that it can be mended at once.

use std::fmt;
use std::path::Path;

use toml::Table;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Where: file, line and column, or the name of a flag or a variable.
    pub(crate) place: String,
    /// What is wrong.
    pub(crate) message: String,
    /// What would be right; may be empty.
    pub(crate) help: String,
}

/// All findings; the configuration is refused for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaints(pub(crate) Vec<Complaint>);

impl std::error::Error for Complaints {}

impl From<Complaint> for Complaints {
    fn from(one: Complaint) -> Self {
        Self(vec![one])
    }
}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Complaint::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}

impl Complaint {
    /// A finding with nothing to suggest.
    pub(crate) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), help: String::new() }
    }

    /// The same with what would be right.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// What the reader of a file refused.
    pub(crate) fn in_file(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let place = match error.span() {
            Some(span) => {
                let (line, column) = line_and_column(text, span.start);
                format!("{}:{line}:{column}", path.display())
            }
            None => path.display().to_string(),
        };
        Self::of(place, error)
    }

    /// What the reader refused at a place that is no file.
    pub(crate) fn of(place: impl Into<String>, error: &toml::de::Error) -> Self {
        let (message, help) = reworded(error.message());
        Self { place: place.into(), message, help }
    }

    /// What the sections of another crate found, with the line of the key.
    pub(crate) fn of_policy(path: Option<&Path>, text: &str, problem: &policy::Problem) -> Self {
        let place = match path {
            Some(path) => match line_of(text, &problem.key) {
                Some(line) => format!("{}:{line}", path.display()),
                None => path.display().to_string(),
            },
            None => "configuration".to_owned(),
        };
        let message = if problem.key.is_empty() { problem.message.clone() } else { format!("{}: {}", problem.key, problem.message) };
        Self { place, message, help: problem.help.clone() }
    }
}

/// The reader's "unknown field" in the words of the file, and what was likely meant.
fn reworded(message: &str) -> (String, String) {
    let Some(unknown) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) else {
        return (message.trim_end().replace('\n', "; "), policy::file::suggestion(message).unwrap_or_default());
    };
    let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
    let help = policy::file::suggestion(message)
        .or_else(|| home_of(unknown).map(|section| format!("`{unknown}` belongs into [{section}]")))
        .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
    (format!("unknown key `{unknown}`"), help)
}

/// The section in which a key would be right.
fn home_of(key: &str) -> Option<String> {
    fn find(table: &Table, key: &str, path: &str) -> Option<String> {
        table.iter().find_map(|(name, value)| {
            let inner = value.as_table()?;
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if inner.contains_key(key) { Some(path) } else { find(inner, key, &path) }
        })
    }
    find(&super::switched_on(super::EXAMPLE).parse().ok()?, key, "")
}

/// Both from 1, as editors count; columns in characters.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The line of a key by its path, such as `plugin.weather.http[0].host`: the
/// longest beginning of the path that the file spells out somewhere.
pub(super) fn line_of(text: &str, path: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut found = None;
    for segment in path.split('.') {
        let (name, index) = match segment.split_once('[') {
            Some((name, rest)) => (name, rest.trim_end_matches(']').parse::<usize>().ok()),
            None => (segment, None),
        };
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref().as_ref() == name) else { break };
        let value = match (index, value.get_ref()) {
            (Some(index), toml::de::DeValue::Array(items)) => match items.get(index) {
                Some(item) => item,
                None => value,
            },
            _ => value,
        };
        found = Some(if index.is_some() { value.span().start } else { key.span().start });
        match value.get_ref() {
            toml::de::DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found.map(|at| line_and_column(text, at).0)
}
