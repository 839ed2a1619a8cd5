//! The tool: one input or several, one program, a bounded list of results.

use jaq_json::{Val, read};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use wardian_plugin::{Content, Error, PURE, Tool, Traits};

use crate::{
    program::Program,
    write::{Refused, write},
};

/// A program may give results without end.
const RESULTS_MAX: usize = 1000;

/// Half of the answer that a host accepts by default.
const RESULTS_BYTES_MAX: usize = 128 * 1024;

/// The longest program; it bounds the parser's stack too.
const QUERY_BYTES_MAX: usize = 4096;

/// Nesting of an input. The reader is recursive.
const DEPTH_MAX: usize = 200;

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct JsonQuery {
    query: String,
    #[serde(default, deserialize_with = "given")]
    json: Option<Box<RawValue>>,
    text: Option<String>,
}

/// Tells `"json": null`, a value to query, from no `json` at all.
fn given<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(json).map(Some)
}

impl Tool for JsonQuery {
    const NAME: &str = "json_query";
    const DESCRIPTION: &str = include_str!("../tools/json_query.md");
    const INPUT: &str = include_str!("../tools/json_query.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/json_query.output.json"));
    const TRAITS: Traits = PURE;
    const ANNOTATIONS: Option<&str> = Some(include_str!("../tools/json_query.annotations.json"));
    type Answer = Vec<Content>;

    fn run(self) -> Result<Self::Answer, Error> {
        let inputs = self.inputs()?;
        if self.query.len() > QUERY_BYTES_MAX {
            return Err(Error::invalid_input(format!("the query has {} bytes and may have {QUERY_BYTES_MAX}", self.query.len())));
        }
        let program = Program::compile(&self.query)
            .map_err(|problem| Error::invalid_input(format!("cannot read the query {:?}: {problem}", self.query)).code("invalid_query"))?;
        let mut results = Results::default();
        for input in inputs {
            if !results.fill(program.run(input))? {
                break;
            }
        }
        Ok(vec![Content::Data(results.finish())])
    }
}

impl JsonQuery {
    fn inputs(&self) -> Result<Vec<Val>, Error> {
        let text = match (&self.json, &self.text) {
            (Some(json), None) => json.get(),
            (None, Some(text)) => text,
            _ => return Err(Error::invalid_input("give the input either as json or as text")),
        };
        if depth(text) > DEPTH_MAX {
            return Err(Error::invalid_input(format!("the input is nested more than {DEPTH_MAX} levels deep")));
        }
        read::parse_many(text.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| Error::invalid_input(format!("the text is no JSON: {error}")).code("invalid_json"))
    }
}

/// The deepest nesting of brackets outside of strings.
fn depth(text: &str) -> usize {
    let (mut deepest, mut depth, mut string, mut escaped) = (0, 0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = string,
            b'"' => string = !string,
            b'[' | b'{' if !string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The results so far, as the inside of a JSON array.
#[derive(Default)]
struct Results {
    text: String,
    count: usize,
    truncated: bool,
}

impl Results {
    /// Takes results until there are no more or no more may be kept; true if more may come.
    fn fill(&mut self, results: impl Iterator<Item = Result<Val, String>>) -> Result<bool, Error> {
        for result in results {
            let value =
                result.map_err(|problem| Error::invalid_input(format!("the query fails on this input: {problem}")).code("query_failed"))?;
            if self.count == RESULTS_MAX || !self.push(&value)? {
                self.truncated = true;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps a whole value or nothing of it.
    fn push(&mut self, value: &Val) -> Result<bool, Error> {
        let before = self.text.len();
        if self.count > 0 {
            self.text.push(',');
        }
        match write(value, &mut self.text, RESULTS_BYTES_MAX) {
            Ok(()) => {
                self.count += 1;
                Ok(true)
            }
            Err(Refused::TooLong) if before > 0 => {
                self.text.truncate(before);
                Ok(false)
            }
            Err(Refused::TooLong) => Err(Error::invalid_input(format!(
                "the result has more than {RESULTS_BYTES_MAX} bytes; select less, for example .[:10] or only some keys"
            ))
            .code("too_large")),
            Err(Refused::NoJson(problem)) => Err(Error::invalid_input(problem).code("no_json")),
        }
    }

    fn finish(self) -> String {
        format!(r#"{{"results":[{}],"count":{},"truncated":{}}}"#, self.text, self.count, self.truncated)
    }
}
