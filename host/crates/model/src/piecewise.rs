//! A ready reply taken apart into live pieces, for the models that have no wire.

use crate::reply::{Delta, Reply};

/// The pieces of a reply in the order in which a provider would send them: thinking and text word by word, then the calls.
pub(crate) fn pieces(reply: &Reply) -> impl Iterator<Item = Delta> {
    let thinking = words(&reply.thinking).map(|word| Delta::Thinking(word.to_owned()));
    let text = words(&reply.text).map(|word| Delta::Text(word.to_owned()));
    let calls = reply.calls.iter().enumerate().flat_map(|(index, call)| {
        let began = Delta::CallBegan { index, id: call.id.clone(), name: call.name.clone() };
        [began, Delta::CallArguments { index, piece: call.arguments.clone() }]
    });
    thinking.chain(text).chain(calls)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', '\n']).filter(|word| !word.is_empty())
}
