//! What is sent over chat completions: the frame, the history, and what vendors want back.

use super::*;

fn said(text: &str) -> Answer {
    Answer::json(&json!({ "choices": [{ "message": { "content": text }, "finish_reason": "stop" }] }))
}

async fn sent(ask: Ask) -> Request {
    let asked = ask.of(vec![said("ok")]).await;
    asked.reply.unwrap();
    asked.requests[0].clone()
}

#[tokio::test]
async fn a_request_has_the_key_the_history_the_tools_and_the_parameters() {
    let assistant =
        ItemBody::Assistant { thinking: "secret".into(), text: "on it".into(), calls: vec![call("c1", "{ \"q\": 1 }")], raw: None };
    let items = vec![user("find \"x\""), Item::new(assistant), result("c1", "{\"r\":[]}"), user("more")];
    let ask = Ask { tools: tools(), ..Ask::new(Provider::Openai).items(items) };
    let request = sent(ask.parameters(json!({ "temperature": 0.5, "max_tokens": 99, "model": "mine", "n": 3 }))).await;
    assert!(request.head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", request.head);
    assert!(request.has_line("authorization: Bearer s3cret") && request.has_line("content-type: application/json"));
    let function = json!({ "name": "find", "description": "Finds \"things\".", "parameters": { "type": "object", "properties": { "q": { "type": "string" } } } });
    assert_eq!(
        request.body,
        json!({
            "model": "m-1",
            "messages": [
                { "role": "system", "content": "be kind" },
                { "role": "user", "content": "find \"x\"" },
                { "role": "assistant", "content": "on it", "tool_calls": [
                    { "id": "c1", "type": "function", "function": { "name": "find", "arguments": "{ \"q\": 1 }" } }] },
                { "role": "tool", "tool_call_id": "c1", "content": "{\"r\":[]}" },
                { "role": "user", "content": "more" },
            ],
            "tools": [{ "type": "function", "function": function }],
            "temperature": 0.5,
            "max_tokens": 99,
            "stream": true,
            "stream_options": { "include_usage": true },
        })
    );
}

#[tokio::test]
async fn a_call_without_a_result_is_sent_with_one_that_says_so() {
    let calls = vec![call("c1", "{}"), call("c2", "{broken")];
    let assistant = ItemBody::Assistant { thinking: String::new(), text: String::new(), calls, raw: None };
    let request = sent(Ask::new(Provider::Openai).items(vec![Item::new(assistant), user("hi"), result("c2", "{}")])).await;
    let messages = request.body["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|m| (m["role"].as_str().unwrap(), m["tool_call_id"].as_str().unwrap_or(""))).collect();
    assert_eq!(roles, [("system", ""), ("assistant", ""), ("tool", "c1"), ("tool", "c2"), ("user", "")]);
    assert!(messages[2]["content"].as_str().unwrap().contains("no result"));
    assert_eq!(messages[1]["tool_calls"][1]["function"]["arguments"], "{}");
    assert_eq!(messages[1]["content"], Value::Null);
}

/// Asks once, then again with the reply and a result of its first call in the history; gives the assistant message that was sent back.
async fn sent_back(message: Value) -> Value {
    let first = Answer::json(&json!({ "choices": [{ "message": message, "finish_reason": "stop" }] }));
    let peer = Peer::new(vec![first, said("ok")]).await;
    let model = configured(Provider::Openai, &peer.url(), 0);
    let asked = Ask::new(Provider::Openai).whole().of_model(model, &peer).await;
    let reply = asked.reply.unwrap();
    let mut items = vec![user("hello"), kept(&reply, &*asked.model)];
    items.extend(reply.calls.iter().map(|call| result(&call.id, "{}")));
    let again = Ask::new(Provider::Openai).whole().items(items).of_model(asked.model, &peer).await;
    again.requests[1].body["messages"][2].clone()
}

#[tokio::test]
async fn geminis_thought_signature_goes_back_as_it_came() {
    let extra = json!({ "google": { "thought_signature": "c2ln+/=" } });
    let calls =
        json!([{ "id": "a", "type": "function", "function": { "name": "find", "arguments": "{\"q\":1}" }, "extra_content": extra }]);
    let message = json!({ "role": "assistant", "content": null, "tool_calls": calls });
    assert_eq!(sent_back(message.clone()).await, message);
}

#[tokio::test]
async fn geminis_thought_signature_may_trail_its_call_without_an_index() {
    let extra = json!({ "google": { "thought_signature": "late" } });
    let fragment = |fragment: Value| json!({ "choices": [{ "delta": { "tool_calls": [fragment] } }] });
    let chunks = [
        fragment(json!({ "index": 0, "id": "a", "function": { "name": "find", "arguments": "{}" } })),
        fragment(json!({ "extra_content": extra })),
        json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }),
    ];
    let reply = Ask::new(Provider::Gemini).of(vec![Answer::chunks(&chunks)]).await.reply.unwrap();
    assert_eq!(raw(&reply)["tool_calls"][0]["extra_content"], extra);
    assert_eq!(reply.calls.len(), 1);
}

#[tokio::test]
async fn reasoning_content_goes_back_beside_calls_only() {
    let calls = json!([{ "id": "a", "type": "function", "function": { "name": "find", "arguments": "{}" } }]);
    let back = sent_back(json!({ "content": "x", "reasoning_content": "Hm.", "tool_calls": calls })).await;
    assert_eq!(back["reasoning_content"], "Hm.");
    assert_eq!(sent_back(json!({ "content": "x", "reasoning_content": "Hm." })).await, json!({ "role": "assistant", "content": "x" }));
    assert_eq!(sent_back(json!({ "content": "x", "reasoning": "Hm." })).await, json!({ "role": "assistant", "content": "x" }));
}

#[tokio::test]
async fn reasoning_details_go_back_in_order_with_their_pieces_joined() {
    let detail = |detail: Value| json!({ "choices": [{ "delta": { "reasoning_details": [detail] } }] });
    let chunks = [
        detail(json!({ "type": "reasoning.text", "text": "Hm", "index": 0, "format": "f" })),
        detail(json!({ "type": "reasoning.text", "text": "m.", "index": 0, "signature": "s" })),
        detail(json!({ "type": "reasoning.encrypted", "data": "AAA", "index": 1 })),
        detail(json!({ "type": "reasoning.encrypted", "data": "BBB", "index": 2 })),
        json!({ "choices": [{ "delta": { "content": "Yes" }, "finish_reason": "stop" }] }),
    ];
    let reply = Ask::new(Provider::Openai).of(vec![Answer::chunks(&chunks)]).await.reply.unwrap();
    let expected = json!([
        { "type": "reasoning.text", "text": "Hmm.", "index": 0, "format": "f", "signature": "s" },
        { "type": "reasoning.encrypted", "data": "AAA", "index": 1 },
        { "type": "reasoning.encrypted", "data": "BBB", "index": 2 },
    ]);
    assert_eq!(raw(&reply)["reasoning_details"], expected);
}

#[tokio::test]
async fn another_models_raw_reply_is_not_sent() {
    let raw = serde_json::value::RawValue::from_string("{\"role\":\"assistant\",\"secret\":1}".into()).unwrap();
    let origin = session::Origin { wire: "chat-completions".into(), provider: "elsewhere".into(), model: "m-1".into(), format: 1 };
    let raw = Some(RawReply { origin, json: raw.into() });
    let assistant = ItemBody::Assistant { thinking: String::new(), text: "x".into(), calls: vec![], raw };
    let request = sent(Ask::new(Provider::Openai).items(vec![user("a"), Item::new(assistant), user("b")])).await;
    assert_eq!(request.body["messages"][2], json!({ "role": "assistant", "content": "x" }));
}

#[tokio::test]
async fn names_that_a_model_made_up_are_sent_in_legal_letters() {
    let calls = vec![AskedCall { id: "a".into(), name: "functions.find it!".into(), arguments: "{}".into() }];
    let assistant = ItemBody::Assistant { thinking: String::new(), text: String::new(), calls, raw: None };
    let request = sent(Ask::new(Provider::Openai).items(vec![user("a"), Item::new(assistant), result("a", "{}")])).await;
    assert_eq!(request.body["messages"][2]["tool_calls"][0]["function"]["name"], "functions_find_it_");
}

#[tokio::test]
async fn history_is_rendered_once_and_sent_the_same_every_time() {
    let peer = Peer::new(vec![said("a"), said("b")]).await;
    let model = configured(Provider::Openai, &peer.url(), 0);
    let items = vec![user("one"), user("two")];
    let first = Ask::new(Provider::Openai).whole().items(items.clone()).of_model(model, &peer).await;
    let second = Ask::new(Provider::Openai).whole().items([items, vec![user("three")]].concat()).of_model(first.model, &peer).await;
    let [a, b] = [&second.requests[0].text, &second.requests[1].text];
    let begin = a.find("{\"role\":\"user\",\"content\":\"two\"}").unwrap() + 20;
    assert_eq!(a[..begin], b[..begin]);
}

#[tokio::test]
async fn a_query_in_the_base_address_is_kept() {
    let peer = Peer::new(vec![said("a")]).await;
    let model = configured(Provider::Openai, &format!("{}/deployments/x/?api-version=1", peer.url()), 0);
    let asked = Ask::new(Provider::Openai).of_model(model, &peer).await;
    assert!(asked.requests[0].head.starts_with("POST /v1/deployments/x/chat/completions?api-version=1 "), "{}", asked.requests[0].head);
}
