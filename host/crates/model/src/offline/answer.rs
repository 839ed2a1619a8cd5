//! What tools answered, as sentences.

use std::sync::Arc;

use serde_json::{Map, Value};
use session::{Item, ItemBody};

/// How many found passages are read out.
const PASSAGES: usize = 3;
/// How many bytes of one passage or value are read out; the event of the tool holds all of it.
const VALUE_BYTES: usize = 1_200;
/// How deep nested values are read out.
const DEPTH: usize = 4;
/// How many members of a list or an object are read out.
const MEMBERS: usize = 20;

/// One answer for all results of a step.
pub(super) fn from_results(results: &[Arc<Item>]) -> String {
    let answers: Vec<String> = results.iter().filter_map(|item| from_result(&item.body)).collect();
    answers.join("\n\n")
}

fn from_result(body: &ItemBody) -> Option<String> {
    let ItemBody::ToolResult { name, output, error, .. } = body else { return None };
    let output: Value = serde_json::from_str(output).unwrap_or_else(|_| Value::from(output.as_str()));
    Some(match output.as_object() {
        _ if *error => format!("The tool {name} could not help: {}.", reason(&output)),
        Some(object) => from_object(name, object),
        None => format!("{name} answers: {}", plain(&output, 0)),
    })
}

fn reason(output: &Value) -> String {
    let message = output["error"]["message"].as_str().or_else(|| output["error"].as_str()).unwrap_or("it gave no reason");
    message.trim_end_matches('.').to_owned()
}

fn from_object(name: &str, object: &Map<String, Value>) -> String {
    if let Some(results) = object.get("results").and_then(Value::as_array) {
        return from_passages(results);
    }
    if let Some(text) = object.get("text").and_then(Value::as_str) {
        return text.to_owned();
    }
    if let Some(parts) = object.get("content").and_then(Value::as_array) {
        let parts: Vec<String> = parts.iter().map(part).collect();
        return parts.join("\n\n");
    }
    for key in ["result", "value", "answer"] {
        if let Some(value) = object.get(key).filter(|value| !value.is_object() && !value.is_array()) {
            return match object.get("expression").or_else(|| object.get("input")).and_then(Value::as_str) {
                Some(asked) => format!("{asked} is {}.", plain(value, 0)),
                None => format!("The answer is {}.", plain(value, 0)),
            };
        }
    }
    if object.is_empty() {
        return format!("{name} is done; it had nothing to add.");
    }
    format!("{name} answers:{}", plain(&Value::from(object.clone()), 0))
}

fn part(part: &Value) -> String {
    match part["type"].as_str() {
        Some("text") => part["text"].as_str().unwrap_or_default().to_owned(),
        Some("data") => plain(&part["data"], 0),
        _ => format!("[{}]", part["name"].as_str().or(part["media_type"].as_str()).unwrap_or("a file")),
    }
}

fn from_passages(results: &[Value]) -> String {
    if results.is_empty() {
        return "I searched, but found nothing that fits. Try other words.".into();
    }
    let mut text = String::from("Here is what I found:");
    for result in results.iter().take(PASSAGES) {
        let title = result["title"].as_str().or(result["name"].as_str()).unwrap_or("Untitled");
        let passage = ["content", "text", "snippet", "summary"].iter().find_map(|key| result[*key].as_str());
        text.push_str(&format!("\n\n**{title}**"));
        match passage {
            Some(passage) => text.push_str(&format!("\n{}", cut(passage.trim()))),
            None => text.push_str(&plain(result, 0)),
        }
    }
    if results.len() > PASSAGES {
        text.push_str(&format!("\n\n({} more results are in the tool's output.)", results.len() - PASSAGES));
    }
    text
}

/// A value without JSON's signs; objects and lists as indented lines.
fn plain(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::String(text) => cut(text),
        Value::Object(members) if depth < DEPTH => {
            let line = |(key, value): (&String, &Value)| format!("\n{indent}- {}: {}", key.replace('_', " "), plain(value, depth + 1));
            members.iter().take(MEMBERS).map(line).collect()
        }
        Value::Array(members) if depth < DEPTH && members.iter().any(|member| member.is_object() || member.is_array()) => {
            let line = |value: &Value| format!("\n{indent}- {}", plain(value, depth + 1));
            members.iter().take(MEMBERS).map(line).collect()
        }
        Value::Array(members) => {
            let members: Vec<String> = members.iter().take(MEMBERS).map(|member| plain(member, DEPTH)).collect();
            members.join(", ")
        }
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    if text.len() <= VALUE_BYTES {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(VALUE_BYTES);
    format!("{} …", text[..end].trim_end())
}
