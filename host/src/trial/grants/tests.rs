//! What recordings may say, and what they may not.

use policy::file::LimitsFile;

use super::*;

/// A project with a folder of data, beside a folder that is none of its own.
struct Desk {
    _place: tempfile::TempDir,
    root: PathBuf,
    other: PathBuf,
    secrets: PathBuf,
}

fn desk() -> Desk {
    let place = tempfile::tempdir().expect("a directory");
    let [root, other, secrets] = ["project", "other", "secrets"].map(|name| place.path().join(name));
    for folder in [&root.join("data/{tenant}"), &other, &secrets] {
        std::fs::create_dir_all(folder).expect("the directory is ours");
    }
    std::os::unix::fs::symlink(&other, root.join("link")).expect("the directory is ours");
    std::os::unix::fs::symlink(root.join("data"), root.join("inner")).expect("the directory is ours");
    std::fs::write(root.join("plugin.toml"), "").expect("the directory is ours");
    Desk { _place: place, root, other, secrets }
}

fn recording(grants: &str, secrets: &[&str]) -> Recording {
    let mut recording: Recording = serde_json::from_str(
        r#"{"format": 1, "tool": "act", "input": {}, "context": {"call": "c", "session": "s"}, "random": "", "clocks": {}, "outcome": {}}"#,
    )
    .expect("it is a recording");
    recording.grants = grants.parse().expect("it is TOML");
    recording.secrets = secrets.iter().map(|name| (*name).to_owned()).collect();
    recording
}

impl Desk {
    fn read(&self, grants: &str, secrets: &[&str]) -> anyhow::Result<Terms> {
        read(&recording(grants, secrets), Path::new("a.json"), &self.root, &self.secrets)
    }

    fn granting(&self, host: &str, access: Access) -> Terms {
        let mount = MountFile { host: host.into(), guest: "data".into(), access, quota: None };
        let entry = PluginFile { files: vec![mount], ..PluginFile::default() };
        Terms { entry, base: self.root.clone(), ..Terms::default() }
    }
}

fn files(host: &str, access: &str) -> String {
    format!("[[files]]\nhost = '{host}'\nguest = 'data'\naccess = '{access}'\n")
}

#[test]
fn a_recording_reaches_the_folders_of_its_project_and_no_others() {
    let desk = desk();
    for (host, real) in [("data", "data"), (".", "."), ("inner", "data"), ("data/../data", "data")] {
        let terms = desk.read(&files(host, "read"), &[]).expect(host);
        assert_eq!(terms.entry.files[0].host, real, "{host}");
    }
    let (root, other) = (desk.root.display().to_string(), desk.other.display().to_string());
    for (host, why) in [
        (&*other, "is not named from the project's folder"),
        (&*root, "is not named from the project's folder"),
        ("../other", "is not a folder of the project"),
        ("link", "is not a folder of the project"),
        ("..", "is not a folder of the project"),
        ("data/{tenant}", "is not a folder of the project"),
        ("none", "is not there"),
    ] {
        let said = desk.read(&files(host, "read"), &[]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.starts_with("a.json: ") && said.contains(why) && said.contains("--record"), "{host}: {said}");
    }
}

#[test]
fn a_recording_grants_nothing_to_be_written_and_nothing_but_what_one_holds() {
    let desk = desk();
    for (grants, why) in [
        (&*files("data", "write"), "does not hold what a tool writes into data"),
        ("tenants = ['*']", "\"tenants\", which is none of a recording's"),
        ("pin = 'auto'", "\"pin\", which is none of a recording's"),
        ("limit = 1", "\"limit\""),
        ("store = 1", "its grants cannot be read"),
    ] {
        let said = desk.read(grants, &[]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains(why) && said.contains("--record"), "{grants}: {said}");
    }
}

#[test]
fn what_cannot_be_played_is_not_recorded() {
    let desk = desk();
    let file = desk.root.join("recordings/a.json");
    assert!(desk.granting("data", Access::Read).recordable(&file).is_ok());
    let written = written(&desk.granting("inner", Access::Read), &desk.root, &Mask::default()).expect("it can be recorded");
    assert_eq!(written["files"][0]["host"].as_str(), Some("data"));
    let other = desk.other.display().to_string();
    for (host, access, next) in [
        ("data", Access::Write, "for reading only"),
        (&*other, Access::Read, "into the project"),
        ("link", Access::Read, "into the project"),
    ] {
        let said = desk.granting(host, access).recordable(&file).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.starts_with("--record: ") && said.contains(next), "{host}: {said}");
    }
}

#[test]
fn a_secret_that_had_no_value_has_none_whatever_other_recordings_had() {
    let desk = desk();
    let both = "[secrets]\na = 'reveal'\nb = 'reveal'\n";
    let [with, without, one] = [(both, &["a", "b"][..]), (both, &["a"][..]), ("[secrets]\nb = 'reveal'\n", &["b"][..])]
        .map(|(grants, secrets)| desk.read(grants, secrets).expect("it can be played"));
    let value =
        |terms: &Terms, name: &str| terms.values().into_iter().find(|(it, _)| it == name).map(|(_, value)| value.expose().to_owned());
    assert_eq!((value(&with, "b"), value(&one, "b")), (Some(placeholder("b")), Some(placeholder("b"))));
    assert_eq!((value(&without, "a"), value(&without, "b")), (Some(placeholder("a")), None));
    assert!(with.agree(&one) && one.agree(&with), "they are played under one policy");
    assert!(!with.agree(&without) && !without.agree(&one), "and these are not");
}

#[test]
fn what_bounds_several_calls_does_not_bound_recordings() {
    let terms = desk().read("[limits]\nrate = '1/min'\nat-once = 1\ntime = '3s'\n", &[]).expect("it can be played");
    let LimitsFile { rate, at_once, time, .. } = terms.entry.limits;
    assert!(rate.is_none() && at_once.is_none() && time.is_some());
}

#[test]
fn a_recording_names_the_secrets_of_its_plugin_and_no_others() {
    let desk = desk();
    let rule = "[[http]]\nhost = 'a.example'\ninject = { secret = 'b', header = 'x-key' }\n[secrets]\na = 'reveal'\nnone = 'reveal'\n";
    let mut terms = Terms { entry: toml::from_str(rule).expect("it is TOML"), base: desk.root.clone(), ..Terms::default() };
    for name in ["a", "b", "payroll"] {
        std::fs::write(desk.root.join(name), "the value").expect("the directory is ours");
        terms.secrets.insert(name.into(), SecretFile { from: format!("file:{name}") });
    }
    assert_eq!(ready(&terms), ["a", "b"]);
    assert_eq!(terms.values().len(), 3, "all are masked");
}
