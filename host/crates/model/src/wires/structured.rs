//! A structured answer where a provider cannot be held to a schema: then the
//! model is told in words what its answer has to be. Whoever asked checks the
//! reply either way.

use std::borrow::Cow;

use serde_json::{Map, Value};
use session::OutputSchema;

/// The system text with the wish for a structured answer behind it, where there is one.
pub(super) fn in_words<'a>(system: &'a str, output: Option<&OutputSchema>) -> Cow<'a, str> {
    let Some(output) = output else { return system.into() };
    let parting = if system.is_empty() { "" } else { "\n\n" };
    let about = output.description.as_deref().map_or_else(String::new, |words| format!(" ({words})"));
    format!(
        "{system}{parting}Your final answer has to be one JSON value and nothing else: no words around it, no code fence. \
         It is called {}{about}, and this JSON Schema describes it:\n{}",
        output.name, output.schema
    )
    .into()
}

/// What OpenAI's wires call a JSON schema: its name, its description, how strict it is, and the schema.
pub(super) fn format_of(output: &OutputSchema) -> Map<String, Value> {
    let mut format = Map::new();
    format.insert("name".into(), output.name.as_str().into());
    if let Some(description) = &output.description {
        format.insert("description".into(), description.as_str().into());
    }
    format.insert("strict".into(), output.strict.into());
    format.insert("schema".into(), output.schema.clone());
    format
}

/// An agent's own parameter of this name as an object that a format can be added to.
pub(super) fn own_object(parameters: &Map<String, Value>, name: &str) -> Map<String, Value> {
    parameters.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_wish_stands_behind_the_system_text_and_holds_the_schema() {
        let schema = json!({ "type": "object" });
        let output = OutputSchema { name: "route".into(), description: Some("where to".into()), strict: true, schema };
        let words = in_words("be kind", Some(&output));
        assert!(words.starts_with("be kind\n\nYour final answer"), "{words}");
        assert!(words.contains("route (where to)") && words.ends_with("{\"type\":\"object\"}"), "{words}");
        assert!(in_words("", Some(&output)).starts_with("Your final"));
        assert_eq!(in_words("be kind", None), "be kind");
    }
}
