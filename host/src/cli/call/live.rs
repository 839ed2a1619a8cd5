//! What an author sees of a call while it runs: decisions, requests, log lines and
//! progress, as they come. Denials are kept for the end, with the words that would allow them.

use std::sync::{Mutex, PoisonError};

use author::mask::Mask;
use policy::file::PolicyFile;
use tool::{CallSink, Sign};

use crate::cli::table::plain;

/// Distinct denials that are told at the end; a guest that tries every name there is tells no endless story.
const DENIALS_MAX: usize = 8;

/// Hears one call.
pub(super) struct Live {
    trace: bool,
    mask: Mask,
    denials: Mutex<Vec<Denial>>,
}

/// Something that was refused to the plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denial {
    /// What, why, and what would help in a server.
    pub(super) why: String,
    /// The lines of wardian.toml that would allow it.
    pub(super) toml: String,
    /// The flags that would allow it here.
    pub(super) flags: Vec<String>,
}

impl Live {
    pub(super) fn new(trace: bool, mask: Mask) -> Self {
        Self { trace, mask, denials: Mutex::default() }
    }

    /// What was refused, each thing once.
    pub(super) fn denials(&self) -> Vec<Denial> {
        self.denials.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, line: &str) {
        if self.trace {
            eprintln!("  {}", plain(&self.mask.text(line)));
        }
    }

    fn denied(&self, why: &str, toml: &str) {
        let denial = Denial { why: self.mask.text(why), toml: toml.to_owned(), flags: flags(toml) };
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        if denials.len() < DENIALS_MAX && !denials.contains(&denial) {
            denials.push(denial);
        }
    }
}

/// The lines of an operator's file as flags of the command line. A secret that is injected has none.
fn flags(toml: &str) -> Vec<String> {
    let Ok(file) = PolicyFile::parse(toml) else { return Vec::new() };
    let grants = file.plugin.values().flat_map(policy::file::PluginFile::words).map(|mut words| {
        if words.first().is_some_and(|word| word == "files") {
            words.insert(3, "as".to_owned());
        }
        format!("--grant '{}'", words.join(" "))
    });
    grants.chain(file.network.private.iter().map(|range| format!("--network {range}"))).collect()
}

#[async_trait::async_trait]
impl CallSink for Live {
    fn progress(&self, share: Option<f32>, note: &str) {
        let share = share.map_or_else(String::new, |share| format!("{:3.0} % ", share * 100.0));
        self.show(&format!("progress  {share}{note}"));
    }

    fn cancelled(&self) -> bool {
        false
    }

    async fn gone(&self) {
        // Whoever presses Ctrl-C ends the whole command.
        std::future::pending().await
    }

    fn listens(&self) -> bool {
        true
    }

    fn sign(&self, sign: Sign<'_>) {
        match sign {
            Sign::Line { level, text } => self.show(&format!("log       {level}: {text}")),
            Sign::Decided { capability: "call", .. } => {}
            Sign::Decided { capability, what, rule, allowed: true } => self.show(&format!("allowed   {capability} {what} by {rule}")),
            Sign::Decided { capability, what, rule, allowed: false } => self.show(&format!("denied    {capability} {what}: {rule}")),
            Sign::Denied { why, toml } => self.denied(why, toml),
            Sign::Request { method, url, outcome, took_us } => {
                let outcome = outcome.map_or_else(str::to_owned, |status| status.to_string());
                self.show(&format!("request   {method} {url} -> {outcome} in {:.1} ms", took_us as f64 / 1000.0));
            }
        }
    }
}
