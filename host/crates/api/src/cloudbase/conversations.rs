//! A caller's conversations with an agent: begin, list, rename and end them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use agent::NewSession;
use policy::Action;
use session::{Agent, Kind, Seq, Session};

use super::query::Wishes;
use super::records::words;
use crate::App;
use crate::body::JsonBody;
use crate::caller::{Caller, Segments};
use crate::conversations::{UNTITLED, find, get, id_of, open};
use crate::errors::Result;
use crate::fields::Fields;
use crate::limits::{PAGE, SCAN};
use crate::operation::{Answer, Form, Method, Operation, Parameter, Query};
use crate::reply;

/// Characters of a title: those of a session's name.
const TITLE: usize = 255;

/// Characters of a title that is read from the first words of the user.
const FIRST_WORDS: usize = 60;

/// Events among which the first words are looked for: a summary may stand before them, and what others hid is not there.
const FIRST_EVENTS: usize = 4;

pub(crate) static CREATE: Operation = Operation {
    id: "createConversation",
    method: Method::Post,
    path: "/v1/aibot/bots/{agent_id}/conversation",
    summary: "Begin a conversation with a bot, and get its id; a message under a new id of the client's own does so too",
    action: Some(Action::CreateSession),
    query: &[],
    body: Some("ConversationRequest"),
    answer: Answer::Created("Conversation"),
};

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(agent): Segments<String>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent)?;
    let title = Fields::of_body(&body).text("title", 0..=TITLE)?.filter(|title| !title.trim().is_empty());
    let id = app.conversations.made_up(&agent, &caller.0, None);
    let session = open(&app, &caller, &agent, &id, title.unwrap_or(UNTITLED)).await?;
    Ok(reply::json(StatusCode::CREATED, &written(&app, &session)?))
}

pub(crate) static LIST: Operation = Operation {
    id: "listConversations",
    method: Method::Get,
    path: "/v1/aibot/bots/{agent_id}/conversation",
    summary: "List the caller's own conversations with a bot, newest first; `total` counts those shown or left out, and one more if there is one",
    action: Some(Action::ReadSession),
    query: &[
        Query::Limit(10),
        Query::Of(&Parameter { name: "offset", form: Form::Whole, text: "How many to leave out first." }),
        Query::Of(&Parameter {
            name: "isDefault",
            form: Form::Flag,
            text: "With `true` the list is empty: every conversation has an id of its own here, and none is the default.",
        }),
    ],
    body: None,
    answer: Answer::Ok("ConversationList"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, Segments(agent): Segments<String>, uri: Uri) -> Result<Response> {
    let agent = caller.agent(&app, &agent)?;
    let wishes = Wishes::of(&uri)?;
    let part = wishes.slice()?;
    // One more than is shown tells that there are more.
    let own = match wishes.flag("isDefault")? {
        Some(true) => Vec::new(),
        Some(false) | None => own(&app, &caller, &agent, part.end().saturating_add(1)).await?,
    };
    let data = part.of(&own).map(|session| written(&app, session)).collect::<Result<Vec<Value>>>()?;
    Ok(reply::json(StatusCode::OK, &json!({ "data": data, "total": own.len() })))
}

pub(crate) static UPDATE: Operation = Operation {
    id: "updateConversation",
    method: Method::Patch,
    path: "/v1/aibot/bots/{agent_id}/conversation/{conversation_id}",
    summary: "Rename a conversation of the caller's own",
    // Who may begin one may name and end it: nobody reaches another one's here.
    action: Some(Action::CreateSession),
    query: &[],
    body: Some("ConversationRequest"),
    answer: Answer::Ok("Count"),
};

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent, id)): Segments<(String, String)>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent)?;
    let session = of_path(&app, &caller, &agent, &id)?;
    if let Some(title) = Fields::of_body(&body).text("title", 1..=TITLE)? {
        let renamed = NewSession { name: title.to_owned(), ..as_it_is(&session) };
        app.engine.update_session(&agent, &session, renamed).await?;
    }
    Ok(reply::json(StatusCode::OK, &json!({ "count": 1 })))
}

pub(crate) static DELETE: Operation = Operation {
    id: "deleteConversation",
    method: Method::Delete,
    path: "/v1/aibot/bots/{agent_id}/conversation/{conversation_id}",
    summary: "Delete a conversation of the caller's own",
    action: Some(Action::CreateSession),
    query: &[],
    body: None,
    answer: Answer::Ok("Count"),
};

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent, id)): Segments<(String, String)>,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent)?;
    let session = of_path(&app, &caller, &agent, &id)?;
    app.engine.delete_session(&session).await?;
    Ok(reply::json(StatusCode::OK, &json!({ "count": 1 })))
}

/// The conversation that a path names. A slash at its end may belong to the id, or be one of those that clients add.
fn of_path(app: &App, caller: &Caller, agent: &Agent, id: &str) -> Result<Arc<Session>> {
    match (id.strip_suffix('/'), find(app, caller, agent, id)?) {
        (_, Some(session)) => Ok(session),
        (shorter, None) => get(app, caller, agent, shorter.unwrap_or(id)),
    }
}

/// The conversations that the caller itself began with an agent, the newest first, at most so many. Looks at no more
/// sessions than one list may cost.
pub(super) async fn own(app: &App, caller: &Caller, agent: &Agent, most: usize) -> Result<Vec<Session>> {
    let (mut own, mut before, mut seen) = (Vec::new(), None, 0);
    while seen < SCAN && own.len() < most {
        let sessions = app.engine.latest_sessions(agent, before, PAGE)?;
        before = sessions.last().map(|session| session.uid);
        seen += sessions.len();
        let last = sessions.len() < PAGE;
        let his = |session: &Session| !session.unlisted && caller.0.is(session.owner_key, session.owner_subject.as_deref());
        own.extend(sessions.into_iter().filter(his));
        if last {
            break;
        }
        tokio::task::yield_now().await;
    }
    own.truncate(most);
    Ok(own)
}

fn written(app: &App, session: &Session) -> Result<Value> {
    let last = app.engine.head(session)?.last_at.max(session.created_at);
    Ok(json!({
        "conversationId": id_of(session),
        "title": title(app, session)?,
        "createTime": session.created_at.rfc3339(),
        "updateTime": last.rfc3339(),
    }))
}

/// What a conversation is called: what somebody named it, else the first words that are still there.
fn title(app: &App, session: &Session) -> Result<String> {
    if session.name != UNTITLED {
        return Ok(session.name.clone());
    }
    let first = app.engine.events(session, Seq(1), FIRST_EVENTS, false)?.page.entries;
    let said = first.iter().find(|entry| entry.kind == Kind::InputMessage).and_then(words);
    Ok(said.map(|said| in_one_line(&said)).filter(|line| !line.is_empty()).unwrap_or_else(|| UNTITLED.to_owned()))
}

fn in_one_line(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= FIRST_WORDS {
        return line;
    }
    line.chars().take(FIRST_WORDS - 1).chain(['…']).collect()
}

/// What clients may change about a session, unchanged.
fn as_it_is(session: &Session) -> NewSession {
    NewSession {
        key: session.key.clone(),
        name: session.name.clone(),
        description: session.description.clone(),
        metadata: session.metadata.clone(),
        enabled: session.enabled,
        tti_minutes: session.tti_minutes,
        secrets: session.secrets.clone(),
        conversation: session.conversation.clone(),
        unlisted: session.unlisted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_words_in_one_line() {
        assert_eq!(in_one_line(" Weather\n in  Shenzhen? "), "Weather in Shenzhen?");
        assert_eq!(in_one_line(&"é".repeat(FIRST_WORDS + 1)).chars().count(), FIRST_WORDS);
        assert_eq!(in_one_line(&"é".repeat(FIRST_WORDS)).chars().last(), Some('é'));
    }
}
