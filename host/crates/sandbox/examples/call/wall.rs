//! What hostile guests cost: how far beyond its limit a call runs, what stays of
//! ten thousand of them in memory, what a neighbour notices, and how soon a bomb is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tool::{End, PluginState, Toolbox};

use crate::ground::{Ground, shipped};
use crate::guests::{guest, heavy};
use crate::{CALLS, INPUT};

/// Calls of each kind that are ended by a limit.
const ENDED: usize = 100;

/// The limit that ends them.
const LIMIT_MS: u64 = 100;

/// Hostile calls whose memory is looked for.
const HOSTILE: usize = 10_000;

/// Clients of a neighbour, and how long they call.
const CLIENTS: usize = 2;
const SPAN: Duration = Duration::from_secs(4);

/// All of 64 MiB, touched.
const GROW: &str = "(drop (memory.grow (i32.const 1000))) (memory.fill (i32.const 65536) (i32.const 1) (i32.const 65500000))";
const SPIN: &str = "(loop $l (br $l)) (unreachable)";

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn measure() {
    overshoot().await;
    memory().await;
    neighbours().await;
    bombs().await;
}

/// How much later than its limit a call answers.
async fn overshoot() {
    let bodies = [
        ("spins", SPIN),
        ("sleeps", "(call $block (call $timer (i64.const 9000000000000000000))) (call $ok)"),
        (
            "copies 32 MiB again and again",
            "(loop $l (memory.copy (i32.const 65536) (i32.const 33000000) (i32.const 32000000)) (br $l)) (unreachable)",
        ),
        ("calls the host", "(loop $l (drop (call $now)) (br $l)) (unreachable)"),
    ];
    let wall = format!("[defaults.limits]\nmemory = '64MiB'\ntime = '{LIMIT_MS}ms'\ncpu = '1h'\nhost-calls = 1000000000\n");
    for (name, body) in bodies {
        let ground = Ground::ready(&[("it", guest(&format!("{GROW} {body}")))], &wall).await;
        let mut late = Vec::new();
        for _ in 0..ENDED {
            let began = Instant::now();
            let reply = ground.call("it", "act", "{}").await;
            assert_eq!(reply.end, End::Time(LIMIT_MS), "{name}");
            late.push(began.elapsed().as_secs_f64() * 1e3 - LIMIT_MS as f64);
        }
        let (median, p99) = (quantile(&mut late, 50), quantile(&mut late, 99));
        println!("64 MiB guest that {name}: {median:.1} ms over its {LIMIT_MS} ms at the median, {p99:.1} ms at p99 of {ENDED}");
    }
}

/// Resident memory before and after many hostile calls, eight at a time.
async fn memory() {
    let emit =
        "(call $emit (i32.const 0) (i32.const 64) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    let bodies = [
        format!("{GROW} (unreachable)"),
        format!("{GROW} (call $ok)"),
        "(if (i32.eq (memory.grow (i32.const 2000)) (i32.const -1)) (then (unreachable))) (call $ok)".into(),
        SPIN.into(),
        "(loop $l (drop (call $timer (i64.const 1))) (br $l)) (unreachable)".into(),
        format!("(loop $l {emit} (br $l)) (unreachable)"),
        "(loop $l (call $log (i32.const 2) (i32.const 64) (i32.const 2)) (br $l)) (unreachable)".into(),
        "(call $exit (i32.const 1)) (unreachable)".into(),
    ];
    let names: Vec<String> = (0..bodies.len()).map(|n| format!("it{n}")).collect();
    let plugins: Vec<(&str, Vec<u8>)> = names.iter().zip(&bodies).map(|(name, body)| (name.as_str(), guest(body))).collect();
    let ground = Arc::new(Ground::ready(&plugins, "[defaults.limits]\nmemory = '64MiB'\ncpu = '5ms'\n").await);
    ground.call("it7", "act", "{}").await;
    let before = resident_mib();
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for n in 0..HOSTILE {
        if calls.len() >= 8 {
            calls.join_next().await;
        }
        let (ground, name) = (ground.clone(), names[n % names.len()].clone());
        calls.spawn(async move { ground.call(&name, "act", "{}").await });
    }
    while calls.join_next().await.is_some() {}
    println!(
        "resident memory: {before:.1} MiB before, {:.1} MiB after {HOSTILE} hostile calls in {:.0} s",
        resident_mib(),
        began.elapsed().as_secs_f64()
    );
}

/// The times of short calls, alone and while another plugin takes all that it may.
async fn neighbours() {
    let hostile = [("spins", SPIN.to_owned()), ("takes 64 MiB and crashes", format!("{GROW} (unreachable)"))];
    for (name, body) in hostile {
        let plugins = [("calculator", shipped("calculator")), ("it", guest(&body))];
        let ground = Arc::new(Ground::ready(&plugins, "[defaults.limits]\nmemory = '64MiB'\n").await);
        times(&ground).await;
        let mut alone = times(&ground).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut calls = JoinSet::new();
        for _ in 0..policy::limits::AT_ONCE {
            let (ground, stop) = (ground.clone(), stop.clone());
            calls.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    ground.call("it", "act", "{}").await;
                }
            });
        }
        let mut beside = times(&ground).await;
        stop.store(true, Ordering::Relaxed);
        calls.shutdown().await;
        let mut after = times(&ground).await;
        println!(
            "a neighbour, {CLIENTS} clients: p50 {:.0} us, p99 {:.0} us alone; p50 {:.0} us, p99 {:.0} us while another plugin {name}, {} at once; p99 {:.0} us alone again",
            quantile(&mut alone, 50),
            quantile(&mut alone, 99),
            quantile(&mut beside, 50),
            quantile(&mut beside, 99),
            policy::limits::AT_ONCE,
            quantile(&mut after, 99),
        );
    }
}

/// Microseconds of each of the neighbour's calls in a span of time.
async fn times(ground: &Arc<Ground>) -> Vec<f64> {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let ground = ground.clone();
        clients.spawn(async move {
            let (began, mut times) = (Instant::now(), Vec::new());
            while began.elapsed() < SPAN && times.len() < 10 * CALLS as usize {
                let call = Instant::now();
                assert!(ground.call("calculator", "calculate", INPUT).await.end.is_done());
                times.push(call.elapsed().as_secs_f64() * 1e6);
            }
            times
        });
    }
    clients.join_all().await.concat()
}

/// How soon a bomb is refused that counting finds, and what a neighbour notices of one that it does not find.
async fn bombs() {
    let mut text = String::from("(component $c0)");
    for level in 1..15 {
        let instances = format!("(instance (instantiate $c{}))", level - 1).repeat(4);
        text = format!("(component $c{level} {text} {instances})");
    }
    let counted = wat::parse_str(text).expect("the text is well formed");
    let mut spans = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        let ground = Ground::open(&[], "");
        let opened = began.elapsed();
        drop(ground);
        let began = Instant::now();
        let ground = Ground::open(&[("bomb", counted.clone())], "");
        while !matches!(state(&ground, "bomb"), Some(PluginState::Refused(_))) {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        spans.push((began.elapsed().saturating_sub(opened)).as_secs_f64() * 1e3);
    }
    println!("a bomb of {} bytes that counting finds: refused after {:.1} ms (median of 20)", counted.len(), quantile(&mut spans, 50));

    let ground = Arc::new(Ground::ready(&[("calculator", shipped("calculator"))], "").await);
    times(&ground).await;
    let mut alone = times(&ground).await;
    ground.add("bomb", &heavy(20_000, 300));
    let began = Instant::now();
    while state(&ground, "bomb").is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut beside = times(&ground).await;
    let still = state(&ground, "bomb") == Some(PluginState::Preparing);
    println!(
        "while a bomb compiles: a neighbour's p50 {:.0} us, p99 {:.0} us; alone {:.0} and {:.0} us (compiling went on for all of it: {still})",
        quantile(&mut beside, 50),
        quantile(&mut beside, 99),
        quantile(&mut alone, 50),
        quantile(&mut alone, 99)
    );
    ground.sandbox.wait_ready().await;
    println!("the bomb ended after {:.1} s as {:?}", began.elapsed().as_secs_f64(), state(&ground, "bomb"));
}

fn state(ground: &Ground, plugin: &str) -> Option<PluginState> {
    ground.sandbox.plugins().into_iter().find(|status| status.name == plugin).map(|status| status.state)
}

fn quantile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// Of this process.
fn resident_mib() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second number is the resident pages");
    pages * 4096.0 / (1 << 20) as f64
}
