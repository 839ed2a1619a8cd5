//! The manifest inside of a component: the custom section `wardian:plugin`.

use std::borrow::Cow;

/// The section's name.
pub const NAME: &str = "wardian:plugin";

/// How a component begins: the magic word, and the version and layer that tell it from a core module.
const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

/// The component with this text as its manifest, in place of one that it has already.
/// Refuses what is no component, with the reason.
pub fn with_manifest(component: &[u8], manifest: &str) -> Result<Vec<u8>, String> {
    let mut whole = Vec::with_capacity(component.len() + manifest.len() + 2 * NAME.len());
    whole.extend_from_slice(&COMPONENT);
    for section in sections(component)? {
        if section.custom_name() != Some(NAME.as_bytes()) {
            whole.extend_from_slice(section.bytes);
        }
    }
    let mut content = Vec::with_capacity(manifest.len() + NAME.len() + 1);
    leb128(&mut content, NAME.len());
    content.extend_from_slice(NAME.as_bytes());
    content.extend_from_slice(manifest.as_bytes());
    whole.push(0);
    leb128(&mut whole, content.len());
    whole.extend_from_slice(&content);
    Ok(whole)
}

/// The manifest that a component carries, where it has one.
pub fn manifest(component: &[u8]) -> Result<Option<Cow<'_, str>>, String> {
    let found = sections(component)?.into_iter().find(|section| section.custom_name() == Some(NAME.as_bytes()));
    Ok(found.map(|section| String::from_utf8_lossy(&section.content[1 + NAME.len()..])))
}

/// Whether a core module has a custom section whose name begins like this.
pub(crate) fn has_custom(module: &[u8], begin: &str) -> bool {
    let sections = module.get(COMPONENT.len()..).and_then(|rest| split(rest).ok()).unwrap_or_default();
    sections.iter().filter_map(Section::custom_name).any(|name| name.starts_with(begin.as_bytes()))
}

/// One section of a component's outermost layer.
struct Section<'a> {
    id: u8,
    content: &'a [u8],
    /// All of it: id, size and content.
    bytes: &'a [u8],
}

impl<'a> Section<'a> {
    fn custom_name(&self) -> Option<&'a [u8]> {
        let (length, rest) = unsigned(self.content)?;
        if self.id == 0 { rest.get(..length) } else { None }
    }
}

fn sections(component: &[u8]) -> Result<Vec<Section<'_>>, String> {
    split(component.strip_prefix(&COMPONENT).ok_or_else(|| kind(component).to_owned())?)
}

/// What stands behind the first eight bytes of a component or a module.
fn split(mut rest: &[u8]) -> Result<Vec<Section<'_>>, String> {
    let mut sections = Vec::new();
    while let [id, after @ ..] = rest {
        let cut = || "it ends in the middle of a section".to_owned();
        let (size, content) = unsigned(after).ok_or_else(cut)?;
        let next = content.get(size..).ok_or_else(cut)?;
        sections.push(Section { id: *id, content: &content[..size], bytes: &rest[..rest.len() - next.len()] });
        rest = next;
    }
    Ok(sections)
}

fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => "it is a core module, not a component",
        [0, b'a', b's', b'm', ..] => "it is a component of another version of the format",
        _ => "it is no WebAssembly",
    }
}

/// An unsigned number of 32 bits in LEB128, and what follows it.
fn unsigned(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(number).ok()?, &bytes[at + 1..]));
        }
    }
    None
}

fn leb128(into: &mut Vec<u8>, mut number: usize) {
    loop {
        let byte = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        into.push(if number == 0 { byte } else { byte | 0x80 });
        if number == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty_with(text: &str) -> Vec<u8> {
        with_manifest(&COMPONENT, text).unwrap()
    }

    #[test]
    fn a_manifest_that_was_put_in_is_read_back() {
        for text in ["", "name = \"a\"\n", &"x".repeat(40_000)] {
            assert_eq!(manifest(&empty_with(text)).unwrap().as_deref(), Some(text));
        }
        assert_eq!(manifest(&COMPONENT).unwrap(), None);
    }

    #[test]
    fn a_second_manifest_takes_the_place_of_the_first_and_other_sections_stay() {
        let mut with_other = empty_with("first");
        with_other.extend_from_slice(&[0, 6, 4, b'n', b'o', b't', b'e', b'!']);
        let second = with_manifest(&with_other, "second").unwrap();
        assert_eq!(manifest(&second).unwrap().as_deref(), Some("second"));
        assert_eq!(sections(&second).unwrap().len(), 2);
        assert!(second.windows(5).any(|bytes| bytes == b"note!"));
    }

    #[test]
    fn what_is_no_component_is_refused_with_what_it_is() {
        let module = [0, b'a', b's', b'm', 1, 0, 0, 0];
        assert_eq!(with_manifest(&module, "").unwrap_err(), "it is a core module, not a component");
        assert_eq!(with_manifest(b"#!/bin/sh", "").unwrap_err(), "it is no WebAssembly");
        let whole = empty_with("text");
        for length in COMPONENT.len() + 1..whole.len() {
            assert_eq!(with_manifest(&whole[..length], "").unwrap_err(), "it ends in the middle of a section");
        }
    }

    #[test]
    fn a_size_that_claims_more_than_32_bits_is_no_size() {
        assert!(unsigned(&[0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_none());
        assert!(unsigned(&[0x80]).is_none());
        assert_eq!(unsigned(&[0xe5, 0x8e, 0x26, 9]), Some((624_485, &[9][..])));
    }
}
