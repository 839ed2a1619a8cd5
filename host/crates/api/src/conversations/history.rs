//! The messages that a client posts. Some clients post what is new, others all that was said each time; what they post
//! is held against what the session has, and what is new becomes an input.

use std::collections::HashSet;

use agent::{Outcome, Past};
use session::{AskedCall, EventId, Message, Seq, Session};

use super::answers::{Answers, Resume, Waiting};
use super::known::{Posted, Rule, Stored};
use crate::App;
use crate::errors::{Code, Error, Result};

/// How far back in a session words are looked for, marks counted: what a client repeats of a longer one is taken as
/// known only from there on.
const POSITIONS: u64 = 6_000;

/// Events that are read at once; other requests are served between two pages.
const PAGE: usize = 200;

/// One posted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// By whoever set the client up.
    System(String),
    /// By the user.
    User(String),
    /// By the agent: text, calls, or both.
    Agent {
        /// May be empty.
        text: String,
        /// In their order.
        calls: Vec<AskedCall>,
    },
    /// What came of a call that the client ran.
    Tool {
        /// The call's id.
        call: String,
        /// What it says.
        outcome: Outcome,
    },
}

/// The words of who set the client up, and the rest.
pub(super) fn without_system(messages: Vec<Said>) -> (Vec<String>, Vec<Said>) {
    let mut told = Vec::new();
    let mut rest = Vec::with_capacity(messages.len());
    for message in messages {
        match message {
            Said::System(text) => told.push(text),
            other => rest.push(other),
        }
    }
    (told, rest)
}

/// Reads what the session has, where that can matter and as far back as it can: a single message of the user is always
/// new, and an answer to a call that waits speaks for itself.
pub(super) async fn stored(
    app: &App,
    session: &Session,
    waiting: &Waiting,
    (rule, messages): (Rule, &[Said]),
    (resume, settled): (&[Resume], Option<EventId>),
) -> Result<Stored> {
    let answer = |said: &Said| matches!(said, Said::Tool { call, .. } if waiting.calls.contains_key(call));
    let plain = matches!(messages, [] | [Said::User(_)]) || messages.iter().all(answer);
    // Beside an answer, words of a client that posts all of them are those that led to the question.
    let led_to_it = rule == Rule::Known && (!resume.is_empty() || settled.is_some());
    if plain && !led_to_it && resume.iter().all(|resume| waiting.knows(&resume.interrupt)) {
        return Ok(Stored::default());
    }
    let posted = Posted::new(messages);
    let answered = || resume.iter().map(|resume| &*resume.interrupt).filter(|id| !waiting.knows(id));
    let ids: HashSet<&str> = called(messages).chain(answered()).collect();
    // More is read for the sake of what is new alone, and of what may have been answered before.
    let enough = |stored: &Stored| {
        let Some(new) = posted.surely_new_in(stored) else { return false };
        let last = messages.len().saturating_sub(1);
        called(&messages[new.min(last)..]).chain(answered()).all(|id| stored.calls.contains_key(id))
    };
    let head = app.engine.head(session)?;
    let first = Seq(head.last.0.saturating_sub(POSITIONS).max(1));
    let mut stored = Stored::default();
    let mut to = head.last.next();
    while to > first && !enough(&stored) {
        let from = Seq(to.0.saturating_sub(PAGE as u64).max(first.0));
        // What was hidden was said all the same.
        let listed = app.engine.events(session, from, PAGE, true)?.page.entries;
        let before = listed.partition_point(|entry| entry.seq < to);
        stored.take_before(session.uid, &listed[..before], |id| ids.contains(id));
        to = from;
        tokio::task::yield_now().await;
    }
    stored.read(head.turn, to > Seq(1));
    Ok(stored)
}

/// The ids of calls that messages are about.
fn called(messages: &[Said]) -> impl Iterator<Item = &str> {
    messages.iter().flat_map(|message| {
        let (calls, own) = match message {
            Said::Agent { calls, .. } => (calls.as_slice(), None),
            Said::Tool { call, .. } => (&[][..], Some(call.as_str())),
            Said::System(_) | Said::User(_) => (&[][..], None),
        };
        calls.iter().map(|call| &*call.id).chain(own)
    })
}

/// What is to be recorded, and what is to be answered.
pub(super) type Input = (Vec<Past>, Vec<Message>);

/// The new messages as an input, if they are one: what was said before the last words of the user is the past.
pub(super) fn words(new: &[Said], stored: &Stored, answers: &Answers) -> Result<Option<Input>> {
    let mut past: Vec<Past> = Vec::with_capacity(new.len());
    let mut brought = HashSet::new();
    for message in new {
        match message {
            Said::System(_) => {}
            Said::User(text) => past.push(Past::User(text.clone())),
            // Its calls are the session's own: it was said here.
            Said::Agent { calls, .. } if !calls.is_empty() && calls.iter().all(|call| stored.calls.contains_key(&*call.id)) => {}
            Said::Agent { text, calls } => {
                brought.extend(calls.iter().map(|call| &*call.id));
                past.push(Past::Agent { text: text.clone(), calls: calls.clone() });
            }
            Said::Tool { call, .. } if answers.calls.contains(&**call) || stored.calls.contains_key(call) => {}
            Said::Tool { call, outcome } if brought.contains(&**call) => {
                past.push(Past::Output { call: call.clone(), outcome: outcome.clone() });
            }
            Said::Tool { call, .. } => return Err(no_such_call(call)),
        }
    }
    let asks = past.iter().any(|past| matches!(past, Past::User(_)));
    match past.last() {
        None => Ok(None),
        Some(_) if !asks && !answers.decisions.is_empty() => Ok(None),
        Some(Past::Agent { .. }) => Err(nothing_new()),
        Some(Past::Output { .. }) => Ok(Some((past, Vec::new()))),
        Some(Past::User(_)) => {
            let said = past.iter().rev().take_while(|past| matches!(past, Past::User(_))).count();
            let said = past.split_off(past.len() - said);
            let text = |past| if let Past::User(content) = past { Some(Message { content }) } else { None };
            Ok(Some((past, said.into_iter().filter_map(text).collect())))
        }
    }
}

/// Nothing is new: the last words of the user are asked again.
pub(super) fn last_again(messages: &[Said]) -> Result<Input> {
    match messages.last() {
        Some(Said::User(content)) => Ok((Vec::new(), vec![Message { content: content.clone() }])),
        Some(Said::Tool { call, .. }) => Err(no_such_call(call)),
        Some(Said::System(_) | Said::Agent { .. }) | None => Err(nothing_new()),
    }
}

fn nothing_new() -> Error {
    Error::field("messages", "nothing is to be answered: `messages` must end with one of the user, or with what came of a tool call")
}

fn no_such_call(call: &str) -> Error {
    Error::field("messages", format!("no call `{call}` waits for its output in this conversation")).with(Code::ToolCallNotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversations::said::{agent, calling, tool, user};
    use session::{EventId, Uid};

    #[test]
    fn a_turn_that_came_to_nothing_is_asked_again() {
        let whole = [user("a"), agent("x"), user("b")];
        let (past, messages) = last_again(&whole).unwrap();
        assert_eq!((past.len(), messages), (0, vec![Message { content: "b".into() }]));
        assert!(last_again(&whole[..2]).is_err() && last_again(&[]).is_err());
    }

    #[test]
    fn what_comes_before_the_last_words_is_the_past() {
        let new = [user("a"), calling("c1"), tool("c1"), agent("x"), user("b"), user("c")];
        let (past, said) = words(&new, &Stored::default(), &Answers::default()).unwrap().unwrap();
        assert_eq!((past.len(), said.len()), (4, 2));
        let (past, said) = words(&new[..3], &Stored::default(), &Answers::default()).unwrap().unwrap();
        assert_eq!((past.len(), said.len()), (3, 0));
        assert!(words(&new[..4], &Stored::default(), &Answers::default()).is_err());
    }

    #[test]
    fn an_output_of_a_call_that_nobody_made_is_refused_and_one_that_is_known_is_passed_over() {
        let error = words(&[user("a"), tool("c9")], &Stored::default(), &Answers::default()).unwrap_err();
        assert_eq!(error.code(), Code::ToolCallNotFound);
        let mut said = Stored::default();
        said.calls.insert("c9".into(), EventId { session: Uid([1; 16]), seq: Seq(1) });
        let (past, _) = words(&[calling("c9"), tool("c9"), user("b")], &said, &Answers::default()).unwrap().unwrap();
        assert_eq!(past, []);
    }
}
