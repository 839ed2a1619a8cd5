//! Files come, change, break and go.

use std::fs;

use sandbox::confine::Bounds;
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
    ] {
        let state = refused(&place, name);
        assert!(state.contains(why), "{name}: {state}");
    }
    let spins = refused(&place, "spins");
    // Where the processor is busy with others, the other limit is reached first.
    let limits = ["describe failed: limit_cpu", "describe took longer than 120 s"];
    assert!(limits.iter().any(|why| spins.contains(why)), "{spins}");
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
    place.once(|| place.sandbox.plugins().is_empty()).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::UnknownTool);
}

#[tokio::test]
async fn a_second_start_neither_compiles_nor_describes() {
    let Place { directory, sandbox, .. } = Place::with(&[("it", guest("(call $ok)"))], "").await;
    sandbox.shutdown();
    drop(sandbox);
    let place = Place::without_a_child(directory).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
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
    // Of what it would be compiled to, a second of processor time makes but a small part.
    let bounds = Bounds { cpu_seconds: 1, ..Bounds::default() };
    let place = Place::compiling_within(bounds, wat::parse_str(text).unwrap()).await;
    assert!(refused(&place, "it").contains("more than 1000 instances"));
}

#[tokio::test]
async fn a_child_that_dies_is_the_plugins_misfortune_only() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("plugins")).unwrap();
    fs::write(directory.path().join("plugins/it.wasm"), guest("(call $ok)")).unwrap();
    let place = Place::with_child(directory, "/bin/false").await;
    assert!(refused(&place, "it").contains("the compiler failed on it (exit status: 1)"));
}

#[tokio::test]
async fn a_running_call_finishes_on_the_version_that_it_began_with() {
    let until_told = "(loop $l (call $block (call $timer (i64.const 500000000))) (br_if $l (i32.eqz (call $cancelled)))) (call $ok)";
    let place = Place::with(&[("it", guest(until_told))], "[defaults.limits]\ntime = '2min'\n").await;
    let first = place.status("it").component;
    let running = tokio::spawn(place.call("it", "act", "{}"));
    tokio::task::yield_now().await;
    fs::write(place.plugin("it"), guest("(unreachable)")).unwrap();
    place.until("it", |status| status.component != first).await;
    assert!(!running.is_finished(), "the new version was there before the call ended");
    assert!(matches!(place.call("it", "act", "{}").await.end, End::Trap(_)), "a new call runs the new one");
    place.sink.tell();
    let reply = running.await.unwrap();
    assert_eq!((reply.end, reply.evidence.component.as_deref()), (End::Done, first.as_deref()));
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_without_waiting_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let plugins = directory.path().join("plugins");
    fs::create_dir_all(plugins.join("folder.wasm")).unwrap();
    fs::write(plugins.join("fine.wasm"), guest("(call $ok)")).unwrap();
    std::os::unix::fs::symlink(plugins.join("fine.wasm"), plugins.join("link.wasm")).unwrap();
    for pipe in ["pipe.wasm", "piped.toml"] {
        rustix::fs::mknodat(rustix::fs::CWD, plugins.join(pipe), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    }
    fs::write(plugins.join("piped.wasm"), guest("(call $ok)")).unwrap();
    let place = Place::open(directory, "").await;
    for (name, why) in [("folder", "a directory"), ("link", "a symbolic link"), ("pipe", "a pipe"), ("piped", "piped.toml is a pipe")] {
        assert!(refused(&place, name).contains(why), "{name}: {}", refused(&place, name));
    }
    assert_eq!(place.call("fine", "act", "{}").await.end, End::Done);
    assert_eq!(Vec::from_iter(place.sandbox.attention()), ["plugin_refused"]);
}

#[tokio::test]
async fn of_two_plugins_with_one_name_the_first_serves_and_the_second_is_refused() {
    let place = Place::with(&[("it", guest("(call $ok)"))], "").await;
    fs::create_dir(place.directory.path().join("plugins/it")).unwrap();
    fs::write(place.directory.path().join("plugins/it/it.wasm"), guest("(unreachable)")).unwrap();
    place.once(|| place.sandbox.plugins().len() == 2).await;
    place.until("it/it.wasm", |status| status.state != PluginState::Preparing).await;
    let why = refused(&place, "it/it.wasm");
    assert!(why.contains("plugins/it.wasm and ") && why.contains("plugins/it/it.wasm are two plugins of one name"), "{why}");
    let Place { directory, sandbox, .. } = place;
    sandbox.shutdown();
    let place = Place::open(directory, "").await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);

    fs::remove_file(place.plugin("it")).unwrap();
    place.until("it", |status| status.file.ends_with("it/it.wasm") && status.state == PluginState::Ready).await;
    assert!(matches!(place.call("it", "act", "{}").await.end, End::Trap(_)), "the one that is left takes the name");
}

#[tokio::test]
async fn a_file_that_is_copied_slowly_comes_into_service_when_it_is_whole() {
    let place = Place::with(&[("other", guest("(call $ok)"))], "").await;
    let whole = guest("(call $ok)");
    fs::write(place.plugin("it"), &whole[..whole.len() / 2]).unwrap();
    let half = |state: &PluginState| matches!(state, PluginState::Refused(why) if why.contains("damaged or incomplete"));
    place.once(|| place.sandbox.plugins().iter().any(|status| half(&status.state))).await;
    assert!(place.sandbox.ready(), "the server is as ready as before");
    let mut file = fs::OpenOptions::new().append(true).open(place.plugin("it")).unwrap();
    std::io::Write::write_all(&mut file, &whole[whole.len() / 2..]).unwrap();
    place.until("it", |status| status.state == PluginState::Ready).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
}

#[tokio::test]
async fn files_that_come_and_go_while_they_are_looked_at_harm_nobody() {
    let place = Place::with(&[("it", guest("(call $ok)"))], "").await;
    let (bytes, plugins) = (guest("(unreachable)"), place.directory.path().join("plugins"));
    let churn = std::thread::spawn(move || {
        for round in 0..400 {
            let path = plugins.join(format!("p{}.wasm", round % 7));
            match round % 3 {
                0 => fs::write(&path, &bytes[..bytes.len() * (round % 5) / 4]),
                1 => fs::rename(&path, plugins.join(format!("p{}.wasm", (round + 1) % 7))),
                _ => fs::remove_file(&path),
            }
            .unwrap_or_default();
        }
        for name in 0..7 {
            fs::remove_file(plugins.join(format!("p{name}.wasm"))).unwrap_or_default();
        }
    });
    while !churn.is_finished() {
        assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
    }
    place.once(|| place.sandbox.plugins().len() == 1).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
}

#[tokio::test]
async fn a_thousand_plugins_start_and_the_rest_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("plugins")).unwrap();
    let bytes = guest("(call $ok)");
    for n in 0..1_003 {
        fs::write(directory.path().join(format!("plugins/p{n:04}.wasm")), &bytes).unwrap();
    }
    let place = Place::open(directory, "").await;
    assert_eq!(place.sandbox.plugins().len(), 1_000);
    assert!(place.sandbox.plugins().iter().all(|status| status.state == PluginState::Ready));
    assert_eq!(place.sandbox.tools(&caller()).len(), 1_000);
    assert_eq!(place.call("p0999", "act", "{}").await.end, End::Done);
}
