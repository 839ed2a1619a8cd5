//! Making a conversation shorter: a summary in the place of what was said so far.

use session::{Event, Kind, Overflowed, Seq};
use storage::When;

use crate::task::{Draft, Stopped, Task};

/// Makes a summary of the conversation up to an entry.
pub(crate) async fn compact(task: &mut Task, _up_to: Seq) -> Result<(), Stopped> {
    let overflow = task.state.turn.as_ref().and_then(|turn| turn.overflow.clone());
    let why = overflow.as_ref().map_or_else(|| "the conversation could not be summarised".into(), |overflow| overflow.why.clone());
    let (limit, actual) = overflow.map_or((None, None), |overflow| (overflow.limit, overflow.actual));
    let mut draft = Draft::default();
    draft.mark(Kind::Overflowed, &Overflowed { hopeless: true, why, limit, actual });
    let step = task.state.turn.as_ref().map_or(0, |turn| turn.steps);
    task.append(draft, step, When::WithNext).await
}

/// That the conversation no longer fits the model's window, as clients are told.
pub(crate) fn limit_exceeded(task: &Task) -> Event {
    let overflow = task.state.turn.as_ref().and_then(|turn| turn.overflow.as_ref());
    let message = "The conversation no longer fits the model's context window; start a new session or shorten the input.";
    Event::ContextLimitExceeded {
        message: message.into(),
        limit: overflow.and_then(|overflow| overflow.limit),
        actual: overflow.and_then(|overflow| overflow.actual),
    }
}
