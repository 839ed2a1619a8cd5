//! Watches the operator's file. What it allows takes effect within seconds, as a
//! whole; a file with a mistake changes nothing, and is reported until it is mended.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::mpsc;

use crate::config::{Complaint, Complaints, Settings, Sources};
use crate::host::Host;
use crate::leases::Leases;
use crate::open;

/// Editors write a file in several steps.
const SETTLE: Duration = Duration::from_millis(300);

/// The watch; it ends when it is dropped.
pub(crate) struct Watch(
    #[expect(dead_code, reason = "held for its threads alone")] Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
);

/// What a new file changes.
pub(crate) struct Reload {
    /// From where the configuration comes.
    pub(crate) sources: Sources,
    /// The policy in force.
    pub(crate) leases: Arc<Leases>,
    /// Who is told.
    pub(crate) host: Arc<Host>,
}

/// Watches the file of these settings, if they have one.
pub(crate) fn watch(settings: &Settings, mut reload: Reload) -> anyhow::Result<Watch> {
    let Some(file) = settings.file.clone() else { return Ok(Watch(None)) };
    // The file of the start, named: one that vanishes is missed, and not taken for a wish to have none.
    reload.sources.flags.config = Some(file.clone());
    // One place is enough: whoever finds it taken is heard by the look that is still to come.
    let (changed, changes) = mpsc::channel(1);
    // The first look is for what changed between the start and the watch.
    let _ = changed.try_send(());
    let on_event = move |result: DebounceEventResult| {
        // To look at the file is an event as well.
        let read_only = result.is_ok_and(|events| events.iter().all(|event| event.kind.is_access()));
        if !read_only {
            let _ = changed.try_send(());
        }
    };
    let mut debouncer = new_debouncer(SETTLE, None, on_event).context("cannot watch the configuration file")?;
    // The directory, because editors and clusters replace the file instead of writing into it.
    let directory = file.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
    debouncer.watch(&directory, RecursiveMode::NonRecursive).with_context(|| format!("cannot watch {}", directory.display()))?;
    tokio::spawn(follow(settings.clone(), reload, changes));
    Ok(Watch(Some(debouncer)))
}

async fn follow(mut current: Settings, reload: Reload, mut changes: mpsc::Receiver<()>) {
    let mut seen = current.text.clone();
    while changes.recv().await.is_some() {
        let text = match &current.file {
            Some(file) => rested(file).await,
            None => None,
        };
        match text {
            // Other files of the directory change as well.
            Some(text) if text == seen => continue,
            Some(text) => seen = text,
            None => seen.clear(),
        }
        match taken(&reload, &seen) {
            Ok(None) => seen.clone_from(&current.text),
            Ok(Some(settings)) => {
                reload.leases.record(audit::Source::File).await;
                tell_what_waits(&current, &settings);
                tracing::info!("the configuration file was read again and is in force");
                current = settings;
                reload.host.taken(current.clone());
            }
            Err(complaints) => {
                tracing::error!("the changed configuration file is refused and the last good one stays in force: {complaints}");
                reload.host.refused(complaints);
            }
        }
    }
}

/// The text of a file that nobody is writing any more: what is half written is not what is meant. None where there is no file.
async fn rested(file: &Path) -> Option<String> {
    let stamp = || std::fs::metadata(file).and_then(|about| Ok((about.modified()?, about.len()))).ok();
    let mut before = None;
    loop {
        let (now, text) = (stamp(), std::fs::read_to_string(file).ok());
        let is_old = now.is_some_and(|(modified, _)| modified.elapsed().is_ok_and(|age| age >= SETTLE));
        if (is_old || before == Some(now)) && stamp() == now {
            return text;
        }
        before = Some(now);
        tokio::time::sleep(SETTLE).await;
    }
}

/// Reads everything again and puts the policy in force; none where the text is another one already: a look at that follows.
fn taken(reload: &Reload, text: &str) -> Result<Option<Settings>, Complaints> {
    let settings = reload.sources.load()?;
    if settings.text != text {
        return Ok(None);
    }
    match open::allowed(&settings) {
        Ok(policy) => reload.leases.file_changed(policy),
        Err(error) => {
            return Err(error.downcast::<Complaints>().unwrap_or_else(|error| Complaint::new("configuration", error.to_string()).into()));
        }
    }
    Ok(Some(settings))
}

fn tell_what_waits(before: &Settings, after: &Settings) {
    let differs = before.listen != after.listen
        || before.data != after.data
        || before.plugins != after.plugins
        || before.models != after.models
        || before.server != after.server
        || before.log != after.log;
    if differs {
        tracing::warn!(
            "some of the changed settings take effect at the next start: only [defaults], [network], [secrets] and [plugin] are taken while running"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[tokio::test]
    async fn a_file_that_is_being_written_is_read_when_that_is_over() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("wardian.toml");
        std::fs::write(&file, "half").unwrap();
        // However long this test is held up, the file was never written long ago.
        let later = SystemTime::now() + Duration::from_secs(3_600);
        std::fs::File::options().append(true).open(&file).unwrap().set_modified(later).unwrap();
        let writing = async {
            tokio::task::yield_now().await;
            std::fs::write(&file, "all of it").unwrap();
        };
        let (text, ()) = tokio::join!(rested(&file), writing);
        assert_eq!(text.as_deref(), Some("all of it"));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(rested(&file).await, None);
    }
}
