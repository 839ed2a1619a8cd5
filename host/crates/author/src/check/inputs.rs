//! Arguments made from a schema: some that a tool has to take, many that nobody sensible sends.

use serde_json::{Map, Value, json};

/// How deep a schema is followed when a value is made from it.
const DEPTH_MAX: usize = 12;

/// A text that is long, and still fits into the arguments beside others.
const LONG_CHARS: usize = 100_000;

/// Items of a list that is long.
const MANY: usize = 10_000;

/// How deep values lie in each other in the deep one.
const DEEP: usize = 100;

/// Arguments with what is odd about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    /// In words.
    pub what: String,
    /// The text: not always JSON.
    pub input: String,
}

impl Case {
    pub(super) fn new(what: impl Into<String>, input: impl Into<String>) -> Self {
        Self { what: what.into(), input: input.into() }
    }
}

/// A value that most likely satisfies a schema: the required members with the smallest values.
pub(super) fn sample(schema: &Value) -> Value {
    value(schema, schema, 0)
}

fn value(root: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    for given in ["const", "default"] {
        if let Some(value) = schema.get(given) {
            return value.clone();
        }
    }
    for list in ["enum", "examples"] {
        if let Some(first) = schema.get(list).and_then(Value::as_array).and_then(|values| values.first()) {
            return first.clone();
        }
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix('#')) {
        return root.pointer(target).map_or(Value::Null, |target| value(root, target, depth + 1));
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(list).and_then(Value::as_array).and_then(|schemas| schemas.first()) {
            return value(root, first, depth + 1);
        }
    }
    match kind(schema) {
        Some("object") => {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let member = |name: &str| (name.to_owned(), value(root, &schema["properties"][name], depth + 1));
            Value::Object(required.map(member).collect())
        }
        Some("array") => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(MANY as u64);
            (0..count).map(|_| value(root, schema.get("items").unwrap_or(&Value::Null), depth + 1)).collect()
        }
        Some("integer" | "number") => number(schema),
        Some("boolean") => false.into(),
        Some("null") => Value::Null,
        Some(_) | None => text(schema),
    }
}

fn kind(schema: &Value) -> Option<&str> {
    let kind = schema.get("type")?;
    kind.as_str().or_else(|| kind.as_array()?.iter().filter_map(Value::as_str).find(|kind| *kind != "null"))
}

fn number(schema: &Value) -> Value {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|low| low + 1.0));
    let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|high| high - 1.0));
    let chosen = low.unwrap_or_else(|| high.map_or(1.0, |high| high.min(1.0)));
    if chosen.fract() == 0.0 { (chosen as i64).into() } else { chosen.into() }
}

fn text(schema: &Value) -> Value {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2024-02-29",
        Some("date-time") => "2024-02-29T12:00:00Z",
        Some("time") => "12:00:00Z",
        Some("uri" | "url") => "https://example.com/",
        Some("email") => "a@example.com",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        Some(_) | None => "a",
    };
    let length = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let (least, most) = (length("minLength").unwrap_or(0).min(LONG_CHARS), length("maxLength").unwrap_or(usize::MAX));
    let padding = "a".repeat(least.saturating_sub(text.chars().count()));
    text.chars().take(most).chain(padding.chars()).collect::<String>().into()
}

/// What nobody sensible sends, as whole texts: the server's own check has to stop it.
pub(super) fn malformed(schema: &Value) -> Vec<Case> {
    let sample = sample(schema);
    let with = |name: &str, value: Value| {
        let mut members = sample.as_object().cloned().unwrap_or_default();
        members.insert(name.to_owned(), value);
        Value::Object(members).to_string()
    };
    let mut cases = vec![
        Case::new("no JSON", "{\"a\": "),
        Case::new("no object", "[]"),
        Case::new("nothing at all", ""),
        Case::new("no arguments", "{}"),
        Case::new("an unknown property", with("no_such_property", json!(1))),
        Case::new("a property that stands twice", "{\"a\": 1, \"a\": 2}"),
        Case::new("the character \\u0000", with("no_such_property", json!("a\u{0}b"))),
        Case::new("more than 1 MiB", with("no_such_property", "x".repeat(1 << 20).into())),
        Case::new("a property nested 100 levels deep", with("no_such_property", deep())),
    ];
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    cases.extend(required.map(|name| {
        let mut members = sample.as_object().cloned().unwrap_or_default();
        members.remove(name);
        Case::new(format!("{name} left out"), Value::Object(members).to_string())
    }));
    for (name, value) in [("null", json!(null)), ("a number", json!(12)), ("a list", json!([[]])), ("an object", json!({ "a": {} }))] {
        cases.extend(names(schema).map(|property| Case::new(format!("{property} is {name}"), with(property, value.clone()))));
    }
    cases
}

/// What a schema may well allow: the ends of each argument's kind.
pub(super) fn hostile(schema: &Value) -> Vec<Case> {
    let sample = sample(schema).as_object().cloned().unwrap_or_default();
    let mut cases = Vec::new();
    for name in names(schema) {
        let property = &schema["properties"][name];
        for (what, value) in ends(schema, property) {
            let mut members: Map<String, Value> = sample.clone();
            members.insert(name.to_owned(), value);
            cases.push(Case::new(format!("{name} is {what}"), Value::Object(members).to_string()));
        }
    }
    cases
}

fn names(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
}

fn ends(root: &Value, schema: &Value) -> Vec<(&'static str, Value)> {
    match kind(schema) {
        Some("string") | None => vec![
            ("empty", json!("")),
            ("one blank", json!(" ")),
            ("100,000 characters long", "x".repeat(LONG_CHARS).into()),
            ("made of characters beyond ASCII", json!("é𝄞\u{202e}\u{feff}ﬀ\u{301}\u{10ffff}")),
            ("made of line ends and quotes", json!("\"'`\\\r\n\t\u{1b}[2J")),
            ("a path out of a directory", json!("../../../../etc/passwd")),
            ("made of open brackets", "([{".repeat(2_000).into()),
        ],
        Some("integer") => vec![
            ("0", json!(0)),
            ("-1", json!(-1)),
            ("the largest there is", json!(i64::MAX)),
            ("the smallest there is", json!(i64::MIN)),
            ("larger than that", json!(u64::MAX)),
        ],
        Some("number") => vec![("0", json!(0)), ("-0.0", json!(-0.0)), ("huge", json!(1e308)), ("tiny", json!(5e-324)), ("-1", json!(-1))],
        Some("array") => {
            let item = value(root, schema.get("items").unwrap_or(&Value::Null), 0);
            vec![("empty", json!([])), ("10,000 items long", Value::from(vec![item; MANY]))]
        }
        Some("object") => vec![("empty", json!({})), ("100 levels deep", deep())],
        Some(_) => Vec::new(),
    }
}

fn deep() -> Value {
    (0..DEEP).fold(json!({}), |inner, _| json!({ "a": inner }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_satisfies_the_schemas_that_people_write() {
        for schema in [
            json!({ "type": "object" }),
            json!({ "type": "object", "properties": { "a": { "type": "string", "minLength": 5, "maxLength": 6 } }, "required": ["a"] }),
            json!({ "type": "object", "properties": { "n": { "type": "integer", "minimum": 3 } }, "required": ["n"] }),
            json!({ "type": "object", "properties": { "n": { "type": "number", "maximum": -2.5 } }, "required": ["n"] }),
            json!({ "type": "object", "properties": { "e": { "enum": ["x", "y"] }, "b": { "type": "boolean" } }, "required": ["e", "b"] }),
            json!({ "type": "object", "properties": { "l": { "type": "array", "minItems": 2, "items": { "$ref": "#/$defs/x" } } },
                "required": ["l"], "$defs": { "x": { "type": ["null", "object"], "properties": { "d": { "type": "string", "format": "date" } }, "required": ["d"] } } }),
        ] {
            let compiled = schema::Schema::compile(&schema.to_string()).expect("it is a schema");
            assert_eq!(compiled.check(&sample(&schema)), Ok(()), "{schema}: {}", sample(&schema));
        }
    }

    #[test]
    fn odd_arguments_are_made_for_each_property() {
        let schema =
            json!({ "type": "object", "properties": { "s": { "type": "string" }, "n": { "type": "integer" } }, "required": ["s"] });
        let (malformed, hostile) = (malformed(&schema), hostile(&schema));
        assert!(malformed.iter().any(|case| case.what == "s left out" && case.input == "{}"));
        assert!(malformed.iter().any(|case| case.input.len() > 1 << 20));
        assert_eq!(hostile.iter().filter(|case| case.what.starts_with("n is")).count(), 5);
        assert!(hostile.iter().all(|case| serde_json::from_str::<Value>(&case.input).is_ok() && case.input.len() < 1 << 20));
    }
}
