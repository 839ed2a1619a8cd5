//! How long a directory full of plugins takes to start, and what it occupies:
//! `cargo run --release -p sandbox --example start -- 1000` for small guests,
//! with a component's file as a second argument for copies of that one. Each
//! copy has a digest of its own, so nothing is shared between them.

#[path = "../tests/it/guests.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod guests;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use sandbox::{Options, SLOTS, Sandbox};
use tool::{PluginState, Toolbox};

fn main() -> ExitCode {
    if let Some(code) = sandbox::child::main(std::env::args_os()) {
        return code;
    }
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(100);
    let component = match arguments.next() {
        Some(path) => std::fs::read(&path).expect("the component can be read"),
        None => guests::guest("(call $ok)"),
    };
    let place = tempfile::tempdir().expect("a directory for the plugins");
    fill(&place.path().join("plugins"), &component, count);
    println!("{count} plugins of {} bytes", component.len());
    for round in ["first start", "next start"] {
        let began = Instant::now();
        let sandbox = open(place.path());
        while !sandbox.ready() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let ready = sandbox.plugins().iter().filter(|plugin| plugin.state == PluginState::Ready).count();
        println!("{round}: {ready} ready after {:.2} s, resident {}", began.elapsed().as_secs_f64(), resident());
    }
    ExitCode::SUCCESS
}

/// Copies that differ in one custom section at the end.
fn fill(directory: &Path, component: &[u8], count: usize) {
    std::fs::create_dir_all(directory).expect("the directory is new");
    for n in 0..count {
        let name = format!("{n:08}");
        let section = [&[0, 11, 1, b'n'][..], name.as_bytes(), b"x"].concat();
        std::fs::write(directory.join(format!("p{n}.wasm")), [component, &section].concat()).expect("the directory is ours");
    }
}

fn open(place: &Path) -> Arc<Sandbox> {
    let options = Options {
        plugins: place.join("plugins"),
        cache: place.join("cache"),
        compiled_bytes_max: u64::MAX,
        data: place.join("data"),
        policy: Arc::new(ArcSwap::from_pointee(policy::Policy::default())),
        child: std::env::current_exe().expect("this program has a file"),
        compiling: sandbox::confine::Bounds::default(),
        slots: SLOTS,
        on_progress: None,
    };
    Sandbox::open(options).expect("the sandbox opens")
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("unknown").trim().to_owned()
}
