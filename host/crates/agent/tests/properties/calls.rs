//! What readers are told of calls: of those that they come late to, and of those of which the agent sets a part itself.

use std::task::{Context, Poll, Waker};

use agent::{Brought, CallNews, Follow, Input, News, Repeat, Watcher};
use session::{DeclaredTool, Kind};

use super::run;
use super::world::World;

/// What a reader of calls is told, in order.
async fn told(mut reader: Watcher) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(news) = reader.next().await {
        match news {
            News::Entry(entry) => told.push(entry.kind.word().to_owned()),
            News::Call { id, what: CallNews::Began { name }, .. } => told.push(format!("{id} {name}")),
            News::Call { what: CallNews::Arguments(arguments), .. } => told.push(arguments),
            News::Closed(closing) => told.push(closing.word().to_owned()),
            News::Call { .. } | News::Delta { .. } | News::Void { .. } | News::Usage { .. } | News::CompactionStarted { .. } => {}
        }
    }
    told
}

#[test]
fn whoever_repeats_an_input_is_told_what_to_act_on_as_the_first_was() {
    run(async {
        let world = World::with_client_tool().await;
        world.allow(100);
        let repeat = Some(Repeat { digest: [7; 32] });
        let input = Input { repeat, follow: Follow::Calls, ..world.input("mine", None, true) };
        let first = told(world.post(input.clone()).await.unwrap()).await;
        let call = ["tool_input", "mine locate", r#"{"of":"you"}"#, "client_tool_pending", "paused"];
        assert_eq!(first[first.len() - call.len()..], call);
        assert_eq!(told(world.post(input.clone()).await.unwrap()).await, first);
        let world = world.restart().await;
        assert_eq!(told(world.post(input.clone()).await.unwrap()).await, first);
        assert_eq!(told(world.rejoin(None, Follow::Calls).await).await, first);
    });
}

#[test]
fn a_client_may_declare_the_tool_that_the_agent_has_it_run() {
    run(async {
        let world = World::with_client_tool().await;
        world.allow(100);
        let locate = DeclaredTool { name: "locate".into(), description: "Mine.".into(), input: "{}".into() };
        let brought = Brought { tools: vec![locate], ..Brought::default() };
        let input = Input { brought, follow: Follow::Calls, ..world.input("mine", None, true) };
        let told = told(world.post(input).await.unwrap()).await;
        assert!(told.contains(&r#"{"of":"you"}"#.to_owned()), "what the agent sets holds: {told:?}");
        let began = world.entries().into_iter().find(|entry| entry.kind == Kind::Began).unwrap();
        assert!(!began.body.contains("Mine."), "{}", began.body);
    });
}

#[test]
fn a_call_that_nobody_followed_from_its_first_word_is_told_when_it_is_whole() {
    run(async {
        let world = World::new().await;
        world.allow(1);
        let mut first = world.post(world.input("tool", None, true)).await.unwrap();
        // The model thinks, begins its call, and stands still.
        while !matches!(first.next().await.unwrap(), News::Delta { .. }) {}
        let mut late = world.rejoin(None, Follow::Calls).await;
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(news) = late.poll_next(&mut cx) {
            assert!(!matches!(news, Some(News::Call { .. })), "{news:?}");
        }
        world.allow(100);
        let told = told(late).await;
        let call = ["call echo", r#"{"n":1,"ask":false}"#];
        assert_eq!(told[..2], call);
        assert_eq!(told.iter().filter(|told| call.contains(&told.as_str())).count(), 2, "and told once: {told:?}");
    });
}
