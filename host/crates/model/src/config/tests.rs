//! What the section takes, and what it says about what it does not take.

use super::*;

fn build(text: &str) -> Result<Models, Vec<Problem>> {
    let file: ModelsFile = toml::from_str(text).unwrap();
    let env = |name: &str| (name == "KEY").then(|| "s3cret".to_owned());
    file.build(&Surroundings { base: Path::new("/nowhere"), env: &env })
}

fn problem(text: &str) -> String {
    build(text).err().expect("the section is wrong")[0].to_string()
}

#[test]
fn every_provider_is_built() {
    let models = build(
        "unknown = 'default'
        [default]\nprovider = 'openai'\nmodel = 'm'\nbase_url = 'http://127.0.0.1:1/v1'\ncontext_window = 9000
        [claude]\nprovider = 'anthropic'\nmodel = 'c'\napi_key = 'env:KEY'\nstream = 'always'\n[claude.timeouts]\nfirst_byte_ms = 5
        [gemini]\nprovider = 'gemini'\nmodel = 'g'\napi_key = 'env:KEY'\nheaders = { x-team = 'a', x-other = 'env:KEY' }
        [responses]\nprovider = 'openai-responses'\nmodel = 'r'
        [offline]\nprovider = 'offline'",
    )
    .unwrap_or_else(|problems| panic!("{problems:?}"));
    let names: Vec<_> = models.names().collect();
    assert_eq!(names, ["claude", "default", "gemini", "offline", "responses"]);
    let default = models.get("default").unwrap();
    assert_eq!((default.context_window(), default.origin().provider.as_str()), (9000, "127.0.0.1:1"));
    assert_eq!(models.get("no such").unwrap().origin(), default.origin());
    assert_eq!(models.get("gemini").unwrap().origin().provider, "generativelanguage.googleapis.com");
    assert_eq!(models.get("responses").unwrap().origin().wire, "openai-responses");
}

#[test]
fn an_unknown_name_is_unknown_unless_the_default_stands_in() {
    let models = build("[a]\nprovider = 'offline'").unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(models.get("b").is_none());
    assert_eq!(models.default_name(), "a");
}

#[test]
fn what_is_wrong_is_said_with_its_key_and_a_way_out() {
    for (text, key, said) in [
        ("[a]\nprovider = 'openai'", "models.a.model", "missing"),
        ("[a]\nprovider = 'openai'\nmodel = 'm'\napi_key = 'sk-123'", "models.a.api_key", "write `env:NAME`"),
        ("[a]\nprovider = 'openai'\nmodel = 'm'\napi_key = 'env:NONE'", "models.a.api_key", "has no NONE"),
        ("[a]\nprovider = 'openai'\nmodel = 'm'\napi_key = 'file:none'", "models.a.api_key", "/nowhere/none cannot be read"),
        ("[a]\nprovider = 'openai'\nmodel = 'm'\nbase_url = 'localhost:1/v1'", "models.a.base_url", "write it like https://"),
        ("[a]\nprovider = 'openai'\nmodel = 'm'\nbase_url = 'http://u:p@h/v1'", "models.a.base_url", "use api_key"),
        ("[a]\nprovider = 'scripted'", "models.a.script", "needs the path"),
        ("unknown = 'error'", "models", "no model is configured"),
    ] {
        let problem = problem(text);
        assert!(problem.starts_with(&format!("{key}: ")) && problem.contains(said), "{problem}");
        assert!(!problem.contains("sk-123") && !problem.contains("u:p"), "{problem}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let error = toml::from_str::<ModelsFile>("[a]\nprovider = 'offline'\ncontext = 1").unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("unknown field `context`"), "{error}");
}
