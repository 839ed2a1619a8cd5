//! Arguments that an agent sets itself. The model neither sees nor chooses
//! them; they are put over what it wrote when a call is checked and again when
//! it runs. A secret goes in as a placeholder that only the way out replaces.

mod narrow;

use serde_json::{Map, Value};
use session::json::{push_json, push_string};
use tool::Veil;

use crate::Clock;
use crate::error::Error;
use crate::references::{Found, Members, Reference, Sources};
pub(crate) use narrow::narrowed;

/// Arguments that one binding may set. More than any tool has.
const ENTRIES: usize = 64;
/// Names in one dotted key.
const NAMES: usize = 8;
/// How deep a value may be nested, under the bound on bodies.
const DEPTH: usize = 32;
/// Bytes of JSON of one binding's overrides: they are read with every turn.
const BYTES: usize = 64 << 10;

/// What stands in the place of a secret where it is shown.
pub const MASKED: &str = "****";

/// What a binding sets.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Vec<Entry>);

/// One argument, or a leaf of one.
#[derive(Debug, Clone)]
struct Entry {
    key: String,
    path: Vec<String>,
    value: Template,
}

/// A value that may hold references.
#[derive(Debug, Clone)]
enum Template {
    Literal(Value),
    Reference(Reference),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

/// Why an override cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongOverride {
    /// Which key; empty where it is all of them together.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

impl Overrides {
    /// Reads `argument_override`.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, WrongOverride> {
        let wrong = |key: &str, why: String| WrongOverride { key: key.to_owned(), why };
        let bytes = serde_json::to_string(members).map_or(0, |text| text.len());
        if members.len() > ENTRIES || bytes > BYTES {
            return Err(wrong("", format!("at most {ENTRIES} arguments and {BYTES} bytes of JSON can be set")));
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(members.len());
        for (key, value) in members {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            if path.iter().any(String::is_empty) || path.len() > NAMES {
                return Err(wrong(key, format!("a key is a name, or up to {NAMES} names joined by dots")));
            }
            if let Some(other) = entries.iter().find(|entry| entry.path.starts_with(&path) || path.starts_with(&entry.path)) {
                return Err(wrong(key, format!("it sets a part of what `{}` sets; keep one of them", other.key)));
            }
            let value = Template::parse(value, DEPTH).map_err(|why| wrong(key, why))?;
            entries.push(Entry { key: key.clone(), path, value });
        }
        Ok(Self(entries))
    }

    /// Whether any of it is a secret.
    pub fn has_secrets(&self) -> bool {
        self.references().iter().any(|reference| reference.is_secret())
    }

    /// The tools whose outputs it needs, by the names under which the agent binds them.
    pub fn outputs(&self) -> impl Iterator<Item = String> {
        let references = self.references().into_iter();
        references.flat_map(|reference| reference.outputs().into_iter().map(str::to_owned).collect::<Vec<_>>())
    }

    /// The keys, as they were written.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.iter().map(|entry| entry.key.clone()).collect()
    }

    fn references(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        self.0.iter().for_each(|entry| entry.value.references(&mut found));
        found
    }

    /// Whether everything is there that needs no tool's output. Asked when a turn begins.
    pub(crate) fn check_early(&self, configuration: &str, sources: &Sources<'_>) -> Result<(), Error> {
        for entry in &self.0 {
            let mut found = Vec::new();
            entry.value.references(&mut found);
            if let Some(missing) = found.into_iter().find(|it| it.outputs().is_empty() && it.find(sources).is_none()) {
                return Err(unresolved(configuration, entry, missing));
            }
        }
        Ok(())
    }

    /// Looks everything up.
    pub(crate) fn resolve(&self, configuration: &str, sources: &Sources<'_>, clock: Clock) -> Result<Resolved, Error> {
        let mut resolved = Resolved { shown: "{".into(), ..Resolved::default() };
        for entry in &self.0 {
            let missing = |reference: &Reference| unresolved(configuration, entry, reference);
            let (mut sent, mut shown) = (String::new(), String::new());
            let veil = &mut resolved.veil;
            let hide = &mut |value: String| {
                let placeholder = format!("wsec_{}", data_encoding::BASE32_DNSSEC.encode(&clock.random::<20>()));
                veil.put(placeholder.clone(), value);
                placeholder
            };
            entry.value.render(sources, &mut sent, hide).map_err(missing)?;
            entry.value.render(sources, &mut shown, &mut |_| MASKED.into()).map_err(missing)?;
            if resolved.shown.len() > 1 {
                resolved.shown.push(',');
            }
            push_string(&mut resolved.shown, &entry.key);
            resolved.shown.push(':');
            resolved.shown.push_str(&shown);
            resolved.sent.put(&entry.path, sent);
        }
        resolved.shown.push('}');
        Ok(resolved)
    }
}

fn unresolved(configuration: &str, entry: &Entry, reference: &Reference) -> Error {
    Error::Unresolved { configuration: configuration.to_owned(), argument: entry.key.clone(), reference: reference.text().to_owned() }
}

impl Template {
    fn parse(value: &Value, depth: usize) -> Result<Self, String> {
        if depth == 0 {
            return Err(format!("it is nested more than {DEPTH} levels deep"));
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Self::Literal(value.clone())),
            Value::Array(items) => items.iter().map(|item| Self::parse(item, depth - 1)).collect::<Result<_, _>>().map(Self::List),
            Value::Object(members) if members.contains_key("$ref") => match (members.len(), &members["$ref"]) {
                (1, Value::String(path)) => {
                    Reference::parse(path).map(Self::Reference).map_err(|why| format!("the `$ref` `{path}` cannot be read: {why}"))
                }
                _ => Err("an object with `$ref` has that one member, and its value is a path; a literal `$ref` is written `$$ref`".into()),
            },
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| {
                    let name = if name == "$$ref" { "$ref" } else { name };
                    Ok((name.to_owned(), Self::parse(value, depth - 1)?))
                };
                members.iter().map(member).collect::<Result<_, String>>().map(Self::Object)
            }
        }
    }

    fn references<'a>(&'a self, found: &mut Vec<&'a Reference>) {
        match self {
            Self::Literal(_) => {}
            Self::Reference(reference) => found.push(reference),
            Self::List(items) => items.iter().for_each(|item| item.references(found)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.references(found)),
        }
    }

    /// Writes the value as JSON; `hide` says what is written for a secret. Answers the reference that leads nowhere.
    fn render(&self, from: &Sources<'_>, out: &mut String, hide: &mut dyn FnMut(String) -> String) -> Result<(), &Reference> {
        match self {
            Self::Literal(value) => push_json(out, &value.to_string()),
            Self::Reference(reference) => match reference.find(from).ok_or(reference)? {
                Found::Json(json) => push_json(out, &json),
                Found::Secret(value) => push_string(out, &hide(value)),
            },
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    item.render(from, out, hide)?;
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    push_string(out, name);
                    out.push(':');
                    value.render(from, out, hide)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }
}

/// What the overrides of one call came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolved {
    /// By key, secrets masked: a JSON object, exact text.
    pub(crate) shown: String,
    /// Which secrets stand behind the placeholders of this call.
    pub(crate) veil: Veil,
    sent: Tree,
}

impl Resolved {
    /// What the tool gets: these over the model's arguments, with placeholders for secrets.
    pub(crate) fn over(&self, arguments: &str) -> String {
        merged(arguments, &self.sent)
    }
}

/// Arguments with what [`Resolved::shown`] says over them: what approvers see and receipts speak of.
pub(crate) fn shown_over(arguments: &str, shown: Option<&str>) -> String {
    let Some(Members(set)) = shown.and_then(|shown| serde_json::from_str(shown).ok()) else { return arguments.to_owned() };
    let mut tree = Tree::default();
    for (key, value) in set {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        tree.put(&path, value.get().to_owned());
    }
    merged(arguments, &tree)
}

/// Values by path.
#[derive(Debug, Clone, Default)]
struct Tree(Vec<(String, Node)>);

#[derive(Debug, Clone)]
enum Node {
    Leaf(String),
    Inner(Tree),
}

impl Tree {
    fn put(&mut self, path: &[String], json: String) {
        let Some((name, rest)) = path.split_first() else { return };
        if rest.is_empty() {
            self.0.push((name.clone(), Node::Leaf(json)));
            return;
        }
        if let Some((_, Node::Inner(inner))) = self.0.iter_mut().find(|(known, _)| known == name) {
            return inner.put(rest, json);
        }
        let mut inner = Self::default();
        inner.put(rest, json);
        self.0.push((name.clone(), Node::Inner(inner)));
    }
}

/// The members of an object with those of the tree over them; what is not an object gives way. The text of what stays is kept.
fn merged(object: &str, over: &Tree) -> String {
    let Members(members) = serde_json::from_str(object).unwrap_or(Members(Vec::new()));
    let mut out = String::with_capacity(object.len() + 64);
    out.push('{');
    let mut member = |name: &str, json: &str| {
        out.push_str(if out.len() == 1 { "" } else { "," });
        push_string(&mut out, name);
        out.push(':');
        push_json(&mut out, json);
    };
    for (name, value) in members.iter().filter(|(name, _)| !over.0.iter().any(|(set, _)| set == name)) {
        member(name, value.get());
    }
    for (name, node) in &over.0 {
        match node {
            Node::Leaf(json) => member(name, json),
            Node::Inner(inner) => {
                let own = members.iter().rev().find(|(known, _)| known == name).map_or("{}", |(_, value)| value.get());
                member(name, &merged(own, inner));
            }
        }
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests;
