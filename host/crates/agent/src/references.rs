//! References: `{"$ref": "session.metadata.customer"}` in the arguments that an
//! agent sets itself. The path is read once, when the agent is stored; its value
//! is looked up when it is needed.
//!
//! A path begins with `session.metadata`, `session.secrets`, `agent.metadata`,
//! `agent.secrets`, `tools.<configuration>.outputs.latest` or `currentDate`; a
//! leading `$` or `.` is passed over. What follows are names after dots, and in
//! brackets numbers, quoted names, or another path whose value is the name:
//! `agent.secrets[session.metadata.region]`.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use session::{Agent, Millis, Secrets, Session, State};

/// Characters of a path. Against agents that are larger than what they do.
const PATH: usize = 512;
/// Parts of a path.
const PARTS: usize = 16;
/// How deep paths may stand in brackets of one another.
const DEPTH: usize = 4;

/// A path that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    text: String,
    root: Root,
    parts: Vec<Part>,
}

/// Where a path begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Root {
    SessionMetadata,
    SessionSecrets,
    AgentMetadata,
    AgentSecrets,
    /// The latest output of the tool that the agent binds under this name.
    Output(String),
    CurrentDate,
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Name(String),
    At(usize),
    /// The name is what this path leads to.
    Named(Box<Reference>),
}

/// Where values are looked up.
pub(crate) struct Sources<'a> {
    pub(crate) agent: &'a Agent,
    pub(crate) session: &'a Session,
    pub(crate) now: Millis,
    pub(crate) state: &'a State,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// JSON text, as it was written.
    Json(String),
    /// The value of a secret.
    Secret(String),
}

impl Reference {
    /// Reads a path. The answer to a bad one says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > PATH {
            return Err(format!("a path may have at most {PATH} characters"));
        }
        Reader { rest: text }.path(DEPTH)
    }

    /// The path as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it leads to a secret.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.root, Root::SessionSecrets | Root::AgentSecrets)
    }

    /// The tools whose outputs it needs, by the names under which the agent binds them.
    pub(crate) fn outputs(&self) -> Vec<&str> {
        let own = match &self.root {
            Root::Output(name) => vec![name.as_str()],
            Root::SessionMetadata | Root::SessionSecrets | Root::AgentMetadata | Root::AgentSecrets | Root::CurrentDate => Vec::new(),
        };
        let inner = self.parts.iter().filter_map(|part| match part {
            Part::Named(inner) => Some(inner.outputs()),
            Part::Name(_) | Part::At(_) => None,
        });
        own.into_iter().chain(inner.flatten()).collect()
    }

    /// What it leads to; none where nothing is there.
    pub(crate) fn find(&self, sources: &Sources<'_>) -> Option<Found> {
        match &self.root {
            Root::SessionSecrets => self.secret(&sources.session.secrets, sources),
            Root::AgentSecrets => self.secret(&sources.agent.secrets, sources),
            Root::SessionMetadata => self.inside(&serde_json::to_string(&sources.session.metadata).ok()?, sources),
            Root::AgentMetadata => self.inside(&serde_json::to_string(&sources.agent.metadata).ok()?, sources),
            Root::Output(name) => self.inside(&sources.state.latest_output(name)?, sources),
            Root::CurrentDate => Some(Found::Json(format!("\"{}\"", sources.now.rfc3339()))),
        }
    }

    fn secret(&self, secrets: &Secrets, sources: &Sources<'_>) -> Option<Found> {
        let [part] = self.parts.as_slice() else { return None };
        secrets.0.get(&part.name(sources)?).cloned().map(Found::Secret)
    }

    fn inside(&self, json: &str, sources: &Sources<'_>) -> Option<Found> {
        let mut value: &RawValue = serde_json::from_str(json).ok()?;
        for part in &self.parts {
            value = if value.get().starts_with('[') {
                let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
                *items.get(part.index(sources)?)?
            } else {
                let name = part.name(sources)?;
                let Members(members) = serde_json::from_str(value.get()).ok()?;
                members.into_iter().rev().find(|(member, _)| *member == name)?.1
            };
        }
        Some(Found::Json(value.get().to_owned()))
    }
}

impl Part {
    fn name(&self, sources: &Sources<'_>) -> Option<String> {
        match self {
            Self::Name(name) => Some(name.clone()),
            Self::At(at) => Some(at.to_string()),
            Self::Named(path) => match path.find(sources)? {
                Found::Json(json) if json.starts_with('"') => serde_json::from_str(&json).ok(),
                Found::Json(json) if json.starts_with(|c: char| c.is_ascii_digit()) => Some(json),
                Found::Json(_) | Found::Secret(_) => None,
            },
        }
    }

    fn index(&self, sources: &Sources<'_>) -> Option<usize> {
        match self {
            Self::At(at) => Some(*at),
            Self::Name(_) | Self::Named(_) => self.name(sources)?.parse().ok(),
        }
    }
}

/// Reads a path from left to right.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn path(mut self, depth: usize) -> Result<Reference, String> {
        let text = self.rest.to_owned();
        self.rest = self.rest.strip_prefix('$').unwrap_or(self.rest);
        self.rest = self.rest.strip_prefix('.').unwrap_or(self.rest);
        let mut parts = vec![Part::Name(self.name()?)];
        while !self.rest.is_empty() {
            if parts.len() >= PARTS {
                return Err(format!("a path may have at most {PARTS} parts"));
            }
            let part = self.part(depth)?;
            parts.push(part);
        }
        let (root, parts) = rooted(parts)?;
        Ok(Reference { text, root, parts })
    }

    fn part(&mut self, depth: usize) -> Result<Part, String> {
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            return self.name().map(Part::Name);
        }
        let Some(rest) = self.rest.strip_prefix('[') else {
            return Err(format!("a `.` or a `[` has to stand before `{}`", self.rest));
        };
        let inside = &rest[..closing(rest).ok_or("a `[` is never closed")?];
        self.rest = &rest[inside.len() + 1..];
        for quote in ['\'', '"'] {
            if let Some(name) = inside.strip_prefix(quote).and_then(|name| name.strip_suffix(quote)).filter(|name| !name.is_empty()) {
                return Ok(Part::Name(name.to_owned()));
            }
        }
        if !inside.is_empty() && inside.bytes().all(|b| b.is_ascii_digit()) {
            return inside.parse().map(Part::At).map_err(|_| format!("`{inside}` is too large an index"));
        }
        if depth == 0 {
            return Err(format!("paths may stand at most {DEPTH} deep in brackets"));
        }
        let inner = Reader { rest: inside }.path(depth - 1)?;
        if inner.is_secret() {
            return Err("a secret cannot be used as a name".into());
        }
        Ok(Part::Named(Box::new(inner)))
    }

    fn name(&mut self) -> Result<String, String> {
        let end = self.rest.find(['.', '[', ']', '\'', '"']).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.trim() != name || name.is_empty() {
            return Err("a path has an empty part".into());
        }
        self.rest = rest;
        Ok(name.to_owned())
    }
}

/// Where the bracket closes that was opened before this text.
fn closing(text: &str) -> Option<usize> {
    let (mut open, mut quote) = (1_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => open += 1,
            (None, ']') => open -= 1,
            (None, _) => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

/// What a path begins with, and the parts after that.
fn rooted(parts: Vec<Part>) -> Result<(Root, Vec<Part>), String> {
    let name = |at: usize| match parts.get(at) {
        Some(Part::Name(name)) => name.as_str(),
        Some(Part::At(_) | Part::Named(_)) | None => "",
    };
    let (root, taken) = match (name(0), name(1)) {
        ("session", "metadata") => (Root::SessionMetadata, 2),
        ("agent", "metadata") => (Root::AgentMetadata, 2),
        ("session", "secrets") => (Root::SessionSecrets, 2),
        ("agent", "secrets") => (Root::AgentSecrets, 2),
        ("currentDate", "") if parts.len() == 1 => (Root::CurrentDate, 1),
        ("tools", configuration) if !configuration.is_empty() && name(2) == "outputs" && name(3) == "latest" => {
            (Root::Output(configuration.to_owned()), 4)
        }
        _ => {
            let known =
                "session.metadata, session.secrets, agent.metadata, agent.secrets, tools.<configuration>.outputs.latest, currentDate";
            return Err(format!("a path begins with one of: {known}"));
        }
    };
    let rest: Vec<Part> = parts.into_iter().skip(taken).collect();
    if matches!(root, Root::SessionSecrets | Root::AgentSecrets) && rest.len() != 1 {
        return Err("a path to a secret names exactly one, such as agent.secrets.token".into());
    }
    Ok((root, rest))
}

/// The members of a JSON object in their order, values as exact text.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = from.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
pub(crate) mod tests;
