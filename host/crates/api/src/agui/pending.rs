//! What waits on a thread when a run is asked for, and what the client says about it.

use session::{EventId, Session, Uid};
use tool::Approver;

use super::input::{Answers, Protocol};
use crate::App;
use crate::conversations::{Resume, Word, first_told};
use crate::errors::{Code, Error, Result};

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The session behind the thread, if there is one.
    session: Option<Uid>,
    /// Calls that a person has to allow, in their order.
    approvals: Vec<(EventId, Approver)>,
    /// Calls that the client runs, by their ids.
    calls: Vec<String>,
}

impl Pending {
    /// That of a session.
    pub(super) fn of(app: &App, session: &Session) -> Result<Self> {
        let approvals = app.engine.approvals(session)?.iter().map(|approval| (approval.event, approval.approver)).collect();
        let calls = app.engine.client_calls(session)?.into_iter().map(|call| call.name.id.to_string()).collect();
        Ok(Self { session: Some(session.uid), approvals, calls })
    }

    /// The answers as conversations take them; inside, the id of an interrupt that the client has to answer first.
    pub(super) fn resume(&self, protocol: Protocol, answers: Answers) -> Result<Result<Vec<Resume>, String>> {
        let mut resume = answers.named;
        if let (Some(payload), true) = (answers.bare, resume.is_empty()) {
            let interrupt = self.told().ok_or_else(|| {
                let why = "no interrupt waits for an answer on this thread";
                Error::field("forwardedProps.command.resume", why).with(Code::InterruptNotFound)
            })?;
            resume.push(Resume { interrupt: interrupt.to_string(), word: Word::Payload(payload) });
        }
        let unanswered = self.told().map(|event| event.to_string()).filter(|id| resume.iter().all(|resume| resume.interrupt != *id));
        if let (Protocol::One, Some(id), true) = (protocol, unanswered, self.is_for_the_client()) {
            return Ok(Err(id));
        }
        // What waits no more needs no answer: that is how a client gets past what somebody else or time has settled.
        resume.retain(|resume| self.settled_call(&resume.interrupt).is_none());
        Ok(Ok(resume))
    }

    /// The first call among those answered that was settled before.
    pub(super) fn settled(&self, answers: &Answers) -> Option<EventId> {
        answers.named.iter().filter_map(|resume| self.settled_call(&resume.interrupt)).min_by_key(|event| event.seq)
    }

    /// The call of an interrupt of this thread that waits no more.
    fn settled_call(&self, interrupt: &str) -> Option<EventId> {
        let event = EventId::parse(interrupt).filter(|event| Some(event.session) == self.session)?;
        (!self.waits(interrupt)).then_some(event)
    }

    /// The one that the client was told of.
    fn told(&self) -> Option<EventId> {
        first_told(&self.approvals)
    }

    fn is_for_the_client(&self) -> bool {
        self.approvals.iter().any(|(_, approver)| *approver == Approver::Client)
    }

    fn waits(&self, interrupt: &str) -> bool {
        self.calls.iter().any(|call| call == interrupt) || self.approvals.iter().any(|(event, _)| event.to_string() == interrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::Seq;

    fn event(seq: u64) -> EventId {
        EventId { session: Uid([1; 16]), seq: Seq(seq) }
    }

    fn pending(approvals: &[(u64, Approver)]) -> Pending {
        let approvals = approvals.iter().map(|(seq, approver)| (event(*seq), *approver)).collect();
        Pending { session: Some(Uid([1; 16])), approvals, calls: vec!["call_9".into()] }
    }

    fn named(interrupt: String, word: Word) -> Answers {
        Answers { named: vec![Resume { interrupt, word }], bare: None }
    }

    #[test]
    fn a_client_of_the_first_version_answers_what_it_was_told_of_and_earlier_ones_may_go_on() {
        let waiting = pending(&[(3, Approver::Operator), (4, Approver::Client)]);
        assert_eq!(waiting.resume(Protocol::One, Answers::default()).unwrap(), Err(event(4).to_string()));
        assert_eq!(waiting.resume(Protocol::Before, Answers::default()).unwrap(), Ok(Vec::new()));
        let payload = Word::Payload("true".into());
        let answered = waiting.resume(Protocol::One, named(event(4).to_string(), payload)).unwrap().unwrap();
        assert_eq!(answered.len(), 1);
        let of_the_operator = pending(&[(3, Approver::Operator)]);
        assert_eq!(of_the_operator.resume(Protocol::One, Answers::default()).unwrap(), Ok(Vec::new()));
    }

    #[test]
    fn an_answer_without_a_name_is_for_the_interrupt_that_was_told() {
        let bare = || Answers { named: Vec::new(), bare: Some("true".into()) };
        let resume = pending(&[(3, Approver::Operator), (4, Approver::Client)]).resume(Protocol::Before, bare()).unwrap().unwrap();
        assert_eq!(resume[0], Resume { interrupt: event(4).to_string(), word: Word::Payload("true".into()) });
        assert_eq!(Pending::default().resume(Protocol::Before, bare()).unwrap_err().code(), Code::InterruptNotFound);
    }

    #[test]
    fn what_waits_no_more_needs_no_answer() {
        let cancelled = || named(event(4).to_string(), Word::Cancelled);
        assert_eq!(pending(&[(4, Approver::Client)]).resume(Protocol::One, cancelled()).unwrap().unwrap().len(), 1);
        let over = pending(&[]);
        assert_eq!(over.resume(Protocol::One, cancelled()).unwrap(), Ok(Vec::new()));
        assert_eq!(over.settled(&cancelled()), Some(event(4)));
        let approved = named(event(4).to_string(), Word::Payload("true".into()));
        assert_eq!((over.settled(&approved), over.resume(Protocol::One, approved).unwrap()), (Some(event(4)), Ok(Vec::new())));
        let foreign = EventId { session: Uid([2; 16]), seq: Seq(4) };
        assert_eq!(over.settled(&named(foreign.to_string(), Word::Cancelled)), None);
    }
}
