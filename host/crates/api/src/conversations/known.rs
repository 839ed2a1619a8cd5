//! Which of the messages that a client posts a session has already. Words of the user are compared as they are, and
//! they alone: what the agent and its tools said between them clients keep in forms of their own, and of a turn that failed
//! or was stopped one side may have something where the other has nothing.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use session::{Entry, EventId, Kind, StoredEvent, TurnNo, Uid};

use super::history::Said;

/// So many words of the user in a row, the session's last ones, are found by chance nowhere else.
const CERTAIN: usize = 8;

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

/// What a session has of something that was said or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace {
    /// Words of the user.
    User(Words),
    /// An answer.
    Answer(Words),
    /// A call, or what came of one.
    Work,
    /// Somebody stopped the turn, or it did not fit the model.
    Stopped,
}

/// What a session has, read from its end back.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// The last first.
    traces: Vec<Trace>,
    /// The turns of which the words of the user, or a summary, are there.
    turns: HashSet<TurnNo>,
    /// The first turn that was seen.
    first: Option<TurnNo>,
    /// Whether there is more before it that was not looked at.
    pub(super) cut: bool,
    /// Whether words of the user were erased in between.
    pub(super) torn: bool,
    /// Calls, by the ids that clients know.
    pub(super) calls: HashMap<String, EventId>,
}

impl Stored {
    /// Takes in what stands before all that was taken in so far; of its calls those that are `wanted`.
    pub(super) fn take_before(&mut self, session: Uid, entries: &[Entry], wanted: impl Fn(&str) -> bool) {
        let mut traces = Vec::with_capacity(entries.len());
        for entry in entries {
            let Ok(event) = serde_json::from_str::<StoredEvent<'_>>(&entry.body) else { continue };
            match entry.kind {
                Kind::InputMessage => traces.extend(event.messages.iter().map(|message| Trace::User(digest(&message.content)))),
                Kind::AgentOutput | Kind::StructuredOutput => traces.push(Trace::Answer(digest(&event.text()))),
                Kind::ToolInput | Kind::ToolOutput => traces.push(Trace::Work),
                Kind::SessionInterrupted | Kind::ContextLimitExceeded => traces.push(Trace::Stopped),
                // Reasoning comes with an answer or not, and no client repeats a summary. The rest is in no list.
                Kind::Thinking | Kind::Compaction | Kind::ClientToolPending | Kind::Tombstone => {}
                Kind::Began | Kind::Reply | Kind::Receipt | Kind::Ended | Kind::Corrected | Kind::Overflowed | Kind::Steered => {}
                Kind::Waiting | Kind::Paused | Kind::Resumed | Kind::Resolved => {}
            }
            if matches!(entry.kind, Kind::InputMessage | Kind::Compaction) {
                self.turns.insert(entry.turn);
            }
            if entry.kind == Kind::ToolInput
                && let Some(id) = event.tool_call_id.filter(|id| wanted(id))
            {
                self.calls.entry(id).or_insert(EventId { session, seq: entry.seq });
            }
        }
        self.first = entries.first().map(|entry| entry.turn).or(self.first);
        self.traces.extend(traces.into_iter().rev());
    }

    /// Nothing more is taken in: `last` is the session's last turn, `cut` whether there is more before what was.
    pub(super) fn read(&mut self, last: TurnNo, cut: bool) {
        self.cut = cut;
        // Where the first turn that was seen begins is not known.
        let from = if cut { self.first.map_or(last.0, |turn| turn.0) + 1 } else { 1 };
        self.torn = (from..=last.0).any(|turn| !self.turns.contains(&TurnNo(turn)));
    }

    /// The words of the user, the last first.
    fn users(&self) -> impl DoubleEndedIterator<Item = Words> {
        self.traces.iter().filter_map(|trace| if let Trace::User(words) = trace { Some(*words) } else { None })
    }

    /// What came after the last words of the user, the last first.
    fn since(&self) -> impl Iterator<Item = &Trace> {
        self.traces.iter().take_while(|trace| !matches!(trace, Trace::User(_)))
    }

    /// Whether the last words of the user were answered, so that a client has the answer too.
    fn answered(&self) -> bool {
        matches!(self.since().next(), Some(Trace::Answer(_)))
    }

    /// Whether anything of the agent is there since the last words of the user.
    fn spoke(&self) -> bool {
        self.since().any(|trace| matches!(trace, Trace::Answer(_) | Trace::Work))
    }

    /// Whether this is what the agent answered last.
    fn answered_last(&self, text: &str) -> bool {
        let last = self.traces.iter().find_map(|trace| if let Trace::Answer(words) = trace { Some(*words) } else { None });
        last == Some(digest(text))
    }
}

/// What was posted, for comparing.
pub(super) struct Posted<'a> {
    messages: &'a [Said],
    /// The words of the user.
    users: Vec<Words>,
    /// The place behind each.
    behind: Vec<usize>,
}

impl<'a> Posted<'a> {
    /// These messages.
    pub(super) fn new(messages: &'a [Said]) -> Self {
        let said = messages.iter().enumerate();
        let users = said.filter_map(|(at, message)| if let Said::User(text) = message { Some((digest(text), at + 1)) } else { None });
        let (users, behind) = users.unzip();
        Self { messages, users, behind }
    }

    /// From which message on they are new.
    pub(super) fn new_in(&self, rule: Rule, stored: &Stored) -> usize {
        let known = self.settled(stored).unwrap_or_else(|| match rule {
            Rule::Prefix => self.by_prefix(stored),
            Rule::Known if stored.cut => self.at_the_end(stored),
            Rule::Known => self.in_order(stored),
        });
        let from = match known {
            0 => self.begins_with_the_last_answer(stored).into(),
            known => self.after_answers(known, stored),
        };
        // What a session has not, although it was said there, must not come back: only what is asked now is new.
        if stored.torn || (stored.cut && known == 0) { from.max(self.asked()) } else { from }
    }

    /// The same where more of the session would change nothing.
    pub(super) fn surely_new_in(&self, stored: &Stored) -> Option<usize> {
        self.settled(stored).map(|known| self.after_answers(known, stored))
    }

    /// How many words are known where that is beyond doubt: the last of the session stand in one place.
    fn settled(&self, stored: &Stored) -> Option<usize> {
        let last = stored.users().take(CERTAIN).collect::<Vec<_>>();
        let mut places = self.places(&last);
        let place = places.next().filter(|_| last.len() == CERTAIN)?;
        places.next().is_none().then_some(place)
    }

    /// Where the last words of the session end, from the last such place on.
    fn places(&self, last: &[Words]) -> impl Iterator<Item = usize> {
        let length = last.len().max(1);
        let fits = move |at: &usize| !last.is_empty() && self.users[*at..*at + length].iter().eq(last.iter().rev());
        (0..(self.users.len() + 1).saturating_sub(length)).rev().filter(fits).map(move |at| at + length)
    }

    /// How many words are known of a session whose beginning is out of sight.
    fn at_the_end(&self, stored: &Stored) -> usize {
        self.places(&stored.users().take(CERTAIN).collect::<Vec<_>>()).next().unwrap_or(0)
    }

    /// How many words are known to a client that posts what is new, or all of it, or the last part of it.
    fn by_prefix(&self, stored: &Stored) -> usize {
        let speaks = self.messages.iter().any(|message| !matches!(message, Said::User(_)));
        // The same words as the last, alone, may be said once more.
        let overlap = match self.overlap(stored) {
            1 if !speaks && stored.answered() => 0,
            overlap => overlap,
        };
        let from_the_beginning = speaks && stored.users().next_back().is_some_and(|first| self.users.first() == Some(&first));
        let rest = match stored.cut {
            true => self.at_the_end(stored),
            false if stored.torn || from_the_beginning => self.in_order(stored),
            false => 0,
        };
        overlap.max(rest)
    }

    /// How many words, from the first on, are the last of the session; the most. Takes as many steps as there are words,
    /// as Knuth, Morris and Pratt search.
    fn overlap(&self, stored: &Stored) -> usize {
        let users = &self.users;
        if users.is_empty() {
            return 0;
        }
        let mut shorter = vec![0; users.len()];
        let next = |shorter: &[usize], mut length: usize, words: &Words| {
            while length > 0 && (length == users.len() || users[length] != *words) {
                length = shorter[length - 1];
            }
            length + usize::from(users[length] == *words)
        };
        for at in 1..users.len() {
            shorter[at] = next(&shorter, shorter[at - 1], &users[at]);
        }
        stored.users().rev().fold(0, |length, words| next(&shorter, length, &words))
    }

    /// How many words there are up to the last that were said in this order.
    fn in_order(&self, stored: &Stored) -> usize {
        let mut places: HashMap<Words, Vec<usize>> = HashMap::new();
        for (at, words) in stored.users().rev().enumerate() {
            places.entry(words).or_default().push(at);
        }
        let (mut seen, mut known) = (0, 0);
        for (at, words) in self.users.iter().enumerate() {
            let places = places.get(words).map_or(&[][..], Vec::as_slice);
            if let Some(place) = places.get(places.partition_point(|place| *place < seen)) {
                (seen, known) = (place + 1, at + 1);
            }
        }
        known
    }

    /// Behind what the agent said to so many words. What a client has of an answer that the session has nothing of, as
    /// of a turn that was stopped, is as new as what follows.
    fn after_answers(&self, known: usize, stored: &Stored) -> usize {
        let last = stored.users().next().is_some_and(|last| last == self.users[known - 1]);
        let lost = last && !stored.spoke();
        let said = |message: &&Said| match message {
            Said::User(_) => false,
            Said::Agent { text, calls } => !(lost && calls.is_empty() && !text.is_empty()),
            Said::System(_) | Said::Tool { .. } => true,
        };
        let behind = self.behind[known - 1];
        behind + self.messages[behind..].iter().take_while(said).count()
    }

    /// Whether it begins with the last answer, alone: a greeting that the client made up looks the same otherwise.
    fn begins_with_the_last_answer(&self, stored: &Stored) -> bool {
        let before = &self.messages[..self.behind.first().map_or(self.messages.len(), |behind| behind - 1)];
        matches!(before, [Said::Agent { text, .. }] if stored.answered_last(text))
    }

    /// Where the words begin that nothing follows.
    fn asked(&self) -> usize {
        self.messages.len() - self.messages.iter().rev().take_while(|message| matches!(message, Said::User(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversations::said::{agent, calling, tool, user};

    /// A session that has this.
    fn stored(said: &[Said]) -> Stored {
        let trace = |said: &Said| match said {
            Said::User(text) => Trace::User(digest(text)),
            Said::Agent { text, calls } if calls.is_empty() => Trace::Answer(digest(text)),
            Said::Agent { .. } | Said::Tool { .. } => Trace::Work,
            Said::System(_) => Trace::Stopped,
        };
        Stored { traces: said.iter().rev().map(trace).collect(), ..Stored::default() }
    }

    fn new(rule: Rule, messages: &[Said], stored: &Stored) -> Vec<Said> {
        messages[Posted::new(messages).new_in(rule, stored)..].to_vec()
    }

    const BOTH: [Rule; 2] = [Rule::Prefix, Rule::Known];

    #[test]
    fn a_posted_history_is_known_and_the_rest_is_new() {
        let said = stored(&[user("a"), calling("c1"), tool("c1"), agent("x")]);
        let whole = [user("a"), agent("x in other words"), user("b")];
        for rule in BOTH {
            assert_eq!(new(rule, &whole, &said), [user("b")]);
            assert_eq!(new(rule, &whole[..2], &said), []);
        }
    }

    #[test]
    fn a_history_is_known_whatever_became_of_its_last_turn() {
        let before = [user("a"), agent("x"), user("b")];
        let posted = [user("a"), agent("x"), user("b"), user("c")];
        let stopped = Said::System(String::new());
        let failed = vec![calling("c1"), tool("c1")];
        let limited = vec![agent("let me see"), calling("c1"), tool("c1")];
        for rest in [vec![], vec![calling("c1")], failed, limited, vec![stopped.clone()], vec![calling("c1"), stopped]] {
            let said = stored(&[&before[..], &rest].concat());
            for rule in BOTH {
                assert_eq!(new(rule, &posted, &said), [user("c")], "{rest:?}");
            }
            let went_on = stored(&[&before[..], &rest, &[user("c"), agent("z")]].concat());
            let more = [&posted[..], &[agent("z"), user("d")]].concat();
            for rule in BOTH {
                assert_eq!(new(rule, &more, &went_on), [user("d")], "{rest:?}");
            }
        }
    }

    #[test]
    fn the_first_turn_is_known_also_where_it_failed() {
        let said = stored(&[user("a"), calling("c1"), tool("c1")]);
        assert_eq!(new(Rule::Prefix, &[user("a"), user("b")], &said), [user("b")]);
        // Where it was answered, a client that posts no answers posts what is new.
        let said = stored(&[user("a"), agent("x")]);
        assert_eq!(new(Rule::Prefix, &[user("a"), user("b")], &said).len(), 2);
    }

    #[test]
    fn what_a_client_has_of_an_answer_that_was_stopped_is_new_where_the_session_has_nothing_of_it() {
        let posted = [user("a"), agent("It is"), user("go on")];
        for rule in BOTH {
            assert_eq!(new(rule, &posted, &stored(&[user("a")])), posted[1..]);
            assert_eq!(new(rule, &posted, &stored(&[user("a"), agent("It i")])), posted[2..]);
            let calls = [user("a"), calling("c1"), user("go on")];
            assert_eq!(new(rule, &calls, &stored(&[user("a")])), calls[2..]);
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
    fn a_client_that_posts_all_is_understood_where_others_said_something_in_between() {
        let said = stored(&[user("a"), agent("x"), user("b"), agent("y"), user("c"), agent("z")]);
        for rule in BOTH {
            assert_eq!(new(rule, &[user("a"), agent("x"), user("d")], &said), [user("d")]);
            assert_eq!(new(rule, &[user("a"), agent("x"), user("c"), agent("z"), user("d")], &said), [user("d")]);
        }
    }

    #[test]
    fn an_answer_alone_is_known_by_its_words() {
        let said = stored(&[user("a"), agent("x")]);
        assert_eq!(new(Rule::Prefix, &[agent("x"), user("b")], &said), [user("b")]);
        assert_eq!(new(Rule::Prefix, &[agent("welcome"), user("b")], &said), [agent("welcome"), user("b")]);
    }

    #[test]
    fn of_a_session_whose_beginning_is_out_of_sight_the_end_is_found_in_what_is_posted() {
        let whole = [user("a"), agent("x"), user("b"), agent("y"), user("c")];
        let mut said = stored(&whole[2..4]);
        assert_eq!(new(Rule::Prefix, &whole, &said).len(), whole.len());
        for rule in BOTH {
            said.cut = true;
            assert_eq!(new(rule, &whole, &said), [user("c")]);
            let nothing = Stored { cut: true, ..Stored::default() };
            assert_eq!(new(rule, &whole, &nothing), [user("c")]);
        }
    }

    #[test]
    fn what_was_erased_does_not_come_back() {
        let whole = [user("a"), agent("x"), user("b"), agent("y"), user("c")];
        for left in [&[][..], &whole[..2], &whole[2..4], &whole[1..2]] {
            for rule in BOTH {
                assert_eq!(new(rule, &whole, &Stored { torn: true, ..stored(left) }), [user("c")], "{left:?}");
            }
        }
    }

    #[test]
    fn no_more_is_read_than_it_takes_to_be_sure() {
        let turn = |at: usize| [user(&format!("question {at}")), agent("x")];
        let whole: Vec<Said> = (0..100).flat_map(turn).collect();
        let posted = [&whole[..], &[user("new")]].concat();
        let sure = |from: usize| Posted::new(&posted).surely_new_in(&stored(&whole[from..]));
        assert_eq!((sure(2 * (100 - CERTAIN)), sure(2 * (101 - CERTAIN))), (Some(200), None));
        let same: Vec<Said> = (0..100).flat_map(|_| [user("go on"), agent("x")]).collect();
        assert_eq!(Posted::new(&same).surely_new_in(&stored(&same)), None);
        assert_eq!(Posted::new(&same).new_in(Rule::Prefix, &stored(&same)), same.len());
    }

    #[test]
    fn the_same_words_over_and_over_are_counted() {
        let same: Vec<Said> = (0..4_000).map(|_| user("go on")).collect();
        let other: Vec<Said> = same.iter().cloned().chain([user("stop")]).collect();
        for rule in BOTH {
            assert_eq!(new(rule, &other, &stored(&same)), [user("stop")]);
        }
        assert_eq!(new(Rule::Known, &same, &stored(&other)), []);
    }
}
