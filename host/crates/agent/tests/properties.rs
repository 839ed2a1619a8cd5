//! What holds whatever clients do, and whenever: with the real engine, a real
//! store, and a model and a tool that go on step by step as the test lets them.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed; the lint's exception covers test functions alone")]

#[path = "properties/brought.rs"]
mod brought;
#[path = "properties/calls.rs"]
mod calls;
#[path = "properties/leaving.rs"]
mod leaving;
#[path = "properties/one_call.rs"]
mod one_call;
#[path = "properties/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent::{CallNews, Closing, Edit, Error, Follow, ForkOf, News, Part, Watcher};
use proptest::prelude::*;
use serde_json::value::RawValue;
use session::{Audience, Behavior, Entry, EventId, HowEnded, ItemBody, Kind, Seq, State, StoredEvent};

use world::World;

/// What a client may do next.
#[derive(Debug, Clone)]
enum Step {
    /// Says something; queued where a turn runs, if it may be.
    Say { queue: Option<Behavior>, stream: bool, what: &'static str },
    /// Says something and brings along what was said elsewhere; with nothing to say itself, that is to be answered.
    Bring { what: Option<&'static str>, past: &'static str, instructions: bool },
    /// Has the tool called without asking a model, with or without a person's agreement.
    Call { ask: bool },
    /// Agrees to what waits for that, and answers what waits for the client.
    Settle,
    /// Says the last thing once more.
    Repeat,
    /// Asks for the end of the turn.
    Interrupt,
    /// Leaves without having read all; and says so, or does not.
    Leave(prop::sample::Index, bool),
    /// The model and the tools come so many pieces further.
    Go(usize),
    /// The server stops where it is, and another one takes up its work.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let queue = prop_oneof![Just(None), Just(Some(Behavior::Steer)), Just(Some(Behavior::FollowUp)), Just(Some(Behavior::FollowUp))];
    prop_oneof![
        6 => (queue, any::<bool>(), prop::sample::select(vec!["talk", "talk", "talk", "tool", "tool", "ask", "fail"]))
            .prop_map(|(queue, stream, what)| Step::Say { queue, stream, what }),
        3 => (prop::option::of(prop::sample::select(vec!["talk", "mine", "fail"])), prop::sample::select(vec!["", "u", "ua", "ucra", "uacr", "acruc", "uuccr"]), any::<bool>())
            .prop_map(|(what, past, instructions)| Step::Bring { what, past, instructions }),
        1 => any::<bool>().prop_map(|ask| Step::Call { ask }),
        2 => Just(Step::Settle),
        1 => Just(Step::Repeat),
        2 => Just(Step::Interrupt),
        2 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(at, says)| Step::Leave(at, says)),
        6 => (1_usize..6).prop_map(Step::Go),
        1 => Just(Step::Restart),
    ]
}

/// Which turns there were, each with how often it began and ended.
fn turns(entries: &[Entry]) -> BTreeMap<u64, (usize, usize)> {
    let mut turns: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for entry in entries {
        let turn = turns.entry(entry.turn.0).or_default();
        turn.0 += usize::from(entry.kind == Kind::Began);
        turn.1 += usize::from(entry.kind == Kind::Ended);
    }
    turns
}

/// The ids of all calls, sorted.
fn ids(entries: &[Entry]) -> Vec<String> {
    let calls = entries.iter().filter(|entry| entry.kind == Kind::ToolInput);
    let mut ids: Vec<String> =
        calls.map(|entry| serde_json::from_str::<StoredEvent<'_>>(&entry.body).unwrap().call_name().id.to_string()).collect();
    ids.sort();
    ids
}

fn count(entries: &[Entry], kind: Kind) -> usize {
    entries.iter().filter(|entry| entry.kind == kind).count()
}

async fn play(steps: Vec<Step>) {
    let mut world = World::new().await;
    let mut readers: Vec<Watcher> = Vec::new();
    // What was accepted, and how often.
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    let (mut said, mut last) = (0, None);
    for step in steps {
        match step {
            Step::Say { queue, stream, what } => {
                said += 1;
                let text = format!("{what} {said}");
                let input = world.input(&text, queue, stream);
                match world.post(input.clone()).await {
                    Ok(watcher) => {
                        accepted.insert(text.clone(), 1);
                        readers.push(watcher);
                        last = Some((vec![text], input));
                    }
                    Err(Error::Busy(_) | Error::InboxFull(..)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Repeat => {
                if let Some((texts, input)) = last.clone() {
                    match world.post(input).await {
                        // It joins; or its answer was read to the end, and it is said once more.
                        Ok(watcher) => {
                            texts.into_iter().for_each(|text| *accepted.entry(text).or_default() += 1);
                            readers.push(watcher);
                        }
                        Err(Error::Busy(_) | Error::InboxFull(..)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Step::Bring { what, past, instructions } => {
                said += 1;
                let (input, texts) = brought::input(&world, said, what, past, instructions);
                match world.post(input.clone()).await {
                    Ok(watcher) => {
                        for text in &texts {
                            accepted.insert(text.clone(), 1);
                        }
                        readers.push(watcher);
                        last = Some((texts, input));
                    }
                    Err(Error::Busy(_)) => {}
                    Err(Error::WrongInput(_) | Error::WrongPast { .. }) if what.is_none() && !past.ends_with(['u', 'r']) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Call { ask } => match world.post(one_call::input(&world, ask)).await {
                Ok(watcher) => readers.push(watcher),
                Err(Error::Busy(_)) => {}
                Err(error) => panic!("{error}"),
            },
            Step::Settle => match world.settle().await {
                Some(Ok(watcher)) => readers.push(watcher),
                // What it was about is over, or goes on already.
                None | Some(Err(Error::Busy(_) | Error::Decided { .. } | Error::NotAsked(_) | Error::NotPending(_))) => {}
                Some(Err(error)) => panic!("{error}"),
            },
            Step::Interrupt => match world.interrupt().await {
                Ok(watcher) => readers.push(watcher),
                Err(Error::Idle) => {}
                Err(error) => panic!("{error}"),
            },
            Step::Leave(at, says) if !readers.is_empty() => {
                let turn = readers.swap_remove(at.index(readers.len())).turn();
                if let (true, Some(turn)) = (says, turn) {
                    world.engine.leave(&world.session, &world.principal, turn);
                }
            }
            Step::Leave(..) => {}
            Step::Go(pieces) => world.go(pieces).await,
            Step::Restart => {
                world = world.restart().await;
                readers.clear();
            }
        }
    }
    world.finish().await;
    assert!(world.is_at_rest(), "the store says that something runs or waits");
    let entries = world.entries();
    for (turn, times) in turns(&entries) {
        assert_eq!(times, (1, 1), "turn {turn} began and ended so often");
    }
    assert!(entries.is_sorted_by_key(|entry| entry.turn), "turns do not interleave");
    assert_eq!(count(&entries, Kind::ToolInput), count(&entries, Kind::ToolOutput), "each call has one result");
    assert_eq!(ids(&entries), BTreeSet::from_iter(ids(&entries)).into_iter().collect::<Vec<_>>(), "each call has an id of its own");
    let mut recorded = 0;
    for (text, times) in accepted {
        let with = |entry: &&Entry| entry.kind == Kind::InputMessage && entry.body.contains(&format!("\"{text}\""));
        let found = entries.iter().filter(with).count();
        assert!((1..=times).contains(&found), "`{text}` was accepted {times} times, and recorded {found} times");
        recorded += found;
    }
    assert_eq!(recorded, count(&entries, Kind::InputMessage), "nothing is recorded that was not accepted");
    for mut reader in readers {
        assert!(closing(&mut reader).await.is_some(), "whoever stayed is told that its answer is over");
        assert!(reader.next().await.is_none(), "and told once");
    }
}

/// What a reader is told at the end.
async fn closing(reader: &mut Watcher) -> Option<Closing> {
    while let Some(news) = reader.next().await {
        if let News::Closed(closing) = news {
            return Some(closing);
        }
    }
    None
}

/// A client that is cut off again and again, and goes on after the last event that it saw.
#[derive(Default)]
struct Reading {
    seen: Vec<Entry>,
    open: BTreeMap<bool, String>,
    calls: BTreeMap<Arc<str>, String>,
}

impl Reading {
    /// Takes one piece of news; answers why nothing follows, if nothing does.
    fn take(&mut self, news: News) -> Option<Closing> {
        match news {
            News::Delta { part, text, .. } => self.open.entry(part == Part::Text).or_default().push_str(&text),
            News::Void { part, .. } => drop(self.open.remove(&(part == Part::Text))),
            News::Entry(entry) => {
                if matches!(entry.kind, Kind::Thinking | Kind::AgentOutput) {
                    let whole = serde_json::from_str::<StoredEvent<'_>>(&entry.body).unwrap().text();
                    let streamed = self.open.remove(&(entry.kind == Kind::AgentOutput)).unwrap_or_default();
                    assert_eq!(streamed, whole, "the pieces are the text");
                }
                if entry.kind == Kind::ToolInput {
                    let event: StoredEvent<'_> = serde_json::from_str(&entry.body).unwrap();
                    let written = self.calls.remove(&event.call_name().id);
                    assert_eq!(written.as_deref(), event.tool_input.map(RawValue::get), "the pieces are the arguments");
                }
                self.seen.push((*entry).clone());
            }
            News::Call { id, what, .. } => match what {
                CallNews::Began { name } => {
                    assert_eq!(&*name, "echo");
                    assert_eq!(self.calls.insert(id, String::new()), None, "a call begins once");
                }
                CallNews::Arguments(piece) => self.calls.get_mut(&id).expect("a call begins before its arguments").push_str(&piece),
                CallNews::Void => drop(self.calls.remove(&id).expect("what is void was written")),
                CallNews::Progress { .. } => {}
            },
            News::Usage { .. } | News::CompactionStarted { .. } => {}
            News::Closed(closing) => return Some(closing),
        }
        None
    }

    /// The connection breaks: what was not whole is forgotten.
    fn cut(&mut self) {
        self.open.clear();
        self.calls.clear();
    }
}

async fn rejoin(inputs: Vec<(Option<Behavior>, bool)>, cuts: Vec<usize>) {
    let world = World::new().await;
    let mut reading = Reading::default();
    let mut cuts = cuts.into_iter().cycle();
    let mut inputs = inputs.into_iter().enumerate();
    let mut stalled = 0;
    loop {
        if let Some((n, (queue, tool))) = inputs.next() {
            let text = format!("{} {n}", if tool { "tool" } else { "talk" });
            let posted = world.post(world.input(&text, queue, true)).await;
            assert!(matches!(posted, Ok(_) | Err(Error::Busy(_) | Error::InboxFull(..))), "{posted:?}");
        }
        let mut watcher = world.rejoin(reading.seen.last(), Follow::Calls).await;
        let (mut closing, seen) = (None, reading.seen.len());
        for _ in 0..cuts.next().unwrap_or(1) + stalled {
            world.allow(1);
            closing = watcher.next().await.and_then(|news| reading.take(news));
            if closing.is_some() {
                break;
            }
        }
        reading.cut();
        // Whoever is always cut off before the next event never gets further.
        stalled = if reading.seen.len() > seen { 0 } else { stalled + 1 };
        if inputs.len() == 0 && closing == Some(Closing::Idle) {
            break;
        }
    }
    let shown: Vec<Entry> = world.entries().into_iter().filter(|entry| entry.audience() != Audience::Internal).collect();
    let seqs = |entries: &[Entry]| entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>();
    assert_eq!(seqs(&reading.seen), seqs(&shown), "each event once, in order");
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(world::PATIENCE, work).await.expect("the engine comes to rest") });
}

/// The end of the turn that a reader follows.
async fn end(mut reader: Watcher) -> Closing {
    closing(&mut reader).await.expect("a reader that stays is told the end")
}

#[tokio::test]
async fn whoever_leaves_stops_the_turn_that_answers_nobody_else_and_no_later_one() {
    let world = World::new().await;
    let input = world.input("talk", None, true);
    let (first, again) = (world.post(input.clone()).await.unwrap(), world.post(input).await.unwrap());
    let turn = first.turn().unwrap();
    assert_eq!(again.turn(), Some(turn));
    drop(first);
    world.engine.leave(&world.session, &world.principal, turn);
    // The mailbox is served in order: the onlooker is there after the word of the one who left.
    let onlooker = world.rejoin(None, Follow::Text).await;
    drop(again);
    world.engine.leave(&world.session, &world.principal, turn);
    assert_eq!(end(onlooker).await, Closing::Ended(HowEnded::Interrupted));

    let next = world.post(world.input("talk", None, true)).await.unwrap();
    world.engine.leave(&world.session, &world.principal, turn);
    world.allow(100);
    assert_eq!(end(next).await, Closing::Ended(HowEnded::Answered));
}

#[tokio::test]
async fn a_reader_of_calls_hears_how_far_a_tool_is() {
    let world = World::new().await;
    world.allow(3);
    let mut input = world.input("tool", None, true);
    input.follow = Follow::Calls;
    let mut reader = world.post(input).await.unwrap();
    let mut asked = None;
    loop {
        match reader.next().await.unwrap() {
            News::Call { id, what: CallNews::Began { .. }, .. } => asked = Some(id),
            News::Call { id, what: CallNews::Progress { share, note }, .. } => {
                assert_eq!((Some(id), share, note.as_str()), (asked, Some(0.5), "half"));
                break;
            }
            News::Closed(closing) => panic!("{closing:?} before the tool was done"),
            News::Entry(_) | News::Delta { .. } | News::Call { .. } | News::Void { .. } => {}
            News::Usage { .. } | News::CompactionStarted { .. } => {}
        }
    }
    world.finish().await;
}

/// A copy of a session whose beginning is hidden, in the middle of a step too.
#[tokio::test]
async fn of_the_questions_asked_aside_only_so_many_run_at_once() {
    const AT_ONCE: usize = 16;
    let world = World::new().await;
    let ask = || {
        let (engine, agent) = (world.engine.clone(), world.agent.clone());
        async move { engine.ask_aside(&agent, "Be brief.", "talk".into()).await }
    };
    let mut running = tokio::task::JoinSet::new();
    (0..AT_ONCE).for_each(|_| drop(running.spawn(ask())));
    // They have begun once each waits for its first piece.
    while world.asked() < AT_ONCE {
        tokio::task::yield_now().await;
    }
    assert!(matches!(ask().await, Err(Error::Overloaded(_))));
    world.allow(1_000);
    for answer in running.join_all().await {
        assert_eq!(answer.unwrap(), "one two three");
    }
    assert_eq!(ask().await.unwrap(), "one two three", "who is done makes room");
}

#[tokio::test]
async fn a_fork_tells_nothing_of_what_was_hidden_and_nothing_torn() {
    for (says, hides) in [("talk", ["input_message", "thinking", "agent_output"]), ("tool", ["input_message", "thinking", "tool_input"])] {
        let world = World::new().await;
        world.allow(10_000);
        let mut reader = world.post(world.input(says, None, true)).await.unwrap();
        closing(&mut reader).await;
        for kind in hides {
            let entry = world.entries().into_iter().find(|entry| entry.kind.word() == kind).unwrap();
            let id = EventId { session: world.session.uid, seq: entry.seq }.to_string();
            world.engine.edit_event(&world.session, &id, Edit::Hide).await.unwrap();
        }
        let of = ForkOf { session: world.session.clone(), include_up_to: None, compact_up_to: None };
        let fork = world.engine.fork_session(&world.agent, &world.principal, World::named("f"), of).await.unwrap();
        let mut state = State::default();
        for entry in world.engine.journal().read(fork.uid, Seq(1), 1_000).unwrap().entries {
            state.apply(&entry).unwrap();
        }
        for item in &state.transcript.items {
            match &item.body {
                ItemBody::Assistant { text, calls, .. } => assert!(!text.is_empty() || !calls.is_empty(), "{says}: an empty reply"),
                ItemBody::ToolResult { call_id, .. } => panic!("{says}: a result of {call_id} without its call"),
                ItemBody::User { .. } => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_of_inputs_interrupts_and_disconnects_leaves_one_end_per_turn(steps in prop::collection::vec(step(), 1..40)) {
        run(play(steps));
    }

    #[test]
    fn a_reader_that_is_cut_anywhere_and_rejoins_gets_each_event_once_and_all_text(
        inputs in prop::collection::vec((prop::option::of(prop_oneof![Just(Behavior::Steer), Just(Behavior::FollowUp)]), any::<bool>()), 1..6),
        cuts in prop::collection::vec(1_usize..12, 1..12),
    ) {
        run(rejoin(inputs, cuts));
    }
}
