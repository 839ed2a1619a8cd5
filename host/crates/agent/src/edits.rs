//! Changing what is shown of the past: hiding an event, showing it again, erasing it.
//! The session's own task does it, between turns, and folds its state anew.

use std::sync::Arc;

use session::{
    Audience, Began, Entry, EventId, Head, Hidden, Kind, Purpose, ReplyMark, Resolution, Resolved, Seq, Session, StoredEvent, TurnNo, Uid,
    Waiting, hidden,
};
use storage::{Journal, Rewrite, When};
use tokio::sync::oneshot;

use crate::Engine;
use crate::error::{Error, Thing};
use crate::fold::Stored;
use crate::live::Command;
use crate::task::{Draft, Stopped, Task};

/// Entries that are looked at in one go for what repeats an erased event.
const PAGE: usize = 64;

/// What an erased entry holds.
const NOTHING: &str = "{}";

/// A change to one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Lists leave it out, and the model is not shown it.
    Hide,
    /// The opposite.
    Unhide,
    /// It is erased; its position stays.
    Delete,
}

/// A change with whoever waits for it.
pub(crate) struct Change {
    edit: Edit,
    event: EventId,
    answer: oneshot::Sender<Result<Entry, Error>>,
}

impl Change {
    /// It is not made.
    pub(crate) fn refuse(self, why: Error) {
        let _ = self.answer.send(Err(why));
    }
}

impl Engine {
    /// Changes what is shown of an event. Answers with the event as it was when the change is durable; one that
    /// is as wished already is no error, one that was erased does not exist.
    pub async fn edit_event(self: &Arc<Self>, session: &Arc<Session>, id: &str, edit: Edit) -> Result<Entry, Error> {
        // Nobody is woken for an event that is not there.
        let entry = self.event(session, id)?;
        let (answer, done) = oneshot::channel();
        let event = EventId { session: session.uid, seq: entry.seq };
        self.tell(session, Command::Edit(Change { edit, event, answer }))?;
        done.await.unwrap_or_else(|_| Err(self.not_taken(session)))
    }
}

/// Makes a change while no turn runs.
pub(crate) async fn edit(task: &mut Task, change: Change) -> Result<(), Stopped> {
    while task.desk.unsettled.settle().await? {}
    let (entry, plan) = match planned(task, &change) {
        Ok(planned) => planned,
        Err(error) => {
            change.refuse(error);
            return Ok(());
        }
    };
    if let Some(Plan { hidden, listed, rewrites }) = plan {
        let head = task.head();
        (head.hidden, head.listed) = (hidden, listed);
        task.append(Draft { rewrites, ..Draft::default() }, 0, When::Now).await?;
        if let Err(error) = task.refold() {
            tracing::error!(session.uid = %task.session.uid, %error, "a changed session could not be read back");
            return Err(Stopped::Store);
        }
        tracing::info!(session.uid = %task.session.uid, event.id = %change.event, edit = ?change.edit, "event changed");
    }
    if change.answer.send(Ok(entry)).is_err() {
        tracing::debug!(session.uid = %task.session.uid, "the client left before its change was acknowledged");
    }
    Ok(())
}

/// What a change comes to.
struct Plan {
    hidden: Vec<Hidden>,
    listed: u64,
    rewrites: Vec<Rewrite>,
}

/// The event, and what is to be done about it, if anything.
fn planned(task: &mut Task, change: &Change) -> Result<(Entry, Option<Plan>), Error> {
    let (engine, session, seq) = (task.engine.clone(), task.session.uid, change.event.seq);
    let journal = &*engine.journal;
    let entry = journal.entry(session, seq)?.filter(|entry| entry.audience() == Audience::Listed);
    let entry = entry.ok_or_else(|| Error::NotFound { what: Thing::Event, name: change.event.to_string() })?;
    let Head { hidden: mut runs, listed, .. } = task.head().clone();
    let is_hidden = hidden::covers(&runs, seq);
    let plan = match change.edit {
        Edit::Hide if is_hidden => None,
        Edit::Unhide if !is_hidden => None,
        Edit::Unhide => {
            hidden::unhide(&mut runs, seq, &Stored { journal, session })?;
            Some(Plan { hidden: runs, listed, rewrites: Vec::new() })
        }
        Edit::Hide => {
            may_go(task, change.event, entry.turn)?;
            hidden::hide(&mut runs, seq, &Stored { journal, session })?;
            Some(Plan { hidden: runs, listed, rewrites: Vec::new() })
        }
        Edit::Delete => {
            may_go(task, change.event, entry.turn)?;
            hidden::erased(&mut runs, seq);
            Some(Plan { hidden: runs, listed: listed.saturating_sub(1), rewrites: Erased::new(&entry, change.event).everywhere(journal)? })
        }
    };
    match plan {
        Some(plan) if plan.hidden.len() > hidden::RUNS_MAX => Err(Error::TooManyHidden(hidden::RUNS_MAX)),
        plan => Ok((entry, plan)),
    }
}

/// Refuses to take away what a turn that is not over stands on, and the summary that stands for what was before.
fn may_go(task: &Task, event: EventId, turn: TurnNo) -> Result<(), Error> {
    if task.state.turn.as_ref().is_some_and(|open| open.no == turn) {
        return Err(Error::OpenTurn(event.to_string()));
    }
    if task.state.summary == Some(event.seq) {
        return Err(Error::InForce(event.to_string()));
    }
    Ok(())
}

/// An event that is erased, with what is needed to know its traces.
struct Erased<'a> {
    entry: &'a Entry,
    id: EventId,
    /// The provider's id of the call, of tool events.
    call_id: Option<String>,
    /// Where the call was asked for.
    call: Option<Seq>,
}

impl<'a> Erased<'a> {
    fn new(entry: &'a Entry, id: EventId) -> Self {
        Self { entry, id, call_id: read(entry).and_then(|event| event.tool_call_id), call: None }
    }

    /// The rewrites that leave nothing of its text in the session: its own, and those of the marks of
    /// its turn that repeat it.
    fn everywhere(mut self, journal: &dyn Journal) -> Result<Vec<Rewrite>, Error> {
        let session = self.id.session;
        let mut rewrites = Vec::new();
        let mut from = first_of_turn(journal, session, self.entry)?;
        loop {
            let page = journal.read(session, from, PAGE)?;
            for other in page.entries.iter().filter(|other| other.turn == self.entry.turn) {
                let rewrite = self.rewritten(other).map_err(|e| Error::Damaged(session, e.to_string()))?;
                rewrites.extend(rewrite.map(|(kind, body)| Rewrite { seq: other.seq, kind, body: body.into() }));
            }
            match page.entries.last() {
                Some(last) if page.more && last.turn <= self.entry.turn => from = last.seq.next(),
                _ => return Ok(rewrites),
            }
        }
    }

    /// What becomes of an entry of the turn, where anything does.
    fn rewritten(&mut self, other: &Entry) -> serde_json::Result<Option<(Kind, String)>> {
        let same_step = other.step == self.entry.step && self.entry.kind != Kind::InputMessage;
        let gone = || Some((Kind::Tombstone, NOTHING.to_owned()));
        Ok(match other.kind {
            _ if other.seq == self.entry.seq => {
                if other.kind == Kind::ToolInput {
                    self.call = Some(other.seq);
                }
                gone()
            }
            Kind::ToolInput => {
                let id = read(other).and_then(|event| event.tool_call_id);
                let before = same_step && other.seq < self.entry.seq;
                if before && self.entry.kind == Kind::ToolOutput && id == self.call_id {
                    self.call = Some(other.seq);
                }
                None
            }
            Kind::Reply if same_step => self.reply(serde_json::from_str(&other.body)?),
            // A draft of the wrong form belongs to the answer that came of it, and has no event of its own. It follows what
            // the model thought of it.
            Kind::Corrected if self.entry.kind == Kind::StructuredOutput => gone(),
            Kind::Corrected if same_step && other.seq == self.entry.seq.next() => gone(),
            Kind::Began if self.entry.kind == Kind::ToolInput => without_arguments(serde_json::from_str(&other.body)?),
            Kind::Resolved => self.resolved(serde_json::from_str(&other.body)?),
            Kind::ClientToolPending if other.body.contains(&self.id.to_string()) => gone(),
            Kind::Reply | Kind::Corrected | Kind::ClientToolPending => None,
            Kind::InputMessage | Kind::Thinking | Kind::ToolOutput | Kind::AgentOutput | Kind::StructuredOutput => None,
            Kind::Compaction | Kind::ContextLimitExceeded | Kind::SessionInterrupted | Kind::Tombstone => None,
            Kind::Began | Kind::Receipt | Kind::Steered | Kind::Ended => None,
            Kind::Waiting => self.waiting(serde_json::from_str(&other.body)?),
            Kind::Paused | Kind::Resumed | Kind::Overflowed => None,
        })
    }

    /// The provider's own form of a reply repeats what was made from it. Steps alone do not tell replies apart: those that a
    /// client brought are counted anew from where the turn began.
    fn reply(&self, mut mark: ReplyMark) -> Option<(Kind, String)> {
        let made = if self.entry.kind == Kind::ToolOutput { self.call? } else { self.entry.seq };
        if !(mark.first..=mark.last).contains(&made) {
            return None;
        }
        mark.raw.take()?;
        Some((Kind::Reply, json(&mark)))
    }

    /// What waited repeats the arguments that the agent set itself.
    fn waiting(&self, mut mark: Waiting) -> Option<(Kind, String)> {
        let wait = mark.waits.iter_mut().find(|wait| Some(wait.call) == self.call)?;
        wait.overrides.take()?;
        Some((Kind::Waiting, json(&mark)))
    }

    /// A decision repeats the arguments that a person put in the place of the model's, or says in the output why it was no.
    fn resolved(&self, mut mark: Resolved) -> Option<(Kind, String)> {
        if self.call != Some(mark.call) {
            return None;
        }
        match &mut mark.resolution {
            Resolution::Approved { input, .. } => drop(input.take()?),
            Resolution::Rejected { reason } => reason.clear(),
            Resolution::Answered | Resolution::Expired | Resolution::Cancelled => return None,
        }
        Some((Kind::Resolved, json(&mark)))
    }
}

/// A turn of one call repeats in its beginning what it was to call.
fn without_arguments(mut mark: Began) -> Option<(Kind, String)> {
    match &mut mark.purpose {
        Purpose::Call { arguments, .. } => NOTHING.clone_into(arguments),
        Purpose::Answer | Purpose::Compact { .. } => return None,
    }
    Some((Kind::Began, json(&mark)))
}

fn json(mark: &impl serde::Serialize) -> String {
    serde_json::to_string(mark).expect("a mark is made of JSON values")
}

fn read(entry: &Entry) -> Option<StoredEvent<'_>> {
    serde_json::from_str(&entry.body).ok()
}

/// Where the turn of an entry begins, or somewhat before that.
fn first_of_turn(journal: &dyn Journal, session: Uid, entry: &Entry) -> Result<Seq, Error> {
    let mut first = entry.seq;
    loop {
        let start = Seq(first.0.saturating_sub(PAGE as u64).max(1));
        let page = journal.read(session, start, 1)?;
        let same = page.entries.first().is_some_and(|found| found.turn == entry.turn);
        if !same || start == Seq(1) {
            return Ok(start);
        }
        first = start;
    }
}

#[cfg(test)]
mod tests {
    use session::{CallName, Corrected, Decider, Event, Millis, Origin};
    use tool::Approver;

    use super::*;

    const SESSION: Uid = Uid([1; 16]);

    fn began(purpose: Purpose) -> Began {
        Began {
            agent_revision: 1,
            model: "m".into(),
            tools: std::collections::BTreeMap::new(),
            key: Uid([2; 16]),
            subject: None,
            input_hash: String::new(),
            system_hash: String::new(),
            purpose,
            compaction: None,
            window: 0,
            declared: Vec::new(),
            instructions: None,
        }
    }

    /// A turn in the making: two calls of one step, of which somebody decided, after a reply of the wrong form.
    fn turn() -> Vec<Entry> {
        let name = |id: &str| CallName { id: id.into(), configuration: "c".into(), tool: "t".into() };
        let input = |id| Event::ToolInput { call: name(id), input: "{\"q\":\"plum\"}".into(), overrides: Vec::new() };
        let output = |id| Event::ToolOutput {
            call: name(id),
            output: "{\"plum\":1}".into(),
            error: false,
            overrides: None,
            receipt: Box::default(),
        };
        let origin = Origin { wire: "w".into(), provider: "p".into(), model: "m".into(), format: 1 };
        let raw = serde_json::value::to_raw_value("plum").expect("JSON");
        let reply = |first, last| {
            json(&ReplyMark { origin: origin.clone(), raw: Some(raw.clone()), first: Seq(first), last: Seq(last), usage: None })
        };
        let approved = Resolution::Approved { standing: Approver::Client, input: Some("{\"q\":\"plum\"}".into()), input_hash: "h".into() };
        let resolved = |call, resolution| json(&Resolved { call: Seq(call), resolution, by: Decider::Server });
        let event =
            |seq, event: Event| (event.kind(), event.render(EventId { session: SESSION, seq: Seq(seq) }, "s", Millis(1)).to_string());
        let pending = format!("{{\"pending_calls\":[{{\"event_id\":\"{}\"}}]}}", EventId { session: SESSION, seq: Seq(4) });
        let purpose = Purpose::Call { name: "c".into(), tool: tool::ToolId::client("t"), arguments: "{\"q\":\"plum\"}".into() };
        let lines = [
            (1, event(1, Event::InputMessage { messages: vec![session::Message { content: "plum".into() }] })),
            (1, (Kind::Corrected, json(&Corrected { text: "plum".into(), fault: "f".into() }))),
            (1, (Kind::Reply, reply(2, 2))),
            (2, event(4, input("a"))),
            (2, event(5, input("b"))),
            (2, (Kind::Reply, reply(4, 5))),
            (2, (Kind::ClientToolPending, pending)),
            (2, (Kind::Resolved, resolved(4, approved))),
            (2, (Kind::Resolved, resolved(5, Resolution::Rejected { reason: "plum".into() }))),
            (2, event(10, output("a"))),
            (2, event(11, output("b"))),
            (0, (Kind::Began, json(&began(purpose)))),
            // What the turn did itself is counted anew from there.
            (2, event(13, Event::Thinking { content: "plum".into() })),
            (2, (Kind::Corrected, json(&Corrected { text: "plum".into(), fault: "f".into() }))),
            (2, (Kind::Reply, reply(13, 14))),
        ];
        let entry = |(seq, (step, (kind, body))): (u64, (u32, (Kind, String)))| Entry {
            seq: Seq(seq),
            at: Millis(1),
            turn: TurnNo(1),
            step,
            kind,
            body: body.into(),
        };
        (1..).zip(lines).map(entry).collect()
    }

    /// What becomes of the turn's entries when this one is erased: position and kind.
    fn erasing(seq: usize) -> Vec<(u64, Kind)> {
        let turn = turn();
        let mut erased = Erased::new(&turn[seq - 1], EventId { session: SESSION, seq: Seq(seq as u64) });
        let rewritten = turn.iter().filter_map(|entry| Some((entry.seq.0, erased.rewritten(entry).unwrap()?)));
        rewritten
            .map(|(seq, (kind, body))| {
                assert!(!body.contains("plum"), "{body}");
                (seq, kind)
            })
            .collect()
    }

    #[test]
    fn an_erased_call_leaves_nothing_in_the_marks_of_its_step() {
        let tombstone = Kind::Tombstone;
        assert_eq!(erasing(4), [(4, tombstone), (6, Kind::Reply), (7, tombstone), (8, Kind::Resolved), (12, Kind::Began)]);
        assert_eq!(erasing(11), [(6, Kind::Reply), (9, Kind::Resolved), (11, tombstone)]);
    }

    #[test]
    fn a_thought_is_erased_with_the_draft_that_was_not_of_the_form_and_no_other_reply_of_its_step_s_number() {
        assert_eq!(erasing(13), [(13, Kind::Tombstone), (14, Kind::Tombstone), (15, Kind::Reply)]);
    }

    #[test]
    fn an_erased_input_is_erased_alone() {
        assert_eq!(erasing(1), [(1, Kind::Tombstone)]);
    }
}
