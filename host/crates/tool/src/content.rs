//! The parts of an answer, and how they become the one JSON object that
//! clients and models see.

use serde_json::value::RawValue;

/// One part of a tool's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text for the model.
    Text(String),
    /// JSON text, valid and free of `\u0000`, as the tool wrote it.
    Data(String),
    /// A file.
    Blob {
        /// For example `image/png`.
        media_type: String,
        /// A file name, if the tool gave one.
        name: Option<String>,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A form that this version only passes on.
    Other {
        /// The form's name.
        kind: String,
        /// JSON text.
        body: String,
    },
}

/// The object that stands for a list of parts: one `data` object is the output
/// itself, one text is `{"text": …}`, anything else `{"content": […]}`.
///
/// Blobs appear by media type, name and size; `reference` names where the bytes
/// were put, given the part's index, and is left out where it answers none.
pub fn output(parts: &[Content], reference: impl Fn(usize) -> Option<String>) -> String {
    match parts {
        [Content::Data(json)] if json.trim_start().starts_with('{') => json.clone(),
        [Content::Text(text)] => serde_json::json!({ "text": text }).to_string(),
        parts => {
            let items: Vec<String> = parts.iter().enumerate().map(|(i, p)| item(p, reference(i))).collect();
            format!("{{\"content\":[{}]}}", items.join(","))
        }
    }
}

fn item(part: &Content, reference: Option<String>) -> String {
    match part {
        Content::Text(text) => serde_json::json!({ "type": "text", "text": text }).to_string(),
        Content::Data(json) => format!("{{\"type\":\"data\",\"data\":{}}}", raw(json)),
        Content::Blob { media_type, name, bytes } => {
            let mut blob = serde_json::json!({ "type": "blob", "media_type": media_type, "size_bytes": bytes.len() });
            if let Some(name) = name {
                blob["name"] = name.clone().into();
            }
            if let Some(reference) = reference {
                blob["blob"] = reference.into();
            }
            blob.to_string()
        }
        Content::Other { kind, body } => {
            let kind = serde_json::Value::from(kind.as_str());
            format!("{{\"type\":\"other\",\"kind\":{kind},\"body\":{}}}", raw(body))
        }
    }
}

/// JSON text as it stands; anything else as a JSON string, so that the object stays JSON.
fn raw(json: &str) -> String {
    match serde_json::from_str::<&RawValue>(json) {
        Ok(value) => value.get().to_owned(),
        Err(_) => serde_json::Value::from(json).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_data_object_is_the_output_to_the_letter() {
        let text = r#"{"n": 123456789012345678901234567890}"#;
        assert_eq!(output(&[Content::Data(text.into())], |_| None), text);
    }

    #[test]
    fn one_text_is_an_object_with_text() {
        assert_eq!(output(&[Content::Text("hi".into())], |_| None), r#"{"text":"hi"}"#);
    }

    #[test]
    fn everything_else_is_a_list_of_parts() {
        let blob = Content::Blob { media_type: "image/png".into(), name: None, bytes: vec![1, 2] };
        let got = output(&[Content::Data("[1]".into()), blob], |i| (i == 1).then(|| "sha256:ab".into()));
        assert_eq!(
            got,
            r#"{"content":[{"type":"data","data":[1]},{"type":"blob","media_type":"image/png","size_bytes":2,"blob":"sha256:ab"}]}"#
        );
        assert_eq!(output(&[], |_| None), r#"{"content":[]}"#);
    }
}
