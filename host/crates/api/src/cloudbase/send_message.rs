//! `POST /v1/aibot/bots/{AgentId}/send-message`: words of the user, outputs of client tools and answers to interrupts go in,
//! frames of the turn come out. All that can be wrong with a request is found before the 200.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri, Version};

use policy::Action;
use session::Agent;

use super::body::Sent;
use super::dialect::Protocol;
use super::frames::{Frames, Legacy, Manner};
use crate::App;
use crate::body::ExactBody;
use crate::caller::{Caller, Segments};
use crate::conversations::{self, Begun, Place, Posted, Rule, named};
use crate::errors::{Code, Error, Result};
use crate::following::{Following, Leaving, cut, deadline};
use crate::front::Seen;
use crate::operation::{Answer, Method, Operation, Query};
use crate::page::Params;
use crate::{agui, repeats, sse};

pub(crate) static SEND: Operation = Operation {
    id: "sendMessage",
    method: Method::Post,
    path: "/v1/aibot/bots/{agent_id}/send-message",
    summary: "Say something in a conversation, or answer what waits there, and get the events of the turn as a stream",
    action: Some(Action::PostEvent),
    query: &[Query::Thinking],
    body: Some("SendMessageRequest"),
    answer: Answer::Stream("BotEvent"),
};

/// What a request is made of beside its body.
pub(crate) struct Request {
    app: Arc<App>,
    caller: Caller,
    agent: Arc<Agent>,
    seen: Seen,
    headers: HeaderMap,
    version: Version,
}

#[expect(clippy::too_many_arguments, reason = "each is a part of the request that axum takes out of it")]
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(agent_id): Segments<String>,
    Extension(seen): Extension<Seen>,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    body: ExactBody,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent_id)?;
    let thinking = Params::of(&uri)?.flag("thinking")?;
    let request = Request { app, caller, agent, seen, headers, version };
    let (sent, legacy) = match Protocol::of(&body.members) {
        Protocol::AgKit => (Sent::read(&body.members, &body.text)?, None),
        Protocol::Legacy => (Sent::read_legacy(&body.members)?, Some(Legacy::default())),
        Protocol::AgUi => {
            let Request { app, caller, agent, headers, version, .. } = request;
            return agui::run(agui::Request { app, caller, agent, headers, version }, &body).await;
        }
        Protocol::Acp => {
            return Err(unsupported(
                "JSON-RPC (the Agent Client Protocol) is not spoken here; post `messages`, or AG-UI's `threadId` and `messages`",
            ));
        }
    };
    let thinking = thinking.unwrap_or(sent.thinking);
    answer(request, sent, thinking, legacy).await
}

fn unsupported(why: &str) -> Error {
    Error::new(Code::UnsupportedProtocol, why)
}

/// Hands over what was sent, and answers with what comes of it.
async fn answer(request: Request, sent: Sent, thinking: bool, legacy: Option<Legacy>) -> Result<Response> {
    let Request { app, caller, agent, seen, headers, version } = request;
    let place = sent.conversation.as_deref().unwrap_or("send-message");
    let repeat = repeats::named(&headers, &caller.0, &agent.key, place)?;
    let id = sent.conversation.unwrap_or_else(|| app.conversations.made_up(&agent, &caller.0, repeat.as_ref()));
    let posted = Posted {
        id: id.clone(),
        messages: sent.messages,
        rule: Rule::Prefix,
        resume: sent.resume.into_iter().collect(),
        settled: None,
        tools: sent.tools,
        instructions: None,
        repeat,
    };
    let Begun { session, watcher, answered } = conversations::ask(&app, &caller, &agent, posted).await?;
    // From here on a client that is gone has left a turn.
    let leaving = Leaving::of(&app, &session, &caller.0, &watcher);
    let manner = Manner { request_id: seen.id(), thinking, legacy };
    let frames = Frames::new(Place { app: app.clone(), session: session.clone() }, manner, answered);
    let following = Following::new(watcher, frames, cut(&app, caller.0.key, None)).leaving(leaving);
    Ok(named(sse::frames(following.begun(&app, &session, deadline(None)).await?, version), &id))
}
