//! Inputs that bring something along: a past, tools of the client, instructions.

use agent::{Brought, Closing, Error, ForkOf, Input, News, Outcome, Past, Watcher};
use session::{AskedCall, DeclaredTool, EventId, Kind, Message, Purpose, Seq, State};

use super::world::World;
use super::{closing, run};

fn user(text: &str) -> Past {
    Past::User(text.into())
}

fn agent(text: &str, calls: &[&str]) -> Past {
    let call = |id: &&str| AskedCall { id: (*id).into(), name: "locate".into(), arguments: "{}".into() };
    Past::Agent { text: text.into(), calls: calls.iter().map(call).collect() }
}

fn result(call: &str) -> Past {
    Past::Output { call: call.into(), outcome: Outcome::Success("{\"n\":1.10}".into()) }
}

fn locate() -> DeclaredTool {
    DeclaredTool { name: "locate".into(), description: "Where the user is.".into(), input: "{}".into() }
}

/// An input with what it brings: a letter for each item of the past, and the texts of the user that are in it.
pub(crate) fn input(world: &World, no: usize, what: Option<&str>, past: &str, instructions: bool) -> (Input, Vec<String>) {
    let mut texts: Vec<String> = what.iter().map(|what| format!("{what} {no}")).collect();
    let mut items = Vec::new();
    for (at, letter) in past.chars().enumerate() {
        items.push(match letter {
            'u' => {
                texts.push(format!("past {no} {at}"));
                user(&format!("past {no} {at}"))
            }
            'c' => agent("", &["c", "d"]),
            'r' => result("c"),
            _ => agent("yes", &[]),
        });
    }
    let messages = what.iter().map(|what| Message { content: format!("{what} {no}") }).collect();
    let instructions = instructions.then(|| format!("As of {no}."));
    let brought = Brought { past: items, tools: vec![locate()], instructions, ..Brought::default() };
    (Input { messages, brought, ..world.input("", None, true) }, texts)
}

fn bringing(world: &World, text: &str, brought: Brought) -> Input {
    Input { brought, ..world.input(text, None, true) }
}

/// The events of an answer by their kinds, and how it closed.
async fn read(reader: &mut Watcher) -> (Vec<&'static str>, Option<Closing>) {
    let mut kinds = Vec::new();
    while let Some(news) = reader.next().await {
        match news {
            News::Entry(entry) => kinds.push(entry.kind.word()),
            News::Closed(closing) => return (kinds, Some(closing)),
            News::Delta { .. } | News::Call { .. } | News::Void { .. } | News::Usage { .. } | News::CompactionStarted { .. } => {}
        }
    }
    (kinds, None)
}

fn kinds(world: &World) -> Vec<&'static str> {
    world.entries().iter().map(|entry| entry.kind.word()).collect()
}

async fn said(world: &World, text: &str) {
    let mut reader = world.post(world.input(text, None, true)).await.unwrap();
    closing(&mut reader).await;
}

#[test]
fn a_tool_that_the_client_declares_is_answered_after_a_restart_and_there_for_its_turn_alone() {
    run(async {
        let world = World::new().await;
        world.allow(1_000);
        let declared = Brought { tools: vec![locate()], ..Brought::default() };
        let mut reader = world.post(bringing(&world, "mine", declared)).await.unwrap();
        let (events, closing) = read(&mut reader).await;
        assert_eq!((events.last(), closing), (Some(&"client_tool_pending"), Some(Closing::Paused)));
        assert_eq!(world.heard().tools, ["echo", "locate"]);
        let world = world.restart().await;
        let mut reader = world.settle().await.unwrap().unwrap();
        assert_eq!(read(&mut reader).await.0, ["tool_output", "thinking", "agent_output"]);
        let heard = world.heard();
        assert_eq!(
            (heard.tools, heard.items.last().unwrap().as_str()),
            (vec!["echo".to_owned(), "locate".to_owned()], "result mine {\"here\":true}")
        );
        said(&world, "mine once more").await;
        assert_eq!(world.heard().tools, ["echo"]);
    });
}

#[test]
fn an_output_that_comes_with_other_words_ends_the_turn_that_waited_for_it() {
    run(async {
        let world = World::new().await;
        world.allow(1_000);
        let declared = Brought { tools: vec![locate()], ..Brought::default() };
        closing(&mut world.post(bringing(&world, "mine", declared)).await.unwrap()).await;
        let event = world.engine.client_calls(&world.session).unwrap()[0].event;
        let world = world.restart().await;
        let with = |event| Brought { outputs: vec![(event, Outcome::Success("{\"here\":true}".into()))], ..Brought::default() };
        let nowhere = EventId { seq: Seq(1), ..event };
        assert!(world.post(bringing(&world, "talk", with(nowhere))).await.is_err(), "no call waits there");
        closing(&mut world.post(bringing(&world, "talk", with(event))).await.unwrap()).await;
        let heard = world.heard().items;
        assert_eq!(heard[heard.len() - 2..], ["result mine {\"here\":true}", "user talk"]);
        let ends: Vec<&str> = kinds(&world).into_iter().filter(|kind| ["resolved", "ended"].contains(kind)).collect();
        assert_eq!(ends, ["resolved", "ended", "ended"]);
        let again = world.post(bringing(&world, "talk again", with(event))).await;
        assert!(matches!(again, Err(Error::Decided { .. })), "{again:?}");
    });
}

#[test]
fn a_tool_that_cannot_be_declared_is_refused_before_anything_is_recorded() {
    run(async {
        let world = World::new().await;
        let named = |name: &str| DeclaredTool { name: name.into(), ..locate() };
        let many = (0..=agent::DECLARED_TOOLS).map(|no| named(&format!("t{no}"))).collect();
        let cases = [
            (vec![named("echo")], "runs on the server"),
            (vec![named("a"), named("a")], "twice"),
            (vec![named("a.b")], "a-z"),
            (many, "at most 64"),
            (vec![DeclaredTool { input: "{\"type\":7}".into(), ..locate() }], "schema"),
        ];
        for (tools, word) in cases {
            let refused = world.post(bringing(&world, "talk", Brought { tools, ..Brought::default() })).await;
            let Err(Error::WrongTool { why, .. }) = refused else { panic!("{word}: {refused:?}") };
            assert!(why.contains(word), "{why}");
        }
        assert!(world.entries().is_empty());
    });
}

#[test]
fn instructions_stay_in_force_over_a_summary_and_a_restart_until_others_come() {
    run(async {
        let world = World::new().await;
        world.allow(1_000);
        let soft = Brought { instructions: Some("Speak softly.".into()), ..Brought::default() };
        let mut reader = world.post(bringing(&world, "talk", soft)).await.unwrap();
        closing(&mut reader).await;
        assert_eq!(world.heard().system, "Speak softly.");
        said(&world, "talk on").await;
        let summary =
            Input { messages: Vec::new(), purpose: Purpose::Compact { up_to: None, message: None }, ..world.input("", None, true) };
        let mut reader = world.post(summary).await.unwrap();
        assert!(read(&mut reader).await.0.contains(&"compaction"));
        let world = world.restart().await;
        said(&world, "talk still").await;
        assert_eq!(world.heard().system, "Speak softly.");
        let none = Brought { instructions: Some(String::new()), ..Brought::default() };
        let mut reader = world.post(bringing(&world, "talk up", none)).await.unwrap();
        closing(&mut reader).await;
        said(&world, "talk at last").await;
        assert_eq!(world.heard().system, "");
        let long = Brought { instructions: Some("x".repeat(agent::INSTRUCTIONS_BYTES + 1)), ..Brought::default() };
        assert!(matches!(world.post(bringing(&world, "talk", long)).await, Err(Error::WrongInput(_))));
    });
}

#[test]
fn a_past_becomes_turns_that_are_listed_and_told_to_models_and_copied() {
    run(async {
        let world = World::new().await;
        world.allow(1_000);
        let past = vec![agent("Hello.", &[]), user("one"), agent("Look.", &["a", "b"]), result("b"), agent("Done.", &[]), user("two")];
        let mut reader = world.post(bringing(&world, "talk", Brought { past, ..Brought::default() })).await.unwrap();
        assert_eq!(read(&mut reader).await.0, ["input_message", "thinking", "agent_output"], "what the client brought it knows");
        let told = ["began", "agent_output", "reply", "ended"];
        let looked = [
            "input_message",
            "began",
            "agent_output",
            "tool_input",
            "tool_input",
            "reply",
            "tool_output",
            "receipt",
            "tool_output",
            "receipt",
        ];
        let done = ["agent_output", "reply", "ended", "input_message", "began", "ended"];
        let live = ["input_message", "began", "thinking", "agent_output", "reply", "ended"];
        assert_eq!(kinds(&world), [&told[..], &looked, &done, &live].concat());
        let cancelled = "result a {\"error\":{\"reason\":\"cancelled\",\"message\":";
        let heard = world.heard().items;
        assert!(heard[3].starts_with(cancelled), "{heard:?}");
        let others: Vec<&str> = heard.iter().map(String::as_str).filter(|item| !item.starts_with("result a")).collect();
        assert_eq!(
            others,
            ["agent Hello.", "user one", "agent Look.+a+b", "result b {\"n\":1.10}", "agent Done.", "user two", "user talk"]
        );
        let of = ForkOf { session: world.session.clone(), include_up_to: None, compact_up_to: None };
        let fork = world.engine.fork_session(&world.agent, &world.principal, World::named("f"), of).await.unwrap();
        let mut state = State::default();
        for entry in world.engine.journal().read(fork.uid, Seq(1), 1_000).unwrap().entries {
            state.apply(&entry).unwrap();
        }
        assert_eq!(state.transcript.items.len(), heard.len() + 1);
        assert_eq!(state.latest_output("locate"), None, "what a client says of a tool is nothing to take arguments from");
        assert!(world.entries().iter().filter(|entry| entry.kind == Kind::Receipt).all(|entry| entry.body.contains("\"tool\":null")));
    });
}

#[test]
fn a_turn_goes_on_from_the_results_that_end_a_past_and_its_calls_get_ids_of_their_own() {
    run(async {
        let mut world = World::new().await;
        world.allow(1_000);
        for round in 0..2 {
            let past = vec![user("talk"), agent("", &["a"]), result("a")];
            let input = Input { messages: Vec::new(), brought: Brought { past, ..Brought::default() }, ..world.input("", None, true) };
            let mut reader = world.post(input).await.unwrap();
            assert_eq!(read(&mut reader).await.0, ["input_message", "thinking", "agent_output"], "round {round}");
            world = world.restart().await;
        }
        let heard = world.heard().items;
        assert_eq!(heard.len(), 7);
        assert_eq!(heard[1], "agent +a");
        let again = heard[5].strip_prefix("agent +").unwrap();
        assert!(again != "a" && heard[6].starts_with(&format!("result {again} ")), "{heard:?}");
    });
}

#[test]
fn a_past_is_not_recorded_again_when_the_turn_failed_on_it() {
    run(async {
        let world = World::new().await;
        world.allow(1_000);
        let past = || vec![user("talk"), agent("", &["a"]), result("a")];
        let said = bringing(&world, "fail", Brought { past: past(), ..Brought::default() });
        let past = [past(), vec![user("fail too")]].concat();
        let told = Input { messages: Vec::new(), brought: Brought { past, ..Brought::default() }, ..world.input("", None, true) };
        for input in [said, told] {
            let mut reader = world.post(input.clone()).await.unwrap();
            closing(&mut reader).await;
            let recorded = world.entries().len();
            let mut reader = world.post(input).await.unwrap();
            assert_eq!(read(&mut reader).await.0, ["input_message"]);
            assert_eq!(kinds(&world)[recorded..], ["began", "ended"]);
        }
    });
}

#[test]
fn what_does_not_go_together_is_refused() {
    run(async {
        let world = World::new().await;
        let nothing = Input { messages: Vec::new(), ..world.input("", None, true) };
        let over = Brought { past: vec![user("a"), agent("b", &[])], ..Brought::default() };
        let answered = Input { messages: Vec::new(), brought: over, ..world.input("", None, true) };
        let stray = bringing(&world, "talk", Brought { past: vec![user("a"), result("x")], ..Brought::default() });
        let waiting = Input {
            brought: Brought { tools: vec![locate()], ..Brought::default() },
            ..world.input("talk", Some(session::Behavior::FollowUp), true)
        };
        for input in [nothing, answered, stray, waiting] {
            let refused = world.post(input).await;
            assert!(matches!(refused, Err(Error::WrongInput(_) | Error::WrongPast { .. })), "{refused:?}");
        }
        assert!(world.entries().is_empty());
    });
}
