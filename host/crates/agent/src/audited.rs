//! What the audit log gets of a batch. It is derived from the lines that the
//! journal gets, so that none of them is without the other.

use session::{Awaited, Event, Millis, Seq, TurnNo, Uid};

use crate::call;
use crate::task::{Line, Task};

/// The rows for one line of a batch; none for most.
pub(crate) fn rows(task: &Task, line: &Line, turn: TurnNo, at: Millis) -> Vec<Vec<u8>> {
    if !matches!(line, Line::Event(Event::ToolOutput { .. }) | Line::Waiting(_) | Line::Resolved(_)) {
        return Vec::new();
    }
    let named = match &task.prepared {
        Some(prepared) => prepared.caller.clone(),
        // Of a turn that is given up, or whose wait has expired.
        None => task.engine.named(&task.session),
    };
    let key = task.state.turn.as_ref().map_or(Uid([0; 16]), |turn| turn.began.key);
    let place = audit::Place { tenant: &named.tenant, agent: &named.agent, session: &task.session.key, turn, key };
    let id = |asked| call::id(task.session.uid, asked);
    match line {
        Line::Event(Event::ToolOutput { receipt, .. }) => audit::Record::Call { place, receipt }.rows(at),
        Line::Waiting(waiting) => {
            let asked = |wait: &session::Wait| audit::Record::Asked { place, call: &id(wait.call), wait }.rows(at);
            waiting.waits.iter().filter(|wait| wait.approver().is_some()).flat_map(asked).collect()
        }
        // What the client runs itself needs nobody's approval; its call has a line of its own.
        Line::Resolved(resolved) if is_client(task, resolved.call) => Vec::new(),
        Line::Resolved(resolved) => audit::Record::Settled { place, call: &id(resolved.call), resolved }.rows(at),
        Line::Event(_) | Line::Mark(..) => Vec::new(),
    }
}

/// Whether the call at this position waits for the client to run it.
fn is_client(task: &Task, call: Seq) -> bool {
    let mut calls = task.state.turn.iter().flat_map(|turn| &turn.calls);
    let wait = calls.find(|asked| asked.seq == call).and_then(|call| call.wait.as_ref());
    wait.is_some_and(|wait| wait.awaited == Awaited::Client)
}
