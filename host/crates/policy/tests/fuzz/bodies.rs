//! Fuzz bodies: anything in, nothing out, no panic. Plain functions, so that a
//! fuzzer of any kind can call them.
#![expect(unreachable_pub, reason = "for a fuzzer's own crate")]

use std::path::Path;

use policy::file::PolicyFile;
use policy::{Access, Capability, HttpRequest, Lease, LeaseFile, Policy, Question, Request, Scheme, SecretUse, Who};

/// The text of an operator's file, or of a lease.
pub fn policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(file) = PolicyFile::parse(&text) {
        let policy = Policy::build(&file, Path::new("/srv"), &[]).unwrap_or_default();
        for name in file.plugin.keys() {
            ask(&policy, name, name);
            if let Some(grant) = policy.plugin(name, None) {
                let _ = (grant.phrases(), grant.facts());
            }
        }
        let _ = policy.warnings().iter().map(ToString::to_string).collect::<Vec<_>>();
    }
    if let Ok(grant) = serde_json::from_slice::<LeaseFile>(bytes) {
        let lease =
            Lease { id: "l".into(), plugin: "p".into(), tenant: None, agent: None, grant, from_ms: 0, until_ms: i64::MAX, by: "o".into() };
        let _ = Policy::default().check_lease(&lease);
        ask(&Policy::default().with_leases(&[lease], 1), "p", &text);
    }
}

/// The words of a question, and the same text in every place where a guest has a say.
pub fn question(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split(' ').collect();
    let grant = LeaseFile::parse(&words).unwrap_or_default();
    let lease =
        Lease { id: "l".into(), plugin: "p".into(), tenant: None, agent: None, grant, from_ms: 0, until_ms: i64::MAX, by: "o".into() };
    let policy = Policy::default().with_leases(&[lease], 1);
    let who = Who { plugin: "p", digest: None, tenant: "default", agent: "a" };
    if let Ok(question) = Question::parse(&words) {
        let answer = policy.explain(&who, &question);
        assert!(answer.toml.is_none_or(|toml| PolicyFile::parse(&toml).is_ok()), "the lines of a refusal can be read");
    }
    if let Ok(request) = Request::parse(&words) {
        let _ = (policy.unrequested("p", None, std::slice::from_ref(&request)), policy.ungranted("p", None, &[request]));
    }
    ask(&policy, &text, &text);
}

fn ask(policy: &Policy, plugin: &str, text: &str) {
    for who in [Who { plugin, digest: Some(text), tenant: text, agent: text }, Who { plugin, digest: None, tenant: "default", agent: "a" }]
    {
        let http = HttpRequest { method: text, scheme: Scheme::Http, host: text, port: 80, path: text };
        for what in [
            Capability::Call { tool: text },
            Capability::Http(http),
            Capability::Http(HttpRequest { method: "GET", host: "a.example", ..http }),
            Capability::File { mount: text, access: Access::Write },
            Capability::Secret { name: text, usage: SecretUse::Reveal },
            Capability::Config,
            Capability::Store,
            Capability::Cache,
        ] {
            if let Err(denied) = policy.decide(&who, &what) {
                assert!(PolicyFile::parse(&denied.toml).is_ok(), "{}", denied.toml);
            }
        }
        let _ = policy.mounts(&who);
    }
}
