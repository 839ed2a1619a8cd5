//! Calls over `/mcp` with a tool that waits for the test: whose a running call is, and whose a file.

use std::time::Duration;

use tokio::sync::Semaphore;
use tool::{Approver, Content, Traits};

use super::*;

/// How long something may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// `door__open` asks a person and then waits for the test; `door__put` leaves a file, and `door__name` data that looks
/// like one, under the name that it is given.
pub(super) struct Door {
    pub(super) begun: Semaphore,
    pub(super) open: Semaphore,
}

impl Default for Door {
    fn default() -> Self {
        Self { begun: Semaphore::new(0), open: Semaphore::new(0) }
    }
}

const TOOLS: [&str; 3] = ["open", "put", "name"];

fn spec(id: &ToolId) -> Option<Arc<ToolSpec>> {
    let spec = || ToolSpec {
        id: id.clone(),
        description: String::new(),
        input: "{}".into(),
        output: None,
        traits: Traits::default(),
        title: None,
        component: "sha256:0".into(),
        tools: "sha256:0".into(),
        version: "0.0.0".into(),
    };
    TOOLS.contains(&id.name.as_str()).then(|| Arc::new(spec()))
}

#[async_trait::async_trait]
impl Toolbox for Door {
    fn tools(&self, _: &Caller) -> Vec<Arc<ToolSpec>> {
        TOOLS.iter().filter_map(|name| spec(&ToolId { plugin: "door".into(), name: (*name).into() })).collect()
    }

    fn find(&self, _: &Caller, id: &ToolId) -> Option<Arc<ToolSpec>> {
        spec(id)
    }

    async fn check(&self, _: &Caller, id: &ToolId, _: &str) -> Result<Verdict, End> {
        Ok(if id.name == "open" { Verdict::Ask(Approver::Operator) } else { Verdict::Run })
    }

    fn evidence(&self, _: &Caller, _: &ToolId) -> Evidence {
        Evidence::default()
    }

    async fn call(&self, call: ToolCall) -> ToolReply {
        let done = |part| ToolReply { parts: vec![part], ..ToolReply::without_answer(End::Done) };
        let arguments: Value = serde_json::from_str(&call.input).unwrap();
        match call.tool.name.as_str() {
            "put" => done(Content::Blob { media_type: "image/png".into(), name: None, bytes: b"secret".to_vec() }),
            "name" => {
                let file = json!({"type": "blob", "media_type": "image/png", "size_bytes": 1, "blob": arguments["name"]});
                done(Content::Data(json!({"content": [file]}).to_string()))
            }
            _ => {
                self.begun.add_permits(1);
                tokio::select! {
                    biased;
                    () = call.ports.sink.gone() => ToolReply::without_answer(End::Cancelled),
                    _ = self.open.acquire() => done(Content::Text("open".into())),
                }
            }
        }
    }

    async fn settled(&self) {}

    fn plugins(&self) -> Vec<PluginStatus> {
        Vec::new()
    }
}

async fn call(server: &Server, key: &str, id: u32, tool: &str, arguments: Value) -> Answer {
    let params = json!({"name": format!("door__{tool}"), "arguments": arguments});
    server.post("/mcp", key, json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})).await
}

#[tokio::test]
async fn a_call_that_a_person_agreed_to_is_no_longer_its_clients_to_take_back() {
    let door = Arc::new(Door::default());
    let server = start_with(Limits::default(), door.clone()).await;
    let key = server.key("default", Role::Owner).await;
    let open = |id| call(&server, &key, id, "open", json!({}));
    let asked = open(1).await.json();
    let approval = asked["result"]["_meta"]["wardian/approval"]["id"].as_str().unwrap().to_owned();
    let path = format!("/operator/v1/approvals/{approval}");
    assert_eq!(server.post(&path, &key, json!({"decision": "approve"})).await.status, 200);
    tokio::time::timeout(PATIENCE, door.begun.acquire()).await.unwrap().unwrap().forget();

    let again = open(7);
    tokio::pin!(again);
    let taken_back = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    let answer = tokio::time::timeout(PATIENCE, async {
        loop {
            tokio::select! {
                biased;
                answer = &mut again => break answer,
                heard = server.post("/mcp", &key, taken_back.clone()) => assert_eq!(heard.status, 202),
            }
        }
    });
    let answer = answer.await.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::ACCEPTED, ""), "whoever took it back waits for no answer");
    // Whatever was set going by that gets the time to do it.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    door.open.add_permits(1);
    let result = open(8).await.json();
    assert_eq!(result["result"], json!({"content": [{"type": "text", "text": "open"}], "isError": false}), "{result}");
    let anew = open(9).await.json();
    assert_ne!(anew["result"]["_meta"]["wardian/approval"]["id"], approval.as_str(), "a result is handed out once: {anew}");
}

#[tokio::test]
async fn a_call_hands_out_the_files_of_its_own_answer_and_no_others_that_its_tool_names() {
    let server = start_with(Limits::default(), Arc::new(Door::default())).await;
    let key = server.key("default", Role::Owner).await;
    let put = call(&server, &key, 1, "put", json!({})).await.json();
    assert_eq!(put["result"]["content"], json!([{"type": "image", "data": "c2VjcmV0", "mimeType": "image/png"}]), "{put}");
    // Of `secret`.
    let name = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let named = call(&server, &key, 2, "name", json!({"name": name})).await.json();
    assert!(!named.to_string().contains("c2VjcmV0"), "{named}");
    assert_eq!(named["result"]["content"][0]["type"], "text", "{named}");
}
