//! A call of a tool: a turn of a session that stands for this call alone. A
//! call that needs a person gets a session which the same call finds again, so
//! that nobody is asked twice and the result is handed out when it is there.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::Map;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use agent::{Brought, CallNews, Clock, Closing, Engine, Follow, Input, NewSession, News, OpenApproval, Repeat, Watcher};
use session::json::push_json;
use session::{Agent, Entry, HowEnded, Kind, Principal, Purpose, Secrets, Session};
use tool::{Caller as ToolCaller, ToolId, ToolSpec, Verdict};

use super::message::{Fault, Request, is_id};
use super::running::{Cancelled, Ticket};
use super::{list, output, record};
use crate::caller::Caller;
use crate::errors::{Code, Error};
use crate::{App, OnDisconnect};

/// Minutes that a call's session may idle: as long as somebody may want to look at what happened. One that waits does not idle.
const TTI_MINUTES: u64 = 60;

/// What a call's session is called begins with this.
const PREFIX: &str = "call";

/// What is to be called.
pub(super) struct Asked {
    whom: ToolCaller,
    spec: Arc<ToolSpec>,
    /// As the client calls the tool.
    name: String,
    /// A JSON object: the client's text without white space between tokens.
    arguments: String,
    /// By what the client knows how far the call is: JSON, exact text.
    pub(super) progress: Option<String>,
}

#[derive(Deserialize)]
struct Params<'a> {
    name: String,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(borrow, default)]
    progress_token: Option<&'a RawValue>,
}

/// Where somebody is told how far a call is: the share that is done, where it is known, and a note.
pub(super) type Progress<'a> = dyn FnMut(Option<f32>, &str) + Send + 'a;

impl Asked {
    /// Reads what a request asks for. The tool has to be one that is offered; whether the arguments fit, the tool's own schema says.
    pub(super) async fn read(app: &App, whom: &ToolCaller, request: &Request<'_>) -> Result<Self, Fault> {
        let Params { name, arguments, meta } = request.params()?;
        let mut exact = String::new();
        push_json(&mut exact, arguments.map_or("{}", RawValue::get));
        if !exact.starts_with('{') {
            return Err(Fault::params("`arguments` must be an object"));
        }
        let most = app.limits.message_bytes;
        if exact.len() > most {
            return Err(Fault::params(&format!("`arguments` may be at most {most} bytes long, not {}", exact.len())));
        }
        let progress = meta.and_then(|meta| meta.progress_token).map(RawValue::get);
        if progress.is_some_and(|token| !is_id(token)) {
            return Err(Fault::params("`progressToken` must be a string or a whole number"));
        }
        let toolbox = app.engine.toolbox();
        toolbox.settled().await;
        let Some(spec) = list::tool(&name).and_then(|id| toolbox.find(whom, &id)) else {
            let shown: String = name.chars().take(100).collect();
            return Err(Fault::params(&format!("there is no tool `{shown}` here; tools/list names those that there are")));
        };
        Ok(Self { whom: whom.clone(), spec, name, arguments: exact, progress: progress.map(str::to_owned) })
    }

    fn tool(&self) -> &ToolId {
        &self.spec.id
    }

    /// How its answer is read.
    fn follow(&self) -> Follow {
        if self.progress.is_some() { Follow::Calls } else { Follow::Entries }
    }

    /// The turn that makes the call. `repeat` makes it one however often it is posted.
    fn input(&self, repeat: Option<Repeat>) -> Input {
        let purpose = Purpose::Call { name: self.name.clone(), tool: self.tool().clone(), arguments: self.arguments.clone() };
        let hash = Sha256::new().chain_update(&self.name).chain_update([0]).chain_update(&self.arguments).finalize().into();
        let (messages, brought) = (Vec::new(), Brought::default());
        // `Turn` stops it, from before it is posted.
        Input { messages, purpose, hash, repeat, follow: self.follow(), queue: None, brought, unless_left: false }
    }
}

/// Makes the keys of sessions that are found again.
pub(crate) struct Keys([u8; 32]);

impl Keys {
    /// Keys under the server's secret: nobody else can say which session a call has.
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The key of the session in which this very call of this caller waits, if it does.
    fn of(&self, principal: &Principal, name: &str, arguments: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        let subject = principal.subject.as_deref();
        // Lengths keep two calls from looking like one.
        for part in ["a call over MCP", subject.unwrap_or_default(), name, arguments] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(&[u8::from(subject.is_some())]);
        mac.update(&principal.tenant.0);
        mac.update(&principal.key.0);
        key(&mac.finalize().into_bytes()[..16])
    }
}

fn key(bytes: &[u8]) -> String {
    format!("{PREFIX}_{}", data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase())
}

/// Where a call happens.
struct Place {
    agent: Arc<Agent>,
    session: Arc<Session>,
    /// Whether the same call finds it again.
    lasting: bool,
}

impl Place {
    /// Whether another request got the result meanwhile, and the session ended with that.
    fn is_gone(&self, engine: &Engine) -> bool {
        self.lasting && engine.is_deleted(&self.session).unwrap_or(false)
    }

    /// Why a call came to nothing here; that may be because its session went away.
    fn lost(&self, engine: &Engine, fault: Fault) -> Fault {
        if self.is_gone(engine) { handed_out() } else { fault }
    }
}

/// Makes a call and answers with its result: JSON, exact text.
pub(super) async fn run(
    app: &Arc<App>,
    caller: &Caller,
    ticket: &Ticket,
    asked: &Asked,
    progress: &mut Progress<'_>,
) -> Result<Result<String, Fault>, Cancelled> {
    let place = match place(app, &caller.0, asked).await {
        Ok(place) => place,
        Err(fault) => return Ok(Err(fault)),
    };
    // What a person agreed to runs whether or not the client still waits at that moment.
    let unwanted = !place.lasting && app.on_disconnect == OnDisconnect::Interrupt;
    let mut turn = Turn { engine: app.engine.clone(), place: &place, principal: &caller.0, unwanted };
    let revoked = app.keyring.clone().until_revoked(caller.0.key);
    tokio::select! {
        biased;
        () = ticket.cancelled() => {
            turn.unwanted = !place.lasting;
            Err(Cancelled)
        }
        () = revoked => Ok(Err(Error::new(Code::Unauthorized, "the API key of this request was revoked meanwhile").into())),
        came = follow(app, &caller.0, &place, asked, progress) => {
            turn.unwanted = false;
            Ok(match came {
                Ok(Came::Waits(open)) => Ok(output::waits(&open, &place.session)),
                Ok(Came::Ended(output, closing)) => ended(app, &place, asked, output.as_deref(), closing).await,
                Err(fault) => Err(place.lost(&app.engine, fault)),
            })
        }
    }
}

/// The turn of a call. If it is dropped while nobody wants its result, it ends: there is no way to ask for that later.
struct Turn<'a> {
    engine: Arc<Engine>,
    place: &'a Place,
    principal: &'a Arc<Principal>,
    unwanted: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.unwanted {
            return;
        }
        let (engine, session, principal) = (self.engine.clone(), self.place.session.clone(), self.principal.clone());
        runtime.spawn(async move {
            match engine.interrupt(&session, &principal, Follow::Entries).await {
                // It had ended by itself, or the server goes away with it.
                Ok(_) | Err(agent::Error::Idle | agent::Error::Draining) => {}
                Err(error) => tracing::warn!(session.uid = %session.uid, %error, "a call that nobody waits for could not be stopped"),
            }
        });
    }
}

/// The session for a call: the one in which it waits, or a new one.
async fn place(app: &App, principal: &Principal, asked: &Asked) -> Result<Place, Fault> {
    let engine = &app.engine;
    let agent = record::of(engine, principal.tenant).await?;
    let lasting = app.mcp.keys.of(principal, &asked.name, &asked.arguments);
    match engine.session(&agent, &lasting) {
        Ok(session) => return Ok(Place { agent, session, lasting: true }),
        Err(agent::Error::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let asks = matches!(engine.toolbox().check(&asked.whom, asked.tool(), &asked.arguments).await, Ok(Verdict::Ask(_)));
    let new = new_session(asked, if asks { lasting } else { key(&Clock.random::<16>()) });
    let session = match engine.create_session(&agent, principal, new.clone()).await {
        // The same call was made in this moment.
        Err(agent::Error::Taken { .. }) if asks => engine.session(&agent, &new.key)?,
        made => made?,
    };
    Ok(Place { agent, session, lasting: asks })
}

fn new_session(asked: &Asked, key: String) -> NewSession {
    NewSession {
        key,
        name: asked.name.clone(),
        description: None,
        metadata: Map::new(),
        enabled: true,
        tti_minutes: TTI_MINUTES,
        secrets: Secrets::default(),
        conversation: None,
        unlisted: true,
    }
}

/// What became of a call.
enum Came {
    /// A person has to agree to it first.
    Waits(OpenApproval),
    /// It is over: with what it put out, if it did, and how.
    Ended(Option<Arc<Entry>>, Closing),
}

/// Begins the turn, or joins it, and waits for what comes of it.
async fn follow(app: &App, principal: &Principal, place: &Place, asked: &Asked, progress: &mut Progress<'_>) -> Result<Came, Fault> {
    let Place { agent, session, lasting } = place;
    let engine = &app.engine;
    if let Some(open) = lasting.then(|| engine.approvals(session)).transpose()?.and_then(first) {
        return Ok(Came::Waits(open));
    }
    let repeat = lasting.then(|| Repeat { digest: Sha256::digest([b"mcp".as_slice(), &session.uid.0].concat()).into() });
    let mut watcher = engine.post(agent.clone(), session.clone(), principal, asked.input(repeat)).await?;
    let mut heard = Heard::default();
    let mut closing = heard.until_closed(&mut watcher, progress).await?;
    if closing == Closing::Paused && heard.output.is_none() {
        if let Some(open) = first(engine.approvals(session)?) {
            return Ok(Came::Waits(open));
        }
        // It was decided; what came of it follows what this call was told before.
        let since = engine.since(session, "start")?;
        let mut watcher = engine.rejoin(session, principal, since, asked.follow()).await?;
        closing = heard.until_closed(&mut watcher, progress).await?;
    }
    Ok(Came::Ended(heard.output, closing))
}

/// The result of a call that is over, or why it has none.
async fn ended(app: &App, place: &Place, asked: &Asked, output: Option<&Entry>, closing: Closing) -> Result<String, Fault> {
    let over = is_over(output, &closing);
    let result = match output {
        Some(entry) => output::result(&*app.blobs, &place.session, entry, asked.spec.output.as_deref()).map_err(Fault::from),
        None => without_output(closing).map_err(|fault| place.lost(&app.engine, fault)),
    };
    if place.lasting && over {
        // What a person agreed to runs once, and its end is told to one request, whatever it was: who calls the same again asks anew.
        app.engine.delete_session(&place.session).await.map_err(|error| place.lost(&app.engine, error.into()))?;
    }
    result
}

/// Whether nothing more comes of a call.
fn is_over(output: Option<&Entry>, closing: &Closing) -> bool {
    output.is_some()
        || match closing {
            Closing::Ended(_) => true,
            Closing::Paused | Closing::Idle | Closing::Refused(_) => false,
        }
}

/// What is said of a call that left no output.
fn without_output(closing: Closing) -> Result<String, Fault> {
    let why = match closing {
        Closing::Ended(HowEnded::Interrupted | HowEnded::Superseded) => return Ok(output::cancelled()),
        Closing::Ended(HowEnded::Failed(why)) => Error::new(Code::AgentProcessingFailed, why),
        Closing::Ended(HowEnded::RecoveryLimit) => {
            Error::new(Code::AgentProcessingFailed, "the call was given up after the server was restarted several times; make it again")
        }
        Closing::Refused(error) => return Err(error.into()),
        // What waited is just being settled, by the clock for one.
        Closing::Paused | Closing::Idle => Error::new(Code::ServerUnavailable, "the call is being settled at this moment; make it again"),
        Closing::Ended(how @ (HowEnded::Answered | HowEnded::Compacted | HowEnded::Limit(_) | HowEnded::ContextLimit)) => {
            Error::internal(format!("a call ended {} without an output", how.word()))
        }
    };
    Err(why.into())
}

fn first(approvals: Vec<OpenApproval>) -> Option<OpenApproval> {
    approvals.into_iter().next()
}

/// What those are told who asked for the same at the same moment.
fn handed_out() -> Fault {
    let why = "the result of this call was handed out to another request that asked for the same; call again to ask for it anew";
    Error::new(Code::Conflict, why).into()
}

/// What was learnt of a call.
#[derive(Default)]
struct Heard {
    output: Option<Arc<Entry>>,
}

impl Heard {
    async fn until_closed(&mut self, watcher: &mut Watcher, progress: &mut Progress<'_>) -> Result<Closing, Fault> {
        loop {
            match watcher.next().await {
                Some(News::Entry(entry)) if entry.kind == Kind::ToolOutput => self.output = Some(entry),
                Some(News::Call { what: CallNews::Progress { share, note }, .. }) => progress(share, &note),
                Some(News::Closed(closing)) => return Ok(closing),
                Some(News::Entry(_) | News::Delta { .. } | News::Call { .. } | News::Void { .. }) => {}
                Some(News::Usage { .. } | News::CompactionStarted { .. }) => {}
                None => {
                    return Err(Error::new(
                        Code::ServerUnavailable,
                        "the call broke off: the server is stopping, or its session went away",
                    )
                    .into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::Role;
    use session::Uid;

    fn principal(key: u8, subject: Option<&str>) -> Principal {
        Principal {
            tenant: Uid([1; 16]),
            tenant_name: "default".into(),
            key: Uid([key; 16]),
            subject: subject.map(str::to_owned),
            role: Role::AgentUser,
            agents: None,
        }
    }

    #[test]
    fn every_end_of_a_call_is_its_end_and_what_only_waits_can_be_asked_for_again() {
        let ends = [HowEnded::Failed("no space".into()), HowEnded::RecoveryLimit, HowEnded::Interrupted, HowEnded::Superseded];
        assert!(ends.into_iter().all(|how| is_over(None, &Closing::Ended(how))));
        assert!([Closing::Paused, Closing::Idle, Closing::Refused(agent::Error::Draining)].iter().all(|closing| !is_over(None, closing)));
        let fault = |closing| without_output(closing).unwrap_err();
        let told = |why: &str| Fault::from(Error::new(Code::AgentProcessingFailed, why));
        assert_eq!(fault(Closing::Ended(HowEnded::Failed("no space".into()))), told("no space"));
        let given_up = "the call was given up after the server was restarted several times; make it again";
        assert_eq!(fault(Closing::Ended(HowEnded::RecoveryLimit)), told(given_up));
        assert!(without_output(Closing::Ended(HowEnded::Interrupted)).unwrap().contains("cancelled: "));
    }

    #[test]
    fn a_call_that_waits_is_found_again_by_the_same_caller_with_the_same_arguments_alone() {
        let keys = Keys::new([7; 32]);
        let it = keys.of(&principal(1, None), "notes__write", "{\"a\":1}");
        assert_eq!(it, keys.of(&principal(1, None), "notes__write", "{\"a\":1}"));
        assert!(it.len() <= 50 && it.starts_with("call_"), "{it}");
        let others = [
            keys.of(&principal(2, None), "notes__write", "{\"a\":1}"),
            keys.of(&principal(1, Some("")), "notes__write", "{\"a\":1}"),
            keys.of(&principal(1, None), "notes__writ", "e{\"a\":1}"),
            keys.of(&principal(1, None), "notes__write", "{\"a\":2}"),
            Keys::new([8; 32]).of(&principal(1, None), "notes__write", "{\"a\":1}"),
        ];
        assert!(others.iter().all(|other| *other != it));
    }
}
