//! Clients that post all that was said, and sessions that were edited meanwhile: nothing is recorded a second time.

use serde_json::{Value, json};

use super::*;

/// A conversation `c` of two turns, with an agent `a`, held by a developer.
struct Held {
    server: Server,
    key: String,
    events: String,
    said: Vec<Value>,
}

fn says(role: &str, text: &str) -> Value {
    json!({"role": role, "content": text})
}

impl Held {
    async fn new() -> Self {
        let server = start(Limits::default()).await;
        let owner = server.key("default", Role::Owner).await;
        let agent = json!({"key": "a", "name": "Ada", "model": {"name": "default"}, "first_step": {}});
        assert_eq!(server.post("/v2/agents", &owner, agent).await.status, 201);
        let mut held = Self { server, key: owner, events: String::new(), said: Vec::new() };
        for words in ["one", "two"] {
            held.asks("/v1/agui/a", words).await;
        }
        let sessions = held.server.get("/v2/agents/a/sessions", &held.key).await.json();
        held.events = format!("/v2/agents/a/sessions/{}/events", sessions["sessions"][0]["key"].as_str().unwrap());
        held
    }

    /// Posts all that was said, with these words at its end.
    async fn asks(&mut self, door: &str, words: &str) {
        self.said.push(says("user", words));
        let name = if door.contains("agui") { "threadId" } else { "conversationId" };
        let answer = self.server.post(door, &self.key, json!({name: "c", "messages": self.said})).await;
        assert!(answer.status == 200 && !answer.text.contains("rror"), "{}", answer.text);
        self.said.push(says("assistant", "in words of the client's own"));
    }

    /// All events, hidden ones too, that are words of the user.
    async fn inputs(&self) -> Vec<Value> {
        let listed = self.server.get(&format!("{}?limit=100&include_hidden=true", self.events), &self.key).await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        let events = listed.json()["events"].as_array().unwrap().clone();
        events.into_iter().filter(|event| event["type"] == "input_message").collect()
    }

    async fn visible(&self) -> Vec<String> {
        let listed = self.server.get(&format!("{}?limit=100", self.events), &self.key).await.json();
        listed["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Goes on over each door, and says how many inputs there are then.
    async fn goes_on(&mut self) -> usize {
        self.asks("/v1/aibot/bots/a/send-message", "three").await;
        self.asks("/v1/agui/a", "four").await;
        self.inputs().await.len()
    }
}

#[tokio::test]
async fn a_conversation_that_was_summarised_to_its_end_is_known() {
    let mut held = Held::new().await;
    let last = held.visible().await.pop().unwrap();
    let compact = held.server.post(&held.events, &held.key, json!({"type": "compact", "compact_up_to_event_id": last})).await;
    assert_eq!(compact.status, 201, "{}", compact.text);
    assert_eq!(held.goes_on().await, 4);
}

#[tokio::test]
async fn a_conversation_of_which_everything_was_hidden_is_known() {
    let mut held = Held::new().await;
    for event in held.visible().await {
        let hidden = held.server.post(&format!("{}/{event}/hide", held.events), &held.key, json!({})).await;
        assert_eq!(hidden.status, 200, "{}", hidden.text);
    }
    assert_eq!(held.goes_on().await, 4);
}

#[tokio::test]
async fn words_that_were_erased_do_not_come_back() {
    for erased in [&[0][..], &[1], &[0, 1]] {
        let mut held = Held::new().await;
        let inputs = held.inputs().await;
        for at in erased {
            let id = inputs[*at]["id"].as_str().unwrap();
            assert_eq!(held.server.ask(Method::DELETE, &format!("{}/{id}", held.events), &held.key, None).await.status, 204);
        }
        assert_eq!(held.goes_on().await, 4 - erased.len(), "{erased:?}");
    }
}
