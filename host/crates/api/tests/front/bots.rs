//! What stands beside `send-message` below `/v1/aibot/bots`, as chat windows use it.

use serde_json::{Value, json};

use super::*;

const BOT: &str = "/v1/aibot/bots/a";

/// A server with an agent `a`.
async fn with_a_bot() -> (Server, String) {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    let metadata = json!({"welcomeMessage": "Hello!", "avatar": 7, "initQuestions": ["What is a widget?", 3]});
    let agent = json!({"key": "a", "name": "Ada", "description": "Of widgets", "model": {"name": "default"}, "metadata": metadata, "first_step": {}});
    assert_eq!(server.post("/v2/agents", &owner, agent).await.status, 201);
    (server, owner)
}

impl Server {
    async fn conversation(&self, key: &str, title: &str) -> String {
        let made = self.post(&format!("{BOT}/conversation"), key, json!({ "title": title })).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["conversationId"].as_str().unwrap().to_owned()
    }

    async fn says(&self, key: &str, conversation: &str, text: &str) {
        let body = json!({"conversationId": conversation, "messages": [{"role": "user", "content": text}]});
        let answer = self.post(&format!("{BOT}/send-message"), key, body).await;
        assert!(answer.status == 200 && answer.text.ends_with("data: [DONE]\n\n"), "{}", answer.text);
    }

    async fn records(&self, key: &str, query: &str) -> Value {
        let answer = self.get(&format!("{BOT}/records?{query}"), key).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

fn contents(list: &Value) -> Vec<&str> {
    list["recordList"].as_array().unwrap().iter().map(|record| record["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_bot_shows_what_a_chat_window_needs_and_nothing_it_is_told() {
    let (server, owner) = with_a_bot().await;
    let user = server.key("default", Role::AgentUser).await;
    for path in [BOT.to_owned(), format!("{BOT}/")] {
        let bot = server.get(&path, &user).await.json();
        assert_eq!(
            (&bot["botId"], &bot["AgentId"], &bot["name"], &bot["introduction"]),
            (&json!("a"), &json!("a"), &json!("Ada"), &json!("Of widgets"))
        );
        assert_eq!(
            (&bot["welcomeMessage"], &bot["avatar"], &bot["initQuestions"]),
            (&json!("Hello!"), &json!(""), &json!(["What is a widget?"]))
        );
        assert_eq!((&bot["multiConversationEnable"], &bot["isNeedRecommend"], &bot["type"]), (&json!(true), &json!(false), &json!("text")));
        assert!(bot.get("code").is_none());
    }
    let unknown = server.get("/v1/aibot/bots/nope", &user).await;
    assert_eq!((unknown.status.as_u16(), unknown.json()["code"].clone()), (404, json!("AGENT_NOT_FOUND")));
    assert_eq!(server.get(BOT, "").await.json()["code"], "MISSING_CREDENTIALS");
    assert_eq!(server.get(BOT, "wrd_wrong").await.json()["error"]["code"], "INVALID_CREDENTIALS");

    let other = json!({"key": "b", "name": "Bob", "model": {"name": "default"}, "first_step": {}});
    assert_eq!(server.post("/v2/agents", &owner, other).await.status, 201);
    let keys = |list: &Value| list["botList"].as_array().unwrap().iter().map(|bot| bot["botId"].clone()).collect::<Vec<_>>();
    let list = server.get("/v1/aibot/bots?name=undefined&pageSize=&pageNumber=1", &user).await.json();
    assert_eq!((keys(&list), &list["total"]), (vec![json!("a"), json!("b")], &json!(2)));
    let list = server.get("/v1/aibot/bots/?name=BO&pageSize=1", &user).await.json();
    assert_eq!((keys(&list), &list["total"]), (vec![json!("b")], &json!(1)));
    assert_eq!(server.get("/v1/aibot/bots?enable=false", &user).await.json()["total"], 0);
    let bad = server.get("/v1/aibot/bots?pageSize=0", &user).await;
    assert_eq!((bad.status.as_u16(), bad.json()["code"].clone()), (400, json!("INVALID_PARAM")));
}

#[tokio::test]
async fn conversations_are_begun_listed_renamed_and_deleted_by_whom_they_belong_to() {
    let (server, owner) = with_a_bot().await;
    let user = server.key("default", Role::AgentUser).await;
    let developer = server.key("default", Role::AgentDeveloper).await;
    let id = server.conversation(&developer, "First").await;
    let odd = "user 7/widgets & more/";
    server.says(&developer, odd, "hello").await;
    server.conversation(&user, "").await;

    let list = server.get(&format!("{BOT}/conversation/?limit=10&offset=0"), &developer).await.json();
    let titles: Vec<_> = list["data"].as_array().unwrap().iter().map(|c| (c["conversationId"].clone(), c["title"].clone())).collect();
    assert_eq!((titles, &list["total"]), (vec![(json!(odd), json!("hello")), (json!(id), json!("First"))], &json!(2)));
    let theirs = server.get(&format!("{BOT}/conversation"), &user).await.json();
    assert_eq!((&theirs["data"][0]["title"], &theirs["total"]), (&json!("Conversation"), &json!(1)));
    assert_eq!(server.get(&format!("{BOT}/conversation?isDefault=true"), &user).await.json(), json!({"data": [], "total": 0}));

    let path = format!("{BOT}/conversation/user%207/widgets%20&%20more/");
    let renamed = server.ask(Method::PATCH, &path, &developer, Some(json!({"title": "Second"}))).await;
    assert_eq!((renamed.status.as_u16(), renamed.json()), (200, json!({"count": 1})));
    let list = server.get(&format!("{BOT}/conversation?limit=1"), &developer).await.json();
    assert_eq!(list["data"][0]["title"], "Second");
    let foreign = server.ask(Method::DELETE, &path, &owner, Some(json!({}))).await;
    assert_eq!((foreign.status.as_u16(), foreign.json()["code"].clone()), (404, json!("CONVERSATION_NOT_FOUND")));
    let theirs = theirs["data"][0]["conversationId"].as_str().unwrap();
    for path in [&path, &format!("{BOT}/conversation/{id}")] {
        assert_eq!(server.ask(Method::DELETE, path, &user, Some(json!({}))).await.status, 404, "{path}");
    }
    let ended = server.ask(Method::DELETE, &format!("{BOT}/conversation/{theirs}"), &user, Some(json!({}))).await;
    assert_eq!(ended.json(), json!({"count": 1}), "an agent_user ends its own");
    assert_eq!(server.ask(Method::DELETE, &path, &developer, Some(json!({}))).await.json(), json!({"count": 1}));
    assert_eq!(server.ask(Method::DELETE, &path, &developer, Some(json!({}))).await.status, 404);
    assert_eq!(server.get(&format!("{BOT}/conversation"), &developer).await.json()["total"], 1);
}

#[tokio::test]
async fn a_title_that_nobody_gave_is_what_was_said_first_and_goes_with_it() {
    let (server, owner) = with_a_bot().await;
    server.says(&owner, "c", "my  secret\nplan").await;
    let title = async || server.get(&format!("{BOT}/conversation"), &owner).await.json()["data"][0]["title"].clone();
    assert_eq!(title().await, "my secret plan");
    let sessions = server.get("/v2/agents/a/sessions", &owner).await;
    assert!(!sessions.text.contains("secret"), "{}", sessions.text);
    let words = server.records(&owner, "sort=asc").await["recordList"][0]["recordId"].as_str().unwrap().to_owned();
    let event = format!("/v2/agents/a/sessions/{}/events/{words}", sessions.json()["sessions"][0]["key"].as_str().unwrap());
    assert_eq!(server.ask(Method::DELETE, &event, &owner, None).await.status, 204);
    assert_eq!(title().await, "Conversation");
}

#[tokio::test]
async fn a_list_of_conversations_says_whether_there_are_more() {
    let (server, owner) = with_a_bot().await;
    for id in ["c1", "c2", "c3", "c4"] {
        server.says(&owner, id, "hello").await;
    }
    let list = async |query: &str| {
        let list = server.get(&format!("{BOT}/conversation?{query}"), &owner).await.json();
        let ids: Vec<String> = list["data"].as_array().unwrap().iter().map(|c| c["conversationId"].as_str().unwrap().to_owned()).collect();
        (ids.join(" "), list["total"].as_u64().unwrap())
    };
    assert_eq!(list("limit=2").await, ("c4 c3".to_owned(), 3));
    assert_eq!(list("limit=2&offset=2").await, ("c2 c1".to_owned(), 4));
    assert_eq!(list("limit=2&offset=9").await, (String::new(), 4));
}

#[tokio::test]
async fn a_slash_behind_the_id_of_a_conversation_is_the_ids_or_one_too_many() {
    let (server, owner) = with_a_bot().await;
    for (id, path) in [("c1", "c1/"), ("c2", "c2"), ("c3/", "c3/")] {
        server.says(&owner, id, "hello").await;
        let path = format!("{BOT}/conversation/{path}");
        assert_eq!(server.ask(Method::PATCH, &path, &owner, Some(json!({"title": "T"}))).await.status, 200, "{path}");
        assert_eq!(server.ask(Method::DELETE, &path, &owner, None).await.status, 200, "{path}");
        assert_eq!(server.ask(Method::DELETE, &path, &owner, None).await.json()["code"], "CONVERSATION_NOT_FOUND", "{path}");
    }
}

#[tokio::test]
async fn a_first_request_that_is_refused_leaves_no_conversation() {
    let (server, owner) = with_a_bot().await;
    let message = json!({"role": "user", "content": "hello"});
    let past: Vec<Value> =
        (0..1_002).map(|_| message.clone()).chain([json!({"role": "assistant", "content": "x"}), message.clone()]).collect();
    let broken = json!([{"name": "t", "parameters": {"type": "object", "properties": {"a": {"type": "nothing"}}}}]);
    for (door, id) in [("/v1/aibot/bots/a/send-message", "conversationId"), ("/v1/agui/a", "threadId")] {
        for body in [json!({"messages": [message], "tools": broken}), json!({"messages": past})] {
            for name in [None, Some("c")] {
                let mut body = body.clone();
                body["runId"] = json!("r");
                if door.contains("bots") {
                    body.as_object_mut().unwrap().remove("runId");
                }
                if let Some(name) = name {
                    body[id] = json!(name);
                }
                let refused = server.post(door, &owner, body).await;
                assert_eq!(refused.status, 400, "{}", refused.text);
            }
        }
    }
    assert_eq!(server.get("/v2/agents/a/sessions", &owner).await.json()["sessions"], json!([]));
    server.says(&owner, "c", "hello").await;
    let wrong = json!({"conversationId": "c", "messages": [message], "tools": broken});
    assert_eq!(server.post("/v1/aibot/bots/a/send-message", &owner, wrong).await.status, 400);
    assert_eq!(server.records(&owner, "conversationId=c").await["total"], 2);
}

#[tokio::test]
async fn records_are_the_words_of_both_sides_in_pages_of_either_order() {
    let (server, _) = with_a_bot().await;
    let (user, other) = (server.key("default", Role::AgentUser).await, server.key("default", Role::AgentUser).await);
    for (conversation, text) in [("c1", "one"), ("c1", "two"), ("c 2", "three")] {
        server.says(&user, conversation, text).await;
    }
    server.says(&other, "c1", "not yours").await;

    let all = server.records(&user, "sort=asc&pageSize=50&botId=a&conversationId=undefined").await;
    assert_eq!(all["total"], 6);
    let asked: Vec<&str> = contents(&all).into_iter().step_by(2).collect();
    assert_eq!(asked, ["one", "two", "three"]);
    let newest = server.records(&user, "sort=desc&pageSize=2").await;
    assert_eq!(contents(&newest)[1], "three");
    assert_eq!(server.records(&user, "pageSize=2&pageNumber=3").await["recordList"][1]["content"], "one");

    let one = server.records(&user, "sort=asc&conversationId=c1&pageNumber=1&pageSize=2").await;
    let (question, answer) = (&one["recordList"][0], &one["recordList"][1]);
    assert_eq!((&question["role"], &question["replyTo"], &question["conversation"]), (&json!("user"), &json!(""), &json!("c1")));
    assert_eq!((&answer["role"], &answer["replyTo"]), (&json!("assistant"), &question["recordId"]));
    assert_eq!((&one["total"], &answer["type"], &answer["triggerSrc"]), (&json!(4), &json!("text"), &json!("TCB")));

    assert_eq!(server.get(&format!("{BOT}/records?sort=up"), &user).await.json()["code"], "INVALID_PARAM");
    let missing = server.get(&format!("{BOT}/records?sort=asc&conversationId=c3"), &user).await;
    assert_eq!((missing.status.as_u16(), missing.json()["code"].clone()), (404, json!("CONVERSATION_NOT_FOUND")));
}

#[tokio::test]
async fn an_opinion_is_kept_once_for_each_sender_and_shows_what_the_conversation_still_has() {
    let (server, owner) = with_a_bot().await;
    let (user, viewer) = (server.key("default", Role::AgentUser).await, server.key("default", Role::AgentViewer).await);
    let developer = server.key("default", Role::AgentDeveloper).await;
    server.says(&user, "c", "how?").await;
    server.says(&developer, "c", "gone").await;
    let record = server.records(&user, "sort=desc").await["recordList"][0].clone();
    let give = async |key: &str, id: &Value, kind: &str, rating: u64| {
        let body = json!({"recordId": id, "type": kind, "rating": rating, "comment": "so", "tags": ["t"], "input": "x", "aiAnswer": "y", "botId": "a"});
        server.post(&format!("{BOT}/feedback"), key, body).await
    };
    assert_eq!(give(&user, &record["recordId"], "downvote", 1).await.json(), json!({"status": "success"}));
    // The older bots' clients name an answer by what it answers.
    let question = server.records(&user, "sort=desc").await["recordList"][1].clone();
    assert_eq!((&question["content"], give(&user, &question["recordId"], "upvote", 5).await.status), (&json!("how?"), StatusCode::OK));
    assert_eq!(give(&viewer, &record["recordId"], "downvote", 2).await.status, 200);
    let other = server.records(&developer, "sort=desc").await["recordList"][0]["recordId"].clone();
    assert_eq!(give(&developer, &other, "upvote", 3).await.status, 200);
    for id in [&other, &json!("aev_x"), &json!("record-1")] {
        let foreign = give(&user, id, "upvote", 1).await;
        assert_eq!((foreign.status.as_u16(), foreign.json()["code"].clone()), (404, json!("RECORD_NOT_FOUND")), "{id}");
    }

    let list = async |query: &str| server.get(&format!("{BOT}/feedback?{query}"), &viewer).await.json();
    let all = list("type=undefined&pageSize=10&pageNumber=1").await;
    assert_eq!(all["total"], 3);
    let mine = list("type=upvote&minRating=4&maxRating=5").await;
    let found = &mine["feedbackList"][0];
    assert_eq!((&mine["total"], &found["input"], &found["aiAnswer"]), (&json!(1), &json!("how?"), &record["content"]));
    assert_eq!(
        (&found["rating"], &found["comment"], &found["tags"], &found["botId"]),
        (&json!(5.0), &json!("so"), &json!(["t"]), &json!("a"))
    );
    let sender = found["sender"].as_str().unwrap();
    assert_eq!(list(&format!("sender={}&senderFilter=prefix", &sender[..30])).await["feedbackList"][0]["sender"], sender);
    assert_eq!(list(&format!("sender={sender}&senderFilter=exclude")).await["total"], 2);
    assert_eq!(server.get(&format!("{BOT}/feedback"), &user).await.json()["code"], "ACTION_FORBIDDEN");

    assert_eq!(server.ask(Method::DELETE, &format!("{BOT}/conversation/c"), &developer, None).await.status, 200);
    let all = list("").await;
    assert_eq!((&all["total"], &all["feedbackList"][0]["aiAnswer"], &all["feedbackList"][0]["input"]), (&json!(3), &json!(""), &json!("")));
    assert_eq!(server.ask(Method::DELETE, "/v2/agents/a", &owner, None).await.status, 204);
    let agent = json!({"key": "a", "name": "Ada", "model": {"name": "default"}, "first_step": {}});
    assert_eq!(server.post("/v2/agents", &owner, agent).await.status, 201);
    assert_eq!(list("").await["total"], 0);
}

#[tokio::test]
async fn questions_are_suggested_as_a_stream_of_lines_beside_all_conversations() {
    let (server, owner) = with_a_bot().await;
    let body =
        json!({"name": "Ada", "introduction": "", "agentSetting": "x", "msg": "hi", "history": [{"role": "user", "content": "hello"}]});
    let answer = server.post(&format!("{BOT}/recommend-questions"), &owner, body).await;
    assert!(answer.status == 200 && answer.text.starts_with("data: {\"type\":\"text\",\"content\":\""), "{}", answer.text);
    assert!(answer.text.ends_with("\\n\"}\n\ndata: [DONE]\n\n") && answer.text.matches("[DONE]").count() == 1, "{}", answer.text);
    assert_eq!(server.records(&owner, "sort=asc").await["total"], 0);
    let disabled = server.ask(Method::PATCH, "/v2/agents/a", &owner, Some(json!({"enabled": false}))).await;
    assert_eq!(disabled.status, 200, "{}", disabled.text);
    let refused = server.post(&format!("{BOT}/recommend-questions"), &owner, json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].clone()), (403, json!("AGENT_DISABLED")));
}

#[tokio::test]
async fn what_probes_and_clients_ask_for_beside_bots_is_answered_in_their_form() {
    let (server, owner) = with_a_bot().await;
    for path in ["/healthz", "/v1/aibot/healthz", "/v1/aibot/healthz/", "/v1/aibot/bots/healthz"] {
        let answer = server.get(path, "").await;
        assert_eq!((answer.status.as_u16(), answer.json()["status"].clone()), (200, json!("healthy")), "{path}");
    }
    for path in ["files", "speech-to-text", "text-to-speech", "wx-send-message"] {
        let answer = server.post(&format!("{BOT}/{path}"), &owner, json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (404, json!("NOT_FOUND")), "{path}");
    }
    let wrong = server.ask(Method::DELETE, BOT, &owner, Some(json!({}))).await;
    assert_eq!((wrong.status.as_u16(), wrong.json()["code"].clone()), (405, json!("METHOD_NOT_ALLOWED")));
}
