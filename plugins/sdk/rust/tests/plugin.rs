//! A plugin of two tools, as an author writes it, called natively.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wardian_plugin::{Content, Data, Error, PURE, Reason, Tool, Traits, cache, config, context, secrets, store};

/// Counts how often a name was seen.
#[derive(Deserialize)]
struct Count {
    name: String,
}

#[derive(Serialize)]
struct Counted {
    times: u8,
}

impl Tool for Count {
    const NAME: &str = "count";
    const DESCRIPTION: &str = "\nCounts a name.\n";
    const INPUT: &str = r#"{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}"#;
    type Answer = Data<Counted>;

    fn run(self) -> Result<Self::Answer, Error> {
        let times = store::get(&self.name)?.and_then(|value| value.first().copied()).unwrap_or(0) + 1;
        store::set(&self.name, &[times])?;
        Ok(Data(Counted { times }))
    }
}

/// Always too busy.
#[derive(Deserialize)]
struct Busy {}

impl Tool for Busy {
    const NAME: &str = "busy";
    const DESCRIPTION: &str = "Does nothing.";
    const INPUT: &str = r#"{"type": "object"}"#;
    const TRAITS: Traits = PURE;
    type Answer = String;

    fn run(self) -> Result<Self::Answer, Error> {
        Err(Error::unavailable("come back later").code("busy").retry_after(Duration::from_secs(2)))
    }
}

wardian_plugin::export!(Count, Busy);

fn data(parts: Vec<Content>) -> String {
    match parts.as_slice() {
        [Content::Data(text)] => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tools_are_described_in_the_order_of_the_list() {
    let tools = describe();

    assert_eq!(tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["count", "busy"]);
    assert_eq!(tools[0].description, "Counts a name.");
    assert_eq!((tools[0].traits, tools[1].traits), (Traits::empty(), Traits::all()));
    assert!(tools[0].output.is_none() && tools[0].annotations.is_none());
}

#[test]
fn a_call_goes_from_json_to_json_over_the_store() {
    let first = invoke("count", r#"{"name": "ada"}"#).unwrap();
    let second = invoke("count", r#"{"name": "ada"}"#).unwrap();

    assert_eq!((data(first), data(second)), (r#"{"times":1}"#.into(), r#"{"times":2}"#.into()));
}

#[test]
fn arguments_that_do_not_fit_are_invalid_input() {
    let error = invoke("count", r#"{"name": 7}"#).unwrap_err();

    assert_eq!(error.reason, Reason::InvalidInput);
    assert!(error.message.starts_with("cannot read the arguments of count"), "{error}");
    assert_eq!(invoke("other", "{}").unwrap_err().reason, Reason::NotFound);
}

#[test]
fn an_error_keeps_its_code_and_delay() {
    let error = invoke("busy", "{}").unwrap_err();

    assert_eq!(error.reason, Reason::Unavailable);
    assert_eq!((error.code.as_deref(), error.retry_after), (Some("busy"), Some(Duration::from_secs(2))));
}

#[test]
fn host_errors_become_the_reason_that_helps() {
    let reason = |error: Error| (error.reason, error.code);

    assert_eq!(reason(store::Error::Denied.into()), (Reason::Unauthorized, Some("not_granted".into())));
    assert_eq!(reason(store::Error::Quota(10).into()), (Reason::Refused, Some("quota".into())));
    assert_eq!(reason(store::set("", b"x").unwrap_err().into()), (Reason::InvalidInput, Some("invalid_key".into())));
    assert_eq!(reason(cache::Error::Unavailable.into()), (Reason::Unavailable, None));
    assert_eq!(reason(secrets::reveal("key").unwrap_err().into()), (Reason::Unauthorized, Some("not_granted".into())));
}

#[test]
fn the_stand_in_reads_files_in_parts_and_grants_nothing_else() {
    cache::write("index", b"0123456789").unwrap();

    assert_eq!(cache::read("index", 8, 10).unwrap().as_deref(), Some(&b"89"[..]));
    assert_eq!(cache::read("index", 99, 10).unwrap().as_deref(), Some(&b""[..]));
    assert_eq!((cache::size("index").unwrap(), cache::size("other").unwrap()), (Some(10), None));
    assert_eq!((config::keys(), context::user(), secrets::ready("key")), (Vec::new(), None, false));
}
