//! The form of a step's final answers: `output_parser`. A schema is checked
//! when it comes in, so that no turn fails because of it.

use serde_json::{Map, Value, json};

use schema::Schema;
use session::OutputSchema;

use super::DESCRIPTION;
use crate::errors::{Error, Result};
use crate::fields::{Fields, unsupported_value, wrong};

/// Characters of a schema's name: the bound of the providers that want one.
const NAME: usize = 64;
/// Properties of all objects of a strict schema together: the providers' bound.
const STRICT_PROPERTIES: usize = 100;
/// How deep objects may lie in one another in a strict schema: the providers' bound.
const STRICT_LEVELS: usize = 5;

/// What a strict schema may not say: providers cannot hold a model to it while it writes.
const NOT_STRICT: [&str; 20] = [
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Reads `output_parser` of a step; none means any text.
pub(super) fn read(step: &Fields<'_>) -> Result<Option<OutputSchema>> {
    let Some(value) = step.value("output_parser") else { return Ok(None) };
    let parser = Fields::of(value, step.path("output_parser"))?;
    match parser.text("type", 1..=64)? {
        Some("default") => Ok(None),
        Some("structured") => form(&parser).map(Some),
        None if parser.value("json_schema").is_some() => form(&parser).map(Some),
        None => Ok(None),
        Some(other) => Err(unsupported_value(&parser.path("type"), other, "default or structured")),
    }
}

fn form(parser: &Fields<'_>) -> Result<OutputSchema> {
    let value = parser.required("json_schema", parser.value("json_schema"))?;
    let fields = Fields::of(value, parser.path("json_schema"))?;
    let name = fields.required("name", fields.text("name", 1..=NAME)?)?;
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(Error::field(fields.path("name"), format!("`{name}` must be of the characters a-z, A-Z, 0-9, _ and -")));
    }
    let at = fields.path("schema");
    let schema = Value::from(fields.required("schema", fields.object("schema")?)?.clone());
    Schema::compile(&schema.to_string()).map_err(|why| Error::field(&at, format!("`{at}` cannot be used: {why}")))?;
    let strict = fields.flag("strict")?.unwrap_or(false);
    if strict {
        Strict::default().check(&schema, &at, 0)?;
    }
    let description = fields.text("description", 0..=DESCRIPTION)?.map(str::to_owned);
    Ok(OutputSchema { name: name.to_owned(), description, strict, schema })
}

/// The answer's form.
pub(super) fn written(output: Option<&OutputSchema>) -> Value {
    let Some(form) = output else { return json!({"type": "default"}) };
    let mut schema = Map::from_iter([("name".to_owned(), json!(form.name))]);
    if let Some(description) = &form.description {
        schema.insert("description".into(), json!(description));
    }
    schema.insert("strict".into(), form.strict.into());
    schema.insert("schema".into(), form.schema.clone());
    json!({ "type": "structured", "json_schema": schema })
}

/// Walks a strict schema and counts what is bounded.
#[derive(Default)]
struct Strict {
    properties: usize,
}

impl Strict {
    fn check(&mut self, schema: &Value, at: &str, level: usize) -> Result<()> {
        let members = match schema {
            Value::Object(members) => members,
            Value::Bool(_) => return Ok(()),
            other => return Err(wrong(at, "a schema", other)),
        };
        if level == 0 && members.contains_key("anyOf") {
            return Err(not_strict(format!("{at}.anyOf"), "may not stand at the root"));
        }
        if let Some(word) = NOT_STRICT.iter().find(|word| members.contains_key(**word)) {
            return Err(not_strict(format!("{at}.{word}"), "is not allowed"));
        }
        let level = if is_object(members) { self.object(members, at, level + 1)? } else { level };
        for (name, value) in members {
            let at = format!("{at}.{name}");
            match (name.as_str(), value) {
                ("properties" | "$defs" | "definitions", Value::Object(inner)) => {
                    let level = if name == "properties" { level } else { 1 };
                    inner.iter().try_for_each(|(name, value)| self.check(value, &format!("{at}.{name}"), level))?;
                }
                ("items" | "not" | "if" | "then" | "else", value) => self.check(value, &at, level)?,
                ("anyOf" | "allOf" | "oneOf" | "prefixItems", Value::Array(inner)) => {
                    inner.iter().enumerate().try_for_each(|(i, value)| self.check(value, &format!("{at}[{i}]"), level.max(1)))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks one object's own keywords; answers how deep its members lie.
    fn object(&mut self, members: &Map<String, Value>, at: &str, level: usize) -> Result<usize> {
        if level > STRICT_LEVELS {
            return Err(not_strict(at.to_owned(), &format!("lies deeper than {STRICT_LEVELS} levels")));
        }
        if members.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err(not_strict(at.to_owned(), "must say `\"additionalProperties\": false`"));
        }
        let empty = Map::new();
        let properties = members.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        self.properties += properties.len();
        if self.properties > STRICT_PROPERTIES {
            return Err(not_strict(at.to_owned(), &format!("brings the schema over {STRICT_PROPERTIES} properties")));
        }
        let required = members.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        match properties.keys().find(|name| !required.iter().any(|listed| listed == name.as_str())) {
            Some(name) => Err(not_strict(at.to_owned(), &format!("must list every property in `required`, and `{name}` is missing"))),
            None => Ok(level),
        }
    }
}

fn is_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => schema.contains_key("properties"),
    }
}

fn not_strict(at: String, why: &str) -> Error {
    let problem = format!("`{at}` {why} in a strict schema; change it, or leave `strict` out");
    Error::field(at, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(parser: &Value) -> Result<Option<OutputSchema>> {
        let step = json!({ "output_parser": parser });
        read(&Fields::of(&step, "s").unwrap())
    }

    fn structured(strict: bool, schema: &Value) -> Value {
        json!({"type": "structured", "json_schema": {"name": "city", "strict": strict, "schema": schema}})
    }

    fn city() -> Value {
        json!({"type": "object", "additionalProperties": false, "required": ["name"], "properties": {"name": {"type": "string"}}})
    }

    fn refused(parser: &Value) -> String {
        let body = parsed(parser).unwrap_err().body("r");
        let errors = body["field_errors"].as_object().unwrap();
        errors.keys().next().unwrap().clone()
    }

    #[test]
    fn what_is_read_is_written_back() {
        for parser in [json!({"type": "default"}), structured(true, &city()), structured(false, &json!({"type": "object"}))] {
            assert_eq!(written(parsed(&parser).unwrap().as_ref()), parser);
        }
        assert_eq!(parsed(&json!({})).unwrap(), None);
        assert!(parsed(&json!({"json_schema": {"name": "x", "schema": {"type": "object"}}})).unwrap().is_some());
    }

    #[test]
    fn a_schema_that_cannot_be_used_is_refused_where_it_stands() {
        for (parser, field) in [
            (json!({"type": "other"}), "s.output_parser.type"),
            (json!({"type": "structured"}), "s.output_parser.json_schema"),
            (json!({"type": "structured", "json_schema": {"schema": {"type": "object"}}}), "s.output_parser.json_schema.name"),
            (
                json!({"type": "structured", "json_schema": {"name": "a b", "schema": {"type": "object"}}}),
                "s.output_parser.json_schema.name",
            ),
            (structured(false, &json!({"type": "array"})), "s.output_parser.json_schema.schema"),
            (structured(false, &json!({"type": "object", "required": 7})), "s.output_parser.json_schema.schema"),
            (json!({"type": "structured", "json_schema": {"name": "a"}}), "s.output_parser.json_schema.schema"),
        ] {
            assert_eq!(refused(&parser), field, "{parser}");
        }
    }

    #[test]
    fn a_strict_schema_that_breaks_the_subset_is_refused_with_the_path() {
        let with = |path: &str, value: Value| {
            let mut schema = city();
            *schema.pointer_mut(path).unwrap() = value;
            structured(true, &schema)
        };
        let root = "s.output_parser.json_schema.schema";
        assert_eq!(refused(&with("/additionalProperties", json!(true))), root);
        assert_eq!(refused(&with("/required", json!([]))), root);
        assert_eq!(
            refused(&with("/properties/name", json!({"type": "string", "maxLength": 3}))),
            format!("{root}.properties.name.maxLength")
        );
        let inner = json!({"type": "array", "items": {"type": "object"}});
        assert_eq!(refused(&with("/properties/name", inner)), format!("{root}.properties.name.items"));
        let mut any = city();
        any["anyOf"] = json!([{"type": "object"}]);
        assert_eq!(refused(&structured(true, &any)), format!("{root}.anyOf"));
    }

    #[test]
    fn a_strict_schema_has_bounds_on_depth_and_number() {
        let nested = |levels: usize| {
            (1..levels).fold(
                city(),
                |inner, _| json!({"type": "object", "additionalProperties": false, "required": ["x"], "properties": {"x": inner}}),
            )
        };
        assert!(parsed(&structured(true, &nested(STRICT_LEVELS))).is_ok());
        assert!(parsed(&structured(true, &nested(STRICT_LEVELS + 1))).unwrap_err().message().contains("5 levels"));
        let names: Vec<String> = (0..=STRICT_PROPERTIES).map(|n| format!("p{n}")).collect();
        let properties: Map<String, Value> = names.iter().map(|name| (name.clone(), json!({"type": "string"}))).collect();
        let many = json!({"type": "object", "additionalProperties": false, "required": names, "properties": properties});
        assert!(parsed(&structured(true, &many)).unwrap_err().message().contains("100 properties"));
    }
}
