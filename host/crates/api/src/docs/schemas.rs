//! Schemas as nested lists. A schema with a name stands once, at the end of the
//! page; everywhere else it is a link.

use std::fmt::Write;

use serde_json::Value;

use super::{escape, escaped};

/// Objects shown within each other; deeper ones are named only. Against a page that never ends.
const DEPTH: usize = 6;

/// Bounds of a value that are worth a word beside its type.
const BOUNDS: [&str; 9] = ["minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties", "pattern", "default"];

/// All schemas that have a name.
pub(super) fn push_all(page: &mut String, document: &Value) {
    page.push_str("<h2>Schemas</h2>\n");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let name = escape(name);
        let _ = write!(page, "<section id=\"schema-{name}\">\n<h3>{name}</h3>\n<p>{}\n", typed(schema));
        push_members(page, schema, DEPTH);
        page.push_str("</section>\n");
    }
}

/// A schema at its place: what it is, and the members that it has itself, also where it stands elsewhere.
pub(super) fn push_schema(page: &mut String, schema: &Value, named: &Value) {
    page.push_str(&typed(schema));
    page.push('\n');
    let target = schema["$ref"].as_str().and_then(|path| named.get(path.rsplit('/').next()?));
    push_members(page, target.unwrap_or(schema), DEPTH);
}

fn push_members(page: &mut String, schema: &Value, depth: usize) {
    if depth == 0 {
        return;
    }
    let variants = schema["oneOf"].as_array();
    let members = schema["properties"].as_object().filter(|members| !members.is_empty());
    if variants.is_none() && members.is_none() {
        return;
    }
    page.push_str("<ul>\n");
    for variant in variants.into_iter().flatten() {
        let kind = &variant["properties"]["type"]["const"];
        let name = kind.as_str().map(|kind| format!("<code>{}</code> ", escape(kind))).unwrap_or_default();
        let _ = writeln!(page, "<li>{name}{}", typed(variant));
        push_members(page, variant, depth - 1);
    }
    for (name, member) in members.into_iter().flatten() {
        let required = schema["required"].as_array().is_some_and(|all| all.iter().any(|each| each == name));
        let mark = if required { ", required" } else { "" };
        let about = member["description"].as_str().map(|text| format!(": {}", escape(text))).unwrap_or_default();
        let _ = writeln!(page, "<li><code>{}</code> {}{mark}{about}", escape(name), typed(member));
        push_members(page, inner(member), depth - 1);
    }
    page.push_str("</ul>\n");
}

/// What holds the members of a list or a map.
fn inner(schema: &Value) -> &Value {
    [&schema["items"], &schema["additionalProperties"]].into_iter().find(|inner| inner.is_object()).unwrap_or(schema)
}

/// What a value may be, in a few words.
pub(super) fn typed(schema: &Value) -> String {
    if let Some(path) = schema["$ref"].as_str() {
        let name = escape(path.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if !schema["const"].is_null() {
        return format!("<code>{}</code>", escape(&schema["const"].to_string()));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("<code>{}</code>", escaped(word))).collect();
        return format!("{}{}", words.join(" | "), bounds(schema));
    }
    if schema["oneOf"].is_array() {
        return "one of".to_owned();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(escaped).collect::<Vec<_>>().join(" or "),
        kind => escaped(kind),
    };
    let of = match (&schema["items"], &schema["additionalProperties"]) {
        (items, _) if items.is_object() => format!(" of {}", typed(items)),
        (_, values) if values.is_object() => format!(" of {}", typed(values)),
        _ => String::new(),
    };
    format!("{kind}{of}{}", bounds(schema))
}

fn bounds(schema: &Value) -> String {
    let there = BOUNDS.iter().filter(|bound| !schema[**bound].is_null());
    let words: Vec<String> = there.map(|bound| format!("{bound} <code>{}</code>", escaped(&schema[*bound]))).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}
