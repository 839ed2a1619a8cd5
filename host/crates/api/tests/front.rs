//! The router in front of a real engine with a real store and the offline
//! model; no sockets. What clients rely on whatever they do: ids, error bodies,
//! roles, tenants, framing, pages.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed; the lint's exception covers test functions alone")]

use std::sync::{Arc, OnceLock};

use agent::Engine;
use api::{Keyring, Limits, ModelInfo, NewKey, Operator, Status};
use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use policy::Role;
use serde_json::{Value, json};
use storage::backends::redb::{Options as StoreOptions, Redb};
use tokio_util::sync::CancellationToken;
use tool::{Caller, End, Evidence, PluginStatus, ToolCall, ToolId, ToolReply, ToolSpec, Toolbox, Verdict};
use tower::ServiceExt;

#[path = "front/bots.rs"]
mod bots;
#[path = "front/histories.rs"]
mod histories;
#[path = "front/idling.rs"]
mod idling;
#[path = "front/mcp.rs"]
mod mcp;
#[path = "front/silence.rs"]
mod silence;

/// A server without plugins.
struct NoTools;

#[async_trait::async_trait]
impl Toolbox for NoTools {
    fn tools(&self, _: &Caller) -> Vec<Arc<ToolSpec>> {
        Vec::new()
    }

    fn find(&self, _: &Caller, _: &ToolId) -> Option<Arc<ToolSpec>> {
        None
    }

    async fn check(&self, _: &Caller, _: &ToolId, _: &str) -> Result<Verdict, End> {
        Err(End::UnknownTool)
    }

    fn evidence(&self, _: &Caller, _: &ToolId) -> Evidence {
        Evidence::default()
    }

    async fn call(&self, _: ToolCall) -> ToolReply {
        ToolReply::without_answer(End::UnknownTool)
    }

    async fn settled(&self) {}

    fn plugins(&self) -> Vec<PluginStatus> {
        Vec::new()
    }
}

struct Host;

#[async_trait::async_trait]
impl Operator for Host {
    fn changes(&self, _plugin: &str) -> Option<tool::PluginChanges> {
        None
    }

    async fn accept(&self, plugin: &str, _shown: tool::PluginDigests, _by: &str) -> Result<(), tool::NotAccepted> {
        Err(tool::NotAccepted::Unknown(plugin.to_owned()))
    }

    fn models(&self) -> Vec<ModelInfo> {
        Vec::new()
    }

    fn policy(&self) -> Value {
        json!({})
    }

    fn status(&self) -> Status {
        Status { version: "0".into(), addresses: Vec::new(), data: String::new(), started_at: String::new() }
    }

    fn attention(&self) -> Vec<&'static str> {
        vec!["policy_stale"]
    }

    async fn ready(&self) -> bool {
        true
    }
}

#[async_trait::async_trait]
impl api::Grants for Host {
    async fn lend(&self, wanted: api::NewLease) -> Result<api::Lent, api::NotLent> {
        let api::NewLease { plugin, tenant, agent, grant, lasts, by } = wanted;
        let (since, until) = (String::new(), format!("{}s", lasts.as_secs()));
        Ok(api::Lent { lease: api::LeaseInfo { id: "1".into(), plugin, tenant, agent, grant, since, until, by }, warnings: Vec::new() })
    }

    fn leases(&self) -> Vec<api::LeaseInfo> {
        Vec::new()
    }

    async fn revoke(&self, id_or_plugin: &str) -> Result<usize, api::NotLent> {
        Ok(usize::from(id_or_plugin == "1"))
    }

    fn explain(&self, ask: &api::Ask) -> api::Answered {
        let who = policy::Who { plugin: &ask.plugin, digest: None, tenant: &ask.tenant, agent: &ask.agent };
        let explanation = policy::Policy::default().explain(&who, &ask.question);
        api::Answered { plugin: ask.plugin.clone(), tenant: ask.tenant.clone(), agent: ask.agent.clone(), place: None, explanation }
    }
}

struct Server {
    router: Router,
    engine: Arc<Engine>,
    store: Arc<Redb>,
    keyring: Arc<Keyring>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    request_id: String,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

async fn start(limits: Limits) -> Server {
    start_with(limits, Arc::new(NoTools)).await
}

async fn start_with(limits: Limits, toolbox: Arc<dyn Toolbox>) -> Server {
    static METRICS: OnceLock<api::metrics::Handle> = OnceLock::new();
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Redb::open(folder.path().join("store"), StoreOptions::default()).unwrap());
    let engine = Engine::new(agent::Options {
        journal: store.clone(),
        directory: store.clone(),
        toolbox,
        models: Arc::new(model::models::Models::single(Arc::new(model::offline::Offline::new()))),
        limits: agent::Limits::default(),
    });
    let keyring = Arc::new(Keyring::open(store.clone()).await.unwrap());
    let stop = CancellationToken::new();
    let router = api::router(api::Options {
        engine: engine.clone(),
        keyring: keyring.clone(),
        operator: Arc::new(Host),
        outbox: store.clone(),
        blobs: store.clone(),
        metrics: METRICS.get_or_init(|| api::metrics::install().unwrap()).clone(),
        secret: [7; 32],
        limits,
        allowed_hosts: Vec::new(),
        origins: api::cors::Origins::default(),
        on_disconnect: api::OnDisconnect::default(),
        stop: stop.clone(),
    });
    Server { router, engine, store, keyring, stop, _folder: folder }
}

impl Server {
    async fn key(&self, tenant: &str, role: Role) -> String {
        let new = NewKey { tenant: tenant.into(), role, agents: None, subject: None, label: None };
        self.keyring.create(new).await.unwrap().0
    }

    async fn ask(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> Answer {
        let response = self.begin(method, path, key, body).await;
        let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let status = response.status();
        let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status, request_id, text }
    }

    /// The head of an answer, and the body to come.
    async fn begin(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> http::Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if !key.is_empty() {
            request = request.header("x-api-key", key);
        }
        let body = match body {
            None => Body::empty(),
            Some(json) => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
        };
        self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    async fn get(&self, path: &str, key: &str) -> Answer {
        self.ask(Method::GET, path, key, None).await
    }

    async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, key, Some(body)).await
    }

    /// An agent `a` with a session `s`.
    async fn with_session(&self, key: &str) {
        let agent = json!({"key": "a", "name": "A", "model": {"name": "default"}, "first_step": {}});
        assert_eq!(self.post("/v2/agents", key, agent).await.status, 201);
        let session = self.post("/v2/agents/a/sessions", key, json!({"key": "s"})).await;
        assert_eq!(session.status, 201, "{}", session.text);
    }
}

const EVENTS: &str = "/v2/agents/a/sessions/s/events";

fn says(text: &str) -> Value {
    json!({"messages": [{"content": text}]})
}

#[tokio::test]
async fn every_error_has_the_one_body_with_the_id_of_its_request() {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    for (method, path, key, status, code) in [
        (Method::GET, "/nothing", "", 404, "not_found"),
        (Method::DELETE, "/v2/agents", owner.as_str(), 405, "method_not_allowed"),
        (Method::GET, "/v2/agents", "", 401, "unauthorized"),
        (Method::GET, "/v2/agents", "wrd_wrong", 401, "unauthorized"),
        (Method::GET, "/v2/agents/nope", owner.as_str(), 404, "agent_not_found"),
        (Method::GET, "/v2/agents/n%20pe", owner.as_str(), 400, "invalid_request"),
        (Method::GET, "/v2/agents/%ff", owner.as_str(), 400, "invalid_request"),
        (Method::GET, "/v2/agents?limit=0", owner.as_str(), 400, "invalid_request"),
        (Method::GET, "/v2/tools/tol_a_b", owner.as_str(), 404, "tool_not_found"),
    ] {
        let answer = server.ask(method, path, key, None).await;
        let body = answer.json();
        assert_eq!((answer.status.as_u16(), body["code"].as_str().unwrap()), (status, code), "{path}");
        assert_eq!(body["request_id"], json!(answer.request_id), "{path}");
        assert!(body["messages"][0].as_str().is_some_and(|text| !text.is_empty()), "{path}");
    }
}

#[tokio::test]
async fn each_door_has_its_own_body_of_errors_also_for_what_no_operation_has_seen() {
    let server = start(Limits::default()).await;
    for (path, code) in [("/v1/aibot/bots/a/files", "NOT_FOUND"), ("/v1/agui", "NOT_FOUND")] {
        let answer = server.post(path, "", json!({})).await;
        let (body, id) = (answer.json(), json!(answer.request_id));
        assert_eq!((answer.status.as_u16(), body["code"].as_str(), &body["requestId"]), (404, Some(code), &id), "{path}");
        assert_eq!((&body["error"]["code"], &body["error"]["message"]), (&body["code"], &body["message"]), "{path}");
    }
    for path in ["/v1/embeddings", "/v1/aibot/bots/a/openai/chat/completions/x/openai/chat/completions"] {
        let answer = server.post(path, "", json!({})).await;
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status.as_u16(), error["type"].as_str()), (404, Some("invalid_request_error")), "{path}");
        assert!(error["message"].is_string() && error["param"].is_null() && error["code"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn a_turn_is_answered_listed_and_paged() {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    server.with_session(&owner).await;
    let answer = server.post(EVENTS, &owner, says("hällo")).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert!(answer.text.is_ascii());
    let events = answer.json();
    assert_eq!((&events["session_key"], &events["events"][0]["type"]), (&json!("s"), &json!("input_message")));
    let many = events["events"].as_array().unwrap().len();
    assert_eq!(events["events"][many - 1]["type"], "agent_output");

    let (mut seen, mut path) = (Vec::new(), format!("{EVENTS}?limit=1"));
    loop {
        let page = server.get(&path, &owner).await.json();
        assert_eq!(page["metadata"]["total_count"], json!(many));
        assert_eq!(page["events"].as_array().unwrap().len(), 1);
        seen.push(page["events"][0].clone());
        let Some(key) = page["metadata"]["page_key"].as_str() else { break };
        path = format!("{EVENTS}?limit=1&page_key={key}");
    }
    assert_eq!(json!(seen), events["events"]);
    let id = seen[0]["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("{EVENTS}/{id}"), &owner).await.json(), seen[0]);
    assert_eq!(server.get(&format!("{EVENTS}/aev_x"), &owner).await.json()["code"], "event_not_found");
}

#[tokio::test]
async fn a_stream_begins_with_the_input_and_ends_with_end() {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    server.with_session(&owner).await;
    let mut body = says("hi");
    body["stream_response"] = json!(true);
    let answer = server.post(EVENTS, &owner, body).await;
    assert_eq!(answer.status, 201);
    let frames: Vec<&str> = answer.text.split_terminator("\n\n").collect();
    let kinds: Vec<&str> = frames.iter().map(|frame| frame.strip_prefix("event: ").unwrap().split('\n').next().unwrap()).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("input_message", "end"), "{kinds:?}");
    assert!(kinds.contains(&"streaming_agent_output") && kinds.contains(&"streaming_agent_output_end"), "{kinds:?}");
    assert!(!kinds.contains(&"agent_output") && answer.text.ends_with("\n\n"));
    for (frame, kind) in frames.iter().zip(&kinds) {
        let data: Value = serde_json::from_str(frame.split_once("\ndata: ").unwrap().1).unwrap();
        assert_eq!(data["type"], **kind);
        assert!(matches!(*kind, "end" | "error") || data["created_at"].is_string(), "{frame}");
    }
}

#[tokio::test]
async fn roles_and_tenants_keep_people_apart() {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    server.keyring.create_tenant("acme").await.unwrap();
    let stranger = server.key("acme", Role::Owner).await;
    let (user, other) = (server.key("default", Role::AgentUser).await, server.key("default", Role::AgentUser).await);
    server.with_session(&owner).await;
    assert_eq!(server.get("/v2/agents/a", &stranger).await.json()["code"], "agent_not_found");
    assert_eq!(server.get("/v2/agents/a", &user).await.status, 403);
    assert_eq!(server.get("/v2/agents", &user).await.status, 200);
    assert_eq!(server.get("/metrics", &user).await.status, 403);
    assert_eq!(server.post("/v2/agents/a/sessions", &user, json!({"key": "mine"})).await.status, 201);
    assert_eq!(server.get("/v2/agents/a/sessions/mine", &user).await.status, 200);
    assert_eq!(server.get("/v2/agents/a/sessions/mine", &other).await.status, 404);
    assert_eq!(server.post(EVENTS, &user, says("hi")).await.status, 404);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let server = start(Limits { message_bytes: 8, body_bytes: 1000, ..Limits::default() }).await;
    let owner = server.key("default", Role::Owner).await;
    server.with_session(&owner).await;
    for (body, status, code) in [
        (json!({"messages": []}), 400, "invalid_message_content"),
        (says("longer than eight"), 400, "invalid_message_content"),
        (says(&"x".repeat(2000)), 413, "request_too_large"),
        (json!({"messages": "hi"}), 400, "invalid_request"),
        (json!({"type": "interrupt"}), 400, "invalid_request"),
    ] {
        let answer = server.post(EVENTS, &owner, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str().unwrap()), (status, code), "{}", answer.text);
    }
    assert_eq!(server.get(EVENTS, &owner).await.json(), json!({"events": [], "metadata": {"total_count": 0}}));
    let tool = json!({"key": "b", "name": "B", "model": {"name": "default"}, "first_step": {}, "tool_configurations": {"x": {"tool_id": "tol_a_b"}}});
    assert_eq!(server.post("/v2/agents", &owner, tool).await.json()["code"], "invalid_tool_reference");
    assert_eq!(server.get("/v2/agents", &owner).await.json()["agents"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_is_made_and_revoked_through_the_operators_door() {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    let made = server.post("/operator/v1/keys", &owner, json!({"role": "agent_viewer", "label": "x"})).await.json();
    let key = made["key"].as_str().unwrap();
    assert_eq!(server.get("/v2/agents", key).await.status, 200);
    assert!(!server.get("/operator/v1/keys", &owner).await.text.contains(key));
    let path = format!("/operator/v1/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(server.ask(Method::DELETE, &path, &owner, None).await.status, 204);
    assert_eq!(server.get("/v2/agents", key).await.status, 401);
    assert_eq!(server.ask(Method::DELETE, &path, &owner, None).await.status, 404);
}

#[tokio::test]
async fn only_an_owner_of_the_whole_server_operates_it() {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    server.keyring.create_tenant("acme").await.unwrap();
    let stranger = server.key("acme", Role::Owner).await;
    let limited = NewKey { tenant: "default".into(), role: Role::Owner, agents: Some(vec!["a".into()]), subject: None, label: None };
    let limited = server.keyring.create(limited).await.unwrap().0;
    for path in ["/operator/v1/keys", "/operator/v1/tenants", "/operator/v1/status", "/metrics"] {
        assert_eq!(server.get(path, &owner).await.status, 200, "{path}");
        assert_eq!(server.get(path, &stranger).await.status, 403, "{path}");
        assert_eq!(server.get(path, &limited).await.status, 403, "{path}");
    }
    assert_eq!(server.get("/v2/agents", &stranger).await.status, 200);
    for (body, field) in [
        (json!({"role": "owner", "tenant": "acme"}), "tenant"),
        (json!({"role": "owner", "agents": ["a"]}), "agents"),
        (json!({"role": "agent_user", "tenant": "acne"}), "tenant"),
    ] {
        let refused = server.post("/operator/v1/keys", &owner, body).await;
        assert_eq!(refused.status, 400);
        assert!(refused.json()["field_errors"][field].is_string(), "{}", refused.text);
    }
    assert_eq!(server.keyring.tenants().unwrap().len(), 2);
}

#[tokio::test]
async fn a_list_shows_an_agent_user_no_more_than_which_agents_there_are() {
    let server = start(Limits::default()).await;
    let (owner, user) = (server.key("default", Role::Owner).await, server.key("default", Role::AgentUser).await);
    let agent = json!({"key": "a", "name": "A", "model": {"name": "default", "parameters": {"temperature": 0}}, "metadata": {"team": "x"},
        "first_step": {"instructions": [{"name": "role", "template": "hidden", "template_type": "text"}]}});
    assert_eq!(server.post("/v2/agents", &owner, agent).await.status, 201);
    assert!(server.get("/v2/agents", &owner).await.text.contains("hidden"));
    let listed = server.get("/v2/agents", &user).await.json();
    let listed = &listed["agents"][0];
    assert_eq!((&listed["key"], &listed["model"]), (&json!("a"), &json!({"name": "default"})));
    assert_eq!((&listed["metadata"], &listed["first_step"]["instructions"]), (&json!({}), &json!([])));
}

#[tokio::test]
async fn a_conflict_says_which_of_key_and_name_is_taken() {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    let agent = |key: &str, name: &str| json!({"key": key, "name": name, "model": {"name": "default"}, "first_step": {}});
    for (key, name) in [("a", "A"), ("b", "B")] {
        assert_eq!(server.post("/v2/agents", &owner, agent(key, name)).await.status, 201);
    }
    let renamed = server.ask(Method::PATCH, "/v2/agents/b", &owner, Some(json!({"name": "A"}))).await;
    for answer in [server.post("/v2/agents", &owner, agent("c", "A")).await, renamed] {
        assert_eq!(answer.status, 409);
        assert!(answer.text.contains("another agent has the name `A`"), "{}", answer.text);
    }
    let same_key = server.post("/v2/agents", &owner, agent("a", "C")).await;
    assert_eq!(same_key.status, 409);
    assert!(same_key.text.contains("agent `a` exists already"), "{}", same_key.text);
}

#[tokio::test]
async fn readiness_turns_when_the_server_stops() {
    let server = start(Limits::default()).await;
    assert_eq!(server.get("/readyz", "").await.text, "ok\npolicy_stale\n");
    server.stop.cancel();
    assert_eq!(server.get("/readyz", "").await.status, 503);
    assert_eq!(server.get("/livez", "").await.status, 200);
}

#[tokio::test]
async fn a_grant_for_a_time_is_checked_before_it_is_made() {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    let body = json!({"plugin": "web", "for": "10m", "grant": {"http": [{"host": "a.example"}]}, "agent": "assistant"});
    let made = server.post("/operator/v1/grants", &owner, body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!((&made.json()["until"], &made.json()["agent"]), (&json!("600s"), &json!("assistant")));
    assert!(made.json()["by"].as_str().is_some_and(|by| by.starts_with("key ")));
    for (member, value, said) in [
        ("for", json!("soon"), "a span of time such as 10m"),
        ("for", json!("25h"), "at most 24h"),
        ("for", json!("10ms"), "at least 1s"),
        ("plugin", json!(""), "1 to 32 characters"),
        ("grant", json!({"limits": {}}), "unknown field `limits`"),
        ("grant", json!({"config": {"a": "x".repeat(20_000)}}), "at most 16384 bytes"),
        ("agent", json!("a b"), "`agent` must be"),
    ] {
        let mut wrong = body.clone();
        wrong[member] = value;
        let refused = server.post("/operator/v1/grants", &owner, wrong).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(refused.json()["field_errors"][member].as_str().is_some_and(|text| text.contains(said)), "{}", refused.text);
    }
    let user = server.key("default", Role::AgentAdministrator).await;
    assert_eq!(server.post("/operator/v1/grants", &user, body).await.status, 403);
    assert_eq!(server.ask(Method::DELETE, "/operator/v1/grants/1", &owner, None).await.status, 204);
    assert_eq!(server.ask(Method::DELETE, "/operator/v1/grants/2", &owner, None).await.status, 404);
}

#[tokio::test]
async fn a_question_is_answered_with_the_lines_that_would_allow_it() {
    let server = start(Limits::default()).await;
    let owner = server.key("default", Role::Owner).await;
    let answer = server.get("/operator/v1/policy/explain?plugin=web&ask=http+GET+https%3A%2F%2Fa.example%2Fx", &owner).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!((&answer["allowed"], &answer["layer"], &answer["agent"]), (&json!(false), &json!("grant"), &json!("assistant")));
    assert!(answer["toml"].as_str().is_some_and(|toml| toml.starts_with("[[plugin.web.http]]\nhost = \"a.example\"")));
    let unclear = server.get("/operator/v1/policy/explain?plugin=web&ask=fly", &owner).await;
    assert_eq!((unclear.status.as_u16(), unclear.json()["code"].clone()), (400, json!("invalid_request")));
}
