//! What {{name}} is for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardian_plugin::{Error, tool};

#[derive(Deserialize, JsonSchema)]
struct Greet {
    /// Whom to greet.
    name: String,
    /// Whether to be loud about it.
    #[serde(default)]
    excited: bool,
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Greeting {
    /// The greeting.
    text: String,
}

/// Greets a person by name.
#[tool(pure, title = "Greet")]
fn greet(args: Greet) -> Result<Greeting, Error> {
    let name = args.name.trim();
    if name.is_empty() {
        return Err(Error::invalid_input("name is empty; say whom to greet"));
    }
    let end = if args.excited { "!" } else { "." };
    Ok(Greeting { text: format!("Hello, {name}{end}") })
}

// The list of tools: add the next one here.
wardian_plugin::export!(greet);

#[cfg(test)]
mod tests {
    use super::*;
    use wardian_plugin::{Reason, testing};

    #[test]
    fn greets_by_name() {
        let greeting = greet(Greet { name: "Ada".into(), excited: true }).unwrap();
        assert_eq!(greeting.text, "Hello, Ada!");
    }

    #[test]
    fn asks_for_a_name() {
        let error = invoke("greet", r#"{"name": " "}"#).unwrap_err();
        assert_eq!(error.reason, Reason::InvalidInput);
    }

    #[test]
    fn answers_in_json() {
        let answer = testing::data(invoke("greet", r#"{"name": "Ada"}"#).unwrap());
        assert_eq!(answer["text"], "Hello, Ada.");
    }
}
