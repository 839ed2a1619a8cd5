//! Watching a project's sources: what a build makes of them is no change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::mpsc;

/// Editors write a file in several steps, and some save many files at once.
const SETTLE: Duration = Duration::from_millis(60);

/// Folders that builds and tools fill, at any depth. Hidden ones are left out as well.
const MADE: [&str; 6] = ["target", "dist", "node_modules", "__pycache__", "venv", "recordings"];

/// Files that are looked at; a project with more is watched as far as this.
const FILES_MAX: usize = 20_000;

/// A project's files as they were seen last.
pub(super) struct Watch {
    root: PathBuf,
    seen: BTreeMap<PathBuf, (u64, Option<SystemTime>)>,
    watched: Vec<PathBuf>,
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
    news: mpsc::Receiver<()>,
}

impl Watch {
    /// From now on changes are seen.
    pub(super) fn of(root: &Path) -> anyhow::Result<Self> {
        // One place is enough: whoever finds it taken is heard by the look that is still to come.
        let (changed, news) = mpsc::channel(1);
        let on_event = move |_: DebounceEventResult| {
            let _ = changed.try_send(());
        };
        let debouncer = new_debouncer(SETTLE, None, on_event).context("cannot watch files")?;
        let mut watch = Self { root: root.to_owned(), seen: BTreeMap::new(), watched: Vec::new(), debouncer, news };
        watch.look()?;
        Ok(watch)
    }

    /// Waits until a source is another than it was: its path in the project. Fails once the project's folder is gone.
    pub(super) async fn changed(&mut self) -> anyhow::Result<String> {
        loop {
            if self.news.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            if let Some(path) = self.look()? {
                return Ok(path.strip_prefix(&self.root).unwrap_or(&path).display().to_string());
            }
        }
    }

    /// Looks at every source, and watches the folders that are new. Answers one that changed.
    fn look(&mut self) -> anyhow::Result<Option<PathBuf>> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![self.root.clone()]);
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            // Watched before it is read, so that nothing is written in between unseen.
            if !self.watched.contains(&folder) {
                match self.debouncer.watch(&folder, RecursiveMode::NonRecursive) {
                    Ok(()) => self.watched.push(folder.clone()),
                    // Reading it tells.
                    Err(_) if !folder.exists() => {}
                    Err(error) => return Err(error).with_context(|| format!("cannot watch {}", folder.display())),
                }
            }
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if folder == self.root => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
                // It was there a moment ago; its files count as gone.
                Err(_) => continue,
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let Ok(metadata) = entry.metadata() else { continue };
                if name.starts_with('.') || MADE.contains(&&*name) {
                    continue;
                }
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else if metadata.is_file() && files.len() < FILES_MAX {
                    files.insert(entry.path(), (metadata.len(), metadata.modified().ok()));
                }
            }
        }
        // A folder that went and came back is watched anew.
        self.watched.retain(|folder| folders.contains(folder));
        let changed = files.iter().find(|(path, stamp)| self.seen.get(*path) != Some(stamp)).map(|(path, _)| path.clone());
        let gone = self.seen.keys().find(|path| !files.contains_key(*path)).cloned();
        self.seen = files;
        Ok(changed.or(gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn sources_are_seen_to_change_and_what_is_made_of_them_is_not() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        fs::create_dir_all(at("src")).unwrap();
        fs::create_dir_all(at("target/deep")).unwrap();
        fs::write(at("src/a.py"), "1").unwrap();
        let mut watch = Watch::of(place.path()).unwrap();
        assert_eq!(watch.look().unwrap(), None);
        fs::write(at("target/deep/made"), "x").unwrap();
        fs::write(at("src/a.py"), "12").unwrap();
        assert_eq!(watch.changed().await.unwrap(), "src/a.py");
        // A folder that came later is watched too.
        fs::create_dir_all(at("src/more")).unwrap();
        fs::write(at("src/more/b.py"), "1").unwrap();
        assert_eq!(watch.changed().await.unwrap(), "src/more/b.py");
        fs::write(at("src/more/b.py"), "12").unwrap();
        assert_eq!(watch.changed().await.unwrap(), "src/more/b.py");
        fs::remove_file(at("src/a.py")).unwrap();
        assert_eq!(watch.changed().await.unwrap(), "src/a.py");
        fs::remove_dir_all(at("src/more")).unwrap();
        assert_eq!(watch.changed().await.unwrap(), "src/more/b.py");
        fs::create_dir_all(at("src/more")).unwrap();
        fs::write(at("src/more/b.py"), "back").unwrap();
        assert_eq!(watch.changed().await.unwrap(), "src/more/b.py");
        let root = place.path().to_owned();
        drop(place);
        let gone = loop {
            match watch.changed().await {
                // The files go one by one, and the folder last.
                Ok(_) => {}
                Err(error) => break error.to_string(),
            }
        };
        assert!(gone.contains(&root.display().to_string()), "{gone}");
    }
}
