//! The smallest JSON that a schema takes, with the words at hand wherever it
//! wants a text. Patterns, and conditions between members, are not read.

use std::cell::Cell;

use serde_json::{Map, Value};

/// How deep a schema is followed; one that leads to itself must end somewhere.
const DEPTH_MAX: usize = 32;

/// The most items of one list, whatever the schema wants.
const ITEMS_MAX: u64 = 64;

/// The most characters of one text.
const TEXT_CHARS_MAX: usize = 2_000;

/// About the most bytes of an answer; beyond it there is only `null`. A short schema can want lists of lists of
/// lists, or two of itself in itself.
const BYTES_MAX: usize = 256 << 10;

/// What a value takes at least, its name and comma counted.
const VALUE_BYTES: usize = 8;

/// What stands for a text of a known form.
const FORMATS: &[(&str, &str)] = &[
    ("date-time", "1970-01-01T00:00:00Z"),
    ("date", "1970-01-01"),
    ("time", "00:00:00Z"),
    ("duration", "PT0S"),
    ("email", "user@example.com"),
    ("hostname", "example.com"),
    ("ipv4", "192.0.2.1"),
    ("ipv6", "2001:db8::1"),
    ("uri", "https://example.com"),
    ("uuid", "00000000-0000-0000-0000-000000000000"),
];

/// A structured answer.
pub(super) fn answer(schema: &Value, words: &str) -> String {
    Answer { root: schema, words: words.trim(), left: Cell::new(BYTES_MAX) }.value(schema, 0).to_string()
}

struct Answer<'a> {
    root: &'a Value,
    words: &'a str,
    /// Bytes that it may still take.
    left: Cell<usize>,
}

impl Answer<'_> {
    fn value(&self, schema: &Value, depth: usize) -> Value {
        if depth == DEPTH_MAX || !self.spend(VALUE_BYTES) {
            return Value::Null;
        }
        let given = [schema.get("const"), schema.get("default"), schema["enum"].get(0)];
        if let Some(value) = given.into_iter().flatten().next() {
            return if self.spend(value.to_string().len()) { value.clone() } else { Value::Null };
        }
        if let Some(found) = schema["$ref"].as_str().and_then(|path| self.root.pointer(path.strip_prefix('#')?)) {
            return self.value(found, depth + 1);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.value(&self.merged(schema, parts), depth + 1);
        }
        if let Some(choices) = ["anyOf", "oneOf"].iter().find_map(|name| schema[*name].as_array()) {
            let choice = choices.iter().find(|choice| choice["type"] != "null").or(choices.first());
            return choice.map_or(Value::Null, |choice| self.value(choice, depth + 1));
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.list(schema, depth),
            "integer" => number(schema, true),
            "number" => number(schema, false),
            "boolean" => Value::Bool(false),
            "null" => Value::Null,
            _ => self.text(schema),
        }
    }

    /// Whether there are so many bytes left; they are gone afterwards.
    fn spend(&self, bytes: usize) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(bytes));
        bytes <= left
    }

    /// The required members, in the author's order.
    fn object(&self, schema: &Value, depth: usize) -> Value {
        let any = Value::Bool(true);
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let properties = &schema["properties"];
        let mut names: Vec<&str> = required.collect();
        names.sort_by_key(|name| properties.as_object().and_then(|all| all.keys().position(|key| key == name)).unwrap_or(usize::MAX));
        let member = |name: &str| (name.to_owned(), self.value(properties.get(name).unwrap_or(&any), depth + 1));
        Value::Object(names.into_iter().map(member).collect())
    }

    fn list(&self, schema: &Value, depth: usize) -> Value {
        let any = Value::Bool(true);
        let count = schema["minItems"].as_u64().unwrap_or(0).min(ITEMS_MAX);
        let of = |at| schema["prefixItems"].get(at).or_else(|| schema.get("items")).unwrap_or(&any);
        (0..usize::try_from(count).unwrap_or(0)).map(|at| self.value(of(at), depth + 1)).collect()
    }

    fn text(&self, schema: &Value) -> Value {
        let format = schema["format"].as_str();
        if let Some((_, text)) = FORMATS.iter().find(|(name, _)| Some(*name) == format) {
            return Value::from(*text);
        }
        let bound = |name: &str| schema[name].as_u64().and_then(|n| usize::try_from(n).ok()).map(|n| n.min(TEXT_CHARS_MAX));
        let mut text: String = self.words.chars().take(bound("maxLength").unwrap_or(TEXT_CHARS_MAX)).collect();
        let missing = bound("minLength").unwrap_or(0).saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n('.', missing));
        if self.spend(text.len()) { Value::from(text) } else { Value::Null }
    }

    /// A schema of which all parts hold, as one.
    fn merged(&self, schema: &Value, parts: &[Value]) -> Value {
        let mut merged = schema.as_object().cloned().unwrap_or_default();
        merged.remove("allOf");
        for part in parts {
            let part = part["$ref"].as_str().and_then(|path| self.root.pointer(path.strip_prefix('#')?)).unwrap_or(part);
            for (name, value) in part.as_object().into_iter().flatten() {
                join(&mut merged, name, value);
            }
        }
        Value::Object(merged)
    }
}

/// Members and required names add up; of anything else the later one counts.
fn join(merged: &mut Map<String, Value>, name: &str, value: &Value) {
    match (merged.get_mut(name), value) {
        (Some(Value::Object(all)), Value::Object(more)) => all.extend(more.clone()),
        (Some(Value::Array(all)), Value::Array(more)) if name == "required" => {
            let new: Vec<Value> = more.iter().filter(|name| !all.contains(name)).cloned().collect();
            all.extend(new);
        }
        _ => {
            merged.insert(name.to_owned(), value.clone());
        }
    }
}

/// The type that is wanted; guessed where none is named.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ if schema["properties"].is_object() || schema["required"].is_array() => "object",
        _ if schema["items"].is_object() || schema["prefixItems"].is_array() => "array",
        _ => "string",
    }
}

/// Nought, or the first number near a bound that keeps within all of them.
fn number(schema: &Value, whole: bool) -> Value {
    let bound = |name: &str| schema[name].as_f64();
    let (low, above, high, below) = (bound("minimum"), bound("exclusiveMinimum"), bound("maximum"), bound("exclusiveMaximum"));
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let fits = |n: &f64| {
        let bounded =
            low.is_none_or(|b| *n >= b) && above.is_none_or(|b| *n > b) && high.is_none_or(|b| *n <= b) && below.is_none_or(|b| *n < b);
        bounded && step.is_none_or(|step| (n / step).fract() == 0.0) && (!whole || n.fract() == 0.0)
    };
    let (begin, end) = (low.or(above).unwrap_or(0.0), high.or(below).unwrap_or(0.0));
    let step = step.unwrap_or(1.0);
    let near = [
        0.0,
        begin,
        end,
        (begin / step).ceil() * step,
        (begin / step).floor() * step + step,
        (end / step).floor() * step,
        (end / step).ceil() * step - step,
        f64::midpoint(begin, end),
    ];
    let found = near.into_iter().find(fits).unwrap_or(0.0);
    // Within this range a float is exactly the whole number.
    let is_whole = found.fract() == 0.0 && found.abs() < 9e15;
    if is_whole { Value::from(found as i64) } else { Value::from(found) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(schema: Value) -> Value {
        serde_json::from_str(&answer(&schema, " how do I return it? ")).unwrap()
    }

    #[test]
    fn only_what_is_required_is_there_in_the_authors_order() {
        let schema = json!({ "type": "object", "required": ["sure", "team", "more"], "properties": {
            "team": { "enum": ["returns", "sales"] }, "note": { "type": "string" }, "sure": { "type": "boolean" } } });
        assert_eq!(of(schema).to_string(), r#"{"team":"returns","sure":false,"more":"how do I return it?"}"#);
    }

    #[test]
    fn given_values_forms_and_bounds_are_kept() {
        for (schema, value) in [
            (json!({ "const": { "a": 1 } }), json!({ "a": 1 })),
            (json!({ "type": "string", "default": "x" }), json!("x")),
            (json!({ "type": ["null", "string"], "maxLength": 3 }), json!("how")),
            (json!({ "type": "string", "minLength": 21 }), json!("how do I return it?..")),
            (json!({ "type": "string", "format": "date" }), json!("1970-01-01")),
            (json!({ "type": "integer", "minimum": 2.5 }), json!(3)),
            (json!({ "type": "integer", "exclusiveMinimum": 7, "multipleOf": 5 }), json!(10)),
            (json!({ "type": "integer", "maximum": -3 }), json!(-3)),
            (json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }), json!(0.5)),
            (json!({ "type": "number" }), json!(0)),
            (json!({ "type": "null" }), json!(null)),
            (json!({ "type": "array", "items": { "type": "integer" } }), json!([])),
            (json!({ "minItems": 2, "prefixItems": [{ "type": "boolean" }], "items": { "const": 1 } }), json!([false, 1])),
            (json!({ "anyOf": [{ "type": "null" }, { "type": "integer" }] }), json!(0)),
            (json!(true), json!("how do I return it?")),
        ] {
            assert_eq!(of(schema.clone()), value, "{schema}");
        }
    }

    #[test]
    fn references_are_followed_and_parts_joined() {
        let schema = json!({
            "$defs": { "id": { "type": "integer", "minimum": 1 }, "base": { "properties": { "id": { "$ref": "#/$defs/id" } }, "required": ["id"] } },
            "allOf": [{ "$ref": "#/$defs/base" }, { "properties": { "ok": { "type": "boolean" } }, "required": ["ok", "id"] }],
        });
        assert_eq!(of(schema), json!({ "id": 1, "ok": false }));
    }

    #[test]
    fn strange_and_endless_schemas_come_to_an_end() {
        let endless = json!({ "type": "object", "required": ["next"], "properties": { "next": { "$ref": "#" } } });
        assert!(of(endless).is_object());
        let wide = json!({ "type": "array", "minItems": u64::MAX, "items": { "$ref": "#" } });
        assert_eq!(of(json!({ "type": "string", "minLength": u64::MAX })).as_str().map(str::len), Some(TEXT_CHARS_MAX));
        assert!(of(json!({ "type": "array", "minItems": u64::MAX, "items": {} })).as_array().is_some_and(|list| list.len() == 64));
        let twins = json!({ "required": ["a", "b"], "properties": { "a": { "$ref": "#" }, "b": { "$ref": "#" } } });
        let long = json!({ "type": "array", "minItems": 64, "items": { "type": "array", "minItems": 64, "items": { "const": "x".repeat(100_000) } } });
        for schema in [wide, twins, long] {
            assert!(of(schema).to_string().len() < 2 * BYTES_MAX);
        }
        for schema in [json!(null), json!(7), json!({ "type": 7, "enum": [], "required": 1 }), json!({ "$ref": "#/none" })] {
            assert!(!of(schema).is_object());
        }
    }
}
