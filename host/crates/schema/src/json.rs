//! JSON that says one thing to everybody who reads it. Where a member stands
//! twice, one reader takes the first and another the last: a model would see
//! another schema than the one that is checked and that an operator accepted.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::text;

/// The value of a text in which no object has a member twice.
pub fn unambiguous(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map(|Once(value)| value).map_err(|error| format!("it is not JSON: {}", text::escaped(&error.to_string())))
}

/// A value whose objects have each member once.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Parts).map(Self)
    }
}

struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Once(item)) = from.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let Once(value) = from.next_value()?;
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("the member {name:?} stands twice in one object")));
            }
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth() {
        let text = r#"{"a": [1, -2, 2.5, "x", true, null, {"b": {}}]}"#;
        assert_eq!(unambiguous(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        for text in [r#"{"a": 1, "a": 2}"#, r#"[{"x": {"a": 1, "\u0061": 2}}]"#] {
            assert!(unambiguous(text).unwrap_err().contains("\"a\" stands twice"), "{text}");
        }
        assert!(unambiguous(&"[".repeat(1_000)).is_err(), "as deep as serde_json goes, and no deeper");
    }
}
