//! Compiling is a door: what a component can make of it, and the walls around the compiler.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use sandbox::confine::Bounds;
use tool::{End, PluginState};

use crate::guests::{guest, heavy};
use crate::place::Place;

fn refused(place: &Place) -> String {
    match place.status("it").state {
        PluginState::Refused(why) => why,
        state => panic!("{state:?}"),
    }
}

#[tokio::test]
async fn a_component_that_takes_too_long_to_compile_is_refused() {
    let bounds = Bounds { cpu_seconds: 1, ..Bounds::default() };
    let place = Place::compiling_within(bounds, heavy(4_000, 300)).await;
    assert_eq!(refused(&place), "compiling it takes more than 1 s of processor time; a component may not take more");
    assert!(matches!(place.call("it", "act", "{}").await.end, End::Unavailable(_)));
}

#[tokio::test]
async fn a_component_that_takes_too_much_memory_to_compile_is_refused() {
    let bounds = Bounds { memory_bytes: 32 << 20, ..Bounds::default() };
    let place = Place::compiling_within(bounds, heavy(4, 40_000)).await;
    assert_eq!(refused(&place), "compiling it takes more than 32 MiB of memory; a component may not take more");
}

#[test]
fn the_compiler_can_do_nothing_but_compute() {
    let output = Command::new(env!("CARGO_BIN_EXE_sandbox-confined")).output().expect("the program is there");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{errors}");
    let (attempts, gaps): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| !line.contains("not in force"));
    assert_eq!(attempts.len(), 12, "{text}");
    for attempt in attempts {
        let stands = !attempt.ends_with(": done");
        assert_eq!(stands, !attempt.starts_with("start a thread"), "{attempt}");
    }
    assert!(!gaps.iter().any(|gap| gap.starts_with("seccomp")), "{gaps:?}");
}

#[tokio::test]
async fn the_compiler_inherits_no_descriptor_and_no_environment() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("plugins")).unwrap();
    fs::write(directory.path().join("plugins/it.wasm"), guest("(call $ok)")).unwrap();
    // A descriptor as a careless parent leaves it: open across programs.
    let leaked = rustix::io::dup(fs::File::open("/etc/hosts").unwrap()).unwrap();
    let (child, seen) = (directory.path().join("child"), directory.path().join("seen"));
    let script = format!("#!/bin/sh\n/bin/ls -l /proc/self/fd >{0} 2>&1\n/usr/bin/env >>{0}\nexit 1\n", seen.display());
    fs::write(&child, script).unwrap();
    fs::set_permissions(&child, fs::Permissions::from_mode(0o755)).unwrap();
    let place = Place::with_child(directory, child.to_str().unwrap()).await;
    assert!(refused(&place).contains("the compiler failed on it"));
    let seen = fs::read_to_string(seen).unwrap();
    assert!(seen.contains("pipe:") && !seen.contains("/etc/hosts"), "{seen}");
    let variables: Vec<&str> = seen.lines().filter(|line| line.contains('=')).map(|line| line.split_once('=').unwrap().0).collect();
    assert!(variables.iter().all(|name| ["PWD", "OLDPWD", "SHLVL", "_"].contains(name)), "the shell's own at most: {variables:?}");
    drop(leaked);
}

#[tokio::test]
async fn compiled_forms_are_for_the_servers_user_alone() {
    let place = Place::with(&[("it", guest("(call $ok)"))], "").await;
    let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let directory = place.directory.path().join("cache/compiled");
    assert_eq!(mode(directory.clone()), 0o700);
    let files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 2);
    assert!(files.into_iter().all(|file| mode(file) == 0o600));
    assert_eq!(mode(place.directory.path().join("data/compile-cache.key")), 0o600);
}

#[tokio::test]
async fn a_compiled_form_that_another_server_made_is_not_loaded() {
    let Place { directory, sandbox, .. } = Place::with(&[("it", guest("(call $ok)"))], "").await;
    sandbox.shutdown();
    drop(sandbox);
    // Whoever can write the cache but does not know the key: everything there is genuine, under another key.
    fs::remove_file(directory.path().join("data/compile-cache.key")).unwrap();
    let place = Place::without_a_child(directory).await;
    assert!(refused(&place).contains("cannot start"), "it had to be compiled again");
}
