//! A turn that waits for the person at the keyboard: each call is shown whole
//! and needs its own answer.

use serde_json::{Value, json};

use super::input::{Input, Interrupts, Line};
use super::view::View;
use crate::cli::approvals::{Open, Page};

/// Characters of a reason that the server takes.
const REASON_CHARACTERS_MAX: usize = 1_000;

/// What the person said to the calls that wait: the body of an input, or none where they left without a word.
pub(super) async fn ask(page: &Page, view: &mut View, input: &mut Input, interrupts: &mut Interrupts) -> anyhow::Result<Option<Value>> {
    let mut decisions = Vec::with_capacity(page.approvals.len());
    for open in &page.approvals {
        let open = Open::read(open)?;
        let decision = loop {
            view.question(&format!("{}\nlet it run? y, or n and why", open.call()));
            match input.next(interrupts).await {
                Line::Text(answer) => {
                    if let Some(decision) = decision(&open.event_id, &answer) {
                        break decision;
                    }
                }
                Line::End => return Ok(None),
            }
        };
        decisions.push(decision);
    }
    Ok(Some(json!({ "type": "tool_approval", "decisions": decisions, "stream_response": true })))
}

/// Says what waits where nobody can be asked, and how to decide about it.
pub(super) fn tell(page: &Page, view: &mut View) -> anyhow::Result<()> {
    for open in &page.approvals {
        let open = Open::read(open)?;
        view.note(&format!("waits for approval: {}", open.call()));
        view.note(&format!("  wardian approvals approve {0}    or: wardian approvals reject {0}", open.event_id));
    }
    Ok(())
}

/// The decision that an answer is, if it is one: only a clear yes lets a call run.
fn decision(id: &str, answer: &str) -> Option<Value> {
    let (word, rest) = answer.trim().split_once(char::is_whitespace).unwrap_or((answer.trim(), ""));
    match (word.to_ascii_lowercase().as_str(), rest.trim()) {
        ("y" | "yes", "") => Some(json!({ "event_id": id, "decision": "approve" })),
        ("n" | "no", "") => Some(json!({ "event_id": id, "decision": "reject" })),
        ("n" | "no", why) => Some(json!({ "event_id": id, "decision": "reject", "reason": shortened(why) })),
        _ => None,
    }
}

/// A reason as long as the server takes it.
fn shortened(why: &str) -> &str {
    why.char_indices().nth(REASON_CHARACTERS_MAX).map_or(why, |(end, _)| &why[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_lets_a_call_run() {
        assert_eq!(decision("e", " Y ").unwrap()["decision"], "approve");
        assert_eq!(decision("e", "no").unwrap()["decision"], "reject");
        assert_eq!(decision("e", "n  too wide ").unwrap()["reason"], "too wide");
        for unclear in ["", "yes please", "sure", "ok", "yn"] {
            assert_eq!(decision("e", unclear), None, "{unclear}");
        }
    }
}
