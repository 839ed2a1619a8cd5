//! JSON Schema of forms, as models read it.

use serde_json::{Map, Value, json};

use super::docs::TypeDocs;
use super::form::{Case, Field, Form, Integer, Name, Record};

/// The schema of a record: an object without further properties.
pub(super) fn object(fields: &[Field], docs: &dyn Fn(&Name) -> Option<String>, types: &TypeDocs<'_>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        let mut property = schema(&field.form, types);
        if let Some(text) = docs(&field.name) {
            property["description"] = text.into();
        }
        properties.insert(field.name.json.clone(), property);
        if !field.form.is_optional() {
            required.push(field.name.json.clone());
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The schema of a record that has a name of its own.
pub(super) fn record(record: &Record, types: &TypeDocs<'_>) -> Value {
    object(&record.fields, &|field| types.field(record.named.as_deref()?, &field.wit), types)
}

fn schema(form: &Form, types: &TypeDocs<'_>) -> Value {
    match form {
        Form::Bool => json!({ "type": "boolean" }),
        Form::Integer(kind) => integer(*kind),
        Form::F32 | Form::F64 => json!({ "type": "number" }),
        Form::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        Form::Text => json!({ "type": "string" }),
        Form::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
        Form::List(item) => json!({ "type": "array", "items": schema(item, types) }),
        Form::Record(it) => record(it, types),
        Form::Tuple(items) => {
            let prefix: Vec<Value> = items.iter().map(|item| schema(item, types)).collect();
            json!({ "type": "array", "prefixItems": prefix, "minItems": items.len(), "maxItems": items.len() })
        }
        Form::Variant(cases) => one_of(cases.iter().map(|Case { name, payload }| (&*name.json, payload.as_ref())), types),
        Form::Enum(names) => json!({ "type": "string", "enum": written(names) }),
        Form::Flags(names) => {
            json!({ "type": "array", "items": { "type": "string", "enum": written(names) }, "uniqueItems": true })
        }
        Form::Option(inner) => json!({ "anyOf": [schema(inner, types), { "type": "null" }] }),
        Form::Result(ok, error) => one_of([("ok", ok.as_deref()), ("error", error.as_deref())].into_iter(), types),
    }
}

/// Numbers that are not exact everywhere may be written as text.
fn integer(kind: Integer) -> Value {
    let (least, most) = kind.bounds();
    // Every bound fits into one of the two.
    let number = |n: i128| u64::try_from(n).map_or_else(|_| json!(i64::try_from(n).unwrap_or(i64::MIN)), |n| json!(n));
    let plain = json!({ "type": "integer", "minimum": number(least), "maximum": number(most) });
    if kind.is_wide() { json!({ "anyOf": [plain, { "type": "string", "maxLength": DIGITS_MAX }] }) } else { plain }
}

/// The digits of the longest integer, with its sign.
pub(super) const DIGITS_MAX: usize = 20;

/// Cases without a payload are texts, the others objects with one property.
fn one_of<'a>(cases: impl Iterator<Item = (&'a str, Option<&'a Form>)>, types: &TypeDocs<'_>) -> Value {
    let (mut bare, mut choices) = (Vec::new(), Vec::new());
    for (name, payload) in cases {
        let Some(payload) = payload else {
            bare.push(name);
            continue;
        };
        let properties = json!({ name: schema(payload, types) });
        choices.push(json!({ "type": "object", "properties": properties, "required": [name], "additionalProperties": false }));
    }
    if !bare.is_empty() {
        choices.insert(0, json!({ "type": "string", "enum": bare }));
    }
    if choices.len() == 1 { choices.remove(0) } else { json!({ "oneOf": choices }) }
}

fn written(names: &[Name]) -> Vec<&str> {
    names.iter().map(|name| &*name.json).collect()
}
