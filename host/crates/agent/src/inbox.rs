//! Inputs that wait for their turn: taken in durably while one runs, and entering it or following it.

use std::collections::VecDeque;

use session::{Event, Queued, Uid};
use storage::{InboxChange, Journal, When};

use crate::error::Error;
use crate::task::{Draft, Stopped, Task};

/// What waits for a session, from the store.
pub(crate) fn waiting(journal: &dyn Journal, session: Uid) -> Result<VecDeque<Queued>, Error> {
    let read = |row: storage::InboxRow| serde_json::from_slice(&row.body).map_err(|e| Error::Damaged(session, e.to_string()));
    journal.inbox(session)?.into_iter().map(read).collect()
}

/// A queued input enters the turn that runs: the model sees it with its next call.
pub(crate) fn steer(task: &mut Task, no: u64) -> Result<(), Stopped> {
    let Some(at) = task.state.inbox.iter().position(|queued| queued.no == no) else { return Ok(()) };
    let Some(queued) = task.state.inbox.remove(at) else { return Ok(()) };
    let mut draft = Draft { inbox: vec![InboxChange::Remove(no)], ..Draft::default() };
    draft.event(Event::InputMessage { messages: queued.messages });
    let step = task.state.turn.as_ref().map_or(0, |turn| turn.steps);
    task.submit(draft, step, When::WithNext)
}
