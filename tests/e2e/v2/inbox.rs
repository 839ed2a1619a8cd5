//! Inputs while a turn runs: queued, steering, following, rejoining, stopped.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};
use tests::client::{Answer, Client, Frame, types};
use tests::fake_model::{FakeModel, Gate, Reply, call, held, text};
use tests::server::{Server, config, say, session};
use tokio::task::JoinHandle;

struct World {
    model: FakeModel,
    server: Server,
    /// The session.
    path: String,
    /// Where its events are.
    events: String,
}

impl World {
    async fn new(tools: Value) -> Result<Self> {
        let model = FakeModel::start().await?;
        let server = Server::start(&config(&model.base_url)).await?;
        let path = session(&server.owner(), "a1", &tools).await?;
        Ok(Self { events: format!("{path}/events"), model, server, path })
    }

    fn owner(&self) -> Client {
        self.server.owner()
    }

    /// Posts in the background.
    fn posting(&self, body: Value) -> JoinHandle<Result<Answer>> {
        let (owner, events) = (self.owner(), self.events.clone());
        tokio::spawn(async move { owner.post(&events, &body).await })
    }

    /// A turn that is held at the gate; its answer.
    async fn turn_behind(&self, gate: &Gate) -> Result<JoinHandle<Result<Answer>>> {
        self.model.queue([held(gate, "first answer")]);
        let answer = self.posting(say("first"));
        self.model.asked(1).await?;
        Ok(answer)
    }

    async fn listed(&self) -> Result<Vec<Value>> {
        let listed = self.owner().get(&format!("{}?limit=100", self.events)).await?.expect(200)?;
        Ok(listed["events"].as_array().cloned().unwrap_or_default())
    }

    async fn stopped(&self) -> Result<()> {
        for _ in 0..1_500 {
            if self.owner().get(&self.path).await?.expect(200)?["status"] == "stopped" {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the session does not stop")
    }
}

fn queued(message: &str, behavior: &str) -> Value {
    let mut body = say(message);
    (body["since"], body["behavior"]) = ("start".into(), behavior.into());
    body
}

fn streamed(mut body: Value) -> Value {
    body["stream_response"] = true.into();
    body
}

/// What was said in these events, in order.
fn said(events: &[Value]) -> Vec<&str> {
    let text = |event: &'static str| move |value: &Value| value["type"] == event;
    let of = |value: &Value| text("input_message")(value) || text("agent_output")(value);
    events.iter().filter(|event| of(event)).filter_map(|e| e["content"].as_str().or(e["messages"][0]["content"].as_str())).collect()
}

fn events_of(answer: &Value) -> &[Value] {
    answer["events"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The streamed text of frames.
fn text_of(frames: &[Frame]) -> String {
    frames.iter().filter(|f| f.event == "streaming_agent_output").filter_map(|f| f.data["content"].as_str()).collect()
}

#[tokio::test]
async fn a_follow_up_waits_for_the_turn_and_becomes_one_of_its_own() -> Result<()> {
    let world = World::new(json!({})).await?;
    let gate = Gate::default();
    let first = world.turn_behind(&gate).await?;
    assert_eq!(world.owner().post(&world.events, &say("impatient")).await?.status, 409);
    let mut follow_up = world.owner().stream(&world.events, &streamed(queued("second", "follow_up"))).await?;
    // That it is answered says that it waits.
    assert_eq!(follow_up.status, 201);
    world.model.queue([text("second answer")]);
    gate.open();
    let frames = follow_up.all().await?;
    let wanted = ["first", "first answer", "second", "second answer"];
    assert_eq!(said(events_of(&first.await??.expect(201)?)), wanted[..2]);
    assert_eq!(said(&world.listed().await?), wanted);
    assert_eq!(text_of(&frames), "first answersecond answer");
    assert_eq!(types(&frames).iter().filter(|kind| **kind == "input_message").count(), 2);
    assert_eq!(types(&frames).last(), Some(&"end"));
    let asked = world.model.requests()[1]["messages"].as_array().map(Vec::len);
    assert_eq!(asked, Some(4), "the system prompt, the first turn, and the second input");
    Ok(())
}

#[tokio::test]
async fn a_steer_enters_after_the_tools_of_the_step_and_also_when_the_reply_was_final() -> Result<()> {
    let world = World::new(json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}})).await?;
    let (before, after) = (Gate::default(), Gate::default());
    let asks = Reply::Held(before.clone(), Box::new(call("calc", json!({"expression": "1+1"}))));
    world.model.queue([asks, held(&after, "two"), text("and in words")]);
    let first = world.posting(say("one and one?"));
    world.model.asked(1).await?;
    let mut steer = world.owner().stream(&world.events, &streamed(queued("be quick", "steer"))).await?;
    before.open();
    world.model.asked(2).await?;
    let seen = world.model.requests()[1]["messages"].as_array().cloned().unwrap_or_default();
    let roles: Vec<&str> = seen.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "user"]);
    let mut last = world.owner().stream(&world.events, &streamed(queued("in words", "steer"))).await?;
    after.open();
    let all = ["one and one?", "be quick", "two", "in words", "and in words"];
    assert_eq!(said(events_of(&first.await??.expect(201)?)), all);
    assert_eq!(text_of(&steer.all().await?), "twoand in words");
    assert_eq!(text_of(&last.all().await?), "twoand in words");
    assert_eq!(world.model.requests().len(), 3);
    Ok(())
}

#[tokio::test]
async fn eight_inputs_wait_in_their_order_and_the_ninth_is_told_to_come_again() -> Result<()> {
    let world = World::new(json!({})).await?;
    let gate = Gate::default();
    let first = world.turn_behind(&gate).await?;
    let mut readers = Vec::new();
    for n in 0..8 {
        readers.push(world.owner().stream(&world.events, &streamed(queued(&format!("n{n}"), "follow_up"))).await?);
    }
    let full = world.owner().post(&world.events, &queued("n8", "follow_up")).await?;
    assert_eq!(full.expect(429)?["code"], "rate_limit_exceeded");
    assert!(full.headers.contains_key("retry-after"));
    world.model.always(text("ok"));
    gate.open();
    first.await??.expect(201)?;
    let frames = readers.pop().context("eight")?.all().await?;
    let inputs = frames.iter().filter(|f| f.event == "input_message").filter_map(|f| f.data["messages"][0]["content"].as_str());
    assert_eq!(inputs.collect::<Vec<_>>(), ["first", "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"]);
    // Each reader sees all up to the end of its own turn, and nothing after it.
    for (n, mut reader) in readers.into_iter().enumerate() {
        let frames = reader.all().await?;
        assert_eq!(frames.iter().filter(|f| f.event == "input_message").count(), n + 2);
    }
    Ok(())
}

#[tokio::test]
async fn what_waits_runs_after_an_interrupt_and_after_a_failure() -> Result<()> {
    let world = World::new(json!({})).await?;
    world.model.queue([Reply::Hang]);
    let first = world.posting(say("first"));
    world.model.asked(1).await?;
    let steer = world.owner().stream(&world.events, &streamed(queued("too late to steer", "steer"))).await?;
    let follow_up = world.owner().stream(&world.events, &streamed(queued("then this", "follow_up"))).await?;
    let gate = Gate::default();
    world.model.queue([Reply::Held(gate.clone(), Box::new(Reply::Error(401, "{}".into()))), text("at last")]);
    let stopped = world.owner().post(&world.events, &json!({"type": "interrupt"})).await?.expect(201)?;
    gate.open();
    assert_eq!(events_of(&stopped).last().map(|event| &event["type"]), Some(&json!("session_interrupted")));
    assert_eq!(events_of(&first.await??.expect(201)?).last().map(|event| &event["type"]), Some(&json!("session_interrupted")));
    for (mut reader, ends) in [(steer, ["error", "end"]), (follow_up, ["context_consumed", "end"])] {
        let frames = reader.all().await?;
        assert_eq!(types(&frames)[frames.len() - 2..], ends, "{:?}", types(&frames));
        assert_eq!(types(&frames).iter().filter(|kind| **kind == "session_interrupted").count(), 1);
    }
    assert_eq!(said(&world.listed().await?), ["first", "too late to steer", "then this", "at last"]);
    let idle = world.owner().post(&world.events, &json!({"type": "interrupt"})).await?.expect(400)?;
    assert!(idle.to_string().contains("nothing to interrupt"), "{idle}");
    Ok(())
}

#[tokio::test]
async fn a_summary_in_the_making_is_stopped_and_hides_nothing() -> Result<()> {
    let world = World::new(json!({})).await?;
    world.model.queue([text("a"), text("b"), Reply::Hang]);
    let first = world.owner().post(&world.events, &say("one")).await?.expect(201)?;
    world.owner().post(&world.events, &say("two")).await?.expect(201)?;
    let compact = json!({"type": "compact", "compact_up_to_event_id": events_of(&first)[1]["id"], "stream_response": true});
    let mut making = world.owner().stream(&world.events, &compact).await?;
    let begun = making.until("compaction_started").await?;
    assert!(begun[0].data["created_at"].is_string());
    world.model.asked(3).await?;
    assert_eq!(world.owner().stream(&world.events, &compact).await?.status, 201, "a repeat joins it");
    assert_eq!(world.owner().post(&world.events, &say("three")).await?.status, 409);
    let stopped = world.owner().post(&world.events, &json!({"type": "interrupt"})).await?.expect(201)?;
    assert_eq!(events_of(&stopped).last().map(|event| &event["type"]), Some(&json!("session_interrupted")));
    assert_eq!(types(&making.all().await?), ["session_interrupted", "end"]);
    assert_eq!(said(&world.listed().await?), ["one", "a", "two", "b"]);
    world.model.queue([text("they counted")]);
    let frames = world.owner().stream(&world.events, &compact).await?.all().await?;
    assert_eq!(types(&frames), ["compaction_started", "compaction", "context_consumed", "end"]);
    Ok(())
}

/// How much longer than five other durable requests an interrupt may take.
const INTERRUPTED: Duration = Duration::from_millis(200);

/// What slows one of several down is the machine, and so is what slows down other
/// durable requests as well; what slows down all interrupts alone is the server.
#[tokio::test]
async fn an_interrupt_is_quick_beside_other_requests_also_while_a_summary_is_made() -> Result<()> {
    let world = World::new(json!({})).await?;
    world.model.queue([text("a"), text("b")]);
    let first = world.owner().post(&world.events, &say("one")).await?.expect(201)?;
    world.owner().post(&world.events, &say("two")).await?.expect(201)?;
    let compact = json!({"type": "compact", "compact_up_to_event_id": events_of(&first)[1]["id"]});
    let (mut fastest, mut durable) = ([Duration::MAX; 2], Duration::MAX);
    for round in 0..5 {
        let began = Instant::now();
        world.owner().patch(&world.path, &json!({"metadata": {"round": round}})).await?.expect(200)?;
        durable = began.elapsed().min(durable);
        for (fastest, body) in fastest.iter_mut().zip([say(&format!("again {round}")), compact.clone()]) {
            let asked = world.model.requests().len();
            world.model.queue([Reply::Hang]);
            let turn = world.posting(body);
            world.model.asked(asked + 1).await?;
            let began = Instant::now();
            world.owner().post(&world.events, &json!({"type": "interrupt"})).await?.expect(201)?;
            *fastest = began.elapsed().min(*fastest);
            turn.await??;
        }
    }
    let most = INTERRUPTED + 5 * durable;
    assert!(fastest.iter().all(|took| *took < most), "of a turn and of a summary: {fastest:?}, of a durable request: {durable:?}");
    Ok(())
}

#[tokio::test]
async fn what_waits_outlives_a_kill_and_runs_once() -> Result<()> {
    let world = World::new(json!({})).await?;
    world.model.queue([Reply::Hang]);
    let _first = world.posting(say("first"));
    world.model.asked(1).await?;
    let key = ("idempotency-key", "k");
    let _second = world.owner().stream_with(&world.events, &[key], &streamed(queued("second", "follow_up"))).await?;
    let _third = world.owner().stream(&world.events, &streamed(queued("third", "steer"))).await?;
    let World { model, server, path, events } = world;
    let home = server.kill().await?;
    model.always(text("ok"));
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    let world = World { model, server, path, events };
    let headers = [("content-type", "application/json"), key];
    let repeat = || queued("second", "follow_up").to_string().into();
    let again = world.owner().send(Method::POST, &world.events, &headers, repeat()).await?.expect(201)?;
    world.stopped().await?;
    let listed = world.listed().await?;
    let inputs: Vec<&str> = said(&listed).into_iter().filter(|text| *text != "ok").collect();
    assert_eq!(inputs, ["first", "third", "second"], "the steer entered the turn that was taken up, the other followed");
    assert_eq!(events_of(&again), listed, "a repeat joins what waits, or gets what came of it");
    let once = world.owner().send(Method::POST, &world.events, &headers, repeat()).await?;
    assert_eq!(events_of(&once.expect(201)?), listed);
    assert_eq!(world.listed().await?, listed, "nothing ran twice");
    Ok(())
}

#[tokio::test]
async fn a_reader_that_rejoins_sees_what_it_missed_the_unfinished_text_and_the_rest() -> Result<()> {
    let world = World::new(json!({})).await?;
    let gate = Gate::default();
    world.model.queue([text("before"), Reply::Halves("one two ".into(), gate.clone(), "three".into())]);
    world.owner().post(&world.events, &say("earlier")).await?.expect(201)?;
    let mut first = world.owner().stream(&world.events, &streamed(say("count"))).await?;
    let shown = first.until("streaming_agent_output").await?;
    drop(first);
    let rejoin = |since: &str| json!({"messages": [], "since": since, "stream_response": true});
    let mut late = world.owner().stream(&world.events, &rejoin(shown[0].data["id"].as_str().context("an id")?)).await?;
    let half = late.next().await?.context("the unfinished text")?;
    assert_eq!((half.event.as_str(), half.data["content"].as_str()), ("streaming_agent_output", Some("one two ")));
    gate.open();
    let rest = late.all().await?;
    assert_eq!(text_of(&rest), "three");
    let end = rest.iter().find(|f| f.event == "streaming_agent_output_end").context("its end")?;
    // Idle: what is there, then the end.
    let all = world.owner().stream(&world.events, &rejoin("start")).await?.all().await?;
    let wanted = ["input_message", "streaming_agent_output", "streaming_agent_output_end"];
    assert_eq!(types(&all), [&wanted[..], &wanted[..], &["end"]].concat());
    let nothing = world.owner().stream(&world.events, &rejoin(end.data["event_id"].as_str().context("an id")?)).await?.all().await?;
    assert_eq!(types(&nothing), ["end"]);
    let whole = world.owner().post(&world.events, &json!({"messages": [], "since": "start"})).await?.expect(201)?;
    assert_eq!(events_of(&whole), world.listed().await?);
    assert_eq!(world.model.requests().len(), 2, "who rejoins begins nothing");
    Ok(())
}

#[tokio::test]
async fn an_input_with_since_to_an_idle_session_begins_at_once_and_its_repeat_gets_the_same() -> Result<()> {
    let world = World::new(json!({})).await?;
    world.model.queue([text("a"), text("b")]);
    world.owner().post(&world.events, &say("one")).await?.expect(201)?;
    let key = [("content-type", "application/json"), ("idempotency-key", "once")];
    let post = || world.owner();
    let body = queued("two", "steer").to_string();
    let answer = post().send(Method::POST, &world.events, &key, body.clone().into()).await?.expect(201)?;
    assert_eq!(said(events_of(&answer)), ["one", "a", "two", "b"]);
    world.model.queue([text("c")]);
    world.owner().post(&world.events, &say("three")).await?.expect(201)?;
    let again = post().send(Method::POST, &world.events, &key, body.into()).await?.expect(201)?;
    assert_eq!(again, answer, "up to the end of its own turn");
    let other = queued("two", "follow_up").to_string();
    assert_eq!(post().send(Method::POST, &world.events, &key, other.into()).await?.status, 422, "where it goes is part of it");
    Ok(())
}

#[tokio::test]
async fn a_repeat_of_what_waits_joins_it() -> Result<()> {
    let world = World::new(json!({})).await?;
    let gate = Gate::default();
    let first = world.turn_behind(&gate).await?;
    let mut one = world.owner().stream(&world.events, &streamed(queued("again", "follow_up"))).await?;
    let mut two = world.owner().stream(&world.events, &streamed(queued("again", "follow_up"))).await?;
    world.model.queue([text("done")]);
    gate.open();
    first.await??.expect(201)?;
    let (one, two) = (one.all().await?, two.all().await?);
    assert_eq!(text_of(&one), "first answerdone");
    assert_eq!(text_of(&one), text_of(&two));
    assert_eq!(said(&world.listed().await?), ["first", "first answer", "again", "done"]);
    Ok(())
}

#[tokio::test]
async fn an_input_that_waited_for_a_session_that_was_disabled_meanwhile_is_refused() -> Result<()> {
    let world = World::new(json!({})).await?;
    let gate = Gate::default();
    let first = world.turn_behind(&gate).await?;
    let mut stream = world.owner().stream(&world.events, &streamed(queued("again", "follow_up"))).await?;
    world.owner().patch(&world.path, &json!({"enabled": false})).await?.expect(200)?;
    gate.open();
    first.await??.expect(201)?;
    let frames = stream.all().await?;
    assert_eq!(types(&frames)[frames.len() - 2..], ["error", "end"]);
    assert!(frames[frames.len() - 2].data.to_string().contains("disabled"), "{frames:?}");
    world.stopped().await?;
    assert_eq!(said(&world.listed().await?), ["first", "first answer"]);
    // What is there can still be read.
    let seen = world.owner().post(&world.events, &json!({"messages": [], "since": "start"})).await?.expect(201)?;
    assert_eq!(events_of(&seen).len(), 2);
    Ok(())
}

#[tokio::test]
async fn since_is_the_start_or_an_event_of_this_session() -> Result<()> {
    let world = World::new(json!({})).await?;
    world.model.always(text("ok"));
    let other = session(&world.owner(), "a2", &json!({})).await?;
    let elsewhere = world.owner().post(&format!("{other}/events"), &say("hi")).await?.expect(201)?;
    let foreign = events_of(&elsewhere)[0]["id"].as_str().context("an id")?.to_owned();
    for since in ["aev_nope", "beginning", &foreign] {
        let mut body = say("x");
        body["since"] = since.into();
        let refused = world.owner().post(&world.events, &body).await?.expect(400)?;
        assert!(refused["field_errors"]["since"].is_string(), "{since}: {refused}");
    }
    let mut body = say("x");
    body["behavior"] = "steer".into();
    let refused = world.owner().post(&world.events, &body).await?.expect(400)?;
    assert!(refused["field_errors"]["behavior"].is_string(), "{refused}");
    assert_eq!(world.listed().await?.len(), 0, "nothing half-written stays behind");
    Ok(())
}
