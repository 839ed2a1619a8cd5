//! What a person who starts the server with nothing configured sees.

use std::sync::Arc;

use session::OutputSchema;
use tool::{ToolId, ToolSpec, Traits};

use super::*;
use crate::reply::Delta;

fn spec(plugin: &str, name: &str, description: &str, input: &str) -> Arc<ToolSpec> {
    Arc::new(ToolSpec {
        id: ToolId { plugin: plugin.into(), name: name.into() },
        description: description.into(),
        input: input.into(),
        output: None,
        traits: Traits::default(),
        title: None,
        component: "sha256:0".into(),
        tools: "sha256:0".into(),
        version: "0.1.0".into(),
    })
}

fn knowledge() -> (String, Arc<ToolSpec>) {
    let input = r#"{"type":"object","properties":{"query":{"type":"string","description":"What to look for."},
        "max_results":{"type":"integer","minimum":1,"maximum":20,"default":5}},"required":["query"]}"#;
    let description = "Searches the knowledge base of help and support articles: product questions, troubleshooting, installation.";
    ("knowledge_search".into(), spec("knowledge", "knowledge_base_search", description, input))
}

fn all() -> ToolList {
    let text = |name: &str| format!(r#"{{"type":"object","properties":{{"{name}":{{"type":"string"}}}},"required":["{name}"]}}"#);
    let calculator = spec("calculator", "calculate", "Calculates an arithmetic expression exactly.", &text("expression"));
    let zone = r#"{"type":"object","properties":{"zone":{"type":"string","default":"UTC"}}}"#;
    let now = spec("datetime", "time_now", "Tell the current date and time: what day is today, in any city or time zone.", zone);
    let convert = r#"{"type":"object","properties":{"time":{"type":"string"},"to":{"type":"string"}},"required":["time","to"]}"#;
    let convert = spec("datetime", "time_convert", "Convert a date and time from one time zone to another.", convert);
    let query = r#"{"type":"object","properties":{"query":{"type":"string"},"json":{}},"required":["query"]}"#;
    let query = spec("json", "json_query", "Query JSON: search, filter and reshape it with jq.", query);
    let web = spec("web", "web_get", "Reads a web page.", &text("url"));
    let notes = spec("notes", "note_list", "Lists the notes that were remembered.", r#"{"type":"object","properties":{}}"#);
    let named =
        [("calculate", calculator), ("now", now), ("web_get", web), ("note_list", notes), ("convert", convert), ("json_query", query)];
    let mut tools: Vec<_> = named.into_iter().map(|(name, spec)| (name.to_owned(), spec)).collect();
    tools.push(knowledge());
    ToolList::new(tools)
}

fn user(text: &str) -> Arc<Item> {
    Item::new(ItemBody::User { text: text.into() })
}

fn result(name: &str, output: &str, error: bool) -> Arc<Item> {
    Item::new(ItemBody::ToolResult { call_id: "call_1_0".into(), name: name.into(), output: output.into(), error })
}

#[test]
fn trouble_with_a_widget_is_looked_up_in_the_knowledge_base() {
    let reply = reply(&[user("I'm having trouble with my widget installation.")], &ToolList::new(vec![knowledge()]));
    assert_eq!(&*reply.calls[0].name, "knowledge_search");
    assert_eq!(reply.calls[0].arguments, r#"{"query":"widget installation troubleshooting","max_results":5}"#);
    assert!(
        reply.thinking.starts_with("The user is asking about widget installation troubleshooting. I should search"),
        "{}",
        reply.thinking
    );
    assert_eq!((reply.text.as_str(), reply.finish), ("", Finish::Tools));
}

#[test]
fn plain_questions_find_the_tool_that_they_mean() {
    let tools = all();
    for (question, name, arguments) in [
        ("What is 12 * (3 + 4)?", "calculate", r#"{"expression":"12 * (3 + 4)"}"#),
        ("what time is it in Tokyo?", "now", r#"{"zone":"Asia/Tokyo"}"#),
        ("What's the date today?", "now", r#"{"zone":"UTC"}"#),
        ("Read https://docs.example/a please", "web_get", r#"{"url":"https://docs.example/a"}"#),
        ("list my notes", "note_list", "{}"),
        ("how can I return a widget", "knowledge_search", r#"{"query":"return widget","max_results":5}"#),
    ] {
        let reply = reply(&[user(question)], &tools);
        assert_eq!(reply.calls.len(), 1, "{question}: {}", reply.text);
        assert_eq!((&*reply.calls[0].name, reply.calls[0].arguments.as_str()), (name, arguments), "{question}");
    }
}

#[test]
fn a_greeting_is_answered_with_what_it_is_and_what_it_can_do() {
    let reply = reply(&[user("Hello!")], &all());
    assert!(reply.text.contains("no language model is configured"), "{}", reply.text);
    assert!(reply.text.contains("`/calculate {\"expression\":\"…\"}`: Calculates an arithmetic"), "{}", reply.text);
    assert!(reply.calls.is_empty());
}

#[test]
fn commands_call_tools_with_the_exact_arguments() {
    let reply = reply(&[user("/calculate {\"expression\": \"1+1\"}\n/now Europe/Berlin")], &all());
    let calls: Vec<_> = reply.calls.iter().map(|call| (&*call.id, &*call.name, call.arguments.as_str())).collect();
    assert_eq!(calls, [("call_1_0", "calculate", "{\"expression\": \"1+1\"}"), ("call_1_1", "now", "{\"zone\":\"Europe/Berlin\"}")]);
}

#[test]
fn a_command_for_no_tool_names_the_tools_there_are() {
    let reply = reply(&[user("/fly {}")], &all());
    assert!(reply.text.starts_with("There is no tool named fly here.") && reply.text.contains("/note_list {}"), "{}", reply.text);
}

#[test]
fn answers_come_from_the_tools_output() {
    let found = r#"{"results":[{"title":"Widget Installation Guide","content":"Common troubleshooting steps.","path":"a.md"}]}"#;
    for (output, error, expected) in [
        (found, false, "Here is what I found:\n\n**Widget Installation Guide**\nCommon troubleshooting steps."),
        (r#"{"results":[]}"#, false, "I searched, but found nothing that fits. Try other words."),
        (r#"{"text":"plain"}"#, false, "plain"),
        (r#"{"time":"2026-01-01T10:00:00Z","text":"ten o'clock","unix":1}"#, false, "ten o'clock"),
        (r#"{"result":"84","expression":"12*7"}"#, false, "12*7 is 84."),
        (r#"{"time":"10:00","zone_name":"UTC"}"#, false, "t answers:\n- time: 10:00\n- zone name: UTC"),
        (r#"{"content":[{"type":"text","text":"a"},{"type":"data","data":[1,2]}]}"#, false, "a\n\n1, 2"),
        (r#"{"error":{"reason":"denied","message":"not allowed"}}"#, true, "The tool t could not help: not allowed."),
        ("{}", false, "t is done; it had nothing to add."),
    ] {
        let before = Item::new(ItemBody::Assistant { thinking: String::new(), text: "earlier".into(), calls: vec![], raw: None });
        let reply = reply(&[before, user("?"), result("t", output, error)], &all());
        assert_eq!(reply.text, expected);
    }
}

#[test]
fn the_first_answer_of_a_conversation_says_who_speaks() {
    let reply = reply(&[user("?"), result("t", r#"{"text":"plain"}"#, false)], &all());
    assert!(reply.text.starts_with("plain\n\n(I am Wardian's offline model"), "{}", reply.text);
}

#[tokio::test]
async fn the_pieces_of_a_streamed_reply_are_the_reply() {
    let (tools, parameters, items) = (all(), Map::new(), [user("Hello")]);
    let prompt = Prompt { system: "", tools: &tools, items: &items, parameters: &parameters, retry: None, stream: true, output: None };
    let mut text = String::new();
    let mut pieces = 0;
    let mut sink = |delta| {
        pieces += 1;
        if let Delta::Text(piece) = delta {
            text.push_str(&piece);
        }
    };
    let reply = Offline::new().ask(&prompt, &mut sink).await.unwrap();
    assert_eq!(text, reply.text);
    assert!(pieces > 10);
}

async fn ask(items: &[Arc<Item>], tools: &ToolList, output: Option<&OutputSchema>) -> Reply {
    let parameters = Map::new();
    let prompt = Prompt { system: "", tools, items, parameters: &parameters, retry: None, stream: false, output };
    Offline::new().ask(&prompt, &mut |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_structured_answer_is_json_and_nothing_else_also_after_a_tool() {
    let schema = serde_json::json!({ "type": "object", "properties": { "answer": { "type": "string" } }, "required": ["answer"] });
    let output = OutputSchema { name: "o".into(), description: None, strict: true, schema };
    assert_eq!(ask(&[user("Hello!")], &all(), Some(&output)).await.text, r#"{"answer":"Hello!"}"#);
    let reply = ask(&[user("What is 12 * 7?")], &all(), Some(&output)).await;
    assert_eq!((reply.calls.len(), reply.text.as_str()), (1, ""));
    let items = [user("What is 12 * 7?"), result("calculate", r#"{"result":"84","expression":"12*7"}"#, false)];
    assert_eq!(ask(&items, &all(), Some(&output)).await.text, r#"{"answer":"12*7 is 84."}"#);
}

#[tokio::test]
async fn a_summary_is_what_was_said_last_and_short() {
    let long = "word ".repeat(100_000);
    let said = Item::new(ItemBody::Assistant { thinking: String::new(), text: "It is blue.".into(), calls: vec![], raw: None });
    let items = [user("What colour\nis it?"), said, user(&long), user("Write a summary of this conversation.")];
    let text = ask(&items, &ToolList::default(), None).await.text;
    assert!(text.starts_with("What was said last:\n- The user: What colour is it?\n- The agent: It is blue.\n- The user: word"), "{text}");
    assert!(text.len() < 400 && text.ends_with(" …"), "{text}");
    let text = ask(&[user(&format!("Summarise: {long}"))], &ToolList::default(), None).await.text;
    assert!(text.starts_with("What was said last:\n- The user: Summarise: word") && text.len() < 400, "{text}");
}
