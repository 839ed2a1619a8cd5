//! AG-UI, the Agent-User Interaction protocol, as versions 0.0.x and 1.0 of its clients speak it: a thread is a
//! conversation, a run what one request makes of it. `send-message` hands its AG-UI bodies on to [`run`].
//!
//! A client posts all that was said each time; what the session has is known. Its `state` is not kept.

mod events;
mod frames;
mod input;
mod pending;
pub(crate) mod schemas;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body_util::Full;

use agent::Clock;
use policy::Action;
use session::Agent;

use crate::App;
use crate::body::ExactBody;
use crate::caller::{Caller, Segments};
use crate::conversations::{self, Begun, Place, Posted, Rule, named};
use crate::errors::Result;
use crate::following::{Following, Leaving, cut, deadline};
use crate::operation::{Answer, Method, Operation};
use crate::{repeats, sse};

use frames::{Frames, Run, refused};
use input::Input;
use pending::Pending;

pub(crate) static RUN: Operation = Operation {
    id: "runAgui",
    method: Method::Post,
    path: "/v1/agui/{agent_id}",
    summary: "Run an agent on a thread, as clients of AG-UI do, and get the events of the run as a stream",
    action: Some(Action::PostEvent),
    query: &[],
    body: Some("RunAgentInput"),
    answer: Answer::Stream("AguiEvent"),
};

/// A request for a run, beside its body.
pub(crate) struct Request {
    pub(crate) app: Arc<App>,
    pub(crate) caller: Caller,
    pub(crate) agent: Arc<Agent>,
    pub(crate) headers: HeaderMap,
    pub(crate) version: Version,
}

pub(crate) async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(agent): Segments<String>,
    version: Version,
    headers: HeaderMap,
    body: ExactBody,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent)?;
    run(Request { app, caller, agent, headers, version }, &body).await
}

/// Runs an agent on what was posted.
pub(crate) async fn run(request: Request, body: &ExactBody) -> Result<Response> {
    let Request { app, caller, agent, headers, version } = request;
    let Input { thread, run, protocol, messages, tools, instructions, answers } = Input::read(&body.members, &body.text)?;
    let repeat = repeats::named(&headers, &caller.0, &agent.key, thread.as_deref().unwrap_or("agui"))?;
    let thread = thread.unwrap_or_else(|| app.conversations.made_up(&agent, &caller.0, repeat.as_ref()));
    let run = Run { run: run.unwrap_or_else(|| new_id("run")), thread, protocol, ids: new_id("msg") };

    let pending = match conversations::find(&app, &caller, &agent, &run.thread)? {
        Some(session) => Pending::of(&app, &session)?,
        None => Pending::default(),
    };
    let settled = pending.settled(&answers);
    let resume = match pending.resume(protocol, answers)? {
        Ok(resume) => resume,
        Err(unanswered) => {
            let stream = sse::frames(Full::new(Bytes::from(refused(&run, &unanswered))), version);
            return Ok(named(stream, &run.thread));
        }
    };
    let posted = Posted { id: run.thread.clone(), messages, rule: Rule::Known, resume, settled, tools, instructions, repeat };
    let Begun { session, watcher, answered } = conversations::ask(&app, &caller, &agent, posted).await?;
    // From here on a client that is gone has left a turn.
    let leaving = Leaving::of(&app, &session, &caller.0, &watcher);
    let thread = run.thread.clone();
    let frames = Frames::new(Place { app: app.clone(), session: session.clone() }, run, answered);
    let following = Following::new(watcher, frames, cut(&app, caller.0.key, None)).leaving(leaving);
    let stream = sse::frames(following.begun(&app, &session, deadline(None)).await?, version);
    Ok(named(stream, &thread))
}

/// An id that no other has.
fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", data_encoding::BASE32_DNSSEC.encode(&Clock.random::<10>()))
}
