//! Decisions as the operator sees them: the file in, the verdict out.

use std::path::Path;

use policy::file::PolicyFile;
use policy::{Access, Builtin, Capability, Denied, HttpRequest, Permit, Policy, Problem, Scheme, SecretUse, Severity, Who};

const WHO: Who<'static> = Who { plugin: "fetch", digest: None, tenant: "default", agent: "assistant" };

fn build(text: &str) -> Result<Policy, Vec<Problem>> {
    let file = PolicyFile::parse(text).expect("the text is a policy");
    Policy::build(&file, Path::new("/srv"), &[])
}

fn policy(text: &str) -> Policy {
    build(text).expect("the policy has no errors")
}

fn get<'a>(host: &'a str, path: &'a str) -> Capability<'a> {
    Capability::Http(HttpRequest { method: "GET", scheme: Scheme::Https, host, port: 443, path })
}

fn denied(policy: &Policy, what: &Capability<'_>) -> Denied {
    policy.decide(&WHO, what).expect_err("it is not granted")
}

fn errors(text: &str) -> Vec<String> {
    let problems = build(text).err().unwrap_or_default();
    problems.into_iter().filter(|it| it.severity == Severity::Error).map(|it| it.key).collect()
}

#[test]
fn without_a_file_a_plugin_can_be_called_and_can_only_compute() {
    let policy = Policy::default();
    assert!(policy.call(&WHO, "anything").is_ok_and(|permit| !permit.needs_approval(true)));
    let reveal = Capability::Secret { name: "key", usage: SecretUse::Reveal };
    let inject = Capability::Secret { name: "key", usage: SecretUse::Inject };
    let file = Capability::File { mount: "maps", access: Access::Read };
    for what in [get("example.com", "/"), reveal, inject, file, Capability::Config, Capability::Store, Capability::Cache] {
        assert!(policy.decide(&WHO, &what).is_err(), "{what:?}");
    }
    assert!(policy.call(&Who { tenant: "acme", ..WHO }, "anything").is_err());
}

#[test]
fn a_refusal_names_the_host_the_plugin_and_the_line() {
    let refusal = denied(&Policy::default(), &get("API.Example.com.", "/v2/x"));
    assert_eq!(
        refusal.to_string(),
        "host api.example.com is not granted to plugin fetch; add a [[plugin.fetch.http]] entry with host = \"api.example.com\""
    );
    assert_eq!(refusal.toml, "[[plugin.fetch.http]]\nhost = \"api.example.com\"\nmethods = [\"GET\"]\npaths = [\"/v2/x\"]\n");
}

#[test]
fn the_lines_of_a_refusal_allow_what_was_refused() {
    let post = HttpRequest { method: "POST", scheme: Scheme::Http, host: "10.0.0.1", port: 8080, path: "/a" };
    let reveal = Capability::Secret { name: "my key", usage: SecretUse::Reveal };
    let inject = Capability::Secret { name: "my key", usage: SecretUse::Inject };
    let write = Capability::File { mount: "maps", access: Access::Write };
    for what in
        [get("example.com", "/"), Capability::Http(post), reveal, inject, write, Capability::Config, Capability::Store, Capability::Cache]
    {
        let lines = denied(&Policy::default(), &what).toml;
        assert!(policy(&lines).decide(&WHO, &what).is_ok(), "{what:?}\n{lines}");
    }
    for (who, tool) in [(Who { tenant: "acme", ..WHO }, "t"), (Who { agent: "other", ..WHO }, "t"), (WHO, "hidden")] {
        let before = "[plugin.fetch]\nagents = [\"assistant\"]\ntools = [\"t\"]\n";
        let lines = policy(before).call(&who, tool).expect_err("it is not granted").toml;
        let replaced = lines.lines().nth(1).expect("the second line is the list");
        let key = replaced.split(' ').next().expect("a line begins with its key");
        let kept = before.lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n");
        assert!(policy(&format!("{kept}\n{replaced}")).call(&who, tool).is_ok(), "{lines}");
    }
}

#[test]
fn a_rule_holds_for_its_scheme_port_method_and_path_only() {
    let policy = policy("[[plugin.fetch.http]]\nhost = 'api.example.com'\nmethods = ['GET']\npaths = ['/v2/*']");
    let base = HttpRequest { method: "GET", scheme: Scheme::Https, host: "api.example.com", port: 443, path: "/v2/x" };
    assert!(policy.http(&WHO, &base).is_ok());
    for other in [
        HttpRequest { method: "POST", ..base },
        HttpRequest { method: "get", ..base },
        HttpRequest { scheme: Scheme::Http, ..base },
        HttpRequest { port: 8443, ..base },
        HttpRequest { host: "example.com", ..base },
        HttpRequest { host: "x.api.example.com", ..base },
        HttpRequest { path: "/v3/x", ..base },
        HttpRequest { path: "/v2/../v3", ..base },
        HttpRequest { path: "/v2/%2e%2e/v3", ..base },
    ] {
        assert!(policy.http(&WHO, &other).is_err(), "{other:?}");
    }
}

#[test]
fn matching_rules_add_up() {
    let policy = policy(
        "[secrets.k]\nfrom = 'env:K'\n[[plugin.fetch.http]]\nhost = '*'\nresponse = '2MiB'\n\
         [[plugin.fetch.http]]\nhost = 'api.example.com'\nresponse = '1KiB'\ninject = { secret = 'k', header = 'X-Key' }",
    );
    let Ok(Permit::Http(permit)) = policy.decide(&WHO, &get("api.example.com", "/")) else { panic!("it is granted") };
    assert_eq!((permit.response_bytes_max, permit.inject.len()), (2 << 20, 1));
    assert_eq!(permit.rule, "[[plugin.fetch.http]] host = \"api.example.com\"");
    assert_eq!(&*permit.inject[0].header, "x-key");
    let Ok(Permit::Http(other)) = policy.decide(&WHO, &get("other.example", "/")) else { panic!("it is granted") };
    assert!(other.inject.is_empty(), "a secret never goes where its rule does not lead");
}

#[test]
fn only_named_tenants_agents_tools_and_bytes_are_covered() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let policy = policy(&format!(
        "[plugin.fetch]\ntenants = ['acme', 'b*']\nagents = ['support-*']\ntools = ['get']\ndigest = '{digest}'\n[plugin.fetch.store]\n"
    ));
    let who = Who { tenant: "acme", agent: "support-de", digest: Some(&digest), ..WHO };
    assert!(policy.call(&who, "get").is_ok() && policy.store(&who).is_ok());
    assert!(policy.call(&Who { tenant: "bee", ..who }, "get").is_ok());
    assert!(policy.call(&who, "put").is_err());
    for other in [Who { tenant: "default", ..who }, Who { agent: "sales", ..who }, Who { digest: Some("sha256:00"), ..who }] {
        assert!(policy.call(&other, "get").is_err() && policy.store(&other).is_err(), "{other:?}");
        assert!(policy.mounts(&other).is_empty());
    }
}

#[test]
fn a_builtin_grant_is_bound_to_its_bytes_and_yields_to_any_entry() {
    let shipped = PolicyFile::parse("[plugin.notes.store]\nscope = 'agent'").expect("the text is a policy");
    let builtin = [Builtin { plugin: "notes".into(), digest: "sha256:aa".into(), file: shipped.plugin["notes"].clone() }];
    let who = Who { plugin: "notes", digest: Some("sha256:aa"), ..WHO };
    let base = Path::new("/srv");

    let policy = Policy::build(&PolicyFile::default(), base, &builtin).expect("nothing is wrong");
    assert!(policy.store(&who).is_ok());
    assert!(policy.store(&Who { digest: Some("sha256:bb"), ..who }).is_err());
    assert!(policy.cache(&who).expect_err("it is not granted").to_string().contains("replaces the whole grant"));

    let own = PolicyFile::parse("[plugin.notes]").expect("the text is a policy");
    assert!(Policy::build(&own, base, &builtin).expect("nothing is wrong").store(&who).is_err());
}

#[test]
fn the_agent_of_mcp_needs_its_name_in_the_entry() {
    let mcp = Who { agent: policy::MCP_AGENT, ..WHO };
    for without in ["", "[plugin.fetch]", "[plugin.fetch]\nagents = ['*']", "[plugin.fetch]\nagents = ['mcp*']"] {
        let refusal = policy(without).call(&mcp, "get").expect_err("its name is not there");
        assert_eq!(refusal.layer, policy::Layer::Agent);
        assert!(refusal.toml.contains("\"mcp\"]"), "{refusal}");
        assert!(policy(&refusal.toml).call(&mcp, "get").is_ok(), "{}", refusal.toml);
    }
    let refusal = policy("").call(&mcp, "get").expect_err("its name is not there");
    assert_eq!(refusal.toml, "[plugin.fetch]\nagents = [\"*\", \"mcp\"]\n");
    assert!(policy(&refusal.toml).call(&WHO, "get").is_ok(), "the others keep it");

    let shipped = PolicyFile::parse("[plugin.notes]\nagents = ['*']").expect("the text is a policy");
    let builtin = [Builtin { plugin: "notes".into(), digest: "sha256:aa".into(), file: shipped.plugin["notes"].clone() }];
    let policy = Policy::build(&PolicyFile::default(), Path::new("/srv"), &builtin).expect("nothing is wrong");
    let who = Who { plugin: "notes", digest: Some("sha256:aa"), ..WHO };
    assert!(policy.call(&who, "note_read").is_ok() && policy.call(&Who { agent: policy::MCP_AGENT, ..who }, "note_read").is_err());
}

#[test]
fn a_shape_is_what_the_entry_says_whatever_the_bytes() {
    let policy = policy("[plugin.fetch]\nshape = 'functions'\n[plugin.weather]\nshape = 'command'\n[plugin.web]\n");
    let shapes = ["fetch", "weather", "web", "other"].map(|plugin| policy.shape(plugin));
    assert_eq!(shapes, [policy::Shape::Functions, policy::Shape::Command, policy::Shape::Native, policy::Shape::Native]);
    assert!(policy.warnings().is_empty());
}

#[test]
fn a_memory_limit_beyond_what_the_sandbox_has_is_refused_with_the_bound() {
    let text = |memory: &str| format!("[plugin.fetch.limits]\nmemory = '{memory}'");
    assert_eq!(policy(&text("512MiB")).limits("fetch", None).memory_bytes, policy::limits::MEMORY_BYTES_MAX);
    let problems = build(&text("513MiB")).expect_err("it is too much");
    assert_eq!(problems[0].to_string(), "plugin.fetch.limits.memory: the limit must be between 64KiB and 512MiB");
}

#[test]
fn limits_come_from_the_entry_then_the_defaults() {
    let policy = policy("[defaults.limits]\ntime = '9s'\nat-once = 2\n[plugin.fetch.limits]\ntime = '5s'\nrate = '60/min'");
    let (fetch, other) = (policy.limits("fetch", None), policy.limits("other", None));
    assert_eq!((fetch.time.as_secs(), fetch.at_once, fetch.rate.map(|it| it.count)), (5, 2, Some(60)));
    assert_eq!((other.time.as_secs(), other.rate), (9, None));
    assert_eq!(errors("[defaults.limits]\ntime = '0s'\nat-once = 0"), ["defaults.limits.time", "defaults.limits.at-once"]);
}

#[test]
fn approval_follows_the_entry_and_the_tool() {
    let policy =
        policy("[plugin.fetch]\napprove = 'always'\napprover = 'operator'\n[plugin.fetch.tool.look]\napprove = 'never'\n[plugin.other]");
    let needs =
        |plugin, tool, destructive| policy.call(&Who { plugin, ..WHO }, tool).is_ok_and(|permit| permit.needs_approval(destructive));
    assert!(needs("fetch", "act", false) && !needs("fetch", "look", true));
    assert!(needs("other", "act", true) && !needs("other", "act", false));
}

#[test]
fn facts_say_what_a_claim_has_to_stand_up_to() {
    let policy = policy(
        "[secrets.k]\nfrom = 'env:K'\n[plugin.fetch.secrets]\nk = 'reveal'\n[[plugin.fetch.http]]\nhost = 'a.example'\nmethods = ['PUT']\n\
         inject = { secret = 'k', header = 'x' }\n[[plugin.fetch.files]]\nhost = 'd'\nguest = 'd'\naccess = 'write'\n[[plugin.look.http]]\nhost = 'a.example'",
    );
    let facts = policy.plugin("fetch", None).expect("there is an entry").facts();
    assert!(facts.writes_files && facts.sends_http_other_than_get && facts.injects_secret && facts.reveals_secret && facts.reaches_out);
    let facts = policy.plugin("look", None).expect("there is an entry").facts();
    assert!(!facts.sends_http_other_than_get && facts.reaches_out);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    for (text, key) in [
        ("[plugin.Fetch]", "plugin.Fetch"),
        ("[plugin.f]\ndigest = 'sha256:12'", "plugin.f.digest"),
        ("[[plugin.f.http]]\nhost = '127.1'", "plugin.f.http[0].host"),
        ("[[plugin.f.http]]\nhost = 'https://a.example'", "plugin.f.http[0].host"),
        ("[[plugin.f.http]]\nhost = 'a'\nport = 0", "plugin.f.http[0].port"),
        ("[[plugin.f.http]]\nhost = 'a'\nmethods = ['get']", "plugin.f.http[0].methods[0]"),
        ("[[plugin.f.http]]\nhost = 'a'\npaths = ['v2/*']", "plugin.f.http[0].paths[0]"),
        ("[[plugin.f.http]]\nhost = 'a'\ninject = { secret = 'k', header = 'x' }", "plugin.f.http[0].inject.secret"),
        ("[secrets.k]\nfrom = 'env:K'\n[[plugin.f.http]]\nhost = '*'\ninject = { secret = 'k', header = 'x' }", "plugin.f.http[0].inject"),
        (
            "[secrets.k]\nfrom = 'env:K'\n[[plugin.f.http]]\nhost = 'a'\ninject = { secret = 'k', header = 'Host' }",
            "plugin.f.http[0].inject.header",
        ),
        (
            "[secrets.k]\nfrom = 'env:K'\n[[plugin.f.http]]\nhost = 'a'\ninject = { secret = 'k', header = 'x', format = 'y' }",
            "plugin.f.http[0].inject.format",
        ),
        ("[plugin.f.secrets]\nk = 'reveal'", "plugin.f.secrets.k"),
        ("[secrets.k]\nfrom = 'sk-live'", "secrets.k.from"),
        ("[network]\nprivate = ['10.0.0.0/40']", "network.private[0]"),
        ("[plugin.f.config]\na = ['b']", "plugin.f.config.a"),
        ("[[plugin.f.files]]\nhost = 'd'\nguest = 'd'\naccess = 'read'\nquota = '1MiB'", "plugin.f.files[0].quota"),
        ("[plugin.f]\ntools = ['Current']", "plugin.f.tools[0]"),
        ("[plugin.f]\nagents = ['a?']", "plugin.f.agents[0]"),
        ("[plugin.f]\ntenants = ['']", "plugin.f.tenants[0]"),
        ("[plugin.f]\ntenants = ['*']\n[[plugin.f.files]]\nhost = 'd'\nguest = 'd'\naccess = 'write'", "plugin.f.files[0].host"),
    ] {
        assert_eq!(errors(text), [key], "{text}");
    }
}

#[test]
fn a_directory_that_may_be_written_has_a_quota() {
    let text = |quota: &str| format!("[[plugin.fetch.files]]\nhost = 'd'\nguest = 'd'\naccess = 'write'\n{quota}");
    let quota = |text: &str| policy(text).mounts(&WHO).first().map(|permit| permit.quota_bytes);
    assert_eq!(quota(&text("")), Some(64 << 20));
    assert_eq!(quota(&text("quota = '3MiB'")), Some(3 << 20));
}

#[test]
fn what_is_risky_is_said_and_still_works() {
    let text =
        "[secrets.k]\nfrom = 'env:K'\n[[plugin.f.http]]\nhost = '*.a.example'\nscheme = 'http'\ninject = { secret = 'k', header = 'x' }";
    assert_eq!(policy(text).warnings().len(), 2);
    for (text, key) in [
        ("[plugin.f]\nagents = []", "plugin.f.agents"),
        ("[plugin.f]\ntools = ['a']\n[plugin.f.tool.b]", "plugin.f.tool.b"),
        ("[[plugin.f.http]]\nhost = '127.0.0.1'", "plugin.f.http[0].host"),
        ("[[plugin.f.http]]\nhost = 'localhost'", "plugin.f.http[0].host"),
        ("[[plugin.f.http]]\nhost = 'a'\n[[plugin.f.http]]\nhost = 'a'", "plugin.f.http[1]"),
        ("[[plugin.f.http]]\nhost = 'a'\nmethods = []", "plugin.f.http[0].methods"),
        ("[[plugin.f.http]]\nhost = 'a'\npaths = ['/v1/{id}']", "plugin.f.http[0].paths[0]"),
        ("[network]\nprivate = ['0.0.0.0/0']", "network.private[0]"),
    ] {
        assert_eq!(policy(text).warnings().iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), [key], "{text}");
    }
    let opened = policy("[network]\nprivate = ['127.0.0.0/8']\n[[plugin.f.http]]\nhost = '127.0.0.1'");
    assert!(opened.warnings().is_empty());
}
