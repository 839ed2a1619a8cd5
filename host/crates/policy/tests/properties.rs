//! What holds for every policy and every question.

use std::path::Path;

use policy::file::{CacheFile, HttpFile, InjectFile, MountFile, NetworkFile, PluginFile, PolicyFile, SecretFile, SecretUseFile, StoreFile};
use policy::{Access, Bytes, Capability, Host, HttpPermit, HttpRequest, Lease, LeaseFile, Permit, Policy, Scheme, SecretUse, Who};
use proptest::prelude::*;

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(from).prop_map(str::to_owned)
}

fn http() -> impl Strategy<Value = HttpFile> {
    let host = pick(&["a.example", "b.example", "*.example", "x.a.example", "*", "10.0.0.1", "xn--mnchen-3ya.example", "[fd00::1]"]);
    let scheme = prop::option::weighted(0.3, prop::sample::select(&[Scheme::Http, Scheme::Https]));
    let port = prop::option::weighted(0.2, prop::sample::select(&[443u16, 80, 8080]));
    let methods = prop::option::weighted(0.4, prop::collection::vec(pick(&["GET", "POST", "DELETE"]), 0..3));
    let paths = prop::option::weighted(0.4, prop::collection::vec(pick(&["/*", "/v1/*", "/v1/a", "/*/b", "/%41*"]), 0..3));
    let response = prop::option::of((0u64..1000).prop_map(Bytes));
    let inject = prop::option::weighted(0.2, pick(&["x-one", "x-two"]));
    (host, scheme, port, methods, paths, response, inject).prop_map(|(host, scheme, port, methods, paths, response, header)| HttpFile {
        inject: header.filter(|_| host != "*").map(|header| InjectFile { secret: "k".into(), header, format: None }),
        host,
        scheme,
        port,
        methods,
        paths,
        response,
    })
}

fn names(from: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::weighted(0.4, prop::collection::vec(pick(from), 0..3))
}

fn plugin() -> impl Strategy<Value = PluginFile> {
    let access = prop::sample::select(&[Access::Read, Access::Write]);
    let files = prop::option::of(access.prop_map(|access| MountFile { host: "d/{tenant}".into(), guest: "d".into(), access, quota: None }));
    let http = prop::collection::vec(http(), 0..6);
    let parts = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let whom = (names(&["default", "acme", "*"]), names(&["a1", "a*", "mcp", "*"]), names(&["t", "u", "*"]));
    (whom, http, files, parts, 1u64..100).prop_map(|((tenants, agents, tools), http, files, (store, cache, config, reveal), quota)| {
        let quota = Some(Bytes(quota));
        PluginFile {
            tenants,
            agents,
            tools,
            http,
            files: files.into_iter().collect(),
            store: store.then(|| StoreFile { quota, ..Default::default() }),
            cache: cache.then_some(CacheFile { quota }),
            config: config.then(|| ("units".to_owned(), toml::Value::from("metric"))).into_iter().collect(),
            secrets: reveal.then(|| ("k".to_owned(), SecretUseFile::Reveal)).into_iter().collect(),
            ..Default::default()
        }
    })
}

fn plain(host: &str) -> HttpFile {
    HttpFile { host: host.into(), scheme: None, port: None, methods: None, paths: None, response: None, inject: None }
}

/// A lease of what another entry grants, for all or for one.
fn lease(id: &'static str) -> impl Strategy<Value = Lease> {
    let one = |of: &'static [&'static str]| prop::option::weighted(0.3, pick(of));
    (plugin(), one(&["default", "acme"]), one(&["a1", "b1"]), 0i64..3, 0i64..4).prop_map(|(entry, tenant, agent, from_ms, until_ms)| {
        let PluginFile { http, files, secrets, config, store, cache, .. } = entry;
        let grant = LeaseFile { http, files, secrets, config, store, cache };
        Lease { id: id.into(), plugin: "p".into(), tenant, agent, grant, from_ms, until_ms, by: "operator".into() }
    })
}

fn build(plugin: &PluginFile) -> Policy {
    let secrets = [("k".to_owned(), SecretFile { from: "env:K".into() })].into();
    let network = NetworkFile { private: vec!["10.0.0.0/24".into()], ..NetworkFile::default() };
    let file = PolicyFile { plugin: [("p".to_owned(), plugin.clone())].into(), secrets, network, ..Default::default() };
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
    let hosts = &[
        "a.example",
        "a.example",
        "x.a.example",
        "b.example",
        "example",
        "10.0.0.1",
        "10.0.1.1",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "xn--mnchen-3ya.example",
    ];
    (
        (pick(&["default", "default", "acme"]), pick(&["a1", "a1", "b1", "mcp"]), pick(&["t", "u"])),
        pick(&["GET", "GET", "POST"]),
        prop::sample::select(&[Scheme::Https, Scheme::Https, Scheme::Http]),
        pick(hosts),
        prop::sample::select(&[443u16, 443, 80, 8080]),
        pick(&["/", "/v1/a", "/v1/b", "/v1", "/v1/../b", "/%41b", "/Ab"]),
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

    /// The permit, but for the place of its line in the file.
    fn http(&self, policy: &Policy) -> Option<HttpPermit> {
        policy.http(&self.who(), &self.request()).ok().map(|permit| HttpPermit { key: String::new(), ..permit })
    }

    fn asked(&self) -> [Capability<'_>; 9] {
        let file = |access| Capability::File { mount: "d", access };
        [
            Capability::Call { tool: &self.tool },
            Capability::Http(self.request()),
            file(Access::Read),
            file(Access::Write),
            Capability::Secret { name: "k", usage: SecretUse::Reveal },
            Capability::Secret { name: "k", usage: SecretUse::Inject },
            Capability::Config,
            Capability::Store,
            Capability::Cache,
        ]
    }

    /// Every verdict of one policy, in one order, with how much it allows.
    fn verdicts(&self, policy: &Policy) -> Vec<Option<u64>> {
        let amount = |permit: Permit| match permit {
            Permit::Http(permit) => permit.response_bytes_max,
            Permit::File(permit) => permit.quota_bytes,
            Permit::Store(permit) => permit.quota_bytes,
            Permit::Cache(permit) => permit.quota_bytes,
            Permit::Config(permit) => u64::try_from(permit.settings.len()).expect("a few"),
            Permit::Call(_) | Permit::Secret(_) => 0,
        };
        self.asked().iter().map(|what| policy.decide(&self.who(), what).ok().map(amount)).collect()
    }

    /// Whether one policy allows nothing that the other does not.
    fn no_wider(&self, narrow: &Policy, wide: &Policy) -> bool {
        self.verdicts(narrow).into_iter().zip(self.verdicts(wide)).all(|(narrow, wide)| narrow <= wide)
    }

    /// The words of the same questions.
    fn words(&self) -> [policy::Question; 9] {
        let port = if self.port == self.scheme.port() { String::new() } else { format!(":{}", self.port) };
        let url = format!("{}://{}{port}{}", self.scheme.word(), self.host, self.path);
        let parse = |words: &[&str]| policy::Question::parse(words).expect("the words are a question");
        [
            parse(&["call", &self.tool]),
            parse(&["http", &self.method, &url]),
            parse(&["files", "read", "d/x"]),
            parse(&["files", "write", "/d"]),
            parse(&["secret", "k"]),
            parse(&["secret", "k", "inject"]),
            parse(&["config"]),
            parse(&["store"]),
            parse(&["cache"]),
        ]
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
        9 => plugin.http.iter_mut().for_each(|rule| rule.response = Some(Bytes(0))),
        10 => plugin.cache.iter_mut().for_each(|cache| cache.quota = Some(Bytes(0))),
        11 => plugin.store.iter_mut().for_each(|store| store.quota = Some(Bytes(0))),
        12 => plugin.config.clear(),
        13 => plugin.secrets.clear(),
        _ => plugin.digest = Some(format!("sha256:{}", "ab".repeat(32))),
    }
    plugin
}

proptest! {
    #[test]
    fn nothing_is_there_for_the_agent_of_mcp_unless_the_entry_has_its_name(
        plugin in plugin(), lease in lease("l1"), question in question(),
    ) {
        let question = Question { agent: policy::MCP_AGENT.into(), ..question };
        let named = plugin.agents.iter().flatten().any(|agent| agent == policy::MCP_AGENT);
        let policy = build(&plugin).with_leases(&[lease], 1);
        prop_assert!(named || question.asked().iter().all(|what| policy.decide(&question.who(), what).is_err()));
    }

    #[test]
    fn taking_something_away_never_allows_more(plugin in plugin(), how in 0u8..15, index in 0usize..6, question in question()) {
        let (wide, narrow) = (build(&plugin), build(&narrowed(plugin.clone(), how, index)));
        prop_assert!(question.no_wider(&narrow, &wide));
    }

    #[test]
    fn a_narrower_floor_never_allows_more(plugin in plugin(), question in question()) {
        let secrets = [("k".to_owned(), SecretFile { from: "env:K".into() })].into();
        let file = PolicyFile { plugin: [("p".to_owned(), plugin.clone())].into(), secrets, ..Default::default() };
        let narrow = Policy::build(&file, Path::new("/srv"), &[]).expect("generated policies have no errors");
        prop_assert!(question.no_wider(&narrow, &build(&plugin)));
    }

    #[test]
    fn dropping_a_lease_never_allows_more(plugin in plugin(), one in lease("l1"), two in lease("l2"), question in question()) {
        let base = build(&plugin);
        let (none, first, both) = (base.clone(), base.with_leases(std::slice::from_ref(&one), 1), base.with_leases(&[one.clone(), two.clone()], 1));
        prop_assert!(question.no_wider(&none, &first) && question.no_wider(&first, &both));
        let shorter = base.with_leases(&[Lease { until_ms: one.until_ms - 1, ..one.clone() }], 1);
        prop_assert!(question.no_wider(&shorter, &first));
        let turned = base.with_leases(&[two, one], 1);
        prop_assert_eq!(question.verdicts(&both), question.verdicts(&turned));
        prop_assert_eq!(both.digest(), turned.digest());
        // Whom an entry serves is no matter of leases.
        let call = Capability::Call { tool: &question.tool };
        prop_assert_eq!(both.decide(&question.who(), &call).is_ok(), base.decide(&question.who(), &call).is_ok());
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
        if dot && !spelled.host.ends_with(']') {
            spelled.host.push('.');
        }
        prop_assert_eq!(question.http(&policy), spelled.http(&policy));
    }

    #[test]
    fn a_port_that_goes_without_saying_may_be_said(plugin in plugin(), question in question()) {
        let mut said = plugin.clone();
        for rule in &mut said.http {
            let scheme = rule.scheme.unwrap_or(Scheme::Https);
            (rule.scheme, rule.port) = (Some(scheme), Some(rule.port.unwrap_or(scheme.port())));
        }
        prop_assert_eq!(question.http(&build(&plugin)), question.http(&build(&said)));
    }

    #[test]
    fn an_address_in_another_spelling_is_refused_or_the_same(plugin in plugin(), question in question(), octets in any::<[u8; 4]>()) {
        let policy = build(&plugin);
        let [a, b, c, d] = octets;
        let whole = u32::from_be_bytes(octets);
        for odd in [
            format!("{whole}"), format!("{whole:#x}"), format!("0{whole:o}"), format!("{a}.{b}.{}", u16::from_be_bytes([c, d])),
            format!("0{a:o}.{b}.{c}.{d}"), format!("{a:#x}.{b}.{c}.{d}"), format!("[::ffff:{a}.{b}.{c}.{d}]"),
            format!("[::ffff:{a:x}{b:02x}:{c:x}{d:02x}]"), format!("{a}.{b}.{c}。{d}"), format!("１０.{b}.{c}.{d}"), "münchen.example".to_owned(),
        ] {
            let asked = HttpRequest { host: &odd, ..question.request() };
            prop_assert!(policy.http(&question.who(), &asked).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_path_is_judged_as_it_is_sent(plugin in plugin(), question in question()) {
        // What is encoded stays encoded: /%41b is allowed where a rule says so, and no rule for /Ab says it.
        let policy = build(&plugin);
        let narrow = PluginFile { http: vec![HttpFile { paths: Some(vec!["/Ab".into()]), ..plain("*") }], ..PluginFile::default() };
        let encoded = HttpRequest { path: "/%41b", host: "a.example", method: "GET", scheme: Scheme::Https, port: 443 };
        let who = Who { plugin: "p", digest: None, tenant: "default", agent: "a1" };
        prop_assert!(build(&narrow).http(&who, &encoded).is_err());
        let decoded = HttpRequest { path: "/Ab", ..encoded };
        prop_assert!(build(&narrow).http(&who, &decoded).is_ok());
        for path in ["/v1/%2e%2e/b", "/v1//a", "/v1/a%2f", "/v1\\a"] {
            let asked = HttpRequest { path, ..question.request() };
            prop_assert!(policy.http(&question.who(), &asked).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_explained_is_what_is_enforced(plugin in plugin(), lease in lease("l1"), question in question()) {
        let policy = build(&plugin).with_leases(&[lease], 1);
        let who = question.who();
        for (words, what) in question.words().iter().zip(question.asked()) {
            let (told, decided) = (policy.explain(&who, words), policy.decide(&who, &what));
            prop_assert_eq!(told.allowed, decided.is_ok(), "{:?}", words);
            match decided {
                Ok(permit) => prop_assert_eq!(told.rule.as_deref(), Some(permit.rule())),
                Err(denied) => prop_assert_eq!((told.layer, told.refusal), (Some(denied.layer), Some(denied.to_string()))),
            }
        }
        // What a call opens and sends is what is explained: each import asks for its own noun.
        prop_assert_eq!(policy.mounts(&who).is_empty(), policy.file(&who, "d", Access::Read).is_err());
        for permit in policy.mounts(&who) {
            let decided = policy.file(&who, &permit.guest, permit.access);
            prop_assert_eq!(Ok(permit), decided);
        }
        if let Some(Host::Address(address)) = question.http(&policy).map(|permit| permit.host) {
            prop_assert!(policy.floor().closed(address).is_none(), "the floor is a part of the answer");
        }
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
            files: vec![MountFile { host: path.clone(), guest: name.clone(), access: Access::Write, quota: None }],
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
