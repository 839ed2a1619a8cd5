//! The layers, what they refuse, and the example file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use toml::{Table, Value};

use super::file::File;
use super::*;

/// A configuration file in a directory of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn with(text: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.0.path().join(DEFAULT_FILE), text).unwrap();
        place
    }

    fn sources(&self, environment: &[(&str, &str)], flags: Flags) -> Sources {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sources { flags, environment, here: self.0.path().to_owned() }
    }

    fn load(&self) -> Result<Settings, Complaints> {
        self.sources(&[], Flags::default()).load()
    }

    fn complaint(&self) -> String {
        let path = format!("{}/", self.0.path().display());
        self.load().unwrap_err().to_string().replace(&path, "")
    }
}

#[test]
fn without_a_file_the_defaults_hold_and_paths_are_under_the_current_directory() {
    let empty = Place(tempfile::tempdir().unwrap());
    let settings = empty.load().unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8750");
    assert_eq!(settings.data, empty.0.path().join("wardian-data"));
    assert_eq!(settings.plugins, empty.0.path().join("wardian-data/plugins"));
    assert_eq!(settings.server.requests_per_minute.get(), 600);
    assert_eq!(settings.file, None);
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let place = Place::with("listen = '127.0.0.1:1'\n[server]\nsteps = 1\ncalls = 1\n");
    let environment = [("WARDIAN_LISTEN", "127.0.0.1:2"), ("WARDIAN_SERVER_CALLS", "2"), ("WARDIAN_SERVER_RATE", "60/min")];
    let flags = Flags { listen: Some("127.0.0.1:3".into()), ..Flags::default() };
    let settings = place.sources(&environment, flags).load().unwrap();
    assert_eq!(settings.listen.port(), 3);
    assert_eq!((settings.server.steps, settings.server.calls), (1, 2));
    assert_eq!(settings.server.requests_per_minute.get(), 60);
    assert_eq!(settings.server.body_bytes, 1 << 20);
}

#[test]
fn a_path_is_relative_to_where_it_was_said() {
    let place = Place::with("data = 'of-the-file'\nplugins = 'tools'\n");
    let mut sources = place.sources(&[("WARDIAN_DATA", "of-the-environment")], Flags::default());
    sources.flags.config = Some(place.0.path().join(DEFAULT_FILE));
    sources.here = PathBuf::from("/elsewhere");
    let settings = sources.load().unwrap();
    assert_eq!(settings.data, PathBuf::from("/elsewhere/of-the-environment"));
    assert_eq!(settings.plugins, place.0.path().join("tools"));
}

#[test]
fn a_directory_that_is_written_with_dots_is_the_one_it_means() {
    let place = Place::with("data = 'missing/../data'\nplugins = 'link/../tools'\n");
    let here = place.0.path().canonicalize().unwrap();
    std::fs::create_dir_all(here.join("far/away")).unwrap();
    std::os::unix::fs::symlink(here.join("far/away"), here.join("link")).unwrap();
    let settings = place.load().unwrap();
    assert_eq!((settings.data, settings.plugins), (here.join("data"), here.join("far/tools")));
    assert!(!here.join("data").exists() && !here.join("missing").exists());
}

#[test]
fn an_unknown_key_is_named_with_file_line_column_and_the_nearest_right_one() {
    let place = Place::with("# mine\n[server]\nstep = 3\n");
    assert_eq!(place.complaint(), "wardian.toml:3:1: unknown key `step`; did you mean `steps`?");
}

#[test]
fn a_key_of_another_section_is_sent_home() {
    assert_eq!(
        Place::with("allow-plain = true\n").complaint(),
        "wardian.toml:1:1: unknown key `allow-plain`; `allow-plain` belongs into [server]"
    );
}

#[test]
fn a_key_that_resembles_nothing_is_answered_with_what_is_known() {
    let complaint = Place::with("[log]\nxyzzy = 1\n").complaint();
    assert_eq!(complaint, "wardian.toml:2:1: unknown key `xyzzy`; known here: format, level");
}

#[test]
fn a_unit_that_was_forgotten_is_asked_for() {
    let complaint = Place::with("[server]\nbody = \"1\"\n").complaint();
    assert!(complaint.starts_with("wardian.toml:2:8: \"1\" is not a size; write it like \"64MiB\""), "{complaint}");
}

#[test]
fn a_variable_that_does_not_fit_is_named() {
    let place = Place::with("");
    let complaint = |name, value| place.sources(&[(name, value)], Flags::default()).load().unwrap_err().to_string();
    assert_eq!(complaint("WARDIAN_SERVER_STEPS", "many"), "WARDIAN_SERVER_STEPS: \"many\" is not a whole number");
    assert!(complaint("WARDIAN_SERVER_RATE", "fast").starts_with("WARDIAN_SERVER_RATE: \"fast\" is not a rate"));
}

#[test]
fn a_variable_that_is_no_setting_is_noticed() {
    let place = Place::with("");
    let sources = place.sources(&[("WARDIAN_SERVR_RATE", "1/s"), ("WARDIAN_OWNER_KEY", "k"), ("WARDIAN_LISTEN", "x")], Flags::default());
    assert_eq!(sources.strangers(), ["WARDIAN_SERVR_RATE"]);
}

#[test]
fn beyond_loopback_plain_http_has_to_be_allowed() {
    let complaint = Place::with("listen = '0.0.0.0:8750'\n").complaint();
    assert!(complaint.contains("server.allow-plain = true"), "{complaint}");
    assert!(Place::with("listen = '0.0.0.0:8750'\nserver.allow-plain = true\n").load().is_ok());
    assert!(Place::with("listen = '[::1]:8750'\n").load().is_ok());
}

#[test]
fn pages_are_let_in_by_origins_as_browsers_send_them() {
    let complaint = |line: &str| Place::with(&format!("[server]\n{line}\n")).complaint();
    assert_eq!(
        complaint("cors = ['https://app.example', 'https://app.example/']"),
        "wardian.toml: server.cors: \"https://app.example/\" is not an origin: an origin ends with the host or the port; leave out the path and the slash"
    );
    assert!(complaint("cors = 'https://app.example'").starts_with("wardian.toml:2:8: "));
    let origins = |texts: &[&str]| api::cors::Origins::parse(texts).unwrap();
    let place = Place::with("[server]\ncors = ['*']\n");
    assert_eq!(place.load().unwrap().server.origins, origins(&["*"]));
    let environment = [("WARDIAN_SERVER_CORS", "https://a.example, http://localhost:3000")];
    let settings = place.sources(&environment, Flags::default()).load().unwrap();
    assert_eq!(settings.server.origins, origins(&["https://a.example", "http://localhost:3000"]));
    assert_eq!(Place::with("").load().unwrap().server.origins, origins(&[]));
}

#[test]
fn a_file_that_was_named_and_is_missing_is_an_error() {
    let place = Place::with("");
    let flags = Flags { config: Some("nowhere.toml".into()), ..Flags::default() };
    let complaint = place.sources(&[], flags).load().unwrap_err().to_string();
    assert!(complaint.contains("nowhere.toml: cannot read the configuration file"), "{complaint}");
    assert!(complaint.contains("wardian init"), "{complaint}");
}

#[test]
fn all_findings_are_reported_at_once() {
    let place = Place::with("listen = 'here'\n[server]\nsteps = 0\nbody = '1B'\n");
    assert_eq!(place.load().unwrap_err().0.len(), 4);
}

#[test]
fn what_the_policy_finds_has_its_line() {
    let place = Place::with("[plugin.weather]\n[[plugin.weather.http]]\nhost = 'api.example'\n[[plugin.weather.http]]\nhost = 'a b'\n");
    let settings = place.load().unwrap();
    let problem = policy::Problem::error("plugin.weather.http[1].host", "no such name", "");
    let complaint = settings.complaints(&[problem]).to_string();
    assert!(complaint.contains("wardian.toml:5: plugin.weather.http[1].host: no such name"), "{complaint}");
}

fn example() -> Table {
    switched_on(EXAMPLE).parse().unwrap()
}

#[test]
fn the_example_as_it_stands_is_the_default() {
    assert_eq!(toml::from_str::<File>(EXAMPLE).unwrap(), File::default());
}

#[test]
fn the_example_shows_the_defaults() {
    let shown = toml::from_str::<File>(&switched_on(EXAMPLE)).unwrap();
    let defaults = File::default();
    assert_eq!((shown.listen, shown.data), (defaults.listen, defaults.data));
    assert_eq!((shown.log, shown.network), (defaults.log, defaults.network));
    let server = super::file::ServerFile { hosts: Vec::new(), cors: Vec::new(), tls: None, ..shown.server };
    assert_eq!(server, defaults.server);
    let limits = policy::file::DefaultsFile { limits: policy::file::LimitsFile { rate: None, fuel: None, ..shown.defaults.limits } };
    let policy = policy::file::PolicyFile { defaults: limits, ..Default::default() };
    let built = policy::Policy::build(&policy, std::path::Path::new("/"), &[]).unwrap();
    assert_eq!(built.limits("any", None), policy::Limits::default());
}

/// A key that no section has: the reader answers it with the keys that there are.
const BOGUS: &str = "is-there-such-a-key";

#[test]
fn the_example_has_every_setting_of_every_section() {
    let mut sections = Vec::new();
    collect(&Value::Table(example()), &mut Vec::new(), &mut sections);
    assert!(sections.len() > 15, "{sections:?}");
    for path in sections {
        let mut table = Value::Table(example());
        let section = path.iter().fold(&mut table, |value, step| step.step_into(value)).as_table_mut().unwrap();
        let shown: Vec<String> = section.keys().cloned().collect();
        section.insert(BOGUS.into(), Value::Boolean(true));
        let refusal = table.try_into::<File>().map(drop).map_err(|error| error.message().to_owned());
        let Err(message) = refusal else { continue };
        // Sections with names of the operator's own choice take any.
        let Some(known) = message.strip_prefix(&format!("unknown field `{BOGUS}`")) else { continue };
        for key in known.split('`').skip(1).step_by(2) {
            assert!(shown.iter().any(|it| it == key), "{key} of {path:?} is missing in the example");
        }
    }
}

#[derive(Debug, Clone)]
enum Segment {
    Key(String),
    Item(usize),
}

impl Segment {
    fn step_into<'a>(&self, value: &'a mut Value) -> &'a mut Value {
        match self {
            Self::Key(key) => &mut value[key.as_str()],
            Self::Item(index) => &mut value[*index],
        }
    }
}

fn collect(value: &Value, at: &mut Vec<Segment>, sections: &mut Vec<Vec<Segment>>) {
    let inner: Vec<(Segment, &Value)> = match value {
        Value::Table(table) => {
            sections.push(at.clone());
            table.iter().map(|(key, value)| (Segment::Key(key.clone()), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (Segment::Item(index), value)).collect(),
        _ => Vec::new(),
    };
    for (segment, value) in inner {
        at.push(segment);
        collect(value, at, sections);
        at.pop();
    }
}

/// The page about everything that is decided here.
const PAGE: &str = include_str!("../../docs/policy.md");

/// The keys in the table below each heading that names a section of the file.
fn keys_on_the_page() -> BTreeMap<String, BTreeSet<String>> {
    let sections = PAGE.split("\n### `").skip(1).filter_map(|part| part.split_once('`'));
    let keys = |text: &str| {
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned));
        rows.collect::<BTreeSet<String>>()
    };
    sections
        .map(|(heading, rest)| (heading.trim_matches(['[', ']']).to_owned(), keys(rest.split("\n## ").next().unwrap_or(rest))))
        .collect()
}

#[test]
fn the_page_about_the_policy_has_every_key_and_no_other() {
    let example = example();
    let plugin = example["plugin"]["weather"].as_table().unwrap();
    let names = |table: &Table| table.iter().filter(|(_, value)| !is_section(value)).map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    let mut wanted = BTreeMap::from([
        ("network".to_owned(), names(example["network"].as_table().unwrap())),
        ("secrets.NAME".to_owned(), names(example["secrets"]["weather-key"].as_table().unwrap())),
        ("plugin.NAME".to_owned(), names(plugin)),
        ("plugin.NAME.tool.TOOL".to_owned(), names(plugin["tool"]["forecast"].as_table().unwrap())),
        // Under names of the operator's own choice.
        ("plugin.NAME.secrets".to_owned(), BTreeSet::new()),
        ("plugin.NAME.config".to_owned(), BTreeSet::new()),
    ]);
    for section in ["limits", "store", "cache", "command"] {
        wanted.insert(format!("plugin.NAME.{section}"), names(plugin[section].as_table().unwrap()));
    }
    for section in ["http", "files"] {
        wanted.insert(format!("plugin.NAME.{section}"), names(plugin[section][0].as_table().unwrap()));
    }
    assert_eq!(keys_on_the_page(), wanted);
    assert_eq!(names(example["defaults"]["limits"].as_table().unwrap()), wanted["plugin.NAME.limits"]);
}

fn is_section(value: &Value) -> bool {
    // `inject` is a value that happens to be a table.
    value.as_table().is_some_and(|table| !table.contains_key("header"))
        || value.as_array().is_some_and(|items| items.iter().any(Value::is_table))
}

#[test]
fn the_page_about_the_policy_shows_the_default_limits() {
    let defaults = example()["defaults"]["limits"].as_table().unwrap().clone();
    for (key, value) in defaults.iter().filter(|(key, _)| !matches!(key.as_str(), "rate" | "fuel")) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(PAGE.contains(&format!("| `{key}` | `{value}` |")), "{key} = {value}");
    }
}

/// What the code says about what it refuses, in the order of the page.
fn refusals() -> Vec<String> {
    const FILE: &str = "[plugin.web]\nagents = ['support-*']\ntools = ['web_read']\n[[plugin.web.http]]\nhost = 'docs.example.com'\n\
                        [[plugin.web.http]]\nhost = '127.0.0.1'\n";
    let asked_of = |file: &str, tenant: &str, agent: &str, words: &str| {
        let policy = policy::Policy::build(&policy::file::PolicyFile::parse(file).unwrap(), std::path::Path::new("/"), &[]).unwrap();
        let who = policy::Who { plugin: "web", digest: None, tenant, agent };
        let words: Vec<&str> = words.split(' ').collect();
        policy.explain(&who, &policy::Question::parse(&words).unwrap()).refusal.unwrap()
    };
    let asked = |tenant: &str, agent: &str, words: &str| asked_of(FILE, tenant, agent, words);
    let ask = |words: &str| asked("default", "support-de", words);
    let found = |text: &str| {
        let file = policy::file::PolicyFile::parse(text).unwrap();
        let built = policy::Policy::build(&file, std::path::Path::new("/"), &[]);
        built.map_or_else(|problems| problems[0].to_string(), |policy| policy.warnings()[0].to_string())
    };
    vec![
        ask("http GET https://127.0.0.1/"),
        ask("http GET https://0x7f.1/"),
        asked("acme", "support-de", "call web_read"),
        asked("default", "sales", "call web_read"),
        asked_of("[plugin.web]\n", "default", "mcp", "call web_read"),
        ask("call web_post"),
        found("[plugin.f.command]\narguments = ['x']"),
        ask("http GET https://api.example.com/"),
        ask("http POST https://docs.example.com/v2/x"),
        ask("http GET https://docs.example.com/v2/../x"),
        ask("files write maps/x"),
        ask("secret weather-key"),
        ask("config"),
        ask("store"),
        ask("cache"),
        found("[plugin.f]\nagents = ['a?']"),
        found("[secrets.k]\nfrom = 'env:K'\n[[plugin.f.http]]\nhost = '*'\ninject = { secret = 'k', header = 'x' }"),
        found("[[plugin.f.http]]\nhost = '127.0.0.1'"),
    ]
}

#[test]
fn every_sentence_that_the_page_quotes_is_one_that_the_code_says() {
    let quoted: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert_eq!(quoted, refusals());
}
