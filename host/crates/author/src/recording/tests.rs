//! Recordings: what stands in them, what does not, and that they read back.

use tool::tape::{Answer, Clock, Request, Tape};
use tool::{Content, End, ToolReply, Write};

use super::*;
use crate::mask::placeholder;

const SECRET: &str = "hush \"hush\"/1";

fn secrets() -> Mask {
    Mask::new([("key".to_owned(), SECRET.to_owned())])
}

fn request(value: &str) -> Request {
    Request {
        method: "POST".into(),
        url: format!("https://api.example.com/?key={}", value.replace('"', "%22").replace(' ', "%20").replace('/', "%2F")),
        headers: vec![
            ("authorization".into(), b"Basic anything".to_vec()),
            ("x-token".into(), data_encoding::BASE64.encode(format!("me:{value}").as_bytes()).into_bytes()),
        ],
        body: serde_json::json!({ "key": value }).to_string().into_bytes(),
    }
}

/// A call that shows its secret wherever a call can.
fn recorded() -> (Recording, Recorder) {
    let recorder = Recorder::new([7; 32], secrets());
    for live in [5, 5, 9] {
        assert_eq!(recorder.reading(Clock::Wall, live), live);
    }
    let body = format!("you sent {SECRET}").into_bytes();
    let headers = vec![("content-length".into(), body.len().to_string().into_bytes()), ("set-cookie".into(), b"id=1".to_vec())];
    assert_eq!(recorder.play(&request(SECRET)), None, "the world is asked");
    recorder.keep(request(SECRET), &Answer::Response { status: 200, headers, body, broken: None });
    let write = Write { plugin: "it".into(), scope: tool::StoreScope::Session, key: "seen".into(), value: Some(SECRET.into()) };
    let parts = vec![
        Content::Data(serde_json::json!({ "echo": SECRET, "n": 1 }).to_string()),
        Content::Text(SECRET.into()),
        Content::Blob { media_type: "text/plain".into(), name: None, bytes: SECRET.into() },
    ];
    let reply = ToolReply { parts, writes: vec![write], ..ToolReply::without_answer(End::Done) };
    let (random, clocks, http) = recorder.taken();
    let input = RawValue::from_string(secrets().text(&serde_json::json!({ "key": SECRET }).to_string())).expect("it is JSON");
    let recording = Recording {
        format: FORMAT,
        tool: "act".into(),
        input,
        grants: toml::from_str("[store]\nscope = 'session'\n").expect("it is TOML"),
        secrets: vec!["key".into()],
        context: Context { call: "call-1".into(), session: "trial".into(), user: None },
        random,
        clocks,
        store: BTreeMap::from([("blob".into(), Bytes(vec![0xff]))]),
        http,
        outcome: outcome(&reply, &secrets()),
    };
    (recording, recorder)
}

fn played(recording: &Recording) -> Player {
    Player::of(recording).expect("the seed reads back")
}

#[test]
fn no_secret_stands_in_a_recording_in_any_form() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("recordings/act.json");
    let (recording, _) = recorded();
    recording.write(&file, &secrets()).expect("nothing is in the way");
    let text = std::fs::read_to_string(&file).expect("it was written");
    assert_eq!(secrets().finds(text.as_bytes()), None, "{text}");
    for hidden in ["hush", "anything", "id=1"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    assert!(text.contains(&placeholder("key")));
    let again = Recording::read(&file).expect("it reads back");
    assert_eq!(serde_json::to_string(&again).ok(), serde_json::to_string(&recording).ok());
}

#[test]
fn a_recording_in_which_a_secret_would_stand_is_not_written() {
    let place = tempfile::tempdir().expect("a directory");
    let (recording, _) = recorded();
    let refused = recording.write(&place.path().join("a.json"), &Mask::new([("tool".to_owned(), "call-1".to_owned())]));
    assert!(refused.is_err_and(|error| error.to_string().contains("the value of secret tool would stand in it")));
    assert!(!place.path().join("a.json").exists());
}

#[test]
fn nothing_is_recorded_with_a_secret_that_is_too_short_to_be_recognised() {
    let place = tempfile::tempdir().expect("a directory");
    let (recording, _) = recorded();
    let file = place.path().join("a.json");
    let mask = Mask::new([("key".to_owned(), SECRET.to_owned()), ("pin".to_owned(), "12345".to_owned())]);
    for refused in [recordable(&file, &mask), recording.write(&file, &mask)] {
        let said = refused.expect_err("it is refused").to_string();
        assert!(said.contains("secret pin is shorter than 6 bytes") && said.contains("a longer test value"), "{said}");
        assert!(!said.contains("12345"), "{said}");
    }
    assert!(!file.exists() && recordable(&file, &secrets()).is_ok());
}

#[test]
fn a_played_call_hears_what_was_recorded_when_it_asks_with_the_placeholder() {
    let (recording, _) = recorded();
    let player = played(&recording);
    assert_eq!(player.seed(), [7; 32]);
    assert_eq!([(); 5].map(|()| player.reading(Clock::Wall, 1_000)), [5, 5, 9, 10, 11], "it goes on from the last reading");
    let Some(Answer::Response { status: 200, headers, body, .. }) = player.play(&request(&placeholder("key"))) else {
        panic!("the request is the recorded one");
    };
    assert_eq!(String::from_utf8_lossy(&body), format!("you sent {}", placeholder("key")));
    assert_eq!(headers[0].1, body.len().to_string().into_bytes());
    assert_eq!(player.unheard(), Unheard::default());
}

#[test]
fn a_request_that_was_not_recorded_is_refused_and_told_and_so_is_one_that_is_missing() {
    let (recording, _) = recorded();
    let player = played(&recording);
    let other = Request { url: "https://other.example.com/".into(), ..request("x") };
    assert_eq!(player.play(&other), Some(Answer::Failure("HTTP-request-denied".into())));
    let unheard = player.unheard();
    assert_eq!((unheard.unknown.len(), unheard.missing.len()), (1, 1));
    assert_eq!(unheard.unknown[0].url, "https://other.example.com/");
}

#[test]
fn what_is_no_recording_of_this_version_is_refused_with_the_file_and_the_next_step() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("a.json");
    for (text, why) in [
        ("{", "it is no recording"),
        ("{\"format\": 2}", "it is of format 2, and this version reads format 1"),
        ("{\"format\": 1}", "missing field `tool`"),
        ("[]", "it is no recording"),
    ] {
        std::fs::write(&file, text).expect("the directory is ours");
        let said = Recording::read(&file).expect_err("it is refused").to_string();
        assert!(said.contains(why) && said.contains("a.json") && said.contains("--record"), "{said}");
    }
    assert!(Recording::read(&place.path().join("none.json")).is_err());
}
