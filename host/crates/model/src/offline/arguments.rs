//! Arguments for a tool, taken from what the user wrote and from the tool's schema.

use serde_json::{Map, Value};

use super::{arithmetic, words};

/// How many results are asked for where a schema leaves it open.
const RESULTS: u64 = 5;

/// Arguments that take the question itself.
const QUESTION: &[&str] = &["query", "question", "q", "search", "text", "input", "prompt", "message", "term", "keywords"];

/// Cities that people name where a tool wants a zone.
const ZONES: &[(&str, &str)] = &[
    ("amsterdam", "Europe/Amsterdam"),
    ("beijing", "Asia/Shanghai"),
    ("berlin", "Europe/Berlin"),
    ("cairo", "Africa/Cairo"),
    ("chicago", "America/Chicago"),
    ("delhi", "Asia/Kolkata"),
    ("dubai", "Asia/Dubai"),
    ("hong kong", "Asia/Hong_Kong"),
    ("istanbul", "Europe/Istanbul"),
    ("london", "Europe/London"),
    ("los angeles", "America/Los_Angeles"),
    ("madrid", "Europe/Madrid"),
    ("mexico city", "America/Mexico_City"),
    ("moscow", "Europe/Moscow"),
    ("mumbai", "Asia/Kolkata"),
    ("nairobi", "Africa/Nairobi"),
    ("new york", "America/New_York"),
    ("paris", "Europe/Paris"),
    ("rome", "Europe/Rome"),
    ("san francisco", "America/Los_Angeles"),
    ("sao paulo", "America/Sao_Paulo"),
    ("shanghai", "Asia/Shanghai"),
    ("singapore", "Asia/Singapore"),
    ("sydney", "Australia/Sydney"),
    ("tokyo", "Asia/Tokyo"),
    ("toronto", "America/Toronto"),
    ("vienna", "Europe/Vienna"),
    ("zurich", "Europe/Zurich"),
];

/// The part of a schema that matters here.
pub(super) struct Schema {
    /// The arguments in the author's order.
    pub(super) properties: Map<String, Value>,
    required: Vec<String>,
}

impl Schema {
    /// Reads a schema; one of another form has no arguments that we could fill.
    pub(super) fn read(text: &str) -> Self {
        let schema: Value = serde_json::from_str(text).unwrap_or_default();
        let required = schema["required"].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        Self { properties, required }
    }

    fn requires(&self, name: &str) -> bool {
        self.required.iter().any(|required| required == name)
    }
}

/// The rest of a `/tool` line: JSON as it stands, or plain words for the one text that the tool wants.
pub(super) fn from_command(rest: &str, input: &str) -> String {
    if rest.is_empty() {
        return "{}".into();
    }
    if rest.starts_with('{') {
        return rest.to_owned();
    }
    let schema = Schema::read(input);
    let wanted = schema.required.first().or_else(|| schema.properties.keys().next());
    let name = wanted.map_or("input", String::as_str);
    Value::from(Map::from_iter([(name.to_owned(), Value::from(rest))])).to_string()
}

/// How a tool is called by hand.
pub(super) fn example(name: &str, input: &str) -> String {
    let schema = Schema::read(input);
    let mut arguments = Map::new();
    for name in schema.required.iter() {
        let value = match schema.properties.get(name).and_then(|property| property["type"].as_str()) {
            Some("integer" | "number") => Value::from(1),
            Some("boolean") => Value::from(true),
            _ => Value::from("…"),
        };
        arguments.insert(name.clone(), value);
    }
    format!("/{name} {}", Value::from(arguments))
}

/// The arguments for a plain question, or none where something is wanted that the question does not hold.
pub(super) fn from_question(question: &str, schema: &Schema) -> Option<Map<String, Value>> {
    let asked = Asked { question, filters: schema.properties.contains_key("json") };
    if asked.filters && json(question).is_none() {
        return None;
    }
    let mut quotes = quoted(question);
    let mut arguments = Map::new();
    for (name, property) in &schema.properties {
        let required = schema.requires(name);
        let found = asked.value(name, property, required, &mut quotes).or_else(|| property.get("default").cloned());
        match found {
            Some(value) => {
                arguments.insert(name.clone(), value);
            }
            None if required => return None,
            None => {}
        }
    }
    Some(arguments)
}

/// A question, as one tool takes it.
struct Asked<'a> {
    question: &'a str,
    /// The tool filters JSON that stands in the question: its query is a filter, not a subject.
    filters: bool,
}

impl Asked<'_> {
    fn value<'q>(&self, name: &str, property: &Value, required: bool, quotes: &mut impl Iterator<Item = &'q str>) -> Option<Value> {
        match property["type"].as_str() {
            Some("integer" | "number") if name.starts_with("max_results") || name == "limit" => {
                let usual = property["default"].as_u64().unwrap_or(RESULTS);
                Some(Value::from(property["maximum"].as_u64().unwrap_or(usual).min(usual)))
            }
            Some("integer" | "number") if required => number(self.question).map(Value::from),
            Some("string") | None => self.text(name, required, quotes),
            _ => None,
        }
    }

    fn text<'q>(&self, name: &str, required: bool, quotes: &mut impl Iterator<Item = &'q str>) -> Option<Value> {
        let question = self.question;
        let text = match name {
            "json" => return json(question),
            "expression" | "formula" => arithmetic::expression(question),
            "url" | "uri" | "link" => url(question),
            "zone" | "timezone" | "time_zone" | "tz" => zone(question).or_else(|| required.then(|| "UTC".to_owned())),
            _ if !required => None,
            "query" if self.filters => filter(question),
            name if QUESTION.contains(&name) => {
                let words = || Some(words::search_words(question)).filter(|text| !text.is_empty());
                quotes.next().map(str::to_owned).or_else(words)
            }
            _ => quotes.next().map(str::to_owned),
        };
        text.map(Value::from)
    }
}

fn number(question: &str) -> Option<i64> {
    question.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

fn url(question: &str) -> Option<String> {
    let found = question.split_whitespace().find(|word| word.contains("https://") || word.contains("http://"))?;
    let begin = found.find("http").unwrap_or(0);
    Some(found[begin..].trim_end_matches(['.', ',', '?', '!', ')', '>', '"', '\'']).to_owned())
}

fn zone(question: &str) -> Option<String> {
    let is_zone = |word: &&str| {
        word.split_once('/').is_some_and(|(area, place)| {
            area.starts_with(|c: char| c.is_ascii_uppercase()) && place.starts_with(|c: char| c.is_ascii_uppercase())
        })
    };
    if let Some(word) = question.split(|c: char| c.is_whitespace() || ",?!\"'()".contains(c)).find(is_zone) {
        return Some(word.trim_end_matches('.').to_owned());
    }
    let lower = question.to_lowercase();
    ZONES.iter().find(|(city, _)| lower.contains(city)).map(|(_, zone)| (*zone).to_owned())
}

fn json(question: &str) -> Option<Value> {
    // At the begin of a word: a filter such as `.a[0]` has brackets too.
    let begins = |at: &usize| question[..*at].chars().next_back().is_none_or(char::is_whitespace);
    let begin = question.match_indices(['{', '[']).map(|(at, _)| at).find(begins)?;
    let end = question.rfind(['}', ']'])?;
    serde_json::from_str(question.get(begin..=end)?).ok()
}

/// A filter as `jq` writes them: a word that begins with a dot.
fn filter(question: &str) -> Option<String> {
    let word = question.split_whitespace().find(|word| word.starts_with('.'))?;
    Some(word.trim_end_matches([',', '?', '!']).to_owned())
}

/// What stands between quotes.
fn quoted(question: &str) -> impl Iterator<Item = &str> {
    question.split('"').skip(1).step_by(2).filter(|inner| !inner.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: &str = r#"{"type":"object","properties":{"query":{"type":"string"},"max_results":{"type":"integer","minimum":1,"maximum":20}},"required":["query"]}"#;

    #[test]
    fn a_search_gets_key_words_and_a_number_of_results() {
        let found = from_question("I'm having trouble with my widget installation.", &Schema::read(SEARCH));
        assert_eq!(Value::from(found.unwrap()).to_string(), r#"{"query":"widget installation troubleshooting","max_results":5}"#);
    }

    #[test]
    fn a_tool_that_wants_what_was_not_said_is_no_match() {
        let schema = Schema::read(r#"{"properties":{"url":{"type":"string"}},"required":["url"]}"#);
        assert_eq!(from_question("read the page", &schema), None);
        let found = from_question("read https://a.example/x?y=1, please", &schema).unwrap();
        assert_eq!(found["url"], "https://a.example/x?y=1");
    }

    #[test]
    fn a_city_is_a_zone() {
        let schema = Schema::read(r#"{"properties":{"zone":{"type":"string"}},"required":["zone"]}"#);
        for (question, zone) in [("time in New York?", "America/New_York"), ("now in Asia/Kolkata?", "Asia/Kolkata"), ("time?", "UTC")] {
            assert_eq!(from_question(question, &schema).unwrap()["zone"], zone);
        }
    }

    #[test]
    fn texts_in_quotes_are_taken_one_after_the_other() {
        let schema = Schema::read(r#"{"properties":{"key":{"type":"string"},"text":{"type":"string"}},"required":["key","text"]}"#);
        let found = from_question("remember \"colour\" as \"blue\"", &schema).unwrap();
        assert_eq!(Value::from(found).to_string(), r#"{"key":"colour","text":"blue"}"#);
        assert_eq!(from_question("remember \"colour\"", &Schema::read(r#"{"properties":{"a":{},"b":{}},"required":["a","b"]}"#)), None);
    }

    #[test]
    fn a_filter_needs_json_to_filter() {
        let schema = Schema::read(r#"{"properties":{"query":{"type":"string"},"json":{},"text":{"type":"string"}},"required":["query"]}"#);
        assert_eq!(from_question("what is in my data", &schema), None);
        let found = from_question("what is .a[0] in {\"a\":[1]}?", &schema).unwrap();
        assert_eq!(Value::from(found).to_string(), r#"{"query":".a[0]","json":{"a":[1]}}"#);
    }

    #[test]
    fn words_after_a_command_go_to_the_text_that_the_tool_wants() {
        assert_eq!(from_command("my widget", SEARCH), r#"{"query":"my widget"}"#);
        assert_eq!(from_command("{\"query\": \"x\"}", SEARCH), "{\"query\": \"x\"}");
        assert_eq!(from_command("", SEARCH), "{}");
    }

    #[test]
    fn strange_schemas_and_texts_do_no_harm() {
        for schema in ["", "7", "[]", r#"{"properties":7,"required":{"a":1}}"#] {
            assert!(from_question("}{ \" ][", &Schema::read(schema)).is_some());
        }
    }
}
