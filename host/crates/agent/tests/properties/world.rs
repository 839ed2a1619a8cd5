//! An engine with a store of its own, and a model and a tool that do nothing
//! until the test lets them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent::{
    Closing, Decision, Decisions, Engine, Error, Follow, Input, Limits, NewAgent, NewClientTool, NewSession, News, OpenApproval, Outcome,
    Queue, Watcher,
};
use async_trait::async_trait;
use model::{Delta, Finish, Model, Models, Prompt, Reply, Sink};
use policy::Role;
use session::{
    Agent, AskedCall, Behavior, Entry, EventId, ItemBody, Message, ModelChoice, Origin, PendingCall, Principal, Purpose, Seq, Session,
    Step, ToolBinding, ToolRef, Uid,
};
use storage::backends::redb::Redb;
use storage::{Directory, Journal, Kind, Record};
use tokio::sync::Semaphore;
use tool::{Approver, Caller, Content, End, Evidence, PluginStatus, ToolCall, ToolId, ToolReply, ToolSpec, Toolbox, Traits, Verdict};

/// How long one story may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// The scope of names that belong to nobody in particular.
const ROOT: Uid = Uid([0; 16]);

/// What lets the model and the tool go on, piece by piece.
type Pace = Arc<Semaphore>;

async fn piece(pace: &Pace) {
    pace.acquire().await.unwrap().forget();
}

/// What a model was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) system: String,
    /// By name.
    pub(crate) tools: Vec<String>,
    /// Who said what; calls and results by their ids.
    pub(crate) items: Vec<String>,
}

impl Heard {
    fn of(prompt: &Prompt<'_>) -> Self {
        let said = |item: &Arc<session::Item>| match &item.body {
            ItemBody::User { text } => format!("user {text}"),
            ItemBody::Assistant { text, calls, .. } => {
                let calls: String = calls.iter().map(|call| format!("+{}", call.id)).collect();
                format!("agent {text}{calls}")
            }
            ItemBody::ToolResult { call_id, output, .. } => format!("result {call_id} {output}"),
        };
        let tools = prompt.tools.iter().map(|(name, _)| name.to_owned()).collect();
        Self { system: prompt.system.to_owned(), tools, items: prompt.items.iter().map(said).collect() }
    }
}

/// Whether every call has its result before the next reply, and every result its call.
fn is_whole(items: &[Arc<session::Item>]) -> bool {
    let mut open: Vec<Arc<str>> = Vec::new();
    items.iter().all(|item| match &item.body {
        ItemBody::User { .. } => true,
        ItemBody::ToolResult { call_id, .. } => open.iter().position(|id| id == call_id).map(|at| open.remove(at)).is_some(),
        ItemBody::Assistant { calls, .. } => {
            let was_empty = open.is_empty();
            open = calls.iter().map(|call| call.id.clone()).collect();
            was_empty
        }
    }) && open.is_empty()
}

/// What all models of a world were asked.
type Ear = Arc<Mutex<Vec<Heard>>>;

/// Says words, one for each piece. Asks for the tool first where the user's message says `tool`, or `ask` for one that
/// needs a person's agreement, always under the same id, or `mine` for the client's own; fails where it says `fail`.
struct Stepping {
    origin: Origin,
    pace: Pace,
    ear: Ear,
}

#[async_trait]
impl Model for Stepping {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn context_window(&self) -> u64 {
        0
    }

    async fn ask(&self, prompt: &Prompt<'_>, sink: Sink<'_>) -> Result<Reply, model::Error> {
        assert!(is_whole(prompt.items), "a model is shown only what is whole: {:?}", Heard::of(prompt));
        self.ear.lock().unwrap().push(Heard::of(prompt));
        piece(&self.pace).await;
        let (thinking, mut text, mut calls) = ("hm ".to_owned(), String::new(), Vec::new());
        let id: Arc<str> = "call".into();
        match prompt.items.last().map(|item| &item.body) {
            Some(ItemBody::User { text }) if text.starts_with("fail") => {
                return Err(model::Error { trouble: model::Trouble::Nonsense, message: "as it was told".into() });
            }
            Some(ItemBody::User { text }) if text.starts_with("tool") || text.starts_with("ask") => {
                let arguments = format!("{{\"n\":{},\"ask\":{}}}", prompt.items.len(), text.starts_with("ask"));
                calls.push(AskedCall { id: id.clone(), name: "echo".into(), arguments });
            }
            Some(ItemBody::User { text }) if text.starts_with("mine") && prompt.tools.find("locate").is_some() => {
                calls.push(AskedCall { id: "mine".into(), name: "locate".into(), arguments: "{\"of\":\"me\"}".into() });
            }
            _ => {}
        }
        sink(Delta::Thinking(thinking.clone()));
        for AskedCall { name, arguments, .. } in &calls {
            sink(Delta::CallBegan { index: 0, id: id.clone(), name: name.clone() });
            let (first, second) = arguments.split_at(3);
            for half in [first, second] {
                piece(&self.pace).await;
                sink(Delta::CallArguments { index: 0, piece: half.into() });
            }
        }
        if calls.is_empty() {
            for word in ["one ", "two ", "three"] {
                piece(&self.pace).await;
                text.push_str(word);
                sink(Delta::Text(word.into()));
            }
        }
        let finish = if calls.is_empty() { Finish::Stop } else { Finish::Tools };
        Ok(Reply { thinking, text, calls, finish, usage: None, raw: None })
    }
}

/// One tool, which answers after a piece, and says before that it is half done.
struct Echo {
    spec: Arc<ToolSpec>,
    pace: Pace,
}

#[async_trait]
impl Toolbox for Echo {
    fn tools(&self, _: &Caller) -> Vec<Arc<ToolSpec>> {
        vec![self.spec.clone()]
    }

    fn find(&self, _: &Caller, tool: &ToolId) -> Option<Arc<ToolSpec>> {
        (*tool == self.spec.id).then(|| self.spec.clone())
    }

    async fn check(&self, _: &Caller, _: &ToolId, input: &str) -> Result<Verdict, End> {
        Ok(if input.contains("\"ask\":true") { Verdict::Ask(Approver::Client) } else { Verdict::Run })
    }

    fn evidence(&self, _: &Caller, _: &ToolId) -> Evidence {
        Evidence::default()
    }

    async fn call(&self, call: ToolCall) -> ToolReply {
        call.ports.sink.progress(Some(0.5), "half");
        tokio::select! {
            () = piece(&self.pace) => ToolReply { parts: vec![Content::Text(call.input)], ..ToolReply::without_answer(End::Done) },
            () = call.ports.sink.gone() => ToolReply::without_answer(End::Cancelled),
        }
    }

    async fn settled(&self) {}

    fn plugins(&self) -> Vec<PluginStatus> {
        Vec::new()
    }
}

/// One session of one agent.
pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    store: Arc<Redb>,
    pace: Pace,
    ear: Ear,
    pub(crate) agent: Arc<Agent>,
    pub(crate) session: Arc<Session>,
    pub(crate) principal: Principal,
    hashes: Arc<AtomicU64>,
    _folder: Arc<tempfile::TempDir>,
}

fn engine(store: &Arc<Redb>, pace: &Pace, ear: &Ear) -> Arc<Engine> {
    let origin = Origin { wire: "w".into(), provider: "p".into(), model: "m".into(), format: 1 };
    let spec = ToolSpec {
        id: ToolId { plugin: "echo".into(), name: "echo".into() },
        description: String::new(),
        input: "{}".into(),
        output: None,
        traits: Traits::default(),
        title: None,
        component: "sha256:0".into(),
        tools: "sha256:0".into(),
        version: "0.0.0".into(),
    };
    Engine::new(agent::Options {
        journal: store.clone(),
        directory: store.clone(),
        toolbox: Arc::new(Echo { spec: Arc::new(spec), pace: pace.clone() }),
        models: Arc::new(Models::single(Arc::new(Stepping { origin, pace: pace.clone(), ear: ear.clone() }))),
        limits: Limits::default(),
    })
}

/// An agent of one tool.
fn binding(key: &str, name: &str, tool: ToolBinding) -> NewAgent {
    NewAgent {
        key: key.into(),
        name: key.into(),
        description: None,
        model: ModelChoice { name: "default".into(), parameters: serde_json::Map::new(), retry: None },
        tools: BTreeMap::from([(name.to_owned(), tool)]),
        first_step: "main".into(),
        steps: BTreeMap::from([("main".to_owned(), Step { instructions: Vec::new(), allowed_tools: None, output: None })]),
        compaction: None,
        metadata: serde_json::Map::new(),
        enabled: true,
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store = Arc::new(Redb::open(folder.path().join("store"), storage::backends::redb::Options::default()).unwrap());
        let pace: Pace = Arc::new(Semaphore::new(0));
        let ear = Ear::default();
        let engine = engine(&store, &pace, &ear);
        let (tenant, name) = (agent::Clock.uid(), "t".to_owned());
        let record = Record { uid: tenant, tenant: ROOT, kind: Kind::Tenant, scope: ROOT, name, alias: None, version: 1, body: Vec::new() };
        store.create(record).await.unwrap();
        let principal =
            Principal { tenant, tenant_name: "t".into(), key: agent::Clock.uid(), subject: None, role: Role::Owner, agents: None };
        let echo = ToolBinding {
            tool: ToolRef::Plugin(ToolId { plugin: "echo".into(), name: "echo".into() }),
            argument_override: serde_json::Map::new(),
        };
        let agent = engine.create_agent(tenant, binding("a", "echo", echo)).await.unwrap();
        let new = Self::named("s");
        let session = engine.create_session(&agent, &principal, new).await.unwrap();
        Self { engine, store, pace, ear, agent, session, principal, hashes: Arc::default(), _folder: folder }
    }

    /// The same of an agent that binds a tool of the client's, `locate`, and itself sets what that looks for.
    pub(crate) async fn with_client_tool() -> Self {
        let world = Self::new().await;
        let new = NewClientTool {
            name: "locate".into(),
            title: None,
            description: "Where somebody is.".into(),
            input: r#"{"type":"object","properties":{"of":{"type":"string"}}}"#.into(),
            output: None,
            enabled: true,
        };
        let tool = world.engine.create_client_tool(world.principal.tenant, new).await.unwrap();
        let argument_override = serde_json::Map::from_iter([("of".to_owned(), "you".into())]);
        let locate = ToolBinding { tool: ToolRef::Client(tool.uid), argument_override };
        let agent = world.engine.create_agent(world.principal.tenant, binding("b", "locate", locate)).await.unwrap();
        let session = world.engine.create_session(&agent, &world.principal, Self::named("c")).await.unwrap();
        Self { agent, session, ..world }
    }

    /// What the model was asked last.
    pub(crate) fn heard(&self) -> Heard {
        self.ear.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// How often a model was asked.
    pub(crate) fn asked(&self) -> usize {
        self.ear.lock().unwrap().len()
    }

    /// What a client says about a session of this name.
    pub(crate) fn named(key: &str) -> NewSession {
        NewSession {
            key: key.into(),
            name: key.into(),
            description: None,
            metadata: serde_json::Map::new(),
            enabled: true,
            tti_minutes: 0,
            secrets: session::Secrets::default(),
            conversation: None,
            unlisted: false,
        }
    }

    /// The same store behind another engine, which takes up what the first one left.
    pub(crate) async fn restart(self) -> Self {
        self.engine.drain(Duration::ZERO).await;
        // What was on its way to the store arrives there: this is one process with one store.
        self.store.probe().await;
        let engine = engine(&self.store, &self.pace, &self.ear);
        engine.recover().unwrap();
        Self { engine, ..self }
    }

    /// An input that is no repeat of any other.
    pub(crate) fn input(&self, text: &str, queue: Option<Behavior>, stream: bool) -> Input {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&self.hashes.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let since = self.engine.since(&self.session, "start").unwrap();
        let queue = queue.map(|behavior| Queue { since, behavior });
        Input {
            messages: vec![Message { content: text.into() }],
            purpose: Purpose::Answer,
            hash,
            repeat: None,
            follow: if stream { Follow::Text } else { Follow::Entries },
            queue,
            brought: agent::Brought::default(),
            unless_left: false,
        }
    }

    pub(crate) async fn post(&self, input: Input) -> Result<Watcher, Error> {
        self.engine.post(self.agent.clone(), self.session.clone(), &self.principal, input).await
    }

    pub(crate) async fn interrupt(&self) -> Result<Watcher, Error> {
        self.engine.interrupt(&self.session, &self.principal, Follow::Text).await
    }

    /// A reader of all that came after this entry, or of all.
    pub(crate) async fn rejoin(&self, last: Option<&Entry>, follow: Follow) -> Watcher {
        let since = last.map_or("start".to_owned(), |entry| EventId { session: self.session.uid, seq: entry.seq }.to_string());
        let since = self.engine.since(&self.session, &since).unwrap();
        self.engine.rejoin(&self.session, &self.principal, since, follow).await.unwrap()
    }

    /// Lets what waits for a person run, and answers what waits for the client; none where nothing waits.
    pub(crate) async fn settle(&self) -> Option<Result<Watcher, Error>> {
        let input = self.decisions()?;
        Some(self.decide(input).await)
    }

    /// What would let it run; none where nothing waits.
    pub(crate) fn decisions(&self) -> Option<Decisions> {
        let open = self.engine.approvals(&self.session).unwrap();
        let approve = |open: OpenApproval| Decision { event: open.event, verdict: agent::Verdict::Approve { input: None } };
        let mut decisions: Vec<Decision> = open.into_iter().map(approve).collect();
        let outcome = || Outcome::Success("{\"here\":true}".into());
        let answer = |call: PendingCall| Decision { event: call.event, verdict: agent::Verdict::Ran(outcome()) };
        decisions.extend(self.engine.client_calls(&self.session).unwrap().into_iter().map(answer));
        if decisions.is_empty() {
            return None;
        }
        let Input { hash, .. } = self.input("", None, true);
        Some(Decisions { decisions, hash, repeat: None, follow: Follow::Text, unless_left: false })
    }

    pub(crate) async fn decide(&self, input: Decisions) -> Result<Watcher, Error> {
        self.engine.decide(&self.agent, &self.session, &self.principal, Approver::Client, input).await
    }

    /// The model and the tool may come so many pieces further.
    pub(crate) fn allow(&self, pieces: usize) {
        self.pace.add_permits(pieces);
    }

    /// The same, and everybody gets a chance to act on it.
    pub(crate) async fn go(&self, pieces: usize) {
        for _ in 0..pieces {
            self.allow(1);
            tokio::task::yield_now().await;
        }
    }

    /// Lets everything run to its end; nobody refuses anything.
    pub(crate) async fn finish(&self) {
        self.allow(10_000);
        loop {
            let mut reader = self.rejoin(None, Follow::Entries).await;
            let mut idle = false;
            while let Some(news) = reader.next().await {
                idle = matches!(news, News::Closed(Closing::Idle));
            }
            // Somebody else may have decided, or said something else.
            let settled = self.settle().await;
            if idle && settled.is_none() {
                return;
            }
        }
    }

    /// Whether the store knows of nothing that runs or waits.
    pub(crate) fn is_at_rest(&self) -> bool {
        let journal = self.engine.journal();
        let waits = !journal.inbox(self.session.uid).unwrap().is_empty();
        journal.running_turn(self.session.uid).unwrap().is_none() && !waits
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.engine.journal().read(self.session.uid, Seq(1), 100_000).unwrap().entries
    }
}
