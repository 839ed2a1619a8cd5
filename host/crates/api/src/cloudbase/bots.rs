//! Agents as chat windows want to know them: a name, a greeting, what may be done. Nothing of what they are told and
//! given. What an agent has no member for is taken from its metadata.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::{Map, Value, json};

use policy::Action;
use session::Agent;

use super::query::{PAGE_NUMBER, PAGE_SIZE, Wishes};
use crate::App;
use crate::caller::{Caller, Segments};
use crate::errors::Result;
use crate::limits::{PAGE, SCAN};
use crate::operation::{Answer, Form, Method, Operation, Parameter, Query};
use crate::reply;

pub(crate) static GET: Operation = Operation {
    id: "getBot",
    method: Method::Get,
    path: "/v1/aibot/bots/{agent_id}",
    summary: "Show an agent as a bot",
    action: Some(Action::ListAgents),
    query: &[],
    body: None,
    answer: Answer::Ok("Bot"),
};

pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller, Segments(agent): Segments<String>) -> Result<Response> {
    let agent = caller.agent(&app, &agent)?;
    Ok(reply::json(StatusCode::OK, &written(&agent)))
}

pub(crate) static LIST: Operation = Operation {
    id: "listBots",
    method: Method::Get,
    path: "/v1/aibot/bots",
    summary: "List agents as bots, oldest first",
    action: Some(Action::ListAgents),
    query: &[
        PAGE_SIZE,
        PAGE_NUMBER,
        Query::Of(&Parameter { name: "name", form: Form::Text, text: "Only bots whose name has this in it." }),
        Query::Of(&Parameter { name: "introduction", form: Form::Text, text: "Only bots whose introduction has this in it." }),
        Query::Of(&Parameter { name: "enable", form: Form::Flag, text: "Only bots that take input, or only those that do not." }),
    ],
    body: None,
    answer: Answer::Ok("BotList"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, uri: Uri) -> Result<Response> {
    let wishes = Wishes::of(&uri)?;
    let (page, enabled) = (wishes.page()?, wishes.flag("enable")?);
    let has = |text: &str, wish: &str| wishes.text(wish).is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()));
    let keep = |agent: &Agent| {
        caller.sees(&agent.key)
            && has(&agent.name, "name")
            && has(agent.description.as_deref().unwrap_or_default(), "introduction")
            && enabled.is_none_or(|enabled| enabled == agent.enabled)
    };
    let mut kept = Vec::new();
    let (mut after, mut seen) = (None, 0);
    while seen < SCAN {
        let agents = app.engine.agents(caller.0.tenant, after, PAGE)?;
        after = agents.last().map(|agent| agent.uid);
        seen += agents.len();
        let last = agents.len() < PAGE;
        kept.extend(agents.into_iter().filter(keep));
        if last {
            break;
        }
        tokio::task::yield_now().await;
    }
    let bots: Vec<Value> = page.of(&kept).map(written).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "botList": bots, "total": kept.len() })))
}

/// Members of an agent's metadata that a bot shows, if they are of the right kind.
const TEXTS: [&str; 3] = ["welcomeMessage", "avatar", "background"];

fn written(agent: &Agent) -> Value {
    let mut bot = Map::new();
    for name in ["botId", "AgentId"] {
        bot.insert(name.into(), json!(agent.key));
    }
    bot.insert("name".into(), json!(agent.name));
    bot.insert("introduction".into(), json!(agent.description.as_deref().unwrap_or_default()));
    for name in TEXTS {
        bot.insert(name.into(), json!(agent.metadata.get(name).and_then(Value::as_str).unwrap_or_default()));
    }
    let questions = agent.metadata.get("initQuestions").and_then(Value::as_array);
    let questions: Vec<&str> = questions.into_iter().flatten().filter_map(Value::as_str).collect();
    bot.insert("initQuestions".into(), json!(questions));
    let recommends = agent.metadata.get("isNeedRecommend").and_then(Value::as_bool).unwrap_or(false);
    bot.insert("isNeedRecommend".into(), json!(recommends));
    bot.insert("type".into(), json!("text"));
    // Without it, chat windows keep all that a user says in one conversation.
    bot.insert("multiConversationEnable".into(), json!(true));
    for name in ["searchEnable", "searchFileEnable"] {
        bot.insert(name.into(), json!(false));
    }
    for name in ["knowledgeBase", "databaseModel", "mcpServerList"] {
        bot.insert(name.into(), json!([]));
    }
    bot.insert("voiceSettings".into(), json!({"enable": false}));
    bot.insert("enable".into(), json!(agent.enabled));
    bot.insert("updateTime".into(), json!(agent.updated_at.rfc3339()));
    bot.into()
}
