//! The tools together, over the store of the test's thread.

use wardian_plugin::{Reason, testing};

use crate::{describe, invoke};

fn call(tool: &str, input: &str) -> Result<testing::Value, wardian_plugin::Error> {
    invoke(tool, input).map(testing::data)
}

#[test]
fn the_tools_keep_the_contract_and_their_examples() {
    testing::check(&describe(), invoke);
}

#[test]
fn a_note_is_read_as_it_was_written() {
    call("note_write", r#"{"key": "plan", "text": "erst säen,\nthen water"}"#).unwrap();

    let note = call("note_read", r#"{"key": "plan"}"#).unwrap();

    assert_eq!(note["text"], "erst säen,\nthen water");
}

#[test]
fn writing_again_replaces_and_says_so() {
    call("note_write", r#"{"key": "a", "text": "1"}"#).unwrap();

    let answer = call("note_write", r#"{"key": "a", "text": "2"}"#).unwrap();

    assert_eq!(answer["replaced"], true);
    assert_eq!(call("note_read", r#"{"key": "a"}"#).unwrap()["text"], "2");
}

#[test]
fn a_note_that_does_not_exist_is_not_found() {
    let error = call("note_read", r#"{"key": "nothing"}"#).unwrap_err();

    assert_eq!(error.reason, Reason::NotFound);
    assert!(error.message.contains("note_list"), "{error}");
}

#[test]
fn a_list_is_read_page_by_page() {
    for key in ["b/2", "a", "b/1", "b/3"] {
        call("note_write", &format!(r#"{{"key": "{key}", "text": "x"}}"#)).unwrap();
    }

    let first = call("note_list", r#"{"prefix": "b/", "limit": 2}"#).unwrap();
    let second = call("note_list", r#"{"prefix": "b/", "limit": 2, "after": "b/2"}"#).unwrap();

    assert_eq!(first.to_string(), r#"{"keys":["b/1","b/2"],"more":true}"#);
    assert_eq!(second.to_string(), r#"{"keys":["b/3"],"more":false}"#);
}

#[test]
fn deleting_twice_is_no_error() {
    call("note_write", r#"{"key": "a", "text": "1"}"#).unwrap();

    let first = call("note_delete", r#"{"key": "a"}"#).unwrap();
    let second = call("note_delete", r#"{"key": "a"}"#).unwrap();

    assert_eq!((&first["deleted"], &second["deleted"]), (&true.into(), &false.into()));
}

#[test]
fn a_text_larger_than_a_value_is_refused_before_it_is_stored() {
    let text = "ä".repeat(40_000);

    let error = call("note_write", &format!(r#"{{"key": "a", "text": "{text}"}}"#)).unwrap_err();

    assert_eq!(error.reason, Reason::InvalidInput);
    assert!(error.message.contains("80000 bytes"), "{error}");
}
