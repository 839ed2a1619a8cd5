//! A turn's news as the events of a run. What is open is closed before something else begins and before the run ends, and
//! nothing follows its end: clients of every version hold the server to that.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;
use serde_json::value::RawValue;

use agent::{CallNews, Closing, News, OpenApproval, Part};
use session::{Entry, HowEnded, Kind, StoredEvent};
use tool::Approver;

use super::events::Event;
use super::input::Protocol;
use crate::conversations::{Calls, Place, TAKEN_BACK, message, result};
use crate::errors::{Code, Error, Result, Shape};
use crate::following::{Dialect, failure};

/// The name of the event by which clients before 1.0 learn that somebody has to answer.
const ON_INTERRUPT: &str = "on_interrupt";

/// The name of the event about an approval that the client cannot give. Its value is that of [`ON_INTERRUPT`].
const WAITS_ELSEWHERE: &str = "approval_waits";

/// The run, as its client calls it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) thread: String,
    pub(super) run: String,
    pub(super) protocol: Protocol,
    /// What the ids of its messages begin with.
    pub(super) ids: String,
}

/// How a run ends.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The agent has said what it had to say.
    Success {
        /// The calls that are the client's to make.
        calls: Vec<String>,
        /// What somebody else has to answer: the members of the interrupt that it would be. Told as an interrupt it would
        /// keep the client from every other run until it answered what it may not answer.
        elsewhere: Option<serde_json::Value>,
    },
    /// A person has to answer: the members of the interrupt.
    Interrupt(serde_json::Value),
    /// It was stopped.
    Cancelled,
    /// It failed: the word for it and why.
    Failed(&'static str, String),
}

/// How one answer is written.
pub(super) struct Frames {
    place: Place,
    run: Run,
    shown: Shown,
}

/// What the client has been told so far.
#[derive(Debug, Default)]
struct Shown {
    started: bool,
    /// Ids that were given to messages.
    messages: usize,
    /// The message whose text is being written.
    text: Option<String>,
    /// The reasoning that is being written.
    reasoning: Option<String>,
    /// The message that calls of this step belong to.
    parent: Option<String>,
    calls: Calls,
    /// Why the run cannot end well.
    failure: Option<Outcome>,
}

impl Frames {
    /// Events for a client that has `answered` these calls itself.
    pub(super) fn new(place: Place, run: Run, answered: HashSet<Box<str>>) -> Self {
        Self { place, run, shown: Shown { calls: Calls::new(answered), ..Shown::default() } }
    }

    /// What the run comes to.
    fn outcome(&mut self, closing: &Closing) -> Result<Outcome> {
        if let Some(error) = failure(closing) {
            return Ok(failed(&error));
        }
        if let Some(failure) = self.shown.failure.take() {
            return Ok(failure);
        }
        let Place { app, session } = &self.place;
        Ok(match closing {
            Closing::Ended(HowEnded::Limit(why)) => {
                Outcome::Failed("TURN_LIMIT_REACHED", format!("the agent stopped before it was done: {why}"))
            }
            Closing::Paused => match self.place.asked()? {
                Some((approval, call)) if approval.approver == Approver::Client => Outcome::Interrupt(interrupt(&approval, &call)),
                asked => Outcome::Success {
                    calls: app.engine.client_calls(session)?.into_iter().map(|call| call.name.id.to_string()).collect(),
                    elsewhere: asked.map(|(approval, call)| interrupt(&approval, &call)),
                },
            },
            Closing::Ended(_) | Closing::Idle | Closing::Refused(_) => Outcome::Success { calls: Vec::new(), elsewhere: None },
        })
    }
}

impl Dialect for Frames {
    fn news(&mut self, news: News, out: &mut String) {
        start(&self.run, &mut self.shown, out);
        show(&self.run, &mut self.shown, &news, out);
    }

    fn closed(&mut self, closing: &Closing, out: &mut String) {
        start(&self.run, &mut self.shown, out);
        let outcome = self.outcome(closing).unwrap_or_else(|error| failed(&error));
        end(&self.run, &mut self.shown, outcome, out);
    }

    fn broken(&mut self, why: &str, out: &mut String) {
        start(&self.run, &mut self.shown, out);
        let code = Shape::Bots.word(Code::ServerUnavailable);
        end(&self.run, &mut self.shown, Outcome::Failed(code, why.to_owned()), out);
    }
}

/// The whole of a run that cannot begin, because this interrupt has to be answered first.
pub(super) fn refused(run: &Run, interrupt: &str) -> String {
    let (mut out, mut shown) = (String::new(), Shown::default());
    start(run, &mut shown, &mut out);
    let why = format!("the interrupt `{interrupt}` of this thread has to be answered first; name it in `resume`, resolved or cancelled");
    end(run, &mut shown, Outcome::Failed("INTERRUPT_NOT_ANSWERED", why), &mut out);
    out
}

fn failed(error: &Error) -> Outcome {
    Outcome::Failed(Shape::Bots.word(error.code()), error.message().to_owned())
}

fn start(run: &Run, shown: &mut Shown, out: &mut String) {
    if std::mem::replace(&mut shown.started, true) {
        return;
    }
    let event = run.event(out, "RUN_STARTED");
    match run.protocol {
        Protocol::Before => event.end(),
        Protocol::One => event.text("protocolVersion", "1.0").end(),
    }
}

/// Closes what is open and ends the run.
fn end(run: &Run, shown: &mut Shown, outcome: Outcome, out: &mut String) {
    end_text(shown, out);
    end_reasoning(run, shown, out);
    shown.calls.take_open().iter().for_each(|id| push_end(id, out));
    match (outcome, run.protocol) {
        (Outcome::Failed(code, why), _) => Event::new(out, "RUN_ERROR").text("message", &why).text("code", code).end(),
        (Outcome::Cancelled, Protocol::Before) => {
            Event::new(out, "RUN_ERROR").text("message", "the run was stopped").text("code", "RUN_INTERRUPTED").end();
        }
        (Outcome::Cancelled, Protocol::One) => run.finish(out, &json!({"type": "cancelled"})),
        (Outcome::Interrupt(interrupt), protocol) => {
            if protocol == Protocol::Before {
                Event::new(out, "CUSTOM").text("name", ON_INTERRUPT).text("value", &interrupt.to_string()).end();
            }
            run.finish(out, &json!({"type": "interrupt", "interrupts": [interrupt]}));
        }
        (Outcome::Success { calls, elsewhere }, protocol) => {
            if let Some(interrupt) = elsewhere {
                Event::new(out, "CUSTOM").text("name", WAITS_ELSEWHERE).text("value", &interrupt.to_string()).end();
            }
            match protocol {
                // Earlier clients refuse an outcome that names calls, and take none for a success.
                Protocol::Before => run.event(out, "RUN_FINISHED").end(),
                Protocol::One if calls.is_empty() => run.finish(out, &json!({"type": "success"})),
                Protocol::One => run.finish(out, &json!({"type": "success", "pendingToolCallIds": calls})),
            }
        }
    }
}

impl Run {
    /// An event of the run itself.
    fn event<'a>(&self, out: &'a mut String, kind: &str) -> Event<'a> {
        Event::new(out, kind).text("threadId", &self.thread).text("runId", &self.run)
    }

    fn finish(&self, out: &mut String, outcome: &serde_json::Value) {
        self.event(out, "RUN_FINISHED").json("outcome", &outcome.to_string()).end();
    }
}

impl Shown {
    fn new_message(&mut self, run: &Run) -> String {
        self.messages += 1;
        format!("{}_{}", run.ids, self.messages)
    }
}

/// Appends the events for a piece of news.
fn show(run: &Run, shown: &mut Shown, news: &News, out: &mut String) {
    match news {
        News::Delta { part, text, .. } if !text.is_empty() => match part {
            Part::Text => show_text(run, shown, text, out),
            Part::Thinking => show_reasoning(run, shown, text, out),
        },
        // Nothing in this protocol takes text back: what was said stands, and the next try is another message.
        News::Void { part: Part::Text, .. } => end_text(shown, out),
        News::Void { part: Part::Thinking, .. } => end_reasoning(run, shown, out),
        News::Call { id, what, .. } => show_call(run, shown, id, what, out),
        News::Entry(entry) => show_entry(run, shown, entry, out),
        News::Delta { .. } | News::Usage { .. } | News::CompactionStarted { .. } | News::Closed(_) => {}
    }
}

fn show_text(run: &Run, shown: &mut Shown, text: &str, out: &mut String) {
    end_reasoning(run, shown, out);
    if shown.text.is_none() {
        let id = shown.new_message(run);
        Event::new(out, "TEXT_MESSAGE_START").text("messageId", &id).text("role", "assistant").end();
        (shown.parent, shown.text) = (Some(id.clone()), Some(id));
    }
    if let Some(id) = &shown.text {
        Event::new(out, "TEXT_MESSAGE_CONTENT").text("messageId", id).text("delta", text).end();
    }
}

fn end_text(shown: &mut Shown, out: &mut String) {
    if let Some(id) = shown.text.take() {
        Event::new(out, "TEXT_MESSAGE_END").text("messageId", &id).end();
    }
}

fn show_reasoning(run: &Run, shown: &mut Shown, text: &str, out: &mut String) {
    end_text(shown, out);
    if shown.reasoning.is_none() {
        let id = shown.new_message(run);
        match run.protocol {
            Protocol::Before => {
                Event::new(out, "THINKING_START").end();
                Event::new(out, "THINKING_TEXT_MESSAGE_START").end();
            }
            Protocol::One => {
                Event::new(out, "REASONING_START").text("messageId", &id).end();
                Event::new(out, "REASONING_MESSAGE_START").text("messageId", &id).text("role", "reasoning").end();
            }
        }
        shown.reasoning = Some(id);
    }
    match (run.protocol, &shown.reasoning) {
        (Protocol::One, Some(id)) => Event::new(out, "REASONING_MESSAGE_CONTENT").text("messageId", id).text("delta", text).end(),
        (Protocol::Before, _) | (_, None) => Event::new(out, "THINKING_TEXT_MESSAGE_CONTENT").text("delta", text).end(),
    }
}

fn end_reasoning(run: &Run, shown: &mut Shown, out: &mut String) {
    let Some(id) = shown.reasoning.take() else { return };
    match run.protocol {
        Protocol::Before => {
            Event::new(out, "THINKING_TEXT_MESSAGE_END").end();
            Event::new(out, "THINKING_END").end();
        }
        Protocol::One => {
            Event::new(out, "REASONING_MESSAGE_END").text("messageId", &id).end();
            Event::new(out, "REASONING_END").text("messageId", &id).end();
        }
    }
}

fn show_call(run: &Run, shown: &mut Shown, id: &Arc<str>, what: &CallNews, out: &mut String) {
    match what {
        CallNews::Began { name } => {
            end_text(shown, out);
            end_reasoning(run, shown, out);
            let parent = shown.parent.take().unwrap_or_else(|| shown.new_message(run));
            let event = Event::new(out, "TOOL_CALL_START").text("toolCallId", id).text("toolCallName", name);
            event.text("parentMessageId", &parent).end();
            shown.parent = Some(parent);
            shown.calls.began(id);
        }
        CallNews::Arguments(piece) if !piece.is_empty() => {
            Event::new(out, "TOOL_CALL_ARGS").text("toolCallId", id).text("delta", piece).end();
        }
        // A client would run an open call of a tool of its own: one that is void gets an end and an output.
        CallNews::Void if shown.calls.end(id) => {
            push_end(id, out);
            push_result(run, shown, id, TAKEN_BACK, out);
        }
        CallNews::Arguments(_) | CallNews::Void | CallNews::Progress { .. } => {}
    }
}

fn show_entry(run: &Run, shown: &mut Shown, entry: &Entry, out: &mut String) {
    let Ok(event) = serde_json::from_str::<StoredEvent<'_>>(&entry.body) else { return };
    match entry.kind {
        Kind::ToolInput => {
            let id = event.call_name().id;
            if shown.calls.asked_for(&id) {
                push_end(&id, out);
            }
        }
        Kind::ClientToolPending => shown.calls.pending().iter().for_each(|id| push_end(id, out)),
        Kind::ToolOutput => {
            let id = event.call_name().id;
            if shown.calls.tells_output(&id) {
                push_result(run, shown, &id, &result(event.tool_output.map_or("{}", RawValue::get)), out);
            }
        }
        Kind::StructuredOutput => {
            show_text(run, shown, &event.text(), out);
            end_text(shown, out);
        }
        Kind::AgentOutput => end_text(shown, out),
        Kind::Thinking => end_reasoning(run, shown, out),
        Kind::ContextLimitExceeded => {
            shown.failure = Some(Outcome::Failed(Shape::Bots.word(Code::ContextLimitExceeded), message(entry)));
        }
        Kind::SessionInterrupted => shown.failure = Some(Outcome::Cancelled),
        Kind::InputMessage | Kind::Compaction => {}
        Kind::Tombstone | Kind::Began | Kind::Reply | Kind::Receipt | Kind::Ended | Kind::Corrected | Kind::Overflowed => {}
        Kind::Steered | Kind::Waiting | Kind::Paused | Kind::Resumed | Kind::Resolved => {}
    }
}

/// The arguments of a call are complete.
fn push_end(id: &str, out: &mut String) {
    Event::new(out, "TOOL_CALL_END").text("toolCallId", id).end();
}

fn push_result(run: &Run, shown: &mut Shown, id: &str, content: &str, out: &mut String) {
    end_text(shown, out);
    shown.parent = None;
    let message = shown.new_message(run);
    let event = Event::new(out, "TOOL_CALL_RESULT").text("messageId", &message).text("toolCallId", id);
    event.text("content", content).text("role", "tool").end();
}

/// An approval as an interrupt.
fn interrupt(approval: &OpenApproval, call: &str) -> serde_json::Value {
    let arguments: serde_json::Value = serde_json::from_str(&approval.arguments).unwrap_or_else(|_| json!({}));
    json!({
        "id": approval.event.to_string(),
        "reason": "tool_call",
        "message": format!("Allow {}?", approval.configuration),
        "toolCallId": call,
        "responseSchema": {
            "type": "object",
            "properties": {"approved": {"type": "boolean"}, "reason": {"type": "string"}, "editedArgs": {"type": "object"}},
            "required": ["approved"],
        },
        "expiresAt": approval.expires.rfc3339(),
        "metadata": {"toolName": approval.configuration, "args": arguments, "approver": approval.approver.word()},
    })
}

#[cfg(test)]
mod tests;
