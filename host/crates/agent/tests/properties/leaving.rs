//! Those who go away before they hear that what they posted was taken.

use std::pin::{Pin, pin};

use agent::{Decisions, Error, Input, Watcher};
use session::Kind;

use super::world::World;
use super::{closing, count, run};

/// Posts, and hears nothing of it.
async fn begin(post: Pin<&mut impl Future<Output = Result<Watcher, Error>>>) {
    tokio::select! {
        biased;
        answer = post => panic!("nobody answered yet: {answer:?}"),
        () = std::future::ready(()) => {}
    }
}

/// How the turns of a world ended, once they have.
async fn ends(world: &World) -> Vec<&'static str> {
    world.finish().await;
    let ends = world.entries().into_iter().filter(|entry| entry.kind == Kind::Ended);
    ends.map(|entry| if entry.body.contains("interrupted") { "interrupted" } else { "answered" }).collect()
}

/// On one thread: what was posted is taken when whoever posted it stands back, and not before.
fn on_one_thread(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(super::world::PATIENCE, work).await.expect("the engine comes to rest") });
}

#[test]
fn a_turn_whose_client_left_before_it_was_taken_stops_where_the_client_wants_that() {
    on_one_thread(async {
        for (unless_left, how) in [(true, "interrupted"), (false, "answered")] {
            let world = World::new().await;
            let input = Input { unless_left, ..world.input("talk", None, true) };
            begin(pin!(world.post(input.clone()))).await;
            assert_eq!(ends(&world).await, [how]);
            if unless_left {
                assert!(world.heard().items.is_empty(), "no model was asked for nobody");
            }
            // The same words again ask for another answer, or for the one that was lost.
            closing(&mut world.post(input).await.unwrap()).await;
            assert_eq!(count(&world.entries(), Kind::Ended), if unless_left { 2 } else { 1 });
        }
    });
}

#[test]
fn a_turn_whose_client_left_between_its_beginning_and_the_word_of_it_stops() {
    on_one_thread(async {
        for (unless_left, how) in [(true, "interrupted"), (false, "answered")] {
            let world = World::new().await;
            let input = Input { unless_left, ..world.input("talk", None, true) };
            let mut post = Box::pin(world.post(input));
            // What it is sent from here on stays unread.
            begin(post.as_mut()).await;
            while world.heard().items.is_empty() {
                tokio::task::yield_now().await;
            }
            drop(post);
            // The mailbox is served in order.
            drop(world.rejoin(None, agent::Follow::Text).await);
            assert_eq!(ends(&world).await, [how]);
        }
    });
}

#[test]
fn a_turn_whose_client_left_before_its_answer_to_a_call_was_taken_stops() {
    on_one_thread(async {
        for (unless_left, how) in [(true, "interrupted"), (false, "answered")] {
            let world = World::with_client_tool().await;
            world.allow(100);
            closing(&mut world.post(world.input("mine", None, true)).await.unwrap()).await;
            let decisions = Decisions { unless_left, ..world.decisions().unwrap() };
            begin(pin!(world.decide(decisions))).await;
            assert_eq!(ends(&world).await, [how]);
            assert_eq!(count(&world.entries(), Kind::ToolOutput), 1, "what was done is kept");
        }
    });
}

#[test]
fn a_turn_that_waits_for_a_person_is_stopped_with_the_session_that_is_abandoned() {
    run(async {
        let world = World::new().await;
        world.allow(1);
        closing(&mut world.post(super::one_call::input(&world, true)).await.unwrap()).await;
        assert_eq!(world.engine.approvals(&world.session).unwrap().len(), 1);
        let world = world.restart().await;
        world.engine.abandon(&world.session, &world.principal);
        while !world.engine.approvals(&world.session).unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(ends(&world).await, ["interrupted"]);
        world.engine.abandon(&world.session, &world.principal);
        assert_eq!(ends(&world).await, ["interrupted"], "there is nothing to stop any more");
    });
}
