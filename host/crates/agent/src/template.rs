//! Instructions as the model reads them. A small, safe part of the Velocity
//! template language: variables only, no directives, no code. What is not a
//! known variable stays as it was written, so a lone `$` or `#` harms nothing.

use serde_json::Value;
use session::{Agent, Instruction, Millis, Session, TemplateType};

/// The instructions of an agent's entry step, joined by blank lines.
///
/// In a `velocity` template `$agent.name`, `$agent.key`, `$agent.metadata.*`,
/// `$session.key`, `$session.name`, `$session.metadata.*` and `$currentDate`
/// are replaced, also as `${…}` and as `$!…`.
pub(crate) fn system(agent: &Agent, session: &Session, now: Millis) -> String {
    let instructions = agent.entry_step().map(|step| step.instructions.as_slice()).unwrap_or_default();
    let texts: Vec<String> = instructions.iter().filter(|i| i.enabled).map(|i| render(i, agent, session, now)).collect();
    texts.join("\n\n")
}

fn render(instruction: &Instruction, agent: &Agent, session: &Session, now: Millis) -> String {
    match instruction.template_type {
        TemplateType::Text => instruction.template.clone(),
        TemplateType::Velocity => substitute(&instruction.template, |path| lookup(path, agent, session, now)),
    }
}

/// Replaces each reference that `value` knows.
fn substitute(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match reference(rest).and_then(|(path, len)| Some((value(path)?, len))) {
            Some((text, len)) => {
                out.push_str(&text);
                rest = &rest[len..];
            }
            None => {
                out.push('$');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The path of the reference that `text` begins with, and how long it is.
fn reference(text: &str) -> Option<(&str, usize)> {
    let lead = if text.starts_with("$!") { 2 } else { 1 };
    let body = &text[lead..];
    if let Some(inner) = body.strip_prefix('{') {
        let end = inner.find('}')?;
        return Some((&inner[..end], lead + end + 2));
    }
    let end = body.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(body.len());
    let path = body[..end].trim_end_matches(['.', '-']);
    (!path.is_empty()).then_some((path, lead + path.len()))
}

fn lookup(path: &str, agent: &Agent, session: &Session, now: Millis) -> Option<String> {
    let (root, rest) = path.split_once('.').unwrap_or((path, ""));
    match (root, rest) {
        ("currentDate", "") => Some(now.rfc3339()),
        ("agent", "name") => Some(agent.name.clone()),
        ("agent", "key") => Some(agent.key.clone()),
        ("session", "key") => Some(session.key.clone()),
        ("session", "name") => Some(session.name.clone()),
        ("agent", rest) => member(&agent.metadata, rest.strip_prefix("metadata.")?),
        ("session", rest) => member(&session.metadata, rest.strip_prefix("metadata.")?),
        _ => None,
    }
}

fn member(metadata: &serde_json::Map<String, Value>, path: &str) -> Option<String> {
    let mut parts = path.split('.');
    let mut value = metadata.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_variables_are_replaced_and_everything_else_stays() {
        let value = |path: &str| (path == "agent.name").then(|| "Ada".to_owned());
        let text = "I am $agent.name. ${agent.name}! $!agent.name costs $5, #if($x) $unknown.path ${oops";
        assert_eq!(substitute(text, value), "I am Ada. Ada! Ada costs $5, #if($x) $unknown.path ${oops");
    }
}
