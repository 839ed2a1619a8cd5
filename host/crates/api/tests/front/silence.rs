//! Calls that somebody agreed to and that then work for long without a word: whoever waits for the answer has its head
//! before a proxy takes the connection for dead.

use tokio::time::timeout;

use super::mcp::{Door, PATIENCE};
use super::*;

/// An agent that may open the door, and somebody who talks to it.
struct Waiting {
    server: Server,
    key: String,
    door: Arc<Door>,
}

impl Waiting {
    async fn new() -> Self {
        let door = Arc::new(Door::default());
        let server = start_with(Limits::default(), door.clone()).await;
        let key = server.key("default", Role::Owner).await;
        let tools = json!({"open": {"type": "dynamic_vectara", "tool_id": "tol_door_open"}});
        let agent = json!({"key": "a", "name": "A", "model": {"name": "default"}, "first_step": {}, "tool_configurations": tools});
        assert_eq!(server.post("/v2/agents", &key, agent).await.status, 201);
        assert_eq!(server.post("/v2/agents/a/sessions", &key, json!({"key": "s"})).await.status, 201);
        Self { server, key, door }
    }

    /// Agrees to the call, which opens nothing before its answer has begun; the whole answer then.
    async fn agrees(&self, path: &str, agreement: Value) -> String {
        let answer = timeout(PATIENCE, self.server.begin(Method::POST, path, &self.key, Some(agreement))).await;
        let answer = answer.unwrap_or_else(|_| panic!("{path} keeps its reader waiting"));
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        timeout(PATIENCE, self.door.begun.acquire()).await.unwrap().unwrap().forget();
        self.door.open.add_permits(1);
        let body = timeout(PATIENCE, answer.into_body().collect()).await.unwrap().unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }
}

async fn over_the_agents_api() {
    let waiting = Waiting::new().await;
    let asked = waiting.server.post(EVENTS, &waiting.key, says("/open {}")).await.json();
    let call = asked["events"].as_array().unwrap().last().unwrap();
    assert_eq!(call["type"], "tool_input", "{asked}");
    let decision = json!({"event_id": call["id"], "decision": "approve"});
    let agreement = json!({"type": "tool_approval", "decisions": [decision], "stream_response": true});
    let told = waiting.agrees(EVENTS, agreement).await;
    assert!(told.contains("event: tool_output\n") && told.ends_with("event: end\ndata: {\"type\":\"end\"}\n\n"), "{told}");
}

async fn over_the_door_of_bots() {
    let (waiting, path) = (Waiting::new().await, "/v1/aibot/bots/a/send-message");
    let said = json!({"conversationId": "c", "messages": [{"role": "user", "content": "/open {}"}]});
    let asked = waiting.server.post(path, &waiting.key, said).await;
    let interrupt = asked.text.lines().find(|line| line.contains("\"interrupt\"")).unwrap_or_else(|| panic!("{}", asked.text));
    let interrupt: Value = serde_json::from_str(interrupt.strip_prefix("data: ").unwrap()).unwrap();
    let resume = json!({"interruptId": interrupt["id"], "payload": {"approved": true}});
    let told = waiting.agrees(path, json!({"conversationId": "c", "messages": [], "resume": resume})).await;
    assert!(told.contains("\"tool-result\"") && told.ends_with("data: [DONE]\n\n"), "{told}");
}

/// Takes the quarter of a minute after which a silent stream begins; both doors at once.
#[tokio::test]
async fn an_answer_begins_while_a_call_that_was_agreed_to_still_runs() {
    tokio::join!(over_the_agents_api(), over_the_door_of_bots());
}
