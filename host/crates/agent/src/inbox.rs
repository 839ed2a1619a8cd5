//! Inputs that wait for their turn: taken in durably while one runs, and entering it or following it.

use session::Event;
use storage::When;

use crate::task::{Draft, Stopped, Task};

/// A queued input enters the turn that runs: the model sees it with its next call.
pub(crate) fn steer(task: &mut Task, no: u64) -> Result<(), Stopped> {
    let Some(at) = task.state.inbox.iter().position(|queued| queued.no == no) else { return Ok(()) };
    let Some(queued) = task.state.inbox.remove(at) else { return Ok(()) };
    let mut draft = Draft::default();
    draft.event(Event::InputMessage { messages: queued.messages });
    let step = task.state.turn.as_ref().map_or(0, |turn| turn.steps);
    task.submit(draft, step, When::WithNext)
}
