//! Tool calls put together from fragments that providers number, name and cut
//! in many ways.

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use session::AskedCall;

use super::shapes::{Fragment, Function, Text};
use crate::Sink;
use crate::reply::Delta;
use crate::wires::trouble::Fault;
use crate::wires::{ARGUMENTS_BYTES_MAX, CALLS_MAX, unique_id};

/// The calls of one reply. Kept in the order in which they came: the provider's
/// index is only compared, so an absurd one costs nothing.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: Vec<Open>,
    /// Where in the conversation the reply stands: makes ids that are unique there.
    place: usize,
}

#[derive(Debug, Default)]
struct Open {
    index: Option<Box<str>>,
    id: String,
    name: String,
    arguments: String,
    extra: Option<Box<RawValue>>,
    /// The id under which it was announced, which is the id for good.
    announced: Option<Arc<str>>,
}

impl Open {
    fn is_complete(&self) -> bool {
        !self.arguments.is_empty() && serde_json::from_str::<IgnoredAny>(&self.arguments).is_ok()
    }
}

impl Calls {
    /// No calls yet, in a reply to `place` items.
    pub(super) fn new(place: usize) -> Self {
        Self { open: Vec::new(), place }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes in a fragment.
    pub(super) fn add(&mut self, fragment: &Fragment<'_>, sink: Sink<'_>) -> Result<(), Fault> {
        let none = Function::default();
        let function = fragment.function.as_ref().unwrap_or(&none);
        let arguments = text_of(function.arguments);
        let name = function.name.text().unwrap_or_default();
        let id = fragment.id.text().unwrap_or_default();
        let index = fragment.index.map(RawValue::get);
        let part = FragmentKey { index, id, name, arguments: &arguments };
        let Some(at) = self.find(&part) else {
            // Nothing to continue, and nothing to begin with.
            if name.is_empty() && id.is_empty() && arguments.is_empty() {
                return Ok(());
            }
            return self.begin(&part, fragment.extra_content, sink);
        };
        self.extend(at, &part, fragment.extra_content, sink)
    }

    /// The call of the form before there were tools; there is only one.
    pub(super) fn add_function(&mut self, function: &Function<'_>, sink: Sink<'_>) -> Result<(), Fault> {
        let arguments = text_of(function.arguments);
        let part = FragmentKey { index: Some("0"), id: "", name: function.name.text().unwrap_or_default(), arguments: &arguments };
        match self.find(&part) {
            Some(at) => self.extend(at, &part, None, sink),
            None => self.begin(&part, None, sink),
        }
    }

    /// Announces the calls that had no arguments to be announced with: their names are whole now.
    pub(super) fn announce_all(&mut self, sink: Sink<'_>) {
        for at in 0..self.open.len() {
            self.announce(at, &mut *sink);
        }
    }

    /// All calls, with what their provider wants back.
    pub(super) fn close(mut self) -> Vec<(AskedCall, Option<Box<RawValue>>)> {
        self.announce_all(&mut |_| {});
        let closed = self.open.into_iter().map(|call| {
            let arguments = if call.arguments.trim().is_empty() { "{}".to_owned() } else { call.arguments };
            let asked = AskedCall { id: call.announced.unwrap_or_default(), name: call.name.into(), arguments };
            (asked, call.extra)
        });
        closed.collect()
    }

    /// Which call a fragment continues: by index, then by id, then the last one.
    fn find(&self, part: &FragmentKey<'_>) -> Option<usize> {
        let last = |fits: &dyn Fn(&Open) -> bool| self.open.iter().rposition(fits);
        let by_id = || last(&|call| !part.id.is_empty() && call.id == part.id);
        let at = match part.index {
            Some(index) => last(&|call| call.index.as_deref() == Some(index))?,
            None if !part.id.is_empty() => match by_id() {
                Some(at) => at,
                None if part.name.is_empty() => last(&|call| call.id.is_empty())?,
                None => return None,
            },
            None if part.name.is_empty() => self.open.len().checked_sub(1)?,
            None => return None,
        };
        let call = &self.open[at];
        let other_id = !part.id.is_empty() && !call.id.is_empty() && part.id != call.id;
        let same_id = !part.id.is_empty() && part.id == call.id;
        let whole_again = !part.arguments.is_empty() && call.is_complete() && !(same_id && part.arguments == call.arguments);
        let is_another = !part.name.is_empty() && (other_id || whole_again);
        (!is_another).then_some(at)
    }

    fn begin(&mut self, part: &FragmentKey<'_>, extra: Option<&RawValue>, sink: Sink<'_>) -> Result<(), Fault> {
        if self.open.len() == CALLS_MAX {
            return Err(Fault::beyond(format!("the model asked for more than {CALLS_MAX} tools in one reply")));
        }
        self.announce_all(&mut *sink);
        self.open.push(Open { index: part.index.map(Into::into), ..Open::default() });
        self.extend(self.open.len() - 1, part, extra, sink)
    }

    fn extend(&mut self, at: usize, part: &FragmentKey<'_>, extra: Option<&RawValue>, sink: Sink<'_>) -> Result<(), Fault> {
        let call = &mut self.open[at];
        if call.id.is_empty() {
            call.id.push_str(part.id);
        }
        if let Some(extra) = extra {
            call.extra = Some(extra.to_owned());
        }
        // A name comes whole, or again, or cut before any argument.
        if call.arguments.is_empty() && call.name != part.name {
            call.name.push_str(part.name);
        }
        let again = !part.name.is_empty() && call.is_complete() && call.arguments == part.arguments;
        if part.arguments.is_empty() || again {
            return Ok(());
        }
        if call.arguments.len() + part.arguments.len() > ARGUMENTS_BYTES_MAX {
            return Err(Fault::beyond(format!("the model wrote more than {ARGUMENTS_BYTES_MAX} bytes of arguments for one call")));
        }
        call.arguments.push_str(part.arguments);
        self.announce(at, &mut *sink);
        sink(Delta::CallArguments { index: at, piece: part.arguments.to_owned() });
        Ok(())
    }

    /// Says that a call begins, and settles its id; not before its name is whole.
    fn announce(&mut self, at: usize, sink: Sink<'_>) {
        if self.open[at].announced.is_some() {
            return;
        }
        let id = self.unique_id(at);
        let call = &mut self.open[at];
        call.announced = Some(id.clone());
        sink(Delta::CallBegan { index: at, id, name: call.name.as_str().into() });
    }

    fn unique_id(&self, at: usize) -> Arc<str> {
        let taken = |id: &str| self.open.iter().any(|call| call.announced.as_deref() == Some(id));
        unique_id(&self.open[at].id, self.place, at, taken)
    }
}

/// What a fragment says of itself.
struct FragmentKey<'a> {
    index: Option<&'a str>,
    id: &'a str,
    name: &'a str,
    arguments: &'a str,
}

/// The exact text of arguments: the inside of a string, or the JSON that some providers put there.
fn text_of(arguments: Option<&RawValue>) -> std::borrow::Cow<'_, str> {
    let json = arguments.map(RawValue::get).unwrap_or_default();
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Text<'_>>(json).map(|text| text.0).unwrap_or_default(),
        None | Some(b'n') => "".into(),
        Some(_) => json.into(),
    }
}
