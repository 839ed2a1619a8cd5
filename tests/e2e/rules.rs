//! Rules about the code itself: who may depend on whom, what stays in one
//! place, and that what is shipped is what was built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).unwrap_or(Path::new(".")).to_path_buf()
}

/// Every tracked file with this ending, relative to the root.
fn files(ending: &str) -> Result<Vec<String>> {
    let listed = Command::new("git").arg("-C").arg(root()).args(["ls-files", "-co", "--exclude-standard"]).output()?;
    anyhow::ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout)?;
    Ok(listed.lines().filter(|file| file.ends_with(ending) && root().join(file).is_file()).map(str::to_owned).collect())
}

fn manifest(crate_name: &str) -> Result<toml::Table> {
    let folder = if crate_name == "wardian" { "host".to_owned() } else { format!("host/crates/{crate_name}") };
    Ok(std::fs::read_to_string(root().join(folder).join("Cargo.toml"))?.parse()?)
}

/// What each crate may lean on. A crate that is not here may lean on none of ours.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("tool", &[]),
    ("schema", &[]),
    ("policy", &[]),
    ("session", &["policy", "tool"]),
    ("storage", &["session"]),
    ("audit", &["session", "storage", "tool"]),
    ("egress", &["policy"]),
    ("model", &["egress", "session", "tool"]),
    ("author", &["schema", "tool"]),
    ("sandbox", &["egress", "policy", "schema", "tool"]),
    ("agent", &["audit", "model", "policy", "schema", "session", "storage", "tool"]),
    ("api", &["agent", "audit", "model", "policy", "schema", "session", "storage", "tool"]),
];

#[test]
fn dependencies_point_one_way() -> Result<()> {
    let ours: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    for entry in std::fs::read_dir(root().join("host/crates"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let allowed = MAY_USE.iter().find(|(known, _)| *known == name).map(|(_, may)| *may);
        let allowed = allowed.with_context(|| format!("crate {name} has no line in the table of this test"))?;
        let manifest = manifest(&name)?;
        let used = manifest.get("dependencies").and_then(|d| d.as_table()).cloned().unwrap_or_default();
        for dependency in used.keys().filter(|dependency| ours.contains(&dependency.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "{name} leans on {dependency}");
        }
    }
    Ok(())
}

/// What is used in one crate only, and where that is.
const ONE_PLACE: [(&str, &[&str]); 10] = [
    ("wasmtime", &["sandbox"]),
    ("wasmtime-wasi", &["sandbox"]),
    ("wasmtime-wasi-http", &["sandbox"]),
    ("redb", &["storage"]),
    ("axum", &["api"]),
    ("hyper-rustls", &["egress"]),
    ("webpki-roots", &["egress"]),
    ("jsonschema", &["schema"]),
    ("landlock", &["sandbox"]),
    ("seccompiler", &["sandbox"]),
];

#[test]
fn each_foreign_machine_is_known_in_one_place() -> Result<()> {
    for (name, _) in MAY_USE.iter().chain(&[("wardian", &[][..])]) {
        let manifest = manifest(name)?;
        let used = manifest.get("dependencies").and_then(|d| d.as_table()).cloned().unwrap_or_default();
        for (dependency, places) in ONE_PLACE {
            assert!(!used.contains_key(dependency) || places.contains(name), "{name} uses {dependency}, which belongs to {places:?}");
        }
    }
    for file in files(".rs")?.iter().filter(|file| file.starts_with("host/crates/storage/src/")) {
        let text = std::fs::read_to_string(root().join(file))?;
        assert!(!text.contains("redb::") || file.contains("backends/redb"), "{file} knows redb");
    }
    Ok(())
}

#[test]
fn status_codes_are_known_to_the_front_doors_alone_and_unsafe_stands_in_one_file() -> Result<()> {
    let mut with_unsafe = Vec::new();
    for file in files(".rs")?.iter().filter(|file| file.starts_with("host/")) {
        let text = std::fs::read_to_string(root().join(file))?;
        let may_speak_http = ["api", "model", "egress", "sandbox"].iter().any(|name| file.starts_with(&format!("host/crates/{name}/")));
        assert!(may_speak_http || file.starts_with("host/src/") || !text.contains("StatusCode"), "{file} knows HTTP status codes");
        if text.contains("unsafe {") {
            with_unsafe.push(file.clone());
        }
    }
    assert!(with_unsafe.len() <= 1, "more than the one file that maps our own artefacts: {with_unsafe:?}");
    assert!(with_unsafe.iter().all(|file| file.starts_with("host/crates/sandbox/")), "{with_unsafe:?}");
    Ok(())
}

#[test]
fn nothing_unfinished_and_no_path_of_one_machine_is_left() -> Result<()> {
    let marks = ["todo".to_owned() + "!(", "unimplemented".to_owned() + "!(", "dbg".to_owned() + "!(", "#[ignore".to_owned() + "]"];
    for file in files(".rs")? {
        let text = std::fs::read_to_string(root().join(&file))?;
        for mark in &marks {
            assert!(!text.contains(mark), "{file} holds {mark}");
        }
        let comment = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        assert!(comment.starts_with("//!") || comment.starts_with("#!["), "{file} does not say what it is");
    }
    Ok(())
}

/// A file that no other one names is compiled by nobody: its tests never run.
#[test]
fn every_source_file_is_a_part_of_a_crate() -> Result<()> {
    let read = |file: &str| Ok((file.to_owned(), std::fs::read_to_string(root().join(file))?));
    let texts: BTreeMap<String, String> = files(".rs")?.iter().map(|file| read(file)).collect::<Result<_>>()?;
    for file in texts.keys() {
        let (folder, name) = file.rsplit_once('/').context("no source lies at the top")?;
        let is_target = ["lib.rs", "main.rs", "build.rs"].contains(&name)
            || ["tests", "benches", "examples", "bin"].iter().any(|targets| folder.rsplit('/').next() == Some(targets));
        let declared = format!("mod {};", name.trim_end_matches(".rs"));
        let parents = [format!("{folder}.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
        let by_parent = parents.iter().filter_map(|parent| texts.get(parent)).any(|text| text.contains(&declared));
        let by_path =
            texts.values().any(|text| text.lines().any(|line| line.starts_with("#[path") && line.contains(&format!("/{name}\""))));
        assert!(is_target || by_parent || by_path, "nothing says `{declared}` of {file}");
    }
    Ok(())
}

#[test]
fn the_visible_top_level_is_what_it_should_be() -> Result<()> {
    let mut top: Vec<String> = files("")?.iter().filter_map(|file| file.split('/').next().map(str::to_owned)).collect();
    top.sort();
    top.dedup();
    top.retain(|name| !name.starts_with('.'));
    assert_eq!(top, ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "host", "plugins", "tests", "wit"]);
    Ok(())
}

/// Every file that a shipped component is built from, with its digest, as `plugins/build` counts them.
fn source_digest(plugin: &str) -> Result<String> {
    let folders = [format!("plugins/{plugin}/"), "plugins/sdk/rust/".to_owned(), "wit/v0.1/".to_owned()];
    let single = ["plugins/Cargo.toml", "plugins/Cargo.lock"];
    let mut lines = BTreeMap::new();
    for file in files("")? {
        if folders.iter().any(|folder| file.starts_with(folder)) || single.contains(&file.as_str()) {
            let bytes = std::fs::read(root().join(&file))?;
            lines.insert(file.clone(), data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes)));
        }
    }
    let text: String = lines.iter().map(|(file, digest)| format!("{digest}  {file}\n")).collect();
    Ok(data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes())))
}

#[test]
fn the_shipped_components_were_built_from_the_sources_beside_them() -> Result<()> {
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(root().join("plugins/dist/manifest.json"))?)?;
    let plugins = manifest["plugins"].as_array().context("plugins")?;
    assert_eq!(plugins.len(), 6);
    for plugin in plugins {
        let name = plugin["name"].as_str().context("name")?;
        let component = std::fs::read(root().join("plugins/dist").join(plugin["file"].as_str().context("file")?))?;
        assert_eq!(plugin["sha256"].as_str(), Some(&*data_encoding::HEXLOWER.encode(&Sha256::digest(&component))), "{name}: the component");
        assert_eq!(plugin["source"].as_str(), Some(&*source_digest(name)?), "{name}: run `plugins/build`, its sources changed");
    }
    Ok(())
}

/// The threats that have no guest: they are documented instead.
const WITHOUT_A_GUEST: [u32; 2] = [14, 23];

/// The table of hostile guests is what the tests run, so a guest that stands in
/// it is run. This is about what does not stand in it.
#[test]
fn every_threat_has_a_guest_and_every_guest_has_a_test() -> Result<()> {
    let rows = crate::hostiles::rows();
    let threats: BTreeSet<String> = rows.iter().map(|[threat, ..]| threat.clone()).collect();
    let expected = (1..=23).filter(|n| !WITHOUT_A_GUEST.contains(n)).map(|n| format!("T{n}")).collect();
    assert_eq!(threats, expected, "the threats that have guests");

    let named: BTreeSet<&str> = rows.iter().map(|[_, guest, ..]| guest.as_str()).collect();
    assert_eq!(named.len() + 1, rows.len(), "the shipped plugin web stands there twice, every other guest once");
    for file in files(".wat")?.iter().filter_map(|file| file.strip_prefix("tests/hostile/")) {
        let guest = file.trim_end_matches(".wat");
        assert!(guest == "frame" || named.contains(guest), "tests/hostile/{file} has no line in tests/hostile/README.md");
    }

    let mut tests = String::new();
    for file in files(".rs")?.iter().filter(|file| file.contains("/tests/") || file.starts_with("tests/")) {
        tests += &std::fs::read_to_string(root().join(file))?;
    }
    for [threat, guest, _, ends, by] in &rows {
        assert!(guest.contains(' ') || guest.starts_with(&format!("{}-", threat.to_lowercase())), "{guest} does not begin with {threat}");
        assert!(!ends.is_empty(), "{guest} does not say how it ends");
        for test in by.split(", ").map(|test| test.trim_matches('`')) {
            assert!(!test.is_empty() && tests.contains(&format!("fn {test}()")), "{guest} names the test {test:?}, which is not there");
        }
    }
    Ok(())
}
