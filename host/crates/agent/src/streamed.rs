//! What of a reply reached the hub while it was written, so that readers get
//! all text and all calls once, also from a wire that brings them in one piece.

use std::sync::Arc;

use model::{Delta, Reply};
use session::CallIds;

use crate::Clock;
use crate::hub::Hub;
use crate::prepared::Prepared;
use crate::watcher::{CallNews, Part};

/// A reply on its way to the hub.
pub(crate) struct Streamed<'a> {
    /// Text is shown only once it is known what it is: an answer that must have a form comes in one piece.
    whole: bool,
    /// Knows the calls that are shown only when they wait for the client.
    prepared: &'a Prepared,
    /// What the calls are called in the session.
    ids: CallIds<'a>,
    thinking: bool,
    text: bool,
    calls: Vec<Begun>,
}

/// A call that began, and that the hub knows.
struct Begun {
    /// Its place in the reply.
    index: usize,
    id: Arc<str>,
    /// Whether anything was written of its arguments.
    arguments: bool,
}

impl<'a> Streamed<'a> {
    pub(crate) fn new(whole: bool, prepared: &'a Prepared, ids: CallIds<'a>) -> Self {
        Self { whole, prepared, ids, thinking: false, text: false, calls: Vec::new() }
    }

    /// Passes on a piece.
    pub(crate) fn pass(&mut self, delta: Delta, hub: &Hub, clock: Clock) {
        match delta {
            Delta::Thinking(piece) => {
                self.thinking = true;
                hub.delta(Part::Thinking, piece, clock.now());
            }
            Delta::Text(_) if self.whole => {}
            Delta::Text(piece) => {
                self.text = true;
                hub.delta(Part::Text, piece, clock.now());
            }
            Delta::CallBegan { name, .. } if self.prepared.withholds(&name) => {}
            // Whoever comes to follow it later gets such a call in one piece, when it is whole.
            Delta::CallBegan { .. } if !hub.calls_are_followed() => {}
            Delta::CallBegan { index, id, name } => {
                let id = self.ids.unique(&id);
                self.calls.push(Begun { index, id: id.clone(), arguments: false });
                hub.call(id, CallNews::Began { name }, clock.now());
            }
            Delta::CallArguments { index, piece } => {
                let Some(call) = self.calls.iter_mut().find(|call| call.index == index) else { return };
                call.arguments |= !piece.is_empty();
                hub.call(call.id.clone(), CallNews::Arguments(piece), clock.now());
            }
            Delta::Restarted => {
                hub.void(clock.now());
                (self.thinking, self.text) = (false, false);
                self.calls.clear();
            }
        }
    }

    /// Gives calls whose ids the session holds already others. The provider's own form of such a reply speaks of the
    /// ids as they were given, so it is not replayed.
    pub(crate) fn rename(&mut self, reply: &mut Reply) {
        for call in &mut reply.calls {
            let id = self.ids.unique(&call.id);
            if id != call.id {
                (call.id, reply.raw) = (id, None);
            }
        }
    }

    /// Passes on what of the whole reply was not passed on yet.
    pub(crate) fn complete(&self, reply: &Reply, hub: &Hub, clock: Clock) {
        if !self.thinking && !reply.thinking.is_empty() {
            hub.delta(Part::Thinking, reply.thinking.clone(), clock.now());
        }
        // What has a form to keep to is shown as what it turns out to be.
        let formed = self.whole && reply.calls.is_empty();
        if !self.text && !reply.text.is_empty() && !formed {
            hub.delta(Part::Text, reply.text.clone(), clock.now());
        }
        if !hub.calls_are_followed() {
            return;
        }
        for (index, asked) in reply.calls.iter().enumerate().filter(|(_, asked)| !self.prepared.withholds(&asked.name)) {
            let begun = self.calls.iter().find(|call| call.index == index);
            if begun.is_none() {
                hub.call(asked.id.clone(), CallNews::Began { name: asked.name.clone() }, clock.now());
            }
            if !begun.is_some_and(|call| call.arguments) {
                hub.call(asked.id.clone(), CallNews::Arguments(asked.arguments.clone()), clock.now());
            }
        }
    }
}
