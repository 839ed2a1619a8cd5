//! What is sent over Responses: the frame, the history, and reasoning exactly as it came.

use super::responses::{events, rich, rich_output};
use super::*;

fn ok() -> Answer {
    let content = json!([{ "type": "output_text", "text": "ok" }]);
    Answer::json(&json!({ "status": "completed", "output": [{ "id": "m", "type": "message", "role": "assistant", "content": content }] }))
}

async fn sent(ask: Ask) -> Request {
    let asked = ask.of(vec![ok()]).await;
    asked.reply.unwrap();
    asked.requests[0].clone()
}

#[tokio::test]
async fn a_request_has_the_key_the_history_the_tools_and_nothing_that_the_provider_would_store() {
    let assistant = ItemBody::Assistant {
        thinking: "secret".into(),
        text: "on it".into(),
        calls: vec![call("c1", "{ \"q\": 1 }"), call("c2", "{bad")],
        raw: None,
    };
    let items = vec![user("find \"x\""), Item::new(assistant), user("steer"), result("c1", "{\"r\":[]}"), user("more")];
    let ask = Ask { tools: tools(), ..Ask::new(Provider::OpenaiResponses).items(items) };
    let parameters = json!({
        "temperature": 0.5, "max_tokens": 99, "model": "mine", "store": true, "previous_response_id": "r", "reasoning_effort": "low",
        "include": ["message.output_text.logprobs"], "text": { "verbosity": "low" },
    });
    let request = sent(ask.parameters(parameters)).await;
    assert!(request.head.starts_with("POST /v1/responses HTTP/1.1"), "{}", request.head);
    assert!(request.has_line("authorization: Bearer s3cret"));
    let missing = &request.body["input"][5];
    assert!(missing["call_id"] == "c2" && missing["output"].as_str().unwrap().contains("no result"), "{missing}");
    let mut body = request.body.clone();
    body["input"].as_array_mut().unwrap().remove(5);
    assert_eq!(
        body,
        json!({
            "model": "m-1",
            "instructions": "be kind",
            "input": [
                { "role": "user", "content": "find \"x\"" },
                { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "on it" }] },
                { "type": "function_call", "call_id": "c1", "name": "find", "arguments": "{ \"q\": 1 }" },
                { "type": "function_call", "call_id": "c2", "name": "find", "arguments": "{}" },
                { "type": "function_call_output", "call_id": "c1", "output": "{\"r\":[]}" },
                { "role": "user", "content": "steer" },
                { "role": "user", "content": "more" },
            ],
            "tools": [{ "type": "function", "name": "find", "description": "Finds \"things\".",
                "parameters": { "type": "object", "properties": { "q": { "type": "string" } } }, "strict": false }],
            "temperature": 0.5,
            "max_output_tokens": 99,
            "reasoning": { "effort": "low" },
            "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
            "store": false,
            "text": { "verbosity": "low" },
            "stream": true,
        })
    );
}

#[tokio::test]
async fn items_go_back_to_where_they_came_from_as_they_came_and_nowhere_else() {
    let peer = Peer::new(vec![Answer::events(events(&rich())), ok()]).await;
    let model = configured(Provider::OpenaiResponses, &peer.url(), 0);
    let asked = Ask::new(Provider::OpenaiResponses).of_model(model, &peer).await;
    let reply = asked.reply.unwrap();
    let items = |model: &dyn Model| vec![user("hello"), kept(&reply, model), result("call_a", "{}"), result("call_b", "{}")];
    let again = Ask::new(Provider::OpenaiResponses).items(items(&*asked.model)).of_model(asked.model.clone(), &peer).await;
    let input = again.requests[1].body["input"].as_array().unwrap();
    let mut expected = rich_output();
    expected[4]["arguments"] = "{}".into();
    assert_eq!(input[1..6], expected[..]);
    assert_eq!(input[6], json!({ "type": "function_call_output", "call_id": "call_a", "output": "{}" }));
    assert!(again.requests[1].text.contains(&expected[0].to_string()), "the reasoning item is the same to the byte");

    let elsewhere = Peer::new(vec![ok()]).await;
    let other = configured(Provider::OpenaiResponses, &elsewhere.url(), 0);
    let moved = Ask::new(Provider::OpenaiResponses).items(items(&*asked.model)).of_model(other, &elsewhere).await;
    let kinds: Vec<_> =
        moved.requests[0].body["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap_or("")).collect();
    assert_eq!(kinds, ["", "message", "function_call", "function_call", "function_call_output", "function_call_output"]);
    assert!(!moved.requests[0].text.contains("c2VhbGVk") && !moved.requests[0].text.contains("fc_1"));
}

#[tokio::test]
async fn a_model_without_encrypted_reasoning_is_asked_without_it_from_then_on() {
    let refusal = json!({ "error": { "message": "Encrypted content is not supported with this model.", "type": "invalid_request_error" } });
    let peer = Peer::new(vec![Answer::status("400 X", refusal.to_string()), ok(), ok()]).await;
    let model = configured(Provider::OpenaiResponses, &peer.url(), 0);
    let first = Ask::new(Provider::OpenaiResponses).of_model(model, &peer).await;
    assert_eq!(first.reply.unwrap().text, "ok");
    let second = Ask::new(Provider::OpenaiResponses).of_model(first.model, &peer).await;
    let asked_for = |request: &Request| request.body.get("include").is_some();
    assert_eq!(second.requests.iter().map(asked_for).collect::<Vec<_>>(), [true, false, false]);
}

#[tokio::test]
async fn other_refusals_about_encrypted_reasoning_stay_refusals() {
    let refusal = json!({ "error": { "code": "invalid_encrypted_content", "message": "The encrypted content could not be verified." } });
    let asked = Ask::new(Provider::OpenaiResponses).of(vec![Answer::status("400 X", refusal.to_string()), ok()]).await;
    assert_eq!((asked.reply.unwrap_err().trouble, asked.requests.len()), (model::Trouble::Refused, 1));
}
