//! What a new project consists of, and when there is none.

use super::*;

fn new(folder: &Path, name: &str, language: Language) -> New {
    New { name: name.into(), language, is_plain: false, folder: folder.to_owned() }
}

#[test]
fn every_language_gives_a_project_of_that_language_with_the_name_everywhere() {
    for language in Language::ALL {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("deep/unit-converter");
        let files = create(&new(&folder, "unit-converter", language)).unwrap();
        assert!(files.is_sorted() && files.iter().any(|file| file == crate::project::MANIFEST), "{files:?}");
        for file in &files {
            assert!(!file.contains("{{") && !file.ends_with(DISGUISE), "{file}");
            let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
            assert!(file.starts_with("sdk/") || !text.contains("{{"), "{language}: {file} has a place that was not filled");
        }
        let project = crate::Project::open(&folder).unwrap();
        assert_eq!((project.name.as_str(), project.language), ("unit-converter", language));
    }
}

#[test]
fn no_module_of_a_project_has_a_name_that_its_language_keeps_for_itself() {
    for name in ["class", "json", "tests", "wardian-plugin", "self", "crate", "std", "core", "con", "aux", "cmd", "serde"] {
        let place = tempfile::tempdir().unwrap();
        let read = |language: Language, file: &str| {
            let folder = place.path().join(language.to_string());
            if !folder.exists() {
                create(&new(&folder, name, language)).unwrap();
            }
            fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{name} in {language}: {file}: {error}"))
        };
        let snake = name.replace('-', "_");
        let module = format!("{snake}_tools");
        assert!(read(Language::Rust, "Cargo.toml").contains(&format!("[package]\nname = \"{name}-tools\"\n")));
        assert!(read(Language::Go, "go.mod").starts_with(&format!("module {module}\n")));
        assert!(read(Language::Python, "pyproject.toml").contains(&format!("[tool.wardian]\nmodule = \"{module}\"\n")));
        assert!(read(Language::Python, &format!("src/{module}.py")).contains("@tool"));
        assert!(read(Language::Python, &format!("tests/test_{snake}.py")).contains(&format!("\nimport {module} ")));
    }
}

/// What each kind of project consists of is seen by every author, so it changes on purpose only:
/// `WARDIAN_BLESS=1 cargo test -p author` writes the lists again.
#[test]
fn the_files_of_each_kind_of_project_are_those_in_the_golden_list() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    for (kind, language, is_plain) in [
        ("rust", Language::Rust, false),
        ("python", Language::Python, false),
        ("js", Language::Js, false),
        ("js-plain", Language::Js, true),
        ("go", Language::Go, false),
        ("c", Language::C, false),
    ] {
        let place = tempfile::tempdir().unwrap();
        let files = create(&New { is_plain, ..new(place.path(), "unit-converter", language) }).unwrap().join("\n") + "\n";
        let list = golden.join(format!("new-{kind}.txt"));
        if std::env::var_os("WARDIAN_BLESS").is_some() {
            fs::create_dir_all(&golden).unwrap();
            fs::write(&list, &files).unwrap();
        }
        assert_eq!(files, fs::read_to_string(&list).unwrap_or_default(), "{kind}");
    }
}

#[test]
fn a_name_that_is_none_is_refused_and_nothing_is_written() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("p");
    for name in ["", "Greeter", "my_tool", "../up", "a/b", "1st", "-x", "näme", &"x".repeat(33)] {
        let refused = create(&new(&folder, name, Language::Rust)).unwrap_err();
        assert!(refused.to_string().contains("it is no plugin name; a plugin's name has lower-case letters"), "{refused}");
    }
    assert!(!folder.exists());
}

#[test]
fn a_folder_with_something_in_it_is_left_alone_unless_that_is_its_repository() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join(".git")).unwrap();
    create(&new(place.path(), "greeter", Language::Python)).unwrap();
    let refused = create(&new(place.path(), "greeter", Language::Python)).unwrap_err();
    assert!(refused.reason.starts_with("it is not empty, "), "{refused}");
    let file = place.path().join("plugin.toml");
    let refused = create(&new(&file, "greeter", Language::Python)).unwrap_err();
    assert!(refused.reason.starts_with("it cannot be looked into"), "{refused}");
    let refused = create(&new(&file.join("below"), "greeter", Language::Python)).unwrap_err();
    assert!(refused.next.contains("--into"), "{refused}");
}

#[test]
fn only_javascript_has_a_plain_kind() {
    let place = tempfile::tempdir().unwrap();
    for language in Language::ALL.into_iter().filter(|language| *language != Language::Js) {
        let plain = New { is_plain: true, ..new(place.path(), "greeter", language) };
        assert!(create(&plain).unwrap_err().to_string().starts_with("--plain: there is one kind of "));
    }
}

#[test]
fn files_lose_their_disguise_and_get_the_name_in_its_places() {
    assert_eq!(named("Cargo.toml.in", "a-b"), "Cargo.toml");
    assert_eq!(named("src/{{snake}}/x.py", "a-b"), "src/a_b/x.py");
    assert_eq!(&*filled(b"{{name}} {{snake}} {{other}}".as_slice().into(), "a-b"), b"a-b a_b {{other}}");
    assert_eq!(&*filled(b"\xff{{name}}".as_slice().into(), "a-b"), b"\xff{{name}}");
}
