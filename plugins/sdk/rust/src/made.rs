//! What the code that `#[tool]` writes leans on: schemas made from types. Those who
//! implement [`Tool`](crate::Tool) by hand may use them as well.

use std::borrow::Cow;

use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Value, json};

#[doc(hidden)]
pub use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// JSON text, made or written.
pub type Text = Cow<'static, str>;

/// What makes one object of several schemas: neither of them may forbid the properties of the other.
const COMBINATORS: [&str; 5] = ["$ref", "allOf", "anyOf", "oneOf", "unevaluatedProperties"];

/// The schema of a tool's arguments. Unknown properties are forbidden, so that a model learns of its mistakes.
pub fn input<T: JsonSchema>() -> Text {
    let mut schema = plain::<T>();
    Closed.transform(&mut schema);
    schema.as_value().to_string().into()
}

/// The schema of the data in a tool's answer.
pub fn output<T: JsonSchema>() -> Text {
    plain::<T>().as_value().to_string().into()
}

/// Annotations with a title for people.
pub fn title(title: &str) -> Text {
    json!({ "title": title }).to_string().into()
}

/// The schema without what models have no use for: the dialect's address, the names of types in Rust, and the widths of numbers,
/// of which the bounds tell what matters.
fn plain<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    Plain.transform(&mut schema);
    schema
}

struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        schema.remove("title");
        let is_width = |format: &Value| {
            format
                .as_str()
                .is_some_and(|format| format.starts_with("int") || format.starts_with("uint") || format == "float" || format == "double")
        };
        if schema.get("format").is_some_and(is_width) {
            schema.remove("format");
        }
        transform_subschemas(self, schema);
    }
}

struct Closed;

impl Transform for Closed {
    fn transform(&mut self, schema: &mut Schema) {
        let is_object = schema
            .get("type")
            .is_some_and(|kind| kind == "object" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object")));
        let is_one_of_several = COMBINATORS.iter().any(|word| schema.get(*word).is_some());
        if is_object && is_one_of_several {
            return;
        }
        if is_object && schema.get("additionalProperties").is_none() {
            schema.insert("additionalProperties".into(), false.into());
        }
        transform_subschemas(self, schema);
    }
}

#[cfg(test)]
mod tests {
    #![expect(dead_code, reason = "only the schemas of these types are looked at")]

    use std::collections::BTreeMap;

    use super::*;

    fn json(text: &Text) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// Where something goes.
    #[derive(Deserialize, JsonSchema)]
    struct Place {
        /// The street.
        street: String,
        floor: Option<u8>,
    }

    #[derive(Deserialize, JsonSchema)]
    struct Parcel {
        /// Where it goes.
        to: Place,
        via: Option<Place>,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        grams: u32,
    }

    #[test]
    fn arguments_are_described_in_place_and_unknown_ones_are_forbidden_at_every_depth() {
        let schema = json(&input::<Parcel>());
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], json!(["to", "grams"]));
        let to = &schema["properties"]["to"];
        assert_eq!((&to["description"], &to["additionalProperties"]), (&json!("Where it goes."), &json!(false)));
        assert_eq!(to["properties"]["street"], json!({"type": "string", "description": "The street."}));
        assert_eq!(schema["properties"]["labels"]["additionalProperties"], json!({"type": "string"}));
        assert_eq!(schema["properties"]["grams"], json!({"type": "integer", "minimum": 0}));
        let text = schema.to_string();
        for word in ["$schema", "$defs", "$ref", "title", "uint"] {
            assert!(!text.contains(word), "{word} is in {text}");
        }
        assert!(schema["properties"]["via"].to_string().contains("\"additionalProperties\":false"));
    }

    #[derive(Deserialize, JsonSchema)]
    struct Drawn {
        colour: String,
        #[serde(flatten)]
        shape: Shape,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "shape", rename_all = "snake_case")]
    enum Shape {
        Circle { radius: f64 },
        Point,
    }

    #[test]
    fn what_one_of_several_schemas_allows_is_not_forbidden_by_another() {
        let schema = jsonschema_of::<Drawn>();
        assert!(schema.is_valid(&json!({"colour": "red", "shape": "circle", "radius": 1.5})));
        assert!(schema.is_valid(&json!({"colour": "red", "shape": "point"})));
        assert!(!schema.is_valid(&json!({"shape": "point"})));
        assert!(!jsonschema_of::<Shape>().is_valid(&json!({"shape": "point", "radius": 1})));
        assert!(!jsonschema_of::<Parcel>().is_valid(&json!({"to": {"street": "x"}, "grams": 1, "colour": "red"})));
    }

    fn jsonschema_of<T: JsonSchema>() -> jsonschema::Validator {
        jsonschema::draft202012::new(&json(&input::<T>())).unwrap()
    }

    #[test]
    fn an_answer_may_have_more_than_its_type_tells() {
        assert!(json(&output::<Place>()).get("additionalProperties").is_none());
        assert_eq!(json(&title("A \"title\"")), json!({"title": "A \"title\""}));
    }
}
