//! The narrow grants of the shipped plugins, bound to the very bytes that were
//! shipped. The policy drops each as soon as the operator's file has an entry for
//! the plugin.

use std::path::Path;

use policy::file::{CacheFile, MountFile, PluginFile, StoreFile};
use policy::{Access, Approve, Builtin, Bytes, StoreScope};

use super::{all, digest};

/// The index of a large knowledge base is about half its size; this is enough for 100 MB of Markdown.
const KNOWLEDGE_CACHE: Bytes = Bytes(64 << 20);

/// Notes of one session: a few hundred pages.
const NOTES_STORE: Bytes = Bytes(1 << 20);

/// The grants, with the knowledge base in this directory.
pub(crate) fn grants(knowledge: &Path) -> Vec<Builtin> {
    let granted = all().iter().filter_map(|plugin| Some((plugin, grant(plugin.name, knowledge)?)));
    granted.map(|(plugin, file)| Builtin { plugin: plugin.name.to_owned(), digest: digest(plugin.component), file }).collect()
}

/// What one plugin gets. Those that only compute get nothing, and `web` gets no
/// host: which ones it may read is for the operator to say.
fn grant(name: &str, knowledge: &Path) -> Option<PluginFile> {
    match name {
        "knowledge" => Some(PluginFile {
            files: vec![MountFile {
                host: knowledge.to_string_lossy().into_owned(),
                guest: "knowledge".into(),
                access: Access::Read,
                quota: None,
            }],
            cache: Some(CacheFile { quota: Some(KNOWLEDGE_CACHE) }),
            ..PluginFile::default()
        }),
        // Approval is for what reaches beyond a conversation: a note can only replace another one of the same session.
        "notes" => Some(PluginFile {
            approve: Some(Approve::Never),
            store: Some(StoreFile { scope: StoreScope::Session, quota: Some(NOTES_STORE) }),
            ..PluginFile::default()
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::file::PolicyFile;
    use policy::{Capability, Policy, Who};

    fn builtin() -> Builtin {
        Builtin { plugin: "knowledge".into(), digest: "sha256:aa".into(), file: grant("knowledge", Path::new("/data/knowledge")).unwrap() }
    }

    fn may_read(policy: &Policy, digest: &str) -> bool {
        let who = Who { plugin: "knowledge", digest: Some(digest), tenant: "default", agent: "any" };
        policy.decide(&who, &Capability::File { mount: "knowledge", access: Access::Read }).is_ok()
    }

    #[test]
    fn a_grant_holds_for_the_shipped_bytes_only() {
        let policy = Policy::build(&PolicyFile::default(), Path::new("/"), &[builtin()]).unwrap();
        assert!(may_read(&policy, "sha256:aa"));
        assert!(!may_read(&policy, "sha256:bb"));
    }

    #[test]
    fn a_grant_yields_to_any_entry_of_the_operator() {
        let file = PolicyFile::parse("[plugin.knowledge]\napprove = 'never'\n").unwrap();
        let policy = Policy::build(&file, Path::new("/"), &[builtin()]).unwrap();
        assert!(!may_read(&policy, "sha256:aa"));
    }

    #[test]
    fn no_shipped_plugin_reaches_the_network() {
        for name in ["web", "calculator", "datetime", "json", "knowledge", "notes"] {
            assert!(grant(name, Path::new("/k")).is_none_or(|grant| grant.http.is_empty()), "{name}");
        }
    }
}
