//! What is new in the messages that a client posts. Some clients post what is new, others all that was said each time;
//! what they post is held against what the session has. Words of the user are compared as they are. All that the agent
//! and its tools said between two of them counts as one: clients keep it in forms of their own.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use agent::{Outcome, Past};
use session::{AskedCall, EventId, Kind, Message, Seq, Session, StoredEvent};

use super::answers::{Answers, Resume, Waiting};
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

/// How known messages are told from new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The client posts what is new, or all of it: if what is posted begins with what was said last, the rest is new.
    Prefix,
    /// The client always posts all of it: what the user said is known if it was said in this order.
    Known,
}

/// A digest of words, for comparing: they can be long.
type Words = [u8; 32];

fn digest(text: &str) -> Words {
    Sha256::digest(text.as_bytes()).into()
}

/// What was said, for comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// By the user.
    User(Words),
    /// By the agent and its tools, all of it up to the next words of the user.
    Agent,
}

impl Token {
    fn of_user(text: &str) -> Self {
        Self::User(digest(text))
    }
}

/// What the session has.
#[derive(Debug, Default)]
pub(super) struct Stored {
    tokens: Vec<Token>,
    /// What the agent answered last.
    last: Option<Words>,
    /// Whether there is more before it, out of reach or hidden.
    cut: bool,
    /// Calls, by the ids that clients know.
    pub(super) calls: HashMap<String, EventId>,
}

impl Stored {
    fn push(&mut self, token: Token) {
        if token != Token::Agent || self.tokens.last() != Some(&Token::Agent) {
            self.tokens.push(token);
        }
    }
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

/// Reads what the session has, where that can matter: a single message of the user is always new, and an answer to a
/// call that waits speaks for itself.
pub(super) async fn stored(
    app: &App,
    session: &Session,
    waiting: &Waiting,
    (rule, messages): (Rule, &[Said]),
    resume: &[Resume],
) -> Result<Stored> {
    let answer = |said: &Said| matches!(said, Said::Tool { call, .. } if waiting.calls.contains_key(call));
    let plain = matches!(messages, [] | [Said::User(_)]) || messages.iter().all(answer);
    // Beside an answer, words of a client that posts all of them are those that led to the question.
    let led_to_it = rule == Rule::Known && !resume.is_empty();
    if plain && !led_to_it && resume.iter().all(|resume| waiting.knows(&resume.interrupt)) {
        return Ok(Stored::default());
    }
    let posted: HashSet<&str> = called(messages).chain(resume.iter().map(|resume| &*resume.interrupt)).collect();
    let head = app.engine.head(session)?;
    let mut from = Seq(head.last.0.saturating_sub(POSITIONS).max(1));
    let mut stored = Stored { cut: from > Seq(1) || !head.hidden.is_empty(), ..Stored::default() };
    loop {
        let listed = app.engine.events(session, from, PAGE, false)?;
        for entry in &listed.page.entries {
            let Ok(event) = serde_json::from_str::<StoredEvent<'_>>(&entry.body) else { continue };
            match entry.kind {
                Kind::InputMessage => event.messages.iter().for_each(|message| stored.push(Token::of_user(&message.content))),
                Kind::AgentOutput | Kind::StructuredOutput => {
                    stored.last = Some(digest(&event.text()));
                    stored.push(Token::Agent);
                }
                Kind::ToolInput | Kind::ToolOutput => stored.push(Token::Agent),
                // Reasoning comes with an answer or not, and no client repeats a summary. The rest is in no list.
                Kind::Thinking | Kind::Compaction => {}
                Kind::ContextLimitExceeded | Kind::SessionInterrupted | Kind::ClientToolPending | Kind::Tombstone => {}
                Kind::Began | Kind::Reply | Kind::Receipt | Kind::Ended | Kind::Corrected | Kind::Overflowed | Kind::Steered => {}
                Kind::Waiting | Kind::Paused | Kind::Resumed | Kind::Resolved => {}
            }
            if entry.kind == Kind::ToolInput
                && let Some(id) = event.tool_call_id.filter(|id| posted.contains(id.as_str()))
            {
                stored.calls.insert(id, EventId { session: session.uid, seq: entry.seq });
            }
        }
        match listed.page.entries.last().filter(|_| listed.page.more) {
            Some(last) => from = last.seq.next(),
            None => return Ok(stored),
        }
        tokio::task::yield_now().await;
    }
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

/// From which message on they are new.
pub(super) fn new_in(rule: Rule, messages: &[Said], stored: &Stored) -> usize {
    match rule {
        Rule::Prefix => after_prefix(messages, stored),
        Rule::Known => after_known(messages, stored),
    }
}

/// Behind the longest beginning that is the end of what the session has.
fn after_prefix(messages: &[Said], stored: &Stored) -> usize {
    let posted = tokens(messages);
    let same = |from: usize, length: usize| {
        let end = &stored.tokens[stored.tokens.len() - length..];
        posted[from..from + length].iter().map(|(token, _)| token).eq(end)
    };
    // An answer alone is known by its words: a greeting that the client made up looks the same otherwise.
    let answer = || matches!(&messages[..posted[0].1], [Said::Agent { text, .. }] if stored.last == Some(digest(text)));
    let said = |length: usize| posted[..length].iter().any(|(token, _)| *token != Token::Agent) || answer();
    let longest = posted.len().min(stored.tokens.len());
    if let Some(length) = (1..=longest).rev().find(|length| same(0, *length) && said(*length)) {
        return posted[length - 1].1;
    }
    // Of a session whose beginning is out of sight, a client may have more than is seen of it.
    let length = stored.tokens.len();
    if !stored.cut || length == 0 || length > posted.len() || !stored.tokens.iter().any(|token| *token != Token::Agent) {
        return 0;
    }
    (1..=posted.len() - length).rev().find(|from| same(*from, length)).map_or(0, |from| posted[from + length - 1].1)
}

/// Behind the last words of the user that were said in this order, and what the agent answered to them.
fn after_known(messages: &[Said], stored: &Stored) -> usize {
    let (mut seen, mut known) = (0, 0);
    for (at, message) in messages.iter().enumerate() {
        let Said::User(text) = message else { continue };
        let token = Token::of_user(text);
        if let Some(place) = stored.tokens[seen..].iter().position(|other| *other == token) {
            (seen, known) = (seen + place + 1, at + 1);
        }
    }
    let answered = if known == 0 { 0 } else { messages[known..].iter().take_while(|message| !matches!(message, Said::User(_))).count() };
    known + answered
}

/// The tokens of posted messages, each with the place behind its last message.
fn tokens(messages: &[Said]) -> Vec<(Token, usize)> {
    let mut tokens: Vec<(Token, usize)> = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        match (message, tokens.last_mut()) {
            (Said::User(text), _) => tokens.push((Token::of_user(text), at + 1)),
            (_, Some((Token::Agent, end))) => *end = at + 1,
            (_, _) => tokens.push((Token::Agent, at + 1)),
        }
    }
    tokens
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
    use session::Uid;

    fn user(text: &str) -> Said {
        Said::User(text.into())
    }

    fn agent(text: &str) -> Said {
        Said::Agent { text: text.into(), calls: Vec::new() }
    }

    fn calling(id: &str) -> Said {
        Said::Agent { text: String::new(), calls: vec![AskedCall { id: id.into(), name: "alert".into(), arguments: "{}".into() }] }
    }

    fn tool(id: &str) -> Said {
        Said::Tool { call: id.into(), outcome: Outcome::Success("{}".into()) }
    }

    fn stored(said: &[Said]) -> Stored {
        let mut stored = Stored::default();
        for (token, _) in tokens(said) {
            stored.push(token);
        }
        stored.last = said.iter().rev().find_map(|said| if let Said::Agent { text, .. } = said { Some(digest(text)) } else { None });
        for id in called(said) {
            stored.calls.insert(id.to_owned(), EventId { session: Uid([1; 16]), seq: Seq(1) });
        }
        stored
    }

    fn new(rule: Rule, messages: &[Said], stored: &Stored) -> Vec<Said> {
        messages[new_in(rule, messages, stored)..].to_vec()
    }

    #[test]
    fn a_posted_history_is_known_and_the_rest_is_new() {
        let said = stored(&[user("a"), calling("c1"), tool("c1"), agent("x")]);
        let whole = [user("a"), agent("x in other words"), user("b")];
        for rule in [Rule::Prefix, Rule::Known] {
            assert_eq!(new(rule, &whole, &said), [user("b")]);
            assert_eq!(new(rule, &whole[..2], &said), []);
        }
    }

    #[test]
    fn what_is_new_alone_is_new_also_where_it_was_said_before() {
        let said = stored(&[user("hi"), agent("hello")]);
        assert_eq!(new(Rule::Prefix, &[user("hi")], &said), [user("hi")]);
        assert_eq!(new(Rule::Prefix, &[user("other")], &said), [user("other")]);
        assert_eq!(new(Rule::Known, &[user("hi"), agent("hello"), user("hi")], &said), [user("hi")]);
    }

    #[test]
    fn a_client_that_keeps_only_the_last_messages_is_understood() {
        let said = stored(&[user("a"), agent("x"), user("b"), agent("y")]);
        assert_eq!(new(Rule::Prefix, &[agent("x"), user("b"), agent("y"), user("c")], &said), [user("c")]);
        assert_eq!(new(Rule::Prefix, &[user("b"), agent("y"), user("c")], &said), [user("c")]);
    }

    #[test]
    fn an_answer_alone_is_known_by_its_words() {
        let said = stored(&[user("a"), agent("x")]);
        assert_eq!(new(Rule::Prefix, &[agent("x"), user("b")], &said), [user("b")]);
        assert_eq!(new(Rule::Prefix, &[agent("welcome"), user("b")], &said), [agent("welcome"), user("b")]);
    }

    #[test]
    fn a_session_whose_beginning_is_hidden_is_found_within_what_is_posted() {
        let whole = [user("a"), agent("x"), user("b"), agent("y"), user("c")];
        let mut said = stored(&whole[2..4]);
        assert_eq!(new(Rule::Prefix, &whole, &said).len(), whole.len());
        said.cut = true;
        for rule in [Rule::Prefix, Rule::Known] {
            assert_eq!(new(rule, &whole, &said), [user("c")]);
        }
    }

    #[test]
    fn a_turn_that_came_to_nothing_is_asked_again() {
        let said = stored(&[user("a"), agent("x"), user("b")]);
        let whole = [user("a"), agent("x"), user("b")];
        assert_eq!(new(Rule::Prefix, &whole, &said), []);
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
        let said = stored(&[calling("c9")]);
        let (past, _) = words(&[calling("c9"), tool("c9"), user("b")], &said, &Answers::default()).unwrap().unwrap();
        assert_eq!(past, []);
    }
}
