//! Checks that every plugin's own tests can make: the host makes the same ones
//! before it lets a plugin in, and meeting them early is cheaper.

pub use serde_json::Value;

use crate::{Content, Error, bindings::wardian::plugin::types::Tool};

/// The contract's bounds.
const TOOLS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 48;
const DESCRIPTION_BYTES_MAX: usize = 4096;
const SCHEMA_BYTES_MAX: usize = 64 * 1024;

/// Panics unless each tool keeps the contract, has a schema with described
/// properties for its arguments and its answer, a title, and examples that
/// satisfy both schemas and, run in order, give the outputs they show. An
/// example without `output` is only checked against the schemas.
pub fn check(tools: &[Tool], invoke: impl Fn(&str, &str) -> Result<Vec<Content>, Error>) {
    assert!((1..=TOOLS_MAX).contains(&tools.len()), "a plugin has 1 to {TOOLS_MAX} tools");
    for tool in tools {
        check_words(tool);
        let input = schema(tool, "input", &tool.input);
        let output = schema(tool, "output", tool.output.as_deref().unwrap_or("{}"));
        check_properties(tool, &tool.input);
        for (example, expected) in examples(tool) {
            assert_valid(tool, &input, &example);
            if let Some(expected) = expected {
                let parts = invoke(&tool.name, &example.to_string())
                    .unwrap_or_else(|error| panic!("{}: example {example} fails: {error}", tool.name));
                let answer = data(parts);
                assert_valid(tool, &output, &answer);
                assert_eq!(answer, expected, "{}: example {example}", tool.name);
            }
        }
    }
}

/// The JSON value of an answer that is one `data` part; panics on any other.
pub fn data(parts: Vec<Content>) -> Value {
    match parts.as_slice() {
        [Content::Data(text)] => serde_json::from_str(text).expect("the answer is JSON"),
        other => panic!("not one data part: {other:?}"),
    }
}

fn check_words(tool: &Tool) {
    let name = tool.name.as_str();
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    assert!(first && rest && name.len() <= NAME_BYTES_MAX, "{name:?} is no tool name");
    assert!((1..=DESCRIPTION_BYTES_MAX).contains(&tool.description.len()), "{name}: description");
}

fn schema(tool: &Tool, which: &str, text: &str) -> jsonschema::Validator {
    assert!(text.len() <= SCHEMA_BYTES_MAX, "{}: the {which} schema is too large", tool.name);
    let schema = serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: the {which} schema is no JSON: {error}", tool.name));
    jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{}: the {which} schema is invalid: {error}", tool.name))
}

fn check_properties(tool: &Tool, input: &str) {
    let schema: Value = serde_json::from_str(input).expect("parsed before");
    assert_eq!(schema["type"], "object", "{}: the arguments are an object", tool.name);
    assert_eq!(schema["additionalProperties"], false, "{}: unknown arguments are errors", tool.name);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        assert!(property["description"].is_string(), "{}: describe {name}", tool.name);
    }
}

fn examples(tool: &Tool) -> Vec<(Value, Option<Value>)> {
    let text = tool.annotations.as_deref().unwrap_or("{}");
    let annotations: Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: the annotations are no JSON: {error}", tool.name));
    assert!(annotations["title"].is_string(), "{}: no title", tool.name);
    let examples = annotations["examples"].as_array().cloned().unwrap_or_default();
    assert!(!examples.is_empty(), "{}: no example", tool.name);
    examples.iter().map(|example| (example["input"].clone(), example.get("output").cloned())).collect()
}

fn assert_valid(tool: &Tool, schema: &jsonschema::Validator, value: &Value) {
    if let Err(error) = schema.validate(value) {
        panic!("{}: {value} breaks its schema: {error}", tool.name);
    }
}
