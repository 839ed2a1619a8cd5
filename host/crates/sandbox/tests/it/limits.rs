//! How calls end: each hostile guest with its own end, and the server unharmed.

use std::time::Duration;

use tool::{Content, End};

use crate::guests::{Guest, guest, nested, text_of};
use crate::place::Place;

const LIMITS: &str = "[defaults.limits]\nmemory = '4MiB'\ntime = '5min'\ncpu = '200ms'\noutput = '64KiB'\nlog = '4KiB'\n";

/// What comes of a guest with this body, under `LIMITS`.
async fn end_of(guest: Vec<u8>) -> tool::ToolReply {
    let place = Place::with(&[("it", guest)], LIMITS).await;
    let reply = place.call("it", "act", "{}").await;
    assert_eq!(place.status("it").state, tool::PluginState::Ready, "{reply:?}");
    let again = place.call("it", "act", "{\"n\": 10}").await;
    assert!(matches!(again.end, End::InvalidInput(_)), "the plugin still answers: {again:?}");
    reply
}

#[tokio::test]
async fn a_call_answers_and_says_what_it_used() {
    let reply = end_of(guest("(call $ok)")).await;
    assert_eq!((reply.end, reply.parts), (End::Done, vec![Content::Text("ok".into())]));
    assert!(reply.usage.memory_bytes >= 65_536 && reply.usage.cpu_us > 0 && reply.usage.wall_us > 0);
    assert!(reply.evidence.component.unwrap().starts_with("sha256:"));
}

#[tokio::test]
async fn spinning_ends_at_the_processor_limit() {
    let reply = end_of(guest("(loop $l (br $l)) (unreachable)")).await;
    assert_eq!(reply.end, End::Cpu(200));
    assert!((200_000..400_000).contains(&reply.usage.cpu_us), "{:?}", reply.usage);
}

#[tokio::test]
async fn spinning_in_host_calls_ends_too() {
    for body in ["(loop $l (drop (call $now)) (br $l)) (unreachable)", "(loop $l (drop (memory.grow (i32.const 0))) (br $l)) (unreachable)"]
    {
        let place = Place::with(&[("it", guest(body))], "[defaults.limits]\ntime = '5min'\ncpu = '20s'\nhost-calls = 50\n").await;
        let reply = place.call("it", "act", "{}").await;
        assert_eq!(reply.end, End::HostCalls("more than 50 calls into the host".into()), "{body}");
        assert_eq!(reply.usage.host_calls, 51);
        place.allow("[defaults.limits]\ntime = '5min'\ncpu = '100ms'\nhost-calls = 1000000000\n");
        assert_eq!(place.call("it", "act", "{}").await.end, End::Cpu(100), "{body}");
    }
}

#[tokio::test]
async fn computing_is_no_call_into_the_host() {
    let limits = "[defaults.limits]\ntime = '5min'\ncpu = '200ms'\nhost-calls = 3\n";
    let place = Place::with(&[("it", guest("(loop $l (br $l)) (unreachable)"))], limits).await;
    let reply = place.call("it", "act", "{}").await;
    assert_eq!((reply.end, reply.usage.host_calls), (End::Cpu(200), 0), "the ticks that end it are ours");
}

#[tokio::test]
async fn handles_have_an_end_of_their_own() {
    let timers = guest("(loop $l (drop (call $timer (i64.const 1))) (br $l)) (unreachable)");
    let reply = end_of(timers).await;
    assert!(matches!(&reply.end, End::HostCalls(what) if what.starts_with("more than 256 handles")), "{:?}", reply.end);
    let body = "(loop $l (drop (call $own (i32.const 1))) (br $l)) (unreachable)";
    let reply = end_of(Guest { body, resource: true, ..Guest::default() }.bytes()).await;
    assert!(matches!(&reply.end, End::HostCalls(what) if what.starts_with("more than 10000 handles")), "{:?}", reply.end);
}

const FUEL: &str = "[plugin.it]\napprove = 'never'\nlimits = { fuel = 100000, time = '5min', cpu = '60s' }\n";

#[tokio::test]
async fn a_budget_of_fuel_ends_the_same_call_at_the_same_place() {
    let counts = "(local $n i32) (loop $l (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $n) (i32.const 1000)))) (call $ok)";
    let mut used = Vec::new();
    for _ in 0..2 {
        let place = Place::with(&[("it", guest(counts))], FUEL).await;
        for _ in 0..2 {
            let reply = place.call("it", "act", "{}").await;
            assert_eq!(reply.end, End::Done);
            assert_eq!(reply.evidence.limits.map(|limits| limits.fuel), Some(Some(100_000)));
            used.push(reply.usage.fuel);
        }
        let without = "[plugin.it]\napprove = 'never'\n";
        place.allow(without);
        assert_eq!(place.call("it", "act", "{}").await.usage.fuel, 0, "nothing counts where no budget is set");
    }
    assert!(used[0] > 1_000 && used[0] < 100_000 && used.iter().all(|fuel| *fuel == used[0]), "{used:?}");

    let place = Place::with(&[("it", guest("(loop $l (br $l)) (unreachable)"))], FUEL).await;
    for _ in 0..3 {
        let reply = place.call("it", "act", "{}").await;
        assert_eq!((reply.end, reply.usage.fuel), (End::Fuel(100_000), 100_000));
    }
}

#[tokio::test]
async fn a_budget_of_fuel_leaves_the_other_limits_in_force() {
    let sleeps = guest("(call $block (call $timer (i64.const 9000000000000000000))) (call $ok)");
    let place = Place::with(&[("it", sleeps)], FUEL).await;
    assert_eq!(place.call("it", "act", "{\"n\": 10}").await.usage.fuel, 0);
    place.allow("[plugin.it]\napprove = 'never'\nlimits = { fuel = 100000, time = '200ms' }\n");
    let end = loop {
        match place.call("it", "act", "{}").await.end {
            End::Unavailable(why) if why.contains("it is being compiled") => {}
            end => break end,
        }
    };
    assert_eq!(end, End::Time(200));
    let place = Place::with(&[("it", guest("(loop $l (br $l)) (unreachable)"))], FUEL).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Fuel(100_000));
    place.allow("[plugin.it]\napprove = 'never'\nlimits = { fuel = 9007199254740992, time = '5min', cpu = '100ms' }\n");
    assert_eq!(place.call("it", "act", "{}").await.end, End::Cpu(100));
}

#[tokio::test]
async fn waiting_in_the_host_ends_at_the_time_limit() {
    let sleeps = guest("(call $block (call $timer (i64.const 9000000000000000000))) (call $ok)");
    let place = Place::with(&[("it", sleeps)], "[defaults.limits]\ntime = '1s'\n").await;
    let reply = place.call("it", "act", "{}").await;
    assert_eq!(reply.end, End::Time(1_000));
    assert!(reply.usage.cpu_us < 200_000 && reply.usage.wall_us >= 900_000, "{:?}", reply.usage);
}

#[tokio::test]
async fn growing_beyond_the_memory_limit_is_called_by_its_name() {
    let body = "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then (unreachable))) (call $ok)";
    assert_eq!(end_of(guest(body)).await.end, End::Memory(4 << 20));
}

#[tokio::test]
async fn deep_recursion_is_a_trap_with_the_functions_name() {
    let module = "(func $down (param i32) (result i32) (i32.add (call $down (local.get 0)) (i32.const 1)))";
    let reply = end_of(Guest { module, body: "(drop (call $down (i32.const 1))) (call $ok)", ..Guest::default() }.bytes()).await;
    let End::Trap(trap) = reply.end else { panic!("{:?}", reply.end) };
    assert_eq!((trap.kind.as_str(), trap.function.as_deref()), ("call stack exhausted", Some("down")));
}

#[tokio::test]
async fn a_trap_and_an_exit_are_told_apart() {
    assert!(matches!(end_of(guest("(unreachable)")).await.end, End::Trap(_)));
    assert_eq!(end_of(guest("(call $exit (i32.const 1)) (unreachable)")).await.end, End::Exit(1));
}

#[tokio::test]
async fn an_answer_over_the_output_limit_is_refused() {
    let reply = end_of(guest(&text_of(4_000))).await;
    assert!(matches!(reply.end, End::InvalidOutput(_)), "the memory there is no text: {:?}", reply.end);
    let two = "(drop (memory.grow (i32.const 10))) (memory.fill (i32.const 4096) (i32.const 120) (i32.const 600000))
        (drop (call $ok)) (i32.store (i32.const 2084) (i32.const 4096)) (i32.store (i32.const 2088) (i32.const 600000)) (i32.const 2048)";
    let reply = end_of(guest(two)).await;
    assert_eq!((reply.end, reply.parts), (End::Output(64 << 10), vec![]));
}

#[tokio::test]
async fn ten_million_parts_and_endless_nesting_are_refused_while_they_are_read() {
    let list = "(drop (memory.grow (i32.const 6000))) (drop (call $ok)) (i32.store (i32.const 2060) (i32.const 10000000)) (i32.const 2048)";
    let place = Place::with(&[("it", guest(list))], "[defaults.limits]\nmemory = '450MiB'\n").await;
    let reply = place.call("it", "act", "{}").await;
    assert_eq!((reply.end, reply.parts), (End::Output(256 << 10), vec![]));
    let reply = end_of(guest(&nested(60_000))).await;
    assert!(matches!(&reply.end, End::InvalidOutput(why) if why.contains("recursion limit")), "{:?}", reply.end);
}

#[tokio::test]
async fn parts_emitted_before_a_failure_are_kept() {
    let emit =
        "(call $emit (i32.const 0) (i32.const 64) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    let reply = end_of(guest(&format!("{emit} (unreachable)"))).await;
    assert!(matches!(reply.end, End::Trap(_)), "{:?}", reply.end);
    assert_eq!(reply.parts, vec![Content::Text("ok".into())]);
    let flood = format!("(loop $l {emit} (br $l)) (unreachable)");
    assert_eq!(end_of(guest(&flood)).await.end, End::Output(64 << 10));
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_ends_its_guest() {
    let limits = "[defaults.limits]\ntime = '60s'\ncpu = '60s'\nat-once = 1\n";
    let place = Place::with(&[("it", guest("(loop $l (br $l)) (unreachable)"))], limits).await;
    let call = tokio::time::timeout(Duration::from_millis(100), place.call("it", "act", "{}")).await;
    assert!(call.is_err());
    // With one place only, the next call can begin once the first guest is gone.
    place.allow("[defaults.limits]\ntime = '5min'\ncpu = '50ms'\nat-once = 1\n");
    assert_eq!(place.call("it", "act", "{}").await.end, End::Cpu(50));
}

#[tokio::test]
async fn a_neighbour_answers_while_others_spin() {
    let limits = "[defaults.limits]\ntime = '5min'\ncpu = '1s'\n";
    let place = Place::with(&[("spin", guest("(loop $l (br $l)) (unreachable)")), ("it", guest("(call $ok)"))], limits).await;
    let spinning: Vec<_> = (0..4).map(|_| tokio::spawn(place.call("spin", "act", "{}"))).collect();
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
    assert!(spinning.iter().any(|spun| !spun.is_finished()), "it did not wait for them");
    for spun in spinning {
        assert!(matches!(spun.await.unwrap().end, End::Cpu(_)));
    }
}

#[tokio::test]
async fn arguments_are_checked_before_any_guest_code_runs() {
    let place = Place::with(&[("it", guest("(unreachable)"))], "").await;
    for (input, fault) in [("[]", "object"), ("{", "JSON"), ("{\"n\": 10}", "/n: 10 is greater than"), ("{\"a\": \"\\u0000\"}", "u0000")] {
        let reply = place.call("it", "act", input).await;
        assert!(matches!(&reply.end, End::InvalidInput(why) if why.contains(fault)), "{input}: {:?}", reply.end);
        assert_eq!(reply.evidence.component, None);
    }
    assert_eq!(place.call("it", "other", "{}").await.end, End::UnknownTool);
    assert_eq!(place.call("nobody", "act", "{}").await.end, End::UnknownTool);
}
