//! What comes next: one pure function of the state.

use crate::compaction;
use crate::ids::Seq;
use crate::inbox::Behavior;
use crate::mark::{HowEnded, Purpose};
use crate::state::{CallState, State, Turn};

/// Bounds of one turn.
#[derive(Debug, Clone, Copy)]
pub struct TurnLimits {
    /// Model calls. Against a model that never stops asking for tools.
    pub steps: u32,
    /// Tool calls of one step. Against a model that asks for everything at once.
    pub calls: usize,
    /// Steps in a row in which no call could run. Against a model that cannot get its arguments right.
    pub wrong_steps: u32,
    /// The same call, word for word, in a row. Against a model that is stuck.
    pub repeats: u32,
}

impl Default for TurnLimits {
    fn default() -> Self {
        Self { steps: 25, calls: 16, wrong_steps: 3, repeats: 3 }
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// No turn runs.
    Idle,
    /// Send the transcript to the model; in a turn that makes one call, ask for that.
    AskModel,
    /// Run the calls at these positions, all at the same time.
    CallTools(Vec<Seq>),
    /// Take this queued input into the turn.
    Steer(u64),
    /// Make a summary of the conversation up to this entry, and go on from that.
    Compact(Seq),
    /// Nothing can be done before somebody has answered for the calls at these positions.
    Wait(Vec<Seq>),
    /// The turn is over.
    End(HowEnded),
}

/// Decides from the state alone. Never asks for a model call after the turn
/// was answered, nor while a call is open or waits.
pub fn next(state: &State, limits: &TurnLimits) -> Next {
    let Some(turn) = &state.turn else {
        return Next::Idle;
    };
    if turn.interrupted.is_some() {
        return Next::End(HowEnded::Interrupted);
    }
    let those = |state| turn.calls.iter().filter(|c| c.state == state).map(|c| c.seq).collect::<Vec<Seq>>();
    let (open, waiting) = (those(CallState::Open), those(CallState::Waiting));
    if !open.is_empty() {
        return Next::CallTools(open);
    }
    if !waiting.is_empty() {
        return Next::Wait(waiting);
    }
    if let Purpose::Compact { up_to, .. } = &turn.began.purpose {
        return asked_to_compact(state, turn, *up_to);
    }
    // A turn that makes one call takes nothing in and is never too long: there is no model to be told of it.
    if let Purpose::Call { .. } = &turn.began.purpose {
        return if turn.steps == 0 { Next::AskModel } else { Next::End(HowEnded::Answered) };
    }
    let reached = limit(turn, limits);
    // A turn that may not ask again takes nothing more in: what waits begins a turn of its own.
    if let Some(queued) = state.inbox.iter().find(|queued| queued.behavior == Behavior::Steer)
        && reached.is_none()
    {
        return Next::Steer(queued.no);
    }
    if turn.steps > 0 && turn.answered {
        return Next::End(HowEnded::Answered);
    }
    if let Some(reached) = reached {
        return Next::End(HowEnded::Limit(reached));
    }
    match (&turn.overflow, compaction::due(state, turn)) {
        (_, Some(up_to)) => Next::Compact(up_to),
        (Some(_), None) => Next::End(HowEnded::ContextLimit),
        (None, None) => Next::AskModel,
    }
}

/// A turn that a client asked for to make the conversation shorter does this alone.
fn asked_to_compact(state: &State, turn: &Turn, up_to: Option<Seq>) -> Next {
    if turn.compacted {
        return Next::End(HowEnded::Compacted);
    }
    if let Some(why) = &turn.summary_failed {
        return Next::End(HowEnded::Failed(why.clone()));
    }
    match compaction::asked(state, &turn.began.compaction.clone().unwrap_or_default(), up_to) {
        Some(up_to) => Next::Compact(up_to),
        None => Next::End(HowEnded::Failed("there is nothing to compact".into())),
    }
}

fn limit(turn: &Turn, limits: &TurnLimits) -> Option<String> {
    if turn.steps >= limits.steps {
        return Some(format!("the turn reached its limit of {} model calls", limits.steps));
    }
    if turn.wrong_steps >= limits.wrong_steps {
        return Some(format!("the model made no valid tool call in {} steps in a row", limits.wrong_steps));
    }
    if turn.repeats >= limits.repeats {
        return Some(format!("the model asked for the same call {} times in a row", limits.repeats));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tool::{Approver, End};

    use super::*;
    use crate::entry::{Entry, Kind};
    use crate::event::{CallName, Event, Message};
    use crate::ids::{EventId, Millis, TurnNo, Uid};
    use crate::inbox::Queued;
    use crate::mark::{Began, Corrected, Ended, Overflowed, ReplyMark};
    use crate::principal::Principal;
    use crate::transcript::{ItemBody, Origin};
    use crate::wait::{Awaited, Decider, Paused, Resolution, Resolved, Resumed, Wait, Waiting};

    /// A session in the making, entry by entry.
    struct Story(State, TurnNo);

    impl Story {
        fn push(&mut self, kind: Kind, body: String) {
            let entry = Entry { seq: self.0.last.next(), at: Millis(1), turn: self.1, step: 1, kind, body: body.into() };
            self.0.apply(&entry).unwrap();
        }

        fn event(&mut self, event: Event) {
            let id = EventId { session: Uid([1; 16]), seq: self.0.last.next() };
            self.push(event.kind(), event.render(id, "s", Millis(1)).to_string());
        }

        fn begun() -> Self {
            let mut story = Self(State::default(), TurnNo(1));
            story.event(Event::InputMessage { messages: vec![Message { content: "hi".into() }] });
            story.mark(Kind::Began, &began());
            story
        }

        fn call(&mut self, id: &str, input: &str) -> Seq {
            self.event(Event::ToolInput { call: name(id), input: input.into(), overrides: Vec::new() });
            self.0.last
        }

        fn replied(&mut self) {
            let origin = Origin { wire: "w".into(), provider: "p".into(), model: "m".into(), format: 1 };
            let mark = ReplyMark { origin, raw: None, first: Seq(1), last: Seq(1), usage: None };
            self.push(Kind::Reply, serde_json::to_string(&mark).unwrap());
        }

        fn output(&mut self, id: &str, end: &End) {
            let output = if end.is_done() { "{}".into() } else { end.error_output() };
            self.event(Event::ToolOutput { call: name(id), output, error: !end.is_done(), overrides: None, receipt: Box::default() });
        }

        fn waits(&mut self, calls: &[Seq]) {
            let awaited = Awaited::Approval { approver: Approver::Client, component: "c".into(), tools: "t".into() };
            let wait = |call: &Seq| Wait {
                call: *call,
                input_hash: String::new(),
                overrides: None,
                awaited: awaited.clone(),
                asked_at: Millis(1),
                expires: Millis(2),
            };
            self.mark(Kind::Waiting, &Waiting { waits: calls.iter().map(wait).collect() });
        }

        fn resolved(&mut self, call: Seq, resolution: Resolution) {
            self.mark(Kind::Resolved, &Resolved { call, resolution, by: Decider::Server });
        }

        fn mark(&mut self, kind: Kind, mark: &impl serde::Serialize) {
            self.push(kind, serde_json::to_string(mark).unwrap());
        }

        fn next(&self) -> Next {
            next(&self.0, &TurnLimits { steps: 4, calls: 2, wrong_steps: 2, repeats: 3 })
        }
    }

    fn began() -> Began {
        Began {
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
        }
    }

    fn name(id: &str) -> CallName {
        CallName { id: id.into(), configuration: "c".into(), tool: "t".into() }
    }

    #[test]
    fn a_turn_asks_then_calls_then_asks_again_and_ends_with_the_answer() {
        let mut story = Story::begun();
        assert_eq!(story.next(), Next::AskModel);
        let (first, second) = (story.call("a", "{}"), story.call("b", "{}"));
        story.replied();
        assert_eq!(story.next(), Next::CallTools(vec![first, second]));
        story.output("b", &End::Done);
        assert_eq!(story.next(), Next::CallTools(vec![first]));
        story.output("a", &End::Time(1));
        assert_eq!(story.next(), Next::AskModel);
        story.event(Event::AgentOutput { content: "done".into() });
        story.replied();
        assert_eq!(story.next(), Next::End(HowEnded::Answered));
        story.push(Kind::Ended, serde_json::to_string(&Ended { how: HowEnded::Answered, began_at: Millis(1) }).unwrap());
        assert_eq!(story.next(), Next::Idle);
        let bodies: Vec<&ItemBody> = story.0.transcript.items.iter().map(|item| &item.body).collect();
        assert!(matches!(
            bodies[..],
            [
                ItemBody::User { .. },
                ItemBody::Assistant { .. },
                ItemBody::ToolResult { .. },
                ItemBody::ToolResult { error: true, .. },
                ItemBody::Assistant { .. }
            ]
        ));
    }

    fn approved(input: Option<&str>) -> Resolution {
        Resolution::Approved { standing: Approver::Operator, input: input.map(str::to_owned), input_hash: String::new() }
    }

    #[test]
    fn what_may_run_runs_at_once_and_the_model_is_asked_when_all_waits_are_over() {
        let mut story = Story::begun();
        let (free, first, second) = (story.call("a", "{}"), story.call("b", "[]"), story.call("c", "{}"));
        story.replied();
        story.waits(&[first, second]);
        assert_eq!(story.next(), Next::CallTools(vec![free]));
        story.output("a", &End::Done);
        assert_eq!(story.next(), Next::Wait(vec![first, second]));
        story.mark(Kind::Paused, &Paused { calls: vec![first, second] });
        assert!(story.0.turn.as_ref().unwrap().paused.is_some());
        story.resolved(second, Resolution::Rejected { reason: "no".into() });
        story.output("c", &End::Rejected("no".into()));
        story.mark(Kind::Resumed, &Resumed { asker: None });
        assert!(story.0.turn.as_ref().unwrap().paused.is_none());
        assert_eq!(story.next(), Next::Wait(vec![first]));
        story.resolved(first, approved(None));
        assert_eq!(story.next(), Next::CallTools(vec![first]));
        let call = &story.0.turn.as_ref().unwrap().calls[1];
        assert_eq!(call.approval.as_ref().map(|approval| (approval.by, &*approval.component)), Some((Approver::Operator, "c")));
        story.output("b", &End::Done);
        assert_eq!(story.next(), Next::AskModel);
    }

    #[test]
    fn a_wait_is_settled_once() {
        let mut story = Story::begun();
        let call = story.call("a", "{}");
        story.replied();
        story.waits(&[call]);
        story.resolved(call, approved(None));
        story.resolved(call, approved(Some("{\"sneaky\":1}")));
        assert_eq!(story.0.turn.as_ref().unwrap().calls[0].input, "{}");
    }

    #[test]
    fn the_model_learns_with_which_arguments_a_person_let_its_call_run() {
        let mut story = Story::begun();
        let call = story.call("a", "{\"path\":\"/\"}");
        story.replied();
        story.waits(&[call]);
        story.resolved(call, approved(Some("{\"path\":1.0}")));
        assert_eq!(story.0.turn.as_ref().unwrap().calls[0].input, "{\"path\":1.0}");
        story.output("a", &End::Done);
        let ItemBody::ToolResult { output, .. } = &story.0.transcript.items.last().unwrap().body else { panic!("a result") };
        assert!(output.contains("\"arguments\":{\"path\":1.0}") && output.contains("a person changed"), "{output}");
        let ItemBody::Assistant { calls, .. } = &story.0.transcript.items[1].body else { panic!("a reply") };
        assert_eq!(calls[0].arguments, "{\"path\":\"/\"}", "what the model asked for stays as it asked");
    }

    #[test]
    fn an_interrupt_ends_the_turn_whatever_is_open() {
        let mut story = Story::begun();
        story.call("a", "{}");
        story.replied();
        story.0.turn.as_mut().unwrap().interrupted = Some(Decider::Server);
        assert_eq!(story.next(), Next::End(HowEnded::Interrupted));
    }

    #[test]
    fn calls_that_cannot_run_end_the_turn_only_when_they_follow_each_other() {
        let mut story = Story::begun();
        for (round, end) in [End::UnknownTool, End::Time(1), End::InvalidInput("x".into())].iter().enumerate() {
            story.call("a", &format!("{{\"n\":{round}}}"));
            story.replied();
            story.output("a", end);
            assert_eq!(story.next(), Next::AskModel, "after {end}");
        }
        let mut story = Story::begun();
        for round in 0..2 {
            story.call("a", &format!("{{\"n\":{round}}}"));
            story.replied();
            story.output("a", &End::UnknownTool);
        }
        assert!(matches!(story.next(), Next::End(HowEnded::Limit(why)) if why.contains("no valid tool call")));
    }

    #[test]
    fn a_model_that_asks_without_end_is_stopped_at_the_named_limit() {
        let mut story = Story::begun();
        for round in 0..4 {
            story.call("a", &format!("{{\"n\":{round}}}"));
            story.replied();
            story.output("a", &End::Done);
        }
        assert!(matches!(story.next(), Next::End(HowEnded::Limit(why)) if why.contains("4 model calls")));
        let mut story = Story::begun();
        for _ in 0..3 {
            story.call("a", "{}");
            story.replied();
            story.output("a", &End::Done);
        }
        assert!(matches!(story.next(), Next::End(HowEnded::Limit(why)) if why.contains("3 times in a row")));
    }

    /// A turn after another one, with this setting and window, whose model counted nothing.
    fn grown(setting: crate::Compaction, window: u64, question: &str) -> Story {
        let mut story = Story::begun();
        story.event(Event::AgentOutput { content: "x".repeat(4_000) });
        story.replied();
        story.mark(Kind::Ended, &Ended { how: HowEnded::Answered, began_at: Millis(1) });
        story.1 = TurnNo(2);
        story.event(Event::InputMessage { messages: vec![Message { content: question.into() }] });
        let began = Began { compaction: Some(setting), window, ..began() };
        story.mark(Kind::Began, &began);
        story
    }

    #[test]
    fn a_conversation_is_compacted_by_estimate_where_nobody_counts_and_never_where_the_window_is_unknown() {
        let setting = crate::Compaction::default;
        assert_eq!(grown(setting(), 1_000, "?").next(), Next::Compact(Seq(5)));
        assert_eq!(grown(setting(), 2_000, "?").next(), Next::AskModel);
        assert_eq!(grown(setting(), 2_000, &"y".repeat(3_000)).next(), Next::Compact(Seq(5)), "what came since counts");
        assert_eq!(grown(setting(), 0, "?").next(), Next::AskModel);
        assert_eq!(grown(crate::Compaction { enabled: false, ..setting() }, 1_000, "?").next(), Next::AskModel);
        assert_eq!(grown(crate::Compaction { keep_recent_inputs: 2, ..setting() }, 1_000, "?").next(), Next::AskModel);
    }

    #[test]
    fn a_failed_summary_is_not_tried_again_and_ends_the_turn_only_where_nothing_fits() {
        let failed = |overflowed: bool| {
            let mut story = grown(crate::Compaction::default(), 1_000, "?");
            let mark = |hopeless| Overflowed { hopeless, why: "w".into(), limit: None, actual: None };
            if overflowed {
                story.mark(Kind::Overflowed, &mark(false));
            }
            story.mark(Kind::Overflowed, &mark(true));
            story.next()
        };
        assert_eq!(failed(false), Next::AskModel);
        assert_eq!(failed(true), Next::End(HowEnded::ContextLimit));
    }

    #[test]
    fn a_summary_never_reaches_into_the_turn_that_is_not_over() {
        let mut story = grown(crate::Compaction::default(), 1_000, "?");
        story.event(Event::InputMessage { messages: vec![Message { content: "and this meanwhile".into() }] });
        assert_eq!(story.next(), Next::Compact(Seq(5)), "though the last input came in its middle");
        let up_to = EventId { session: Uid([1; 16]), seq: Seq(5) };
        story.event(Event::Compaction { turns: 1, events: 2, key: "sum_1".into(), text: "short".into(), up_to: Some(up_to) });
        assert_eq!(story.next(), Next::AskModel);
        assert_eq!(story.0.transcript.items.len(), 3);
    }

    #[test]
    fn a_turn_of_one_call_asks_once_and_ends_with_its_result_whatever_waits_behind_it() {
        let mut story = Story(State::default(), TurnNo(1));
        let purpose = Purpose::Call { name: "c".into(), tool: tool::ToolId::client("t"), arguments: "{}".into() };
        story.mark(Kind::Began, &Began { purpose, ..began() });
        let principal = Principal {
            tenant: Uid([3; 16]),
            tenant_name: "t".into(),
            key: Uid([2; 16]),
            subject: None,
            role: policy::Role::Owner,
            agents: None,
        };
        let messages = vec![Message { content: "hi".into() }];
        story.0.inbox.push_back(Queued { no: 1, behavior: Behavior::Steer, messages, principal, input_hash: String::new(), repeat: None });
        assert_eq!(story.next(), Next::AskModel);
        let call = story.call("a", "{}");
        story.replied();
        assert_eq!(story.next(), Next::CallTools(vec![call]));
        story.output("a", &End::UnknownTool);
        assert_eq!(story.next(), Next::End(HowEnded::Answered));
    }

    #[test]
    fn a_correction_is_no_input() {
        let mut story = grown(crate::Compaction::default(), 1_000, "?");
        story.mark(Kind::Corrected, &Corrected { text: "no".into(), fault: "not JSON".into() });
        story.replied();
        assert_eq!(story.next(), Next::Compact(Seq(5)));
    }
}
