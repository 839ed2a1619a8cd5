//! Failures of every kind: what is asked again, what is not, and what the turn is told.

use model::Trouble;

use super::*;
use crate::peer::data;

const PASSING: Trouble = Trouble::Unavailable { retry_after_ms: None };
const OK: &str = r#"{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}"#;

fn ok() -> Answer {
    Answer::status("200 OK", OK)
}

fn delta(text: &str) -> Value {
    json!({ "choices": [{ "delta": { "content": text } }] })
}

/// What one failing answer means, and how many requests were made where a good answer follows.
async fn after(provider: Provider, answer: impl Fn() -> Answer) -> (Result<Reply, Error>, usize) {
    let good = match provider {
        Provider::Anthropic => Answer::json(&json!({ "type": "message", "content": [], "stop_reason": "end_turn" })),
        _ => ok(),
    };
    let asked = Ask::new(provider).of(vec![answer(), good]).await;
    (asked.reply, asked.requests.len())
}

#[tokio::test]
async fn passing_troubles_are_asked_again() {
    for status in ["408 X", "425 X", "429 X", "500 X", "502 X", "503 X", "504 X", "529 X"] {
        let (reply, requests) = after(Provider::Openai, || Answer::status(status, "{\"error\":{\"message\":\"later\"}}")).await;
        assert_eq!((reply.unwrap().text.as_str(), requests), ("ok", 2), "{status}");
    }
    let html = || Answer::of_type("text/html", "<html>bad gateway</html>");
    assert_eq!(after(Provider::Openai, html).await.1, 2);
    let html = || Answer::status("502 Bad Gateway", "<html>bad gateway</html>");
    assert_eq!(after(Provider::Openai, html).await.1, 2);
    let slow_down = || Answer::status("429 X", "{\"error\":{\"code\":\"slow_down\",\"message\":\"ramp slower\"}}");
    assert_eq!(after(Provider::Openai, slow_down).await.1, 2);
    let wait_for_credit = || Answer::status("402 X", "{}").header("retry-after-ms: 1");
    assert_eq!(after(Provider::Openai, wait_for_credit).await.1, 2);
}

#[tokio::test]
async fn lasting_troubles_are_not() {
    for (status, hint) in [
        ("400 X", ""),
        ("401 X", "api_key"),
        ("402 X", "credit"),
        ("403 X", "may not use"),
        ("404 X", "base_url"),
        ("422 X", ""),
        ("302 X", "redirects"),
    ] {
        let (reply, requests) = after(Provider::Openai, || Answer::status(status, "{\"error\":{\"message\":\"no way\"}}")).await;
        let error = reply.unwrap_err();
        assert_eq!((error.trouble, requests), (Trouble::Refused, 1), "{status}");
        assert!(error.message.contains("no way") && error.message.contains(hint), "{}", error.message);
        assert!(!error.message.contains("s3cret"));
    }
}

#[tokio::test]
async fn money_and_the_quota_of_the_day_are_not_waited_for() {
    for body in [
        json!({ "error": { "code": "insufficient_quota", "type": "insufficient_quota", "message": "You exceeded your current quota" } }),
        json!({ "error": { "code": "credit_balance_exhausted", "message": "x" } }),
        json!({ "error": { "code": "project_spend_limit_exceeded", "message": "x" } }),
        json!({ "error": { "code": "monthly_usage_limit_exceeded", "message": "x" } }),
        json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "x", "details": { "error_code": "enforced_spend_limit_reached" } } }),
        json!([{ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota", "details": [{ "violations": [{ "quotaId": "GenerateRequestsPerDayPerProjectPerModel" }] }] } }]),
    ] {
        let (reply, requests) = after(Provider::Openai, || Answer::status("429 X", body.to_string())).await;
        assert_eq!((reply.unwrap_err().trouble, requests), (Trouble::Refused, 1), "{body}");
    }
}

#[tokio::test]
async fn retries_end_and_the_providers_wish_is_passed_on() {
    let busy = || Answer::status("503 X", "{}").header("retry-after-ms: 7");
    let asked = Ask::new(Provider::Openai).of(vec![busy(), busy(), busy()]).await;
    assert_eq!(asked.reply.unwrap_err().trouble, Trouble::Unavailable { retry_after_ms: Some(7) });
    assert_eq!(asked.requests.len(), 3);
    let asked = Ask::new(Provider::Openai).of(vec![Answer::status("429 X", "{}").header("retry-after: 3600"), ok()]).await;
    assert_eq!(asked.reply.unwrap_err().trouble, Trouble::Unavailable { retry_after_ms: Some(3_600_000) });
    assert_eq!(asked.requests.len(), 1);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_unavailable() {
    let asked = Ask { retries: 1, ..Ask::new(Provider::Openai) }.of(vec![]).await;
    assert_eq!(asked.reply.unwrap_err().trouble, PASSING);
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_an_overflow_in_every_vendors_words() {
    let error = |message: &str| json!({ "error": { "message": message } }).to_string();
    let cases = [
        ("openai", "400", json!({ "error": { "code": "context_length_exceeded", "message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens." } }).to_string(), Some(8192), Some(9001)),
        ("azure", "400", json!({ "error": { "code": "context_length_exceeded", "message": "too long" } }).to_string(), None, None),
        ("responses", "400", error("Your input exceeds the context window of this model."), None, None),
        ("anthropic", "400", json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "prompt is too long: 200001 tokens > 200000 maximum" } }).to_string(), Some(200_000), Some(200_001)),
        ("anthropic length", "400", error("input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length"), Some(200_000), None),
        ("anthropic bytes", "413", json!({ "type": "error", "error": { "type": "request_too_large", "message": "Request exceeds the maximum size" } }).to_string(), None, None),
        ("bedrock", "400", error("Input is too long for requested model."), None, None),
        ("gemini", "400", json!([{ "error": { "code": 400, "status": "INVALID_ARGUMENT", "message": "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)." } }]).to_string(), Some(1_048_576), Some(1_048_577)),
        ("vllm", "400", json!({ "object": "error", "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens", "code": 400, "param": "input_tokens" }).to_string(), Some(4096), Some(5000)),
        ("vllm newer", "400", error("You passed 4097 input tokens and requested 1 output tokens. However, the model's context length is only 4096 tokens"), Some(4096), Some(4097)),
        ("llama.cpp", "400", json!({ "error": { "code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 5013, "n_ctx": 4096 } }).to_string(), Some(4096), Some(5013)),
        ("lm studio", "400", error("The number of tokens to keep from the initial prompt is greater than the context length."), None, None),
        ("ollama", "400", error("prompt too long; exceeded max context length by 12 tokens"), None, None),
        ("openrouter", "400", error("This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 tokens"), Some(32_768), Some(40_000)),
        ("xai", "400", error("This model's maximum prompt length is 131072 but the request contains 537812 tokens."), Some(131_072), Some(537_812)),
        ("groq", "400", error("Please reduce the length of the messages or completion."), None, None),
        ("mistral", "400", error("Prompt contains 40000 tokens, too large for model with 32768 maximum context length"), Some(32_768), Some(40_000)),
        ("together", "400", error("The input (9000 tokens) is longer than the model's context length (8192 tokens)."), Some(8192), Some(9000)),
        ("sglang", "400", error("Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 5000 tokens"), Some(4096), Some(5000)),
        ("fireworks", "400", error("The prompt is too long: 50000, model maximum context length: 32767"), Some(32_767), Some(50_000)),
        ("anthropic proxied", "500", error("litellm.BadRequestError: prompt is too long: 200001 tokens > 200000 maximum"), Some(200_000), Some(200_001)),
        ("moonshot", "400", error("Invalid request: Your request exceeded model token limit: 262144 (requested: 300000)"), Some(262_144), Some(300_000)),
        ("minimax", "400", error("invalid params, context window exceeds limit (2013)"), None, None),
        ("copilot", "400", error("prompt token count of 65000 exceeds the limit of 64000"), Some(64_000), Some(65_000)),
        ("cerebras", "400", String::new(), None, None),
        ("cerebras", "413", String::new(), None, None),
    ];
    for (vendor, status, body, limit, actual) in cases {
        let (reply, requests) = after(Provider::Openai, || Answer::status(&format!("{status} X"), body.clone())).await;
        assert_eq!((reply.unwrap_err().trouble, requests), (Trouble::Overflow { limit, actual }, 1), "{vendor}");
    }
}

#[tokio::test]
async fn refusals_that_only_speak_of_tokens_and_limits_are_no_overflow() {
    let error = |message: &str| json!({ "error": { "message": message } }).to_string();
    for (status, body, trouble, requests) in [
        // Bedrock's throttling, and a proxy's words for it.
        ("400", error("ThrottlingException: Too many tokens, prompt is too long to wait for"), Some(Trouble::Refused), 1),
        ("429", error("Too many tokens, please wait before trying again."), None, 2),
        ("429", error("Rate limit reached: tokens per min, reduce the length of the messages"), None, 2),
        ("503", error("Too many requests: the model's maximum context length is 4096 tokens"), None, 2),
        // Groq: one request above what the key may have in a minute.
        ("413", error("Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 7000"), Some(Trouble::Refused), 1),
        ("400", error("Invalid image: its size exceeds the limit of 5 MB"), Some(Trouble::Refused), 1),
        ("400", error("max_tokens is too large: 100000. This model supports at most 16384 completion tokens"), Some(Trouble::Refused), 1),
        ("400", error("Invalid 'tools': array too long. Expected an array with maximum length 128"), Some(Trouble::Refused), 1),
        ("401", error("the prompt is too long for this key"), Some(Trouble::Refused), 1),
    ] {
        let (reply, asked) = after(Provider::Openai, || Answer::status(&format!("{status} X"), body.clone())).await;
        assert_eq!((reply.err().map(|error| error.trouble), asked), (trouble, requests), "{body}");
    }
}

#[tokio::test]
async fn overflows_inside_a_stream_are_known_on_every_wire() {
    let openai = json!({ "error": { "code": 400, "message": "Input is too long for requested model." } });
    let anthropic =
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum" } });
    let responses = json!({ "type": "error", "code": "context_length_exceeded", "message": "x" });
    for (provider, body, limit, actual) in [
        (Provider::Openai, openai.clone(), None, None),
        (Provider::Gemini, openai, None, None),
        (Provider::Anthropic, anthropic, Some(8), Some(9)),
        (Provider::OpenaiResponses, responses, None, None),
    ] {
        let asked = Ask::new(provider).of(vec![Answer::events(data(&[body]))]).await;
        assert_eq!((asked.reply.unwrap_err().trouble, asked.requests.len()), (Trouble::Overflow { limit, actual }, 1), "{provider:?}");
    }
}

#[tokio::test]
async fn a_cut_stream_is_asked_again_after_a_sign_and_never_joined() {
    let cut = data(&[delta("half an ans")]);
    for broken in [
        Answer::events(cut.clone()),
        Answer::events(cut.clone()).then_cut(),
        Answer::events(cut.clone()).then_silence(),
        Answer::events(cut + "data: {\"choi"),
    ] {
        let whole = Answer::chunks(&[delta("whole"), json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] })]);
        let asked = Ask { silence: SILENCE, ..Ask::new(Provider::Openai) }.of(vec![broken, whole]).await;
        assert_eq!(asked.reply.unwrap().text, "whole");
        assert_eq!(asked.deltas, [Delta::Text("half an ans".into()), Delta::Restarted, Delta::Text("whole".into())]);
    }
}

#[tokio::test]
async fn a_stream_that_is_always_cut_is_never_a_reply() {
    let cut = || Answer::events(data(&[delta("half")])).then_cut();
    let asked = Ask::new(Provider::Openai).of(vec![cut(), cut(), cut()]).await;
    assert_eq!((asked.reply.unwrap_err().trouble, asked.requests.len()), (PASSING, 3));
    let call = json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "find", "arguments": "{\"q\"" } }] } }] });
    let asked = Ask { retries: 0, ..Ask::new(Provider::Openai) }.of(vec![Answer::events(data(&[call]))]).await;
    assert_eq!(asked.reply.unwrap_err().trouble, PASSING);
}

#[tokio::test]
async fn nothing_is_restarted_where_nothing_was_shown() {
    let asked = Ask::new(Provider::Openai).of(vec![Answer::events(": hm\n\n").then_cut(), ok()]).await;
    assert_eq!(asked.deltas, [Delta::Text("ok".into())]);
}

#[tokio::test]
async fn a_provider_that_says_nothing_or_falls_silent_is_left() {
    let ask = Ask { retries: 0, silence: SILENCE, ..Ask::new(Provider::Openai) };
    let asked = ask.of(vec![Answer::events(data(&[delta("a")])).then_silence()]).await;
    let error = asked.reply.unwrap_err();
    assert!(error.trouble == PASSING && error.message.contains("fell silent"), "{}", error.message);
}

#[tokio::test]
async fn an_error_inside_a_stream_is_told_apart_by_what_it_says() {
    let overflow = Trouble::Overflow { limit: None, actual: None };
    for (body, trouble, requests) in [
        (json!({ "error": { "code": 503, "message": "overloaded" } }), None, 2),
        (json!({ "error": { "code": "server_error", "message": "x" } }), None, 2),
        (json!({ "error": { "message": "something odd" } }), None, 2),
        (json!({ "error": { "code": 401, "message": "no" } }), Some(Trouble::Refused), 1),
        (json!({ "error": { "code": 400, "message": "bad" } }), Some(Trouble::Refused), 1),
        (json!({ "error": { "code": "insufficient_quota", "message": "x" } }), Some(Trouble::Refused), 1),
        (json!({ "error": { "code": "context_length_exceeded", "message": "x" } }), Some(overflow), 1),
        (json!({ "choices": [{ "delta": {}, "finish_reason": "error" }] }), None, 2),
        (json!({ "choices": [{ "delta": {}, "error": { "code": 502, "message": "x" } }] }), None, 2),
    ] {
        let (reply, asked) = after(Provider::Openai, || Answer::chunks(std::slice::from_ref(&body))).await;
        assert_eq!((reply.err().map(|error| error.trouble), asked), (trouble, requests), "{body}");
    }
    let (reply, _) = after(Provider::Openai, || Answer::json(&json!({ "error": { "code": 401, "message": "no" } }))).await;
    assert_eq!(reply.unwrap_err().trouble, Trouble::Refused);
}

#[tokio::test]
async fn anthropics_errors_are_told_apart_by_their_type() {
    for (kind, trouble, requests) in [
        ("overloaded_error", None, 2),
        ("api_error", None, 2),
        ("timeout_error", None, 2),
        ("rate_limit_error", None, 2),
        ("invalid_request_error", Some(Trouble::Refused), 1),
        ("authentication_error", Some(Trouble::Refused), 1),
        ("permission_error", Some(Trouble::Refused), 1),
        ("billing_error", Some(Trouble::Refused), 1),
    ] {
        let body = json!({ "type": "error", "error": { "type": kind, "message": "x" }, "request_id": "r" });
        let (reply, asked) = after(Provider::Anthropic, || Answer::events(format!("event: error\ndata: {body}\n\n"))).await;
        assert_eq!((reply.err().map(|error| error.trouble), asked), (trouble, requests), "{kind}");
    }
}

#[tokio::test]
async fn answers_that_are_no_reply_end_as_nonsense() {
    for answer in [
        || Answer::of_type("text/html", "<html>login</html>"),
        || Answer::of_type("application/json", "{\"choices\": [}"),
        || Answer::of_type("application/json", "{\"hello\": 1}"),
        || Answer::of_type("application/json", "{\"choices\": 7}"),
        || Answer::of_type("text/event-stream", "data: not json\n\n"),
    ] {
        let asked = Ask::new(Provider::Openai).of(vec![answer(), answer(), answer()]).await;
        assert_eq!((asked.reply.unwrap_err().trouble, asked.requests.len()), (Trouble::Nonsense, 3));
    }
    let empty = || Answer::chunks(&[]);
    let asked = Ask::new(Provider::Openai).of(vec![empty(), empty(), empty()]).await;
    assert_eq!(asked.reply.unwrap_err().trouble, PASSING);
}
