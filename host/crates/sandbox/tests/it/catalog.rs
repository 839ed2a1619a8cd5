//! Files come, change, break and go.

use std::fs;
use std::time::Instant;

use tool::{End, PluginState, Toolbox};

use crate::guests::{Guest, guest};
use crate::place::{Place, caller};

fn refused(place: &Place, name: &str) -> String {
    match place.status(name).state {
        PluginState::Refused(why) => why,
        state => panic!("{name} is {state:?}"),
    }
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_with_words() {
    let whole = guest("(call $ok)");
    let plugins = [
        ("text", b"(component)".to_vec()),
        ("module", wat::parse_str("(module)").unwrap()),
        ("empty", wat::parse_str("(component)").unwrap()),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("later", Guest { contract: "0.2.0", ..Guest::default() }.bytes()),
        ("hidden", Guest { description: "a\\e2\\80\\aeb", ..Guest::default() }.bytes()),
        ("spins", Guest { describe: "(loop $l (br $l))", ..Guest::default() }.bytes()),
        ("fine", whole),
    ];
    let place = Place::with(&plugins, "").await;
    for (name, why) in [
        ("text", "damaged"),
        ("module", "core module"),
        ("empty", "does not export wardian:plugin/tools@0.1"),
        ("half", "damaged or incomplete"),
        ("later", "contract 0.2.0, this server speaks 0.1"),
        ("spins", "describe failed: limit_cpu"),
    ] {
        let state = refused(&place, name);
        assert!(state.contains(why), "{name}: {state}");
    }
    assert_eq!(place.call("fine", "act", "{}").await.end, End::Done);
    assert!(matches!(place.call("half", "act", "{}").await.end, End::Unavailable(_)));
    assert_eq!(place.sandbox.tools(&caller()).len(), 1);
}

#[tokio::test]
async fn a_changed_file_is_a_new_version_and_a_bad_one_keeps_the_last_good_one() {
    let place = Place::with(&[("it", guest("(call $ok)"))], "").await;
    let first = place.status("it").component;

    fs::write(place.plugin("it"), guest("(unreachable)")).unwrap();
    place.until("it", |status| status.component != first).await;
    assert!(matches!(place.call("it", "act", "{}").await.end, End::Trap(_)));
    let second = place.status("it").component;

    fs::write(place.plugin("it"), "damaged").unwrap();
    place.until("it", |status| matches!(status.state, PluginState::Stale(_))).await;
    assert_eq!(place.status("it").component, second);
    assert!(matches!(place.call("it", "act", "{}").await.end, End::Trap(_)), "the last good version still runs");

    fs::remove_file(place.plugin("it")).unwrap();
    while !place.sandbox.plugins().is_empty() {
        place.sandbox.looked().await;
    }
    assert_eq!(place.call("it", "act", "{}").await.end, End::UnknownTool);
}

#[tokio::test]
async fn a_second_start_neither_compiles_nor_describes() {
    let Place { directory, sandbox, .. } = Place::with(&[("it", guest("(call $ok)"))], "").await;
    sandbox.shutdown();
    drop(sandbox);
    let began = Instant::now();
    let place = Place::without_a_child(directory).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done, "after {:?}", began.elapsed());
}

#[tokio::test]
async fn a_damaged_cache_is_made_again() {
    let Place { directory, sandbox, .. } = Place::with(&[("it", guest("(call $ok)"))], "").await;
    sandbox.shutdown();
    for entry in fs::read_dir(directory.path().join("cache/compiled")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let place = Place::open(directory, "").await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
}

#[tokio::test]
async fn the_manifest_beside_a_component_is_read_and_grants_nothing() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("plugins/it")).unwrap();
    fs::write(directory.path().join("plugins/it/it.wasm"), guest("(call $ok)")).unwrap();
    let manifest = "name = 'it'\nversion = '1.2.3'\n[[requests.http]]\nhost = 'api.example.com'\n";
    fs::write(directory.path().join("plugins/it/plugin.toml"), manifest).unwrap();
    let place = Place::open(directory, "").await;
    let status = place.status("it");
    assert_eq!((status.version.as_deref(), status.requests.len(), status.grants.len()), (Some("1.2.3"), 1, 0));
}

#[tokio::test]
async fn a_component_that_multiplies_is_refused_before_it_is_compiled() {
    let mut text = String::from("(component $c0)");
    for level in 1..15 {
        let instances = format!("(instance (instantiate $c{}))", level - 1).repeat(4);
        text = format!("(component $c{level} {text} {instances})");
    }
    let began = Instant::now();
    let place = Place::with(&[("bomb", wat::parse_str(text).unwrap())], "").await;
    assert!(refused(&place, "bomb").contains("more than 1000 instances"));
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn a_child_that_dies_is_the_plugins_misfortune_only() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("plugins")).unwrap();
    fs::write(directory.path().join("plugins/it.wasm"), guest("(call $ok)")).unwrap();
    let place = Place::with_child(directory, "/bin/false").await;
    assert!(refused(&place, "it").contains("the compiler failed on it (exit status: 1)"));
}
