//! Gemini through its compatible end: thought signatures go back exactly as
//! they came, or the provider refuses the conversation.

use super::*;

fn chunk(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta }], "model": "gemini", "object": "chat.completion.chunk" })
}

fn stop() -> Value {
    json!({ "choices": [{ "index": 0, "delta": { "role": "assistant" }, "finish_reason": "stop" }] })
}

fn tool_call(id: &str, name: &str, arguments: &str) -> Value {
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

fn signed(mut call: Value, name: &str, signature: &str) -> Value {
    call["extra_content"] = json!({ name: { "thought_signature": signature } });
    call
}

/// Asks with a stream of these deltas, then again with the reply and results for all its calls; gives
/// the reply and the assistant message that was sent back.
async fn sent_back(deltas: &[Value]) -> (Reply, Value) {
    let mut chunks: Vec<Value> = deltas.iter().cloned().map(chunk).collect();
    chunks.push(stop());
    let said = Answer::chunks(&[chunk(json!({ "content": "ok" })), stop()]);
    let peer = Peer::new(vec![Answer::chunks(&chunks), said]).await;
    let model = configured(Provider::Gemini, &peer.url(), 0);
    let asked = Ask::new(Provider::Gemini).of_model(model, &peer).await;
    let reply = asked.reply.unwrap();
    let mut items = vec![user("hello"), kept(&reply, &*asked.model)];
    items.extend(reply.calls.iter().map(|call| result(&call.id, "{}")));
    let again = Ask::new(Provider::Gemini).items(items).of_model(asked.model, &peer).await;
    (reply, again.requests[1].body["messages"][2].clone())
}

#[tokio::test]
async fn parallel_calls_without_index_keep_the_one_signature_where_it_was() {
    let calls = [signed(tool_call("a", "find", "{\"q\":1}"), "google", "EjQK+/=_-"), tool_call("b", "look", "{\"q\":2}")];
    for deltas in [
        vec![json!({ "role": "assistant", "tool_calls": calls })],
        calls.iter().map(|call| json!({ "role": "assistant", "tool_calls": [call] })).collect(),
    ] {
        let (reply, message) = sent_back(&deltas).await;
        assert_eq!((reply.calls.len(), reply.finish), (2, model::Finish::Tools));
        assert_eq!(message["tool_calls"], json!(calls));
    }
}

#[tokio::test]
async fn a_signature_may_trail_its_call_without_an_index_and_vertex_has_a_name_of_its_own() {
    let (reply, message) = sent_back(&[
        json!({ "tool_calls": [tool_call("a", "find", "{}")] }),
        json!({ "tool_calls": [{ "extra_content": { "vertex": { "thought_signature": "late" } } }] }),
    ])
    .await;
    assert_eq!(reply.calls.len(), 1);
    assert_eq!(message["tool_calls"][0], signed(tool_call("a", "find", "{}"), "vertex", "late"));
}

#[tokio::test]
async fn calls_with_empty_ids_and_one_index_for_all_are_told_apart_with_their_signatures() {
    let at_0 = |mut call: Value| {
        call["index"] = 0.into();
        call
    };
    let (reply, message) = sent_back(&[
        json!({ "tool_calls": [at_0(signed(tool_call("", "find", "{\"q\":1}"), "google", "one"))] }),
        json!({ "tool_calls": [at_0(signed(tool_call("", "find", "{\"q\":2}"), "google", "two"))] }),
    ])
    .await;
    let ids: Vec<&str> = reply.calls.iter().map(|call| &*call.id).collect();
    assert_eq!(ids, ["call_1_0", "call_1_1"]);
    let signatures: Vec<&Value> = (0..2).map(|at| &message["tool_calls"][at]["extra_content"]["google"]["thought_signature"]).collect();
    assert_eq!(signatures, ["one", "two"]);
}

#[tokio::test]
async fn a_signature_of_text_goes_back_with_the_message() {
    let extra = json!({ "google": { "thought_signature": "text" } });
    let (_, message) = sent_back(&[json!({ "content": "Hi" }), json!({ "content": "", "extra_content": extra })]).await;
    assert_eq!(message, json!({ "role": "assistant", "content": "Hi", "extra_content": extra }));
}

#[tokio::test]
async fn calls_of_another_model_pass_by_googles_own_word_and_only_there() {
    let calls = vec![call("a", "{}"), call("b", "{}")];
    let assistant = || Item::new(ItemBody::Assistant { thinking: String::new(), text: String::new(), calls: calls.clone(), raw: None });
    for (provider, signature) in [(Provider::Gemini, json!("skip_thought_signature_validator")), (Provider::Openai, Value::Null)] {
        let items = vec![user("hello"), assistant(), result("a", "{}"), result("b", "{}")];
        let asked = Ask::new(provider).items(items).of(vec![Answer::chunks(&[stop()])]).await;
        let sent = &asked.requests[0].body["messages"][2]["tool_calls"];
        assert_eq!(sent[0]["extra_content"]["google"]["thought_signature"], signature, "{provider:?}");
        assert_eq!(sent[1].get("extra_content"), None);
    }
}
