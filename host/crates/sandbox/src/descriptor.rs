//! What `describe` said, validated: the tools of a plugin with their schemas.
//! Checked in the child that ran `describe` and again by the server, which
//! trusts nothing that comes out of a process that ran guest code.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{Schema, invisible};

/// Tools of one plugin: more would drown a model.
const TOOLS_MAX: usize = 64;

/// A tool's name.
const NAME_BYTES_MAX: usize = 48;

/// A tool's description: it is part of every prompt.
const DESCRIPTION_BYTES_MAX: usize = 4 << 10;

/// A tool's annotations.
const ANNOTATIONS_BYTES_MAX: usize = 64 << 10;

/// A title, in characters.
const TITLE_CHARS_MAX: usize = 100;

/// One tool as its author describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tool {
    pub name: String,
    pub description: String,
    pub input: String,
    pub output: Option<String>,
    pub traits: tool::Traits,
    pub annotations: Option<String>,
}

/// A tool that was found valid, with its schemas ready.
pub(crate) struct Checked {
    pub tool: Tool,
    pub title: Option<String>,
    pub input: Schema,
    pub output: Option<Schema>,
}

/// Checks all tools. The answer to bad ones names the tool and the fault.
pub(crate) fn check(tools: Vec<Tool>) -> Result<Vec<Checked>, String> {
    if tools.is_empty() {
        return Err("the component describes no tool".into());
    }
    if tools.len() > TOOLS_MAX {
        return Err(format!("the component describes {} tools; at most {TOOLS_MAX} are allowed", tools.len()));
    }
    let mut names = BTreeSet::new();
    tools
        .into_iter()
        .map(|tool| {
            if !valid_name(&tool.name) {
                return Err(format!("the tool name {:?} is not of the form [a-z][a-z0-9_]{{0,47}}", shown(&tool.name)));
            }
            if !names.insert(tool.name.clone()) {
                return Err(format!("two tools are named {}", tool.name));
            }
            let name = tool.name.clone();
            one(tool).map_err(|fault| format!("tool {name}: {fault}"))
        })
        .collect()
}

fn one(tool: Tool) -> Result<Checked, String> {
    if tool.description.len() > DESCRIPTION_BYTES_MAX {
        return Err(format!("its description is {} bytes long; at most {DESCRIPTION_BYTES_MAX} are allowed", tool.description.len()));
    }
    visible("description", &tool.description)?;
    visible("input schema", &tool.input)?;
    let input = Schema::compile(&tool.input).map_err(|fault| format!("its input schema is not usable: {fault}"))?;
    let output = match &tool.output {
        None => None,
        Some(text) => {
            visible("output schema", text)?;
            Some(Schema::compile(text).map_err(|fault| format!("its output schema is not usable: {fault}"))?)
        }
    };
    let title = annotations(tool.annotations.as_deref())?;
    Ok(Checked { tool, title, input, output })
}

/// The title, from annotations that are a JSON object.
fn annotations(text: Option<&str>) -> Result<Option<String>, String> {
    let Some(text) = text else { return Ok(None) };
    if text.len() > ANNOTATIONS_BYTES_MAX {
        return Err(format!("its annotations are longer than {ANNOTATIONS_BYTES_MAX} bytes"));
    }
    visible("annotations", text)?;
    let Ok(Value::Object(annotations)) = serde_json::from_str(text) else {
        return Err("its annotations are not a JSON object".into());
    };
    let title = annotations.get("title").and_then(Value::as_str);
    if let Some(title) = title {
        visible("title", title)?;
    }
    Ok(title.map(|title| title.chars().take(TITLE_CHARS_MAX).collect()))
}

/// Refuses what a person would not see. JSON escapes of such characters in a
/// schema are looked at as well.
fn visible(what: &str, text: &str) -> Result<(), String> {
    let bad = |c: char| (c.is_control() && !matches!(c, '\n' | '\t' | '\r')) || invisible(c);
    let found = text.chars().find(|c| bad(*c)).or_else(|| match serde_json::from_str::<Value>(text) {
        Ok(value) => hidden(&value, &bad),
        Err(_) => None,
    });
    match found {
        Some(c) => Err(format!("its {what} holds an invisible character, U+{:04X}", u32::from(c))),
        None => Ok(()),
    }
}

fn hidden(value: &Value, bad: &impl Fn(char) -> bool) -> Option<char> {
    match value {
        Value::String(text) => text.chars().find(|c| bad(*c)),
        Value::Array(items) => items.iter().find_map(|item| hidden(item, bad)),
        Value::Object(members) => members.iter().find_map(|(name, item)| name.chars().find(|c| bad(*c)).or_else(|| hidden(item, bad))),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn valid_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= NAME_BYTES_MAX
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
}

fn shown(name: &str) -> String {
    name.chars().take(NAME_BYTES_MAX).collect()
}

/// The digest of a descriptor, `sha256:<hex>`, over its canonical form: the
/// tools by name, each field in the order of the contract.
pub(crate) fn digest(tools: &[Tool]) -> Result<String, String> {
    let mut sorted: Vec<&Tool> = tools.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let text = serde_json::to_vec(&sorted).map_err(|error| format!("the descriptor cannot be written as JSON: {error}"))?;
    Ok(crate::sha256(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> Tool {
        Tool {
            name: name.into(),
            description: "does it".into(),
            input: r#"{"type":"object"}"#.into(),
            output: None,
            traits: tool::Traits::default(),
            annotations: Some(r#"{"title":"It","x":1}"#.into()),
        }
    }

    fn refusal(tool: Tool) -> String {
        check(vec![tool]).err().expect("refused")
    }

    #[test]
    fn good_tools_pass_and_keep_their_title() {
        assert_eq!(check(vec![tool("a_1")]).unwrap()[0].title.as_deref(), Some("It"));
    }

    #[test]
    fn names_are_checked_and_unique() {
        for name in ["", "A", "1a", "a-b", "é", &"a".repeat(49)] {
            assert!(refusal(tool(name)).contains("not of the form"), "{name}");
        }
        assert!(check(vec![tool("a"), tool("a")]).err().unwrap().contains("two tools"));
        assert!(check(Vec::new()).is_err());
        assert!(check((0..65).map(|n| tool(&format!("t{n}"))).collect()).is_err());
    }

    #[test]
    fn invisible_text_is_refused_also_when_it_is_escaped() {
        assert!(refusal(Tool { description: "a\u{202e}b".into(), ..tool("a") }).contains("U+202E"));
        let schema = r#"{"type":"object","description":"a\u200bb"}"#;
        assert!(refusal(Tool { input: schema.into(), ..tool("a") }).contains("U+200B"));
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_tools() {
        let (a, b) = (tool("a"), tool("b"));
        assert_eq!(digest(&[a.clone(), b.clone()]), digest(&[b, a.clone()]));
        let other = Tool { description: "other".into(), ..a.clone() };
        assert_ne!(digest(&[a]), digest(&[other]));
    }
}
