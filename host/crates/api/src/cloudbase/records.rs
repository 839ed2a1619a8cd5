//! What was said in conversations, as chat windows show it: the words of the user and the answers, each a record whose id
//! is its event's.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use policy::Action;
use session::{Agent, Entry, EventId, Kind, Millis, Seq, Session, StoredEvent, TurnNo};

use super::conversations::own;
use super::query::{PAGE_NUMBER, PAGE_SIZE, Wishes};
use crate::App;
use crate::caller::{Caller, Segments};
use crate::conversations::{checked, get, id_of};
use crate::errors::Result;
use crate::operation::{Answer, Form, Method, Operation, Parameter, Query};
use crate::reply;

/// Positions that are read for one request, marks counted, from the end of a conversation back: a window shows what was
/// said last, and one request must not read a journal without end.
const POSITIONS: u64 = 10_000;

/// Conversations that are looked into where none is named.
const CONVERSATIONS: usize = 100;

/// Events that are read at once; other requests are served between two pages.
const PAGE: usize = 200;

pub(crate) static LIST: Operation = Operation {
    id: "listRecords",
    method: Method::Get,
    path: "/v1/aibot/bots/{agent_id}/records",
    summary: "List what was said in a conversation, or in the caller's own conversations with a bot",
    action: Some(Action::ReadSession),
    query: &[
        Query::Of(&Parameter {
            name: "sort",
            form: Form::Words(&["asc", "desc"]),
            text: "By time; the newest first unless it says `asc`.",
        }),
        PAGE_SIZE,
        PAGE_NUMBER,
        Query::Of(&Parameter { name: "conversationId", form: Form::Text, text: "Only this conversation." }),
    ],
    body: None,
    answer: Answer::Ok("RecordList"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, Segments(agent): Segments<String>, uri: Uri) -> Result<Response> {
    let agent = caller.agent(&app, &agent)?;
    let wishes = Wishes::of(&uri)?;
    let (page, sort) = (wishes.page()?, wishes.word("sort", &["asc", "desc"])?);
    let mut records = match wishes.text("conversationId") {
        Some(id) => {
            let session = get(&app, &caller, &agent, checked(id, "conversationId")?)?;
            of_session(&app, &session, POSITIONS).await?
        }
        None => of_all(&app, &caller, &agent).await?,
    };
    records.sort_by_key(|record| (record.at, record.id));
    if sort != Some("asc") {
        records.reverse();
    }
    let total = records.len();
    let written: Vec<Value> = page.of(&records).map(|record| record.written(&agent)).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "recordList": written, "total": total })))
}

/// The records of the caller's conversations, the newest conversations first until enough was read.
async fn of_all(app: &App, caller: &Caller, agent: &Agent) -> Result<Vec<Said>> {
    let (mut records, mut left) = (Vec::new(), POSITIONS);
    for session in own(app, caller, agent, CONVERSATIONS).await? {
        let last = app.engine.head(&session)?.last.0;
        records.extend(of_session(app, &session, left).await?);
        left = left.saturating_sub(last.min(left));
        if left == 0 {
            break;
        }
    }
    Ok(records)
}

/// A record.
struct Said {
    id: EventId,
    at: Millis,
    role: &'static str,
    content: String,
    reply_to: Option<EventId>,
    conversation: Arc<str>,
}

async fn of_session(app: &App, session: &Session, positions: u64) -> Result<Vec<Said>> {
    let last = app.engine.head(session)?.last;
    let mut from = Seq((last.0 + 1).saturating_sub(positions).max(1));
    let (mut records, mut questions) = (Vec::new(), HashMap::new());
    let conversation: Arc<str> = id_of(session).into();
    loop {
        let page = app.engine.events(session, from, PAGE, false)?.page;
        records.extend(page.entries.iter().filter_map(|entry| said(session, entry, &conversation, &mut questions)));
        match page.entries.last().filter(|_| page.more) {
            Some(last) => from = last.seq.next(),
            None => return Ok(records),
        }
        tokio::task::yield_now().await;
    }
}

/// The record of an event, if it is one; `questions` are the words that each turn answers.
fn said(session: &Session, entry: &Entry, conversation: &Arc<str>, questions: &mut HashMap<TurnNo, EventId>) -> Option<Said> {
    let id = EventId { session: session.uid, seq: entry.seq };
    let (role, reply_to) = match entry.kind {
        Kind::InputMessage => {
            questions.insert(entry.turn, id);
            ("user", None)
        }
        Kind::AgentOutput | Kind::StructuredOutput => ("assistant", questions.get(&entry.turn).copied()),
        Kind::Thinking | Kind::ToolInput | Kind::ToolOutput | Kind::Compaction | Kind::ContextLimitExceeded => return None,
        Kind::SessionInterrupted | Kind::ClientToolPending | Kind::Tombstone => return None,
        Kind::Began | Kind::Reply | Kind::Receipt | Kind::Ended | Kind::Corrected | Kind::Overflowed | Kind::Steered => return None,
        Kind::Waiting | Kind::Paused | Kind::Resumed | Kind::Resolved => return None,
    };
    Some(Said { id, at: entry.at, role, content: words(entry)?, reply_to, conversation: conversation.clone() })
}

/// What an event says, if it is words of the user or of the agent.
pub(super) fn words(entry: &Entry) -> Option<String> {
    let event: StoredEvent<'_> = serde_json::from_str(&entry.body).ok()?;
    let said = event.messages.iter().map(|message| message.content.as_str());
    Some(if entry.kind == Kind::InputMessage { said.collect::<Vec<_>>().join("\n") } else { event.text() })
}

impl Said {
    fn written(&self, agent: &Agent) -> Value {
        json!({
            "botId": agent.key,
            "AgentId": agent.key,
            "recordId": self.id.to_string(),
            "role": self.role,
            "content": self.content,
            "conversation": &*self.conversation,
            "type": "text",
            "image": "",
            "triggerSrc": "TCB",
            "replyTo": self.reply_to.map(|id| id.to_string()).unwrap_or_default(),
            "createTime": self.at.rfc3339(),
        })
    }
}
