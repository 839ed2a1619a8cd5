//! What comes over the wire, borrowed from the event it came in. An event's
//! members are kept as raw JSON until its kind is known: those of unknown
//! kinds may have any form.

use serde::Deserialize;
use serde_json::value::RawValue;
use session::TokenUsage;

/// An event of a stream.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Option<&'a RawValue>,
    /// Only compared, so its text will do.
    #[serde(borrow, default)]
    pub(super) output_index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) item_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) summary_index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) response: Option<&'a RawValue>,
}

/// A string; empty where it is none.
pub(super) fn text(json: Option<&RawValue>) -> String {
    json.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default()
}

/// A response, whole or as an event tells of it.
#[derive(Deserialize)]
pub(super) struct Response<'a> {
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) incomplete_details: Option<Incomplete>,
    #[serde(borrow, default)]
    pub(super) output: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
}

#[derive(Deserialize)]
pub(super) struct Incomplete {
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// An output item of any kind.
#[derive(Deserialize, Default)]
pub(super) struct Shape<'a> {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) call_id: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) content: Option<Vec<Part>>,
    #[serde(default)]
    pub(super) summary: Option<Vec<Part>>,
    #[serde(default)]
    pub(super) encrypted_content: Option<String>,
}

/// A part of a message, of a summary, or of reasoning.
#[derive(Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) refusal: Option<String>,
}

impl Shape<'_> {
    /// The exact text of the arguments: the inside of a string, or the JSON that some servers put there.
    pub(super) fn arguments(&self) -> String {
        let json = self.arguments.map(RawValue::get).unwrap_or_default();
        match json.as_bytes().first() {
            Some(b'"') => text(self.arguments),
            None | Some(b'n') => String::new(),
            Some(_) => json.to_owned(),
        }
    }

    /// What a message says, refusals too.
    pub(super) fn words(&self) -> String {
        let parts = self.content.iter().flatten();
        parts.flat_map(|part| [part.text.as_deref(), part.refusal.as_deref()]).flatten().collect()
    }

    /// Readable reasoning: the text of it where the server shows it, else its summary.
    pub(super) fn thinking(&self) -> String {
        let joined = |parts: &Option<Vec<Part>>| {
            let words: Vec<&str> = parts.iter().flatten().filter_map(|part| part.text.as_deref()).filter(|text| !text.is_empty()).collect();
            words.join("\n\n")
        };
        Some(joined(&self.content)).filter(|words| !words.is_empty()).unwrap_or_else(|| joined(&self.summary))
    }

    /// Whether reasoning may be sent back: with what it was, encrypted or in words. The bare mention of
    /// reasoning that the provider did not store is refused.
    pub(super) fn is_replayable(&self) -> bool {
        let has = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        has(self.encrypted_content.as_deref()) || self.content.iter().flatten().any(|part| has(part.text.as_deref()))
    }
}

/// Tokens as this wire counts them; some servers write them as floats.
#[derive(Deserialize, Clone, Copy, Default)]
pub(super) struct Usage {
    #[serde(default)]
    input_tokens: Option<f64>,
    #[serde(default)]
    output_tokens: Option<f64>,
    #[serde(default)]
    input_tokens_details: Option<Details>,
    #[serde(default)]
    output_tokens_details: Option<Details>,
}

#[derive(Deserialize, Clone, Copy, Default)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<f64>,
    #[serde(default)]
    reasoning_tokens: Option<f64>,
}

impl Usage {
    pub(super) fn counted(self, window: u64) -> TokenUsage {
        // A float turns into the nearest count; a negative or absurd one into a bound of u64.
        let count = |tokens: Option<f64>| tokens.unwrap_or_default() as u64;
        TokenUsage {
            input: count(self.input_tokens),
            cached: count(self.input_tokens_details.unwrap_or_default().cached_tokens),
            output: count(self.output_tokens),
            reasoning: count(self.output_tokens_details.unwrap_or_default().reasoning_tokens),
            window,
        }
    }
}
