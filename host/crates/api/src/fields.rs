//! Reading request bodies member by member: each problem names the member by
//! its path. Unknown members are ignored, and null counts as absent.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::errors::{Code, Error, Result};
use crate::limits::METADATA_BYTES;

/// The members of one object, and where it stands in the body.
pub(crate) struct Fields<'a> {
    at: String,
    members: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The members of the body itself.
    pub(crate) fn of_body(members: &'a Map<String, Value>) -> Self {
        Self { at: String::new(), members }
    }

    /// The members of an object inside; `at` is its path.
    pub(crate) fn of(value: &'a Value, at: impl Into<String>) -> Result<Self> {
        let at = at.into();
        match value {
            Value::Object(members) => Ok(Self { at, members }),
            other => Err(wrong(&at, "an object", other)),
        }
    }

    /// The path of a member.
    pub(crate) fn path(&self, member: &str) -> String {
        if self.at.is_empty() { member.to_owned() } else { format!("{}.{member}", self.at) }
    }

    /// A member, where it is there and not null.
    pub(crate) fn value(&self, member: &str) -> Option<&'a Value> {
        self.members.get(member).filter(|value| !value.is_null())
    }

    /// A member that has to be there.
    pub(crate) fn required<T>(&self, member: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| Error::field(self.path(member), format!("`{}` is required", self.path(member))))
    }

    /// A text of so many characters.
    pub(crate) fn text(&self, member: &str, characters: RangeInclusive<usize>) -> Result<Option<&'a str>> {
        let Some(value) = self.value(member) else { return Ok(None) };
        let at = self.path(member);
        let text = value.as_str().ok_or_else(|| wrong(&at, "a string", value))?;
        if characters.contains(&text.chars().count()) {
            return Ok(Some(text));
        }
        let (from, to) = (characters.start(), characters.end());
        Err(Error::field(&at, format!("`{at}` must be {from} to {to} characters long")))
    }

    /// True or false.
    pub(crate) fn flag(&self, member: &str) -> Result<Option<bool>> {
        let Some(value) = self.value(member) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| wrong(&self.path(member), "true or false", value))
    }

    /// A whole number within bounds.
    pub(crate) fn count(&self, member: &str, bounds: RangeInclusive<u64>) -> Result<Option<u64>> {
        let Some(value) = self.value(member) else { return Ok(None) };
        let at = self.path(member);
        match value.as_u64() {
            Some(number) if bounds.contains(&number) => Ok(Some(number)),
            _ => Err(Error::field(&at, format!("`{at}` must be a whole number from {} to {}", bounds.start(), bounds.end()))),
        }
    }

    /// A number within bounds.
    pub(crate) fn number(&self, member: &str, bounds: RangeInclusive<f64>) -> Result<Option<f64>> {
        let Some(value) = self.value(member) else { return Ok(None) };
        let at = self.path(member);
        match value.as_f64() {
            Some(number) if bounds.contains(&number) => Ok(Some(number)),
            _ => Err(Error::field(&at, format!("`{at}` must be a number from {} to {}", bounds.start(), bounds.end()))),
        }
    }

    /// An object.
    pub(crate) fn object(&self, member: &str) -> Result<Option<&'a Map<String, Value>>> {
        let Some(value) = self.value(member) else { return Ok(None) };
        value.as_object().map(Some).ok_or_else(|| wrong(&self.path(member), "an object", value))
    }

    /// A list of at most so many items.
    pub(crate) fn list(&self, member: &str, most: usize) -> Result<Option<&'a [Value]>> {
        let Some(value) = self.value(member) else { return Ok(None) };
        let at = self.path(member);
        let items = value.as_array().ok_or_else(|| wrong(&at, "a list", value))?;
        if items.len() > most {
            return Err(Error::field(&at, format!("`{at}` may have at most {most} items")));
        }
        Ok(Some(items))
    }

    /// A list of strings.
    pub(crate) fn texts(&self, member: &str, most: usize) -> Result<Option<Vec<String>>> {
        let Some(items) = self.list(member, most)? else { return Ok(None) };
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(&self.path(member), "a list of strings", value));
        items.iter().map(text).collect::<Result<_>>().map(Some)
    }

    /// The client's own object; empty where it is absent.
    pub(crate) fn metadata(&self) -> Result<Map<String, Value>> {
        let metadata = self.object("metadata").map_err(|e| e.with(Code::InvalidMetadata))?.cloned().unwrap_or_default();
        let size = serde_json::to_vec(&metadata).map_or(0, |text| text.len());
        if size > METADATA_BYTES {
            let problem = format!("`metadata` is {size} bytes of JSON; at most {METADATA_BYTES} are kept");
            return Err(Error::field(self.path("metadata"), problem).with(Code::InvalidMetadata));
        }
        Ok(metadata)
    }

    /// Refuses members that this version does not act on, unless they say nothing.
    pub(crate) fn refuse(&self, members: &[&str]) -> Result<()> {
        match members.iter().find(|member| self.value(member).is_some_and(|value| !is_empty(value))) {
            None => Ok(()),
            Some(member) => Err(unsupported(&self.path(member))),
        }
    }
}

/// A member that is understood but not supported.
pub(crate) fn unsupported(at: &str) -> Error {
    Error::field(at, format!("`{at}` is not supported in this version; leave it out"))
}

/// A value that is understood but not supported; `instead` says what is.
pub(crate) fn unsupported_value(at: &str, value: &str, instead: &str) -> Error {
    Error::field(at, format!("`{at}` `{value}` is not supported in this version; it must be {instead}"))
}

/// A member of the wrong type.
pub(crate) fn wrong(at: &str, wanted: &str, found: &Value) -> Error {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let name = if at.is_empty() { "the body".to_owned() } else { format!("`{at}`") };
    Error::field(if at.is_empty() { "body" } else { at }, format!("{name} must be {wanted}, not {found}"))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_names_the_member_by_its_path() {
        let body = json!({"temperature": "hot"});
        let fields = Fields::of(&body, "model.parameters").unwrap();
        let error = fields.count("temperature", 0..=2).unwrap_err();
        assert!(error.body("r")["field_errors"]["model.parameters.temperature"].is_string());
    }

    #[test]
    fn a_member_that_says_nothing_is_not_refused() {
        let body = json!({"skills": {}, "reminders": [], "compaction": null, "minutes": 0, "other": 1});
        assert!(Fields::of(&body, "").unwrap().refuse(&["skills", "reminders", "compaction", "minutes"]).is_ok());
        let error = Fields::of(&json!({"skills": {"a": {}}}), "").map(|f| f.refuse(&["skills"]).unwrap_err()).unwrap();
        assert!(error.message().contains("skills"));
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let body = json!({"name": "ééé"});
        let fields = Fields::of(&body, "").unwrap();
        assert!(fields.text("name", 1..=3).is_ok());
        assert!(fields.text("name", 1..=2).is_err());
    }

    #[test]
    fn metadata_that_is_no_object_has_its_own_code() {
        let body = json!({"metadata": 3});
        assert_eq!(Fields::of(&body, "").unwrap().metadata().unwrap_err().code(), Code::InvalidMetadata);
    }
}
