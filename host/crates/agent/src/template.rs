//! Instructions as the model reads them. A small, safe part of the Velocity
//! template language: variables, `#foreach`, `#if`; no other directive, no
//! methods, no assignment. What is not a known variable stays as it was
//! written, so a lone `$` or `#` harms nothing.

mod parse;

use std::borrow::Cow;

use model::ToolList;
use serde_json::{Map, Value, json};
use session::{Agent, Instruction, Millis, Session, TemplateType};

use crate::error::Error;
use crate::prepared::Prepared;
use parse::{Condition, Node, Operand, Path};

/// Bytes of all instructions of one prompt, rendered. Against loops over lists in lists.
const RENDERED_BYTES: usize = 1 << 20;
/// Pieces of a template that are looked at while one is rendered. Against loops that write nothing.
const RENDERED_NODES: usize = 100_000;

/// Whether a text is a template that can be rendered; why not, otherwise.
pub fn check(template: &str) -> Result<(), String> {
    parse::nodes(template).map(drop)
}

/// The instructions of an agent's entry step, joined by blank lines.
///
/// In a `velocity` template there are `$agent.name`, `.key`, `.description` and `.metadata.*`, the same of
/// `$session`, `$currentDate` and `$tools`, also as `${…}`, and as `$!…`, which is empty where nothing is there.
pub(crate) fn system(prepared: &Prepared, session: &Session, now: Millis) -> Result<String, Error> {
    let agent = &*prepared.agent;
    let instructions = agent.entry_step().map(|step| step.instructions.as_slice()).unwrap_or_default();
    let mut scope = Scope { agent, session, now, tools: &prepared.tools, loops: Vec::new(), nodes: RENDERED_NODES };
    let mut out = String::new();
    for (at, instruction) in instructions.iter().filter(|instruction| instruction.enabled).enumerate() {
        out.push_str(if at == 0 { "" } else { "\n\n" });
        scope.instruction(instruction, &mut out)?;
    }
    Ok(out)
}

/// What variables stand for.
struct Scope<'a> {
    agent: &'a Agent,
    session: &'a Session,
    now: Millis,
    tools: &'a ToolList,
    /// The variables of the loops that run, the innermost last.
    loops: Vec<(String, Value)>,
    /// Pieces that may still be looked at.
    nodes: usize,
}

/// The template grows beyond its bounds.
struct TooLarge;

impl Scope<'_> {
    fn instruction(&mut self, instruction: &Instruction, out: &mut String) -> Result<(), Error> {
        let parsed = match instruction.template_type {
            TemplateType::Text => None,
            TemplateType::Velocity => parse::nodes(&instruction.template).ok(),
        };
        let rendered = match parsed {
            // One that was stored before it was checked is shown as it stands.
            None => {
                out.push_str(&instruction.template);
                Ok(())
            }
            Some(nodes) => self.render(&nodes, out),
        };
        rendered.map_err(|TooLarge| Error::Template {
            instruction: instruction.name.clone(),
            why: format!("it grows beyond {RENDERED_BYTES} bytes or {RENDERED_NODES} pieces"),
        })
    }

    fn render(&mut self, nodes: &[Node], out: &mut String) -> Result<(), TooLarge> {
        for node in nodes {
            self.nodes = self.nodes.checked_sub(1).ok_or(TooLarge)?;
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Variable { path, quiet, written } => {
                    let text = self.weighed(path)?.map(|value| shown(&value));
                    match text {
                        Some(text) => out.push_str(&text),
                        None if *quiet && self.is_root(path) => {}
                        None => out.push_str(written),
                    }
                }
                Node::If { arms, otherwise } => {
                    let mut body = otherwise;
                    for (condition, arm) in arms {
                        if self.holds(condition)? {
                            body = arm;
                            break;
                        }
                    }
                    self.render(body, out)?;
                }
                Node::Each { name, list, body } => self.each(name, list, body, out)?,
            }
            if out.len() > RENDERED_BYTES {
                return Err(TooLarge);
            }
        }
        Ok(())
    }

    fn each(&mut self, name: &str, list: &Path, body: &[Node], out: &mut String) -> Result<(), TooLarge> {
        let items: Vec<Value> = match self.weighed(list)?.as_deref() {
            Some(Value::Array(items)) => items.clone(),
            Some(Value::Object(members)) => members.values().cloned().collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => Vec::new(),
        };
        let last = items.len().saturating_sub(1);
        for (at, item) in items.into_iter().enumerate() {
            // A round costs something, also one that writes nothing.
            self.nodes = self.nodes.checked_sub(1).ok_or(TooLarge)?;
            self.loops.push(("foreach".into(), json!({"index": at, "count": at + 1, "hasNext": at < last})));
            self.loops.push((name.to_owned(), item));
            let rendered = self.render(body, out);
            self.loops.truncate(self.loops.len() - 2);
            rendered?;
        }
        Ok(())
    }

    fn holds(&mut self, condition: &Condition) -> Result<bool, TooLarge> {
        let holds = match &condition.equals {
            None => self.weighed(&condition.path)?.is_some_and(|value| is_true(&value)),
            Some(Operand::Literal(text)) => self.weighed(&condition.path)?.is_some_and(|value| shown(&value) == *text),
            Some(Operand::Variable(path)) => {
                let value = self.weighed(&condition.path)?.map(|value| shown(&value));
                value == self.weighed(path)?.map(|value| shown(&value))
            }
        };
        Ok(holds != condition.not)
    }

    /// What a variable stands for, at a price: looking at a large value counts as many pieces as it has parts.
    fn weighed(&mut self, path: &Path) -> Result<Option<Cow<'_, Value>>, TooLarge> {
        let weight = self.find(path).map_or(0, |value| weight(&value));
        self.nodes = self.nodes.checked_sub(weight).ok_or(TooLarge)?;
        Ok(self.find(path))
    }

    fn find(&self, path: &Path) -> Option<Cow<'_, Value>> {
        let (root, rest) = path.split_first()?;
        if let Some((_, value)) = self.loops.iter().rev().find(|(name, _)| name == root) {
            return inside(value, rest).map(Cow::Borrowed);
        }
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let (agent, session) = (self.agent, self.session);
        match (root.as_str(), rest.as_slice()) {
            ("currentDate", []) => text(&self.now.rfc3339()),
            ("agent", ["name"]) => text(&agent.name),
            ("agent", ["key"]) => text(&agent.key),
            ("agent", ["description"]) => text(agent.description.as_deref()?),
            ("session", ["name"]) => text(&session.name),
            ("session", ["key"]) => text(&session.key),
            ("session", ["description"]) => text(session.description.as_deref()?),
            ("agent", ["metadata", ..]) => member(&agent.metadata, &path[2..]),
            ("session", ["metadata", ..]) => member(&session.metadata, &path[2..]),
            ("tools", []) => Some(Cow::Owned(tools(self.tools))),
            _ => None,
        }
    }

    /// Whether a path begins with something that is there at all.
    fn is_root(&self, path: &Path) -> bool {
        let named = |root: &String| self.loops.iter().any(|(name, _)| name == root);
        path.first().is_some_and(|root| ["agent", "session", "currentDate", "tools"].contains(&root.as_str()) || named(root))
    }
}

fn text<'a>(text: &str) -> Option<Cow<'a, Value>> {
    Some(Cow::Owned(Value::String(text.to_owned())))
}

fn member<'a>(metadata: &'a Map<String, Value>, path: &[String]) -> Option<Cow<'a, Value>> {
    match path.split_first() {
        Some((name, rest)) => inside(metadata.get(name)?, rest).map(Cow::Borrowed),
        None => Some(Cow::Owned(metadata.clone().into())),
    }
}

fn inside<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    })
}

fn tools(list: &ToolList) -> Value {
    list.iter().map(|(name, spec)| json!({"name": name, "description": spec.description})).collect()
}

/// A value in the middle of a text: strings as they are, tools as a list of lines, everything else as JSON.
fn shown(value: &Value) -> String {
    let line = |item: &Value| Some(format!("- {}: {}", item.get("name")?.as_str()?, item.get("description")?.as_str()?));
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if !items.is_empty() => {
            let lines: Option<Vec<String>> = items.iter().map(line).collect();
            lines.map_or_else(|| value.to_string(), |lines| lines.join("\n"))
        }
        other => other.to_string(),
    }
}

/// How much work it is to look at a value: its parts, and its texts by their length.
fn weight(value: &Value) -> usize {
    const TEXT_BYTES: usize = 256;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() / TEXT_BYTES,
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(weight).sum::<usize>(),
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests;
