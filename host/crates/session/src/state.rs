//! The state of a session: the fold of its entries. Live sessions apply each
//! entry as they append it; a woken session applies what the journal holds, so
//! both see the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tool::{Approval, End};

use crate::entry::{Audience, Entry, Kind};
use crate::event::{CallName, StoredEvent};
use crate::hidden;
use crate::ids::{EventId, Millis, Seq, TurnNo};
use crate::inbox::Queued;
use crate::mark::{Began, Corrected, Overflowed, ReplyMark, TokenUsage};
use crate::session::Hidden;
use crate::transcript::{AskedCall, ItemBody, Place, RawReply, Transcript};
use crate::wait::{Asker, Decider, Resolution, Resolved, Resumed, Wait, Waiting};

/// What the next step is decided from.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The last position applied.
    pub last: Seq,
    /// The number of the last turn.
    pub turn_no: TurnNo,
    /// The turn that runs, if any.
    pub turn: Option<Turn>,
    /// What the model is shown.
    pub transcript: Transcript,
    /// Where each turn begins, from the first that is folded here.
    pub starts: BTreeMap<TurnNo, Seq>,
    /// Inputs that wait for their turn, in order.
    pub inbox: VecDeque<Queued>,
    /// What the last model call consumed; none before the first, and after a compaction.
    pub usage: Option<TokenUsage>,
    /// The summary in the place of what was before it: its entry, where there is one.
    pub summary: Option<Seq>,
    /// What the client has the model told beside the agent's instructions, as of the last turn that began.
    pub instructions: Option<String>,
    /// The estimated size of the transcript when `usage` was counted.
    counted_at: u64,
    /// Runs of positions whose events the model is not shown.
    hidden: Vec<Hidden>,
    step: Gathering,
    /// Whether the last reply was given elsewhere, as a client says, and so were the outputs that follow it.
    elsewhere: bool,
    /// Whether nothing is left of the last reply; what its calls gave is not shown either, and never as what another call gave.
    lost: bool,
    /// The last position that the model is not shown though it stands after the last summary.
    torn: Seq,
}

/// A running turn.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Its number.
    pub no: TurnNo,
    /// When it began.
    pub began_at: Millis,
    /// What it runs by.
    pub began: Began,
    /// Model calls that were answered.
    pub steps: u32,
    /// The calls of the current step, in order.
    pub calls: Vec<Call>,
    /// Whether the last reply asked for no tool.
    pub answered: bool,
    /// Steps in a row whose every call was malformed or named no tool of ours.
    pub wrong_steps: u32,
    /// How often the last call was asked for in a row, word for word.
    pub repeats: u32,
    /// Replies in a row that were not of the form that was asked for.
    pub corrections: u32,
    /// Whether a summary was made in it.
    pub compacted: bool,
    /// That the conversation does not fit the model's window, until a summary is made.
    pub overflow: Option<Overflowed>,
    /// Why no summary came about, where one was tried; it is not tried again.
    pub summary_failed: Option<String>,
    /// Who asked it to stop, if somebody did.
    pub interrupted: Option<Decider>,
    /// Since when it does nothing but wait, if it does.
    pub paused: Option<Millis>,
    /// The first entry of the part that answers `asker`: the turn's first, or the one that ended a pause.
    pub part: Seq,
    /// Whose input that part answers; nobody's where time ended the pause.
    pub asker: Option<Asker>,
    /// Whose inputs entered that part while it ran.
    pub steered: Vec<Asker>,
    last_call: Option<(Arc<str>, String)>,
}

/// One call of the current step.
#[derive(Debug, Clone)]
pub struct Call {
    /// The position of its `tool_input`: with the session's uid our own id of the call.
    pub seq: Seq,
    /// The names it carries.
    pub name: CallName,
    /// The arguments, exact text: the model's, or those that a person put in their place.
    pub input: String,
    /// How far it is.
    pub state: CallState,
    /// What it waits for, or waited for.
    pub wait: Option<Wait>,
    /// The agreement of a person, once it was given.
    pub approval: Option<Approval>,
    /// Whether a person changed the arguments.
    pub edited: bool,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// Its intent is recorded, its result is not.
    Open,
    /// Its intent is recorded, and somebody has to answer for it first.
    Waiting,
    /// It has ended.
    Done,
    /// It was never a call that could run: no such tool, or arguments that do not fit.
    Wrong,
}

impl CallState {
    /// Whether its result is still to come.
    pub fn pending(self) -> bool {
        match self {
            Self::Open | Self::Waiting => true,
            Self::Done | Self::Wrong => false,
        }
    }
}

/// The events of a step whose reply mark has not come yet.
#[derive(Debug, Clone, Default)]
struct Gathering {
    thinking: String,
    text: String,
    calls: Vec<AskedCall>,
    /// It was not of the form that was asked for.
    corrected: Option<Corrected>,
}

/// An entry that is not what its kind says; the journal is damaged or newer than we are.
#[derive(Debug, thiserror::Error)]
#[error("entry {seq} of kind {kind} cannot be read: {why}")]
pub struct Unreadable {
    /// Which entry.
    pub seq: u64,
    /// Its kind.
    pub kind: &'static str,
    /// What the parser said.
    pub why: String,
}

impl State {
    /// The state of a session before its first entry, of which the model is not shown these runs.
    pub fn hiding(hidden: Vec<Hidden>) -> Self {
        Self { hidden, ..Self::default() }
    }

    /// Takes in one more entry. Entries come in order, each once.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Unreadable> {
        let unreadable = |why: serde_json::Error| Unreadable { seq: entry.seq.0, kind: entry.kind.word(), why: why.to_string() };
        self.last = entry.seq;
        self.starts.entry(entry.turn).or_insert(entry.seq);
        if entry.audience() == Audience::Listed && entry.kind != Kind::Compaction && self.is_hidden(entry.seq) {
            self.torn = entry.seq;
            return Ok(());
        }
        match entry.kind {
            Kind::InputMessage => self.input(entry.seq, event(entry).map_err(unreadable)?),
            Kind::Thinking => push_text(&mut self.step.thinking, event(entry).map_err(unreadable)?),
            Kind::AgentOutput | Kind::StructuredOutput => push_text(&mut self.step.text, event(entry).map_err(unreadable)?),
            Kind::ToolInput => self.tool_input(entry.seq, event(entry).map_err(unreadable)?),
            Kind::ToolOutput => self.tool_output(entry.seq, event(entry).map_err(unreadable)?),
            Kind::Compaction => self.compaction(entry.seq, event(entry).map_err(unreadable)?),
            Kind::Began => self.began(entry, serde_json::from_str(&entry.body).map_err(unreadable)?),
            Kind::Reply => self.reply(entry.seq, serde_json::from_str(&entry.body).map_err(unreadable)?),
            Kind::Waiting => self.waiting(serde_json::from_str(&entry.body).map_err(unreadable)?),
            Kind::Paused => self.paused(entry.at),
            Kind::Resumed => self.resumed(entry.seq, serde_json::from_str(&entry.body).map_err(unreadable)?),
            Kind::Resolved => self.resolved(serde_json::from_str(&entry.body).map_err(unreadable)?),
            Kind::Corrected => self.step.corrected = Some(serde_json::from_str(&entry.body).map_err(unreadable)?),
            Kind::Overflowed => self.overflowed(serde_json::from_str(&entry.body).map_err(unreadable)?),
            Kind::Steered => self.steered(serde_json::from_str(&entry.body).map_err(unreadable)?),
            Kind::Ended => self.ended(entry.turn),
            Kind::Tombstone => self.torn = entry.seq,
            Kind::ContextLimitExceeded | Kind::SessionInterrupted | Kind::ClientToolPending | Kind::Receipt => {}
        }
        Ok(())
    }

    /// The size of what the model would be shown now, in tokens: what it counted last and an
    /// estimate of what came since, or an estimate of the whole.
    pub fn tokens(&self) -> u64 {
        let tokens = self.transcript.tokens();
        self.usage.map_or(tokens, |usage| usage.input.saturating_add(usage.output).saturating_add(tokens.saturating_sub(self.counted_at)))
    }

    /// The last answer of a tool, by the name under which the agent binds it, as far as the model is shown one: a
    /// JSON object, exact text. Failures are no answers, and neither is what a client says of a call elsewhere: agents
    /// take arguments from these.
    pub fn latest_output(&self, configuration: &str) -> Option<String> {
        self.transcript.latest_output(configuration).map(unedited)
    }

    fn is_hidden(&self, seq: Seq) -> bool {
        hidden::covers(&self.hidden, seq)
    }

    /// An input: before the turn that it begins, or into the one that runs.
    fn input(&mut self, seq: Seq, event: StoredEvent<'_>) {
        let texts: Vec<String> = event.messages.into_iter().map(|m| m.content).collect();
        self.transcript.push(Place::Input(seq), ItemBody::User { text: texts.join("\n\n") });
        if let Some(turn) = &mut self.turn {
            turn.answered = false;
        }
    }

    fn ended(&mut self, turn: TurnNo) {
        (self.turn, self.step) = (None, Gathering::default());
        self.transcript.mend(self.starts.get(&turn).copied().unwrap_or_default());
    }

    /// What came before is known by its summary alone.
    fn compaction(&mut self, seq: Seq, event: StoredEvent<'_>) {
        let up_to = event.compacted_up_to_event_id.as_deref().and_then(EventId::parse).map_or(Seq(0), |id| id.seq);
        self.transcript.compact(up_to, event.summary_text.as_deref().unwrap_or_default());
        (self.usage, self.summary) = (None, Some(seq));
        if let Some(turn) = &mut self.turn {
            (turn.compacted, turn.overflow) = (true, None);
        }
    }

    fn overflowed(&mut self, mark: Overflowed) {
        let Some(turn) = &mut self.turn else { return };
        match mark.hopeless {
            true => turn.summary_failed = Some(mark.why),
            false => turn.overflow = Some(mark),
        }
    }

    fn began(&mut self, entry: &Entry, began: Began) {
        self.turn_no = entry.turn;
        self.instructions.clone_from(&began.instructions);
        self.turn = Some(Turn {
            no: entry.turn,
            began_at: entry.at,
            paused: None,
            part: self.starts.get(&entry.turn).copied().unwrap_or(entry.seq),
            asker: Some(Asker { key: began.key, subject: began.subject.clone(), input_hash: began.input_hash.clone() }),
            began,
            steps: 0,
            calls: Vec::new(),
            answered: false,
            wrong_steps: 0,
            repeats: 0,
            corrections: 0,
            compacted: false,
            overflow: None,
            summary_failed: None,
            interrupted: None,
            steered: Vec::new(),
            last_call: None,
        });
    }

    fn tool_input(&mut self, seq: Seq, event: StoredEvent<'_>) {
        let name = event.call_name();
        let input = event.tool_input.map(|raw| raw.get().to_owned()).unwrap_or_else(|| "{}".into());
        self.step.calls.push(AskedCall { id: name.id.clone(), name: name.configuration.clone(), arguments: input.clone() });
        let Some(turn) = &mut self.turn else { return };
        let asked = (name.configuration.clone(), input.clone());
        turn.repeats = if turn.last_call.as_ref() == Some(&asked) { turn.repeats + 1 } else { 1 };
        turn.last_call = Some(asked);
        turn.calls.push(Call { seq, name, input, state: CallState::Open, wait: None, approval: None, edited: false });
    }

    fn waiting(&mut self, mark: Waiting) {
        let Some(turn) = &mut self.turn else { return };
        for wait in mark.waits {
            if let Some(call) = turn.calls.iter_mut().find(|call| call.seq == wait.call && call.state == CallState::Open) {
                (call.state, call.wait) = (CallState::Waiting, Some(wait));
            }
        }
    }

    fn paused(&mut self, at: Millis) {
        if let Some(turn) = &mut self.turn {
            turn.paused = Some(at);
        }
    }

    fn resumed(&mut self, seq: Seq, mark: Resumed) {
        if let Some(turn) = &mut self.turn {
            (turn.paused, turn.part, turn.asker, turn.steered) = (None, seq, mark.asker, Vec::new());
        }
    }

    fn steered(&mut self, asker: Asker) {
        if let Some(turn) = &mut self.turn {
            turn.steered.push(asker);
        }
    }

    /// An approved call may run. Any other one gets its output in the same batch.
    fn resolved(&mut self, mark: Resolved) {
        let mut calls = self.turn.iter_mut().flat_map(|turn| &mut turn.calls);
        let Some(call) = calls.find(|call| call.seq == mark.call && call.state == CallState::Waiting) else { return };
        match mark.resolution {
            Resolution::Approved { standing, input, .. } => {
                call.state = CallState::Open;
                call.approval = call.wait.as_ref().and_then(|wait| wait.approved(standing));
                if let Some(input) = input {
                    (call.input, call.edited) = (input, true);
                }
            }
            Resolution::Rejected { .. } | Resolution::Answered | Resolution::Expired | Resolution::Cancelled => {}
        }
    }

    /// The reply mark closes a model call: what was gathered becomes one item.
    fn reply(&mut self, seq: Seq, mark: ReplyMark) {
        let Gathering { thinking, text, calls, corrected } = std::mem::take(&mut self.step);
        if let Some(turn) = &mut self.turn {
            turn.steps += 1;
            turn.answered = calls.is_empty() && corrected.is_none();
            turn.corrections = corrected.as_ref().map_or(0, |_| turn.corrections + 1);
        }
        let place = Place::Reply(seq);
        let torn = self.torn >= mark.first;
        self.elsewhere = mark.origin.is_brought();
        self.lost = torn && corrected.is_none() && thinking.is_empty() && text.is_empty() && calls.is_empty();
        match corrected {
            Some(Corrected { text, fault }) => {
                self.transcript.push(place, ItemBody::Assistant { thinking, text, calls, raw: None });
                self.transcript.push(place, ItemBody::User { text: fault });
            }
            None if self.lost => {}
            None => {
                let raw = mark.raw.filter(|_| !torn).map(|raw| RawReply { origin: mark.origin, json: raw.into() });
                self.transcript.push(place, ItemBody::Assistant { thinking, text, calls, raw });
            }
        }
        if mark.usage.is_some() {
            (self.usage, self.counted_at) = (mark.usage, self.transcript.tokens());
        }
    }

    fn tool_output(&mut self, seq: Seq, event: StoredEvent<'_>) {
        let name = event.call_name();
        let mut output = event.tool_output.map(|raw| raw.get().to_owned()).unwrap_or_else(|| "{}".into());
        if let Some(turn) = &mut self.turn {
            if let Some(call) = turn.calls.iter_mut().find(|c| c.name.id == name.id && c.state.pending()) {
                call.state = if event.error && is_wrong(&event) { CallState::Wrong } else { CallState::Done };
                if call.edited {
                    output = of_edited(&call.input, &output);
                }
            }
            if turn.calls.iter().all(|c| !c.state.pending()) {
                let wrong = turn.calls.iter().all(|c| c.state == CallState::Wrong);
                turn.wrong_steps = if wrong { turn.wrong_steps + 1 } else { 0 };
                turn.calls.clear();
            }
        }
        if self.lost {
            return;
        }
        let body = ItemBody::ToolResult { call_id: name.id, name: name.configuration, output, error: event.error };
        self.transcript.push(if self.elsewhere { Place::Told(seq) } else { Place::Output(seq) }, body);
    }
}

/// What is said of a call that did not run as the model asked.
const EDITED: &str = "a person changed the arguments before this call ran";

/// What the model is told of such a call: with which arguments it ran.
fn of_edited(input: &str, output: &str) -> String {
    format!("{{\"note\":\"{EDITED}\",\"arguments\":{input},\"output\":{output}}}")
}

/// What a tool answered, out of what the model was told of it.
fn unedited(told: &str) -> String {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Told<'a> {
        #[serde(borrow)]
        note: std::borrow::Cow<'a, str>,
        #[serde(borrow, rename = "arguments")]
        _arguments: &'a serde_json::value::RawValue,
        #[serde(borrow)]
        output: &'a serde_json::value::RawValue,
    }
    let told = serde_json::from_str::<Told<'_>>(told).ok().filter(|told| told.note == EDITED).map_or(told, |told| told.output.get());
    told.to_owned()
}

fn event(entry: &Entry) -> serde_json::Result<StoredEvent<'_>> {
    serde_json::from_str(&entry.body)
}

/// Whether a failure says that the model named no tool of ours, or wrong arguments.
fn is_wrong(event: &StoredEvent<'_>) -> bool {
    #[derive(serde::Deserialize)]
    struct Output<'a> {
        #[serde(borrow)]
        error: Reason<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Reason<'a> {
        #[serde(borrow)]
        reason: std::borrow::Cow<'a, str>,
    }
    let wrong = [End::UnknownTool.word(), End::InvalidInput(String::new()).word()];
    let output = event.tool_output.and_then(|raw| serde_json::from_str::<Output<'_>>(raw.get()).ok());
    output.is_some_and(|output| wrong.contains(&output.error.reason.as_ref()))
}

fn push_text(into: &mut String, event: StoredEvent<'_>) {
    if !into.is_empty() {
        into.push_str("\n\n");
    }
    into.push_str(&event.text());
}
