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
        let denial = Denial { why: self.mask.text(why), toml: self.mask.text(toml), flags: flags(toml, &self.mask) };
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        if denials.len() < DENIALS_MAX && !denials.contains(&denial) {
            denials.push(denial);
        }
    }
}

/// The lines of an operator's file as flags of the command line. A secret that is injected has none.
/// Much of them is the guest's to choose: it must neither show a secret nor write a command.
fn flags(toml: &str, mask: &Mask) -> Vec<String> {
    let Ok(file) = PolicyFile::parse(toml) else { return Vec::new() };
    let grants = file.plugin.values().flat_map(policy::file::PluginFile::words).map(|mut words| {
        if words.first().is_some_and(|word| word == "files") {
            words.insert(3, "as".to_owned());
        }
        let words: Vec<String> = words.iter().map(|word| mask.text(word)).collect();
        format!("--grant {}", quoted(&policy::words::join(&words)))
    });
    grants.chain(file.network.private.iter().map(|range| format!("--network {}", quoted(range)))).collect()
}

/// One word of a shell's command line, whatever is in it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | ',' | '=');
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_no_denial_and_in_none_of_the_words_that_allow_it() {
        let live = Live::new(false, Mask::new([("key".to_owned(), "example.com/hush".to_owned())]));
        let toml = "[[plugin.it.http]]\nhost = \"example.com\"\nmethods = [\"GET\"]\npaths = [\"/hush\", \"/example.com/hush\"]\n";
        live.sign(Sign::Denied { why: "GET https://example.com/hush is not granted", toml });
        let denial = live.denials().pop().expect("it was denied");
        assert_eq!(denial.why, "GET https://recorded-secret-key is not granted");
        assert!(denial.toml.contains("/recorded-secret-key\""), "{}", denial.toml);
        let flag = |url: &str| format!("--grant 'http GET {url}'");
        assert_eq!(denial.flags, [flag("https://recorded-secret-key"), flag("https://example.com/recorded-secret-key")]);
    }

    #[test]
    fn the_words_that_allow_it_are_words_to_a_shell_whatever_the_guest_asked_for() {
        let path = "/a';touch${IFS}/tmp/x;'b";
        let toml = format!("[[plugin.it.http]]\nhost = \"a.example\"\nmethods = [\"GET\"]\npaths = [\"{path}\"]\n");
        let [flag] = &flags(&toml, &Mask::default())[..] else { panic!("one rule is one flag") };
        let echoed = std::process::Command::new("sh").arg("-c").arg(format!("printf '<%s>' {flag}")).output().expect("there is a shell");
        let echoed = String::from_utf8_lossy(&echoed.stdout).into_owned();
        let words = echoed.strip_prefix("<--grant><").and_then(|rest| rest.strip_suffix('>')).expect("they are two words");
        assert_eq!(policy::words::split(words).expect("it is a grant"), ["http", "GET", &format!("https://a.example{path}")], "{flag}");
        assert_eq!((&*quoted("127.0.0.1/32"), &*quoted("a b"), &*quoted("")), ("127.0.0.1/32", "'a b'", "''"));
    }
}
