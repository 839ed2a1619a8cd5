//! Tests of reading requests.

use agent::Outcome;
use serde_json::json;

use super::*;

fn read(body: Value) -> Result<Posted> {
    read_text(&body.to_string())
}

fn read_text(text: &str) -> Result<Posted> {
    let members = serde_json::from_str(text).unwrap();
    Posted::read(&ExactBody { members, text: text.to_owned().into() }, 1_000)
}

fn refused(body: Value) -> Error {
    read(body).unwrap_err()
}

fn says(text: &str) -> Vec<Message> {
    vec![Message { content: text.into() }]
}

#[test]
fn what_follows_the_last_answer_is_asked_and_the_rest_is_the_past() {
    let posted = read(json!({"model": "a", "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello", "refusal": null},
        {"role": "developer", "content": [{"type": "text", "text": "And kind."}]},
        {"role": "user", "content": [{"type": "text", "text": "How"}, {"type": "text", "text": "far?"}]},
    ]}));
    let posted = posted.unwrap();
    assert_eq!(posted.messages, says("How\nfar?"));
    assert_eq!(posted.brought.past, [Past::User("Hi".into()), Past::Agent { text: "Hello".into(), calls: Vec::new() }]);
    assert_eq!(posted.brought.instructions.as_deref(), Some("Be brief.\n\nAnd kind."));
    assert_eq!((posted.form, posted.model.as_deref()), (Form::Whole, Some("a")));
}

#[test]
fn outputs_of_tools_at_the_end_are_gone_on_from() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "locate", "arguments": "{\"n\": 1.10}"}});
    let posted = read(json!({"messages": [
        {"role": "user", "content": "Where am I?"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "{\"lat\": 59.910}"},
        {"role": "tool", "tool_call_id": "c2", "content": "Oslo"},
    ]}));
    let posted = posted.unwrap();
    assert!(posted.messages.is_empty());
    let call = AskedCall { id: "c1".into(), name: "locate".into(), arguments: "{\"n\": 1.10}".into() };
    let output = |call: &str, text: &str| Past::Output { call: call.into(), outcome: Outcome::Success(text.into()) };
    let wanted = [
        Past::User("Where am I?".into()),
        Past::Agent { text: String::new(), calls: vec![call] },
        output("c1", "{\"lat\": 59.910}"),
        output("c2", "{\"text\":\"Oslo\"}"),
    ];
    assert_eq!(posted.brought.past, wanted);
}

#[test]
fn tools_are_the_client_s_own_unless_none_may_be_called() {
    let function = json!({"name": "locate", "description": "Where?", "parameters": {"type": "object"}, "strict": true});
    let mut body = json!({"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function", "function": function}, {"function": {"name": "b"}}]});
    let tools = read(body.clone()).unwrap().brought.tools;
    let tool = |name: &str, description: &str| DeclaredTool {
        name: name.into(),
        description: description.into(),
        input: "{\"type\":\"object\"}".into(),
    };
    assert_eq!(tools, [tool("locate", "Where?"), tool("b", "")]);
    body["tool_choice"] = json!("none");
    assert!(read(body).unwrap().brought.tools.is_empty());
}

#[test]
fn what_a_tool_is_called_with_is_kept_as_it_was_written() {
    let parameters = r#"{"type": "object", "properties": {"b": {"maximum": 1.10}, "a": {}}, "$comment": 123456789012345678901234567890}"#;
    let text = format!(
        r#"{{"messages": [{{"role": "user", "content": "Hi"}}], "tools": [{{"function": {{"name": "a"}}}}, {{"function": {{"parameters": {parameters}, "name": "b"}}}}]}}"#
    );
    let tools = read_text(&text).unwrap().brought.tools;
    assert_eq!(tools.iter().map(|tool| tool.input.as_str()).collect::<Vec<_>>(), ["{\"type\":\"object\"}", parameters]);
}

#[test]
fn what_clients_send_of_the_model_is_taken_and_ignored() {
    let body = json!({
        "messages": [{"role": "user", "content": "Hi", "name": "ada"}], "temperature": 0.2, "top_p": 1, "max_tokens": 10, "seed": -4,
        "max_completion_tokens": 20, "stop": ["x"], "n": 1, "logprobs": false, "user": "u", "response_format": {"type": "text"},
        "modalities": ["text"], "reasoning_effort": "low", "store": true, "metadata": {}, "stream": true,
        "stream_options": {"include_usage": true}, "tool_choice": "auto", "parallel_tool_calls": true, "anything": 1,
    });
    assert_eq!(read(body).unwrap().form, Form::Stream { usage: true });
}

#[test]
fn what_cannot_be_done_is_refused_by_its_name() {
    let user = json!([{"role": "user", "content": "Hi"}]);
    for (member, value, names) in [
        ("temperature", json!("hot"), "temperature"),
        ("n", json!(2), "n"),
        ("logprobs", json!(true), "logprobs"),
        ("response_format", json!({"type": "json_object"}), "response_format.type"),
        ("tool_choice", json!("required"), "tool_choice"),
        ("tool_choice", json!({"type": "function", "function": {"name": "a"}}), "tool_choice"),
        ("tool_choice", json!(3), "tool_choice"),
        ("functions", json!([{"name": "a"}]), "functions"),
        ("modalities", json!(["text", "audio"]), "modalities"),
        ("tools", json!([{"type": "custom", "custom": {}}]), "tools[0].type"),
        ("tools", json!([{"type": "function"}]), "tools[0].function"),
        ("stop", json!(3), "stop"),
        ("stream", json!("yes"), "stream"),
        ("model", json!(3), "model"),
        ("messages", json!("Hi"), "messages"),
        ("messages", json!([]), "messages"),
        ("messages", json!([{"role": "system", "content": "x"}]), "messages"),
        ("messages", json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]), "messages"),
        ("messages", json!([{"role": "user", "content": " "}]), "messages[0].content"),
        ("messages", json!([{"role": "user"}]), "messages[0].content"),
        ("messages", json!([{"role": "user", "content": "x".repeat(1_001)}]), "messages"),
        ("messages", json!([{"content": "Hi"}]), "messages[0].role"),
        ("messages", json!([{"role": "function", "content": "Hi"}]), "messages[0].role"),
        ("messages", json!([{"role": "tool", "content": "Hi"}]), "messages[0].tool_call_id"),
        ("messages", json!([{"role": "assistant", "tool_calls": [{"id": "a"}]}]), "messages[0].tool_calls[0].function"),
        ("messages", json!([{"role": "assistant", "function_call": {"name": "a"}}]), "messages[0].function_call"),
    ] {
        let mut body = json!({ "messages": user });
        body[member] = value;
        let error = refused(body.clone());
        assert_eq!(error.body("r")["field_errors"].as_object().unwrap().keys().next().unwrap(), names, "{body}");
    }
    let picture = json!([{"type": "image_url", "image_url": {"url": "x"}}]);
    let error = refused(json!({"messages": [{"role": "user", "content": picture}]}));
    assert!(error.message().contains("messages[0].content[0].type") && error.message().contains("images"), "{}", error.message());
}
