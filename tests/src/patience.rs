//! Waiting for what happens by itself. A bound ends a test that would wait for
//! ever; it says nothing about speed, and is longer than anything takes on a busy machine.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take. The slowest of it is compiling all bundled plugins.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(20);

/// Polls until something holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !holds().await? {
        if Instant::now() > end {
            bail!("it never happened that {what}");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
