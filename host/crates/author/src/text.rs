//! Bytes in files that people read: as text where they are text, else in base64.

use std::io;
use std::path::Path;

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that are written as `"text"` or as `{"base64": "…"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Coded { base64: String },
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Form::Text(text.to_owned()).serialize(serializer),
            Err(_) => Form::Coded { base64: BASE64.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(Self(text.into_bytes())),
            Form::Coded { base64 } => BASE64.decode(base64.as_bytes()).map(Self).map_err(de::Error::custom),
        }
    }
}

/// Writes a value as JSON that people read, whole or not at all. The folders that it is to lie in are made.
pub fn write_json(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    file.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    let draft = file.with_extension(format!("new-{}", std::process::id()));
    std::fs::write(&draft, text + "\n").and_then(|()| std::fs::rename(&draft, file)).inspect_err(|_| {
        // The error that counts is the first one.
        let _ = std::fs::remove_file(&draft);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_as_they_were_and_text_is_legible() {
        for (bytes, written) in [("hé\n".as_bytes(), r#""hé\n""#), (&[0xff, 0], r#"{"base64":"/wA="}"#), (b"", r#""""#)] {
            let text = serde_json::to_string(&Bytes(bytes.to_vec())).expect("it can be written");
            assert_eq!(text, written);
            assert_eq!(serde_json::from_str::<Bytes>(&text).expect("it reads back").0, bytes);
        }
        assert!(serde_json::from_str::<Bytes>(r#"{"base64":"?"}"#).is_err());
    }
}
