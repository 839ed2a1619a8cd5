//! Why something is allowed or not: what people read, and that it is what is enforced.

use std::path::Path;

use policy::file::PolicyFile;
use policy::{Explanation, Layer, Policy, Question, Request, Who};

const WHO: Who<'static> = Who { plugin: "fetch", digest: None, tenant: "default", agent: "assistant" };

const FILE: &str = "
[network]
private = ['10.1.0.0/16']
[secrets.k]
from = 'env:K'
[plugin.fetch]
agents = ['assistant']
tools = ['get', 'put']
approver = 'operator'
[plugin.fetch.tool.get]
approve = 'never'
[[plugin.fetch.http]]
host = '*.example.com'
[[plugin.fetch.http]]
host = 'api.example.com'
methods = ['GET', 'POST']
paths = ['/v2/*']
inject = { secret = 'k', header = 'authorization' }
[[plugin.fetch.http]]
host = '10.1.2.3'
[[plugin.fetch.http]]
host = '10.2.0.1'
[[plugin.fetch.files]]
host = 'data/maps'
guest = 'maps'
access = 'read'
[plugin.fetch.config]
units = 'metric'
[plugin.fetch.cache]
";

fn policy() -> Policy {
    Policy::build(&PolicyFile::parse(FILE).expect("the text is a policy"), Path::new("/srv"), &[]).expect("nothing is wrong")
}

fn explain(words: &str) -> Explanation {
    let words: Vec<&str> = words.split(' ').collect();
    policy().explain(&WHO, &Question::parse(&words).expect("the words are a question"))
}

#[test]
fn what_is_allowed_names_its_line() {
    for (words, key) in [
        ("http GET https://www.example.com/", "plugin.fetch.http[0]"),
        ("http POST https://API.example.com./v2/x?q=1", "plugin.fetch.http[1]"),
        ("http GET https://10.1.2.3/", "plugin.fetch.http[2]"),
        ("files read maps/berlin.json", "plugin.fetch.files[0]"),
        ("files read /maps", "plugin.fetch.files[0]"),
        ("secret k inject", "plugin.fetch.http"),
        ("config", "plugin.fetch.config"),
        ("cache", "plugin.fetch.cache"),
        ("call get", "plugin.fetch"),
    ] {
        let answer = explain(words);
        assert_eq!((answer.allowed, answer.key.as_deref()), (true, Some(key)), "{words}: {answer:?}");
    }
}

#[test]
fn what_is_refused_names_its_layer_and_what_would_allow_it() {
    for (words, layer, refusal) in [
        ("http GET https://other.example/", Layer::Grant, "host other.example is not granted to plugin fetch"),
        ("http PUT https://api.example.com/v2/x", Layer::Grant, "PUT /v2/x on host api.example.com is not granted"),
        ("http GET https://10.2.0.1/", Layer::Floor, "address 10.2.0.1 is a private address, which [network] closes"),
        ("http GET https://api.example.com/v2/../x", Layer::Request, "dot segments are refused"),
        ("http GET https://0x7f.1/", Layer::Request, "write an IPv4 address as four decimal numbers"),
        ("files write maps/x", Layer::Grant, "write access to directory maps is not granted"),
        ("files read mapsx", Layer::Grant, "read access to directory mapsx"),
        ("secret k", Layer::Grant, "secret k is not granted"),
        ("store", Layer::Grant, "the store is not granted"),
        ("call drop", Layer::Tool, "tool drop is not among those that [plugin.fetch] names"),
    ] {
        let answer = explain(words);
        assert_eq!((answer.allowed, answer.layer), (false, Some(layer)), "{words}: {answer:?}");
        assert!(answer.refusal.as_deref().is_some_and(|text| text.contains(refusal)), "{words}: {answer:?}");
        assert_eq!(answer.toml.as_deref().is_none_or(str::is_empty), layer == Layer::Request, "{words}");
    }
    let other = Who { agent: "other", ..WHO };
    assert_eq!(policy().explain(&other, &Question::Config).layer, Some(Layer::Agent));
}

#[test]
fn opening_an_address_keeps_what_is_open() {
    let answer = explain("http GET https://10.2.0.1/");
    assert_eq!(answer.toml.as_deref(), Some("[network]\nprivate = [\"10.1.0.0/16\", \"10.2.0.1/32\"]\n"));
}

#[test]
fn the_notes_say_what_else_will_matter() {
    let notes = |words| explain(words).notes.join("; ");
    assert!(notes("http POST https://api.example.com/v2/x").contains("secret k goes into header authorization"));
    assert!(notes("http GET https://api.example.com/").contains("every address of api.example.com still has to be one"));
    assert_eq!(notes("call get"), "nobody has to agree to it");
    assert!(notes("call put").starts_with("an operator has to agree to each call, unless its tool is additive"));
    assert_eq!(notes("files read maps"), "/srv/data/maps on this machine");
}

#[test]
fn grants_and_requests_are_compared_in_both_directions() {
    let request = |words: &str| Request::parse(&words.split(' ').collect::<Vec<_>>()).expect("the words are a request");
    let all = ["http GET https://*/*", "files read maps", "config units", "cache", "secret k"].map(request);
    let policy = policy();
    assert!(policy.unrequested("fetch", None, &all).is_empty());
    assert!(policy.ungranted("fetch", None, &all).is_empty());
    let few = ["http DELETE https://*/*", "store", "http GET https://else.example/*"].map(request);
    let keys: Vec<String> = policy.unrequested("fetch", None, &few).into_iter().map(|problem| problem.key).collect();
    let rules = (0..4).map(|index| format!("plugin.fetch.http[{index}]"));
    let rest = ["plugin.fetch.files[0]", "plugin.fetch.config.units", "plugin.fetch.cache"].map(str::to_owned);
    assert_eq!(keys, rules.chain(rest).collect::<Vec<_>>());
    assert_eq!(policy.ungranted("fetch", None, &few), [0, 1, 2]);
    assert_eq!(Policy::default().ungranted("other", None, &few), [0, 1, 2]);
}
