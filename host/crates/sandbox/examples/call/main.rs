//! What the sandbox costs: calls of the shipped calculator through
//! [`tool::Toolbox`] against the same component instantiated bare from a tuned
//! engine, in one run. With the argument `wall`: what hostile guests cost the others.
//! `cargo run --release -p sandbox --example call [wall]`

mod bare;
mod ground;
#[path = "../../tests/it/guests.rs"]
#[expect(dead_code, reason = "written for the tests, which use more of it")]
mod guests;
mod wall;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use bare::Bare;
use ground::{Ground, shipped};

const ROUNDS: usize = 5;
const CALLS: u32 = 2_000;
const INPUT: &str = r#"{"expression": "1 + 2"}"#;

fn main() -> ExitCode {
    if let Some(code) = sandbox::child::main(std::env::args_os()) {
        return code;
    }
    match std::env::args().nth(1).as_deref() {
        Some("wall") => wall::measure(),
        _ => compare(),
    }
    ExitCode::SUCCESS
}

#[tokio::main(flavor = "current_thread")]
async fn compare() {
    let bytes = shipped("calculator");
    let bare = Bare::new(&bytes);
    let ground = Ground::ready(&[("calculator", bytes)], "").await;
    let (mut least_bare, mut least_hooked, mut least) = (Cost::MAX, Cost::MAX, Cost::MAX);
    for _ in 0..ROUNDS {
        least_bare = least_bare.min(measure(async || bare.call(false).await).await);
        least_hooked = least_hooked.min(measure(async || bare.call(true).await).await);
        let cost = measure(async || assert!(ground.call("calculator", "calculate", INPUT).await.end.is_done())).await;
        least = least.min(cost);
    }
    println!("bare tuned instance and call: {:.1} us wall, {:.1} us cpu", least_bare.wall, least_bare.cpu);
    println!("the same, crossings counted:  {:.1} us wall, {:.1} us cpu", least_hooked.wall, least_hooked.cpu);
    println!("through the sandbox:          {:.1} us wall, {:.1} us cpu", least.wall, least.cpu);
    println!(
        "ratio: {:.2} wall, {:.2} cpu (least of {ROUNDS} rounds of {CALLS} calls)",
        least.wall / least_bare.wall,
        least.cpu / least_bare.cpu
    );
}

/// Microseconds for one call.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

impl Cost {
    const MAX: Self = Self { wall: f64::MAX, cpu: f64::MAX };

    fn min(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), cpu: self.cpu.min(other.cpu) }
    }
}

async fn measure(mut call: impl AsyncFnMut()) -> Cost {
    let (began, cpu) = (Instant::now(), process_cpu());
    for _ in 0..CALLS {
        call().await;
    }
    let each = |span: Duration| span.as_secs_f64() * 1e6 / f64::from(CALLS);
    Cost { wall: each(began.elapsed()), cpu: each(process_cpu().saturating_sub(cpu)) }
}

fn process_cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
