//! What the operating system says about the server's process.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use tests::server::Server;

use crate::ms;

/// Clock ticks a second in `/proc`, the value of every Linux on x86-64 and aarch64 (proc(5), `sysconf(_SC_CLK_TCK)`).
const TICKS: f64 = 100.0;

/// Processor time that the process has used, user and system, in seconds.
pub fn cpu(server: &Server) -> Result<f64> {
    let pid = server.pid().context("the server has ended")?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(") ").context("no name in stat")?.1.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / TICKS)
}

/// Resident memory in bytes.
pub fn resident(server: &Server) -> Result<f64> {
    let pid = server.pid().context("the server has ended")?;
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: f64 = statm.split(' ').nth(1).context("no resident size")?.parse()?;
    Ok(pages * 4096.0)
}

/// The median time of one small durable write in this directory, in milliseconds.
pub fn commit_ms(home: &Path) -> Result<f64> {
    let mut file = std::fs::File::create(home.join("commit.bench"))?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(ms(began.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
