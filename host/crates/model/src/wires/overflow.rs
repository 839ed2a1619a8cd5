//! How providers say that a prompt does not fit the model's window.

use session::TokenUsage;

use super::trouble::{Fault, Refusal};
use crate::error::Trouble;

/// Codes and types that mean it, whatever the text.
const CODES: &[&str] = &["context_length_exceeded", "exceed_context_size_error", "request_too_large", "model_context_window_exceeded"];

/// Texts that mean it, in lower case, and who says so.
const TEXTS: &[&str] = &[
    "prompt is too long",                           // Anthropic, Fireworks
    "exceed context limit",                         // Anthropic, with max_tokens
    "input is too long for requested model",        // Bedrock
    "exceeds the maximum number of tokens allowed", // Gemini
    "maximum context length is",                    // vLLM, OpenRouter, DeepSeek, OpenAI
    "model's maximum context length",               // SGLang
    "context length is only",                       // vLLM, newer
    "exceeds the available context size",           // llama.cpp
    "greater than the context length",              // LM Studio
    "prompt too long; exceeded",                    // Ollama
    "exceeded max context length",                  // Ollama
    "exceeds the context window",                   // OpenAI Responses
    "maximum prompt length is",                     // xAI
    "reduce the length of the messages",            // Groq
    "too large for model with",                     // Mistral
    "is longer than the model's context length",    // Together
    "exceeded model token limit",                   // Moonshot
    "context window exceeds limit",                 // MiniMax
    "context_length_exceeded",
    "exceed_context_size_error",
];

/// Texts that mean it where a text speaks of tokens: other things have limits too.
const TEXTS_WITH_TOKENS: &[&str] = &[
    "exceeds the limit of", // Copilot
];

/// Words before the number that is the window.
const BEFORE_LIMIT: &[&str] = &[
    "maximum context length is ",
    "maximum context length of ",
    "maximum context length: ",
    "context length is only ",
    "model's context length (",
    "maximum prompt length is ",
    "too large for model with ",
    "exceeded model token limit: ",
    "exceeds the limit of ",
    "number of tokens allowed (",
    "available context size (",
    "> ",
];

/// Texts about speed, which some providers word like texts about size: "too many tokens".
const ABOUT_SPEED: &[&str] = &["rate limit", "rate_limit", "too many requests", "throttl", "tokens per minute", "tokens per day"];

/// The overflow that an answer means, or none.
pub(super) fn overflow(status: Option<u16>, refusal: &Refusal) -> Option<Trouble> {
    if !matches!(status, None | Some(400 | 413 | 422 | 500)) || ABOUT_SPEED.iter().any(|text| refusal.lower.contains(text)) {
        return None;
    }
    let bare = matches!(status, Some(400 | 413)) && refusal.is_empty();
    let too_many_bytes = status == Some(413);
    let said = CODES.iter().any(|code| refusal.code == *code || refusal.kind == *code);
    let has = |texts: &[&str]| texts.iter().any(|text| refusal.lower.contains(text));
    let worded = has(TEXTS) || (has(TEXTS_WITH_TOKENS) && refusal.lower.contains("token"));
    if !(bare || too_many_bytes || said || worded) {
        return None;
    }
    let limit = refusal.window.or_else(|| BEFORE_LIMIT.iter().find_map(|before| number_after(&refusal.lower, before)));
    let actual = refusal.size.or_else(|| limit.and_then(|limit| numbers(&refusal.lower).filter(|n| *n > limit).max()));
    Some(Trouble::Overflow { limit, actual })
}

/// The overflow that a reply shows by itself: a prompt beyond the window, or a reply that reached its
/// length (`cut`) before its first word. Some providers say nothing else.
pub(super) fn without_room(who: &str, usage: TokenUsage, cut: bool, silent: bool) -> Option<Fault> {
    let beyond = usage.window > 0 && usage.input > usage.window;
    let no_room = cut && silent && usage.output == 0;
    let limit = (usage.window > 0).then_some(usage.window);
    (beyond || no_room).then(|| Fault::overflow(limit, Some(usage.input), format!("the prompt left {who} no room to answer")))
}

fn number_after(text: &str, before: &str) -> Option<u64> {
    let at = text.find(before)? + before.len();
    numbers(&text[at..]).next().filter(|_| text[at..].starts_with(|c: char| c.is_ascii_digit()))
}

/// The whole numbers in a text; thousands may be parted by commas.
fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split(|c: char| !c.is_ascii_digit() && c != ',').filter_map(|digits| digits.replace(',', "").parse().ok())
}
