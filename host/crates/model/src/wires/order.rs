//! A conversation in the one order that every provider takes: right after a
//! reply with calls the result of each call, then what the user said meanwhile.

use std::sync::Arc;

use session::{AskedCall, Item, ItemBody};

/// What stands for the result of a call that has none.
pub(super) const NO_RESULT: &str = r#"{"error":{"reason":"cancelled","message":"this call has no result"}}"#;

/// One piece of the conversation.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// The user's words.
    User(&'a Item),
    /// A reply.
    Assistant(&'a Item),
    /// What a tool answered.
    Result(&'a Item),
    /// A call without a result. Sessions leave none behind; a provider would refuse the whole conversation for it.
    Missing(&'a AskedCall),
}

/// The items in legal order. Results that no call asked for are left out.
pub(super) fn legal(items: &[Arc<Item>]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::with_capacity(items.len());
    let mut rest = items;
    while let Some((item, after)) = rest.split_first() {
        rest = after;
        match &item.body {
            ItemBody::User { .. } => pieces.push(Piece::User(item)),
            ItemBody::ToolResult { call_id, .. } => tracing::debug!(%call_id, "a result without its call is left out"),
            ItemBody::Assistant { calls, .. } => {
                pieces.push(Piece::Assistant(item));
                if !calls.is_empty() {
                    let until = rest.iter().position(|item| matches!(item.body, ItemBody::Assistant { .. })).unwrap_or(rest.len());
                    let (meanwhile, after) = rest.split_at(until);
                    answer(calls, meanwhile, &mut pieces);
                    rest = after;
                }
            }
        }
    }
    pieces
}

fn answer<'a>(calls: &'a [AskedCall], meanwhile: &'a [Arc<Item>], pieces: &mut Vec<Piece<'a>>) {
    for call in calls {
        let result = meanwhile.iter().find(|item| matches!(&item.body, ItemBody::ToolResult { call_id, .. } if *call_id == call.id));
        pieces.push(result.map_or(Piece::Missing(call), |item| Piece::Result(item)));
    }
    let said = meanwhile.iter().filter(|item| matches!(item.body, ItemBody::User { .. }));
    pieces.extend(said.map(|item| Piece::User(item)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_follow_their_calls_and_a_missing_one_is_made_up() {
        let call = |id: &str| AskedCall { id: id.into(), name: "t".into(), arguments: "{}".into() };
        let assistant = |ids: &[&str]| {
            let calls = ids.iter().map(|id| call(id)).collect();
            Item::new(ItemBody::Assistant { thinking: String::new(), text: String::new(), calls, raw: None })
        };
        let user = |text: &str| Item::new(ItemBody::User { text: text.into() });
        let result = |id: &str| Item::new(ItemBody::ToolResult { call_id: id.into(), name: "t".into(), output: id.into(), error: false });
        let items =
            [result("stray"), user("1"), assistant(&["a", "b", "c"]), result("c"), user("2"), result("a"), assistant(&[]), user("3")];
        let words: Vec<String> = legal(&items)
            .iter()
            .map(|piece| match piece {
                Piece::User(item) | Piece::Result(item) | Piece::Assistant(item) => match &item.body {
                    ItemBody::User { text } => format!("user {text}"),
                    ItemBody::ToolResult { output, .. } => format!("result {output}"),
                    ItemBody::Assistant { .. } => "assistant".into(),
                },
                Piece::Missing(call) => format!("missing {}", call.id),
            })
            .collect();
        assert_eq!(words, ["user 1", "assistant", "result a", "missing b", "result c", "user 2", "assistant", "user 3"]);
    }
}
