//! Tools made of functions, as authors write them, called natively.
#![cfg(all(feature = "schema", feature = "testing"))]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardian_plugin::{Blob, Content, Error, Reason, Traits, store, testing, tool};

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
///
/// Not for crowds.
#[tool(read_only, idempotent, title = "Greet")]
fn greet(args: Greet) -> Result<Greeting, Error> {
    if args.name.is_empty() {
        return Err(Error::invalid_input("name is empty; say whom to greet"));
    }
    Ok(Greeting { text: format!("Hello, {}{}", args.name, if args.excited { "!" } else { "." }) })
}

/// Says how often it was asked.
#[tool]
fn count() -> Result<String, Error> {
    let times = store::get_json::<u32>("times")?.unwrap_or(0) + 1;
    store::set_json("times", &times)?;
    Ok(format!("{times} times"))
}

/// Draws a point.
#[tool(pure)]
fn draw() -> Result<Vec<Content>, Error> {
    Ok(vec![Content::Text("here".into()), Content::Blob(Blob { media_type: "image/png".into(), name: None, bytes: vec![0] })])
}

wardian_plugin::export!(greet, count, draw);

#[test]
fn a_function_stays_a_function() {
    let greeting = greet(Greet { name: "Ada".into(), excited: true }).unwrap();
    assert_eq!(greeting, Greeting { text: "Hello, Ada!".into() });
    assert_eq!(greet(Greet { name: String::new(), excited: true }).unwrap_err().reason, Reason::InvalidInput);
}

#[test]
fn a_tool_is_described_by_its_doc_comment_its_types_and_its_promises() {
    let tools = describe();
    let greet = &tools[0];
    assert_eq!((greet.name.as_str(), greet.description.as_str()), ("greet", "Greets a person by name.\n\nNot for crowds."));
    assert_eq!(greet.traits, Traits::READ_ONLY | Traits::IDEMPOTENT);
    assert_eq!(greet.annotations.as_deref(), Some(r#"{"title":"Greet"}"#));
    let input: serde_json::Value = serde_json::from_str(&greet.input).unwrap();
    assert_eq!(input["required"], serde_json::json!(["name"]));
    assert_eq!((&input["additionalProperties"], &input["properties"]["name"]["description"]), (&false.into(), &"Whom to greet.".into()));
    assert!(greet.output.as_deref().unwrap().contains("The greeting."));
    assert_eq!((tools[1].traits, tools[1].output.as_deref(), tools[2].traits), (Traits::empty(), None, Traits::all()));
    assert!(tools[1].input.contains("\"properties\":{}"), "{}", tools[1].input);
}

#[test]
fn answers_are_data_text_or_parts_as_the_function_says() {
    assert_eq!(testing::data(invoke("greet", r#"{"name": "Ada"}"#).unwrap()), serde_json::json!({"text": "Hello, Ada."}));
    invoke("count", "{}").unwrap();
    assert!(matches!(invoke("count", "{}").unwrap().as_slice(), [Content::Text(text)] if text == "2 times"));
    assert_eq!(invoke("draw", "{}").unwrap().len(), 2);
    assert_eq!(invoke("greet", "{}").unwrap_err().reason, Reason::InvalidInput);
}

#[test]
fn what_was_stored_by_somebody_else_is_told_to_be_unreadable() {
    store::set("times", b"no number").unwrap();
    let error = invoke("count", "{}").unwrap_err();
    assert_eq!(error.reason, Reason::Failed);
    assert!(error.message.contains("\"times\" cannot be read"), "{error}");
}
