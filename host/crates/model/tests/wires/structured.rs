//! How a structured answer is asked for on every wire.

use super::*;

fn route() -> OutputSchema {
    let schema =
        json!({ "type": "object", "properties": { "team": { "type": "string" } }, "required": ["team"], "additionalProperties": false });
    OutputSchema { name: "route".into(), description: Some("where to".into()), strict: true, schema }
}

/// The first request of a question with this schema; what is answered does not matter.
async fn asked(ask: Ask) -> Request {
    let ask = Ask { output: Some(route()), retries: 0, ..ask };
    ask.whole().of(vec![Answer::status("400 X", "{}")]).await.requests[0].clone()
}

#[tokio::test]
async fn chat_completions_hold_the_reply_to_the_schema() {
    let parameters = json!({ "response_format": { "type": "text" } });
    let body = asked(Ask::new(Provider::Openai).parameters(parameters)).await.body;
    let schema = json!({ "name": "route", "description": "where to", "strict": true, "schema": route().schema });
    assert_eq!(body["response_format"], json!({ "type": "json_schema", "json_schema": schema }));
    assert_eq!(body["messages"][0]["content"], "be kind");
}

#[tokio::test]
async fn beside_tools_an_unknown_server_is_told_in_words_so_that_tools_can_be_called() {
    let body = asked(Ask { tools: tools(), ..Ask::new(Provider::Openai) }).await.body;
    assert_eq!(body.get("response_format"), None);
    let system = body["messages"][0]["content"].as_str().unwrap();
    assert!(system.starts_with("be kind\n\n") && system.contains(&route().schema.to_string()), "{system}");
}

#[tokio::test]
async fn responses_get_a_text_format_beside_the_agents_own_wishes() {
    let body = asked(Ask::new(Provider::OpenaiResponses).parameters(json!({ "text": { "verbosity": "low" } }))).await.body;
    let format = json!({ "name": "route", "description": "where to", "strict": true, "schema": route().schema, "type": "json_schema" });
    assert_eq!(body["text"], json!({ "verbosity": "low", "format": format }));
    // Not every server of this wire heeds it.
    assert!(body["instructions"].as_str().unwrap().contains(&route().schema.to_string()));
}

#[tokio::test]
async fn messages_elsewhere_than_at_home_are_told_in_words() {
    let effort = json!({ "output_config": { "effort": "low", "format": { "type": "json_schema", "schema": {} } } });
    let body = asked(Ask::new(Provider::Anthropic).parameters(effort)).await.body;
    assert_eq!(body["output_config"], json!({ "effort": "low" }));
    assert!(body["system"].as_str().unwrap().contains(&route().schema.to_string()));
}
