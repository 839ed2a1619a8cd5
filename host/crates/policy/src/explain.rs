//! Why something is allowed or not, for people: the answer of [`Policy::decide`]
//! with the lines beside it. Decides nothing by itself.

use serde::Serialize;

use crate::capabilities::Permit;
use crate::denied::Layer;
use crate::grant::{Approve, Approver};
use crate::host::Host;
use crate::snapshot::{Policy, Who};
use crate::units::Bytes;
use crate::words::Question;

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether it is allowed.
    pub allowed: bool,
    /// What was asked.
    pub question: String,
    /// The line that allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The path of that line in the file, or the lease it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Which layer refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// The refusal, as it would stand in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The lines that would allow it; empty where none would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toml: Option<String>,
    /// What else will matter.
    pub notes: Vec<String>,
}

impl Policy {
    /// Answers a question with the very decision that a call of the plugin would meet.
    pub fn explain(&self, who: &Who<'_>, question: &Question) -> Explanation {
        let mount = self.mount_of(who, question);
        let answer = |allowed| Explanation {
            allowed,
            question: question.text(),
            rule: None,
            key: None,
            layer: None,
            refusal: None,
            toml: None,
            notes: Vec::new(),
        };
        match self.decide(who, &question.capability(&mount)) {
            Ok(permit) => {
                let notes = self.notes(who, &permit);
                Explanation { rule: Some(permit.rule().to_owned()), key: Some(permit.key()), notes, ..answer(true) }
            }
            Err(denied) => {
                let refusal = Some(denied.to_string());
                Explanation { layer: Some(denied.layer), refusal, toml: Some(denied.toml), ..answer(false) }
            }
        }
    }

    /// The granted directory that a path is in, else the name that it begins with.
    fn mount_of(&self, who: &Who<'_>, question: &Question) -> String {
        let Question::File { path, .. } = question else { return String::new() };
        let path = path.trim_start_matches('/');
        let inside = |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let granted = self.mounts(who).into_iter().map(|permit| permit.guest).find(|name| inside(name));
        granted.unwrap_or_else(|| path.split('/').next().unwrap_or_default().to_owned())
    }

    fn notes(&self, who: &Who<'_>, permit: &Permit) -> Vec<String> {
        match permit {
            Permit::Call(permit) => vec![self.approval(who, permit.approve, permit.approver)],
            Permit::Http(permit) => {
                let mut notes = vec![format!("a response may have {}", Bytes(permit.response_bytes_max))];
                notes.extend(permit.inject.iter().map(|inject| format!("secret {} goes into header {}", inject.secret, inject.header)));
                match &permit.host {
                    Host::Name(name) => notes.push(format!("every address of {name} still has to be one that [network] leaves open")),
                    Host::Address(_) => {}
                }
                notes.push(format!("at most {} redirects are followed, and each is decided again", self.floor().redirects));
                notes
            }
            Permit::File(permit) => {
                let quota = (permit.quota_bytes > 0).then(|| format!("all its files may have {} together", Bytes(permit.quota_bytes)));
                [format!("{} on this machine", permit.host.display())].into_iter().chain(quota).collect()
            }
            Permit::Secret(_) => Vec::new(),
            Permit::Config(permit) => {
                let names: Vec<&str> = permit.settings.keys().map(String::as_str).collect();
                vec![format!("settings: {}", names.join(", "))]
            }
            Permit::Store(permit) => vec![format!("keys and values may have {} together", Bytes(permit.quota_bytes))],
            Permit::Cache(permit) => vec![format!("all its files may have {} together", Bytes(permit.quota_bytes))],
        }
    }

    /// Who has to agree to a call.
    fn approval(&self, who: &Who<'_>, approve: Approve, approver: Approver) -> String {
        let person = match approver {
            Approver::Client => "whoever holds the conversation",
            Approver::Operator => "an operator",
        };
        match approve {
            Approve::Never => "nobody has to agree to it".to_owned(),
            Approve::Always => format!("{person} has to agree to each call"),
            Approve::Destructive => {
                let facts = self.plugin(who.plugin, who.digest).map(crate::Grant::facts).unwrap_or_default();
                let which = if facts.rule_out_read_only() {
                    "unless its tool is additive: with what is granted to the plugin no tool counts as read-only"
                } else {
                    "unless its tool is read-only or additive"
                };
                format!("{person} has to agree to each call, {which}")
            }
        }
    }
}
