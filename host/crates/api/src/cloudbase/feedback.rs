//! What people think of answers: one opinion of each person about each record. Kept under the agent; what was asked and
//! answered is not copied but read where it stands, so that an erased conversation is erased here as well.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use agent::Clock;
use policy::Action;
use session::{Agent, Entry, EventId, Kind, Millis, Principal, Seq, Session};
use storage::{Record, Rename};

use super::query::{PAGE_NUMBER, PAGE_SIZE, Wishes};
use super::records::words;
use crate::App;
use crate::body::JsonBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::fields::Fields;
use crate::limits::{PAGE, SCAN};
use crate::operation::{Answer, Form, Method, Operation, Parameter, Query};
use crate::reply;

/// Characters of a comment; it is read by people.
const COMMENT: usize = 4_000;
/// Tags of one opinion, and characters of each.
const TAGS: usize = 32;
/// See [`TAGS`].
const TAG: usize = 64;
/// The highest rating. Windows have five stars, or ten, or percent.
const RATING: f64 = 100.0;
/// Characters of a record's id; ours are shorter.
const RECORD_ID: usize = 255;
/// How far before an answer its question is looked for, and behind a question its answer.
const REACH: u64 = 500;
/// How often an opinion is written again that its own sender is just changing elsewhere.
const TRIES: usize = 4;

/// Whether somebody liked it.
const TYPES: [&str; 2] = ["upvote", "downvote"];

/// An opinion as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Opinion {
    /// The event that it is about.
    record: String,
    /// The words of the user that the event answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    question: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    comment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rating: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    sender: String,
    at: Millis,
}

pub(crate) static CREATE: Operation = Operation {
    id: "createFeedback",
    method: Method::Post,
    path: "/v1/aibot/bots/{agent_id}/feedback",
    summary: "Say what one thinks of a record; what the same sender said of it before is replaced",
    action: Some(Action::PostEvent),
    query: &[],
    body: Some("FeedbackRequest"),
    answer: Answer::Ok("FeedbackTaken"),
};

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(agent): Segments<String>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent)?;
    let fields = Fields::of_body(&body);
    let record = fields.required("recordId", fields.text("recordId", 1..=RECORD_ID)?)?;
    let (session, entry) = record_of(&app, &caller, &agent, record)?;
    let entry = answer(&app, &session, entry)?;
    let opinion = Opinion {
        record: EventId { session: session.uid, seq: entry.seq }.to_string(),
        question: question(&app, &session, &entry)?.map(|id| id.to_string()),
        sender: sender(&caller.0),
        at: Clock.now(),
        ..read(&fields)?
    };
    keep(&app, &agent, &caller.0, &opinion).await?;
    Ok(reply::json(StatusCode::OK, &json!({ "status": "success" })))
}

fn read(fields: &Fields<'_>) -> Result<Opinion> {
    let kind = fields.required("type", fields.text("type", 0..=usize::MAX)?)?;
    if !TYPES.contains(&kind) {
        return Err(Error::field("type", format!("`type` must be {}, not `{kind}`", TYPES.join(" or "))));
    }
    let tags = fields.texts("tags", TAGS)?.unwrap_or_default();
    if tags.iter().any(|tag| tag.chars().count() > TAG) {
        return Err(Error::field("tags", format!("a tag of `tags` may have at most {TAG} characters")));
    }
    Ok(Opinion {
        record: String::new(),
        question: None,
        kind: kind.to_owned(),
        comment: fields.text("comment", 0..=COMMENT)?.unwrap_or_default().to_owned(),
        rating: fields.number("rating", 0.0..=RATING)?,
        tags,
        sender: String::new(),
        at: Millis(0),
    })
}

/// Who somebody is to those who read opinions: the end user whom the key names, else the key by its id.
fn sender(principal: &Principal) -> String {
    principal.subject.clone().unwrap_or_else(|| principal.key.hex())
}

/// The event of a record's id with its session, if it is one of this agent's that the caller may read.
fn record_of(app: &App, caller: &Caller, agent: &Agent, id: &str) -> Result<(Arc<Session>, Entry)> {
    let missing = || Error::missing(Code::EventNotFound, "record", id);
    let event = EventId::parse(id).ok_or_else(missing)?;
    let held = app.engine.directory().get(event.session)?;
    let held = held.filter(|held| held.kind == storage::Kind::Session && (held.tenant, held.scope) == (agent.tenant, agent.uid));
    let session = caller.session(app, agent, &held.ok_or_else(missing)?.name, Action::ReadSession).map_err(|_| missing())?;
    let entry = app.engine.event(&session, id).map_err(|_| missing())?;
    Ok((session, entry))
}

/// What an opinion is about: of words of the user, the last answer to them, if there is one. The older bots' clients know an
/// answer by what it answers.
fn answer(app: &App, session: &Session, about: Entry) -> Result<Entry> {
    if about.kind != Kind::InputMessage {
        return Ok(about);
    }
    let listed = app.engine.events(session, about.seq.next(), REACH as usize, true)?;
    let of_turn = listed.page.entries.into_iter().take_while(|entry| entry.turn == about.turn);
    Ok(of_turn.filter(|entry| matches!(entry.kind, Kind::AgentOutput | Kind::StructuredOutput)).last().unwrap_or(about))
}

/// The last words of the user before an event, in the same turn.
fn question(app: &App, session: &Session, answer: &Entry) -> Result<Option<EventId>> {
    let from = Seq(answer.seq.0.saturating_sub(REACH).max(1));
    let listed = app.engine.events(session, from, REACH as usize, true)?;
    let before = listed.page.entries.iter().take_while(|entry| entry.seq < answer.seq);
    let asked = before.filter(|entry| entry.turn == answer.turn && entry.kind == Kind::InputMessage).last();
    Ok(asked.map(|entry| EventId { session: session.uid, seq: entry.seq }))
}

/// Adds an opinion, or puts it in the place of the sender's earlier one.
async fn keep(app: &App, agent: &Agent, principal: &Principal, opinion: &Opinion) -> Result<()> {
    let body = serde_json::to_vec(opinion).expect("an opinion is made of JSON values");
    let name = format!("{}/{}/{}", opinion.record, principal.key, principal.subject.as_deref().unwrap_or_default());
    let (tenant, kind, directory) = (agent.tenant, storage::Kind::Feedback, app.engine.directory());
    for _ in 0..TRIES {
        let kept = match directory.find(tenant, kind, agent.uid, &name)? {
            Some(earlier) => directory.update(earlier.uid, earlier.version, body.clone(), Rename::Keep).await,
            None => {
                let (uid, name, body) = (Clock.uid(), name.clone(), body.clone());
                directory.create(Record { uid, tenant, kind, scope: agent.uid, name, alias: None, version: 1, body }).await
            }
        };
        match kept {
            Err(storage::Error::Taken | storage::Error::Conflict) => {}
            kept => return Ok(kept?),
        }
    }
    Err(Error::new(Code::Conflict, "the same feedback is being given elsewhere; try again in a moment"))
}

/// The words for how `sender` is compared.
const SENDER_FILTERS: [&str; 5] = ["include", "exclude", "equal", "unequal", "prefix"];

/// How `sender` is compared.
#[derive(Debug, Clone, Copy)]
enum SenderFilter {
    Include,
    Exclude,
    Equal,
    Unequal,
    Prefix,
}

impl SenderFilter {
    /// In the order of [`SENDER_FILTERS`].
    const ALL: [Self; 5] = [Self::Include, Self::Exclude, Self::Equal, Self::Unequal, Self::Prefix];

    /// That of a word.
    fn of(word: &str) -> Option<Self> {
        let place = SENDER_FILTERS.iter().position(|known| *known == word)?;
        Self::ALL.get(place).copied()
    }

    fn keeps(self, sender: &str, wanted: &str) -> bool {
        match self {
            Self::Include => sender.contains(wanted),
            Self::Exclude => !sender.contains(wanted),
            Self::Equal => sender == wanted,
            Self::Unequal => sender != wanted,
            Self::Prefix => sender.starts_with(wanted),
        }
    }
}

pub(crate) static LIST: Operation = Operation {
    id: "listFeedback",
    method: Method::Get,
    path: "/v1/aibot/bots/{agent_id}/feedback",
    summary: "List what people think of a bot's answers, newest first",
    action: Some(Action::ListSessions),
    query: &[
        Query::Of(&Parameter { name: "type", form: Form::Words(&TYPES), text: "Only these." }),
        Query::Of(&Parameter { name: "sender", form: Form::Text, text: "Only of this sender, compared as `senderFilter` says." }),
        Query::Of(&Parameter { name: "senderFilter", form: Form::Words(&SENDER_FILTERS), text: "How; `equal` by default." }),
        Query::Of(&Parameter { name: "minRating", form: Form::Number, text: "Only ratings from this on." }),
        Query::Of(&Parameter { name: "maxRating", form: Form::Number, text: "Only ratings up to this." }),
        Query::Of(&Parameter { name: "from", form: Form::Whole, text: "Only from this time on, in milliseconds or seconds since 1970." }),
        Query::Of(&Parameter { name: "to", form: Form::Whole, text: "Only up to this time." }),
        PAGE_SIZE,
        PAGE_NUMBER,
    ],
    body: None,
    answer: Answer::Ok("FeedbackList"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, Segments(agent): Segments<String>, uri: Uri) -> Result<Response> {
    let agent = caller.agent(&app, &agent)?;
    let wishes = Wishes::of(&uri)?;
    let (page, filter) = (wishes.page()?, Filter::of(&wishes)?);
    let (mut kept, mut before, mut seen) = (Vec::new(), None, 0);
    while seen < SCAN {
        let records = app.engine.directory().latest(agent.tenant, storage::Kind::Feedback, agent.uid, before, PAGE)?;
        before = records.last().map(|record| record.uid);
        seen += records.len();
        for record in &records {
            let opinion: Opinion = serde_json::from_slice(&record.body).map_err(Error::internal)?;
            kept.extend(filter.keeps(&opinion).then_some(opinion));
        }
        if records.len() < PAGE {
            break;
        }
        tokio::task::yield_now().await;
    }
    let written = page.of(&kept).map(|opinion| written(&app, &agent, opinion)).collect::<Result<Vec<Value>>>()?;
    Ok(reply::json(StatusCode::OK, &json!({ "feedbackList": written, "total": kept.len() })))
}

fn written(app: &App, agent: &Agent, opinion: &Opinion) -> Result<Value> {
    let mut json = Map::new();
    json.insert("recordId".into(), json!(opinion.record));
    json.insert("type".into(), json!(opinion.kind));
    for name in ["botId", "AgentId"] {
        json.insert(name.into(), json!(agent.key));
    }
    json.insert("comment".into(), json!(opinion.comment));
    if let Some(rating) = opinion.rating {
        json.insert("rating".into(), json!(rating));
    }
    json.insert("tags".into(), json!(opinion.tags));
    json.insert("input".into(), json!(said(app, opinion.question.as_deref())?));
    json.insert("aiAnswer".into(), json!(said(app, Some(&opinion.record))?));
    json.insert("sender".into(), json!(opinion.sender));
    json.insert("createTime".into(), json!(opinion.at.rfc3339()));
    Ok(json.into())
}

/// What an event says; nothing where it was erased since, or went with its session.
fn said(app: &App, id: Option<&str>) -> Result<String> {
    let Some(id) = id.and_then(EventId::parse) else { return Ok(String::new()) };
    let entry = app.engine.journal().entry(id.session, id.seq)?;
    Ok(entry.as_ref().filter(|entry| entry.kind != Kind::Tombstone).and_then(words).unwrap_or_default())
}

/// Which opinions are asked for.
struct Filter {
    kind: Option<&'static str>,
    sender: Option<String>,
    how: SenderFilter,
    ratings: (Option<f64>, Option<f64>),
    times: (Option<Millis>, Option<Millis>),
}

impl Filter {
    fn of(wishes: &Wishes) -> Result<Self> {
        Ok(Self {
            kind: wishes.word("type", &TYPES)?,
            sender: wishes.text("sender").map(str::to_owned),
            how: wishes.word("senderFilter", &SENDER_FILTERS)?.and_then(SenderFilter::of).unwrap_or(SenderFilter::Equal),
            ratings: (wishes.number("minRating")?, wishes.number("maxRating")?),
            times: (wishes.time("from")?, wishes.time("to")?),
        })
    }

    fn keeps(&self, opinion: &Opinion) -> bool {
        let sender = self.sender.as_deref().is_none_or(|wanted| self.how.keeps(&opinion.sender, wanted));
        let rating = |bound: Option<f64>, fits: fn(f64, f64) -> bool| {
            bound.is_none_or(|bound| opinion.rating.is_some_and(|rating| fits(rating, bound)))
        };
        sender
            && self.kind.is_none_or(|kind| opinion.kind == kind)
            && rating(self.ratings.0, |rating, least| rating >= least)
            && rating(self.ratings.1, |rating, most| rating <= most)
            && self.times.0.is_none_or(|from| opinion.at >= from)
            && self.times.1.is_none_or(|to| opinion.at <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opinion() -> Opinion {
        let body = json!({"type": "upvote", "rating": 4, "comment": "good", "tags": ["clear"], "input": "ignored", "botId": "a"});
        let Value::Object(body) = body else { unreachable!() };
        Opinion { sender: "user-7".into(), at: Millis(5_000), ..read(&Fields::of_body(&body)).unwrap() }
    }

    fn keeps(query: &str) -> bool {
        let wishes = Wishes::of(&format!("/x?{query}").parse().unwrap()).unwrap();
        Filter::of(&wishes).unwrap().keeps(&opinion())
    }

    #[test]
    fn opinions_are_chosen_by_kind_sender_rating_and_time() {
        for kept in [
            "",
            "type=upvote&type=undefined",
            "sender=user-7",
            "sender=ser&senderFilter=include",
            "sender=user&senderFilter=prefix",
            "sender=x&senderFilter=exclude",
            "sender=user&senderFilter=unequal",
            "minRating=4&maxRating=4",
            "from=5&to=5",
        ] {
            assert!(keeps(kept), "{kept}");
        }
        for left_out in
            ["type=downvote", "sender=user", "sender=user-7&senderFilter=unequal", "minRating=4.1", "maxRating=3", "from=6", "to=4"]
        {
            assert!(!keeps(left_out), "{left_out}");
        }
    }

    #[test]
    fn an_opinion_that_is_none_is_refused_by_its_member() {
        for (body, field) in [
            (json!({}), "type"),
            (json!({"type": "like"}), "type"),
            (json!({"type": "upvote", "rating": "good"}), "rating"),
            (json!({"type": "upvote", "rating": 101}), "rating"),
            (json!({"type": "upvote", "tags": ["x".repeat(TAG + 1)]}), "tags"),
            (json!({"type": "upvote", "comment": 7}), "comment"),
        ] {
            let error = read(&Fields::of_body(body.as_object().unwrap())).unwrap_err();
            assert!(error.body("r")["field_errors"][field].is_string(), "{error:?}");
        }
    }
}
