//! What `describe` said, validated: the tools of a plugin with their schemas.
//! Checked in the child that ran `describe` and again by the server, which
//! trusts nothing that comes out of a process that ran guest code.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tool::ToolId;

use schema::Schema;
use schema::{json, text};

/// Tools of one plugin: more would drown a model.
pub(crate) const TOOLS_MAX: usize = 64;

/// What is shown of a name that is none.
const NAME_SHOWN_MAX: usize = 48;

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
            if !ToolId::is_tool_name(&tool.name) {
                let name: String = tool.name.chars().take(NAME_SHOWN_MAX).collect();
                return Err(format!("the tool name \"{}\" is not of the form [a-z][a-z0-9_]{{0,47}}", text::escaped(&name)));
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
    visible("description", text::hidden(&tool.description))?;
    let input = schema("input schema", &tool.input)?;
    let output = tool.output.as_deref().map(|text| schema("output schema", text)).transpose()?;
    let title = title(tool.annotations.as_deref())?;
    Ok(Checked { tool, title, input, output })
}

fn schema(what: &str, text: &str) -> Result<Schema, String> {
    bounded(what, text, schema::BYTES_MAX)?;
    visible(what, text::hidden(text))?;
    // What JSON writes as an escape is hidden from a look at the text, but not from the model.
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        visible(what, text::hidden_in(&value))?;
    }
    Schema::compile(text).map_err(|fault| format!("its {what} is not usable: {fault}"))
}

/// The title, from annotations that are a JSON object.
pub(crate) fn title(text: Option<&str>) -> Result<Option<String>, String> {
    let Some(text) = text else { return Ok(None) };
    bounded("annotations", text, ANNOTATIONS_BYTES_MAX)?;
    visible("annotations", text::hidden(text))?;
    let annotations = json::unambiguous(text).map_err(|fault| format!("its annotations are not usable: {fault}"))?;
    if !annotations.is_object() {
        return Err("its annotations are not a JSON object".into());
    }
    visible("annotations", text::hidden_in(&annotations))?;
    let title = annotations.get("title").and_then(Value::as_str);
    Ok(title.map(|title| title.chars().take(TITLE_CHARS_MAX).collect()))
}

fn bounded(what: &str, text: &str, bytes_max: usize) -> Result<(), String> {
    if text.len() > bytes_max {
        return Err(format!("its {what}: {} bytes; at most {bytes_max} are allowed", text.len()));
    }
    Ok(())
}

/// Refuses what a person would not see.
fn visible(what: &str, hidden: Option<char>) -> Result<(), String> {
    hidden.map_or(Ok(()), |c| Err(format!("its {what} holds an invisible character, U+{:04X}", u32::from(c))))
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
    fn what_hides_in_any_text_of_a_tool_is_refused_with_tool_and_place() {
        let schema = |inner: &str| format!(r#"{{"type":"object",{inner}}}"#);
        let input = |inner: &str| Tool { input: schema(inner), ..tool("act") };
        for (place, tool, why) in [
            ("name", Tool { name: "\u{430}ct".into(), ..tool("act") }, "not of the form"),
            ("reserved look", Tool { name: "act\u{1b}[2J".into(), ..tool("act") }, "\"act\\u{1b}[2J\" is not of the form"),
            (
                "description",
                Tool { description: "a\u{202e}b".into(), ..tool("act") },
                "tool act: its description holds an invisible character, U+202E",
            ),
            ("tags", Tool { description: "hi\u{e0069}".into(), ..tool("act") }, "U+E0069"),
            ("private use", Tool { description: "\u{e001}".into(), ..tool("act") }, "U+E001"),
            ("schema text", input("\"description\":\"a\u{200b}b\""), "its input schema holds an invisible character, U+200B"),
            ("escape in a schema", input(r#""description":"a\u200bb""#), "input schema holds an invisible character, U+200B"),
            ("property name", input(r#""properties":{"a\u2060":{}}"#), "U+2060"),
            ("enum value", input(r#""properties":{"a":{"enum":["x","y\u202a"]}}"#), "U+202A"),
            ("default", input(r#""properties":{"a":{"default":{"x":["\u0007"]}}}"#), "U+0007"),
            ("unknown keyword", input(r#""x-note":{"deep":["\ufeff"]}"#), "U+FEFF"),
            (
                "output",
                Tool { output: Some(schema(r#""title":"\u2028""#)), ..tool("act") },
                "output schema holds an invisible character, U+2028",
            ),
            (
                "title",
                Tool { annotations: Some(r#"{"title":"a\u202eb"}"#.into()), ..tool("act") },
                "its annotations holds an invisible character, U+202E",
            ),
            ("any annotation", Tool { annotations: Some(r#"{"x":{"\u200d":1}}"#.into()), ..tool("act") }, "U+200D"),
            ("no object", Tool { annotations: Some("[1]".into()), ..tool("act") }, "not a JSON object"),
            ("title twice", Tool { annotations: Some(r#"{"title":"a","title":"b"}"#.into()), ..tool("act") }, "\"title\" stands twice"),
            ("long description", Tool { description: "x".repeat(DESCRIPTION_BYTES_MAX + 1), ..tool("act") }, "4097 bytes long"),
            ("long annotations", Tool { annotations: Some(" ".repeat(ANNOTATIONS_BYTES_MAX + 1)), ..tool("act") }, "65537 bytes"),
            ("long schema", input(&format!(r#""description":"{}""#, "x".repeat(schema::BYTES_MAX))), "input schema: 65"),
        ] {
            let refused = refusal(tool);
            assert!(refused.contains(why), "{place}: {refused}");
            assert_eq!(text::hidden(&refused), None, "{place}: what is said of it hides nothing either");
        }
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
