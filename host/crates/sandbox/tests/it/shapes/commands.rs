//! Commands as tools: each a few lines of WebAssembly text around `wasi:cli`.

use tool::{Content, End, Toolbox};

use super::{failed, refused, wat};
use crate::place::{Place, caller};

/// A command whose `run` has this body: it answers 0 where all is well. `$in`, `$out` and
/// `$err` give streams, `$read` reads and answers how many bytes or -1,
/// `$print` writes, `$exit` ends.
pub(super) fn command(body: &str) -> Vec<u8> {
    wat(&include_str!("command.wat").replace(";; run", body))
}

/// Writes what it reads.
pub(super) fn echo() -> Vec<u8> {
    command(
        "(local $from i32) (local $to i32) (local $n i32)
         (local.set $from (call $in)) (local.set $to (call $out))
         (block $done (loop $more
           (local.set $n (call $read (local.get $from)))
           (br_if $done (i32.lt_s (local.get $n) (i32.const 0)))
           (call $print (local.get $to) (i32.load (i32.const 36)) (local.get $n))
           (br $more)))
         (i32.const 0)",
    )
}

const LINE: &str = "[plugin.it]\nshape = 'command'\napprove = 'never'\n";

async fn place(body: &str) -> Place {
    Place::with(&[("it", command(body))], LINE).await
}

#[tokio::test]
async fn a_command_reads_its_arguments_from_standard_input() {
    let place = Place::with(&[("it", echo())], LINE).await;
    let reply = place.call("it", "it", "{\"a\":  [1, 2]}").await;
    assert_eq!((reply.end, reply.parts), (End::Done, vec![Content::Data("{\"a\":  [1, 2]}".into())]), "the exact text");
    let status = place.status("it");
    assert_eq!((status.tools, &*status.shape), (vec!["it".to_owned()], "command"));
    assert!(reply.usage.memory_bytes > 0 && reply.evidence.limits.is_some());
}

#[tokio::test]
async fn standard_output_is_data_text_or_a_file() {
    let blob = Content::Blob { media_type: "application/octet-stream".into(), name: None, bytes: vec![0xff, 0, 0xff] };
    for (at, len, parts) in [
        (1024, 9, vec![Content::Data("{\"a\": 1}".into())]),
        (1033, 11, vec![Content::Text("plain text\n".into())]),
        (1044, 3, vec![blob]),
        (1024, 0, vec![]),
    ] {
        let place = place(&format!("(call $print (call $out) (i32.const {at}) (i32.const {len})) (i32.const 0)")).await;
        let reply = place.call("it", "it", "{}").await;
        assert_eq!((reply.end, reply.parts), (End::Done, parts));
    }
}

#[tokio::test]
async fn an_exit_other_than_zero_is_a_failure_in_the_last_words_of_standard_error() {
    let says = "(call $print (call $out) (i32.const 1024) (i32.const 9)) (call $print (call $err) (i32.const 1047) (i32.const 14))";
    for (end, code, said) in [
        (format!("{says} (i32.const 1)"), "exit_1", "why it failed"),
        (format!("{says} (call $exit (i32.const 1)) (i32.const 0)"), "exit_1", "why it failed"),
        (format!("{says} (call $status (i32.const 137)) (i32.const 0)"), "exit_137", "why it failed"),
        ("(call $status (i32.const 137)) (i32.const 0)".into(), "exit_137", "the command ended with status 137"),
    ] {
        let reply = place(&end).await.call("it", "it", "{}").await;
        assert_eq!(failed(&reply), ("failed", said));
        assert!(matches!(&reply.end, End::Tool(error) if error.code.as_deref() == Some(code)), "{:?}", reply.end);
        assert!(reply.parts.is_empty(), "half an answer is none");
    }
    for end in ["(call $exit (i32.const 0)) (unreachable)", "(call $status (i32.const 0)) (unreachable)"] {
        let place = place(&format!("(call $print (call $out) (i32.const 1024) (i32.const 9)) {end}")).await;
        let reply = place.call("it", "it", "{}").await;
        assert_eq!((reply.end, reply.parts.len()), (End::Done, 1), "content with itself");
    }
}

/// Writes to a stream for ever.
fn flood(stream: &str) -> String {
    format!(
        "(local $to i32) (local.set $to (call ${stream}))
         (loop $l (call $print (local.get $to) (i32.const 0) (i32.const 4096)) (br $l)) (unreachable)"
    )
}

#[tokio::test]
async fn a_hostile_command_ends_at_its_limit() {
    let limits = format!("{LINE}limits = {{ cpu = '200ms', time = '5min', output = '64KiB', log = '4KiB', host-calls = 2000 }}\n");
    for (body, words) in [
        (flood("out"), &["limit_output"][..]),
        (flood("err"), &["limit_host_calls", "limit_cpu"]),
        ("(loop $l (br $l)) (unreachable)".into(), &["limit_cpu"]),
        (
            "(local $i i32) (local.set $i (call $in)) (loop $l (drop (call $read (local.get $i))) (br $l)) (unreachable)".into(),
            &["limit_host_calls", "limit_cpu"],
        ),
        ("(unreachable)".into(), &["trap"]),
        ("(i32.const 7)".into(), &["invalid_output"]),
    ] {
        let place = Place::with(&[("it", command(&body))], &limits).await;
        for _ in 0..2 {
            let reply = place.call("it", "it", "{}").await;
            assert!(words.contains(&reply.end.word()) && reply.parts.is_empty(), "{body}: {:?}", reply.end);
        }
    }
}

#[tokio::test]
async fn a_command_is_started_with_the_operators_arguments_and_no_environment() {
    // Prints the first argument; fails unless there are three with its name, and no variable.
    let body = "(call $arguments (i32.const 64))
        (call $print (call $out) (i32.load (i32.add (i32.load (i32.const 64)) (i32.const 8)))
          (i32.load (i32.add (i32.load (i32.const 64)) (i32.const 12))))
        (call $environment (i32.const 72))
        (i32.or (i32.ne (i32.load (i32.const 68)) (i32.const 3)) (i32.ne (i32.load (i32.const 76)) (i32.const 0)))";
    let place = place(body).await;
    assert_eq!(failed(&place.call("it", "it", "{}").await).0, "failed", "there is nothing but its name");
    place.allow(&format!("{LINE}[plugin.it.command]\narguments = ['--all', 'x y']\n"));
    let reply = place.call("it", "it", "{}").await;
    assert_eq!((reply.end, reply.parts), (End::Done, vec![Content::Text("--all".into())]));
}

#[tokio::test]
async fn a_command_is_described_by_its_manifest_or_by_the_operator() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("plugins")).unwrap();
    std::fs::write(directory.path().join("plugins/word-count.wasm"), echo()).unwrap();
    let manifest = "description = 'Counts words.'\n[command]\ninput = '''{\"type\": \"object\", \"required\": [\"text\"]}'''\n";
    std::fs::write(directory.path().join("plugins/word-count.toml"), manifest).unwrap();
    let line = "[plugin.word-count]\nshape = 'command'\napprove = 'never'\n";
    let place = Place::open(directory, line).await;
    let spec = || place.sandbox.tools(&caller()).swap_remove(0);
    let first = spec();
    assert_eq!((&*first.id.name, &*first.description), ("word_count", "Counts words."));
    let called = |input: &'static str| place.call("word-count", "word_count", input);
    assert!(matches!(called("{}").await.end, End::InvalidInput(_)));
    assert_eq!(called("{\"text\": 1}").await.end, End::Done);

    place.allow(&format!("{line}[plugin.word-count.command]\ninput = '''{{\"type\": \"object\", \"required\": [\"words\"]}}'''\n"));
    place.sandbox.policy_changed();
    place.once(|| spec().input != first.input).await;
    assert!(matches!(called("{\"text\": 1}").await.end, End::InvalidInput(_)));
    assert_eq!(called("{\"words\": 1}").await.end, End::Done);
    assert_eq!(spec().tools, first.tools, "what the operator says is no other version");

    place.allow(&format!("{line}[plugin.word-count.command]\ninput = '''{{\"type\": \"string\"}}'''\n"));
    place.sandbox.policy_changed();
    place.until("word-count", |status| matches!(status.state, tool::PluginState::Stale(_))).await;
}

#[tokio::test]
async fn an_input_that_is_no_schema_is_refused_with_the_line() {
    let place = Place::with(&[("it", echo())], &format!("{LINE}command = {{ input = '{{\"type\": \"string\"}}' }}\n")).await;
    let why = refused(&place, "it");
    assert_eq!(why, "the input in [plugin.it.command] is not usable: its root does not say `\"type\": \"object\"`");
}
