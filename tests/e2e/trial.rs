//! What an author does with a component and no server: call it, record it, play
//! it again, check it; and what is said where that cannot be.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::RawQuery;
use axum::http::HeaderMap;
use axum::routing::get;
use serde_json::Value;
use tests::server::command;

use crate::hostiles::Guest;

/// What a command printed, and its exit code.
struct Ran {
    out: String,
    err: String,
    code: Option<i32>,
}

/// A folder with what an author has in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    /// With a project that was built: its component is a shipped one.
    fn project(plugin: &str) -> Result<Self> {
        let desk = Self::new()?;
        fs::create_dir_all(desk.path().join("dist"))?;
        fs::write(desk.path().join("plugin.toml"), format!("name = \"{plugin}\"\nversion = \"0.1.0\"\n"))?;
        fs::write(desk.path().join("Cargo.toml"), "")?;
        fs::copy(shipped(plugin), desk.path().join(format!("dist/{plugin}.wasm")))?;
        Ok(desk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        Ok(fs::write(self.path().join(name), bytes)?)
    }

    async fn run(&self, arguments: &[&str]) -> Result<Ran> {
        let mut command = command(self.path())?;
        command.args(arguments).env("DEMO_KEY", SECRET);
        let output = tokio::time::timeout(Duration::from_secs(120), command.output()).await;
        let output = output.with_context(|| format!("{arguments:?} does not end"))??;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ran { out: text(output.stdout), err: text(output.stderr), code: output.status.code() })
    }
}

/// The value of the secret that tests give to plugins.
const SECRET: &str = "hush/hush 17";

fn shipped(plugin: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../plugins/dist/{plugin}.wasm"))
}

fn guest(name: &str) -> Result<Vec<u8>> {
    Ok(Guest::all().into_iter().find(|guest| guest.name == name).context("there is such a guest")?.bytes())
}

/// The bytes with one text in the place of another of the same length.
fn patched(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Result<Vec<u8>> {
    let at = bytes.windows(from.len()).position(|window| window == from).context("the text stands in the component")?;
    bytes[at..at + to.len()].copy_from_slice(to);
    Ok(bytes)
}

/// A server that sends back what it was asked, with its headers.
async fn echo() -> Result<(String, tokio::task::JoinHandle<()>)> {
    let answer = |headers: HeaderMap, RawQuery(query): RawQuery| async move {
        let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
        format!("asked with {key} for {}", query.unwrap_or_default())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let serving = tokio::spawn(async move {
        let served = axum::serve(listener, Router::new().route("/echo", get(answer))).await;
        assert!(served.is_ok(), "the server of the test ends with it");
    });
    Ok((address, serving))
}

#[tokio::test]
async fn a_tool_is_called_with_nothing_but_its_component() -> Result<()> {
    let desk = Desk::new()?;
    let calculator = shipped("calculator").display().to_string();
    let listed = desk.run(&["call", &calculator]).await?;
    assert!(listed.code == Some(0) && listed.out.contains("calculate  expression"), "{}{}", listed.out, listed.err);
    let called = desk.run(&["call", &calculator, "calculate", r#"{"expression": "6*7"}"#]).await?;
    assert_eq!(serde_json::from_str::<Value>(&called.out)?["result"], "42");
    assert!(called.code == Some(0) && called.err.starts_with("done in "), "{}", called.err);
    desk.file("input.json", r#"{"expression": "6*8"}"#)?;
    let called = desk.run(&["call", &calculator, "calculate", "@input.json", "--json"]).await?;
    let called: Value = serde_json::from_str(&called.out)?;
    assert_eq!((&called["end"], &called["output"]["result"]), (&"done".into(), &"48".into()));
    let refused = desk.run(&["call", &calculator, "calculate", r#"{"expression": 7}"#]).await?;
    assert!(refused.code == Some(1) && refused.err.contains("invalid_arguments") && refused.err.contains("/expression"), "{}", refused.err);
    Ok(())
}

#[tokio::test]
async fn what_is_misspelt_is_told_with_what_there_is() -> Result<()> {
    let desk = Desk::new()?;
    let calculator = shipped("calculator").display().to_string();
    for (arguments, words) in [
        (vec!["call", &calculator, "calculat"], "it has calculate"),
        (vec!["call", &calculator, "calculate", "{\"expression"], "this is no JSON"),
        (vec!["call", &calculator, "calculate", "@none.json"], "none.json cannot be read"),
        (vec!["call", &calculator, "calculate", "{}", "--grant", "http://x"], "write it like `http GET https://"),
        (vec!["call", &calculator, "calculate", "{}", "--grant", "http GET https://exa mple/"], "--grant"),
        (vec!["call", &calculator, "calculate", "{}", "--limit", "tim=1s"], "unknown field `tim`"),
        (vec!["call", &calculator, "calculate", "{}", "--secret", "key=hush"], "env:NAME"),
        (vec!["call", &calculator, "calculate", "{}", "--policy", "none.toml"], "none.toml: it cannot be read"),
    ] {
        let ran = desk.run(&arguments).await?;
        assert!(ran.code == Some(2) && ran.err.contains(words), "{arguments:?}: {:?} {}", ran.code, ran.err);
        assert!(!ran.err.contains("hush"), "{}", ran.err);
    }
    let ran = desk.run(&["call", "none.wasm"]).await?;
    assert!(ran.code == Some(1) && ran.err.contains("none.wasm: it cannot be read"), "{}", ran.err);
    Ok(())
}

#[tokio::test]
async fn a_denial_says_the_words_that_allow_it_and_they_do() -> Result<()> {
    let desk = Desk::new()?;
    let notes = shipped("notes").display().to_string();
    let write = ["call", &notes, "note_write", r#"{"key": "a", "text": "b"}"#, "--store", "kept.json"];
    let denied = desk.run(&write).await?;
    assert!(denied.code == Some(1) && denied.err.contains("--grant 'store session'"), "{}", denied.err);
    assert!(denied.err.contains("[plugin.notes.store]"), "{}", denied.err);
    let granted = desk.run(&[&write[..], &["--grant", "store session"]].concat()).await?;
    assert_eq!(granted.code, Some(0), "{}", granted.err);
    let read = ["call", &notes, "note_read", r#"{"key": "a"}"#, "--store", "kept.json", "--grant", "store"];
    assert!(desk.run(&read).await?.out.contains("\"text\": \"b\""), "the store is kept from call to call");

    let (address, serving) = echo().await?;
    let (web, input) = (shipped("web").display().to_string(), format!("{{\"url\": \"{address}/echo?a=b\"}}"));
    let get = ["call", &web, "web_get", &input, "--trace"];
    let denied = desk.run(&get).await?;
    let words = denied.err.lines().find_map(|line| line.trim().strip_prefix("to allow it here: ")).context("it says the words")?;
    let (grant, network) = words.trim_start_matches("--grant '").split_once("' --network ").context("both walls are named")?;
    let granted = desk.run(&[&get[..], &["--grant", grant, "--network", network]].concat()).await?;
    assert!(granted.code == Some(0) && granted.out.contains("asked with none"), "{}{}", granted.out, granted.err);
    for shown in ["allowed   http GET 127.0.0.1/echo", "request   GET http://127.0.0.1", "-> 200 in "] {
        assert!(granted.err.contains(shown), "{shown}: {}", granted.err);
    }
    serving.abort();
    Ok(())
}

#[tokio::test]
async fn a_recorded_call_is_played_without_the_world_and_holds_no_secret() -> Result<()> {
    let desk = Desk::project("web")?;
    let (address, serving) = echo().await?;
    let port = address.rsplit(':').next().context("a port")?;
    desk.file(
        "operator.toml",
        format!(
            "[network]\nprivate = [\"127.0.0.1/32\"]\n[secrets.key]\nfrom = \"env:DEMO_KEY\"\n[[plugin.web.http]]\nhost = \"127.0.0.1\"\n\
             scheme = \"http\"\nport = {port}\ninject = {{ secret = \"key\", header = \"authorization\", format = \"Bearer {{}}\" }}\n"
        ),
    )?;
    let input = format!("{{\"url\": \"{address}/echo?key=hush%2Fhush%2017\"}}");
    let recorded = ["call", ".", "web_get", &input, "--policy", "operator.toml", "--trace", "--record", "recordings/echo.json"];
    let recorded = desk.run(&recorded).await?;
    assert!(recorded.code == Some(0) && recorded.err.contains("recorded in recordings/echo.json"), "{}", recorded.err);
    serving.abort();
    let text = fs::read_to_string(desk.path().join("recordings/echo.json"))?;
    for shown in [&recorded.out, &recorded.err, &text] {
        assert!(!shown.contains("hush"), "{shown}");
    }
    assert!(text.contains("recorded-secret-key") && text.contains("Bearer *****"), "{text}");

    let played = desk.run(&["test"]).await?;
    assert!(played.code == Some(0) && played.out.contains("1 recording: 1 as recorded in "), "{}{}", played.out, played.err);
    let replayed = desk.run(&["call", ".", "--replay", "recordings/echo.json"]).await?;
    assert!(replayed.code == Some(0) && replayed.out.contains("asked with Bearer"), "{}{}", replayed.out, replayed.err);

    let path = desk.path().join("recordings/echo.json");
    fs::write(&path, text.replace("/echo?key", "/else?key"))?;
    let other = desk.run(&["test"]).await?;
    assert!(other.code == Some(0), "the input was changed with the request: {}", other.out);
    fs::write(&path, text.replacen("/echo?key", "/else?key", 1))?;
    let other = desk.run(&["test", "--accept"]).await?;
    for shown in [
        "a request that was not recorded, and was refused: GET http://127.0.0.1",
        "a request that was recorded, and is not made",
        "end\n",
        "record the call anew",
    ] {
        assert!(other.code == Some(1) && other.out.contains(shown), "{shown}: {}", other.out);
    }
    Ok(())
}

#[tokio::test]
async fn the_clock_and_the_store_of_a_recording_stand_still() -> Result<()> {
    let desk = Desk::project("datetime")?;
    let now = desk.run(&["call", ".", "time_now", r#"{"zone": "Europe/Berlin"}"#, "--record", "recordings/now.json"]).await?;
    assert_eq!(now.code, Some(0), "{}", now.err);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(desk.run(&["call", ".", "--replay", "recordings/now.json"]).await?.out, now.out, "a second later it is as late as it was");

    let desk = Desk::project("notes")?;
    desk.file("kept.json", r#"{"a": "{\"text\": \"from the file\"}"}"#)?;
    let list = ["call", ".", "note_list", "--grant", "store", "--store", "kept.json", "--record", "recordings/list.json"];
    let listed = desk.run(&list).await?;
    assert!(listed.code == Some(0) && listed.out.contains("\"a\""), "{}{}", listed.out, listed.err);
    let write = r#"{"key": "b", "text": "new"}"#;
    let write = ["call", ".", "note_write", write, "--grant", "store", "--store", "kept.json", "--record", "recordings/write.json"];
    assert_eq!(desk.run(&write).await?.code, Some(0));
    fs::remove_file(desk.path().join("kept.json"))?;
    let played = desk.run(&["test"]).await?;
    assert!(played.code == Some(0) && played.out.contains("2 recordings: 2 as recorded in "), "{}{}", played.out, played.err);
    let written: Value = serde_json::from_str(&fs::read_to_string(desk.path().join("recordings/write.json"))?)?;
    assert!(written["outcome"]["writes"].as_object().is_some_and(|writes| writes.len() == 1), "{written:#}");
    Ok(())
}

#[tokio::test]
async fn another_build_differs_where_it_answers_otherwise_until_that_is_accepted() -> Result<()> {
    let desk = Desk::project("notes")?;
    let built = desk.path().join("dist/notes.wasm");
    let first = guest("t18-pattern")?;
    fs::write(&built, &first)?;
    let made = desk.run(&["call", ".", "act", "--record", "recordings/act.json"]).await?;
    assert!(made.code == Some(0) && made.out == "ok\n", "{}{}", made.out, made.err);
    assert_eq!(desk.run(&["test"]).await?.code, Some(0));

    fs::write(&built, patched(first, b"\x0b\x02ok", b"\x0b\x02no")?)?;
    let other = desk.run(&["test"]).await?;
    assert!(other.code == Some(1) && other.out.contains("parts[0].text\n      - \"ok\"\n      + \"no\""), "{}", other.out);
    assert_eq!(desk.run(&["test", "--accept"]).await?.code, Some(0));
    assert_eq!(desk.run(&["test", "act"]).await?.code, Some(0));
    let none = desk.run(&["test", "other"]).await?;
    assert!(none.code == Some(1) && none.err.contains("--record recordings/NAME.json"), "{}", none.err);
    Ok(())
}

#[tokio::test]
async fn a_call_whose_traces_cannot_be_kept_is_not_made() -> Result<()> {
    let desk = Desk::project("notes")?;
    let note = r#"{"key": "a", "text": "hello"}"#;
    for (flag, file) in [("--record", "plugin.toml/deep/a.json"), ("--record", "dist"), ("--store", "plugin.toml/store.json")] {
        let ran = desk.run(&["call", ".", "note_write", note, "--grant", "store", flag, file]).await?;
        assert!(ran.code == Some(1) && ran.err.contains(file) && ran.out.is_empty(), "{flag} {file}: {}{}", ran.out, ran.err);
        assert!(!ran.err.contains("processor time"), "nothing was called: {}", ran.err);
    }
    Ok(())
}

#[tokio::test]
async fn a_recording_that_cannot_be_played_is_named_and_the_others_are_played() -> Result<()> {
    let desk = Desk::project("notes")?;
    let list = ["call", ".", "note_list", "--grant", "store", "--limit", "rate=1/min", "--record"];
    for name in ["recordings/one.json", "recordings/two.json", "recordings/three.json"] {
        assert_eq!(desk.run(&[&list[..], &[name]].concat()).await?.code, Some(0));
    }
    let played = desk.run(&["test"]).await?;
    assert!(played.code == Some(0) && played.out.contains("3 recordings: 3 as recorded"), "a rate is about calls, not one: {}", played.out);

    let text = fs::read_to_string(desk.path().join("recordings/one.json"))?;
    let granting = |grants: Value| -> Result<String> {
        let mut recording: Value = serde_json::from_str(&text)?;
        recording["grants"] = grants;
        Ok(recording.to_string())
    };
    desk.file("recordings/bad-host.json", granting(serde_json::json!({ "http": [{ "host": "a b" }] }))?)?;
    let file = |host: &str, access: &str| serde_json::json!({ "files": [{ "host": host, "guest": "g", "access": access }] });
    desk.file("recordings/writes.json", granting(file("dist", "write"))?)?;
    desk.file("recordings/strays.json", granting(file("/", "read"))?)?;
    let played = desk.run(&["test"]).await?;
    for shown in [
        "cannot be played  bad-host\n    plugin.notes.http[0].host",
        "cannot be played  writes\n",
        "cannot be played  strays\n",
        "6 recordings: 3 as recorded, 3 not playable",
    ] {
        assert!(played.code == Some(1) && played.out.contains(shown), "{shown}: {}{}", played.out, played.err);
    }
    let refused = desk.run(&["call", ".", "--replay", "recordings/writes.json"]).await?;
    assert!(refused.code == Some(1) && refused.err.contains("does not hold what a tool writes"), "{}", refused.err);
    Ok(())
}

#[tokio::test]
async fn the_shipped_plugins_pass_their_check() -> Result<()> {
    let desk = Desk::new()?;
    for plugin in ["calculator", "notes", "web", "json", "datetime"] {
        let checked = desk.run(&["check", &shipped(plugin).display().to_string()]).await?;
        assert!(checked.code == Some(0) && checked.out.contains("0 errors"), "{plugin}: {}{}", checked.out, checked.err);
    }
    let checked = desk.run(&["check", &shipped("web").display().to_string(), "--json"]).await?;
    let checked: Value = serde_json::from_str(&checked.out)?;
    assert_eq!(checked["asks"][0], "http GET https://*/*", "{checked:#}");
    assert!(checked["calls"].as_u64() > Some(10), "{checked:#}");
    Ok(())
}

#[tokio::test]
async fn a_tool_that_breaks_its_word_is_told_what_to_do() -> Result<()> {
    let desk = Desk::new()?;
    for (name, words) in [
        ("t21-panic", "invalid-input"),
        ("t21-exit", "never exit"),
        ("t16-null", "\\u0000"),
        ("t18-output", "output schema"),
        ("t20-two-faces", "depends on the clock or on random numbers"),
    ] {
        desk.file(&format!("{name}.wasm"), guest(name)?)?;
        let checked = desk.run(&["check", &format!("{name}.wasm")]).await?;
        assert!(checked.code == Some(1) && checked.out.contains(words), "{name}: {}{}", checked.out, checked.err);
    }
    let called = desk.run(&["call", "t21-panic.wasm", "act"]).await?;
    assert!(called.code == Some(1) && called.err.contains("trap: ") && called.err.contains("unreachable"), "{}", called.err);
    Ok(())
}

#[tokio::test]
async fn what_is_no_component_of_this_contract_is_told_in_one_sentence() -> Result<()> {
    let desk = Desk::new()?;
    let whole = guest("t21-panic")?;
    desk.file("garbage.wasm", "not wasm at all")?;
    desk.file("cut.wasm", &whole[..whole.len() / 2])?;
    desk.file("module.wasm", b"\0asm\x01\0\0\0")?;
    desk.file("newer.wasm", patched(whole.clone(), b"wardian:plugin/tools@0.1.0", b"wardian:plugin/tools@0.2.0")?)?;
    desk.file("other.wasm", patched(whole, b"wardian:plugin/tools@0.1.0", b"someone:plugin/tools@0.1.0")?)?;
    desk.file("throws.wasm", guest("t21-unwinding")?)?;
    desk.file("exits.wasm", guest("t21-exit-describe")?)?;
    for (name, words, next) in [
        ("garbage", "damaged", "wardian"),
        ("cut", "damaged", "wardian"),
        ("module", "core module", "component"),
        ("newer", "made for contract 0.2.0", "rebuild"),
        ("other", "is not a Wardian plugin", "give --shape functions"),
        ("throws", "cannot be compiled", "wardian"),
        ("exits", "describe failed: exit", "wardian"),
    ] {
        for command in ["call", "check"] {
            let ran = desk.run(&[command, &format!("{name}.wasm")]).await?;
            let said = ran.err.trim_end();
            assert!(ran.code == Some(1) && said.contains(words) && said.contains(next), "{command} {name}: {said}");
            assert!(said.starts_with(&format!("error: {name}.wasm: ")) && said.lines().count() == 1 && said.contains("; "), "{said}");
        }
    }
    let ran = desk.run(&["check", "module.wasm", "--json"]).await?;
    let report: Value = serde_json::from_str(&ran.out)?;
    assert!(ran.code == Some(1) && report["error"].as_str().is_some_and(|why| why.contains("core module")), "{report}");
    let ran = desk.run(&["call", "."]).await?;
    assert!(ran.code == Some(1) && ran.err.contains("wardian new NAME"), "{}", ran.err);
    Ok(())
}
