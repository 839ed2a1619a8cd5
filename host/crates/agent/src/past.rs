//! What a client says was said before, elsewhere: read into turns, and written as the turns that they would have been.
//! Nothing of it was asked, called or decided here, and its entries say so: no tool, no digest, no word in the audit log.

use std::collections::{BTreeMap, HashMap, HashSet};

use session::{
    AskedCall, Began, CallIds, CallName, Ended, Event, HowEnded, Kind, Message, Millis, Origin, Purpose, Receipt, ReplyMark, Seq, TurnNo,
    Uid,
};
use tool::{End, Evidence};

use crate::brought::{self, Past};
use crate::call;
use crate::client_calls::{self, Outcome};
use crate::draft::{Line, Passage};
use crate::error::Error;
use crate::repeats::Asked;
use crate::task::{Draft, Task};

/// Items of the past that one input may bring. Their bytes are bounded by its body; this bounds the entries that one batch gets.
pub const PAST_ITEMS: usize = 1_000;

/// Bytes of the id of a call. Providers' ids have some tens; they come back with each question to a model.
const ID: usize = 256;

/// A past in turns.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// Turns that are over.
    before: Vec<Told>,
    /// How the turn began that is to go on now, where the input itself says nothing.
    own: Option<Told>,
}

/// One turn, as it is told.
#[derive(Debug, Default)]
struct Told {
    said: Option<String>,
    replies: Vec<Replied>,
}

#[derive(Debug)]
struct Replied {
    text: String,
    calls: Vec<(AskedCall, Option<Outcome>)>,
}

impl Story {
    /// Reads a past, all of it or nothing. `goes_on` where what follows the user's last message is not over.
    pub(crate) fn read(past: Vec<Past>, goes_on: bool) -> Result<Self, Error> {
        if past.len() > PAST_ITEMS {
            return Err(wrong(PAST_ITEMS, format!("at most {PAST_ITEMS} items are taken; leave out the oldest")));
        }
        let last = past.len().saturating_sub(1);
        if goes_on && matches!(past.last(), Some(Past::Agent { .. })) {
            return Err(wrong(last, "it is the agent's, and nothing after it is to be answered".into()));
        }
        let mut reader = Reader::default();
        for (at, item) in past.into_iter().enumerate() {
            reader.take(item).map_err(|why| wrong(at, why))?;
        }
        let mut before = reader.turns;
        let own = if goes_on { before.pop() } else { None };
        Ok(Self { before, own })
    }
}

fn wrong(at: usize, why: String) -> Error {
    Error::WrongPast { at, why }
}

/// A past, read up to somewhere.
#[derive(Default)]
struct Reader {
    turns: Vec<Told>,
    /// Where the last call of each id stands: turn, reply, call.
    calls: HashMap<String, (usize, usize, usize)>,
}

impl Reader {
    fn take(&mut self, item: Past) -> Result<(), String> {
        match item {
            Past::User(text) if text.is_empty() => Err("the message of the user is empty".into()),
            Past::User(text) => {
                self.turns.push(Told { said: Some(plain(text)?), replies: Vec::new() });
                Ok(())
            }
            Past::Agent { text, calls } => self.reply(plain(text)?, calls),
            Past::Output { call, outcome } => self.output(&call, outcome),
        }
    }

    fn reply(&mut self, text: String, asked: Vec<AskedCall>) -> Result<(), String> {
        if self.turns.is_empty() {
            self.turns.push(Told::default());
        }
        let turn = self.turns.len() - 1;
        let reply = self.turns[turn].replies.len();
        let mut ids = HashSet::new();
        for (at, call) in asked.iter().enumerate() {
            let AskedCall { id, name, .. } = call;
            if id.is_empty() || id.len() > ID || id.contains('\0') {
                return Err(format!("the id of a call is 1 to {ID} bytes, and none of them is NUL"));
            }
            if !brought::is_name(name) {
                return Err(format!("the call `{}` names no tool: a name is 1 to 64 of a-z, A-Z, 0-9, _ and -", id.escape_debug()));
            }
            if !ids.insert(id) {
                return Err(format!("two of its calls have the id `{}`", id.escape_debug()));
            }
            self.calls.insert(id.to_string(), (turn, reply, at));
        }
        let calls = asked.into_iter().map(|call| (call, None)).collect();
        self.turns[turn].replies.push(Replied { text, calls });
        Ok(())
    }

    fn output(&mut self, id: &str, outcome: Outcome) -> Result<(), String> {
        let Some(&(turn, reply, call)) = self.calls.get(id) else {
            return Err(format!("it is the result of the call `{}`, which is not before it", id.escape_debug()));
        };
        let place = &mut self.turns[turn].replies[reply].calls[call].1;
        if place.is_some() {
            return Err(format!("the call `{}` has a result already", id.escape_debug()));
        }
        check(&outcome)?;
        *place = Some(outcome);
        Ok(())
    }
}

fn plain(text: String) -> Result<String, String> {
    if text.contains('\0') { Err("it holds the character \\u0000, which is not allowed".into()) } else { Ok(text) }
}

/// Whether an outcome is JSON of the form that it promises.
fn check(outcome: &Outcome) -> Result<(), String> {
    let (json, begins): (_, &[char]) = match outcome {
        Outcome::Success(json) => (json, &['{']),
        Outcome::Failure(json) => (json, &['{', '"']),
    };
    if session::json::has_nul(json) {
        return Err("the result holds the character \\u0000, which is not allowed".into());
    }
    let read: Result<serde_json::Value, _> = serde_json::from_str(json);
    read.map_err(|error| format!("the result is not valid JSON: {error}"))?;
    if json.trim_start().starts_with(begins) { Ok(()) } else { Err("the result is not a JSON object".into()) }
}

/// The past as it will stand in the session, before the entries with which the turn begins that asks now.
pub(crate) fn passages(task: &mut Task, asked: &Asked, story: Story) -> Vec<Passage> {
    let numbers: Vec<TurnNo> = story.before.iter().map(|_| task.next_turn()).collect();
    let own = TurnNo(task.head().turn.0 + 1);
    let mut writer = Writer {
        session: task.session.uid,
        asked,
        now: task.now(),
        next: task.state.last.next(),
        ids: CallIds::new(&task.state.transcript),
        passages: Vec::new(),
    };
    for (turn, told) in numbers.into_iter().zip(story.before) {
        writer.turn(turn, told);
    }
    if let Some(told) = story.own {
        writer.beginning(own, told);
    }
    writer.passages
}

/// Writes turns, one after the other.
struct Writer<'a> {
    session: Uid,
    asked: &'a Asked,
    now: Millis,
    /// The next position.
    next: Seq,
    ids: CallIds<'a>,
    passages: Vec<Passage>,
}

impl Writer<'_> {
    /// A turn that is over.
    fn turn(&mut self, turn: TurnNo, told: Told) {
        let (mut first, mut last) = (Draft::default(), Draft::default());
        // Whoever said something else before there was an answer did not get one.
        let answered = told.replies.last().is_some_and(|reply| reply.calls.is_empty());
        let how = if answered { HowEnded::Answered } else { HowEnded::Superseded };
        said(&mut first, told.said);
        first.mark(Kind::Began, &self.began());
        self.put(Passage { turn, step: 0, lines: first.lines, shown: false });
        let mut step = 0;
        for reply in told.replies {
            step += 1;
            self.reply(turn, step, reply);
        }
        last.mark(Kind::Ended, &Ended { how, began_at: self.now });
        self.put(Passage { turn, step, lines: last.lines, shown: false });
    }

    /// The beginning of a turn that goes on. It stands before the mark that the turn began: what the turn does itself
    /// is counted from there, and what it answers too.
    fn beginning(&mut self, turn: TurnNo, told: Told) {
        let mut first = Draft::default();
        said(&mut first, told.said);
        self.put(Passage { turn, step: 0, lines: first.lines, shown: true });
        for (step, reply) in (1..).zip(told.replies) {
            self.reply(turn, step, reply);
        }
    }

    fn began(&self) -> Began {
        Began {
            // No agent and no model of ours answered.
            agent_revision: 0,
            model: String::new(),
            tools: BTreeMap::new(),
            key: self.asked.key,
            subject: self.asked.subject.clone(),
            // No input of ours: nothing repeats it.
            input_hash: String::new(),
            system_hash: String::new(),
            purpose: Purpose::Answer,
            compaction: None,
            window: 0,
            declared: Vec::new(),
            instructions: None,
        }
    }

    fn reply(&mut self, turn: TurnNo, step: u32, reply: Replied) {
        let mut draft = Draft::default();
        let first = self.next;
        if !reply.text.is_empty() || reply.calls.is_empty() {
            draft.event(Event::AgentOutput { content: reply.text });
        }
        let mut asked = Vec::with_capacity(reply.calls.len());
        self.ids.next_reply();
        for (call, outcome) in reply.calls {
            let seq = Seq(first.0 + draft.lines.len() as u64);
            let name = CallName { id: self.ids.unique(&call.id), configuration: call.name.clone(), tool: call.name };
            let input = if call::object(&call.arguments).is_ok() { call.arguments } else { "{}".into() };
            draft.event(Event::ToolInput { call: name.clone(), input: input.clone(), overrides: Vec::new() });
            asked.push((call::Ended { id: call::id(self.session, seq), bound: None, name, input, overrides: None }, outcome));
        }
        let last = Seq(first.0 + draft.lines.len() as u64 - 1);
        draft.mark(Kind::Reply, &ReplyMark { origin: Origin::brought(), raw: None, first, last, usage: None });
        for (call, outcome) in asked {
            draft.event(brought(match outcome {
                Some(outcome) => client_calls::answered(call, &outcome),
                None => call.without_answer(&End::Cancelled, Evidence::default()),
            }));
        }
        self.put(Passage { turn, step, lines: draft.lines, shown: false });
    }

    fn put(&mut self, passage: Passage) {
        self.next = Seq(self.next.0 + passage.lines.iter().map(Line::entries).sum::<u64>());
        if !passage.lines.is_empty() {
            self.passages.push(passage);
        }
    }
}

fn said(draft: &mut Draft, text: Option<String>) {
    let messages = text.map(|content| vec![Message { content }]);
    draft.lines.extend(messages.map(|messages| Line::Event(Event::InputMessage { messages })));
}

/// An output with a receipt that says whose word it is: nothing ran here.
fn brought(mut output: Event) -> Event {
    if let Event::ToolOutput { receipt, .. } = &mut output {
        receipt.end = Receipt::BROUGHT.to_owned();
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(calls: &[&str]) -> Past {
        let call = |id: &&str| AskedCall { id: (*id).into(), name: "t".into(), arguments: String::new() };
        Past::Agent { text: String::new(), calls: calls.iter().map(call).collect() }
    }

    fn result(call: &str, json: &str) -> Past {
        Past::Output { call: call.into(), outcome: Outcome::Success(json.into()) }
    }

    fn user(text: &str) -> Past {
        Past::User(text.into())
    }

    #[test]
    fn a_result_that_comes_late_stands_with_its_call() {
        let past = vec![user("1"), agent(&["a"]), user("2"), agent(&["a"]), result("a", "{}"), user("3")];
        let story = Story::read(past, true).unwrap();
        let open = |told: &Told| told.replies[0].calls[0].1.is_none();
        assert!(open(&story.before[0]) && !open(&story.before[1]), "of two calls with one id the later one is meant");
        assert_eq!(story.own.unwrap().said.as_deref(), Some("3"));
        let late = Story::read(vec![user("1"), agent(&["a", "b"]), user("2"), result("a", "{}")], true).unwrap();
        assert!(!open(&late.before[0]));
    }

    #[test]
    fn a_past_that_cannot_have_been_is_refused_by_the_item() {
        let named = |name: &str| AskedCall { id: "a".into(), name: name.into(), arguments: String::new() };
        let failed = Past::Output { call: "a".into(), outcome: Outcome::Failure("7".into()) };
        let cases = [
            (vec![user("")], 0, "empty"),
            (vec![user("a\0")], 0, "u0000"),
            (vec![user("1"), result("a", "{}")], 1, "not before it"),
            (vec![agent(&["a"]), result("a", "{}"), result("a", "{}")], 2, "already"),
            (vec![agent(&["a"]), result("a", "[]")], 1, "not a JSON object"),
            (vec![agent(&["a"]), result("a", "{")], 1, "not valid JSON"),
            (vec![agent(&["a"]), result("a", r#"{"x":"\u0000"}"#)], 1, "u0000"),
            (vec![agent(&["a"]), result("a", r#"{"x":-1e999}"#)], 1, "out of range"),
            (vec![agent(&["a"]), failed], 1, "not a JSON object"),
            (vec![agent(&["a", "a"])], 0, "two of its calls"),
            (vec![agent(&[""])], 0, "1 to 256"),
            (vec![Past::Agent { text: String::new(), calls: vec![named("a b")] }], 0, "names no tool"),
            (vec![user("1"); PAST_ITEMS + 1], PAST_ITEMS, "at most 1000"),
        ];
        for (past, item, word) in cases {
            let Err(Error::WrongPast { at, why }) = Story::read(past, false) else { panic!("{word}") };
            assert!(at == item && why.contains(word), "{at}: {why}");
        }
        assert!(Story::read(vec![user("1"), agent(&[])], true).is_err(), "nothing is left to be answered");
    }
}
