//! Input schemas, as model providers take them: each refuses something that the
//! standard allows. Whether a schema is valid at all, the server has checked before.

use serde_json::{Map, Value};

use super::{Described, Finding};

/// A schema that is longer costs more in every prompt than most tools are worth.
const BYTES_ADVISED: usize = 8 << 10;

/// Models fill deeper objects badly; the strictest provider stops at five.
const DEPTH_ADVISED: usize = 5;

/// Keywords that providers refuse at the root.
const NOT_AT_ROOT: [&str; 8] = ["oneOf", "anyOf", "allOf", "not", "enum", "const", "if", "$ref"];

/// What may stand in the name of an argument, beside letters and digits.
const NAME_MARKS: [char; 3] = ['_', '.', '-'];

/// The longest name of an argument.
const NAME_BYTES_MAX: usize = 64;

pub(super) fn read(tool: &Described) -> Vec<Finding> {
    let place = format!("tool {}, input schema", tool.name);
    let Ok(schema) = serde_json::from_str::<Value>(&tool.input) else { return Vec::new() };
    let mut findings = Vec::new();
    let at_root: Vec<&str> = NOT_AT_ROOT.into_iter().filter(|keyword| schema.get(keyword).is_some()).collect();
    if !at_root.is_empty() {
        findings.push(Finding::error(
            &place,
            format!("its root has {}, which model providers refuse", at_root.join(", ")),
            "write one object with all arguments, optional ones not in `required`, and check in the tool what belongs together",
        ));
    }
    if tool.input.len() > BYTES_ADVISED {
        findings.push(Finding::warning(&place, format!("it is {} bytes long, and part of every prompt", tool.input.len()), "shorten it"));
    }
    let mut walk = Walk::default();
    walk.object(&schema, "", 1);
    walk.findings(&place, &mut findings);
    findings
}

/// What was met on the way through a schema, by the paths of arguments.
#[derive(Default)]
struct Walk {
    undescribed: Vec<String>,
    open: Vec<String>,
    untyped: Vec<String>,
    without_items: Vec<String>,
    misnamed: Vec<String>,
    deepest: usize,
}

impl Walk {
    fn object(&mut self, schema: &Value, at: &str, depth: usize) {
        self.deepest = self.deepest.max(depth);
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return;
        };
        if schema.get("additionalProperties").is_none() {
            self.open.push(if at.is_empty() { "the root".to_owned() } else { at.to_owned() });
        }
        for (name, property) in properties {
            let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            let legal = |c: char| c.is_ascii_alphanumeric() || NAME_MARKS.contains(&c);
            if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(legal) {
                self.misnamed.push(path.clone());
            }
            if property.get("description").and_then(Value::as_str).is_none_or(str::is_empty) {
                self.undescribed.push(path.clone());
            }
            self.value(property, &path, depth);
        }
    }

    fn value(&mut self, schema: &Value, path: &str, depth: usize) {
        let Some(keywords) = schema.as_object() else { return };
        if !is_typed(keywords) {
            self.untyped.push(path.to_owned());
        }
        let is_array = keywords.get("type").is_some_and(|kind| kind == "array");
        match keywords.get("items") {
            None if is_array && !keywords.contains_key("prefixItems") => self.without_items.push(path.to_owned()),
            Some(items) => self.value(items, &format!("{path}[]"), depth + 1),
            None => {}
        }
        self.object(schema, path, depth + 1);
    }

    fn findings(self, place: &str, findings: &mut Vec<Finding>) {
        let Self { undescribed, open, untyped, without_items, misnamed, deepest } = self;
        let mut add = |names: Vec<String>, make: fn(String, String, String) -> Finding, what: &str, fix: &str| {
            if !names.is_empty() {
                findings.push(make(place.to_owned(), format!("{} {what}", names.join(", ")), fix.to_owned()));
            }
        };
        add(misnamed, Finding::error, "has a name that model providers refuse", "use letters, digits, _, . and -, at most 64 of them");
        add(without_items, Finding::error, "is an array without `items`, which model providers refuse", "say what stands in it");
        add(
            undescribed,
            Finding::warning,
            "has no description",
            "say in a few words what it is, with an example: the model reads nothing else",
        );
        add(untyped, Finding::warning, "has no type", "say which one; without it a model guesses");
        add(
            open,
            Finding::warning,
            "takes unknown properties",
            "add `\"additionalProperties\": false`: what a model makes up is then told to it, and does not get lost",
        );
        if deepest > DEPTH_ADVISED {
            findings.push(Finding::warning(place, format!("it is {deepest} levels deep"), "flatten it: models fill deep objects badly"));
        }
    }
}

fn is_typed(schema: &Map<String, Value>) -> bool {
    ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"].iter().any(|keyword| schema.contains_key(*keyword))
}
