//! Components that do not speak our contract: what becomes of them with the
//! operator's line and without it.

mod commands;
mod functions;

use std::fs;

use tool::{End, PluginState, ToolReply, Toolbox};

use crate::guests::guest;
use crate::place::{Place, caller};

fn refused(place: &Place, name: &str) -> String {
    match place.status(name).state {
        PluginState::Refused(why) => why,
        state => panic!("{name} is {state:?}"),
    }
}

/// How a call of a tool failed by its own word: the reason and the message.
fn failed(reply: &ToolReply) -> (&'static str, &str) {
    match &reply.end {
        End::Tool(error) => (reply.end.word(), &error.message),
        end => panic!("{end:?}"),
    }
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn nothing_is_a_tool_that_nobody_meant_to_be_one() {
    let plugins = [("adder", wat(functions::ADDER)), ("echo", commands::echo()), ("mine", guest("(call $ok)"))];
    let place = Place::with(&plugins, "").await;
    let why = refused(&place, "adder");
    assert!(why.contains("not a Wardian plugin, but exports docs:adder/add@0.1.0"), "{why}");
    assert!(why.ends_with("to make its functions tools, write shape = \"functions\" in [plugin.adder]"), "{why}");
    let why = refused(&place, "echo");
    assert!(why.ends_with("but a command; to make it a tool, write shape = \"command\" in [plugin.echo]"), "{why}");
    assert_eq!(place.sandbox.tools(&caller()).len(), 1);

    let wrong = "[plugin.adder]\nshape = 'command'\n[plugin.echo]\nshape = 'functions'\n[plugin.mine]\nshape = 'functions'\n";
    let place = Place::with(&plugins, wrong).await;
    assert!(refused(&place, "adder").contains("is no command"), "{}", refused(&place, "adder"));
    assert!(
        refused(&place, "echo").ends_with("but is a command; write shape = \"command\" in [plugin.echo]"),
        "{}",
        refused(&place, "echo")
    );
    let why = refused(&place, "mine");
    assert_eq!(why, "the component describes its tools itself; remove shape = \"functions\" from [plugin.mine]");
}

#[tokio::test]
async fn a_line_in_the_file_is_enough_and_without_it_the_tools_are_gone_at_once() {
    let place = Place::with(&[("adder", wat(functions::ADDER))], "").await;
    assert!(refused(&place, "adder").contains("shape = \"functions\""));
    place.allow("[plugin.adder]\nshape = 'functions'\napprove = 'never'\n");
    place.sandbox.policy_changed();
    place.until("adder", |status| status.state == PluginState::Ready).await;
    assert_eq!(place.status("adder").shape, "functions");
    assert_eq!(place.call("adder", "add", r#"{"a": 2, "b": 3}"#).await.end, End::Done);

    place.allow("");
    let end = place.call("adder", "add", r#"{"a": 2, "b": 3}"#).await.end;
    assert!(matches!(end, End::Unavailable(_)), "before the file is read again: {end:?}");
    assert!(place.sandbox.tools(&caller()).is_empty());
    place.sandbox.policy_changed();
    place.until("adder", |status| matches!(status.state, PluginState::Refused(_))).await;
    assert_eq!(place.status("adder").component, None, "no last good version serves in a shape that nobody wants");
}

#[tokio::test]
async fn a_second_start_compiles_neither_shape_again() {
    let text = "[plugin.adder]\nshape = 'functions'\napprove = 'never'\n[plugin.echo]\nshape = 'command'\napprove = 'never'\n";
    let Place { directory, sandbox, .. } = Place::with(&[("adder", wat(functions::ADDER)), ("echo", commands::echo())], text).await;
    sandbox.shutdown();
    drop(sandbox);
    let place = Place::without_a_child_but(directory, text).await;
    assert_eq!(place.call("adder", "add", r#"{"a": 2, "b": 3}"#).await.end, End::Done);
    assert_eq!(place.call("echo", "echo", "{}").await.end, End::Done);
}

#[tokio::test]
async fn a_change_of_either_shape_has_to_be_accepted() {
    let text = "[plugin.adder]\nshape = 'functions'\napprove = 'never'\n";
    let place = Place::with(&[("adder", wat(functions::ADDER))], text).await;
    let first = place.status("adder");
    fs::write(place.plugin("adder"), wat(&functions::ADDER.replace("\"a\" u32", "\"c\" u32"))).unwrap();
    place.until("adder", |status| matches!(status.state, PluginState::Changed(_))).await;
    assert!(matches!(place.call("adder", "add", r#"{"c": 2, "b": 3}"#).await.end, End::Unavailable(_)));
    let changes = place.sandbox.changes("adder").unwrap();
    let whats: Vec<&str> = changes.changes.iter().map(|change| &*change.what).collect();
    assert!(whats.contains(&"tool add: input /properties/c"), "{whats:?}");
    assert_ne!(place.status("adder").tools_digest, first.tools_digest);
    place.sandbox.accept("adder", &changes.found.unwrap().digests, "somebody").unwrap();
    assert_eq!(place.call("adder", "add", r#"{"c": 2, "b": 3}"#).await.end, End::Done);
}

#[tokio::test]
async fn the_operators_words_stand_in_place_of_the_authors() {
    let base = "[plugin.adder]\nshape = 'functions'\n";
    let place = Place::with(&[("adder", wat(functions::ADDER))], base).await;
    let spec = || place.sandbox.tools(&caller()).swap_remove(0);
    let bare = spec();
    assert_eq!((&*bare.description, bare.traits), ("The function `add` of `docs:adder/add@0.1.0`.", tool::Traits::default()));
    assert!(matches!(place.call("adder", "add", r#"{"a": 2, "b": 3}"#).await.end, End::AwaitingApproval(_)), "nothing is promised");

    place.allow(&format!("{base}[plugin.adder.tool.add]\ndescription = 'Adds two numbers.'\ntraits = ['read-only', 'closed-world']\n"));
    let said = spec();
    assert_eq!(&*said.description, "Adds two numbers.");
    assert!(said.traits.read_only && said.traits.closed_world && !said.traits.idempotent && !said.traits.additive);
    assert_eq!(place.call("adder", "add", r#"{"a": 2, "b": 3}"#).await.end, End::Done, "who only reads needs no approval");
    assert_eq!((said.component.clone(), said.tools.clone()), (bare.component.clone(), bare.tools.clone()), "the version is the same");
}
