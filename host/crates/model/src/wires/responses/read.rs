//! A Responses answer, streamed or whole, as a reply. The end of an item says
//! what the item is; its pieces are only shown meanwhile.

use serde_json::value::RawValue;
use session::TokenUsage;

use super::items::{Items, Source};
use super::shapes::{Event, Response, text};
use crate::Sink;
use crate::reply::{self, Finish};
use crate::wires::exchange::{Ended, Reading};
use crate::wires::overflow::without_room;
use crate::wires::trouble::{Fault, from_event};

/// A reply in the making.
pub(super) struct Reply {
    who: String,
    window: u64,
    items: Items,
    usage: Option<TokenUsage>,
    stop: Option<Stop>,
}

/// How a response ended, where it ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Completed,
    Length,
    Filtered,
}

impl Reply {
    /// Nothing yet, in answer to `place` items.
    pub(super) fn new(who: &str, place: usize, window: u64) -> Self {
        Self { who: who.to_owned(), window, items: Items::new(place), usage: None, stop: None }
    }

    /// The whole reply; some overflows show only now.
    pub(super) fn into_reply(self) -> Result<reply::Reply, Fault> {
        let cut = self.stop == Some(Stop::Length);
        if let Some(fault) = self.usage.and_then(|usage| without_room(&self.who, usage, cut, self.items.are_silent())) {
            return Err(fault);
        }
        let calls = self.items.calls();
        let finish = match self.stop {
            Some(Stop::Length) => Finish::Length,
            Some(Stop::Filtered) => Finish::Filtered,
            Some(Stop::Completed) | None if self.items.are_refusal() => Finish::Filtered,
            Some(Stop::Completed) | None if calls.is_empty() => Finish::Stop,
            Some(Stop::Completed) | None => Finish::Tools,
        };
        // What was cut is no whole item, and its provider does not take it back.
        let raw = if self.stop == Some(Stop::Completed) { self.items.raw() } else { None };
        let (thinking, text) = (self.items.words(true), self.items.words(false));
        Ok(reply::Reply { thinking, text, calls, finish, usage: self.usage, raw })
    }

    /// The response as a whole, at the end of a stream or instead of one.
    fn ended(&mut self, json: &RawValue, sink: Sink<'_>) -> Result<(), Fault> {
        let response: Response<'_> =
            serde_json::from_str(json.get()).map_err(|e| Fault::garbled(format!("{} sent what cannot be read: {e}", self.who)))?;
        if let Some(error) = response.error.filter(|error| error.get() != "null") {
            return Err(from_event(&self.who, format!("{{\"error\":{}}}", error.get()).as_bytes()));
        }
        self.usage = response.usage.map(|usage| usage.counted(self.window)).or(self.usage);
        self.items.all_done(&response.output.unwrap_or_default(), sink)?;
        let reason = response.incomplete_details.and_then(|details| details.reason);
        self.stop = Some(match response.status.as_deref() {
            Some("incomplete") if reason.as_deref() == Some("content_filter") => Stop::Filtered,
            Some("incomplete") => Stop::Length,
            Some("completed") | None => Stop::Completed,
            Some(status) => return Err(Fault::cut(format!("{} left its response {status}", self.who))),
        });
        Ok(())
    }
}

impl Reading for Reply {
    fn event(&mut self, name: &str, data: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        let data = data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" || self.stop.is_some() {
            return Ok(());
        }
        let event: Event<'_> =
            serde_json::from_slice(data).map_err(|e| Fault::garbled(format!("{} sent what cannot be read: {e}", self.who)))?;
        let kind = text(event.kind);
        match (if kind.is_empty() { name } else { &kind }, event.item, event.response) {
            ("response.output_item.added", Some(item), _) => self.items.begin(event.output_index, item, sink),
            ("response.output_item.done", Some(item), _) => self.items.done(event.output_index, item, sink),
            ("response.output_text.delta", ..) => self.items.piece(&event, Source::Text, sink),
            ("response.refusal.delta", ..) => self.items.piece(&event, Source::Refusal, sink),
            ("response.reasoning_summary_text.delta", ..) => self.items.piece(&event, Source::Summary, sink),
            ("response.reasoning_summary_part.added", ..) => self.items.paragraph(&event, sink),
            ("response.reasoning_text.delta", ..) => self.items.piece(&event, Source::Reasoning, sink),
            ("response.function_call_arguments.delta", ..) => self.items.piece(&event, Source::Arguments, sink),
            ("response.completed" | "response.incomplete" | "response.failed", _, Some(response)) => self.ended(response, sink),
            ("response.failed" | "error", ..) => Err(from_event(&self.who, data)),
            // What tells of itself only, and whatever comes to be.
            _ => Ok(()),
        }
    }

    fn whole(&mut self, body: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        let json = serde_json::from_slice::<&RawValue>(body.trim_ascii());
        let json = json.map_err(|e| Fault::garbled(format!("{} answered what cannot be read: {e}", self.who)))?;
        self.ended(json, sink)?;
        if self.items.are_none() && self.usage.is_none() {
            return Err(Fault::garbled(format!("{} answered without output", self.who)));
        }
        Ok(())
    }

    fn ended(&self) -> Ended {
        if self.stop.is_some() { Ended::Over } else { Ended::No }
    }
}
