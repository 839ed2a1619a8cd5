//! The end: the first signal asks the server to stop, the second one ends it at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code after a second signal, as shells count an interrupt.
const INTERRUPTED: i32 = 130;

/// Cancels `stop` at the first SIGTERM or SIGINT, and ends the process at the second.
pub(crate) fn listen(stop: CancellationToken) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for times in 0.. {
            tokio::select! {
                Some(()) = terminate.recv() => {}
                Some(()) = interrupt.recv() => {}
                else => return,
            }
            if times > 0 {
                // Nothing is lost: what was acknowledged is durable, and unfinished turns go on at the next start.
                tracing::warn!("ending at once");
                std::process::exit(INTERRUPTED);
            }
            tracing::info!("stopping: open turns may end; a second signal ends at once");
            stop.cancel();
        }
    });
    Ok(())
}
