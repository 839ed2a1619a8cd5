//! Writing requests: pieces of JSON, put together without building a tree.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use session::{ItemBody, Origin, RawReply};

/// The longest name of a tool that providers take.
const NAME_BYTES_MAX: usize = 64;

/// Appends a value.
pub(super) fn push(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("a Vec takes every write, and our values are all JSON");
}

/// Appends `,"name":value`, or without the comma where an object has just begun.
pub(super) fn push_member(out: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    push(out, name);
    out.push(b':');
    push(out, value);
}

/// Appends a piece of a list, with a comma where the list has begun; an empty piece leaves no trace.
pub(super) fn push_piece(out: &mut Vec<u8>, piece: &[u8]) {
    if piece.is_empty() {
        return;
    }
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
    out.extend_from_slice(piece);
}

/// Appends the agent's parameters, but those that are ours to set.
pub(super) fn push_parameters(out: &mut Vec<u8>, parameters: &Map<String, Value>, ours: &[&str]) {
    for (name, value) in parameters.iter().filter(|(name, _)| !ours.contains(&name.as_str())) {
        push_member(out, name, value);
    }
}

/// Arguments as they may be sent back: broken ones would poison every later request.
pub(super) fn legal_arguments(arguments: &str) -> &str {
    let arguments = arguments.trim();
    let is_object = arguments.starts_with('{') && serde_json::from_str::<IgnoredAny>(arguments).is_ok();
    if is_object { arguments } else { "{}" }
}

/// A tool's name as providers take it, whatever the model made up.
pub(super) fn legal_name(name: &str) -> Cow<'_, str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() {
        return "unnamed".into();
    }
    if name.len() <= NAME_BYTES_MAX && name.chars().all(legal) {
        return name.into();
    }
    name.chars().take(NAME_BYTES_MAX).map(|c| if legal(c) { c } else { '_' }).collect::<String>().into()
}

/// The provider's own form of a reply, where it may be sent to this origin.
pub(super) fn replay<'a>(body: &'a ItemBody, origin: &Origin) -> Option<&'a str> {
    match body {
        ItemBody::Assistant { raw: Some(RawReply { origin: from, json }), .. } if from == origin => Some(json.get()),
        _ => None,
    }
}

/// The name under which items remember their form for this origin. Two models may share a wire but not their
/// raw replies, so the wire's name alone would not do. Names live as long as the process; there is one for each
/// model that was ever configured.
pub(super) fn cache_key(origin: &Origin) -> &'static str {
    static KEYS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let key = format!("{} {} {} {}", origin.wire, origin.provider, origin.model, origin.format);
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    match keys.get(key.as_str()) {
        Some(known) => known,
        None => {
            let key: &'static str = Box::leak(key.into_boxed_str());
            keys.insert(key);
            key
        }
    }
}
