//! Anthropic's Messages: streams and whole answers, replay, and what is sent.

use model::{Finish, Trouble};
use session::TokenUsage;

use super::*;

/// Events as the provider names them.
fn events(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

fn start() -> Value {
    let usage = json!({ "input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2, "output_tokens": 1 });
    json!({ "type": "message_start", "message": { "id": "msg", "type": "message", "role": "assistant", "content": [], "stop_reason": null, "usage": usage } })
}

fn block(index: u64, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn delta(index: u64, delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn stop(index: u64) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({ "type": "message_delta", "delta": { "stop_reason": reason, "stop_sequence": null }, "usage": { "output_tokens": 42 } }),
        json!({ "type": "message_stop" }),
    ]
}

fn text(index: u64, words: &str) -> [Value; 3] {
    [block(index, json!({ "type": "text", "text": "" })), delta(index, json!({ "type": "text_delta", "text": words })), stop(index)]
}

/// Thinking, redacted thinking, text, and two calls, as a model with interleaved thinking writes them.
fn rich() -> Vec<Value> {
    let mut all = vec![start(), json!({ "type": "ping" })];
    all.extend([
        block(0, json!({ "type": "thinking", "thinking": "", "signature": "" })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "Hm " })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "é." })),
        delta(0, json!({ "type": "signature_delta", "signature": "c2ln" })),
        stop(0),
        block(1, json!({ "type": "redacted_thinking", "data": "ZW5j" })),
        stop(1),
    ]);
    all.extend(text(2, "On it."));
    all.extend([
        block(3, json!({ "type": "tool_use", "id": "toolu_1", "name": "find", "input": {} })),
        delta(3, json!({ "type": "input_json_delta", "partial_json": "" })),
        delta(3, json!({ "type": "input_json_delta", "partial_json": "{\"q\": " })),
        delta(3, json!({ "type": "input_json_delta", "partial_json": "1.0}" })),
        stop(3),
        block(4, json!({ "type": "tool_use", "id": "toolu_2", "name": "look", "input": {} })),
        stop(4),
    ]);
    all.extend(end("tool_use"));
    all
}

fn rich_blocks() -> Value {
    json!([
        { "type": "thinking", "thinking": "Hm é.", "signature": "c2ln" },
        { "type": "redacted_thinking", "data": "ZW5j" },
        { "type": "text", "text": "On it." },
        { "type": "tool_use", "id": "toolu_1", "name": "find", "input": { "q": 1.0 } },
        { "type": "tool_use", "id": "toolu_2", "name": "look", "input": {} },
    ])
}

async fn ask(answer: Answer) -> Asked {
    Ask::new(Provider::Anthropic).of(vec![answer]).await
}

async fn reply_to(list: &[Value]) -> Reply {
    ask(Answer::events(events(list))).await.reply.unwrap()
}

#[tokio::test]
async fn a_stream_of_blocks_is_a_reply_and_is_kept_in_order_with_signatures() {
    let asked = ask(Answer::events(events(&rich()))).await;
    let reply = asked.reply.unwrap();
    assert_eq!((reply.thinking.as_str(), reply.text.as_str(), reply.finish), ("Hm é.", "On it.", Finish::Tools));
    assert_eq!(calls(&reply), [("toolu_1", "find", "{\"q\": 1.0}"), ("toolu_2", "look", "{}")]);
    assert_eq!(reply.usage, Some(TokenUsage { input: 17, cached: 5, output: 42, reasoning: 0, window: 0 }));
    assert_eq!(raw(&reply), rich_blocks());
    assert!(reply.raw.as_ref().unwrap().get().contains("\"input\":{\"q\": 1.0}"));
    assert_eq!(sum(&asked.deltas), sum_of(&reply));
}

#[tokio::test]
async fn every_cut_of_a_stream_reads_the_same() {
    let body = events(&rich());
    let whole = ask(Answer::events(body.clone())).await;
    let (expected, deltas) = (format!("{:?}", whole.reply.unwrap()), whole.deltas);
    for cut in (1..body.len()).step_by(3) {
        let asked = ask(Answer::events(body.clone()).split_at(cut)).await;
        assert_eq!(format!("{:?}", asked.reply.unwrap()), expected, "cut at {cut}");
        assert_eq!(asked.deltas, deltas, "cut at {cut}");
    }
    let asked = ask(Answer::events(body).in_bytes()).await;
    assert_eq!(format!("{:?}", asked.reply.unwrap()), expected);
}

#[tokio::test]
async fn a_whole_answer_is_read_like_a_stream() {
    let usage = json!({ "input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2, "output_tokens": 42 });
    let answer = json!({ "type": "message", "role": "assistant", "content": rich_blocks(), "stop_reason": "tool_use", "usage": usage });
    let asked = Ask::new(Provider::Anthropic).whole().of(vec![Answer::json(&answer)]).await;
    let reply = asked.reply.unwrap();
    assert_eq!(raw(&reply), rich_blocks());
    assert_eq!(calls(&reply), [("toolu_1", "find", "{\"q\":1.0}"), ("toolu_2", "look", "{}")]);
    assert_eq!((reply.usage.unwrap().input, reply.finish), (17, Finish::Tools));
}

#[tokio::test]
async fn unknown_events_and_deltas_are_ignored() {
    let mut list = vec![start(), json!({ "type": "brand_new", "delta": "odd", "index": "odd" })];
    list.extend(text(0, "a"));
    list.insert(4, delta(0, json!({ "type": "brand_new_delta", "text": { "odd": 1 } })));
    list.insert(5, delta(9, json!({ "type": "text_delta", "text": "for no block" })));
    list.push(block(1, json!({ "type": "brand_new_block", "stuff": [1] })));
    list.extend(end("end_turn"));
    let reply = reply_to(&list).await;
    assert_eq!((reply.text.as_str(), reply.finish), ("a", Finish::Stop));
    assert_eq!(raw(&reply), json!([{ "type": "text", "text": "a" }, { "type": "brand_new_block", "stuff": [1] }]));
}

#[tokio::test]
async fn overlapping_blocks_are_kept_apart() {
    let tool = |id: &str| json!({ "type": "tool_use", "id": id, "name": "find", "input": {} });
    let input = |index, json: &str| delta(index, json!({ "type": "input_json_delta", "partial_json": json }));
    let mut list = vec![
        start(),
        block(0, tool("a")),
        block(1, tool("b")),
        input(0, "{\"q\""),
        input(1, "{\"z\""),
        input(0, ":1}"),
        input(1, ":2}"),
        stop(0),
        stop(1),
    ];
    list.extend(end("tool_use"));
    assert_eq!(calls(&reply_to(&list).await), [("a", "find", "{\"q\":1}"), ("b", "find", "{\"z\":2}")]);
}

#[tokio::test]
async fn a_call_with_its_input_in_the_first_event_and_ids_twice_or_not_at_all() {
    let tool = |id: &str| json!({ "type": "tool_use", "id": id, "name": "find", "input": { "q": 1 } });
    let mut list = vec![start(), block(0, tool("a")), stop(0), block(1, tool("a")), stop(1), block(2, tool("")), stop(2)];
    list.extend(end("tool_use"));
    assert_eq!(
        calls(&reply_to(&list).await),
        [("a", "find", "{\"q\":1}"), ("a_2", "find", "{\"q\":1}"), ("call_1_2", "find", "{\"q\":1}")]
    );
}

#[tokio::test]
async fn a_reply_cut_by_its_length_needs_no_end_of_its_block_and_is_never_sent_back_broken() {
    let thinking = block(0, json!({ "type": "thinking", "thinking": "unsign", "signature": "" }));
    let tool = block(1, json!({ "type": "tool_use", "id": "a", "name": "find", "input": {} }));
    let mut list = vec![start(), thinking, tool, delta(1, json!({ "type": "input_json_delta", "partial_json": "{\"q\": \"unf" }))];
    list.extend(end("max_tokens"));
    let reply = reply_to(&list).await;
    assert_eq!((reply.finish, calls(&reply)), (Finish::Length, vec![("a", "find", "{\"q\": \"unf")]));
    assert_eq!(raw(&reply), json!([{ "type": "tool_use", "id": "a", "name": "find", "input": {} }]));
}

#[tokio::test]
async fn citations_are_kept_with_their_text() {
    let mut list = vec![start(), block(0, json!({ "type": "text", "text": "" })), delta(0, json!({ "type": "text_delta", "text": "a" }))];
    list.extend([delta(0, json!({ "type": "citations_delta", "citation": { "cited_text": "x" } })), stop(0)]);
    list.extend(end("end_turn"));
    assert_eq!(raw(&reply_to(&list).await), json!([{ "type": "text", "citations": [{ "cited_text": "x" }], "text": "a" }]));
}

#[tokio::test]
async fn every_reason_to_stop_has_its_meaning() {
    for (reason, finish) in [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::Stop),
        ("max_tokens", Finish::Length),
        ("refusal", Finish::Filtered),
        ("brand_new", Finish::Stop),
    ] {
        let list = [vec![start()], text(0, "a").into(), end(reason).into()].concat();
        assert_eq!(reply_to(&list).await.finish, finish, "{reason}");
    }
    let list = [vec![start()], text(0, "a").into(), end("model_context_window_exceeded").into()].concat();
    let asked = Ask { window: 50, ..Ask::new(Provider::Anthropic) }.of(vec![Answer::events(events(&list))]).await;
    assert_eq!(asked.reply.unwrap_err().trouble, Trouble::Overflow { limit: Some(50), actual: Some(59) });
}

#[tokio::test]
async fn a_paused_reply_is_sent_back_and_goes_on() {
    let first = [vec![start()], text(0, "one ").into(), end("pause_turn").into()].concat();
    let second = [vec![start()], text(0, "two").into(), end("end_turn").into()].concat();
    let asked = Ask::new(Provider::Anthropic).of(vec![Answer::events(events(&first)), Answer::events(events(&second))]).await;
    let reply = asked.reply.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("one two", Finish::Stop));
    let sent_back = json!({ "role": "assistant", "content": [{ "type": "text", "text": "one " }] });
    assert_eq!(asked.requests[1].body["messages"][1], sent_back);
    assert_eq!(sum(&asked.deltas)["text"], "one two");
}

#[tokio::test]
async fn a_pause_that_is_repeated_keeps_what_came_before_it() {
    let first = [vec![start()], text(0, "one ").into(), end("pause_turn").into()].concat();
    let cut = [vec![start()], text(0, "lost").into()].concat();
    let second = [vec![start()], text(0, "two").into(), end("end_turn").into()].concat();
    let answers = [first, cut, second].map(|list| Answer::events(events(&list))).into();
    let asked = Ask::new(Provider::Anthropic).of(answers).await;
    assert_eq!(asked.reply.unwrap().text, "one two");
    assert_eq!(sum(&asked.deltas)["text"], "one two");
    assert!(asked.deltas.contains(&Delta::Restarted));
}

#[tokio::test]
async fn a_stream_without_an_end_is_cut_and_one_with_a_reason_is_not() {
    let list = [vec![start()], text(0, "a").into()].concat();
    let asked = Ask { retries: 0, ..Ask::new(Provider::Anthropic) }.of(vec![Answer::events(events(&list))]).await;
    assert_eq!(asked.reply.unwrap_err().trouble, Trouble::Unavailable { retry_after_ms: None });
    let list = [list, vec![end("end_turn")[0].clone()]].concat();
    assert_eq!(reply_to(&list).await.text, "a");
}

#[tokio::test]
async fn an_overloaded_provider_in_mid_stream_is_asked_again_after_a_sign() {
    let broken = [
        vec![start()],
        text(0, "half").into(),
        vec![json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } })],
    ]
    .concat();
    let whole = [vec![start()], text(0, "whole").into(), end("end_turn").into()].concat();
    let asked = Ask::new(Provider::Anthropic).of(vec![Answer::events(events(&broken)), Answer::events(events(&whole))]).await;
    assert_eq!(asked.reply.unwrap().text, "whole");
    assert_eq!(asked.deltas, [Delta::Text("half".into()), Delta::Restarted, Delta::Text("whole".into())]);
}

#[tokio::test]
async fn a_request_has_the_key_the_version_and_one_message_for_all_results() {
    let ok = || Answer::json(&json!({ "type": "message", "content": [{ "type": "text", "text": "ok" }], "stop_reason": "end_turn" }));
    let assistant = ItemBody::Assistant {
        thinking: "t".into(),
        text: " ".into(),
        calls: vec![call("c:1", "{ \"q\": 1 }"), call("c2", "{bad")],
        raw: None,
    };
    let failed = Item::new(ItemBody::ToolResult { call_id: "c2".into(), name: "find".into(), output: "{\"error\":1}".into(), error: true });
    let items = vec![user("a"), user("b"), Item::new(assistant), user("steer"), failed, result("c:1", "{}")];
    let ask = Ask { tools: tools(), ..Ask::new(Provider::Anthropic).items(items) };
    let asked = ask
        .parameters(json!({ "temperature": 1, "stream": false, "thinking": { "type": "enabled", "budget_tokens": 1024 } }))
        .of(vec![ok()])
        .await;
    let request = &asked.requests[0];
    assert!(request.head.starts_with("POST /v1/messages HTTP/1.1"), "{}", request.head);
    assert!(request.has_line("x-api-key: s3cret") && request.has_line("anthropic-version: 2023-06-01"));
    assert_eq!(
        request.body,
        json!({
            "model": "m-1",
            // No thinking: the calls are another model's, and have no signed blocks.
            "max_tokens": 4096,
            "system": "be kind",
            "messages": [
                { "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
                { "role": "assistant", "content": [
                    { "type": "tool_use", "id": "c_1", "name": "find", "input": { "q": 1 } },
                    { "type": "tool_use", "id": "c2", "name": "find", "input": {} },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "c_1", "content": "{}" },
                    { "type": "tool_result", "tool_use_id": "c2", "content": "{\"error\":1}", "is_error": true },
                    { "type": "text", "text": "steer" },
                ] },
            ],
            "tools": [{ "name": "find", "description": "Finds \"things\".", "input_schema": { "type": "object", "properties": { "q": { "type": "string" } } } }],
            "temperature": 1,
            "stream": true,
        })
    );
}

#[tokio::test]
async fn thinking_has_its_budget_on_top_of_the_length() {
    let ok = Answer::json(&json!({ "type": "message", "content": [], "stop_reason": "end_turn" }));
    let thinking = json!({ "type": "enabled", "budget_tokens": 2000 });
    let asked = Ask::new(Provider::Anthropic).parameters(json!({ "thinking": thinking })).of(vec![ok]).await;
    assert_eq!((&asked.requests[0].body["thinking"], &asked.requests[0].body["max_tokens"]), (&thinking, &json!(6096)));
}

#[tokio::test]
async fn blocks_go_back_to_where_they_came_from_and_nowhere_else() {
    let ok = || Answer::json(&json!({ "type": "message", "content": [], "stop_reason": "end_turn" }));
    let peer = Peer::new(vec![Answer::events(events(&rich())), ok()]).await;
    let model = configured(Provider::Anthropic, &peer.url(), 0);
    let asked = Ask::new(Provider::Anthropic).of_model(model, &peer).await;
    let reply = asked.reply.unwrap();
    let items = |model: &dyn Model| vec![user("hello"), kept(&reply, model), result("toolu_1", "{}"), result("toolu_2", "{}")];
    let thinking = json!({ "thinking": { "type": "adaptive" } });
    let again =
        Ask::new(Provider::Anthropic).parameters(thinking.clone()).items(items(&*asked.model)).of_model(asked.model.clone(), &peer).await;
    assert_eq!(again.requests[1].body["messages"][1], json!({ "role": "assistant", "content": rich_blocks() }));
    assert_eq!(again.requests[1].body["thinking"], thinking["thinking"]);

    let elsewhere = Peer::new(vec![ok()]).await;
    let other = configured(Provider::Anthropic, &elsewhere.url(), 0);
    let moved = Ask::new(Provider::Anthropic).parameters(thinking).items(items(&*asked.model)).of_model(other, &elsewhere).await;
    let neutral = json!([
        { "type": "text", "text": "On it." },
        { "type": "tool_use", "id": "toolu_1", "name": "find", "input": { "q": 1.0 } },
        { "type": "tool_use", "id": "toolu_2", "name": "look", "input": {} },
    ]);
    assert_eq!(moved.requests[0].body["messages"][1]["content"], neutral);
    assert_eq!(moved.requests[0].body.get("thinking"), None);
}

#[tokio::test]
async fn a_conversation_that_begins_with_the_model_is_given_a_begin() {
    let ok = Answer::json(&json!({ "type": "message", "content": [], "stop_reason": "end_turn" }));
    let assistant = ItemBody::Assistant { thinking: String::new(), text: "earlier".into(), calls: vec![], raw: None };
    let asked = Ask::new(Provider::Anthropic).items(vec![Item::new(assistant), user("a")]).of(vec![ok]).await;
    let roles: Vec<_> =
        asked.requests[0].body["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap().to_owned()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
}

#[tokio::test]
async fn a_summary_and_the_input_after_it_are_one_message_of_the_user() {
    let ok = Answer::json(&json!({ "type": "message", "content": [], "stop_reason": "end_turn" }));
    let asked = Ask::new(Provider::Anthropic).items(vec![user("What was said before: a."), user(" "), user("b")]).of(vec![ok]).await;
    let content = json!([{ "type": "text", "text": "What was said before: a." }, { "type": "text", "text": "b" }]);
    assert_eq!(asked.requests[0].body["messages"], json!([{ "role": "user", "content": content }]));
}

#[tokio::test]
async fn a_history_with_calls_that_is_only_to_be_summarised_still_names_their_tools() {
    let ok = || Answer::json(&json!({ "type": "message", "content": [], "stop_reason": "end_turn" }));
    let calls = vec![call("a", "{}"), call("b", "{}")];
    let assistant = ItemBody::Assistant { thinking: String::new(), text: String::new(), calls, raw: None };
    let items = vec![user("a"), Item::new(assistant), result("a", "{}"), result("b", "{}"), user("Summarise this.")];
    let parameters = json!({ "tool_choice": { "type": "any" } });
    let asked = Ask::new(Provider::Anthropic).items(items).parameters(parameters).of(vec![ok()]).await;
    let body = &asked.requests[0].body;
    let names: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!((names, &body["tool_choice"]), (vec!["find"], &json!({ "type": "none" })));
    let plain = Ask::new(Provider::Anthropic).of(vec![ok()]).await;
    assert_eq!((plain.requests[0].body.get("tools"), plain.requests[0].body.get("tool_choice")), (None, None));
}
