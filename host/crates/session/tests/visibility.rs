//! Random sessions, changed at random: what lists show, what the model is shown, and that a
//! woken session and a copy of it are shown the same.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proptest::prelude::*;
use session::fork::Summary;
use session::hidden::{self, Look};
use session::{
    Audience, Began, CallName, Compaction, Corrected, Ended, Entry, Event, EventId, Fork, Head, HowEnded, ItemBody, Kind, Message, Millis,
    Origin, Purpose, ReplyMark, Seq, State, TurnNo, Uid, compaction,
};

const SESSION: Uid = Uid([1; 16]);

/// What happens to a session.
#[derive(Debug, Clone)]
enum Deed {
    /// A turn with these steps; the last one answers. So many of them were brought by the client: they stand before the
    /// mark that the turn began.
    Turn(Vec<StepShape>, usize),
    Hide(usize),
    Unhide(usize),
    Delete(usize),
    /// A summary that leaves so many inputs.
    Compact(u32),
    /// A summary up to a listed entry.
    CompactTo(usize),
}

#[derive(Debug, Clone)]
struct StepShape {
    thinks: bool,
    calls: usize,
    corrected: bool,
}

/// A session as a plain list of entries, with the head beside it and the state that lives along.
#[derive(Default)]
struct Plain {
    entries: Vec<Entry>,
    hidden: BTreeSet<Seq>,
    head: Head,
    live: State,
}

impl Look for Plain {
    type Error = Infallible;

    fn visible_from(&self, from: Seq) -> Result<Option<Seq>, Infallible> {
        Ok(self.listed().find(|seq| *seq >= from && !hidden::covers(&self.head.hidden, *seq)))
    }

    fn listed_in(&self, from: Seq, to: Seq) -> Result<u64, Infallible> {
        Ok(self.listed().filter(|seq| (from..=to).contains(seq)).count() as u64)
    }
}

impl Plain {
    fn new() -> Self {
        Self { head: Head { fold_from: Seq(1), ..Head::default() }, ..Self::default() }
    }

    fn listed(&self) -> impl Iterator<Item = Seq> {
        self.entries.iter().filter(|entry| entry.audience() == Audience::Listed).map(|entry| entry.seq)
    }

    fn next(&self) -> Seq {
        self.head.last.next()
    }

    fn push(&mut self, step: u32, kind: Kind, body: String) {
        let turn = self.head.turn;
        let entry = Entry { seq: self.next(), at: Millis(1), turn, step, kind, body: body.into() };
        self.head.last = entry.seq;
        self.live.apply(&entry).expect("an entry of ours");
        self.entries.push(entry);
    }

    fn event(&mut self, step: u32, event: &Event) {
        let id = EventId { session: SESSION, seq: self.next() };
        let body = event.render(id, "ase_plain", Millis(1)).to_string();
        self.push(step, event.kind(), body);
    }

    fn mark(&mut self, step: u32, kind: Kind, mark: &impl serde::Serialize) {
        self.push(step, kind, serde_json::to_string(mark).expect("a mark"));
    }

    fn say(&mut self, says: &str) {
        self.head.turn = TurnNo(self.head.turn.0 + 1);
        self.event(0, &Event::InputMessage { messages: vec![Message { content: says.into() }] });
    }

    fn begin(&mut self) {
        let began = Began {
            agent_revision: 1,
            model: "m".into(),
            tools: BTreeMap::new(),
            key: Uid([2; 16]),
            subject: None,
            input_hash: String::new(),
            system_hash: String::new(),
            purpose: Purpose::Answer,
            compaction: None,
            window: 0,
            declared: Vec::new(),
            instructions: None,
        };
        self.mark(0, Kind::Began, &began);
    }

    fn end(&mut self, step: u32) {
        self.mark(step, Kind::Ended, &Ended { how: HowEnded::Answered, began_at: Millis(1) });
    }

    fn turn(&mut self, steps: &[StepShape], brought: usize) {
        self.say(&format!("question {}", self.head.turn.0 + 1));
        let (brought, own) = steps.split_at(brought.min(steps.len()));
        for (step, shape) in (1..).zip(brought) {
            self.step(step, shape);
        }
        self.begin();
        for (step, shape) in (1..).zip(own) {
            self.step(step, shape);
        }
        self.step(99, &StepShape { thinks: false, calls: 0, corrected: false });
        self.end(99);
    }

    fn step(&mut self, step: u32, shape: &StepShape) {
        let first = self.next();
        // Providers number the calls of each reply anew.
        let name = |call: usize| CallName { id: format!("call_{call}").into(), configuration: "c".into(), tool: "t".into() };
        if shape.thinks {
            self.event(step, &Event::Thinking { content: format!("thought {first:?}") });
        }
        if shape.corrected {
            self.mark(step, Kind::Corrected, &Corrected { text: "bad form".into(), fault: "say it better".into() });
        } else if shape.calls == 0 {
            self.event(step, &Event::AgentOutput { content: format!("answer {first:?}") });
        }
        let calls = if shape.corrected { 0 } else { shape.calls };
        for call in 0..calls {
            self.event(step, &Event::ToolInput { call: name(call), input: format!("{{\"n\":{call}}}"), overrides: Vec::new() });
        }
        let origin = Origin { wire: "w".into(), provider: "p".into(), model: "m".into(), format: 1 };
        let raw = serde_json::value::to_raw_value(&format!("raw of {first:?}")).expect("JSON");
        let last = self.head.last.max(first);
        self.mark(step, Kind::Reply, &ReplyMark { origin, raw: Some(raw), first, last, usage: None });
        for call in (0..calls).rev() {
            let output = format!("{{\"of\":{call}}}");
            self.event(step, &Event::ToolOutput { call: name(call), output, error: false, overrides: None, receipt: Box::default() });
        }
    }

    /// What the journal's readers would fold now.
    fn folded(&self) -> State {
        let mut state = State::hiding(self.head.hidden.clone());
        for entry in self.entries.iter().filter(|entry| entry.seq >= self.head.fold_from) {
            state.apply(entry).expect("an entry of ours");
        }
        state
    }

    fn chosen(&self, which: usize, keep: impl Fn(Seq) -> bool) -> Option<Seq> {
        let some: Vec<Seq> = self.listed().filter(|seq| keep(*seq)).collect();
        (!some.is_empty()).then(|| some[which % some.len()])
    }

    fn compact(&mut self, up_to: Seq) {
        let mut runs = self.head.hidden.clone();
        let Ok(()) = hidden::hide_up_to(&mut runs, up_to, self);
        self.hidden.extend(self.entries.iter().map(|entry| entry.seq).filter(|seq| *seq <= up_to));
        (self.head.hidden, self.head.fold_from) = (runs, up_to.next());
        self.head.turn = TurnNo(self.head.turn.0 + 1);
        self.begin();
        let id = EventId { session: SESSION, seq: up_to };
        let text = format!("the summary up to {up_to:?}");
        self.event(0, &Event::Compaction { turns: 1, events: 1, key: "sum_1".into(), text, up_to: Some(id) });
        self.end(0);
    }

    fn delete(&mut self, seq: Seq) {
        let (turn, step) = (self.at(seq).turn, self.at(seq).step);
        for entry in self.entries.iter_mut().filter(|entry| entry.turn == turn && entry.step == step) {
            if entry.kind == Kind::Reply {
                let mut mark: ReplyMark = serde_json::from_str(&entry.body).expect("a mark");
                mark.raw = None;
                entry.body = serde_json::to_string(&mark).expect("a mark").into();
            }
        }
        let at = usize::try_from(seq.0 - 1).expect("a small number");
        (self.entries[at].kind, self.entries[at].body) = (Kind::Tombstone, "{}".into());
        self.hidden.remove(&seq);
        hidden::erased(&mut self.head.hidden, seq);
    }

    fn at(&self, seq: Seq) -> &Entry {
        &self.entries[usize::try_from(seq.0 - 1).expect("a small number")]
    }

    fn take(&mut self, deed: &Deed) {
        match deed {
            Deed::Turn(steps, brought) => return self.turn(steps, *brought),
            Deed::Hide(which) => {
                if let Some(seq) = self.chosen(*which, |seq| !self.hidden.contains(&seq) && self.live.summary != Some(seq)) {
                    let mut runs = self.head.hidden.clone();
                    let Ok(()) = hidden::hide(&mut runs, seq, self);
                    self.head.hidden = runs;
                    self.hidden.insert(seq);
                }
            }
            Deed::Unhide(which) => {
                if let Some(seq) = self.chosen(*which, |seq| self.hidden.contains(&seq)) {
                    let mut runs = self.head.hidden.clone();
                    let Ok(()) = hidden::unhide(&mut runs, seq, self);
                    self.head.hidden = runs;
                    self.hidden.remove(&seq);
                }
            }
            Deed::Delete(which) => {
                if let Some(seq) = self.chosen(*which, |seq| self.live.summary != Some(seq)) {
                    self.delete(seq);
                }
            }
            Deed::Compact(keep) => {
                let setting = Compaction { keep_recent_inputs: *keep, ..Compaction::default() };
                if let Some(up_to) = compaction::asked(&self.live, &setting, None) {
                    self.compact(up_to);
                }
                return;
            }
            Deed::CompactTo(which) => {
                let named = self.chosen(*which, |_| true).map(|seq| self.end_of_step(seq));
                if let Some(up_to) = named.and_then(|seq| compaction::asked(&self.live, &Compaction::default(), Some(seq))) {
                    self.compact(up_to);
                }
                return;
            }
        }
        self.live = self.folded();
    }

    fn end_of_step(&self, seq: Seq) -> Seq {
        let (turn, step) = (self.at(seq).turn, self.at(seq).step);
        let same = self.entries.iter().filter(|entry| entry.seq >= seq && step > 0 && entry.turn == turn && entry.step == step);
        same.map(|entry| entry.seq).max().unwrap_or(seq)
    }

    /// A copy of all of it.
    fn forked(&self) -> State {
        let mut fork = Fork::new(Uid([9; 16]), "ase_fork");
        let mut copied = Vec::new();
        for entry in &self.entries {
            if entry.seq == self.head.fold_from {
                fork.folds_here();
            }
            if self.live.summary == Some(entry.seq) {
                copied.push(fork.summary(entry.turn, entry.at, &Summary::of(entry).expect("a summary")));
            } else {
                copied.extend(fork.copy(entry, self.hidden.contains(&entry.seq)).expect("an entry of ours"));
            }
        }
        assert_eq!(fork.close(), Vec::new(), "every turn has ended");
        let mut state = State::hiding(Vec::new());
        for entry in copied.iter().filter(|entry| entry.seq >= fork.head().fold_from) {
            state.apply(entry).expect("an entry of ours");
        }
        assert!(state.turn.is_none());
        state
    }

    fn check(&self) {
        // Lists.
        let runs = &self.head.hidden;
        let hidden_listed = self.listed().filter(|seq| self.hidden.contains(seq)).count() as u64;
        assert_eq!(hidden::listed(runs), hidden_listed, "{runs:?}");
        for seq in self.listed() {
            assert_eq!(hidden::covers(runs, seq), self.hidden.contains(&seq), "{seq:?} in {runs:?}");
        }
        for pair in runs.windows(2) {
            assert!(pair[0].to < pair[1].from, "{runs:?}");
        }
        // The model.
        let shown = bodies(&self.live);
        assert_eq!(shown, bodies(&self.folded()), "a woken session is shown the same");
        assert_eq!(shown, bodies(&self.forked()), "a copy is shown the same");
        assert_eq!(self.live.tokens(), self.folded().tokens());
        is_legal(&self.live);
    }
}

fn bodies(state: &State) -> Vec<String> {
    state.transcript.items.iter().map(|item| format!("{:?}", item.body)).collect()
}

/// Each result has its call in the reply right before it, and each call its result.
fn is_legal(state: &State) {
    let mut open: Vec<&str> = Vec::new();
    for item in &state.transcript.items {
        match &item.body {
            ItemBody::User { .. } => assert!(open.is_empty(), "a call without result"),
            ItemBody::Assistant { calls, .. } => {
                assert!(open.is_empty(), "a call without result");
                open = calls.iter().map(|call| &*call.id).collect();
            }
            ItemBody::ToolResult { call_id, .. } => {
                let at = open.iter().position(|id| *id == &**call_id).expect("a result without call");
                open.swap_remove(at);
            }
        }
    }
    assert!(open.is_empty(), "a call without result");
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let step = (any::<bool>(), 0..3_usize, prop::bool::weighted(0.2));
    let step = step.prop_map(|(thinks, calls, corrected)| StepShape { thinks, calls, corrected });
    let deed = prop_oneof![
        4 => (prop::collection::vec(step, 0..3), 0..3_usize).prop_map(|(steps, brought)| Deed::Turn(steps, brought)),
        4 => any::<usize>().prop_map(Deed::Hide),
        2 => any::<usize>().prop_map(Deed::Unhide),
        2 => any::<usize>().prop_map(Deed::Delete),
        1 => (1..3_u32).prop_map(Deed::Compact),
        1 => any::<usize>().prop_map(Deed::CompactTo),
    ];
    prop::collection::vec(deed, 1..24)
}

/// Of the first call the output is hidden, of the second the call is erased: what the second gave is nobody's.
#[test]
fn what_a_vanished_call_gave_is_not_taken_for_what_another_one_of_its_id_gave() {
    let call = || StepShape { thinks: false, calls: 1, corrected: false };
    let mut plain = Plain::new();
    plain.take(&Deed::Turn(vec![call(), call()], 0));
    let listed: Vec<Seq> = plain.listed().collect();
    let [_, _, first_output, second_input, ..] = listed[..] else { panic!("{listed:?}") };
    plain.take(&Deed::Hide(2));
    assert!(plain.hidden.contains(&first_output));
    plain.take(&Deed::Delete(3));
    assert_eq!(plain.at(second_input).kind, Kind::Tombstone);
    plain.check();
    assert!(!bodies(&plain.live).iter().any(|body| body.starts_with("ToolResult")), "{:?}", bodies(&plain.live));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_hidden_deleted_and_summarised_lists_and_the_model_agree_with_a_plain_model(deeds in deeds()) {
        let mut plain = Plain::new();
        for deed in &deeds {
            plain.take(deed);
            plain.check();
        }
    }
}
