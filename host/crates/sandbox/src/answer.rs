//! Checking what goes into a guest and what comes out of it: JSON, free of
//! `\u0000`, within the schema and within the limit.

use serde_json::Value;
use tool::{Content, End};

use crate::catalog::Tool;
use crate::guest::part_bytes;
use schema::json;

/// Arguments of one call.
const INPUT_BYTES_MAX: usize = 1 << 20;

/// Checks a call's arguments.
pub(crate) fn check_input(tool: &Tool, input: &str) -> Result<(), End> {
    if input.len() > INPUT_BYTES_MAX {
        return Err(End::InvalidInput(format!("they are {} bytes long; at most {INPUT_BYTES_MAX} are allowed", input.len())));
    }
    // A member that stands twice would be one thing to the schema or to whoever approves it, and another to the guest.
    let value = json::unambiguous(input).map_err(End::InvalidInput)?;
    if !value.is_object() {
        return Err(End::InvalidInput("they are not a JSON object".into()));
    }
    if has_null_character(input, &value) {
        return Err(End::InvalidInput("they contain the character \\u0000".into()));
    }
    tool.input.check(&value).map_err(End::InvalidInput)
}

/// Checks the parts of an answer.
pub(crate) fn check_output(tool: &Tool, parts: &[Content], bytes_max: u64) -> Result<(), End> {
    let bytes = parts.iter().map(part_bytes).fold(0, u64::saturating_add);
    if bytes > bytes_max {
        return Err(End::Output(bytes_max));
    }
    parts.iter().try_for_each(|part| check_part(tool, part)).map_err(End::InvalidOutput)
}

fn check_part(tool: &Tool, part: &Content) -> Result<(), String> {
    match part {
        Content::Text(text) => no_null_character("a text part", text),
        Content::Data(json) => {
            let value = parse("a data part", json)?;
            let schema = tool.output.as_ref().map_or(Ok(()), |schema| schema.check(&value));
            schema.map_err(|fault| format!("a data part does not satisfy the tool's output schema: {fault}"))
        }
        Content::Other { kind, body } => no_null_character("a part's kind", kind).and(parse("a part's body", body).map(|_| ())),
        Content::Blob { media_type, name, .. } => {
            let token = |b: u8| b.is_ascii_graphic() || b == b' ';
            if !media_type.contains('/') || !media_type.bytes().all(token) {
                return Err("a blob's media type is not of the form type/subtype".into());
            }
            name.as_deref().map_or(Ok(()), |name| no_null_character("a blob's name", name))
        }
    }
}

fn parse(what: &str, json: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(json).map_err(|error| format!("{what} is not JSON: {error}"))?;
    if has_null_character(json, &value) { Err(format!("{what} contains the character \\u0000")) } else { Ok(value) }
}

fn no_null_character(what: &str, text: &str) -> Result<(), String> {
    if text.contains('\0') { Err(format!("{what} contains the character \\u0000")) } else { Ok(()) }
}

/// Whether a string or a key in the value holds U+0000. JSON can only spell it
/// as an escape, so nearly always one search of the text answers it.
fn has_null_character(text: &str, value: &Value) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(within),
            Value::Object(members) => members.iter().any(|(name, item)| name.contains('\0') || within(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    text.contains("\\u0000") && within(value)
}
