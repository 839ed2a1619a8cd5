//! What a fuzzer feeds: everything that reads bytes of a plugin before any of
//! its code runs. Each function takes any bytes, must not panic, and checks what
//! has to hold of whatever was accepted. A test calls them with a corpus.

use policy::Shape;

use crate::descriptor::{self, Tool};
use crate::functions::docs::Docs;
use crate::manifest::Manifest;
use crate::{census, shape};
use schema::text;

/// A component up to its manifest.
pub fn component(bytes: &[u8]) {
    match census::take(bytes) {
        Ok(found) => {
            for shape in [Shape::Native, Shape::Functions, Shape::Command] {
                shape::fits("it", shape, &found.exports).unwrap_or_else(|why| refused(&why));
            }
            found.docs.iter().for_each(|bytes| drop(Docs::parse(bytes)));
            found.manifest.iter().for_each(|bytes| manifest(bytes));
        }
        Err(why) => refused(&why),
    }
}

/// A manifest.
pub fn manifest(bytes: &[u8]) {
    match Manifest::parse(bytes) {
        Ok(manifest) => {
            let phrases = manifest.requests.phrases();
            assert!(phrases.iter().all(|phrase| text::hidden(phrase).is_none() && !phrase.contains('\n')), "{phrases:?}");
            assert_eq!(manifest.requests.digest(), manifest.clone().requests.digest());
        }
        Err(why) => refused(&why),
    }
}

/// A descriptor, as JSON, as the process hands it over that asked the component.
pub fn descriptor(bytes: &[u8]) {
    let Ok(tools) = serde_json::from_slice::<Vec<Tool>>(bytes) else { return };
    let digest = descriptor::digest(&tools);
    match descriptor::check(tools) {
        Ok(checked) => {
            for tool in &checked {
                assert_eq!(text::hidden(&tool.tool.description), None);
                // A value that a schema refuses is refused with words, whatever the schema.
                let _ = tool.input.check(&serde_json::json!({"a": [1, "x", null], "n": 7}));
            }
            let again: Vec<Tool> = checked.into_iter().rev().map(|checked| checked.tool).collect();
            assert_eq!(descriptor::digest(&again), digest, "the order of tools does not matter");
        }
        Err(why) => refused(&why),
    }
}

/// What is said of a plugin may hold its own words, but nothing that steers a terminal once it is escaped.
fn refused(why: &str) {
    assert!(!why.is_empty());
    assert_eq!(text::hidden(&text::escaped(why)), None);
}
