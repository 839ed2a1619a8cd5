//! OpenAI's Responses: streams and whole answers, as OpenAI and as others write them.

use model::{Finish, Trouble};
use session::TokenUsage;

use super::*;

/// Events as the provider names them; there is no `[DONE]`.
pub(crate) fn events(events: &[Value]) -> String {
    let numbered = events.iter().enumerate();
    let line = |(at, event): (usize, &Value)| {
        let mut event = event.clone();
        event["sequence_number"] = at.into();
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    };
    numbered.map(line).collect()
}

fn event(kind: &str, members: Value) -> Value {
    let mut event = json!({ "type": format!("response.{kind}") });
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event
}

fn began() -> [Value; 2] {
    let response = json!({ "id": "resp_1", "status": "in_progress", "output": [], "error": null });
    ["created", "in_progress"].map(|kind| event(kind, json!({ "response": response })))
}

fn added(index: u64, item: Value) -> Value {
    event("output_item.added", json!({ "output_index": index, "item": item }))
}

fn done(index: u64, item: Value) -> Value {
    event("output_item.done", json!({ "output_index": index, "item": item }))
}

fn usage() -> Value {
    json!({ "input_tokens": 20, "input_tokens_details": { "cached_tokens": 8 }, "output_tokens": 9,
        "output_tokens_details": { "reasoning_tokens": 5 }, "total_tokens": 29 })
}

fn completed(output: Value) -> Value {
    event("completed", json!({ "response": { "id": "resp_1", "status": "completed", "error": null, "output": output, "usage": usage() } }))
}

fn reasoning(id: &str, summary: Value, sealed: Value) -> Value {
    json!({ "id": id, "type": "reasoning", "summary": summary, "encrypted_content": sealed })
}

fn message(id: &str, text: &str) -> Value {
    let content = json!([{ "type": "output_text", "annotations": [], "logprobs": [], "text": text }]);
    json!({ "id": id, "type": "message", "status": "completed", "content": content, "role": "assistant", "phase": "final_answer" })
}

fn function_call(id: &str, call_id: &str, name: &str, arguments: &str) -> Value {
    json!({ "id": id, "type": "function_call", "status": "completed", "arguments": arguments, "call_id": call_id, "name": name })
}

/// Reasoning, a message, reasoning again, and two calls.
pub(crate) fn rich_output() -> Vec<Value> {
    let summary = json!([{ "type": "summary_text", "text": "Hm é." }, { "type": "summary_text", "text": "So." }]);
    vec![
        reasoning("rs_1", summary, json!("c2VhbGVk")),
        message("msg_1", "On it."),
        reasoning("rs_2", json!([]), json!("bW9yZQ==")),
        function_call("fc_1", "call_a", "find", "{ \"q\": 1.0 }"),
        function_call("fc_2", "call_b", "look", ""),
    ]
}

pub(crate) fn rich() -> Vec<Value> {
    let output = rich_output();
    let part = |kind: &str, index: u64| event(kind, json!({ "output_index": 0, "item_id": "rs_1", "summary_index": index }));
    let summary = |index: u64, words: &str| {
        event("reasoning_summary_text.delta", json!({ "output_index": 0, "item_id": "rs_1", "summary_index": index, "delta": words }))
    };
    let text =
        |words: &str| event("output_text.delta", json!({ "output_index": 1, "item_id": "msg_1", "content_index": 0, "delta": words }));
    let arguments = |words: &str| event("function_call_arguments.delta", json!({ "output_index": 3, "item_id": "fc_1", "delta": words }));
    let mut all: Vec<Value> = began().into();
    all.extend([
        added(0, reasoning("rs_1", json!([]), json!("early"))),
        part("reasoning_summary_part.added", 0),
        summary(0, "Hm "),
        summary(0, "é."),
        part("reasoning_summary_part.added", 1),
        summary(1, "So."),
        done(0, output[0].clone()),
        added(1, json!({ "id": "msg_1", "type": "message", "status": "in_progress", "content": [], "role": "assistant" })),
        event("content_part.added", json!({ "output_index": 1, "item_id": "msg_1", "part": { "type": "output_text", "text": "" } })),
        text("On "),
        text("it."),
        event("output_text.done", json!({ "output_index": 1, "item_id": "msg_1", "text": "On it." })),
        done(1, output[1].clone()),
        added(2, reasoning("rs_2", json!([]), json!(""))),
        done(2, output[2].clone()),
        added(3, function_call("fc_1", "call_a", "find", "")),
        arguments("{ \"q\""),
        arguments(": 1.0 }"),
        event("function_call_arguments.done", json!({ "output_index": 3, "item_id": "fc_1", "arguments": "{ \"q\": 1.0 }" })),
        done(3, output[3].clone()),
        added(4, function_call("fc_2", "call_b", "look", "")),
        done(4, output[4].clone()),
        completed(Value::from(output)),
    ]);
    all
}

async fn ask(list: &[Value]) -> Asked {
    Ask { retries: 0, ..Ask::new(Provider::OpenaiResponses) }.of(vec![Answer::events(events(list))]).await
}

async fn reply_to(list: Vec<Value>) -> Reply {
    ask(&[began().to_vec(), list].concat()).await.reply.unwrap()
}

#[tokio::test]
async fn a_stream_of_items_is_a_reply_and_is_kept_in_order_with_its_encrypted_reasoning() {
    let asked = ask(&rich()).await;
    let reply = asked.reply.unwrap();
    assert_eq!((reply.thinking.as_str(), reply.text.as_str(), reply.finish), ("Hm é.\n\nSo.", "On it.", Finish::Tools));
    assert_eq!(calls(&reply), [("call_a", "find", "{ \"q\": 1.0 }"), ("call_b", "look", "{}")]);
    assert_eq!(reply.usage, Some(TokenUsage { input: 20, cached: 8, output: 9, reasoning: 5, window: 0 }));
    let mut expected = rich_output();
    expected[4]["arguments"] = "{}".into();
    assert_eq!(raw(&reply), Value::from(expected.clone()));
    let text = reply.raw.as_ref().unwrap().get();
    assert!(text.contains(&expected[0].to_string()) && text.contains(&expected[3].to_string()), "items stay as they came, to the byte");
    assert_eq!(sum(&asked.deltas), sum_of(&reply));
}

#[tokio::test]
async fn every_cut_of_a_stream_reads_the_same() {
    let body = events(&rich());
    let read = |answer: Answer| Ask::new(Provider::OpenaiResponses).of(vec![answer]);
    let whole = read(Answer::events(body.clone())).await;
    let (expected, deltas) = (format!("{:?}", whole.reply.unwrap()), whole.deltas);
    for cut in (1..body.len()).step_by(5) {
        let asked = read(Answer::events(body.clone()).split_at(cut)).await;
        assert_eq!(format!("{:?}", asked.reply.unwrap()), expected, "cut at {cut}");
        assert_eq!(asked.deltas, deltas, "cut at {cut}");
    }
    assert_eq!(format!("{:?}", read(Answer::events(body).in_bytes()).await.reply.unwrap()), expected);
}

#[tokio::test]
async fn a_whole_answer_is_read_like_a_stream() {
    let answer = completed(Value::from(rich_output()))["response"].clone();
    let asked = Ask::new(Provider::OpenaiResponses).whole().of(vec![Answer::json(&answer)]).await;
    let streamed = ask(&rich()).await.reply.unwrap();
    let reply = asked.reply.unwrap();
    assert_eq!(format!("{reply:?}"), format!("{streamed:?}"));
    assert_eq!(sum(&asked.deltas), sum_of(&reply));
    assert!(asked.requests[0].body.get("stream").is_none());
}

#[tokio::test]
async fn llama_cpps_items_have_no_index_and_its_calls_no_id_of_their_own() {
    let call = |status: &str, id: &str, arguments: &str| json!({ "type": "function_call", "status": status, "arguments": arguments, "call_id": id, "name": "find" });
    let thought = json!({ "id": "rs_x", "type": "reasoning", "summary": [], "content": [{ "type": "reasoning_text", "text": "Hm." }], "encrypted_content": "", "status": "completed" });
    let no_index = |kind: &str, item: &Value| event(kind, json!({ "item": item }));
    let arguments = |id: &str, words: &str| event("function_call_arguments.delta", json!({ "item_id": id, "delta": words }));
    let output = [thought.clone(), call("completed", "fc_1", "{\"q\":1}"), call("completed", "fc_2", "{\"q\":2}")];
    let list = [
        no_index("output_item.added", &json!({ "id": "rs_x", "type": "reasoning", "summary": [], "content": [], "encrypted_content": "" })),
        event("reasoning_text.delta", json!({ "item_id": "rs_x", "delta": "Hm." })),
        no_index("output_item.added", &call("in_progress", "fc_1", "")),
        arguments("fc_1", "{\"q\""),
        no_index("output_item.added", &call("in_progress", "fc_2", "")),
        arguments("fc_2", "{\"q\":2}"),
        arguments("fc_1", ":1}"),
        no_index("output_item.done", &output[0]),
        no_index("output_item.done", &output[1]),
        no_index("output_item.done", &output[2]),
        completed(json!(output)),
    ];
    let asked = ask(&[began().to_vec(), list.to_vec()].concat()).await;
    let reply = asked.reply.unwrap();
    assert_eq!((reply.thinking.as_str(), calls(&reply)), ("Hm.", vec![("fc_1", "find", "{\"q\":1}"), ("fc_2", "find", "{\"q\":2}")]));
    assert_eq!(raw(&reply), json!(output));
    assert_eq!(sum(&asked.deltas), sum_of(&reply));
}

#[tokio::test]
async fn the_end_of_an_item_says_what_its_arguments_are() {
    let reply = reply_to(vec![
        added(0, function_call("fc_1", "a", "find", "")),
        event("function_call_arguments.delta", json!({ "output_index": 0, "item_id": "fc_1", "delta": "{\"q\": \"hal" })),
        done(0, function_call("fc_1", "a", "find", "{\"q\": \"half and more\"}")),
        completed(json!([])),
    ]);
    assert_eq!(calls(&reply.await), [("a", "find", "{\"q\": \"half and more\"}")]);
}

#[tokio::test]
async fn items_whose_events_never_came_are_taken_from_the_end() {
    let output = json!([reasoning("rs_1", json!([]), json!("c2VhbGVk")), function_call("fc_1", "a", "find", "{}"), message("m", "Done.")]);
    let asked = ask(&[completed(output.clone())]).await;
    let reply = asked.reply.unwrap();
    assert_eq!((calls(&reply), reply.text.as_str()), (vec![("a", "find", "{}")], "Done."));
    assert_eq!(raw(&reply), output);
    assert_eq!(sum(&asked.deltas), sum_of(&reply));
    // Text whose item was never announced is shown all the same.
    let text = event("output_text.delta", json!({ "item_id": "m", "delta": "Done." }));
    let asked = ask(&[text, completed(json!([message("m", "Done.")]))]).await;
    assert_eq!((asked.deltas.len(), asked.reply.unwrap().text.as_str()), (1, "Done."));
}

#[tokio::test]
async fn unknown_events_and_items_are_ignored_or_kept() {
    let odd = json!({ "id": "ws_1", "type": "web_search_call", "content": "odd", "action": { "query": "x" } });
    let list = vec![
        event("brand_new", json!({ "delta": { "odd": 1 }, "item": 7, "output_index": "odd", "response": [] })),
        event("output_text.annotation.added", json!({ "annotation": {} })),
        json!({ "type": "keepalive" }),
        added(0, odd.clone()),
        done(0, odd.clone()),
        added(1, message("m", "")),
        event("output_text.delta", json!({ "output_index": 1, "item_id": "m", "delta": "a" })),
        done(1, message("m", "a")),
        completed(json!([odd, message("m", "a")])),
    ];
    let reply = reply_to(list).await;
    assert_eq!((reply.text.as_str(), reply.finish), ("a", Finish::Stop));
    assert_eq!(raw(&reply), json!([odd, message("m", "a")]));
}

#[tokio::test]
async fn a_refusal_is_text_that_was_filtered() {
    let refusal = json!({ "id": "m", "type": "message", "role": "assistant", "content": [{ "type": "refusal", "refusal": "I cannot." }] });
    let list = vec![
        added(0, json!({ "id": "m", "type": "message", "role": "assistant", "content": [] })),
        event("refusal.delta", json!({ "output_index": 0, "item_id": "m", "delta": "I cannot." })),
        done(0, refusal.clone()),
        completed(json!([refusal])),
    ];
    let reply = reply_to(list).await;
    assert_eq!((reply.text.as_str(), reply.finish), ("I cannot.", Finish::Filtered));
}

#[tokio::test]
async fn an_incomplete_response_says_why_and_is_never_sent_back_as_it_came() {
    for (reason, finish) in [("max_output_tokens", Finish::Length), ("content_filter", Finish::Filtered), ("brand_new", Finish::Length)] {
        let half = json!({ "id": "fc", "type": "function_call", "status": "incomplete", "arguments": "{\"q\": \"unf", "call_id": "a", "name": "find" });
        let response = json!({ "status": "incomplete", "incomplete_details": { "reason": reason }, "output": [reasoning("rs", json!([]), json!("x")), half], "usage": usage() });
        let reply = reply_to(vec![event("incomplete", json!({ "response": response }))]).await;
        assert_eq!((reply.finish, calls(&reply)), (finish, vec![("a", "find", "{\"q\": \"unf")]), "{reason}");
        assert!(reply.raw.is_none());
    }
}

#[tokio::test]
async fn reasoning_that_the_provider_would_not_take_back_is_not_kept_for_it() {
    let call = || function_call("fc", "a", "find", "{}");
    let thought = |sealed: Value| reasoning("rs", json!([{ "type": "summary_text", "text": "Hm." }]), sealed);
    for output in [
        // Not encrypted: a mention of what was not stored.
        vec![thought(Value::Null), call()],
        vec![thought("".into()), call()],
        // Reasoning without what it led to.
        vec![message("m", "a"), thought("x".into())],
    ] {
        let reply = reply_to(vec![completed(json!(output))]).await;
        assert!(reply.raw.is_none() && reply.thinking == "Hm.", "{output:?}");
    }
}

#[tokio::test]
async fn ids_twice_or_not_at_all_are_made_unique_also_in_what_is_sent_back() {
    let output = [function_call("1", "a", "find", "{}"), function_call("2", "a", "find", "{}"), function_call("3", "", "find", "{}")];
    let reply = reply_to(vec![completed(json!(output))]).await;
    assert_eq!(calls(&reply), [("a", "find", "{}"), ("a_2", "find", "{}"), ("call_1_2", "find", "{}")]);
    let sent_back: Vec<_> = raw(&reply).as_array().unwrap().iter().map(|item| item["call_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sent_back, ["a", "a_2", "call_1_2"]);
}

#[tokio::test]
async fn failures_inside_a_stream_are_told_apart() {
    let overflow = Trouble::Overflow { limit: None, actual: None };
    let passing = Trouble::Unavailable { retry_after_ms: None };
    let failed = |code: &str, message: &str| {
        event("failed", json!({ "response": { "status": "failed", "output": [], "error": { "code": code, "message": message } } }))
    };
    for (last, trouble) in [
        (failed("server_error", "x"), passing.clone()),
        (failed("rate_limit_exceeded", "Rate limit reached, reduce the length of the messages"), passing.clone()),
        (failed("context_length_exceeded", "x"), overflow.clone()),
        (failed("odd", "Your input exceeds the context window of this model."), overflow.clone()),
        (failed("invalid_prompt", "x"), Trouble::Refused),
        (failed("insufficient_quota", "x"), Trouble::Refused),
        (json!({ "type": "error", "code": "server_error", "message": "x", "param": null }), passing.clone()),
        (json!({ "type": "error", "code": "context_length_exceeded", "message": "x" }), overflow.clone()),
        (
            json!({ "type": "error", "error": { "type": "invalid_request_error", "code": "invalid_api_key", "message": "x" } }),
            Trouble::Refused,
        ),
        (event("completed", json!({ "response": { "status": "cancelled", "output": [] } })), passing.clone()),
    ] {
        let text = event("output_text.delta", json!({ "item_id": "m", "delta": "half" }));
        let asked = ask(&[began().to_vec(), vec![text, last.clone()]].concat()).await;
        assert_eq!(asked.reply.unwrap_err().trouble, trouble, "{last}");
    }
    let whole = json!({ "status": "failed", "error": { "code": "context_length_exceeded", "message": "x" }, "output": [] });
    let asked = Ask::new(Provider::OpenaiResponses).whole().of(vec![Answer::json(&whole)]).await;
    assert_eq!(asked.reply.unwrap_err().trouble, overflow);
}

#[tokio::test]
async fn a_stream_that_is_cut_is_no_reply_and_is_asked_again_after_a_sign() {
    let all = rich();
    for end in [began().len(), 5, all.len() - 1] {
        let cut = Answer::events(events(&all[..end]) + if end == 5 { "data: [DONE]\n\n" } else { "" });
        let again = Answer::events(events(&[completed(json!([message("m", "whole")]))]));
        let asked = Ask::new(Provider::OpenaiResponses).of(vec![cut, again]).await;
        assert_eq!((asked.reply.unwrap().text.as_str(), asked.requests.len()), ("whole", 2), "cut after {end}");
        assert_eq!(sum(&asked.deltas)["text"], "whole");
        assert_eq!(asked.deltas.contains(&Delta::Restarted), end > began().len());
    }
}

#[tokio::test]
async fn a_reply_without_room_is_an_overflow() {
    let details = json!({ "reason": "max_output_tokens" });
    let usage = json!({ "input_tokens": 900, "output_tokens": 0 });
    let response = json!({ "status": "incomplete", "incomplete_details": details, "output": [], "usage": usage });
    let asked = ask(&[event("incomplete", json!({ "response": response }))]).await;
    assert_eq!(asked.reply.unwrap_err().trouble, Trouble::Overflow { limit: None, actual: Some(900) });
}

#[tokio::test]
async fn answers_that_are_no_reply_end_as_nonsense() {
    for answer in [|| Answer::json(&json!({ "hello": 1 })), || Answer::json(&json!({ "status": "completed", "output": 7 }))] {
        let asked = Ask { retries: 0, ..Ask::new(Provider::OpenaiResponses) }.whole().of(vec![answer()]).await;
        assert_eq!(asked.reply.unwrap_err().trouble, Trouble::Nonsense);
    }
}

#[tokio::test]
async fn too_many_calls_items_and_endless_arguments_are_refused_once() {
    let many: Vec<Value> = (0..129).map(|i| function_call(&format!("f{i}"), &format!("c{i}"), "find", "{}")).collect();
    let items: Vec<Value> = (0..1_025).map(|i| json!({ "id": format!("o{i}"), "type": "other" })).collect();
    let long = vec![function_call("f", "c", "find", &"x".repeat(300 << 10))];
    for (output, said) in [(many, "more than 128 tools"), (items, "more than 1024 items"), (long, "more than 262144 bytes of arguments")] {
        let asked = Ask::new(Provider::OpenaiResponses).of(vec![Answer::events(events(&[completed(json!(output))]))]).await;
        let error = asked.reply.unwrap_err();
        assert!(error.trouble == Trouble::Nonsense && error.message.contains(said), "{}", error.message);
        assert_eq!(asked.requests.len(), 1);
    }
}
