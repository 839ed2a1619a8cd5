//! Chat completions: one turn of an agent for each.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Version};
use serde_json::Map;
use sha2::{Digest, Sha256};

use agent::{Clock, Follow, Input, NewSession, Watcher};
use policy::Action;
use session::{Agent, Purpose, Secrets};

use super::answer::{Head, whole};
use super::chunks::Chunks;
use super::models::named;
use super::read::{Form, Posted};
use super::telling::Asked;
use crate::App;
use crate::body::ExactBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::following::{Following, Leaving, cut, deadline};
use crate::operation::{Answer, Method, Operation};
use crate::{reply, sse};

/// Minutes that the session of a request is kept for who looks into what happened.
const KEPT_MINUTES: u64 = 60;

pub(crate) static CREATE: Operation = Operation {
    id: "createChatCompletion",
    method: Method::Post,
    path: "/v1/chat/completions",
    summary: "Have an agent answer a conversation, in one piece or as a stream",
    action: Some(Action::PostEvent),
    query: &[],
    body: Some("CreateChatCompletionRequest"),
    answer: Answer::OkOrStream("ChatCompletion"),
};

pub(crate) async fn create(State(app): State<Arc<App>>, caller: Caller, version: Version, body: ExactBody) -> Result<Response> {
    let posted = Posted::read(&body, app.limits.message_bytes)?;
    let Some(model) = posted.model.clone() else {
        return Err(Error::field("model", "`model` is required: the key of an agent; GET /v1/models lists those that there are"));
    };
    let agent = named(&app, &caller, &model)?;
    complete(&app, &caller, Wanted { agent, model, posted, hash: Sha256::digest(&body.text).into() }, version).await
}

pub(crate) static CREATE_WITH_BOT: Operation = Operation {
    id: "createBotChatCompletion",
    method: Method::Post,
    path: "/v1/aibot/bots/{agent_id}/openai/chat/completions",
    summary: "The same for the agent of the path, whatever the body calls it",
    action: Some(Action::PostEvent),
    query: &[],
    body: Some("CreateChatCompletionRequest"),
    answer: Answer::OkOrStream("ChatCompletion"),
};

pub(crate) async fn create_with_bot(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(agent_id): Segments<String>,
    version: Version,
    body: ExactBody,
) -> Result<Response> {
    let posted = Posted::read(&body, app.limits.message_bytes)?;
    let agent = named(&app, &caller, &agent_id)?;
    let model = posted.model.clone().unwrap_or(agent_id);
    complete(&app, &caller, Wanted { agent, model, posted, hash: Sha256::digest(&body.text).into() }, version).await
}

/// What a request asks for, and of whom.
struct Wanted {
    agent: Arc<Agent>,
    /// The agent as the client calls it.
    model: String,
    posted: Posted,
    hash: [u8; 32],
}

async fn complete(app: &Arc<App>, caller: &Caller, wanted: Wanted, version: Version) -> Result<Response> {
    caller.check(Action::CreateSession, true)?;
    let random = data_encoding::HEXLOWER.encode(&Clock.random::<16>());
    let head = Head { id: format!("chatcmpl-{random}"), created: Clock.now().0 / 1_000, model: wanted.model.clone() };
    let form = wanted.posted.form;
    let (asked, watcher, mut leaving) = begin(app, caller, wanted, format!("chat_{random}")).await?;
    match form {
        Form::Whole => {
            let revoked = app.keyring.clone().until_revoked(caller.0.key);
            let answer = tokio::select! {
                answer = whole(&asked, watcher, &head) => answer?,
                () = revoked => return Err(Error::new(Code::Unauthorized, "the API key of this request was revoked meanwhile")),
            };
            leaving.iter_mut().for_each(Leaving::arrived);
            Ok(reply::json(StatusCode::OK, &answer))
        }
        Form::Stream { usage } => {
            let session = asked.session.clone();
            let following = Following::new(watcher, Chunks::new(asked, head, usage), cut(app, caller.0.key, None)).leaving(leaving);
            Ok(sse::frames(following.begun(app, &session, deadline(None)).await?, version))
        }
    }
}

/// Begins the turn, in a session of its own, with what stops it if its client goes away.
async fn begin(app: &Arc<App>, caller: &Caller, wanted: Wanted, key: String) -> Result<(Asked, Watcher, Option<Leaving>)> {
    let Wanted { agent, posted, hash, .. } = wanted;
    let new = NewSession {
        name: key.clone(),
        key,
        description: None,
        metadata: Map::new(),
        enabled: true,
        tti_minutes: KEPT_MINUTES,
        secrets: Secrets::default(),
        conversation: None,
        unlisted: true,
    };
    let session = app.engine.create_session(&agent, &caller.0, new).await?;
    let Posted { messages, brought, form, .. } = posted;
    let follow = match form {
        Form::Whole => Follow::Entries,
        Form::Stream { .. } => Follow::Text,
    };
    // Nobody else has this session: whoever goes away leaves it, also while the turn is not there yet, or pauses.
    let mut leaving = Leaving::of_session(app, &session, &caller.0);
    let (purpose, repeat, queue, unless_left) = (Purpose::Answer, None, None, false);
    let input = Input { messages, purpose, hash, repeat, follow, queue, brought, unless_left };
    match app.engine.post(agent, session.clone(), &caller.0, input).await {
        Ok(watcher) => Ok((Asked { app: app.clone(), session, principal: caller.0.clone() }, watcher, leaving)),
        Err(error) => {
            leaving.iter_mut().for_each(Leaving::arrived);
            if let Err(error) = app.engine.delete_session(&session).await {
                tracing::warn!(session.uid = %session.uid, %error, "the session of a refused request stays until it has idled");
            }
            Err(error.into())
        }
    }
}
