//! A turn's news as frames of the Agents API.

use agent::{Closing, News, Part};
use session::json::push_string;
use session::{Entry, EventId, Kind, Millis, Seq, TokenUsage, Uid};

use super::view::View;
use crate::errors::Error;
use crate::following::{Dialect, failure};
use crate::sse;

/// The session whose turn is shown, as events name it.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) uid: Uid,
    pub(super) key: Box<str>,
}

/// Where the numbers of frames begin that are no stored events but carry an id: no journal grows so long.
const PASSING: u64 = 1 << 62;

/// Frames of one turn.
pub(super) struct Frames {
    session: Named,
    view: View,
    /// Reasoning was shown and its end was not.
    thinking: bool,
}

impl Frames {
    /// Frames of a turn of this session.
    pub(super) fn new(session: Named, view: View) -> Self {
        Self { session, view, thinking: false }
    }
}

impl Dialect for Frames {
    fn news(&mut self, news: News, out: &mut String) {
        if self.view.shows(&news)
            && let Some(frame) = frame(&news, &self.session, &mut self.thinking)
        {
            out.push_str(&frame);
        }
    }

    fn closed(&mut self, closing: &Closing, out: &mut String) {
        sse::push_end(out, failure(closing).as_ref().map(Error::message));
    }

    fn broken(&mut self, why: &str, out: &mut String) {
        sse::push_end(out, Some(why));
    }
}

/// What clients are sent for a piece of news, if anything. Reasoning ends for
/// them when the answer begins, not only when its entry is durable.
fn frame(news: &News, session: &Named, thinking: &mut bool) -> Option<String> {
    let mut out = String::with_capacity(160);
    match news {
        News::Entry(entry) if entry.kind == Kind::Thinking => {
            if !std::mem::take(thinking) {
                return None;
            }
            push_live(&mut out, ended(Part::Thinking), "", entry.at);
        }
        News::Entry(entry) => push_entry(&mut out, entry, session.uid),
        News::Delta { part, text, at } => {
            if *part == Part::Text && std::mem::take(thinking) {
                push_live(&mut out, ended(Part::Thinking), "", *at);
            }
            *thinking |= *part == Part::Thinking;
            let mut content = String::with_capacity(text.len() + 16);
            content.push_str(",\"content\":");
            push_string(&mut content, text);
            push_live(&mut out, streaming(*part), &content, *at);
        }
        // Clients know no frame that takes text back: the part ends without an event.
        News::Void { part, at } => {
            let was_thinking = std::mem::take(thinking);
            if *part == Part::Thinking && !was_thinking {
                return None;
            }
            push_live(&mut out, ended(*part), "", *at);
        }
        News::Usage { usage, at } => {
            let usage = format!(",\"session_context_usage\":{}", context_usage(usage));
            push_live(&mut out, "context_consumed", &usage, *at);
        }
        // Clients know it with the members of a stored event, and drop it without them.
        News::CompactionStarted { at } => {
            let id = EventId { session: session.uid, seq: Seq(PASSING | at.0.unsigned_abs()) };
            let members = format!(",\"id\":\"{id}\",\"session_key\":\"{}\"", session.key);
            push_live(&mut out, "compaction_started", &members, *at);
        }
        News::Call { .. } | News::Closed(_) => return None,
    }
    Some(out)
}

fn push_entry(out: &mut String, entry: &Entry, session: Uid) {
    match entry.kind {
        Kind::AgentOutput => {
            let id = format!(",\"event_id\":\"{}\"", EventId { session, seq: entry.seq });
            push_live(out, ended(Part::Text), &id, entry.at);
        }
        kind => sse::push(out, kind.word(), &entry.body),
    }
}

/// A frame that is not a stored event.
fn push_live(out: &mut String, kind: &str, members: &str, at: Millis) {
    let json = format!("{{\"type\":\"{kind}\"{members},\"created_at\":\"{}\"}}", at.rfc3339());
    sse::push(out, kind, &json);
}

fn streaming(part: Part) -> &'static str {
    match part {
        Part::Thinking => "streaming_thinking",
        Part::Text => "streaming_agent_output",
    }
}

fn ended(part: Part) -> &'static str {
    match part {
        Part::Thinking => "streaming_thinking_end",
        Part::Text => "streaming_agent_output_end",
    }
}

/// A model call's tokens as the API names them.
pub(super) fn context_usage(usage: &TokenUsage) -> serde_json::Value {
    let mut json = serde_json::json!({
        "input_tokens": {"count": usage.input, "cached_tokens": usage.cached},
        "output_tokens": {"count": usage.output, "reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input.saturating_add(usage.output),
    });
    if usage.window > 0 {
        json["model_context_window"] = usage.window.into();
    }
    json
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use session::TurnNo;

    const SESSION: Uid = Uid([1; 16]);

    fn named() -> Named {
        Named { uid: SESSION, key: "ase_x".into() }
    }

    fn entry(kind: Kind, body: &str) -> News {
        News::Entry(Arc::new(Entry { seq: Seq(4), at: Millis(0), turn: TurnNo(1), step: 1, kind, body: body.into() }))
    }

    #[test]
    fn text_is_streamed_in_ascii_with_its_time() {
        let news = News::Delta { part: Part::Text, text: "é\u{2028}".into(), at: Millis(0) };
        let wanted = "event: streaming_agent_output\ndata: {\"type\":\"streaming_agent_output\",\"content\":\"\\u00e9\\u2028\",\
                      \"created_at\":\"1970-01-01T00:00:00.000Z\"}\n\n";
        assert_eq!(frame(&news, &named(), &mut false).unwrap(), wanted);
    }

    #[test]
    fn the_end_of_an_answer_carries_the_id_of_its_event() {
        let id = EventId { session: SESSION, seq: Seq(4) };
        let text = frame(&entry(Kind::AgentOutput, "{}"), &named(), &mut false).unwrap();
        assert!(text.starts_with("event: streaming_agent_output_end\n") && text.contains(&format!("\"event_id\":\"{id}\"")), "{text}");
    }

    #[test]
    fn reasoning_ends_once_with_its_entry_or_with_the_first_words_of_the_answer() {
        let delta = |part| News::Delta { part, text: "x".into(), at: Millis(0) };
        let mut thinking = false;
        frame(&delta(Part::Thinking), &named(), &mut thinking).unwrap();
        let text = frame(&delta(Part::Text), &named(), &mut thinking).unwrap();
        assert!(text.starts_with("event: streaming_thinking_end\n") && text.contains("event: streaming_agent_output\n"), "{text}");
        assert_eq!(frame(&entry(Kind::Thinking, "{}"), &named(), &mut thinking), None);
        frame(&delta(Part::Thinking), &named(), &mut thinking).unwrap();
        let text = frame(&entry(Kind::Thinking, "{}"), &named(), &mut thinking).unwrap();
        assert!(text.starts_with("event: streaming_thinking_end\n") && !text.contains("event_id"), "{text}");
    }

    #[test]
    fn other_events_are_sent_as_they_are_stored() {
        let text = frame(&entry(Kind::ToolInput, "{\"type\":\"tool_input\"}"), &named(), &mut false).unwrap();
        assert_eq!(text, "event: tool_input\ndata: {\"type\":\"tool_input\"}\n\n");
    }

    #[test]
    fn a_summary_that_begins_is_a_frame_of_its_own_and_the_summary_comes_in_one_piece() {
        let text = frame(&News::CompactionStarted { at: Millis(0) }, &named(), &mut false).unwrap();
        let id = EventId { session: SESSION, seq: Seq(PASSING) };
        let wanted = format!("\"id\":\"{id}\",\"session_key\":\"ase_x\",\"created_at\":\"1970-01-01T00:00:00.000Z\"");
        assert_eq!(text, format!("event: compaction_started\ndata: {{\"type\":\"compaction_started\",{wanted}}}\n\n"));
        for kind in [Kind::Compaction, Kind::StructuredOutput] {
            assert_eq!(frame(&entry(kind, "{}"), &named(), &mut false).unwrap(), format!("event: {}\ndata: {{}}\n\n", kind.word()));
        }
    }

    #[test]
    fn an_unknown_window_is_left_out() {
        let usage = TokenUsage { input: 210, cached: 0, output: 9, reasoning: 0, window: 0 };
        let json = context_usage(&usage);
        assert_eq!(json["total_tokens"], 219);
        assert!(json.get("model_context_window").is_none());
    }
}
