//! What a provider's failure means: whether to ask again, and how the turn ends if not.

use std::time::Duration;

use serde_json::Value;

use super::overflow::overflow;
use crate::error::{Error, Trouble};
use crate::retry::retry_after;
use crate::sse::TooLong;

/// How many bytes of a provider's own words are kept for the operator.
const WORDS_BYTES: usize = 500;

/// Words of a 429 that is about money or a quota of the day: waiting changes nothing.
const MONEY: &[&str] = &[
    "insufficient_quota",
    "credit_balance_exhausted",
    "spend_limit_exceeded",
    "usage_limit_exceeded",
    "enforced_spend_limit_reached",
    "perday",
];

/// Types and codes inside a stream that mean a passing trouble.
const PASSING: &[&str] = &[
    "overloaded_error",
    "api_error",
    "timeout_error",
    "rate_limit_error",
    "rate_limit_exceeded",
    "server_error",
    "internal_error",
    "slow_down",
    "unavailable",
    "resource_exhausted",
    "internal",
];

/// Types and codes inside a stream that mean a lasting trouble.
const LASTING: &[&str] = &[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "billing_error",
    "invalid_api_key",
    "insufficient_quota",
    "invalid_argument",
    "invalid_prompt",
];

/// One failed attempt.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// What is reported if it was the last attempt.
    pub(crate) error: Error,
    /// Whether another attempt may help.
    pub(crate) passing: bool,
    /// How long the provider asked to wait.
    pub(crate) wait: Option<Duration>,
}

impl Fault {
    /// No answer, or half of one: it may pass.
    pub(crate) fn cut(message: impl Into<String>) -> Self {
        let error = Error { trouble: Trouble::Unavailable { retry_after_ms: None }, message: message.into() };
        Self { error, passing: true, wait: None }
    }

    /// An answer that cannot be read; a proxy in bad shape looks like this for a while.
    pub(crate) fn garbled(message: impl Into<String>) -> Self {
        Self { error: Error { trouble: Trouble::Nonsense, message: message.into() }, passing: true, wait: None }
    }

    /// An answer beyond a limit of ours; the next would be no shorter.
    pub(crate) fn beyond(message: impl Into<String>) -> Self {
        Self { error: Error { trouble: Trouble::Nonsense, message: message.into() }, passing: false, wait: None }
    }

    /// Whether the answer could not be read.
    pub(crate) fn is_garbled(&self) -> bool {
        self.passing && self.error.trouble == Trouble::Nonsense
    }

    /// A prompt that does not fit.
    pub(crate) fn overflow(limit: Option<u64>, actual: Option<u64>, message: impl Into<String>) -> Self {
        Self { error: Error { trouble: Trouble::Overflow { limit, actual }, message: message.into() }, passing: false, wait: None }
    }
}

impl From<TooLong> for Fault {
    fn from(too_long: TooLong) -> Self {
        Self::beyond(too_long.to_string())
    }
}

/// The provider's own words about a failure, as far as they can be found.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// `error.code`, lower case; a number as its digits.
    pub(super) code: String,
    /// `error.type`, lower case.
    pub(super) kind: String,
    /// All of it in lower case, for looking up words.
    pub(super) lower: String,
    /// llama.cpp's `n_ctx`.
    pub(super) window: Option<u64>,
    /// llama.cpp's `n_prompt_tokens`.
    pub(super) size: Option<u64>,
    message: String,
}

impl Refusal {
    /// Reads an error body: OpenAI's and Anthropic's `{"error": {…}}`, Google's list of it, `{"detail"}`, or plain text.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let mut refusal = Self { lower: text.to_lowercase(), ..Self::default() };
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            refusal.message = text.split_whitespace().collect::<Vec<_>>().join(" ");
            return refusal;
        };
        let json = json.as_array().and_then(|list| list.first()).unwrap_or(&json);
        let error = if json["error"].is_object() { &json["error"] } else { json };
        let word = |value: &Value| match value {
            Value::String(text) => text.to_lowercase(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        refusal.code = word(&error["code"]);
        refusal.kind = word(if error["type"].is_string() { &error["type"] } else { &error["status"] });
        refusal.window = error["n_ctx"].as_u64();
        refusal.size = error["n_prompt_tokens"].as_u64();
        let message = [&error["message"], &json["error"], &json["message"], &json["detail"]].into_iter().find_map(Value::as_str);
        refusal.message = message.map_or_else(|| text.trim().to_owned(), str::to_owned);
        refusal
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lower.trim().is_empty()
    }

    fn has(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.code == *word || self.kind == *word)
    }

    fn words(&self) -> &str {
        match self.message.trim() {
            "" => "it gave no reason",
            message => &message[..message.floor_char_boundary(WORDS_BYTES)],
        }
    }
}

/// A failure that came as a status.
pub(crate) fn from_status(who: &str, status: u16, headers: &http::HeaderMap, body: &[u8]) -> Fault {
    let refusal = Refusal::read(body);
    let wait = retry_after(headers, std::time::SystemTime::now());
    let message = format!("{who} answered {status}: {}{}", refusal.words(), hint(status));
    let trouble = match overflow(Some(status), &refusal) {
        Some(trouble) => trouble,
        None if passes(status, wait.is_some(), &refusal) => {
            let retry_after_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            return Fault { error: Error { trouble: Trouble::Unavailable { retry_after_ms }, message }, passing: true, wait };
        }
        None => Trouble::Refused,
    };
    Fault { error: Error { trouble, message }, passing: false, wait: None }
}

/// A failure that came inside a stream that had begun well.
pub(crate) fn from_event(who: &str, body: &[u8]) -> Fault {
    let refusal = Refusal::read(body);
    let message = format!("{who} broke off: {}", refusal.words());
    if let Some(trouble) = overflow(None, &refusal) {
        return Fault { error: Error { trouble, message }, passing: false, wait: None };
    }
    let status = refusal.code.parse::<u16>().ok();
    let money = MONEY.iter().any(|word| refusal.lower.contains(word));
    let passing = match status {
        _ if money || refusal.has(LASTING) => false,
        _ if refusal.has(PASSING) => true,
        Some(status) => passes(status, false, &refusal),
        None => true,
    };
    let trouble = if passing { Trouble::Unavailable { retry_after_ms: None } } else { Trouble::Refused };
    Fault { error: Error { trouble, message }, passing, wait: None }
}

fn passes(status: u16, asked_to_wait: bool, refusal: &Refusal) -> bool {
    match status {
        429 => !MONEY.iter().any(|word| refusal.lower.contains(word)),
        402 => asked_to_wait,
        408 | 425 => true,
        status => status >= 500,
    }
}

fn hint(status: u16) -> &'static str {
    match status {
        300..=399 => "; redirects are not followed, set base_url to the final address",
        401 => "; check the model's api_key",
        402 => "; the account has no credit left",
        403 => "; the key may not use this model",
        404 => "; check the model's base_url and model",
        _ => "",
    }
}
