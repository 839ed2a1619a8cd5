//! Turns that make one call, without a model.

use agent::{Brought, Closing, Edit, Error, Input, News, Watcher};
use session::{EventId, HowEnded, Kind, Purpose};
use tool::ToolId;

use super::world::World;
use super::{closing, run};

/// A call of the tool, with or without a person's agreement.
pub(crate) fn input(world: &World, ask: bool) -> Input {
    calling(world, "echo", &format!("{{\"ask\":{ask}}}"))
}

fn calling(world: &World, tool: &str, arguments: &str) -> Input {
    let tool = ToolId { plugin: "echo".into(), name: tool.into() };
    let purpose = Purpose::Call { name: "direct".into(), tool, arguments: arguments.into() };
    Input { messages: Vec::new(), purpose, ..world.input("", None, true) }
}

/// The output of the one call, and how the answer closed.
async fn output(reader: &mut Watcher) -> (String, Option<Closing>) {
    let mut output = String::new();
    while let Some(news) = reader.next().await {
        match news {
            News::Entry(entry) if entry.kind.word() == "tool_output" => output = entry.body.to_string(),
            News::Closed(closing) => return (output, Some(closing)),
            News::Entry(_) | News::Delta { .. } | News::Call { .. } | News::Void { .. } | News::Usage { .. } => {}
            News::CompactionStarted { .. } => {}
        }
    }
    (output, None)
}

const ANSWERED: Option<Closing> = Some(Closing::Ended(HowEnded::Answered));

#[test]
fn a_call_runs_without_a_model_and_ends_its_turn() {
    run(async {
        let world = World::new().await;
        world.allow(1);
        let mut reader = world.post(input(&world, false)).await.unwrap();
        let (output, closing) = output(&mut reader).await;
        assert!(output.contains(r#""tool_configuration_name":"direct""#) && output.contains(r#""error":false"#), "{output}");
        assert_eq!(closing, ANSWERED);
        assert_eq!(world.heard(), super::world::Heard::default(), "nobody was asked");
    });
}

#[test]
fn what_cannot_be_called_is_an_answer_and_no_error() {
    run(async {
        let world = World::new().await;
        world.allow(10);
        for (tool, arguments, reason) in
            [("nothing", "{}", "unknown_tool"), ("echo", "[]", "invalid_arguments"), ("echo", "{", "invalid_arguments")]
        {
            let mut reader = world.post(calling(&world, tool, arguments)).await.unwrap();
            let (output, closing) = output(&mut reader).await;
            assert!(output.contains(&format!(r#""reason":"{reason}""#)), "{tool} {arguments}: {output}");
            assert_eq!(closing, ANSWERED);
        }
    });
}

#[test]
fn a_call_that_needs_a_person_waits_over_a_restart_and_runs_when_they_agree() {
    run(async {
        let world = World::new().await;
        world.allow(1);
        let mut reader = world.post(input(&world, true)).await.unwrap();
        assert_eq!(closing(&mut reader).await, Some(Closing::Paused));
        let world = world.restart().await;
        let mut reader = world.settle().await.unwrap().unwrap();
        let (output, closing) = output(&mut reader).await;
        assert!(output.contains(r#""error":false"#), "{output}");
        assert_eq!(closing, ANSWERED);
    });
}

#[test]
fn a_call_that_is_interrupted_is_cancelled() {
    run(async {
        let world = World::new().await;
        let mut first = world.post(input(&world, false)).await.unwrap();
        while !world.entries().iter().any(|entry| entry.kind.word() == "tool_input") {
            tokio::task::yield_now().await;
        }
        let mut reader = world.interrupt().await.unwrap();
        assert_eq!(closing(&mut reader).await, Some(Closing::Ended(HowEnded::Interrupted)));
        let (output, _) = output(&mut first).await;
        assert!(output.contains(r#""reason":"cancelled""#), "{output}");
    });
}

#[test]
fn a_call_brings_nothing_along() {
    run(async {
        let world = World::new().await;
        let brought = Brought { instructions: Some("Softly.".into()), ..Brought::default() };
        let said = Input { messages: world.input("talk", None, true).messages, ..input(&world, false) };
        for wrong in [Input { brought, ..input(&world, false) }, said] {
            assert!(matches!(world.post(wrong).await, Err(Error::WrongInput(_))));
        }
    });
}

#[test]
fn an_erased_call_leaves_nothing_of_its_arguments() {
    run(async {
        let world = World::new().await;
        world.allow(1);
        closing(&mut world.post(calling(&world, "echo", r#"{"of":"plum"}"#)).await.unwrap()).await;
        let told = |kind: Kind| world.entries().into_iter().find(|entry| entry.kind == kind).unwrap();
        for kind in [Kind::ToolInput, Kind::ToolOutput] {
            let id = EventId { session: world.session.uid, seq: told(kind).seq }.to_string();
            world.engine.edit_event(&world.session, &id, Edit::Delete).await.unwrap();
        }
        for entry in world.entries() {
            assert!(!entry.body.contains("plum"), "{}: {}", entry.kind.word(), entry.body);
        }
        let world = world.restart().await;
        world.allow(100);
        closing(&mut world.post(world.input("talk", None, true)).await.unwrap()).await;
    });
}
