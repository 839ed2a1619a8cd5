//! How far something long is: a bar on a terminal, silence or a log line otherwise.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use sandbox::Progress;

/// A bar for the components that have to be compiled, if standard error is a terminal.
pub(crate) fn compiling() -> Option<Arc<dyn Fn(Progress) + Send + Sync>> {
    let bar = Bar::new("compiling tools  [{bar:30}] {pos}/{len}  {msg}")?;
    Some(Arc::new(move |progress: Progress| bar.show(progress.done as u64, progress.total as u64, &progress.plugin)))
}

/// A bar for the check of the store after an unclean stop. It shows only if there is one.
pub(crate) fn checking() -> Arc<dyn Fn(f64) + Send + Sync> {
    let bar = Bar::new("checking the store after an unclean stop  [{bar:30}] {percent}%");
    Arc::new(move |share: f64| match &bar {
        Some(bar) => bar.show((share * 100.0) as u64, 100, ""),
        None => tracing::info!(share, "checking the store after an unclean stop"),
    })
}

/// A bar that is drawn from the first sign of work until its end.
struct Bar {
    style: ProgressStyle,
    drawn: Mutex<Option<ProgressBar>>,
}

impl Bar {
    /// None where nobody would see it.
    fn new(template: &str) -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let style = ProgressStyle::with_template(template).ok()?.progress_chars("=> ");
        Some(Self { style, drawn: Mutex::new(None) })
    }

    fn show(&self, done: u64, total: u64, what: &str) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if done >= total {
            if let Some(bar) = drawn.take() {
                bar.finish_and_clear();
            }
            return;
        }
        let bar = drawn.get_or_insert_with(|| ProgressBar::new(total).with_style(self.style.clone()));
        bar.set_message(what.to_owned());
        bar.set_position(done);
        bar.tick();
    }
}
