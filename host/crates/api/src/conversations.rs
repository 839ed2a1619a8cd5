//! Conversations: sessions that clients call by ids of their own making. Shared by the doors whose clients do so. An id
//! becomes the session's key under a secret of this server, so any text can be one, and the same text of another caller
//! or for another agent is another conversation.

mod answers;
mod history;
mod known;
#[cfg(test)]
mod said;
mod telling;
mod tools;

use std::collections::HashSet;
use std::sync::Arc;

use data_encoding::BASE32_DNSSEC;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Map;
use sha2::{Digest, Sha256};

use agent::{Brought, Clock, Decision, Decisions, Follow, Input, NewSession, Outcome, Repeat, Thing, Watcher};
use policy::Action;
use session::{Agent, DeclaredTool, EventId, Message, Principal, Purpose, Secrets, Session, Uid};

use crate::App;
use crate::caller::Caller;
use crate::errors::{Code, Error, Result};
use crate::{naming, repeats};

pub(crate) use answers::{Resume, Word, outcome};
pub(crate) use history::Said;
pub(crate) use known::Rule;
pub(crate) use telling::{Calls, Place, TAKEN_BACK, first_told, message, named};
pub(crate) use tools::{ExactTool, asked_call, declared, result};

/// Characters of a conversation's id; it is kept with the session and hashed with each request.
const ID: usize = 256;

/// The name of a conversation's session while nobody gave it a title. It holds nothing of what was said: erasing words
/// does not reach names.
pub(crate) const UNTITLED: &str = "Conversation";

/// What keys of conversations are derived for; other things are signed under the same secret.
const PURPOSE: &[u8] = b"wardian conversations";

/// Makes the keys of conversations.
pub(crate) struct Names([u8; 32]);

impl Names {
    /// Keys under this secret; they are the same after a restart.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self(keyed(&secret).chain_update(PURPOSE).finalize().into_bytes().into())
    }

    /// The key of the session behind an id.
    fn key(&self, agent: Uid, principal: &Principal, id: &str) -> String {
        let digest = self.digest(agent, principal, "id", id);
        naming::conversation_key(std::array::from_fn(|at| digest[at]))
    }

    /// An id for a conversation that the client does not name: the same again for the same idempotency key.
    pub(crate) fn made_up(&self, agent: &Agent, principal: &Principal, repeat: Option<&Repeat>) -> String {
        let bytes: [u8; 10] = match repeat {
            None => Clock.random(),
            Some(repeat) => {
                let digest = self.digest(agent.uid, principal, "repeat", &data_encoding::HEXLOWER.encode(&repeat.digest));
                std::array::from_fn(|at| digest[at])
            }
        };
        format!("conversation-{}", BASE32_DNSSEC.encode(&bytes))
    }

    fn digest(&self, agent: Uid, principal: &Principal, what: &str, text: &str) -> [u8; 32] {
        let mut mac = keyed(&self.0).chain_update(agent.0).chain_update(principal.key.0);
        let subject = principal.subject.as_deref();
        for part in [if subject.is_some() { "subject" } else { "none" }, subject.unwrap_or_default(), what, text] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

fn keyed(secret: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

/// Checks an id that a client gives; `field` is where it stood.
pub(crate) fn checked<'a>(id: &'a str, field: &str) -> Result<&'a str> {
    if (1..=ID).contains(&id.chars().count()) && !id.chars().any(char::is_control) {
        return Ok(id);
    }
    Err(Error::field(field, format!("`{field}` must be 1 to {ID} characters, none of them a control character")))
}

/// What its client calls a conversation.
pub(crate) fn id_of(session: &Session) -> &str {
    session.conversation.as_deref().unwrap_or(&session.key)
}

/// The conversation of an id, if this caller has it: one that was begun under the id, or a session of that key that the
/// caller opened elsewhere.
pub(crate) fn find(app: &App, caller: &Caller, agent: &Agent, id: &str) -> Result<Option<Arc<Session>>> {
    let own = |session: &Session| caller.0.is(session.owner_key, session.owner_subject.as_deref()) && !session.unlisted;
    if let Some(session) = of_key(app, agent, &app.conversations.key(agent.uid, &caller.0, id))? {
        let taken = || Error::new(Code::Conflict, format!("somebody else holds the session that the conversation `{id}` would be"));
        return if own(&session) { Ok(Some(session)) } else { Err(taken()) };
    }
    match naming::checked(id, "conversationId") {
        Ok(key) => Ok(of_key(app, agent, key)?.filter(|session| own(session))),
        Err(_) => Ok(None),
    }
}

/// As [`find`], where there has to be one.
pub(crate) fn get(app: &App, caller: &Caller, agent: &Agent, id: &str) -> Result<Arc<Session>> {
    find(app, caller, agent, id)?.ok_or_else(|| Error::missing(Code::ConversationNotFound, "conversation", id))
}

/// Begins a conversation of this id and title, or answers the one that there is.
pub(crate) async fn open(app: &App, caller: &Caller, agent: &Agent, id: &str, title: &str) -> Result<Arc<Session>> {
    if let Some(session) = find(app, caller, agent, id)? {
        return Ok(session);
    }
    match begin(app, caller, agent, id, title).await? {
        Some(session) => Ok(session),
        None => get(app, caller, agent, id),
    }
}

/// Begins a conversation; none where another request was first.
async fn begin(app: &App, caller: &Caller, agent: &Agent, id: &str, title: &str) -> Result<Option<Arc<Session>>> {
    caller.check(Action::CreateSession, true)?;
    let new = NewSession {
        key: app.conversations.key(agent.uid, &caller.0, id),
        name: title.to_owned(),
        description: None,
        metadata: Map::new(),
        enabled: true,
        tti_minutes: 0,
        secrets: Secrets::default(),
        conversation: Some(id.to_owned()),
        unlisted: false,
    };
    match app.engine.create_session(agent, &caller.0, new).await {
        Err(agent::Error::Taken { .. }) => Ok(None),
        made => Ok(Some(made?)),
    }
}

fn of_key(app: &App, agent: &Agent, key: &str) -> Result<Option<Arc<Session>>> {
    match app.engine.session(agent, key) {
        Ok(session) => Ok(Some(session)),
        Err(agent::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a client posts to a conversation, whatever its door calls it.
pub(crate) struct Posted {
    /// The conversation's id.
    pub id: String,
    /// In order. New ones, or all of them from the beginning.
    pub messages: Vec<Said>,
    /// How those that are known are told from new ones.
    pub rule: Rule,
    /// Answers to interrupts.
    pub resume: Vec<Resume>,
    /// The call of an interrupt that was answered as well, though somebody else or time has settled it: if nothing else is
    /// posted, what came of it is the answer.
    pub settled: Option<EventId>,
    /// Tools that the client runs, for this turn.
    pub tools: Vec<DeclaredTool>,
    /// What the model is told beside the agent's instructions; `system` messages are added to it.
    pub instructions: Option<String>,
    /// The client's idempotency key, if it sent one.
    pub repeat: Option<Repeat>,
}

/// What came of it.
pub(crate) struct Begun {
    /// The conversation.
    pub session: Arc<Session>,
    /// The turn, or its part since a pause.
    pub watcher: Watcher,
    /// The ids of the calls that the client answered with this: it knows their outputs.
    pub answered: HashSet<Box<str>>,
}

/// Finds out what is new in what a client posted, and hands it to the engine: words of the user, or answers to what
/// waits. The conversation is made where it is new. Words take the place of answers that are not given, and end a turn with
/// those that are.
pub(crate) async fn ask(app: &App, caller: &Caller, agent: &Arc<Agent>, posted: Posted) -> Result<Begun> {
    let found = find(app, caller, agent, &posted.id)?;
    let (hash, unless_left) = (posted.hash(), app.on_disconnect.stops());
    let Posted { id, messages, rule, resume, settled, tools, instructions, repeat } = posted;
    let (told, messages) = history::without_system(messages);
    let instructions = joined(instructions.into_iter().chain(told));
    let (waiting, stored) = match &found {
        Some(session) => {
            let waiting = answers::waiting(app, session)?;
            let stored = history::stored(app, session, &waiting, (rule, &messages), (&resume, settled)).await?;
            (waiting, stored)
        }
        None => Default::default(),
    };
    let mut answers = answers::given(&waiting, &stored, &messages, &resume)?;
    let new = known::Posted::new(&messages).new_in(rule, &stored);
    let words = history::words(&messages[new..], &stored, &answers)?;
    if words.is_some() && resume.iter().all(|resume| resume.word == Word::Cancelled) {
        // New words cancel what waits: of that nothing is left to be said.
        answers = answers::given(&waiting, &stored, &messages, &[])?;
    }
    if words.is_none() && answers.decisions.is_empty() {
        if let (Some(session), Some(event)) = (&found, settled) {
            let unknown =
                |_| Error::field("resume", format!("no interrupt `{event}` was told on this thread")).with(Code::InterruptNotFound);
            let since = app.engine.since(session, &event.to_string()).map_err(unknown)?;
            let watcher = app.engine.rejoin(session, &caller.0, since, Follow::Calls).await?;
            return Ok(Begun { session: session.clone(), watcher, answered: HashSet::new() });
        }
        answers = answers::repeated(&stored, &messages);
    }
    if let (Some(session), None, false) = (&found, &words, answers.decisions.is_empty()) {
        let input = Decisions { decisions: answers.decisions, hash, repeat, follow: Follow::Calls, unless_left };
        let watcher = app.engine.decide(agent, session, &caller.0, caller.standing(app), input).await.map_err(refused)?;
        return Ok(Begun { session: session.clone(), watcher, answered: answers.calls });
    }
    let (past, said) = words.map_or_else(|| history::last_again(&messages), Ok)?;
    within(app, &said)?;
    let brought = Brought { past, tools, instructions, outputs: answers.outputs()? };
    let (purpose, follow) = (Purpose::Answer, Follow::Calls);
    let input = Input { messages: said, purpose, hash, repeat, follow, queue: None, brought, unless_left };
    let (session, watcher) = say(app, caller, agent, (&id, found), input).await?;
    Ok(Begun { session, watcher, answered: answers.calls })
}

/// Posts an input to a conversation, which is begun if none was found. If the input is refused, it has not begun.
async fn say(
    app: &App,
    caller: &Caller,
    agent: &Arc<Agent>,
    (id, found): (&str, Option<Arc<Session>>),
    input: Input,
) -> Result<(Arc<Session>, Watcher)> {
    let made = match &found {
        Some(_) => None,
        None => begin(app, caller, agent, id, UNTITLED).await?,
    };
    let session = match found.or_else(|| made.clone()) {
        Some(session) => session,
        None => get(app, caller, agent, id)?,
    };
    match app.engine.post(agent.clone(), session.clone(), &caller.0, input).await {
        Ok(watcher) => Ok((session, watcher)),
        Err(error) => {
            if let Some(made) = made
                && let Err(error) = app.engine.take_back(&made).await
            {
                tracing::warn!(session.uid = %made.uid, %error, "the conversation of a refused request stays");
            }
            Err(refused(error))
        }
    }
}

/// The engine's refusals in the words of conversations.
fn refused(error: agent::Error) -> Error {
    let no_event = matches!(&error, agent::Error::NotFound { what: Thing::Event, .. });
    let error = Error::from(error);
    if no_event { error.with(Code::InterruptNotFound) } else { error }
}

fn within(app: &App, said: &[Message]) -> Result<()> {
    let (bytes, most) = (said.iter().map(|message| message.content.len()).sum::<usize>(), app.limits.message_bytes);
    if bytes <= most {
        return Ok(());
    }
    let why = format!("the new messages have {bytes} bytes of text; this server takes at most {most}");
    Err(Error::field("messages", why).with(Code::InvalidMessageContent))
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.filter(|part| !part.trim().is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

impl Posted {
    /// The hash by which a repeat of the same request is recognised: of what was posted, whatever is new in it by now.
    fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        // No message is as long as this.
        hasher.update((u64::MAX - 3).to_be_bytes());
        let mut push = |parts: &[&str]| parts.iter().for_each(|part| repeats::push(&mut hasher, part.as_bytes()));
        for message in &self.messages {
            match message {
                Said::System(text) => push(&["system", text]),
                Said::User(text) => push(&["user", text]),
                Said::Agent { text, calls } => {
                    push(&["agent", text]);
                    calls.iter().for_each(|call| push(&["call", &call.id, &call.name, &call.arguments]));
                }
                Said::Tool { call, outcome: Outcome::Success(output) } => push(&["output", call, output]),
                Said::Tool { call, outcome: Outcome::Failure(error) } => push(&["error", call, error]),
            }
        }
        for Resume { interrupt, word } in &self.resume {
            match word {
                Word::Payload(payload) => push(&["resume", interrupt, payload]),
                Word::Cancelled => push(&["cancel", interrupt]),
            }
        }
        self.tools.iter().for_each(|tool| push(&["tool", &tool.name, &tool.description, &tool.input]));
        self.instructions.iter().for_each(|text| push(&["instructions", text]));
        hasher.finalize().into()
    }
}

/// Decisions about different events: the same one twice in a request says nothing.
fn all_different(decisions: &[Decision]) -> Result<()> {
    let mut seen = HashSet::new();
    match decisions.iter().find(|decision| !seen.insert(decision.event)) {
        None => Ok(()),
        Some(_) => Err(Error::field("messages", "a call is answered twice in one request; a call has one answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::Seq;

    fn principal(key: u8, subject: Option<&str>) -> Principal {
        Principal {
            tenant: Uid([1; 16]),
            tenant_name: "default".into(),
            key: Uid([key; 16]),
            subject: subject.map(str::to_owned),
            role: policy::Role::AgentUser,
            agents: None,
        }
    }

    #[test]
    fn a_conversation_is_another_one_for_another_caller_or_agent() {
        let names = Names::new([7; 32]);
        let key = |agent: u8, key: u8, subject, id| names.key(Uid([agent; 16]), &principal(key, subject), id);
        let first = key(1, 1, None, "a conversation of mine / with any 字");
        assert_eq!(first, key(1, 1, None, "a conversation of mine / with any 字"));
        assert!(naming::checked(&first, "key").is_ok(), "{first}");
        for other in [key(2, 1, None, "x"), key(1, 2, None, "x"), key(1, 1, Some(""), "x"), key(1, 1, Some("u"), "x"), key(1, 1, None, "y")]
        {
            assert_ne!(other, key(1, 1, None, "x"));
        }
        assert_ne!(Names::new([8; 32]).key(Uid([1; 16]), &principal(1, None), "x"), key(1, 1, None, "x"));
    }

    #[test]
    fn an_id_is_any_text_without_control_characters() {
        for good in ["conversation-7f", "user_123/conv 456", "字", &"x".repeat(ID)] {
            assert!(checked(good, "conversationId").is_ok(), "{good}");
        }
        for bad in ["", "a\nb", "a\u{7f}", &"x".repeat(ID + 1)] {
            assert!(checked(bad, "conversationId").is_err(), "{bad:?}");
        }
    }

    fn posted(messages: Vec<Said>) -> Posted {
        let (resume, tools) = (Vec::new(), Vec::new());
        Posted { id: "c".into(), messages, rule: Rule::Prefix, resume, settled: None, tools, instructions: None, repeat: None }
    }

    #[test]
    fn the_hash_tells_who_said_what() {
        let of = |messages: &[&Said]| posted(messages.iter().copied().cloned().collect()).hash();
        let (user, system) = (Said::User("a".into()), Said::System("a".into()));
        assert_eq!(of(&[&user]), of(&[&user]));
        assert_ne!(of(&[&user]), of(&[&system]));
        assert_ne!(of(&[&user]), of(&[&user, &user]));
        let told = Posted { instructions: Some("a".into()), ..posted(vec![user.clone()]) };
        assert_ne!(told.hash(), of(&[&user]));
        let resume = |word| Posted { settled: None, resume: vec![Resume { interrupt: "i".into(), word }], ..posted(Vec::new()) }.hash();
        assert_ne!(resume(Word::Cancelled), resume(Word::Payload("true".into())));
    }

    #[test]
    fn two_answers_for_one_call_are_refused() {
        let decision = |seq| Decision {
            event: session::EventId { session: Uid([1; 16]), seq: Seq(seq) },
            verdict: agent::Verdict::Approve { input: None },
        };
        assert!(all_different(&[decision(1), decision(2)]).is_ok());
        assert!(all_different(&[decision(1), decision(1)]).is_err());
    }
}
