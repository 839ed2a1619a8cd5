//! Text, reasoning, counts and ends over chat completions.

use model::{Finish, Trouble};
use session::TokenUsage;

use super::*;
use crate::peer::data;

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn end(finish: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": finish }] })
}

async fn ask(answer: Answer) -> Asked {
    Ask::new(Provider::Openai).of(vec![answer]).await
}

async fn reply_to(chunks: &[Value]) -> Reply {
    ask(Answer::chunks(chunks)).await.reply.unwrap()
}

#[tokio::test]
async fn text_comes_in_pieces_and_as_a_whole() {
    let chunks = [
        delta(json!({ "role": "assistant", "content": null })),
        delta(json!({ "content": "Hel" })),
        delta(json!({ "content": "lo é" })),
        end(json!("stop")),
    ];
    let asked = ask(Answer::chunks(&chunks)).await;
    let reply = asked.reply.unwrap();
    assert_eq!(asked.deltas, [Delta::Text("Hel".into()), Delta::Text("lo é".into())]);
    assert_eq!((reply.text.as_str(), reply.finish), ("Hello é", Finish::Stop));
    assert_eq!(raw(&reply), json!({ "role": "assistant", "content": "Hello é" }));
}

#[tokio::test]
async fn comments_other_line_ends_and_other_fields_are_skipped() {
    let body = format!(
        ": OPENROUTER PROCESSING\r\n\r\nid: 1\r\nevent: message\r\ndata: {}\r\n\r\n: ping\n\nretry: 5\ndata:{}\n\ndata: [DONE]\n\n",
        delta(json!({ "content": "a" })),
        end(json!("stop"))
    );
    assert_eq!(ask(Answer::events(body)).await.reply.unwrap().text, "a");
}

#[tokio::test]
async fn a_finished_stream_needs_no_done_and_done_needs_no_reason() {
    for body in [
        data(&[delta(json!({ "content": "a" })), end(json!("stop"))]),
        data(&[delta(json!({ "content": "a" })), end(json!("stop"))]).trim_end().to_owned(),
        data(&[delta(json!({ "content": "a" }))]) + "data: [DONE]\n\n",
        data(&[delta(json!({ "content": "a" }))]) + "data: [DONE]",
    ] {
        let asked = ask(Answer::events(body.clone())).await;
        assert_eq!((asked.reply.unwrap().text.as_str(), asked.requests.len()), ("a", 1), "{body}");
    }
}

#[tokio::test]
async fn a_finished_stream_that_stays_open_or_is_cut_is_finished() {
    let body = data(&[delta(json!({ "content": "a" })), end(json!("stop"))]);
    assert_eq!(ask(Answer::events(body.clone()).then_cut()).await.reply.unwrap().text, "a");
    assert_eq!(ask(Answer::events(body).then_silence()).await.reply.unwrap().text, "a");
}

#[tokio::test]
async fn every_reason_to_stop_has_its_meaning() {
    for (word, finish) in [
        (json!("stop"), Finish::Stop),
        (json!("length"), Finish::Length),
        (json!("content_filter"), Finish::Filtered),
        (json!("eos"), Finish::Stop),
        (json!("tool_calls"), Finish::Stop),
        (json!("brand_new"), Finish::Stop),
    ] {
        assert_eq!(reply_to(&[delta(json!({ "content": "a" })), end(word.clone())]).await.finish, finish, "{word}");
    }
    let twice = [delta(json!({ "content": "a" })), end(json!("length")), end(json!("stop"))];
    assert_eq!(reply_to(&twice).await.finish, Finish::Length);
}

#[tokio::test]
async fn a_refusal_is_text_that_was_filtered() {
    let reply = reply_to(&[delta(json!({ "refusal": "I cannot." })), end(json!("stop"))]).await;
    assert_eq!((reply.text.as_str(), reply.finish), ("I cannot.", Finish::Filtered));
}

#[tokio::test]
async fn chunks_without_choices_and_further_choices_are_skipped() {
    let chunks = [
        json!({ "choices": [], "prompt_filter_results": [{}] }),
        json!({ "choices": null }),
        json!({ "choices": [{ "index": 0, "delta": { "content": "a" } }, { "index": 1, "delta": { "content": "b" } }] }),
        json!({ "choices": [{ "index": 0, "delta": null }] }),
        end(json!("stop")),
        json!({ "choices": [] }),
    ];
    assert_eq!(reply_to(&chunks).await.text, "a");
}

#[tokio::test]
async fn counts_are_found_wherever_they_stand() {
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14,
        "prompt_tokens_details": { "cached_tokens": 6 }, "completion_tokens_details": { "reasoning_tokens": 2 } });
    let early = json!({ "prompt_tokens": 10, "completion_tokens": 1 });
    let (text, stop) = (delta(json!({ "content": "a" })), end(json!("stop")));
    let with = |chunk: &Value, key: &str, value: &Value| {
        let mut chunk = chunk.clone();
        chunk[key] = value.clone();
        chunk
    };
    let mut in_choice = stop.clone();
    in_choice["choices"][0]["usage"] = usage.clone();
    let places = [
        vec![text.clone(), stop.clone(), json!({ "choices": [], "usage": usage })],
        vec![with(&text, "usage", &Value::Null), with(&stop, "usage", &usage)],
        vec![with(&text, "usage", &early), with(&stop, "usage", &usage)],
        vec![text.clone(), with(&stop, "x_groq", &json!({ "id": "r", "usage": usage }))],
        vec![text.clone(), in_choice],
    ];
    for chunks in places {
        let expected = TokenUsage { input: 10, cached: 6, output: 4, reasoning: 2, window: 0 };
        assert_eq!(reply_to(&chunks).await.usage, Some(expected), "{chunks:?}");
    }
    assert_eq!(reply_to(&[text.clone(), stop.clone()]).await.usage, None);
    let deepseek = with(&stop, "usage", &json!({ "prompt_tokens": 10.0, "completion_tokens": 1, "prompt_cache_hit_tokens": 3 }));
    assert_eq!(reply_to(&[text, deepseek]).await.usage.unwrap().cached, 3);
}

#[tokio::test]
async fn reasoning_is_read_under_all_its_names_and_once_where_there_are_two() {
    let details = |text: &str| json!([{ "type": "reasoning.text", "text": text, "format": "f", "index": 0 }]);
    for (a, b) in [
        (json!({ "reasoning_content": "Hm" }), json!({ "reasoning_content": "m." })),
        (json!({ "reasoning": "Hm" }), json!({ "reasoning": "m." })),
        (json!({ "reasoning_content": "Hm", "reasoning": "Hm" }), json!({ "reasoning_content": "m.", "reasoning": "m." })),
        (
            json!({ "reasoning": "Hm", "reasoning_details": details("Hm") }),
            json!({ "reasoning": "m.", "reasoning_details": details("m.") }),
        ),
        (json!({ "reasoning_details": details("Hm") }), json!({ "reasoning": null, "reasoning_details": details("m.") })),
        (
            json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "Hm" }] }] }),
            json!({ "content": [{ "type": "thinking", "thinking": "m." }] }),
        ),
    ] {
        let asked = ask(Answer::chunks(&[delta(a.clone()), delta(b), delta(json!({ "content": "Yes" })), end(json!("stop"))])).await;
        let reply = asked.reply.unwrap();
        assert_eq!((reply.thinking.as_str(), reply.text.as_str()), ("Hmm.", "Yes"), "{a}");
        assert_eq!(asked.deltas[0], Delta::Thinking("Hm".into()));
    }
}

#[tokio::test]
async fn mistrals_parts_are_thinking_and_text() {
    let content = json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }] }, { "type": "text", "text": "Yes" }]);
    let answer = json!({ "choices": [{ "message": { "role": "assistant", "content": content }, "finish_reason": "stop" }] });
    let reply = Ask::new(Provider::Openai).whole().of(vec![Answer::json(&answer)]).await.reply.unwrap();
    assert_eq!((reply.thinking.as_str(), reply.text.as_str()), ("Hm.", "Yes"));
}

#[tokio::test]
async fn json_for_a_stream_and_a_stream_for_json_are_both_read() {
    let whole = json!({ "choices": [{ "message": { "content": "a" }, "finish_reason": "stop" }] });
    let asked = ask(Answer::json(&whole)).await;
    assert_eq!((asked.reply.unwrap().text.as_str(), asked.deltas.len()), ("a", 1));
    let stream = data(&[delta(json!({ "content": "a" })), end(json!("stop"))]);
    let asked = Ask::new(Provider::Openai).whole().of(vec![Answer::of_type("text/plain", &stream)]).await;
    assert_eq!(asked.reply.unwrap().text, "a");
}

#[tokio::test]
async fn a_reply_without_room_is_an_overflow() {
    let usage = json!({ "prompt_tokens": 900, "completion_tokens": 0 });
    let mut no_room = end(json!("length"));
    no_room["usage"] = usage.clone();
    let mut beyond = end(json!("stop"));
    beyond["usage"] = json!({ "prompt_tokens": 1_200, "completion_tokens": 5 });
    for (chunks, window, limit, actual) in [
        (vec![no_room.clone()], 0, None, Some(900)),
        (vec![delta(json!({ "content": "a" })), beyond], 1_000, Some(1_000), Some(1_200)),
        (vec![end(json!("model_context_window_exceeded"))], 1_000, Some(1_000), None),
    ] {
        let ask = Ask { window, ..Ask::new(Provider::Openai) };
        let error = ask.of(vec![Answer::chunks(&chunks)]).await.reply.unwrap_err();
        assert_eq!(error.trouble, Trouble::Overflow { limit, actual }, "{chunks:?}");
    }
}

#[tokio::test]
async fn every_cut_of_a_stream_reads_the_same() {
    let chunks = [
        delta(json!({ "role": "assistant", "content": "" })),
        delta(json!({ "reasoning_content": "Hm é" })),
        delta(json!({ "content": "a😀" })),
        delta(json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "find", "arguments": "{\"q\":" } }] })),
        delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "\"ü\"}" } }] })),
        json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }], "usage": { "prompt_tokens": 3, "completion_tokens": 4 } }),
    ];
    let body = format!(": hi\r\n\r\n{}data: [DONE]\n\n", data(&chunks));
    let whole = ask(Answer::events(body.clone())).await;
    let (expected, deltas) = (format!("{:?}", whole.reply.unwrap()), whole.deltas);
    for cut in 1..body.len() {
        let asked = ask(Answer::events(body.clone()).split_at(cut)).await;
        assert_eq!(format!("{:?}", asked.reply.unwrap()), expected, "cut at {cut}");
        assert_eq!(asked.deltas, deltas, "cut at {cut}");
    }
    let asked = ask(Answer::events(body).in_bytes()).await;
    assert_eq!(format!("{:?}", asked.reply.unwrap()), expected);
}

#[tokio::test]
async fn an_endless_line_and_an_endless_reply_are_refused() {
    let line = format!("data: {}", "x".repeat(5 << 20));
    let error = ask(Answer::events(line)).await.reply.unwrap_err();
    assert!(error.message.contains("one event of more than"), "{}", error.message);
    let piece = format!("data: {}\n\n", delta(json!({ "content": "x".repeat(1 << 20) })));
    let error = ask(Answer::events(piece.repeat(17))).await.reply.unwrap_err();
    assert!(error.message.contains("more than 16777216 bytes"), "{}", error.message);
}
