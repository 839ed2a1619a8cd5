//! Watches the operator's file. What it allows takes effect within seconds, as a
//! whole; a file with a mistake changes nothing, and is reported until it is mended.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use notify_debouncer_full::notify::event::{AccessKind, AccessMode};
use notify_debouncer_full::notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::mpsc;

use crate::config::{Complaint, Complaints, Settings, Sources, read};
use crate::host::Host;
use crate::leases::Leases;
use crate::open;

/// Editors write a file in several steps.
const SETTLE: Duration = Duration::from_millis(300);

/// How often the file is looked at where nothing is heard of it: a network's file system tells of nobody else's changes.
const LOOK: Duration = Duration::from_secs(30);

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
pub(crate) fn watch(settings: &Settings, reload: Reload) -> anyhow::Result<Watch> {
    let Some(file) = settings.file.clone() else { return Ok(Watch(None)) };
    // One place is enough: whoever finds it taken is heard by the look that is still to come.
    let (changed, changes) = mpsc::channel(1);
    // The first look is for what changed between the start and the watch.
    let _ = changed.try_send(());
    let on_event = move |result: DebounceEventResult| {
        if !result.is_ok_and(|events| events.iter().all(|event| is_a_look(&event.kind))) {
            let _ = changed.try_send(());
        }
    };
    let mut debouncer = new_debouncer(SETTLE, None, on_event).context("cannot watch the configuration file")?;
    // The directory, because editors and clusters replace the file instead of writing into it.
    let directory = file.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
    debouncer.watch(&directory, RecursiveMode::NonRecursive).with_context(|| format!("cannot watch {}", directory.display()))?;
    tokio::spawn(follow(settings.clone(), file, reload, changes));
    Ok(Watch(Some(debouncer)))
}

async fn follow(mut current: Settings, file: PathBuf, reload: Reload, mut changes: mpsc::Receiver<()>) {
    let mut seen = Ok(current.text.clone());
    // Somebody says that there is something to see, or it is time to look all the same.
    while tokio::time::timeout(LOOK, changes.recv()).await != Ok(None) {
        let text = rested(&file).await;
        // Other files of the directory change as well.
        if text == seen {
            continue;
        }
        seen = text.clone();
        match text.map_err(Complaints::from).and_then(|text| taken(&reload, &file, &text)) {
            Ok(settings) => {
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

/// The text of a file that nobody is writing any more: what is half written is not what is meant.
async fn rested(file: &Path) -> Result<String, Complaint> {
    let stamp = || std::fs::metadata(file).and_then(|about| Ok((about.modified()?, about.len()))).ok();
    let mut before = None;
    loop {
        let (now, text) = (stamp(), read(file));
        let is_old = now.is_some_and(|(modified, _)| modified.elapsed().is_ok_and(|age| age >= SETTLE));
        if (is_old || before == Some(now)) && stamp() == now {
            return text;
        }
        before = Some(now);
        tokio::time::sleep(SETTLE).await;
    }
}

/// Layers and checks everything anew, and puts the policy in force.
fn taken(reload: &Reload, file: &Path, text: &str) -> Result<Settings, Complaints> {
    let settings = reload.sources.layered(Some(file.to_owned()), text)?;
    match open::allowed(&settings) {
        Ok(policy) => reload.leases.file_changed(policy),
        Err(error) => {
            return Err(error.downcast::<Complaints>().unwrap_or_else(|error| Complaint::new("configuration", error.to_string()).into()));
        }
    }
    Ok(settings)
}

/// Whether an event is nothing but somebody reading, as we do ourselves.
fn is_a_look(kind: &EventKind) -> bool {
    kind.is_access() && *kind != EventKind::Access(AccessKind::Close(AccessMode::Write))
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
        assert_eq!(text.as_deref(), Ok("all of it"));
        std::fs::remove_file(&file).unwrap();
        assert!(rested(&file).await.is_err());
    }
}
