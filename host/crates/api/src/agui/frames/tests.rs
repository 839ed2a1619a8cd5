//! Golden transcripts: what each version's clients are sent.

use super::*;
use session::{EventId, Millis, Seq, TurnNo, Uid};
use tool::Approver;

fn run(protocol: Protocol) -> Run {
    Run { thread: "t".into(), run: "r".into(), protocol, ids: "m".into() }
}

fn text(text: &str) -> News {
    News::Delta { part: Part::Text, text: text.into(), at: Millis(0) }
}

fn thought(text: &str) -> News {
    News::Delta { part: Part::Thinking, text: text.into(), at: Millis(0) }
}

fn calling(id: &str, what: CallNews) -> News {
    News::Call { id: id.into(), what, at: Millis(0) }
}

fn began(id: &str, name: &str) -> News {
    calling(id, CallNews::Began { name: name.into() })
}

fn entry(kind: Kind, body: &str) -> News {
    News::Entry(Arc::new(Entry { seq: Seq(4), at: Millis(0), turn: TurnNo(1), step: 1, kind, body: body.into() }))
}

fn asked_for(id: &str) -> News {
    entry(Kind::ToolInput, &format!(r#"{{"tool_call_id":"{id}"}}"#))
}

fn output(id: &str, output: &str) -> News {
    entry(Kind::ToolOutput, &format!(r#"{{"tool_call_id":"{id}","tool_output":{output}}}"#))
}

/// What a client reads, one event a line.
fn read(protocol: Protocol, answered: &[&str], news: &[News], outcome: Outcome) -> Vec<String> {
    let mut shown = Shown { calls: Calls::new(answered.iter().map(|id| (*id).into()).collect()), ..Shown::default() };
    let (run, mut out) = (run(protocol), String::new());
    start(&run, &mut shown, &mut out);
    news.iter().for_each(|news| show(&run, &mut shown, news, &mut out));
    let outcome = shown.failure.take().unwrap_or(outcome);
    end(&run, &mut shown, outcome, &mut out);
    assert!(out.is_ascii() && !out.contains('\r') && !out.contains("null") && out.ends_with("}\n\n"), "{out}");
    out.split_terminator("\n\n").map(|frame| frame.strip_prefix("data: ").unwrap().to_owned()).collect()
}

fn done() -> Outcome {
    Outcome::Success { calls: Vec::new(), elsewhere: None }
}

fn types(lines: &[String]) -> Vec<String> {
    let kind = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].as_str().unwrap().to_owned();
    lines.iter().map(kind).collect()
}

const ENDED: &str = r#"{"type":"RUN_FINISHED","threadId":"t","runId":"r"}"#;

#[test]
fn text_is_one_message_between_the_runs_start_and_end() {
    let news = [text("Hel"), text(""), text("l\u{f6}"), entry(Kind::AgentOutput, "{}")];
    let wanted = [
        r#"{"type":"RUN_STARTED","threadId":"t","runId":"r"}"#,
        r#"{"type":"TEXT_MESSAGE_START","messageId":"m_1","role":"assistant"}"#,
        r#"{"type":"TEXT_MESSAGE_CONTENT","messageId":"m_1","delta":"Hel"}"#,
        r#"{"type":"TEXT_MESSAGE_CONTENT","messageId":"m_1","delta":"l\u00f6"}"#,
        r#"{"type":"TEXT_MESSAGE_END","messageId":"m_1"}"#,
        ENDED,
    ];
    assert_eq!(read(Protocol::Before, &[], &news, done()), wanted);
    let one = read(Protocol::One, &[], &news, done());
    assert_eq!(one[0], r#"{"type":"RUN_STARTED","threadId":"t","runId":"r","protocolVersion":"1.0"}"#);
    assert_eq!(one[5], r#"{"type":"RUN_FINISHED","threadId":"t","runId":"r","outcome":{"type":"success"}}"#);
    assert_eq!(one[1..5], wanted[1..5]);
}

#[test]
fn a_call_of_the_servers_belongs_to_the_message_before_it_and_its_result_is_one_of_its_own() {
    let arguments = calling("c1", CallNews::Arguments("{\"q\":".into()));
    let rest = calling("c1", CallNews::Arguments("1}".into()));
    let news =
        [text("Wait."), began("c1", "search"), arguments, rest, asked_for("c1"), output("c1", r#"{"text":"sunny"}"#), text("It is.")];
    let wanted = [
        r#"{"type":"TEXT_MESSAGE_END","messageId":"m_1"}"#,
        r#"{"type":"TOOL_CALL_START","toolCallId":"c1","toolCallName":"search","parentMessageId":"m_1"}"#,
        r#"{"type":"TOOL_CALL_ARGS","toolCallId":"c1","delta":"{\"q\":"}"#,
        r#"{"type":"TOOL_CALL_ARGS","toolCallId":"c1","delta":"1}"}"#,
        r#"{"type":"TOOL_CALL_END","toolCallId":"c1"}"#,
        r#"{"type":"TOOL_CALL_RESULT","messageId":"m_2","toolCallId":"c1","content":"sunny","role":"tool"}"#,
        r#"{"type":"TEXT_MESSAGE_START","messageId":"m_3","role":"assistant"}"#,
    ];
    assert_eq!(read(Protocol::Before, &[], &news, done())[3..10], wanted);
}

#[test]
fn calls_of_one_step_share_a_message_and_those_of_the_next_have_another() {
    let step = |a: &str, b: &str| [began(a, "x"), began(b, "x"), asked_for(a), asked_for(b), output(a, "{}"), output(b, "{}")];
    let news: Vec<News> = step("a", "b").into_iter().chain(step("c", "d")).collect();
    let lines = read(Protocol::Before, &[], &news, done());
    let parents: Vec<&str> = lines.iter().filter_map(|line| line.split("\"parentMessageId\":").nth(1)).collect();
    assert_eq!(parents, ["\"m_1\"}", "\"m_1\"}", "\"m_4\"}", "\"m_4\"}"]);
}

#[test]
fn calls_of_the_client_are_named_only_to_clients_that_know_that() {
    let news = [began("c9", "alert"), asked_for("c9"), entry(Kind::ClientToolPending, "{}")];
    let pending = || Outcome::Success { calls: vec!["c9".into()], elsewhere: None };
    assert_eq!(read(Protocol::Before, &[], &news, pending()).last().unwrap(), ENDED);
    let one = read(Protocol::One, &[], &news, pending());
    assert_eq!(types(&one), ["RUN_STARTED", "TOOL_CALL_START", "TOOL_CALL_END", "RUN_FINISHED"]);
    assert!(one[3].ends_with(r#""outcome":{"type":"success","pendingToolCallIds":["c9"]}}"#), "{}", one[3]);
    let answered = read(Protocol::One, &["c9"], &[output("c9", "{}"), text("done")], done());
    assert!(!types(&answered).contains(&"TOOL_CALL_RESULT".to_owned()));
}

#[test]
fn an_approval_is_an_interrupt_in_both_forms_that_clients_know() {
    let event = EventId { session: Uid([1; 16]), seq: Seq(3) };
    let approval = OpenApproval {
        event,
        configuration: "delete_file".into(),
        tool: "remove".into(),
        arguments: r#"{"path": "a.txt"}"#.into(),
        approver: Approver::Client,
        asked_at: Millis(0),
        expires: Millis(1_000),
    };
    let outcome = || Outcome::Interrupt(interrupt(&approval, "c3"));
    let before = read(Protocol::Before, &[], &[], outcome());
    assert_eq!(types(&before), ["RUN_STARTED", "CUSTOM", "RUN_FINISHED"]);
    let custom: serde_json::Value = serde_json::from_str(&before[1]).unwrap();
    let value: serde_json::Value = serde_json::from_str(custom["value"].as_str().unwrap()).unwrap();
    let one = read(Protocol::One, &[], &[], outcome());
    assert_eq!(types(&one), ["RUN_STARTED", "RUN_FINISHED"]);
    let finished: serde_json::Value = serde_json::from_str(&one[1]).unwrap();
    assert_eq!((&custom["name"], &finished["outcome"]["type"]), (&json!("on_interrupt"), &json!("interrupt")));
    let told = &finished["outcome"]["interrupts"][0];
    assert_eq!(told, &value);
    assert_eq!((&told["id"], &told["toolCallId"], &told["reason"]), (&json!(event.to_string()), &json!("c3"), &json!("tool_call")));
    assert_eq!((&told["metadata"]["args"], &told["expiresAt"]), (&json!({"path": "a.txt"}), &json!("1970-01-01T00:00:01.000Z")));
}

#[test]
fn reasoning_has_the_names_of_the_version_and_ends_before_anything_else_begins() {
    let news = [thought("hm"), text("Yes."), thought("more"), began("c", "x")];
    let before = read(Protocol::Before, &[], &news, done());
    let thinking =
        ["THINKING_START", "THINKING_TEXT_MESSAGE_START", "THINKING_TEXT_MESSAGE_CONTENT", "THINKING_TEXT_MESSAGE_END", "THINKING_END"];
    assert_eq!(types(&before)[1..6], thinking);
    assert_eq!(before[3], r#"{"type":"THINKING_TEXT_MESSAGE_CONTENT","delta":"hm"}"#);
    let one = read(Protocol::One, &[], &news, done());
    let reasoning = ["REASONING_START", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END", "REASONING_END"];
    assert_eq!(types(&one)[1..6], reasoning);
    assert_eq!(types(&one)[8..14], [&["TEXT_MESSAGE_END"][..], &reasoning].concat());
    assert_eq!(types(&one)[14..], ["TOOL_CALL_START", "TOOL_CALL_END", "RUN_FINISHED"]);
}

#[test]
fn whatever_is_open_is_closed_before_the_run_ends_however_it_ends() {
    let news = [began("a", "x"), began("b", "x"), text("and")];
    let lines = read(Protocol::Before, &[], &news, Outcome::Failed("INTERNAL_ERROR", "no".into()));
    assert_eq!(types(&lines)[4..], ["TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "TOOL_CALL_END", "TOOL_CALL_END", "RUN_ERROR"]);
    assert_eq!(lines.last().unwrap(), r#"{"type":"RUN_ERROR","message":"no","code":"INTERNAL_ERROR"}"#);
}

#[test]
fn a_call_that_the_model_takes_back_is_closed_so_that_no_client_runs_it() {
    let lines = read(Protocol::Before, &[], &[began("a", "alert"), calling("a", CallNews::Void)], done());
    assert_eq!(types(&lines), ["RUN_STARTED", "TOOL_CALL_START", "TOOL_CALL_END", "TOOL_CALL_RESULT", "RUN_FINISHED"]);
}

#[test]
fn a_run_that_was_stopped_or_does_not_fit_the_model_says_so() {
    let stopped = [text("Wa"), entry(Kind::SessionInterrupted, "{}")];
    assert!(read(Protocol::Before, &[], &stopped, done()).last().unwrap().contains("\"code\":\"RUN_INTERRUPTED\""));
    assert!(read(Protocol::One, &[], &stopped, done()).last().unwrap().ends_with("\"outcome\":{\"type\":\"cancelled\"}}"));
    let full = [entry(Kind::ContextLimitExceeded, r#"{"message":"too long"}"#)];
    let wanted = r#"{"type":"RUN_ERROR","message":"too long","code":"CONTEXT_LIMIT_EXCEEDED"}"#;
    assert_eq!(read(Protocol::One, &[], &full, done()).last().unwrap(), wanted);
}

#[test]
fn an_answer_that_has_a_form_comes_as_a_message() {
    let lines = read(Protocol::Before, &[], &[entry(Kind::StructuredOutput, r#"{"content":{"a": 1.10}}"#)], done());
    assert_eq!(types(&lines)[1..4], ["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"]);
    assert!(lines[2].contains(r#""delta":"{\"a\": 1.10}""#), "{}", lines[2]);
}

#[test]
fn a_run_that_cannot_begin_names_the_interrupt() {
    let text = refused(&run(Protocol::One), "aev_x");
    assert!(text.starts_with("data: {\"type\":\"RUN_STARTED\"") && text.contains("RUN_ERROR") && text.contains("aev_x"), "{text}");
}
