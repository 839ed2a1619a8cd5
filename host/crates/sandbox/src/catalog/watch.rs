//! When to look at the plugin directory again: soon after something happens in
//! it, and now and then in any case, because notices get lost on some file systems.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};

/// How long the directory has to be quiet before it is looked at.
const QUIET: Duration = Duration::from_millis(150);

/// How long after a look that met a file still being written.
const SOON: Duration = Duration::from_millis(200);

/// How often it is looked at without any notice.
const RESCAN: Duration = Duration::from_secs(30);

/// The system's notices about the directory. Ends with this value.
pub(crate) struct Watch {
    _debouncer: Option<Debouncer<notify::RecommendedWatcher, NoCache>>,
    wake: mpsc::Sender<()>,
}

impl Watch {
    /// Begins to watch. Where the system cannot, slow looks have to do.
    pub(crate) fn start(directory: &Path) -> (Self, Notices) {
        let (wake, events) = mpsc::channel();
        let notices = wake.clone();
        let on_events = move |result: DebounceEventResult| {
            let read_only = result.is_ok_and(|events| events.iter().all(|event| event.kind.is_access()));
            if !read_only {
                let _ = notices.send(());
            }
        };
        let config = notify::Config::default();
        let debouncer = new_debouncer_opt(QUIET, None, on_events, NoCache, config).and_then(|mut debouncer| {
            debouncer.watch(directory, RecursiveMode::Recursive)?;
            Ok(debouncer)
        });
        let debouncer = debouncer.inspect_err(|error| {
            let seconds = RESCAN.as_secs();
            tracing::warn!("cannot watch {}, it is looked at every {seconds} s: {error}", directory.display());
        });
        (Self { _debouncer: debouncer.ok(), wake }, Notices { events, came: false, rescan: RESCAN })
    }

    /// Has the directory looked at now.
    pub(crate) fn wake(&self) {
        let _ = self.wake.send(());
    }
}

/// The waiting side.
pub(crate) struct Notices {
    events: mpsc::Receiver<()>,
    /// One came that no look has answered yet.
    came: bool,
    rescan: Duration,
}

impl Notices {
    /// Waits until it is time for the next look; false once nobody watches any more.
    pub(super) fn wait(&mut self, unsure: bool) -> bool {
        if !std::mem::take(&mut self.came) {
            match self.events.recv_timeout(if unsure { SOON } else { self.rescan }) {
                Ok(()) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            }
        }
        // One look answers all notices so far.
        while self.events.try_recv().is_ok() {}
        true
    }

    /// Whether something happened since the last look.
    pub(super) fn came(&mut self) -> bool {
        self.came |= self.events.try_recv().is_ok();
        self.came
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_notice_the_directory_is_looked_at_all_the_same() {
        let (wake, events) = mpsc::channel();
        let mut notices = Notices { events, came: false, rescan: Duration::from_millis(5) };
        assert!(notices.wait(false));
        drop(wake);
        assert!(!notices.wait(false), "nobody watches any more");
    }

    #[test]
    fn one_look_answers_all_notices_so_far() {
        let (wake, events) = mpsc::channel();
        let mut notices = Notices { events, came: false, rescan: Duration::from_secs(3_600) };
        for _ in 0..5 {
            wake.send(()).unwrap();
        }
        assert!(notices.came());
        assert!(notices.wait(false));
        assert!(!notices.came());
    }
}
