//! Directories: what is granted is all that is there, whatever the path, the
//! link, the kind of file or the moment.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::{Value, json};
use tool::End;

use crate::place::Place;
use crate::probe::{self, error, outcome, outcomes};

/// What must never be seen.
const SECRET: &str = "the operator's own";

/// A directory that is granted, beside one that is not.
///
/// ```text
/// inside/ok.txt inside/deep/er/ok.txt outside/secret.txt
/// ```
struct Field {
    place: Place,
    inside: PathBuf,
    outside: PathBuf,
}

impl Field {
    async fn new(access: &str) -> Self {
        let field = Self::with(&format!("access = '{access}'")).await;
        fs::create_dir_all(field.inside.join("deep/er")).unwrap();
        fs::write(field.inside.join("ok.txt"), "ok").unwrap();
        fs::write(field.inside.join("deep/er/ok.txt"), "ok").unwrap();
        fs::write(field.outside.join("secret.txt"), SECRET).unwrap();
        field
    }

    /// Two empty directories, the first granted with these further keys.
    async fn with(keys: &str) -> Self {
        let place = probe::place("").await;
        let (inside, outside) = (place.directory.path().join("inside"), place.directory.path().join("outside"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        probe::allow(&place, &format!("[[plugin.probe.files]]\nhost = 'inside'\nguest = 'data'\n{keys}\n"));
        Self { place, inside, outside }
    }

    /// One operation.
    async fn does(&self, what: &str, path: &str) -> Value {
        self.file(json!({"does": what, "path": path})).await
    }

    async fn file(&self, file: Value) -> Value {
        outcome(&self.place, json!({"file": file})).await
    }

    /// Whether all is as it was made.
    fn untouched(&self) {
        assert_eq!(names(&self.outside), ["secret.txt"]);
        assert_eq!(fs::read_to_string(self.outside.join("secret.txt")).unwrap(), SECRET);
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Everything that can be done to one path.
const ALL: [&str; 15] = [
    "stat",
    "metadata-hash",
    "list",
    "read",
    "open",
    "write",
    "write-stream",
    "append",
    "truncate",
    "open-empty",
    "create",
    "touch",
    "mkdir",
    "rmdir",
    "unlink",
];

#[tokio::test]
async fn no_path_leads_out() {
    let field = Field::new("write").await;
    let absolute = field.outside.join("secret.txt").display().to_string();
    symlink(&field.outside, field.inside.join("away")).unwrap();
    symlink("../outside", field.inside.join("near")).unwrap();
    symlink("../outside/secret.txt", field.inside.join("file")).unwrap();
    symlink("..", field.inside.join("deep/er/up")).unwrap();
    symlink("up/../../outside/", field.inside.join("deep/er/round")).unwrap();
    symlink("/proc/self/environ", field.inside.join("environ")).unwrap();
    symlink("loop", field.inside.join("loop")).unwrap();
    let paths = [
        "../outside/secret.txt",
        "..",
        "../",
        "/",
        "//",
        "/../outside/secret.txt",
        "./../outside/secret.txt",
        "deep/../../outside/secret.txt",
        "deep/er/../../../outside/secret.txt",
        "deep/er/up/up/../../outside/secret.txt",
        "ok.txt/../../outside/secret.txt",
        &absolute,
        "/proc/self/environ",
        "/proc/self/cwd/secret.txt",
        "away/secret.txt",
        "away/",
        "away/.",
        "near/secret.txt",
        "near/",
        "near/..",
        "deep/er/round/secret.txt",
        "file/",
        "environ/",
        "loop/",
        "\u{ff0e}\u{ff0e}/outside/secret.txt",
        "..\\outside\\secret.txt",
        "\u{2400}",
        "ok.txt\u{2400}/../../outside/secret.txt",
        &"../".repeat(2_000),
        &"a".repeat(5_000),
    ];
    for path in paths {
        for what in ALL {
            for follow in [true, false] {
                // A link that is not followed is a thing of this directory, with a slash or a dot behind it too.
                if !follow && path.ends_with(['/', '.']) && ["stat", "metadata-hash", "unlink"].contains(&what) {
                    continue;
                }
                let step = json!({"does": what, "path": path, "follow": follow, "text": "evil"});
                let tried = field.file(step).await;
                // Names that are no way out on this system may be used as what they are: names.
                let plain = (path.contains('\\') || path.contains('\u{ff0e}')) && !path.starts_with("..\\..");
                assert!(plain || tried["error"].is_string(), "{what} {path:?}, follow = {follow}: {tried}");
                assert!(!tried.to_string().contains(SECRET));
            }
        }
    }
    field.untouched();
    for link in ["away", "near", "file", "environ"] {
        for what in ["read", "open", "write", "append", "open-empty", "truncate", "list", "touch", "stat"] {
            let tried = field.file(json!({"does": what, "path": link, "follow": true, "text": "evil"})).await;
            assert!(tried["error"].is_string(), "{what} {link}: {tried}");
        }
    }
    field.untouched();
    assert_eq!(field.does("read", "deep/er/up/er/ok.txt").await["ok"], "ok", "a link that stays inside is followed");
}

#[tokio::test]
async fn what_a_link_says_about_the_machine_is_not_shown() {
    let field = Field::new("read").await;
    symlink(&field.outside, field.inside.join("away")).unwrap();
    let shown = outcomes(&field.place, json!(["preopens", {"file": {"does": "readlink", "path": "away"}}])).await;
    assert_eq!(shown[0]["ok"], json!(["/data"]));
    assert!(!shown[1].to_string().contains("outside") && shown[1]["error"].is_string(), "{}", shown[1]);
}

#[tokio::test]
async fn a_guest_makes_no_way_out_either() {
    let field = Field::new("write").await;
    let absolute = field.outside.display().to_string();
    for target in ["../outside", &absolute, "/etc", "deep/../../outside", "../outside/"] {
        let made = field.file(json!({"does": "symlink", "path": target, "to": "link"})).await;
        for path in ["link/secret.txt", "link/", "link/."] {
            for what in ["read", "stat", "list", "write", "unlink", "open-empty"] {
                let tried = field.file(json!({"does": what, "path": path, "follow": true, "text": "evil"})).await;
                assert!(tried["error"].is_string(), "{target} made {made}, then {what} {path}: {tried}");
            }
        }
        let _ = field.does("unlink", "link").await;
    }
    for (what, path, to) in [
        ("rename", "ok.txt", "../outside/stolen"),
        ("rename", "../outside/secret.txt", "stolen"),
        ("rename", "deep", "../outside/deep"),
        ("rename", "deep/", "../deep/"),
        ("link", "ok.txt", "../outside/stolen"),
        ("link", "../outside/secret.txt", "stolen"),
        ("symlink", "ok.txt", "../outside/stolen"),
    ] {
        let tried = field.file(json!({"does": what, "path": path, "to": to})).await;
        assert!(tried["error"].is_string(), "{what} {path} {to}: {tried}");
    }
    field.untouched();
    assert_eq!(names(&field.inside), ["deep", "ok.txt"]);
}

#[tokio::test]
async fn read_only_is_read_only_down_to_the_times() {
    let field = Field::new("read").await;
    symlink("ok.txt", field.inside.join("link")).unwrap();
    let file = field.inside.join("ok.txt");
    let before = fs::metadata(&file).unwrap();
    for what in ["write", "write-stream", "append", "truncate", "set-size", "open-empty", "create", "touch", "touch-open", "unlink"] {
        for path in ["ok.txt", "link"] {
            let tried = field.file(json!({"does": what, "path": path, "follow": true, "text": "evil", "size": 1})).await;
            assert_eq!(error(&tried), "not-permitted", "{what} {path}");
        }
    }
    for (what, path, to) in [
        ("mkdir", "new", ""),
        ("create", "new", ""),
        ("rmdir", "deep/er", ""),
        ("rename", "ok.txt", "new"),
        ("rename", "ok.txt", "ok.txt"),
        ("link", "ok.txt", "new"),
        ("symlink", "ok.txt", "new"),
    ] {
        let tried = field.file(json!({"does": what, "path": path, "to": to})).await;
        assert_eq!(error(&tried), "not-permitted", "{what} {path} {to}");
    }
    let after = fs::metadata(&file).unwrap();
    assert_eq!((before.len(), before.mtime_nsec(), before.ctime_nsec()), (after.len(), after.mtime_nsec(), after.ctime_nsec()));
    assert_eq!(names(&field.inside), ["deep", "link", "ok.txt"]);
    assert_eq!(field.does("read", "ok.txt").await["ok"], "ok");
}

/// RUSTSEC-2026-0188: rename and link between two directories went by the rights of one of them.
#[tokio::test]
async fn a_directory_that_is_written_lends_no_rights_to_one_that_is_read() {
    let field = Field::new("read").await;
    let mount = |host: &str, access: &str| format!("[[plugin.probe.files]]\nhost = '{host}'\nguest = '{host}'\naccess = '{access}'\n");
    probe::allow(&field.place, &format!("{}{}{}", mount("inside", "read"), mount("outside", "write"), mount("third", "write")));
    fs::create_dir(field.place.directory.path().join("third")).unwrap();
    for what in ["rename", "link"] {
        for (at, path, to_at, to) in [
            ("/inside", "ok.txt", "/outside", "stolen"),
            ("/outside", "secret.txt", "/inside", "ok.txt"),
            ("/outside", "secret.txt", "/inside", "new"),
        ] {
            let tried = field.file(json!({"does": what, "at": at, "path": path, "to_at": to_at, "to": to})).await;
            assert!(tried["error"].is_string(), "{what} {at}/{path} {to_at}/{to}: {tried}");
        }
        // Nor are files carried past the quota of one to another.
        let tried = field.file(json!({"does": what, "at": "/outside", "path": "secret.txt", "to_at": "/third", "to": "new"})).await;
        assert_eq!(error(&tried), "cross-device");
    }
    field.untouched();
    assert_eq!(names(&field.inside), ["deep", "ok.txt"]);
    assert_eq!(fs::read_to_string(field.inside.join("ok.txt")).unwrap(), "ok");
}

/// RUSTSEC-2026-0269: a slash at the end made a link be followed out of the directory.
#[tokio::test]
async fn a_slash_at_the_end_opens_nothing() {
    let field = Field::new("write").await;
    symlink("../outside", field.inside.join("near")).unwrap();
    symlink("../outside/", field.inside.join("slash")).unwrap();
    symlink("../outside/new/", field.inside.join("dangling")).unwrap();
    for path in ["near/", "near//", "near/./", "slash", "slash/", "slash//", "dangling", "dangling/", "near/new/", "ok.txt/"] {
        for what in ALL.into_iter().filter(|what| *what != "unlink") {
            let tried = field.file(json!({"does": what, "path": path, "follow": true, "text": "evil"})).await;
            assert!(tried["error"].is_string(), "{what} {path}: {tried}");
        }
        for what in ["rename", "link"] {
            for (from, to) in [("ok.txt", format!("{path}/stolen")), (path, "stolen/".to_owned())] {
                if from == path && !path.ends_with('/') {
                    continue; // moving the link itself is no way out
                }
                let tried = field.file(json!({"does": what, "path": from, "to": to})).await;
                assert!(tried["error"].is_string(), "{what} {from} {to}: {tried}");
            }
        }
    }
    field.untouched();
}

#[tokio::test]
async fn a_link_that_is_swapped_in_at_the_last_moment_leads_nowhere() {
    let field = Field::new("read").await;
    fs::create_dir(field.inside.join("a")).unwrap();
    fs::write(field.inside.join("a/secret.txt"), "harmless").unwrap();
    let (stop, swaps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (inside, stopped, swapped) = (field.inside.clone(), stop.clone(), swaps.clone());
    let swapper = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            fs::rename(inside.join("a"), inside.join("b")).unwrap();
            symlink("../outside", inside.join("a")).unwrap();
            fs::remove_file(inside.join("a")).unwrap();
            fs::rename(inside.join("b"), inside.join("a")).unwrap();
            swapped.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (mut reads, mut seen) = (0, BTreeSet::new());
    // The two threads do not have to get equal shares of a busy machine.
    while reads < 20_000 || swaps.load(Ordering::Relaxed) <= 100 {
        let tried = field.file(json!({"does": "read-many", "path": "a/secret.txt", "follow": true, "times": 2_000})).await;
        let texts = tried["ok"]["seen"].as_array().unwrap_or_else(|| panic!("{tried}")).clone();
        seen.extend(texts.into_iter().map(|text| text.to_string()));
        reads += 2_000;
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert_eq!(seen, BTreeSet::from(["\"harmless\"".to_owned()]), "after {swaps:?} swaps");
}

#[tokio::test]
async fn pipes_sockets_and_devices_are_not_opened_and_hold_nobody_up() {
    let field = Field::new("write").await;
    let made = std::process::Command::new("mkfifo").arg(field.inside.join("pipe")).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(field.inside.join("socket")).unwrap();
    symlink("pipe", field.inside.join("to-pipe")).unwrap();
    for path in ["pipe", "socket", "to-pipe"] {
        for what in ["open", "read", "write", "append", "open-empty", "create", "truncate"] {
            let tried = field.file(json!({"does": what, "path": path, "follow": true, "text": "evil"})).await;
            assert_eq!(error(&tried), "not-permitted", "{what} {path}");
        }
    }
    // The kernel lets only root make a device; where it is not allowed, there is none to open.
    let device = field.inside.join("device");
    if std::process::Command::new("mknod").arg(&device).args(["c", "1", "9"]).status().is_ok_and(|status| status.success()) {
        assert_eq!(error(&field.does("read", "device").await), "not-permitted");
    }
}

#[tokio::test]
async fn what_is_granted_is_listed_from_its_top() {
    let field = Field::new("read").await;
    assert_eq!(field.does("list-top", "").await["ok"], json!(["deep", "ok.txt"]));
    assert_eq!(field.does("list", ".").await["ok"], json!(["deep", "ok.txt"]));
}

#[tokio::test]
async fn a_hard_link_from_outside_is_the_operators_choice_and_a_guest_makes_none() {
    let field = Field::new("write").await;
    let tried = field.file(json!({"does": "link", "path": "near/secret.txt", "to": "stolen"})).await;
    assert!(tried["error"].is_string(), "{tried}");
    symlink("../outside/secret.txt", field.inside.join("link")).unwrap();
    // A link to a link is a link: it does not become the file.
    let _ = field.file(json!({"does": "link", "path": "link", "to": "stolen"})).await;
    let read = field.file(json!({"does": "read", "path": "stolen", "follow": true})).await;
    assert!(read["error"].is_string(), "{read}");
    field.untouched();
}

#[tokio::test]
async fn a_directory_takes_as_much_as_its_quota_by_whatever_way() {
    let field = Field::with("access = 'write'\nquota = '20kB'").await;
    for what in ["write", "write-stream", "append"] {
        assert_eq!(field.file(json!({"does": what, "path": "fits", "size": 4_000})).await["ok"], 4_000, "{what}");
        let over = field.file(json!({"does": what, "path": "large", "size": 30_000})).await;
        assert_eq!(error(&over), "insufficient-space", "{what}");
        let held: u64 = names(&field.inside).iter().map(|name| fs::metadata(field.inside.join(name)).unwrap().len()).sum();
        assert!(held <= 20_000, "{what}: {held}");
        assert_eq!(field.does("unlink", "large").await, json!({"ok": null}), "{what}");
    }
    assert_eq!(error(&field.file(json!({"does": "set-size", "path": "fits", "size": 1_u64 << 40})).await), "insufficient-space");
    assert_eq!(error(&field.file(json!({"does": "write", "path": "fits", "offset": 0, "size": 20_001})).await), "insufficient-space");
    // Room comes back with what is removed, within one call too.
    let again = outcomes(
        &field.place,
        json!([
            {"file": {"does": "unlink", "path": "fits"}},
            {"file": {"does": "write", "path": "new", "size": 15_000}},
            {"file": {"does": "write", "path": "newer", "size": 15_000}},
            {"file": {"does": "unlink", "path": "new"}},
            {"file": {"does": "write", "path": "newest", "size": 15_000}},
        ]),
    )
    .await;
    assert_eq!(again[1]["ok"], 15_000);
    assert_eq!(error(&again[2]), "insufficient-space");
    assert_eq!(again[4]["ok"], 15_000, "{again:?}");
}

#[tokio::test]
async fn names_are_not_free() {
    let field = Field::with("access = 'write'\nquota = '20kB'").await;
    for what in ["create", "mkdir", "symlink", "link"] {
        fs::remove_dir_all(&field.inside).unwrap();
        fs::create_dir(&field.inside).unwrap();
        fs::write(field.inside.join("one"), "").unwrap();
        let step = |n: usize| match what {
            "symlink" | "link" => json!({"file": {"does": what, "path": "one", "to": format!("n{n}")}}),
            _ => json!({"file": {"does": what, "path": format!("n{n}")}}),
        };
        let made = outcomes(&field.place, (0..100).map(step).collect()).await;
        let refused = made.iter().filter(|made| made["error"] == "insufficient-space").count();
        assert!(refused > 50 && names(&field.inside).len() < 50, "{what}: {refused} refused");
    }
}

#[tokio::test]
async fn a_hole_is_filled_at_its_price() {
    let field = Field::with("access = 'write'\nquota = '1MB'").await;
    // A large file of nothing costs what it could hold, so that filling it later is no way around.
    let tried = outcomes(
        &field.place,
        json!([
            {"file": {"does": "write", "path": "hole", "offset": 0, "size": 1}},
            {"file": {"does": "set-size", "path": "hole", "size": 900_000}},
            {"file": {"does": "write", "path": "other", "size": 200_000}},
        ]),
    )
    .await;
    assert_eq!(tried[1]["ok"], Value::Null);
    assert_eq!(error(&tried[2]), "insufficient-space");
}

#[tokio::test]
async fn listings_and_open_files_are_bounded() {
    let field = Field::new("read").await;
    for n in 0..2_000 {
        fs::write(field.inside.join(format!("deep/{n}")), "").unwrap();
    }
    let lists: Vec<Value> = (0..60).map(|_| json!({"file": {"does": "list", "path": "deep"}})).collect();
    let listed = probe::call(&field.place, lists.into()).await;
    // Either the host has enough of the listings, or of the answer's size; in no case does it hold more.
    assert!(matches!(listed.end, End::Done | End::Output(_)), "{:?}", listed.end);

    let holds: Vec<Value> = (0..400).map(|_| json!({"file": {"does": "hold", "path": "ok.txt"}})).collect();
    let held = probe::call(&field.place, holds.into()).await;
    assert_ne!(held.end, End::Done, "more files than `handles` allows");
    assert_eq!(field.does("read", "ok.txt").await["ok"], "ok");
}
