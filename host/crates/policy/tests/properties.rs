//! What holds for every policy and every question.

use std::path::Path;

use policy::file::{HttpFile, MountFile, PluginFile, PolicyFile};
use policy::{Access, Bytes, Capability, Host, HttpPermit, HttpRequest, Policy, Scheme, Who};
use proptest::prelude::*;

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(from).prop_map(str::to_owned)
}

fn http() -> impl Strategy<Value = HttpFile> {
    let host = pick(&["a.example", "b.example", "*.example", "x.a.example", "*", "10.0.0.1"]);
    let scheme = prop::option::of(prop::sample::select(&[Scheme::Http, Scheme::Https]));
    let port = prop::option::of(prop::sample::select(&[443u16, 80, 8080]));
    let methods = prop::option::of(prop::collection::vec(pick(&["GET", "POST", "DELETE"]), 0..3));
    let paths = prop::option::of(prop::collection::vec(pick(&["/*", "/v1/*", "/v1/a", "/*/b"]), 0..3));
    let response = prop::option::of((0u64..1000).prop_map(Bytes));
    (host, scheme, port, methods, paths, response).prop_map(|(host, scheme, port, methods, paths, response)| HttpFile {
        host,
        scheme,
        port,
        methods,
        paths,
        response,
        inject: None,
    })
}

fn names(from: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::of(prop::collection::vec(pick(from), 0..3))
}

fn plugin() -> impl Strategy<Value = PluginFile> {
    let access = prop::sample::select(&[Access::Read, Access::Write]);
    let files = prop::option::of(access.prop_map(|access| MountFile { host: "d/{tenant}".into(), guest: "d".into(), access }));
    let http = prop::collection::vec(http(), 0..4);
    (names(&["default", "acme", "*"]), names(&["a1", "a*"]), names(&["t", "u", "*"]), http, files, any::<bool>()).prop_map(
        |(tenants, agents, tools, http, files, store)| PluginFile {
            tenants,
            agents,
            tools,
            http,
            files: files.into_iter().collect(),
            store: store.then(Default::default),
            ..Default::default()
        },
    )
}

fn build(plugin: &PluginFile) -> Policy {
    let file = PolicyFile { plugin: [("p".to_owned(), plugin.clone())].into(), ..Default::default() };
    Policy::build(&file, Path::new("/srv"), &[]).expect("generated policies have no errors")
}

#[derive(Debug, Clone)]
struct Question {
    tenant: String,
    agent: String,
    tool: String,
    method: String,
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
}

fn question() -> impl Strategy<Value = Question> {
    (
        (pick(&["default", "acme"]), pick(&["a1", "b1"]), pick(&["t", "u"])),
        pick(&["GET", "POST"]),
        prop::sample::select(&[Scheme::Http, Scheme::Https]),
        pick(&["a.example", "x.a.example", "b.example", "example", "10.0.0.1"]),
        prop::sample::select(&[443u16, 80, 8080]),
        pick(&["/", "/v1/a", "/v1/b", "/v1", "/v1/../b"]),
    )
        .prop_map(|((tenant, agent, tool), method, scheme, host, port, path)| Question {
            tenant,
            agent,
            tool,
            method,
            scheme,
            host,
            port,
            path,
        })
}

impl Question {
    fn who(&self) -> Who<'_> {
        Who { plugin: "p", digest: None, tenant: &self.tenant, agent: &self.agent }
    }

    fn request(&self) -> HttpRequest<'_> {
        HttpRequest { method: &self.method, scheme: self.scheme, host: &self.host, port: self.port, path: &self.path }
    }

    fn http(&self, policy: &Policy) -> Option<HttpPermit> {
        policy.http(&self.who(), &self.request()).ok()
    }

    /// Every verdict of one policy, in one order.
    fn verdicts(&self, policy: &Policy) -> Vec<bool> {
        let file = |access| Capability::File { mount: "d", access };
        [
            Capability::Call { tool: &self.tool },
            Capability::Http(self.request()),
            file(Access::Read),
            file(Access::Write),
            Capability::Store,
        ]
        .iter()
        .map(|what| policy.decide(&self.who(), what).is_ok())
        .collect()
    }
}

/// One step that takes something away from an entry.
fn narrowed(mut plugin: PluginFile, how: u8, index: usize) -> PluginFile {
    fn drop_one<T>(list: &mut Vec<T>, index: usize) {
        if !list.is_empty() {
            list.remove(index % list.len());
        }
    }
    match how {
        0 => drop_one(&mut plugin.http, index),
        1 => plugin.tenants.iter_mut().for_each(|list| drop_one(list, index)),
        2 => plugin.agents.get_or_insert(vec!["a1".into()]).truncate(1),
        3 => plugin.tools.get_or_insert(vec!["t".into()]).truncate(1),
        4 => plugin.files.clear(),
        5 => plugin.files.iter_mut().for_each(|mount| mount.access = Access::Read),
        6 => plugin.store = None,
        7 => plugin.http.iter_mut().for_each(|rule| drop_one(rule.methods.get_or_insert(vec!["GET".into()]), index)),
        8 => plugin.http.iter_mut().for_each(|rule| rule.paths.get_or_insert(vec!["/v1/*".into()]).truncate(1)),
        _ => plugin.http.iter_mut().for_each(|rule| rule.response = Some(Bytes(0))),
    }
    plugin
}

proptest! {
    #[test]
    fn taking_something_away_never_allows_more(plugin in plugin(), how in 0u8..10, index in 0usize..4, question in question()) {
        let (wide, narrow) = (build(&plugin), build(&narrowed(plugin.clone(), how, index)));
        for (wide, narrow) in question.verdicts(&wide).into_iter().zip(question.verdicts(&narrow)) {
            prop_assert!(wide || !narrow);
        }
        if let (Some(wide), Some(narrow)) = (question.http(&wide), question.http(&narrow)) {
            prop_assert!(narrow.response_bytes_max <= wide.response_bytes_max);
        }
    }

    #[test]
    fn the_order_of_rules_means_nothing(plugin in plugin(), question in question()) {
        let mut turned = plugin.clone();
        turned.http.reverse();
        for list in [&mut turned.tenants, &mut turned.agents, &mut turned.tools].into_iter().flatten() {
            list.reverse();
        }
        let (one, other) = (build(&plugin), build(&turned));
        prop_assert_eq!(question.verdicts(&one), question.verdicts(&other));
        prop_assert_eq!(question.http(&one), question.http(&other));
    }

    #[test]
    fn the_spelling_of_a_host_means_nothing(plugin in plugin(), question in question(), upper in any::<bool>(), dot in any::<bool>()) {
        let policy = build(&plugin);
        let mut spelled = question.clone();
        if upper {
            spelled.host.make_ascii_uppercase();
        }
        if dot {
            spelled.host.push('.');
        }
        prop_assert_eq!(question.http(&policy), spelled.http(&policy));
    }

    #[test]
    fn a_canonical_host_reads_back_as_itself(text in "[a-zA-Z0-9._\\[\\]:%-]{0,40}") {
        if let Ok(host) = text.parse::<Host>() {
            prop_assert_eq!(host.to_string().parse::<Host>(), Ok(host));
        }
    }

    #[test]
    fn no_text_and_no_question_makes_it_panic(text in "(\\PC|\n){0,200}", host in "\\PC{0,40}", path in "\\PC{0,40}", name in "\\PC{0,20}") {
        let _ = policy::file::PolicyFile::parse(&text);
        let _ = (text.parse::<Bytes>(), text.parse::<policy::Span>(), text.parse::<policy::Rate>(), text.parse::<policy::SecretRef>());
        let plugin = PluginFile {
            http: vec![HttpFile {
                host: host.clone(), scheme: None, port: None, methods: None, paths: Some(vec![path.clone()]), response: None, inject: None,
            }],
            files: vec![MountFile { host: path.clone(), guest: name.clone(), access: Access::Write }],
            ..Default::default()
        };
        let file = PolicyFile { plugin: [(name.clone(), plugin)].into(), ..Default::default() };
        let policy = Policy::build(&file, Path::new("/srv"), &[]).unwrap_or_default();
        let who = Who { plugin: &name, digest: None, tenant: "default", agent: &host };
        let request = HttpRequest { method: &name, scheme: Scheme::Http, host: &host, port: 80, path: &path };
        let _ = policy.http(&who, &request);
        // Whatever was asked for, the lines of the refusal are lines that can be read.
        for what in [Capability::Http(request), Capability::File { mount: &path, access: Access::Read }] {
            if let Err(denied) = Policy::default().decide(&who, &what) {
                prop_assert!(policy::file::PolicyFile::parse(&denied.toml).is_ok(), "{}", denied.toml);
            }
        }
    }
}
