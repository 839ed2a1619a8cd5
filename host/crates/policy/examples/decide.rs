//! What one decision about a request costs, with 1, 10, 100 and 1,000 rules:
//! `cargo run --release -p policy --example decide`. The last rule is the one
//! that allows it; every rule is looked at, as always.

use std::hint::black_box;
use std::path::Path;

use policy::file::PolicyFile;
use policy::{HttpRequest, Policy, Scheme, Who};

/// Decisions in one round.
const DECISIONS: u32 = 20_000;
/// Rounds; the median of them is told.
const ROUNDS: usize = 9;

fn main() {
    println!("rules   allowed   denied   (ns of processor time a decision, median of {ROUNDS} rounds of {DECISIONS})");
    for rules in [1, 10, 100, 1_000] {
        let policy = policy(rules);
        let last = format!("api{}.example.com", rules - 1);
        let request = HttpRequest { method: "GET", scheme: Scheme::Https, host: &last, port: 443, path: "/v2/items/4711" };
        let allowed = measure(&policy, &request);
        let denied = measure(&policy, &HttpRequest { host: "elsewhere.example", ..request });
        println!("{rules:5}   {allowed:7.0}   {denied:6.0}");
    }
}

fn policy(rules: usize) -> Policy {
    let entry =
        |number| format!("[[plugin.p.http]]\nhost = 'api{number}.example.com'\nmethods = ['GET', 'POST']\npaths = ['/v1/*', '/v2/*']\n");
    let text: String = (0..rules).map(entry).collect();
    let file = PolicyFile::parse(&text).expect("the text is a policy");
    Policy::build(&file, Path::new("/"), &[]).expect("nothing is wrong with it")
}

fn measure(policy: &Policy, request: &HttpRequest<'_>) -> f64 {
    let who = Who { plugin: "p", digest: None, tenant: "default", agent: "assistant" };
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = on_cpu_ns();
            for _ in 0..DECISIONS {
                let _ = black_box(policy.http(black_box(&who), black_box(request)));
            }
            (on_cpu_ns() - began) / f64::from(DECISIONS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// What this thread has computed so far: neighbours on the machine do not count.
fn on_cpu_ns() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells how long a thread ran");
    text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("the first number is nanoseconds")
}
