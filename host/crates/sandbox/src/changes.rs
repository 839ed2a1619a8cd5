//! What differs between the version of a plugin that was accepted and the one
//! that was found, as an operator reads it before deciding. Nothing is shortened:
//! both sides are bounded by what a descriptor and a manifest may hold, and what
//! was cut off could be the part that matters.

use std::collections::BTreeMap;

use serde_json::Value;
use tool::{Change, Traits};

use crate::accepted::Record;
use crate::catalog::Version;
use crate::descriptor::Tool;

/// Everything that differs; everything that was found where nothing was accepted.
pub(crate) fn between(record: Option<&Record>, version: &Version) -> Vec<Change> {
    let mut changes = Changes::default();
    changes.text("version", record.map(|it| &*it.version), Some(&version.version));
    changes.text("component", record.map(|it| &*it.digests.component), Some(&version.digests.component));
    let old = record.map(|record| record.requests.phrases()).unwrap_or_default();
    let new = version.requests.phrases();
    for gone in old.iter().filter(|phrase| !new.contains(phrase)) {
        changes.text("asks for", Some(gone), None);
    }
    for come in new.iter().filter(|phrase| !old.contains(phrase)) {
        changes.text("asks for", None, Some(come));
    }
    let by_name = |tools: &[Tool]| tools.iter().map(|tool| (tool.name.clone(), tool.clone())).collect::<BTreeMap<_, _>>();
    let (old, new) = (by_name(record.map_or(&[], |record| &record.tools)), by_name(&version.described));
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        changes.tool(name, old.get(name), new.get(name));
    }
    changes.0
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn text(&mut self, what: &str, before: Option<&str>, after: Option<&str>) {
        if before != after {
            self.0.push(Change { what: what.to_owned(), before: before.map(str::to_owned), after: after.map(str::to_owned) });
        }
    }

    fn tool(&mut self, name: &str, old: Option<&Tool>, new: Option<&Tool>) {
        let at = |part: &str| format!("tool {name}: {part}");
        let text = |tool: Option<&Tool>, part: fn(&Tool) -> &str| tool.map(|tool| part(tool).to_owned());
        let description: fn(&Tool) -> &str = |tool| &tool.description;
        self.text(&at("description"), text(old, description).as_deref(), text(new, description).as_deref());
        let flags = |tool: Option<&Tool>| tool.map(|tool| flags(tool.traits));
        self.text(&at("flags"), flags(old).as_deref(), flags(new).as_deref());
        let [(old_input, old_output, old_notes), (new_input, new_output, new_notes)] = [old, new].map(|tool| match tool {
            Some(tool) => (Some(&*tool.input), tool.output.as_deref(), tool.annotations.as_deref()),
            None => (None, None, None),
        });
        self.document(&at("input"), old_input, new_input);
        self.document(&at("output"), old_output, new_output);
        self.document(&at("annotations"), old_notes, new_notes);
    }

    fn document(&mut self, what: &str, old: Option<&str>, new: Option<&str>) {
        let read = |text: Option<&str>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        match (read(old), read(new)) {
            // The same value in another spelling is still another text for the model.
            (Some(before), Some(after)) if before == after => self.text(what, old, new),
            (before, after) => self.json(what, "", before.as_ref(), after.as_ref()),
        }
    }

    /// The smallest parts of two values that differ.
    fn json(&mut self, what: &str, pointer: &str, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let added = new.keys().filter(|name| !old.contains_key(*name));
                for name in old.keys().chain(added) {
                    self.json(what, &format!("{pointer}/{name}"), old.get(name), new.get(name));
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                for index in 0..old.len().max(new.len()) {
                    self.json(what, &format!("{pointer}/{index}"), old.get(index), new.get(index));
                }
            }
            (before, after) if before == after => {}
            (before, after) => {
                let what = if pointer.is_empty() { what.to_owned() } else { format!("{what} {pointer}") };
                // A text stands as it is, unless it could be taken for something else on the other side.
                let texts = [before, after].into_iter().flatten().all(Value::is_string);
                let shown = |value: &Value| value.as_str().filter(|_| texts).map_or_else(|| value.to_string(), str::to_owned);
                self.0.push(Change { what, before: before.map(shown), after: after.map(shown) });
            }
        }
    }
}

fn flags(traits: Traits) -> String {
    let Traits { read_only, idempotent, additive, closed_world } = traits;
    let all = [(read_only, "read-only"), (idempotent, "idempotent"), (additive, "additive"), (closed_world, "closed-world")];
    let set: Vec<&str> = all.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    if set.is_empty() { "none".into() } else { set.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(input: &str) -> Tool {
        Tool {
            name: "act".into(),
            description: "Does it.".into(),
            input: input.into(),
            output: None,
            traits: Traits::default(),
            annotations: None,
        }
    }

    fn compared(old: Option<&Tool>, new: Option<&Tool>) -> Vec<(String, Option<String>, Option<String>)> {
        let mut changes = Changes::default();
        changes.tool("act", old, new);
        changes.0.into_iter().map(|it| (it.what.trim_start_matches("tool act: ").to_owned(), it.before, it.after)).collect()
    }

    fn line(what: &str, before: Option<&str>, after: Option<&str>) -> (String, Option<String>, Option<String>) {
        (what.to_owned(), before.map(str::to_owned), after.map(str::to_owned))
    }

    #[test]
    fn a_schema_is_compared_part_by_part() {
        let old = tool(r#"{"type":"object","properties":{"n":{"maximum":3,"description":"how many"},"gone":{}},"required":["n"]}"#);
        let new = tool(
            r#"{"type":"object","properties":{"n":{"maximum":"3","description":"all"},"new":{"type":"string"}},"required":["n","new"]}"#,
        );
        assert_eq!(compared(Some(&old), Some(&old)), []);
        assert_eq!(
            compared(Some(&old), Some(&new)),
            [
                line("input /properties/n/maximum", Some("3"), Some("\"3\"")),
                line("input /properties/n/description", Some("how many"), Some("all")),
                line("input /properties/gone", Some("{}"), None),
                line("input /properties/new", None, Some("{\"type\":\"string\"}")),
                line("input /required/1", None, Some("new")),
            ]
        );
    }

    #[test]
    fn another_spelling_of_the_same_schema_is_a_difference_too() {
        let (old, new) = (tool(r#"{"type":"object"}"#), tool(r#"{ "type": "object" }"#));
        assert_eq!(compared(Some(&old), Some(&new)), [line("input", Some(&old.input), Some(&new.input))]);
    }

    #[test]
    fn flags_and_texts_are_named_and_a_new_tool_is_shown_whole() {
        let old = tool("{}");
        let new = Tool {
            description: "Does more.".into(),
            traits: Traits { read_only: true, closed_world: true, ..Traits::default() },
            annotations: Some(r#"{"title":"It"}"#.into()),
            ..old.clone()
        };
        assert_eq!(
            compared(Some(&old), Some(&new)),
            [
                line("description", Some("Does it."), Some("Does more.")),
                line("flags", Some("none"), Some("read-only, closed-world")),
                line("annotations", None, Some("{\"title\":\"It\"}")),
            ]
        );
        let whole = [line("description", None, Some("Does it.")), line("flags", None, Some("none")), line("input", None, Some("{}"))];
        assert_eq!(compared(None, Some(&old)), whole);
    }
}
