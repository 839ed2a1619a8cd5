//! Grants for a time: what they add, what they leave alone, and when they end.

use std::path::Path;

use policy::file::PolicyFile;
use policy::{Access, Builtin, HttpRequest, Lease, LeaseFile, Policy, Scheme, Who};

const WHO: Who<'static> = Who { plugin: "fetch", digest: None, tenant: "default", agent: "assistant" };
const GET: HttpRequest<'static> = HttpRequest { method: "GET", scheme: Scheme::Https, host: "api.example", port: 443, path: "/v1/x" };

fn policy(text: &str) -> Policy {
    let file = PolicyFile::parse(text).expect("the text is a policy");
    Policy::build(&file, Path::new("/srv"), &[]).expect("the policy has no errors")
}

fn lease(id: &str, words: &[&str]) -> Lease {
    let grant = LeaseFile::parse(words).expect("the words are a grant");
    let (plugin, by) = ("fetch".to_owned(), "operator".to_owned());
    Lease { id: id.into(), plugin, tenant: None, agent: None, grant, from_ms: 100, until_ms: 200, by }
}

fn get() -> Lease {
    lease("l1", &["http", "GET", "https://api.example/v1/*"])
}

#[test]
fn a_lease_holds_from_its_beginning_to_its_end() {
    let base = Policy::default();
    for (now, holds) in [(99, false), (100, true), (199, true), (200, false)] {
        assert_eq!(base.with_leases(&[get()], now).http(&WHO, &GET).is_ok(), holds, "{now}");
    }
    assert_eq!(base.with_leases(&[get()], 200).digest(), base.digest());
    assert_ne!(base.with_leases(&[get()], 199).digest(), base.digest());
}

#[test]
fn what_a_lease_allows_names_the_lease() {
    let permit = Policy::default().with_leases(&[get()], 100).http(&WHO, &GET).expect("it is lent");
    assert_eq!((permit.rule.as_str(), permit.key.as_str()), ("lease l1: [[plugin.fetch.http]] host = \"api.example\"", "lease l1"));
}

#[test]
fn everything_that_adds_up_can_be_lent() {
    let leases = [
        lease("1", &["files", "write", "/d", "maps", "1MiB"]),
        lease("2", &["config", "units=metric"]),
        lease("3", &["store", "agent", "2MiB"]),
        lease("4", &["cache", "3MiB"]),
        lease("5", &["secret", "k"]),
    ];
    let policy = policy("[secrets.k]\nfrom = 'env:K'\n[plugin.fetch.config]\nunits = 'imperial'").with_leases(&leases, 100);
    assert_eq!(policy.warnings(), []);
    assert!(policy.file(&WHO, "maps", Access::Write).is_ok_and(|permit| permit.quota_bytes == 1 << 20));
    assert_eq!(policy.mounts(&WHO).len(), 1);
    let settings = policy.config(&WHO).expect("there is one").settings;
    assert_eq!(settings["units"], "imperial", "what the file says stays");
    assert!(policy.store(&WHO).is_ok_and(|permit| permit.quota_bytes == 2 << 20 && permit.rule == "lease 3: [plugin.fetch.store]"));
    assert!(policy.cache(&WHO).is_ok() && policy.secret(&WHO, "k", policy::SecretUse::Reveal).is_ok());
    let facts = policy.plugin("fetch", None).expect("there is an entry").facts();
    assert!(facts.writes_files && facts.reveals_secret);
}

#[test]
fn a_lease_for_one_agent_is_for_that_agent_and_changes_nothing_about_for_whom() {
    let leases = [Lease { tenant: Some("acme".into()), agent: Some("a1".into()), ..get() }];
    let policy = policy("[plugin.fetch]\ntenants = ['default', 'acme']\nagents = ['a1', 'a2']\ntools = ['look']").with_leases(&leases, 100);
    let who = Who { tenant: "acme", agent: "a1", ..WHO };
    assert!(policy.http(&who, &GET).is_ok());
    for other in [Who { agent: "a2", ..who }, Who { tenant: "default", ..who }, Who { tenant: "b", ..who }, Who { agent: "b", ..who }] {
        assert!(policy.http(&other, &GET).is_err(), "{other:?}");
    }
    assert!(policy.call(&who, "act").is_err() && policy.call(&who, "look").is_ok());
    let stranger = Lease { tenant: Some("b".into()), ..get() };
    let warned = policy.check_lease(&stranger).expect("it is no mistake of form");
    assert_eq!(
        warned[0].to_string(),
        "the lease allows nothing: the plugin does not serve tenant b; a lease changes nothing about for whom; \
         name tenant b in [plugin.fetch] of the file"
    );
}

#[test]
fn a_lease_stands_beside_the_grant_that_came_with_the_server() {
    let shipped = PolicyFile::parse("[plugin.fetch]\napprove = 'never'\n[plugin.fetch.store]\nscope = 'agent'").expect("a policy");
    let builtin = [Builtin { plugin: "fetch".into(), digest: "sha256:aa".into(), file: shipped.plugin["fetch"].clone() }];
    let base = Policy::build(&PolicyFile::default(), Path::new("/"), &builtin).expect("nothing is wrong");
    let policy = base.with_leases(&[get()], 100);
    let shipped = Who { digest: Some("sha256:aa"), ..WHO };
    assert!(policy.store(&shipped).is_ok() && policy.http(&shipped, &GET).is_ok());
    let other = Who { digest: Some("sha256:bb"), ..WHO };
    assert!(policy.store(&other).is_err() && policy.http(&other, &GET).is_ok());
    assert!(policy.call(&shipped, "act").is_ok_and(|permit| !permit.needs_approval(true)));
    assert!(policy.call(&other, "act").is_ok_and(|permit| permit.needs_approval(true)), "as an entry would");
}

#[test]
fn a_directory_that_is_read_may_be_lent_for_writing_under_its_own_name_only() {
    let policy = policy("[[plugin.fetch.files]]\nhost = '/d'\nguest = 'maps'\naccess = 'read'");
    let lent = policy.with_leases(&[lease("1", &["files", "write", "/d", "maps"])], 100);
    assert_eq!(lent.mounts(&WHO).iter().map(|permit| permit.access).collect::<Vec<_>>(), [Access::Write]);
    for words in [["files", "write", "/d/x", "other"], ["files", "read", "/e", "maps"], ["files", "read", "/e", "maps/x"]] {
        assert!(policy.check_lease(&lease("1", &words)).is_err(), "{words:?}");
    }
}

#[test]
fn a_lease_that_no_longer_fits_the_file_is_left_out_and_said() {
    let secret = lease("1", &["secret", "gone"]);
    let policy = Policy::default().with_leases(&[secret, get()], 100);
    assert!(policy.http(&WHO, &GET).is_ok());
    assert_eq!(
        policy.warnings()[0].to_string(),
        "lease 1 to plugin fetch is not in force: secrets.gone: there is no secret gone; add [secrets.gone] with from = \"env:NAME\"; \
         `wardian revoke 1`, or mend what it does not fit to"
    );
}

#[test]
fn what_cannot_be_lent_is_refused() {
    let base = policy("[plugin.fetch]\ntenants = ['a', 'b']\n[plugin.fetch.store]\nscope = 'session'");
    let with = |grant: LeaseFile| base.check_lease(&Lease { grant, ..get() }).expect_err("it cannot be lent")[0].to_string();
    assert!(with(LeaseFile::default()).starts_with("nothing is lent; name at least one of http"));
    let parse = |words: &[&str]| LeaseFile::parse(words).expect("the words are a grant");
    assert!(with(parse(&["http", "GET", "https://127.1/"])).starts_with("http[0].host: \"127.1\" is not a host"));
    assert!(with(parse(&["files", "write", "/d", "d"])).contains("several tenants would write into one directory"));
    assert!(with(parse(&["store", "plugin"])).contains("a store of another scope"));
    let wrong = Lease { plugin: "Fetch".into(), ..get() };
    assert!(base.check_lease(&wrong).is_err());
}
