//! Calls as readers are told of them: as the model writes them where it does so
//! for a reader, and in one piece from their entries otherwise.

use std::sync::Arc;

use serde_json::value::RawValue;
use session::{Awaited, Entry, Kind, Millis, Seq, StoredEvent, Waiting};

use crate::watcher::{CallNews, News};

/// A call that the model is writing.
#[derive(Debug)]
pub(crate) struct Open {
    id: Arc<str>,
    name: Arc<str>,
    arguments: String,
    at: Millis,
}

/// The calls of the reply that is coming, and those of the turn that are not told as they are written.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    open: Vec<Open>,
    withheld: Vec<Arc<str>>,
}

impl Calls {
    /// Takes in what the model wrote. False where it belongs to no open call.
    pub(crate) fn write(&mut self, id: &Arc<str>, what: &CallNews, at: Millis) -> bool {
        let open = self.open.iter_mut().find(|open| open.id == *id);
        match (what, open) {
            (CallNews::Began { name }, None) => {
                self.open.push(Open { id: id.clone(), name: name.clone(), arguments: String::new(), at });
                true
            }
            (CallNews::Arguments(piece), Some(open)) => {
                open.arguments.push_str(piece);
                true
            }
            (CallNews::Began { .. }, Some(_)) | (CallNews::Arguments(_), None) => false,
            (CallNews::Void | CallNews::Progress { .. }, _) => false,
        }
    }

    /// This call is told when it waits for the client, and not before.
    pub(crate) fn withhold(&mut self, id: Arc<str>) {
        self.withheld.push(id);
    }

    /// The calls that are withheld.
    pub(crate) fn withheld(&self) -> &[Arc<str>] {
        &self.withheld
    }

    /// What was written so far, for a reader who comes now.
    pub(crate) fn snapshot(&self) -> impl Iterator<Item = News> {
        self.open.iter().flat_map(|open| whole(&open.id, &open.name, &open.arguments, open.at))
    }

    /// The reply is whole, or does not count: nothing more is written of it. Answers the ids of the calls that were.
    pub(crate) fn close(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.open).into_iter().map(|open| open.id).collect()
    }

    /// The turn is over or paused.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What goes before an entry for who follows calls: the call that it asks for, unless that was written before the
/// reader's eyes or is withheld, and those withheld that now wait for the client.
pub(crate) fn told(entry: &Entry, withheld: &[Arc<str>], written: &[Arc<str>]) -> Vec<News> {
    match entry.kind {
        Kind::ToolInput => {
            let Ok(event) = serde_json::from_str::<StoredEvent<'_>>(&entry.body) else { return Vec::new() };
            let name = event.call_name();
            if withheld.contains(&name.id) || written.contains(&name.id) {
                return Vec::new();
            }
            whole(&name.id, &name.configuration, event.tool_input.map_or("{}", RawValue::get), entry.at).into()
        }
        Kind::ClientToolPending => {
            let Ok(event) = serde_json::from_str::<StoredEvent<'_>>(&entry.body) else { return Vec::new() };
            let theirs = event.pending_calls.into_iter().map(|call| (Arc::from(call.tool_call_id.as_str()), call));
            let theirs = theirs.filter(|(id, _)| withheld.contains(id));
            theirs.flat_map(|(id, call)| whole(&id, &call.tool_configuration_name.into(), call.arguments.get(), entry.at)).collect()
        }
        Kind::InputMessage | Kind::Thinking | Kind::ToolOutput | Kind::AgentOutput | Kind::StructuredOutput | Kind::Compaction => {
            Vec::new()
        }
        Kind::ContextLimitExceeded | Kind::SessionInterrupted | Kind::Tombstone => Vec::new(),
        Kind::Began | Kind::Reply | Kind::Receipt | Kind::Ended | Kind::Corrected | Kind::Overflowed | Kind::Steered => Vec::new(),
        Kind::Waiting | Kind::Paused | Kind::Resumed | Kind::Resolved => Vec::new(),
    }
}

/// The id of the call that an entry asks for, if it asks for one.
pub(crate) fn asked(entry: &Entry) -> Option<Arc<str>> {
    if entry.kind != Kind::ToolInput {
        return None;
    }
    serde_json::from_str::<StoredEvent<'_>>(&entry.body).ok().map(|event| event.call_name().id)
}

/// The calls of a step that the client is to run with arguments of the agent's over the model's, by their `tool_input`.
pub(crate) fn of_client(waiting: &Waiting) -> impl Iterator<Item = Seq> {
    let theirs = waiting.waits.iter().filter(|wait| wait.awaited == Awaited::Client && wait.overrides.is_some());
    theirs.map(|wait| wait.call)
}

/// A call in one piece.
fn whole(id: &Arc<str>, name: &Arc<str>, arguments: &str, at: Millis) -> [News; 2] {
    let began = News::Call { id: id.clone(), what: CallNews::Began { name: name.clone() }, at };
    [began, News::Call { id: id.clone(), what: CallNews::Arguments(arguments.to_owned()), at }]
}
