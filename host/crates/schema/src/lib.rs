//! JSON Schema of arguments and answers: what is accepted as a schema, and
//! checking values against it. A schema comes from a tool's author or from a
//! client, so it may be a lie or a trap: nothing remote, nothing that recurses
//! without end, nothing whose check takes more than time proportional to its
//! input. Beside it what else such texts are looked at for: members that stand
//! twice, characters that nobody sees.
//!
//! ```
//! let schema = schema::Schema::compile(r#"{"type": "object", "required": ["city"]}"#).unwrap();
//! assert!(schema.check(&serde_json::json!({"city": "Oslo"})).is_ok());
//! ```

pub mod json;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// The text of one schema.
pub const BYTES_MAX: usize = 64 << 10;

/// Subschemas of one schema: each may be tried for each part of a value.
const SUBSCHEMAS_MAX: usize = 256;

/// Ways from the root to a subschema, over all of them. Two references to one
/// definition are two ways, and each level of such doubles multiplies them: this
/// bounds how often one part of a value is looked at.
const WAYS_MAX: u64 = 1_024;

/// Values in all `enum` lists together; each is compared with each part of a value.
const ENUM_VALUES_MAX: usize = 1_000;

/// How deep a schema may lie in itself.
const DEPTH_MAX: usize = 64;

/// A compiled regular expression may take this much memory.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Where the search begins for the size that all patterns of a schema fit into;
/// it goes on by doubling. The size stands for the states of the largest.
const PATTERN_BYTES_MIN: usize = 2 << 10;

/// Compiled patterns, each counted as often as a part of a value can meet it,
/// times the bytes of text they are tried on. Linear engines take time for each
/// state and character: 5,000 states on 100 KB were seen to take three seconds,
/// which nothing interrupts. This is about as much.
const PATTERN_WORK_MAX: u64 = 50_000_000_000;

/// The part of that which may be done where other work waits: some milliseconds.
const PATTERN_WORK_LIGHT: u64 = PATTERN_WORK_MAX / 1_000;

/// Faults of a value that are reported at once: a model corrects several as easily as one.
const FAULTS_MAX: usize = 4;

/// The words for one fault.
const FAULT_BYTES_MAX: usize = 300;

/// A schema, ready to check values.
pub struct Schema {
    validator: Validator,
    /// Bytes of compiled patterns that one part of a value may meet.
    patterns: u64,
}

impl Schema {
    /// Checks a schema's text and makes it ready. The answer to a bad one says what is wrong.
    pub fn compile(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("it is {} bytes long; at most {BYTES_MAX} are allowed", text.len()));
        }
        let mut schema = json::unambiguous(text)?;
        let Value::Object(root) = &mut schema else { return Err("its root is not an object".into()) };
        // A schema is known by its tool alone; under an address of its own, `#/…` could mean another one.
        root.remove("$id");
        if root.get("type").and_then(Value::as_str) != Some("object") {
            return Err("its root does not say `\"type\": \"object\"`".into());
        }
        if let Some(dialect) = root.get("$schema").and_then(Value::as_str)
            && dialect.trim_end_matches('#') != "https://json-schema.org/draft/2020-12/schema"
        {
            return Err("its `$schema` is not draft 2020-12".into());
        }
        let map = Map::of(&schema)?;
        map.check()?;
        map.check_ways()?;
        let (validator, bytes) = build(&schema)?;
        Ok(Self { validator, patterns: map.pattern_ways().saturating_mul(bytes) })
    }

    /// Whether checking so many bytes takes a few milliseconds at most.
    pub fn is_light(&self, bytes: usize) -> bool {
        self.patterns.saturating_mul(bytes as u64) <= PATTERN_WORK_LIGHT
    }

    /// Where a value does not satisfy the schema, and why; short, for a model to act on.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let text = if self.patterns == 0 { 0 } else { text_bytes(value) };
        if self.patterns.saturating_mul(text) > PATTERN_WORK_MAX {
            return Err("at the root: there is too much text in it to try the schema's patterns on; send less".into());
        }
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let faults: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(FAULTS_MAX)
            .map(|fault| format!("{}: {}", place(fault.instance_path().as_str()), short(&fault.to_string())))
            .collect();
        Err(faults.join("; "))
    }
}

/// The validator, and the size that its largest pattern fits into.
fn build(schema: &Value) -> Result<(Validator, u64), String> {
    let mut bytes = PATTERN_BYTES_MIN;
    loop {
        let patterns = PatternOptions::regex().size_limit(bytes).dfa_size_limit(PATTERN_BYTES_MAX);
        match jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(patterns).build(schema) {
            Ok(validator) => return Ok((validator, bytes as u64)),
            Err(_) if bytes < PATTERN_BYTES_MAX => bytes *= 2,
            Err(error) => return Err(format!("{}: {}", place(error.instance_path().as_str()), short(&error.to_string()))),
        }
    }
}

/// The bytes of all strings and names in a value.
fn text_bytes(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(text_bytes).sum(),
        Value::Object(members) => members.iter().map(|(name, item)| name.len() as u64 + text_bytes(item)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Where something is, as a person reads it.
fn place(pointer: &str) -> String {
    if pointer.is_empty() { "at the root".into() } else { text::escaped(pointer) }
}

fn short(text: &str) -> String {
    if text.len() <= FAULT_BYTES_MAX {
        return text.to_owned();
    }
    let end = (0..=FAULT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// How one subschema leads to another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// By `$ref`: the same part of the value.
    Ref,
    /// By a combinator such as `anyOf`: the same part of the value, perhaps several times.
    Combinator,
    /// Into the value.
    Inward,
}

const COMBINATORS: [&str; 7] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
const MAPS: [&str; 5] = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];
const SINGLES: [&str; 12] = [
    "additionalProperties",
    "items",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "additionalItems",
    "not",
    "if",
    "then",
    "else",
];

/// The subschemas of a schema by their JSON pointers, and the steps between them.
#[derive(Default)]
struct Map {
    subschemas: BTreeSet<String>,
    steps: BTreeMap<String, Vec<(Step, String)>>,
    /// How many patterns a subschema has itself.
    patterns: BTreeMap<String, u64>,
    enum_values: usize,
}

impl Map {
    fn of(schema: &Value) -> Result<Self, String> {
        let mut map = Self::default();
        map.visit(schema, String::new(), 0)?;
        Ok(map)
    }

    fn visit(&mut self, schema: &Value, at: String, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} levels deep"));
        }
        self.subschemas.insert(at.clone());
        if self.subschemas.len() > SUBSCHEMAS_MAX {
            return Err(format!("it has more than {SUBSCHEMAS_MAX} subschemas"));
        }
        let Value::Object(keywords) = schema else { return Ok(()) };
        if let Some(keyword) = ["$id", "$schema"].into_iter().find(|keyword| !at.is_empty() && keywords.contains_key(*keyword)) {
            return Err(format!("{}: `{keyword}` is allowed at the root only", place(&at)));
        }
        if keywords.contains_key("$dynamicRef") || keywords.contains_key("$recursiveRef") {
            return Err(format!("{}: dynamic references are not supported; use `$ref`", place(&at)));
        }
        if let Some(reference) = keywords.get("$ref") {
            let target = reference
                .as_str()
                .and_then(local)
                .ok_or_else(|| format!("{}: `$ref` must be a pointer inside the same schema, such as `#/$defs/name`", place(&at)))?;
            self.step(&at, Step::Ref, target);
        }
        let names = keywords.get("patternProperties").and_then(Value::as_object).map_or(0, serde_json::Map::len);
        let patterns = names + usize::from(keywords.contains_key("pattern"));
        if patterns > 0 {
            self.patterns.insert(at.clone(), patterns as u64);
        }
        self.enum_values += keywords.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
        if self.enum_values > ENUM_VALUES_MAX {
            return Err(format!("its `enum` lists have more than {ENUM_VALUES_MAX} values together"));
        }
        for (keyword, value) in keywords {
            let name = keyword.as_str();
            let step = if COMBINATORS.contains(&name) || name == "dependentSchemas" { Step::Combinator } else { Step::Inward };
            let under = format!("{at}/{}", escaped(name));
            match value {
                Value::Array(items) if LISTS.contains(&name) => {
                    for (index, item) in items.iter().enumerate() {
                        self.inner(&at, step, format!("{under}/{index}"), item, depth)?;
                    }
                }
                Value::Object(members) if MAPS.contains(&name) => {
                    let defines = name == "$defs" || name == "definitions";
                    for (member, item) in members {
                        let to = format!("{under}/{}", escaped(member));
                        if defines { self.visit(item, to, depth + 1)? } else { self.inner(&at, step, to, item, depth)? }
                    }
                }
                Value::Object(_) | Value::Bool(_) if SINGLES.contains(&name) => self.inner(&at, step, under, value, depth)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn inner(&mut self, at: &str, step: Step, to: String, schema: &Value, depth: usize) -> Result<(), String> {
        self.step(at, step, to.clone());
        self.visit(schema, to, depth + 1)
    }

    fn step(&mut self, at: &str, step: Step, to: String) {
        self.steps.entry(at.to_owned()).or_default().push((step, to));
    }

    /// Refuses references to nowhere, circles that never enter the value, and
    /// circles that pass a combinator: those can multiply at each round.
    fn check(&self) -> Result<(), String> {
        for (at, steps) in &self.steps {
            for (step, to) in steps {
                if !self.subschemas.contains(to) {
                    return Err(format!("{}: `$ref` names no subschema of this schema", place(at)));
                }
                let circle = match step {
                    Step::Ref => self.leads(to, at, |step| step != Step::Inward),
                    Step::Combinator => self.leads(to, at, |_| true),
                    Step::Inward => false,
                };
                if circle {
                    return Err(format!("{}: `$ref` comes back to itself without end or through a combinator", place(at)));
                }
            }
        }
        Ok(())
    }

    /// Refuses schemas that look at one part of a value very often: by many ways
    /// that meet again, or by a circle that two keywords for the same part go round.
    fn check_ways(&self) -> Result<(), String> {
        for at in &self.subschemas {
            let rounds: BTreeSet<&str> = self
                .steps
                .get(at)
                .into_iter()
                .flatten()
                .filter(|(_, to)| self.leads(to, at, |_| true))
                .map(|(step, to)| keyword_of(at, *step, to))
                .collect();
            if rounds.len() > 1 {
                return Err(format!("{}: more than one keyword for the same part of the value comes back to this place", place(at)));
            }
        }
        if self.ways("", &|_| 1, &mut BTreeMap::new(), 0) > WAYS_MAX {
            return Err(format!("its references multiply: there are more than {WAYS_MAX} ways through it"));
        }
        Ok(())
    }

    /// How many patterns there are, each as often as there are ways to it.
    fn pattern_ways(&self) -> u64 {
        if self.patterns.is_empty() {
            return 0;
        }
        self.ways("", &|at| self.patterns.get(at).copied().unwrap_or(0), &mut BTreeMap::new(), 0)
    }

    /// The ways that begin at a subschema and never come back to where they
    /// were; each counts for what stands at its end.
    fn ways<'a>(&'a self, at: &'a str, worth: &impl Fn(&str) -> u64, known: &mut BTreeMap<&'a str, u64>, depth: usize) -> u64 {
        if let Some(ways) = known.get(at) {
            return *ways;
        }
        // A circle enters the value at each round and is counted once.
        known.insert(at, worth(at));
        if depth > SUBSCHEMAS_MAX {
            return WAYS_MAX + 1;
        }
        let steps = self.steps.get(at).into_iter().flatten();
        let ways = steps.fold(worth(at), |sum, (_, to)| sum.saturating_add(self.ways(to, worth, known, depth + 1)));
        known.insert(at, ways);
        ways
    }

    fn leads(&self, from: &str, to: &str, by: impl Fn(Step) -> bool) -> bool {
        let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            for (step, next) in self.steps.get(at).into_iter().flatten() {
                if by(*step) && seen.insert(next) {
                    open.push(next);
                }
            }
        }
        false
    }
}

/// What a step goes by, as far as parts of a value can meet two of them: the
/// members that `properties` names and all others are different parts, and so
/// are the items that `prefixItems` counts and the rest.
fn keyword_of<'a>(at: &str, step: Step, to: &'a str) -> &'a str {
    if step == Step::Ref {
        return "$ref";
    }
    let under = to.strip_prefix(at).and_then(|rest| rest.strip_prefix('/')).unwrap_or(to);
    match under.split('/').next() {
        Some("properties" | "additionalProperties") => "properties",
        Some("items" | "prefixItems") => "items",
        _ => under,
    }
}

/// The pointer of a reference into the same schema.
fn local(reference: &str) -> Option<String> {
    let pointer = reference.strip_prefix('#')?;
    (pointer.is_empty() || pointer.starts_with('/')).then(|| pointer.to_owned())
}

fn escaped(member: &str) -> String {
    member.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(schema: Value) -> String {
        Schema::compile(&schema.to_string()).err().expect("refused")
    }

    #[test]
    fn a_fault_says_where_and_why() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "maximum": 3}}, "required": ["q"]});
        let schema = Schema::compile(&schema.to_string()).unwrap();
        assert_eq!(schema.check(&json!({"q": 1, "n": 2})), Ok(()));
        let fault = schema.check(&json!({"n": 7})).unwrap_err();
        assert!(fault.contains("/n: 7 is greater than the maximum of 3"), "{fault}");
        assert!(fault.contains("at the root: \"q\" is a required property"), "{fault}");
    }

    #[test]
    fn faults_are_short_however_long_the_value() {
        let schema = Schema::compile(r#"{"type": "object", "additionalProperties": {"type": "integer"}}"#).unwrap();
        let fault = schema.check(&json!({"a": "x".repeat(100_000)})).unwrap_err();
        assert!(fault.len() < 400, "{}", fault.len());
    }

    #[test]
    fn references_that_leave_the_schema_are_refused() {
        let remote = refusal(json!({"type": "object", "properties": {"a": {"$ref": "https://example.com/s.json"}}}));
        assert!(remote.contains("inside the same schema"), "{remote}");
        let nowhere = refusal(json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}));
        assert!(nowhere.contains("names no subschema"), "{nowhere}");
    }

    #[test]
    fn circles_are_allowed_only_where_each_round_enters_the_value() {
        let tree = json!({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}});
        assert!(Schema::compile(&tree.to_string()).is_ok());
        let endless = json!({"type": "object", "$defs": {"a": {"$ref": "#/$defs/a"}}, "properties": {"x": {"$ref": "#/$defs/a"}}});
        assert!(refusal(endless).contains("without end"));
        let doubling = json!({"type": "object", "properties": {"x": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
        assert!(refusal(doubling).contains("combinator"));
    }

    #[test]
    fn references_that_multiply_are_refused_also_without_a_circle() {
        let mut definitions = serde_json::Map::new();
        for n in 0..60 {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            definitions.insert(format!("d{n}"), json!({"allOf": [next, next]}));
        }
        definitions.insert("d60".into(), json!({"type": "object"}));
        let doubling = json!({"type": "object", "$defs": definitions, "allOf": [{"$ref": "#/$defs/d0"}]});
        assert!(refusal(doubling).contains("multiply"));
        let inward = json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "patternProperties": {"^a": {"$ref": "#"}}});
        assert!(refusal(inward).contains("more than one keyword"), "each level would double");
        let list = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        assert!(Schema::compile(&list.to_string()).is_ok(), "two members are two parts");
        let values: Vec<u32> = (0..2_000).collect();
        assert!(refusal(json!({"type": "object", "properties": {"n": {"enum": values}}})).contains("enum"));
    }

    #[test]
    fn patterns_are_tried_on_so_much_text_only_as_takes_seconds() {
        let text = |bytes: usize| json!({"s": "ab".repeat(bytes / 2)});
        let many_states = json!({"pattern": "[ab]*a[ab]{5000}c"});
        let one = Schema::compile(&json!({"type": "object", "properties": {"s": many_states}}).to_string()).unwrap();
        assert!(one.check(&text(100)).unwrap_err().contains("does not match"));
        assert!(one.check(&text(200_000)).unwrap_err().contains("too much text"));
        let twice = json!({"allOf": [many_states, many_states, many_states, many_states]});
        let twice = Schema::compile(&json!({"type": "object", "properties": {"s": twice}}).to_string()).unwrap();
        assert!(twice.check(&text(60_000)).unwrap_err().contains("too much text"));
        let plain = json!({"type": "string", "pattern": "^[a-z0-9-]{1,64}$"});
        let ids: serde_json::Map<_, _> = (0..20).map(|n| (format!("id{n}"), plain.clone())).collect();
        let ids = Schema::compile(&json!({"type": "object", "properties": ids}).to_string()).unwrap();
        assert_eq!(ids.check(&text(100_000)), Ok(()), "what people write has room");
    }

    #[test]
    fn every_trick_of_a_schema_is_refused_with_its_reason_and_place() {
        let object = |member: &str, schema: Value| json!({"type": "object", "properties": {member: schema}}).to_string();
        let deep = (0..80).fold(json!({}), |inner, _| json!({"items": inner}));
        for (trick, schema, why) in [
            ("a reference to a URL", object("a", json!({"$ref": "https://example.com/s#/x"})), "/properties/a: `$ref` must be a pointer"),
            ("a reference to a file", object("a", json!({"$ref": "file:///etc/passwd"})), "must be a pointer"),
            ("a reference by a relative address", object("a", json!({"$ref": "other.json"})), "must be a pointer"),
            ("a reference to an anchor", object("a", json!({"$anchor": "x", "$ref": "#x"})), "must be a pointer"),
            ("a reference that is no text", object("a", json!({"$ref": 7})), "must be a pointer"),
            (
                "a reference into what is no schema",
                object("a", json!({"const": {"b": {}}, "$ref": "#/properties/a/const/b"})),
                "names no subschema",
            ),
            ("a reference in another spelling", object("a", json!({"$ref": "#/%24defs/x", "$defs": {"x": {}}})), "names no subschema"),
            ("a dynamic reference", object("a", json!({"$dynamicRef": "#x", "$dynamicAnchor": "x"})), "dynamic references"),
            ("a recursive reference", object("a", json!({"$recursiveRef": "#"})), "dynamic references"),
            ("an address inside", object("a", json!({"$id": "https://example.com/inner", "$ref": "#/b"})), "/properties/a: `$id`"),
            (
                "another dialect inside",
                object("a", json!({"$schema": "http://json-schema.org/draft-07/schema#"})),
                "/properties/a: `$schema`",
            ),
            (
                "another dialect",
                json!({"type": "object", "$schema": "http://json-schema.org/draft-04/schema#"}).to_string(),
                "not draft 2020-12",
            ),
            ("a circle", object("a", json!({"$ref": "#/properties/a"})), "without end"),
            (
                "a circle of two",
                object("a", json!({"$ref": "#/properties/a/$defs/b", "$defs": {"b": {"$ref": "#/properties/a"}}})),
                "without end",
            ),
            ("a circle through not", object("a", json!({"not": {"$ref": "#/properties/a"}})), "combinator"),
            ("a look-ahead", object("a", json!({"pattern": "(?=a)b"})), "/properties/a"),
            ("a back reference", object("a", json!({"pattern": "(a*)*\\1"})), "/properties/a"),
            ("a pattern that multiplies", object("a", json!({"pattern": "((a{100}){100}){100}"})), "/properties/a"),
            (
                "such a pattern for names",
                json!({"type": "object", "patternProperties": {"((a{100}){100}){100}": {}}}).to_string(),
                "/patternProperties/",
            ),
            ("a pattern that is none", object("a", json!({"pattern": "("})), "/properties/a"),
            ("depth", object("a", deep), "levels deep"),
            ("a wrong type", object("a", json!({"type": "text"})), "/properties/a"),
            ("a wrong bound", object("a", json!({"maxLength": -1})), "/properties/a"),
            (
                "members twice",
                r#"{"type": "object", "properties": {"a": {}}, "properties": {"b": {}}}"#.into(),
                "\"properties\" stands twice",
            ),
            ("size", format!("{{\"type\": \"object\", \"description\": \"{}\"}}", "x".repeat(BYTES_MAX)), "bytes long"),
            ("depth of the text", "[".repeat(10_000), "not JSON"),
        ] {
            let refused = Schema::compile(&schema).err().unwrap_or_else(|| panic!("{trick} is not refused"));
            assert!(refused.contains(why), "{trick}: {refused}");
            assert!(refused.len() < 600, "{trick}: {} bytes", refused.len());
        }
    }

    #[test]
    fn a_pattern_that_would_take_ages_elsewhere_is_checked_in_linear_time() {
        let schema = Schema::compile(r#"{"type": "object", "properties": {"a": {"pattern": "^(a|a)*(a+)+$"}}}"#).unwrap();
        let began = std::time::Instant::now();
        assert!(schema.check(&json!({"a": format!("{}b", "a".repeat(50_000))})).is_err());
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    }

    #[test]
    fn an_address_at_the_root_changes_nothing() {
        let address = "https://json-schema.org/draft/2020-12/schema";
        let schema =
            json!({"$id": address, "type": "object", "$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}});
        let schema = Schema::compile(&schema.to_string()).unwrap();
        assert!(schema.check(&json!({"a": 1})).is_ok() && schema.check(&json!({"a": "x"})).is_err());
    }

    #[test]
    fn schemas_that_are_too_large_or_no_objects_are_refused() {
        assert!(refusal(json!({"type": "string"})).contains("type"));
        let many: serde_json::Map<_, _> = (0..300).map(|n| (n.to_string(), json!({"type": "string"}))).collect();
        assert!(refusal(json!({"type": "object", "properties": many})).contains("256 subschemas"));
        assert!(Schema::compile("[]").is_err() && Schema::compile("{").is_err());
        assert!(refusal(json!({"type": "object", "properties": {"a": {"pattern": "(a)\\1"}}})).contains("/properties/a"));
    }
}
