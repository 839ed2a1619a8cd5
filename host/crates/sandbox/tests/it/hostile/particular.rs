//! What is particular about some of the hostile guests, beyond how they end.

use std::fs;

use tool::{Content, End, PluginState, Toolbox};

use super::{all_end_as_told, place_of};
use crate::guests::guest;
use crate::hostiles::{Guest, POLICY};
use crate::place::{Place, caller};

/// The guests of these names.
fn guests(names: &[&str]) -> Vec<Guest> {
    Guest::all().into_iter().filter(|guest| names.contains(&guest.name.as_str())).collect()
}

fn refused(place: &Place, name: &str) -> String {
    match place.status(name).state {
        PluginState::Refused(why) => why,
        state => panic!("{name} is {state:?}"),
    }
}

#[tokio::test]
async fn what_is_kept_by_grant_is_kept_for_each_tenant_apart() {
    let place = place_of(&guests(&["t9-cache"])).await;
    let said = async |tenant| match &place.call_of(tenant, "t9-cache").await.parts[..] {
        [Content::Text(text)] => text.clone(),
        parts => panic!("{parts:?}"),
    };
    assert_eq!([said("default").await, said("default").await, said("other").await, said("other").await], ["new", "old", "new", "old"]);
    place.allow("");
    assert_eq!(said("default").await, "no", "without the grant it is not even seen");
}

#[tokio::test]
async fn a_message_of_an_error_is_cut_and_scrubbed() {
    let place = place_of(&guests(&["t7-error-text", "t19-error-text"])).await;
    for name in ["t7-error-text", "t19-error-text"] {
        let End::Tool(error) = place.call(name, "act", "{}").await.end else { panic!("{name} reports an error") };
        assert!(error.message.len() <= 4 << 10 && !error.message.chars().any(char::is_control), "{:?}", error.message);
    }
}

#[tokio::test]
async fn a_catastrophic_pattern_is_checked_in_linear_time() {
    let place = place_of(&guests(&["t18-pattern"])).await;
    let input = |tail: &str| format!(r#"{{"s": "{}{tail}"}}"#, "a".repeat(100_000));
    assert_eq!(place.call("t18-pattern", "act", &input("")).await.end, End::Done);
    let End::InvalidInput(why) = place.call("t18-pattern", "act", &input("!")).await.end else { panic!("it does not match") };
    assert!(why.len() < 1_000, "what is told is short: {} bytes", why.len());
}

#[tokio::test]
async fn a_pattern_of_many_states_is_not_tried_on_much_text() {
    let place = place_of(&guests(&["t18-states"])).await;
    let End::InvalidInput(why) = place.call("t18-states", "act", &format!(r#"{{"s": "{}"}}"#, "ab".repeat(100_000))).await.end else {
        panic!("it does not match")
    };
    assert!(why.contains("too much text"), "{why}");
    let answered = place.call("t18-states", "act", "{}").await;
    assert!(matches!(&answered.end, End::InvalidOutput(why) if why.contains("too much text")), "its own answer: {:?}", answered.end);
}

#[tokio::test]
async fn a_description_is_the_same_each_time_and_never_asked_for_again() {
    let (first, second) = (all_end_as_told("T20").await, all_end_as_told("T20").await);
    for name in ["t20-two-faces", "t20-changed-mind"] {
        assert_eq!(first.status(name).tools_digest, second.status(name).tools_digest, "{name} in two processes");
    }
    let described = |place: &Place| place.sandbox.tools(&caller()).iter().map(|tool| tool.description.clone()).collect::<Vec<_>>();
    let before = described(&first);
    assert_eq!(first.call("t20-changed-mind", "act", "{}").await.end, End::Done);
    assert_eq!(described(&first), before);
}

#[tokio::test]
async fn names_are_plain_and_taken_once() {
    all_end_as_told("T17").await;
    let directory = tempfile::tempdir().unwrap();
    let plugins = directory.path().join("plugins");
    fs::create_dir_all(plugins.join("it")).unwrap();
    let long = "a".repeat(33);
    // A Cyrillic letter, full width, a dotless i, an invisible character, a name that is none.
    let odd = ["IT", "It", "\u{456}t", "\u{ff49}t", "\u{131}t", "i\u{200b}t", "it ", "i_t", "-it", "1t", "..", &long];
    for name in odd.iter().chain(&["it", "it/it", "good"]) {
        fs::write(plugins.join(format!("{name}.wasm")), guest("(call $ok)")).unwrap();
    }
    let place = Place::open(directory, "").await;
    for name in odd {
        // What a reader would not see is listed as an escape.
        let listed = name.replace('\u{200b}', "\\u{200b}");
        assert!(refused(&place, &listed).contains("rename"), "{name:?}");
    }
    let why = refused(&place, "it/it.wasm");
    assert!(why.contains("it.wasm") && why.contains("it/it.wasm") && why.contains("remove one"), "{why}");
    assert_eq!(place.sandbox.tools(&caller()).len(), 2, "the good one is seen, and the first of the twins");
    assert_eq!(place.call("good", "act", "{}").await.end, End::Done);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("plugins")).unwrap();
    let file = fs::File::create(directory.path().join("plugins/large.wasm")).unwrap();
    file.set_len(100 << 20).unwrap();
    fs::write(directory.path().join("plugins/good.wasm"), guest("(call $ok)")).unwrap();
    let place = Place::open(directory, POLICY).await;
    assert!(refused(&place, "large").contains("larger than"));
    assert_eq!(place.call("good", "act", "{}").await.end, End::Done);
}
