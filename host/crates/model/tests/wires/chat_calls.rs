//! Tool calls over chat completions, in every shape in which servers write them.

use model::Finish;

use super::*;

/// A stream of these pieces of `tool_calls`, a chunk each, that ends with `finish`.
fn stream_of(fragments: &[Value], finish: &str) -> Answer {
    let chunk = |fragment: &Value| json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [fragment] } }] });
    let mut chunks: Vec<Value> = fragments.iter().map(chunk).collect();
    chunks.push(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": finish }] }));
    Answer::chunks(&chunks)
}

async fn read_calls(fragments: Value, finish: &str) -> Asked {
    Ask::new(Provider::Openai).of(vec![stream_of(fragments.as_array().unwrap(), finish)]).await
}

/// A case is a name, the fragments, and the calls that they are.
macro_rules! cases {
    ($($name:ident: $fragments:tt => $calls:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let asked = read_calls(json!($fragments), "tool_calls").await;
            let reply = asked.reply.unwrap();
            assert_eq!(calls(&reply), $calls);
            assert_eq!(reply.finish, Finish::Tools);
            assert_eq!(sum(&asked.deltas), sum_of(&reply));
            let sent_back = raw(&reply);
            let ids: Vec<_> = sent_back["tool_calls"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap()).collect();
            assert_eq!(ids, reply.calls.iter().map(|call| &*call.id).collect::<Vec<_>>());
        }
    )*};
}

cases! {
    a_call_in_fragments_keeps_its_exact_text: [
        {"index":0,"id":"a","type":"function","function":{"name":"find","arguments":""}},
        {"index":0,"function":{"arguments":"{ \"q\""}},
        {"index":0,"function":{"arguments":": 1.0,\t\"é\":\"\\u00e9\" }"}},
    ] => [("a", "find", "{ \"q\": 1.0,\t\"é\":\"\\u00e9\" }")];

    parallel_calls_one_after_another: [
        {"index":0,"id":"a","function":{"name":"find","arguments":"{\"q\":1}"}},
        {"index":1,"id":"b","function":{"name":"look","arguments":"{\"q\":"}},
        {"index":1,"function":{"arguments":"2}"}},
    ] => [("a", "find", "{\"q\":1}"), ("b", "look", "{\"q\":2}")];

    parallel_calls_whose_fragments_alternate: [
        {"index":0,"id":"a","function":{"name":"find","arguments":"{\"q\""}},
        {"index":1,"id":"b","function":{"name":"look","arguments":"{\"z\""}},
        {"index":0,"function":{"arguments":":1}"}},
        {"index":1,"function":{"arguments":":2}"}},
    ] => [("a", "find", "{\"q\":1}"), ("b", "look", "{\"z\":2}")];

    whole_calls_without_index: [
        {"id":"a","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}},
        {"id":"b","type":"function","function":{"name":"find","arguments":"{\"q\":2}"}},
    ] => [("a", "find", "{\"q\":1}"), ("b", "find", "{\"q\":2}")];

    fragments_without_index_are_joined_by_id: [
        {"id":"a","function":{"name":"find","arguments":"{\"q\""}},
        {"id":"b","function":{"name":"look","arguments":"{"}},
        {"id":"a","function":{"arguments":":1}"}},
        {"id":"b","function":{"arguments":"}"}},
    ] => [("a", "find", "{\"q\":1}"), ("b", "look", "{}")];

    fragments_without_index_or_id_continue_the_last_call: [
        {"id":"a","function":{"name":"find","arguments":"{\"q\""}},
        {"function":{"arguments":":1}"}},
    ] => [("a", "find", "{\"q\":1}")];

    calls_without_index_and_id_get_ids_of_our_own: [
        {"function":{"name":"find","arguments":"{\"q\":1}"}},
        {"function":{"name":"find","arguments":"{\"q\":1}"}},
    ] => [("call_1_0", "find", "{\"q\":1}"), ("call_1_1", "find", "{\"q\":1}")];

    the_same_index_twice_is_two_calls: [
        {"index":0,"id":"a","function":{"name":"find","arguments":"{\"q\":1}"}},
        {"index":0,"id":"b","function":{"name":"find","arguments":"{\"q\":2}"}},
    ] => [("a", "find", "{\"q\":1}"), ("b", "find", "{\"q\":2}")];

    the_same_index_twice_without_ids_is_two_calls: [
        {"index":0,"function":{"name":"find","arguments":"{\"q\":1}"}},
        {"index":0,"function":{"name":"find","arguments":"{\"q\":2}"}},
    ] => [("call_1_0", "find", "{\"q\":1}"), ("call_1_1", "find", "{\"q\":2}")];

    the_same_id_twice_is_made_unique: [
        {"index":0,"id":"a","function":{"name":"find","arguments":"{\"q\":1}"}},
        {"index":1,"id":"a","function":{"name":"find","arguments":"{\"q\":2}"}},
    ] => [("a", "find", "{\"q\":1}"), ("a_2", "find", "{\"q\":2}")];

    an_absurd_index_costs_nothing: [
        {"index":4_000_000,"id":"a","function":{"name":"find","arguments":"{\"q\""}},
        {"index":4_000_000,"function":{"arguments":":1}"}},
        {"index":-1,"id":"b","function":{"name":"find","arguments":"{}"}},
    ] => [("a", "find", "{\"q\":1}"), ("b", "find", "{}")];

    arguments_as_an_object: [
        {"index":0,"id":"a","function":{"name":"find","arguments":{"q":[1,"x"]}}},
    ] => [("a", "find", "{\"q\":[1,\"x\"]}")];

    empty_and_absent_arguments_are_an_empty_object: [
        {"index":0,"id":"a","function":{"name":"find","arguments":""}},
        {"index":1,"id":"b","function":{"name":"look"}},
        {"index":2,"id":"c","function":{"name":"look","arguments":null}},
    ] => [("a", "find", "{}"), ("b", "look", "{}"), ("c", "look", "{}")];

    a_name_apart_from_its_arguments_and_cut_in_two: [
        {"index":0,"id":"a","function":{"name":"fi"}},
        {"index":0,"function":{"name":"nd"}},
        {"index":0,"function":{"arguments":"{\"q\":1}"}},
    ] => [("a", "find", "{\"q\":1}")];

    a_name_and_an_id_with_every_fragment: [
        {"index":0,"id":"a","function":{"name":"find","arguments":"{\"q\""}},
        {"index":0,"id":"a","function":{"name":"find","arguments":":1}"}},
    ] => [("a", "find", "{\"q\":1}")];

    a_whole_call_said_twice_is_one: [
        {"index":0,"id":"a","function":{"name":"find","arguments":"{\"q\":1}"}},
        {"index":0,"id":"a","function":{"name":"find","arguments":"{\"q\":1}"}},
    ] => [("a", "find", "{\"q\":1}")];

    fragments_that_say_nothing_are_no_calls: [
        {"index":0,"id":"a","function":{"name":"find","arguments":"{}"}},
        {"index":5},
        {"index":6,"id":"","function":{"name":"","arguments":""}},
    ] => [("a", "find", "{}")];
}

#[tokio::test]
async fn calls_decide_even_where_the_reason_is_stop() {
    for finish in ["stop", "tool_calls", "function_call", "eos", "something_new"] {
        let fragment = json!([{ "index": 0, "id": "a", "function": { "name": "find", "arguments": "{}" } }]);
        let reply = read_calls(fragment, finish).await.reply.unwrap();
        assert_eq!((reply.finish, reply.calls.len()), (Finish::Tools, 1), "{finish}");
    }
}

#[tokio::test]
async fn calls_in_the_chunk_that_finishes() {
    let call = json!({ "index": 0, "id": "a", "function": { "name": "find", "arguments": "{\"q\":1}" } });
    let chunk = json!({ "choices": [{ "delta": { "tool_calls": [call] }, "finish_reason": "tool_calls" }] });
    let reply = Ask::new(Provider::Openai).of(vec![Answer::chunks(&[chunk])]).await.reply.unwrap();
    assert_eq!(calls(&reply), [("a", "find", "{\"q\":1}")]);
}

#[tokio::test]
async fn the_call_from_before_there_were_tools() {
    let chunks = [
        json!({ "choices": [{ "delta": { "function_call": { "name": "find", "arguments": "{\"q\"" } } }] }),
        json!({ "choices": [{ "delta": { "function_call": { "arguments": ":1}" } }, "finish_reason": "function_call" }] }),
    ];
    let reply = Ask::new(Provider::Openai).of(vec![Answer::chunks(&chunks)]).await.reply.unwrap();
    assert_eq!(calls(&reply), [("call_1_0", "find", "{\"q\":1}")]);
}

#[tokio::test]
async fn arguments_cut_by_the_length_are_kept_for_the_refusal_but_never_sent_back() {
    let fragment = json!([{ "index": 0, "id": "a", "function": { "name": "find", "arguments": "{\"q\":\"unfin" } }]);
    let reply = read_calls(fragment, "length").await.reply.unwrap();
    assert_eq!((reply.finish, calls(&reply)), (Finish::Length, vec![("a", "find", "{\"q\":\"unfin")]));
    assert_eq!(raw(&reply)["tool_calls"][0]["function"]["arguments"], "{}");
}

#[tokio::test]
async fn a_whole_answer_is_read_like_a_stream() {
    let message = json!({ "role": "assistant", "content": null, "tool_calls": [
        { "id": "a", "type": "function", "function": { "name": "find", "arguments": "{\"q\": 1}" } },
        { "id": "", "type": "function", "function": { "name": "look", "arguments": { "z": 2 } } },
    ] });
    let answer = json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 3 } });
    let asked = Ask::new(Provider::Openai).whole().of(vec![Answer::json(&answer)]).await;
    let reply = asked.reply.unwrap();
    assert_eq!(calls(&reply), [("a", "find", "{\"q\": 1}"), ("call_1_1", "look", "{\"z\":2}")]);
    assert_eq!((reply.finish, reply.usage.unwrap().input), (Finish::Tools, 9));
    assert!(asked.requests[0].body.get("stream").is_none());
}

#[tokio::test]
async fn too_many_calls_and_endless_arguments_are_refused_once() {
    let many: Vec<Value> =
        (0..129).map(|i| json!({ "index": i, "id": format!("c{i}"), "function": { "name": "find", "arguments": "{}" } })).collect();
    let long = "x".repeat(200 << 10);
    let long = json!([{ "index": 0, "id": "a", "function": { "name": "find", "arguments": long } }, { "index": 0, "function": { "arguments": long } }]);
    for (fragments, said) in [(Value::from(many), "more than 128 tools"), (long, "more than 262144 bytes of arguments")] {
        let asked = read_calls(fragments, "tool_calls").await;
        let error = asked.reply.unwrap_err();
        assert_eq!(error.trouble, model::Trouble::Nonsense);
        assert!(error.message.contains(said), "{}", error.message);
        assert_eq!(asked.requests.len(), 1);
    }
}
