//! A turn's news as `send-message` writes them: one `data:` line a frame, and `[DONE]`, once, at the end. `content` is a
//! string in `text` alone, because clients print it wherever they find it.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::value::RawValue;

use agent::{CallNews, Closing, News, OpenApproval, Part};
use session::json::{push_json, push_string};
use session::{Entry, EventId, HowEnded, Kind, Millis, StoredEvent, Uid};

use crate::conversations::{Calls, Place, TAKEN_BACK, message, result};
use crate::errors::{Code, Shape};
use crate::following::{Dialect, failure};

/// The last frame.
const DONE: &str = "data: [DONE]\n\n";

/// How one answer is written.
pub(super) struct Frames {
    place: Place,
    manner: Manner,
    calls: Calls,
}

/// What the client wants to see.
#[derive(Debug, Default)]
pub(super) struct Manner {
    /// Sent along with errors, to find the request in the log.
    pub(super) request_id: Arc<str>,
    /// Whether reasoning is shown.
    pub(super) thinking: bool,
    /// Whether frames carry what the older bots' clients look for, and under which record.
    pub(super) legacy: Option<Legacy>,
}

/// What each frame of an older bot carries.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    record: Option<EventId>,
}

impl Frames {
    /// Frames for a client that has `answered` these calls itself.
    pub(super) fn new(place: Place, manner: Manner, answered: HashSet<Box<str>>) -> Self {
        Self { place, manner, calls: Calls::new(answered) }
    }
}

impl Dialect for Frames {
    fn news(&mut self, news: News, out: &mut String) {
        show(&mut self.manner, &mut self.calls, self.place.session.uid, &news, out);
    }

    fn closed(&mut self, closing: &Closing, out: &mut String) {
        match (failure(closing), closing) {
            (Some(error), _) => self.manner.push_error(Shape::Bots.word(error.code()), error.message(), out),
            (None, Closing::Ended(HowEnded::Limit(why))) => {
                self.manner.push_error("TURN_LIMIT_REACHED", &format!("the agent stopped before it was done: {why}"), out);
            }
            (None, Closing::Paused) => match self.place.asked() {
                Ok(Some((approval, call))) => {
                    self.manner.push(out, approval.asked_at, "interrupt", |out| push_approval(out, &approval, &call));
                }
                Ok(None) => {}
                Err(error) => self.manner.push_error(Shape::Bots.word(error.code()), error.message(), out),
            },
            (None, Closing::Ended(_) | Closing::Idle | Closing::Refused(_)) => {}
        }
        out.push_str(DONE);
    }

    fn broken(&mut self, why: &str, out: &mut String) {
        self.manner.push_error(Shape::Bots.word(Code::ServerUnavailable), why, out);
        out.push_str(DONE);
    }
}

/// Appends the frames for a piece of news.
fn show(manner: &mut Manner, calls: &mut Calls, session: Uid, news: &News, out: &mut String) {
    match news {
        News::Delta { part: Part::Text, text, at } if !text.is_empty() => {
            manner.push(out, *at, "text", |out| push_member(out, "content", text));
        }
        News::Delta { part: Part::Thinking, text, at } if manner.thinking && !text.is_empty() => {
            manner.push(out, *at, "thinking", |out| push_member(out, "reasoning_content", text));
        }
        News::Call { id, what, at } => show_call(manner, calls, (id, *at), what, out),
        News::Entry(entry) => show_entry(manner, calls, session, entry, out),
        // Nothing in this protocol takes text back, and nothing tells tokens or summaries.
        News::Delta { .. } | News::Void { .. } | News::Usage { .. } | News::CompactionStarted { .. } | News::Closed(_) => {}
    }
}

fn show_call(manner: &Manner, calls: &mut Calls, (id, at): (&Arc<str>, Millis), what: &CallNews, out: &mut String) {
    match what {
        CallNews::Began { name } => {
            calls.began(id);
            manner.push(out, at, "tool-call-start", |out| {
                push_member(out, "toolCallId", id);
                push_member(out, "toolCallName", name);
            });
        }
        CallNews::Arguments(piece) if !piece.is_empty() => manner.push(out, at, "tool-call-args", |out| {
            push_member(out, "toolCallId", id);
            push_member(out, "delta", piece);
        }),
        // A client would run an open call of a tool of its own: one that is void gets an end and an output.
        CallNews::Void if calls.end(id) => {
            push_end(manner, id, at, out);
            push_result(manner, id, TAKEN_BACK, at, out);
        }
        CallNews::Arguments(_) | CallNews::Void | CallNews::Progress { .. } => {}
    }
}

fn show_entry(manner: &mut Manner, calls: &mut Calls, session: Uid, entry: &Entry, out: &mut String) {
    let Ok(event) = serde_json::from_str::<StoredEvent<'_>>(&entry.body) else { return };
    let at = entry.at;
    match entry.kind {
        Kind::InputMessage => {
            if let Some(legacy) = &mut manner.legacy {
                legacy.record = Some(EventId { session, seq: entry.seq });
            }
        }
        Kind::ToolInput => {
            let id = event.call_name().id;
            if calls.asked_for(&id) {
                push_end(manner, &id, at, out);
            }
        }
        Kind::ClientToolPending => calls.pending().iter().for_each(|id| push_end(manner, id, at, out)),
        Kind::ToolOutput => {
            let id = event.call_name().id;
            if calls.tells_output(&id) {
                push_result(manner, &id, &result(event.tool_output.map_or("{}", RawValue::get)), at, out);
            }
        }
        Kind::StructuredOutput => manner.push(out, at, "text", |out| push_member(out, "content", &event.text())),
        Kind::ContextLimitExceeded => {
            manner.push_error(Shape::Bots.word(Code::ContextLimitExceeded), &message(entry), out);
        }
        Kind::SessionInterrupted => manner.push_error("RUN_INTERRUPTED", "the run was stopped", out),
        // Their text was shown as it was written, or is shown to nobody.
        Kind::AgentOutput | Kind::Thinking | Kind::Compaction => {}
        Kind::Tombstone | Kind::Began | Kind::Reply | Kind::Receipt | Kind::Ended | Kind::Corrected | Kind::Overflowed => {}
        Kind::Steered | Kind::Waiting | Kind::Paused | Kind::Resumed | Kind::Resolved => {}
    }
}

/// The arguments of a call are complete.
fn push_end(manner: &Manner, id: &str, at: Millis, out: &mut String) {
    manner.push(out, at, "tool-call-end", |out| push_member(out, "toolCallId", id));
}

fn push_result(manner: &Manner, id: &str, result: &str, at: Millis, out: &mut String) {
    manner.push(out, at, "tool-result", |out| {
        push_member(out, "toolCallId", id);
        push_member(out, "result", result);
    });
}

impl Manner {
    /// A frame of this type with these members.
    fn push(&self, out: &mut String, at: Millis, kind: &str, members: impl FnOnce(&mut String)) {
        out.push_str("data: {\"type\":\"");
        out.push_str(kind);
        out.push('"');
        members(out);
        if let Some(Legacy { record }) = &self.legacy {
            out.push_str(&format!(",\"created\":{},\"role\":\"assistant\",\"finish_reason\":\"continue\"", at.0 / 1_000));
            if let Some(record) = record {
                push_member(out, "record_id", &record.to_string());
            }
        }
        out.push_str("}\n\n");
    }

    /// What went wrong. The older bots' clients look for the sentence inside.
    fn push_error(&self, code: &str, why: &str, out: &mut String) {
        out.push_str("data: {\"type\":\"error\",\"error\":");
        if self.legacy.is_some() {
            out.push_str("{\"message\":");
            push_string(out, why);
            push_member(out, "code", code);
            out.push_str("},\"finish_reason\":\"error\"");
        } else {
            push_string(out, why);
        }
        push_member(out, "code", code);
        push_member(out, "requestId", &self.request_id);
        out.push_str("}\n\n");
    }
}

/// The members of an interrupt: what it is about, and whose word is needed.
fn push_approval(out: &mut String, approval: &OpenApproval, call: &str) {
    push_member(out, "id", &approval.event.to_string());
    out.push_str(",\"reason\":\"tool_approval\",\"payload\":{\"toolCallId\":");
    push_string(out, call);
    push_member(out, "toolName", &approval.configuration);
    out.push_str(",\"args\":");
    push_json(out, &approval.arguments);
    push_member(out, "message", &format!("Allow {}?", approval.configuration));
    push_member(out, "approver", approval.approver.word());
    out.push('}');
}

fn push_member(out: &mut String, name: &str, value: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
    push_string(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::{Seq, TurnNo};
    use tool::Approver;

    const SESSION: Uid = Uid([1; 16]);

    fn entry(seq: u64, kind: Kind, body: &str) -> News {
        News::Entry(Arc::new(Entry { seq: Seq(seq), at: Millis(2_000), turn: TurnNo(1), step: 1, kind, body: body.into() }))
    }

    fn text(text: &str) -> News {
        News::Delta { part: Part::Text, text: text.into(), at: Millis(2_000) }
    }

    fn calling(id: &str, what: CallNews) -> News {
        News::Call { id: id.into(), what, at: Millis(2_000) }
    }

    fn call(id: &str, name: &str, arguments: &[&str]) -> Vec<News> {
        let pieces = arguments.iter().map(|piece| calling(id, CallNews::Arguments((*piece).into())));
        let asked = entry(3, Kind::ToolInput, &format!(r#"{{"tool_call_id":"{id}"}}"#));
        [calling(id, CallNews::Began { name: name.into() })].into_iter().chain(pieces).chain([asked]).collect()
    }

    fn output(id: &str, output: &str) -> News {
        entry(4, Kind::ToolOutput, &format!(r#"{{"tool_call_id":"{id}","tool_output":{output}}}"#))
    }

    /// What a client reads of these news.
    fn read(manner: &mut Manner, answered: &[&str], news: impl IntoIterator<Item = News>) -> String {
        let mut calls = Calls::new(answered.iter().map(|id| (*id).into()).collect());
        let mut out = String::new();
        news.into_iter().for_each(|news| show(manner, &mut calls, SESSION, &news, &mut out));
        out
    }

    /// One frame a line.
    fn frames(lines: &[&str]) -> String {
        lines.iter().map(|line| format!("data: {line}\n\n")).collect()
    }

    #[test]
    fn text_is_one_delta_a_frame_in_ascii_on_one_line() {
        let got = read(&mut Manner::default(), &[], [text("Hello"), text("! 25\u{b0}C\n"), text("")]);
        let wanted = [r#"{"type":"text","content":"Hello"}"#, r#"{"type":"text","content":"! 25\u00b0C\n"}"#];
        assert_eq!(got, frames(&wanted));
    }

    #[test]
    fn a_call_of_the_servers_is_told_with_its_arguments_and_its_result_as_text() {
        let news = [text("Let me check.")].into_iter().chain(call("call_1", "search", &["{\"query\":", "\"weather\"}"]));
        let news = news.chain([output("call_1", r#"{"text":"Sunny, 25 degrees"}"#), text("It is sunny.")]);
        let wanted = [
            r#"{"type":"text","content":"Let me check."}"#,
            r#"{"type":"tool-call-start","toolCallId":"call_1","toolCallName":"search"}"#,
            r#"{"type":"tool-call-args","toolCallId":"call_1","delta":"{\"query\":"}"#,
            r#"{"type":"tool-call-args","toolCallId":"call_1","delta":"\"weather\"}"}"#,
            r#"{"type":"tool-call-end","toolCallId":"call_1"}"#,
            r#"{"type":"tool-result","toolCallId":"call_1","result":"Sunny, 25 degrees"}"#,
            r#"{"type":"text","content":"It is sunny."}"#,
        ];
        assert_eq!(read(&mut Manner::default(), &[], news), frames(&wanted));
    }

    #[test]
    fn a_call_of_the_clients_has_no_result_where_the_client_brought_it() {
        let news = [output("call_9", r#"{"text":"done"}"#), output("call_1", r#"{"n":1.10}"#), text("I showed it.")];
        let wanted =
            [r#"{"type":"tool-result","toolCallId":"call_1","result":"{\"n\":1.10}"}"#, r#"{"type":"text","content":"I showed it."}"#];
        assert_eq!(read(&mut Manner::default(), &["call_9"], news), frames(&wanted));
    }

    #[test]
    fn a_call_that_is_told_late_ends_when_it_waits_for_the_client() {
        let asked = entry(3, Kind::ToolInput, r#"{"tool_call_id":"call_9"}"#);
        let began = [calling("call_9", CallNews::Began { name: "alert".into() }), calling("call_9", CallNews::Arguments("{}".into()))];
        let news = [asked].into_iter().chain(began).chain([entry(5, Kind::ClientToolPending, "{}")]);
        let got = read(&mut Manner::default(), &[], news);
        assert!(got.ends_with("data: {\"type\":\"tool-call-end\",\"toolCallId\":\"call_9\"}\n\n"), "{got}");
        assert_eq!(got.matches("tool-call-end").count(), 1);
    }

    #[test]
    fn a_call_that_the_model_takes_back_is_closed_so_that_no_client_runs_it() {
        let began = calling("call_9", CallNews::Began { name: "alert".into() });
        let got = read(&mut Manner::default(), &[], [began, calling("call_9", CallNews::Void)]);
        let wanted = [
            r#"{"type":"tool-call-start","toolCallId":"call_9","toolCallName":"alert"}"#.to_owned(),
            r#"{"type":"tool-call-end","toolCallId":"call_9"}"#.to_owned(),
            format!(r#"{{"type":"tool-result","toolCallId":"call_9","result":"{TAKEN_BACK}"}}"#),
        ];
        assert_eq!(got, frames(&wanted.each_ref().map(String::as_str)));
    }

    #[test]
    fn no_event_but_text_has_content_that_is_a_string() {
        let stored = [Kind::Thinking, Kind::AgentOutput, Kind::Compaction, Kind::InputMessage, Kind::ContextLimitExceeded];
        let news = stored.into_iter().map(|kind| entry(3, kind, r#"{"content":"secret","message":"too long"}"#));
        let thought = News::Delta { part: Part::Thinking, text: "hm".into(), at: Millis(0) };
        let mut manner = Manner { thinking: true, ..Manner::default() };
        let got = read(&mut manner, &[], news.chain([thought]));
        assert!(!got.contains("\"content\""), "{got}");
        assert!(got.contains(r#""type":"thinking","reasoning_content":"hm""#) && got.contains("CONTEXT_LIMIT_EXCEEDED"), "{got}");
    }

    #[test]
    fn reasoning_is_shown_only_to_who_asked_for_it() {
        let thought = News::Delta { part: Part::Thinking, text: "hm".into(), at: Millis(0) };
        assert_eq!(read(&mut Manner::default(), &[], [thought]), "");
    }

    #[test]
    fn an_answer_that_has_a_form_comes_as_text() {
        let got = read(&mut Manner::default(), &[], [entry(3, Kind::StructuredOutput, r#"{"content":{"a": 1.10}}"#)]);
        assert_eq!(got, frames(&[r#"{"type":"text","content":"{\"a\": 1.10}"}"#]));
    }

    #[test]
    fn an_older_bots_frames_say_who_speaks_and_under_which_record() {
        let mut manner = Manner { legacy: Some(Legacy::default()), request_id: "r1".into(), ..Manner::default() };
        let got = read(&mut manner, &[], [entry(1, Kind::InputMessage, "{}"), text("Hi")]);
        let record = EventId { session: SESSION, seq: Seq(1) };
        let wanted =
            format!(r#"{{"type":"text","content":"Hi","created":2,"role":"assistant","finish_reason":"continue","record_id":"{record}"}}"#);
        assert_eq!(got, frames(&[&wanted]));
        let mut out = String::new();
        manner.push_error("INTERNAL_ERROR", "no", &mut out);
        assert!(out.contains(r#""error":{"message":"no","code":"INTERNAL_ERROR"}"#), "{out}");
    }

    #[test]
    fn an_error_has_its_sentence_its_code_and_the_requests_id() {
        let manner = Manner { request_id: "req_1".into(), ..Manner::default() };
        let mut out = String::new();
        manner.push_error("AGENT_PROCESSING_FAILED", "model provider timed out", &mut out);
        let wanted = r#"{"type":"error","error":"model provider timed out","code":"AGENT_PROCESSING_FAILED","requestId":"req_1"}"#;
        assert_eq!(out, frames(&[wanted]));
    }

    #[test]
    fn an_interrupt_tells_the_call_and_whose_word_it_needs() {
        let event = EventId { session: SESSION, seq: Seq(3) };
        let approval = OpenApproval {
            event,
            configuration: "delete_file".into(),
            tool: "remove".into(),
            arguments: r#"{"path": "a.txt"}"#.into(),
            approver: Approver::Client,
            asked_at: Millis(0),
            expires: Millis(1),
        };
        let mut out = String::new();
        Manner::default().push(&mut out, Millis(0), "interrupt", |out| push_approval(out, &approval, "call_3"));
        let wanted = format!(
            r#"{{"type":"interrupt","id":"{event}","reason":"tool_approval","payload":{{"toolCallId":"call_3","toolName":"delete_file","args":{{"path":"a.txt"}},"message":"Allow delete_file?","approver":"client"}}}}"#
        );
        assert_eq!(out, frames(&[&wanted]));
    }
}
