//! The output items of one reply, put together from events that may overlap,
//! lack their index, or never come.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use session::AskedCall;

use super::shapes::{Event, Shape, text};
use crate::Sink;
use crate::reply::Delta;
use crate::wires::json::{legal_arguments, legal_name, push_piece};
use crate::wires::trouble::Fault;
use crate::wires::{ARGUMENTS_BYTES_MAX, CALLS_MAX, unique_id};

/// The most items of one reply; a model writes a few.
const ITEMS_MAX: usize = 1_024;

/// The items in the order in which they began. An index is only compared, so an absurd one costs nothing.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: Vec<Item>,
    /// Where in the conversation the reply stands: makes ids that are unique there.
    place: usize,
    refused: bool,
}

#[derive(Debug)]
struct Item {
    index: Option<Box<str>>,
    /// The item's id; a call's id where it has none.
    id: String,
    kind: Kind,
    /// Text, reasoning or arguments.
    words: String,
    /// Which events of reasoning are shown: of those that tell the same twice, the first kind that came.
    told_by: Option<Source>,
    /// The item as it was when it was done.
    done: Option<Box<RawValue>>,
    /// Whether the provider takes it back.
    replayable: bool,
}

#[derive(Debug)]
enum Kind {
    Message,
    Reasoning,
    /// A call, by its place among the calls.
    Call {
        at: usize,
        id: Arc<str>,
        name: String,
    },
    /// Anything that is only kept.
    Other,
}

/// What a piece of words is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A message.
    Text,
    /// A message that refuses.
    Refusal,
    /// The summary of reasoning.
    Summary,
    /// Reasoning itself.
    Reasoning,
    /// A call's arguments.
    Arguments,
}

impl Items {
    /// None yet, in a reply to `place` items.
    pub(super) fn new(place: usize) -> Self {
        Self { place, ..Self::default() }
    }

    /// Whether there is none.
    pub(super) fn are_none(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether nothing was said, thought or asked for.
    pub(super) fn are_silent(&self) -> bool {
        self.items.iter().all(|item| item.words.is_empty() && !matches!(item.kind, Kind::Call { .. }))
    }

    /// Whether the model refused in words.
    pub(super) fn are_refusal(&self) -> bool {
        self.refused
    }

    /// An item begins.
    pub(super) fn begin(&mut self, index: Option<&RawValue>, json: &RawValue, sink: Sink<'_>) -> Result<(), Fault> {
        let shape = read(json)?;
        self.add(index, &shape, sink).map(|_| ())
    }

    /// An item is as it will stay. What its pieces were is forgotten where it says something else.
    pub(super) fn done(&mut self, index: Option<&RawValue>, json: &RawValue, sink: Sink<'_>) -> Result<(), Fault> {
        let shape = read(json)?;
        let at = match self.find(index, &id_of(&shape)) {
            Some(at) if self.items[at].done.is_none() && self.items[at].kind.is(&shape.kind) => at,
            _ => self.add(index, &shape, &mut *sink)?,
        };
        self.close(at, &shape, json, sink)
    }

    /// What the end of the stream says of all items: only those are taken whose own end never came.
    pub(super) fn all_done(&mut self, output: &[&RawValue], sink: Sink<'_>) -> Result<(), Fault> {
        for (at, json) in output.iter().enumerate() {
            let shape = read(json)?;
            let at = if at < self.items.len() { at } else { self.add(None, &shape, &mut *sink)? };
            if self.items[at].done.is_none() && self.items[at].kind.is(&shape.kind) {
                self.close(at, &shape, json, &mut *sink)?;
            }
        }
        Ok(())
    }

    /// A piece of an item.
    pub(super) fn piece(&mut self, event: &Event<'_>, source: Source, sink: Sink<'_>) -> Result<(), Fault> {
        let id = text(event.item_id);
        let Some(at) = self.find(event.output_index, &id).or_else(|| self.begin_untold(event.output_index, &id, source)) else {
            return Ok(());
        };
        let fits = match (&self.items[at].kind, source) {
            (Kind::Message, Source::Text | Source::Refusal) | (Kind::Call { .. }, Source::Arguments) => true,
            (Kind::Reasoning, Source::Summary | Source::Reasoning) => *self.items[at].told_by.get_or_insert(source) == source,
            (Kind::Message | Kind::Reasoning | Kind::Call { .. } | Kind::Other, _) => false,
        };
        if !fits || self.items[at].done.is_some() {
            return Ok(());
        }
        self.refused |= source == Source::Refusal;
        self.say(at, &text(event.delta), sink)
    }

    /// Another paragraph of a summary begins.
    pub(super) fn paragraph(&mut self, event: &Event<'_>, sink: Sink<'_>) -> Result<(), Fault> {
        let first = event.summary_index.is_none_or(|index| index.get() == "0");
        match self.find(event.output_index, &text(event.item_id)) {
            Some(at) if !first && self.items[at].told_by == Some(Source::Summary) => self.say(at, "\n\n", sink),
            _ => Ok(()),
        }
    }

    /// All words of the reasoning, or of the messages.
    pub(super) fn words(&self, thinking: bool) -> String {
        let words: Vec<&str> = self
            .items
            .iter()
            .filter(|item| item.speaks(thinking))
            .map(|item| item.words.as_str())
            .filter(|words| !words.is_empty())
            .collect();
        words.join("\n\n")
    }

    /// The calls in order.
    pub(super) fn calls(&self) -> Vec<AskedCall> {
        let call = |item: &Item| match &item.kind {
            Kind::Call { id, name, .. } => {
                let arguments = if item.words.trim().is_empty() { "{}" } else { &item.words };
                Some(AskedCall { id: id.clone(), name: name.as_str().into(), arguments: arguments.to_owned() })
            }
            Kind::Message | Kind::Reasoning | Kind::Other => None,
        };
        self.items.iter().filter_map(call).collect()
    }

    /// The list as the provider wants it back; none where a piece is missing, cut or bound to what it did
    /// not keep: it would refuse the conversation from then on.
    pub(super) fn raw(&self) -> Option<Arc<RawValue>> {
        let ends_well = self.items.last().is_some_and(|item| !matches!(item.kind, Kind::Reasoning));
        if !ends_well || !self.items.iter().all(|item| item.replayable) {
            return None;
        }
        let mut out = b"[".to_vec();
        for item in &self.items {
            push_piece(&mut out, item.as_sent()?.as_bytes());
        }
        out.push(b']');
        RawValue::from_string(String::from_utf8(out).ok()?).ok().map(Into::into)
    }

    /// By index, then by id; without either, the last.
    fn find(&self, index: Option<&RawValue>, id: &str) -> Option<usize> {
        let by_index = |index: &RawValue| self.items.iter().rposition(|item| item.index.as_deref() == Some(index.get()));
        match index.and_then(by_index) {
            Some(at) => Some(at),
            None if !id.is_empty() => self.items.iter().rposition(|item| item.id == id && (index.is_none() || item.index.is_none())),
            None if index.is_none() => self.items.len().checked_sub(1),
            None => None,
        }
    }

    fn add(&mut self, index: Option<&RawValue>, shape: &Shape<'_>, sink: Sink<'_>) -> Result<usize, Fault> {
        if self.items.len() == ITEMS_MAX {
            return Err(Fault::beyond(format!("the provider sent more than {ITEMS_MAX} items in one reply")));
        }
        let kind = match shape.kind.as_str() {
            "message" => Kind::Message,
            "reasoning" => Kind::Reasoning,
            "function_call" => {
                let (at, id) = self.call_id(shape.call_id.as_deref().or(shape.id.as_deref()).unwrap_or_default())?;
                let name = shape.name.clone().unwrap_or_default();
                sink(Delta::CallBegan { index: at, id: id.clone(), name: name.as_str().into() });
                Kind::Call { at, id, name }
            }
            _ => Kind::Other,
        };
        self.items.push(Item::new(index, id_of(shape), kind));
        Ok(self.items.len() - 1)
    }

    /// A piece of an item whose begin was never told: a call needs its name, the others do not.
    fn begin_untold(&mut self, index: Option<&RawValue>, id: &str, source: Source) -> Option<usize> {
        let kind = match source {
            Source::Text | Source::Refusal => Kind::Message,
            Source::Summary | Source::Reasoning => Kind::Reasoning,
            Source::Arguments => return None,
        };
        if self.items.len() == ITEMS_MAX {
            return None;
        }
        self.items.push(Item::new(index, id.to_owned(), kind));
        Some(self.items.len() - 1)
    }

    fn call_id(&self, given: &str) -> Result<(usize, Arc<str>), Fault> {
        let ids = || self.items.iter().filter_map(|item| if let Kind::Call { id, .. } = &item.kind { Some(id) } else { None });
        let at = ids().count();
        if at == CALLS_MAX {
            return Err(Fault::beyond(format!("the model asked for more than {CALLS_MAX} tools in one reply")));
        }
        Ok((at, unique_id(given, self.place, at, |id| ids().any(|taken| &**taken == id))))
    }

    fn close(&mut self, at: usize, shape: &Shape<'_>, json: &RawValue, sink: Sink<'_>) -> Result<(), Fault> {
        let whole = match &self.items[at].kind {
            Kind::Message => shape.words(),
            Kind::Reasoning => shape.thinking(),
            Kind::Call { .. } => shape.arguments(),
            Kind::Other => String::new(),
        };
        if self.items[at].words.is_empty() {
            self.say(at, &whole, sink)?;
        } else if !whole.is_empty() && !matches!(self.items[at].kind, Kind::Reasoning) {
            self.items[at].words = bounded(&self.items[at].kind, 0, whole)?;
        }
        self.refused |= shape.content.iter().flatten().any(|part| part.refusal.is_some());
        let item = &mut self.items[at];
        if let (Kind::Call { name, .. }, Some(given)) = (&mut item.kind, &shape.name) {
            given.clone_into(name);
        }
        item.replayable = !matches!(item.kind, Kind::Reasoning) || shape.is_replayable();
        item.done = Some(json.to_owned());
        Ok(())
    }

    fn say(&mut self, at: usize, words: &str, sink: Sink<'_>) -> Result<(), Fault> {
        if words.is_empty() {
            return Ok(());
        }
        let thinking = matches!(self.items[at].kind, Kind::Reasoning);
        let is_next =
            self.items[at].words.is_empty() && self.items[..at].iter().any(|item| item.speaks(thinking) && !item.words.is_empty());
        let item = &mut self.items[at];
        let words = bounded(&item.kind, item.words.len(), words.to_owned())?;
        item.words.push_str(&words);
        // Paragraphs, as the whole reply has them.
        let shown = if is_next { format!("\n\n{words}") } else { words.clone() };
        match &item.kind {
            Kind::Message => sink(Delta::Text(shown)),
            Kind::Reasoning => sink(Delta::Thinking(shown)),
            Kind::Call { at, .. } => sink(Delta::CallArguments { index: *at, piece: words }),
            Kind::Other => {}
        }
        Ok(())
    }
}

impl Kind {
    /// Whether an item of this kind goes by that word.
    fn is(&self, word: &str) -> bool {
        match self {
            Self::Message => word == "message",
            Self::Reasoning => word == "reasoning",
            Self::Call { .. } => word == "function_call",
            Self::Other => !matches!(word, "message" | "reasoning" | "function_call"),
        }
    }
}

impl Item {
    fn new(index: Option<&RawValue>, id: String, kind: Kind) -> Self {
        let index = index.map(|index| index.get().into());
        Self { index, id, kind, words: String::new(), told_by: None, done: None, replayable: false }
    }

    fn speaks(&self, thinking: bool) -> bool {
        match self.kind {
            Kind::Message => !thinking,
            Kind::Reasoning => thinking,
            Kind::Call { .. } | Kind::Other => false,
        }
    }

    /// The item as it came, but for a call whose id, name or arguments could not stay as they were.
    fn as_sent(&self) -> Option<String> {
        let json = self.done.as_deref()?.get();
        let Kind::Call { id, name, .. } = &self.kind else { return Some(json.to_owned()) };
        let mut item: Value = serde_json::from_str(json).ok()?;
        let (name, arguments) = (legal_name(name), legal_arguments(&self.words));
        if item["call_id"] == **id && item["name"] == *name && item["arguments"] == arguments {
            return Some(json.to_owned());
        }
        item["call_id"] = Value::from(&**id);
        item["name"] = Value::from(&*name);
        item["arguments"] = Value::from(arguments);
        Some(item.to_string())
    }
}

fn read(json: &RawValue) -> Result<Shape<'_>, Fault> {
    // Items of kinds that are not ours to read may have any form; they are kept.
    let is_ours = |json: Value| json["type"].as_str().is_some_and(|kind| !Kind::Other.is(kind));
    match serde_json::from_str(json.get()) {
        Ok(shape) => Ok(shape),
        Err(_) if !serde_json::from_str(json.get()).is_ok_and(is_ours) => Ok(Shape::default()),
        Err(e) => Err(Fault::garbled(format!("the provider sent an item that cannot be read: {e}"))),
    }
}

fn id_of(shape: &Shape<'_>) -> String {
    shape.id.clone().or_else(|| shape.call_id.clone()).unwrap_or_default()
}

/// Words as they are, unless they are arguments beyond their limit.
fn bounded(kind: &Kind, before: usize, words: String) -> Result<String, Fault> {
    if matches!(kind, Kind::Call { .. }) && before + words.len() > ARGUMENTS_BYTES_MAX {
        return Err(Fault::beyond(format!("the model wrote more than {ARGUMENTS_BYTES_MAX} bytes of arguments for one call")));
    }
    Ok(words)
}
