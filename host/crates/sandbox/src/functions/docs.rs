//! The custom section `package-docs`, in which tools leave what stood above the
//! functions and types of a WIT package: one byte for its version, then JSON.
//! What cannot be read is as good as not there.

use serde_json::Value;

/// The section's name.
pub(crate) const SECTION: &str = "package-docs";

/// The section's contents.
pub(crate) const BYTES_MAX: usize = 1 << 20;

/// Versions that are understood: the second only adds.
const VERSIONS: [u8; 2] = [0, 1];

/// What is kept of one text: as much as a tool's description may have.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// What the author wrote beside the WIT.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Docs(Value);

/// The same about the types of one interface.
pub(super) struct TypeDocs<'a>(Option<&'a Value>);

impl Docs {
    /// Reads the section.
    pub(crate) fn parse(section: &[u8]) -> Self {
        match section.split_first() {
            Some((version, json)) if VERSIONS.contains(version) => Self(serde_json::from_slice(json).unwrap_or_default()),
            Some(_) | None => Self::default(),
        }
    }

    /// About a function: of an interface, by the last part of its name, or of the world.
    pub(super) fn function(&self, interface: Option<&str>, function: &str) -> Option<String> {
        match interface {
            Some(interface) => text(&self.0["interfaces"][interface]["funcs"][function]),
            None => {
                let mut worlds = self.0["worlds"].as_object()?.values();
                worlds.find_map(|world| text(&world["func_exports"][function]).or_else(|| text(&world["funcs"][function])))
            }
        }
    }

    /// About the types of an interface.
    pub(super) fn types(&self, interface: Option<&str>) -> TypeDocs<'_> {
        TypeDocs(interface.and_then(|interface| self.0["interfaces"][interface].get("types")))
    }
}

impl TypeDocs<'_> {
    /// Nothing is known.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// About a field of a record.
    pub(super) fn field(&self, record: &str, field: &str) -> Option<String> {
        text(&self.0?[record]["items"][field])
    }
}

/// A text stands by itself, or in `docs` beside when it became stable.
fn text(found: &Value) -> Option<String> {
    let text = found.as_str().or_else(|| found["docs"].as_str())?.trim();
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    Some(text[..end].to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_section_are_read_and_a_later_one_is_not() {
        let json = r#"{"interfaces":{"shop":{"funcs":{"buy":"Buys it.","sell":{"docs":" Sells it. "}},
            "types":{"item":{"items":{"name":"Its name."}}}}},"worlds":{"w":{"func_exports":{"run":"Runs."}}}}"#;
        let section = |version: u8| [&[version], json.as_bytes()].concat();
        for version in [0, 1] {
            let docs = Docs::parse(&section(version));
            assert_eq!(docs.function(Some("shop"), "buy").as_deref(), Some("Buys it."));
            assert_eq!(docs.function(Some("shop"), "sell").as_deref(), Some("Sells it."));
            assert_eq!(docs.function(None, "run").as_deref(), Some("Runs."));
            assert_eq!(docs.types(Some("shop")).field("item", "name").as_deref(), Some("Its name."));
            assert_eq!((docs.function(Some("other"), "buy"), docs.function(None, "walk")), (None, None));
        }
        assert_eq!(Docs::parse(&section(2)), Docs::default());
    }

    #[test]
    fn what_is_no_section_is_as_good_as_none() {
        for bytes in [&b""[..], b"\x01", b"\x01[1", b"\x01[]", b"\x01\"x\"", b"\x00{\"worlds\":3,\"interfaces\":[]}"] {
            let docs = Docs::parse(bytes);
            assert_eq!((docs.function(None, "f"), docs.function(Some("i"), "f")), (None, None));
        }
        let long = format!("\u{1}{{\"interfaces\":{{\"i\":{{\"funcs\":{{\"f\":\"{}\"}}}}}}}}", "é".repeat(5_000));
        let kept = Docs::parse(long.as_bytes()).function(Some("i"), "f").unwrap();
        assert_eq!(kept.len(), TEXT_BYTES_MAX);
    }
}
