//! Every error that a client can get: one table of codes with their statuses,
//! the bodies by door, and the one place where the engine's errors become both.

mod shape;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::{Map, Value, json};

use agent::Thing;
use session::Uid;

pub(crate) use shape::Shape;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal $word:literal),+ $(,)?) => {
        /// Why a request was not done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name),+ }

        impl Code {
            /// All of them, in the order of their statuses.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Their words, each once.
            pub fn words() -> Vec<&'static str> {
                let mut words: Vec<&str> = Self::ALL.iter().map(|code| code.word()).collect();
                // Codes of one word stand beside each other.
                words.dedup();
                words
            }

            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::from_u16($status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),+ }
            }

            /// The stable word in the body's `code` on the Agents API, which tells fewer apart than other doors do.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

codes! {
    /// Malformed body, missing field, bad parameter, bad key.
    InvalidRequest = 400 "invalid_request",
    /// The body is of a protocol that this address does not speak.
    UnsupportedProtocol = 400 "invalid_request",
    /// Nobody was asked about this call.
    InterruptNotFound = 400 "invalid_request",
    /// No such call waits for its client.
    ToolCallNotFound = 400 "invalid_request",
    /// The conversation does not fit the model any more.
    ContextLimitExceeded = 400 "invalid_request",
    /// The content of a message is empty or too long.
    InvalidMessageContent = 400 "invalid_message_content",
    /// Metadata that is no object, or too large.
    InvalidMetadata = 400 "invalid_metadata",
    /// The agent's model is unknown or set up wrongly.
    InvalidModelConfiguration = 400 "invalid_model_configuration",
    /// The agent binds a tool that does not exist.
    InvalidToolReference = 400 "invalid_tool_reference",
    /// Tools of this type are not made over the API.
    InvalidToolType = 400 "invalid_tool_type",
    /// The agent's instructions cannot be used.
    InvalidInstructionReference = 400 "invalid_instruction_reference",
    /// An instruction's text is no template.
    InvalidTemplate = 400 "invalid_template",
    /// The token address knows no such way to get a token.
    UnsupportedGrantType = 400 "unsupported_grant_type",
    /// No key at all.
    MissingCredentials = 401 "unauthorized",
    /// A wrong or revoked key.
    Unauthorized = 401 "unauthorized",
    /// No client, or a wrong one, at the token address.
    InvalidClient = 401 "invalid_client",
    /// The key may not do this.
    Forbidden = 403 "forbidden",
    /// A call waits for a person, at a door where nobody can be asked.
    ApprovalRequired = 403 "forbidden",
    /// The agent takes no sessions and no input.
    AgentDisabled = 403 "agent_disabled",
    /// The session takes no input.
    SessionDisabled = 403 "session_disabled",
    /// No such agent for this key.
    AgentNotFound = 404 "agent_not_found",
    /// No such session of this agent.
    SessionNotFound = 404 "session_not_found",
    /// No such conversation of this caller with this agent.
    ConversationNotFound = 404 "session_not_found",
    /// No such event in this session.
    EventNotFound = 404 "event_not_found",
    /// No such tool.
    ToolNotFound = 404 "tool_not_found",
    /// No such path or thing.
    NotFound = 404 "not_found",
    /// The path knows other methods.
    MethodNotAllowed = 405 "method_not_allowed",
    /// The body stopped coming.
    BodyTimeout = 408 "body_timeout",
    /// In use, or changed meanwhile.
    Conflict = 409 "conflict",
    /// A turn runs.
    ConversationBusy = 409 "conflict",
    /// The call was decided or answered already, or nobody can any more.
    InterruptResolved = 409 "conflict",
    /// Agents bind the tool; `agents` names them.
    ToolInUse = 409 "tool_in_use",
    /// The body is larger than this server takes.
    RequestTooLarge = 413 "request_too_large",
    /// The body is not plain JSON.
    UnsupportedMediaType = 415 "unsupported_media_type",
    /// The agent sets an argument of a tool to something that is not there.
    UnresolvedReference = 422 "unresolved_reference",
    /// The `Idempotency-Key` came with another body before.
    IdempotencyKeyReused = 422 "idempotency_key_reused",
    /// Too many requests, or too many wrong keys.
    RateLimitExceeded = 429 "rate_limit_exceeded",
    /// The turn failed. The input is kept and the session stays usable.
    AgentProcessingFailed = 500 "agent_processing_failed",
    /// Our own failure.
    InternalError = 500 "internal_error",
    /// Shutting down, overloaded, or out of space.
    ServerUnavailable = 503 "server_unavailable",
    /// The time that the client gave is over. The turn goes on.
    RequestTimeout = 504 "request_timeout",
}

/// When a client may find room in a session's inbox again: a turn seldom takes less.
const INBOX_RETRY_S: u64 = 5;

/// An error on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
    field: Option<Box<str>>,
    id: Option<Box<str>>,
    agents: Box<[String]>,
    retry_after_s: Option<u64>,
    oauth: Option<&'static str>,
}

/// The answer of anything that can fail towards a client.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a sentence that says what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, id: None, agents: Box::default(), retry_after_s: None, oauth: None }
    }

    /// A field of the request is not as it should be.
    pub fn field(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, problem).at(name)
    }

    /// A thing that does not exist, or not for this caller.
    pub fn missing(code: Code, what: &str, id: &str) -> Self {
        Self { id: Some(id.into()), ..Self::new(code, format!("{what} `{id}` does not exist")) }
    }

    /// Something inside failed. The cause goes to the log; the client gets the request's id.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(cause = %cause, "a request failed inside the server");
        Self::new(Code::InternalError, "the server could not do it; its log says why under this request_id")
    }

    /// Names the field that is wrong.
    pub fn at(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into().into()), ..self }
    }

    /// Names the agents that stand in the way.
    pub fn because_of(self, agents: Vec<String>) -> Self {
        Self { agents: agents.into(), ..self }
    }

    /// The same under another code.
    pub fn with(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// Tells the client when to come back.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds.max(1)), ..self }
    }

    /// The same for a client of OAuth: with the word of RFC 6749 that says it, beside our own members.
    pub(crate) fn for_oauth(self, word: &'static str) -> Self {
        Self { oauth: Some(word), ..self }
    }

    /// Whether it is for a client of OAuth.
    pub(crate) fn is_for_oauth(&self) -> bool {
        self.oauth.is_some()
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence for the client.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The body on the Agents API.
    pub fn body(&self, request_id: &str) -> Value {
        let mut body = Map::new();
        if self.code.status() == StatusCode::BAD_REQUEST {
            let fields: Map<String, Value> = self.field.iter().map(|name| (name.to_string(), json!(self.message))).collect();
            body.insert("field_errors".into(), fields.into());
        }
        if let Some(id) = &self.id {
            body.insert("id".into(), json!(id));
        }
        if let Some(word) = self.oauth {
            body.insert("error".into(), json!(word));
            body.insert("error_description".into(), json!(described(&self.message)));
        }
        if !self.agents.is_empty() {
            body.insert("agents".into(), json!(self.agents));
        }
        body.insert("messages".into(), json!([self.message]));
        body.insert("request_id".into(), json!(request_id));
        body.insert("code".into(), json!(self.code.word()));
        body.into()
    }
}

/// A sentence in the characters that RFC 6749 §5.2 allows in a description.
fn described(message: &str) -> String {
    message.chars().map(|c| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '?' }).collect()
}

/// Carries the error to the outermost layer, which knows the request's id and writes the body.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// What axum itself refused with this status, in our words.
pub(crate) fn refused_by_the_router(status: StatusCode) -> Error {
    match status {
        StatusCode::NOT_FOUND => Error::new(Code::NotFound, "there is nothing at this path; GET /v2/openapi.json lists what there is"),
        StatusCode::METHOD_NOT_ALLOWED => Error::new(Code::MethodNotAllowed, "this path does not know this method; see the Allow header"),
        status if status.is_client_error() => Error::new(Code::InvalidRequest, "the request could not be read"),
        status => Error::internal(format!("the router answered {status}")),
    }
}

impl From<agent::Error> for Error {
    fn from(error: agent::Error) -> Self {
        use agent::Error as E;
        let text = error.to_string();
        match error {
            E::NotFound { what, name } => missing_thing(what, &name),
            E::Taken { what: Thing::Tool, name } => {
                Self::new(Code::Conflict, format!("a client tool of the name `{name}` exists already; choose another `name`"))
            }
            E::Taken { what, name } => {
                Self::new(Code::Conflict, format!("{} `{name}` exists already; choose another key and name", word(what)))
            }
            E::Conflict => Self::new(Code::Conflict, text),
            E::Busy(_) => Self::new(Code::ConversationBusy, text),
            E::InboxFull(..) => Self::new(Code::RateLimitExceeded, text).retry_after(INBOX_RETRY_S),
            E::WrongInput(_) | E::WrongPast { .. } => Self::field("messages", text),
            E::WrongTool { .. } => Self::field("tools", text),
            E::NotSince(_) => Self::field("since", text),
            E::Idle => Self::new(Code::InvalidRequest, text).at("type"),
            E::Disabled(Thing::Session, name) => {
                Self::new(Code::SessionDisabled, format!("session `{name}` is disabled; enable it before posting input"))
            }
            E::Disabled(_, name) => Self::new(Code::AgentDisabled, format!("agent `{name}` is disabled; enable it before using it")),
            E::UnknownModel(..) => Self::new(Code::InvalidModelConfiguration, text).at("model.name"),
            E::Decided { .. } => Self::new(Code::InterruptResolved, text),
            E::NotAsked(_) => Self::field("decisions", text).with(Code::InterruptNotFound),
            E::WrongEdit { .. } => Self::field("decisions", text),
            E::NotPending(_) => Self::field("tool_outputs", text).with(Code::ToolCallNotFound),
            E::WrongOutput { .. } => Self::field("tool_outputs", text),
            E::NotBindable { configuration, .. } => {
                Self::field(format!("tool_configurations.{configuration}.tool_id"), text).with(Code::InvalidToolReference)
            }
            E::ToolInUse { agents, .. } => Self::new(Code::ToolInUse, text).because_of(agents),
            E::ForOperator(_) => Self::new(Code::Forbidden, text),
            E::EditWhileRunning(_) | E::OpenTurn(_) | E::InForce(_) => Self::new(Code::Conflict, text),
            E::TooManyHidden(_) => Self::field("event_id", text),
            E::NothingToCompact => Self::field("type", text),
            E::NoFork { .. } | E::TooLong(_) => Self::field("from_session", text),
            E::NoSummary(_) | E::NotAnswered(_) => Self::new(Code::AgentProcessingFailed, text),
            E::Unresolved { .. } | E::Changed { .. } | E::Template { .. } => Self::new(Code::UnresolvedReference, text),
            E::KeyReused => Self::new(Code::IdempotencyKeyReused, text),
            E::Overloaded(_) | E::NotTaken(_) | E::Draining => Self::new(Code::ServerUnavailable, text).retry_after(1),
            E::Store(storage::Error::Full) => {
                Self::new(Code::ServerUnavailable, "the server has no space left to keep this; reading still works").retry_after(60)
            }
            E::Store(storage::Error::Gone(uid)) => Self::missing(Code::NotFound, "it was deleted meanwhile:", &uid.hex()),
            E::Store(storage::Error::Busy) => {
                Self::new(Code::ServerUnavailable, "too many changes wait for the disk; try again in a moment").retry_after(1)
            }
            E::Store(cause) => Self::internal(cause),
            E::Damaged(..) => Self::internal(text),
        }
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        agent::Error::Store(error).into()
    }
}

fn missing_thing(what: Thing, name: &str) -> Error {
    let code = match what {
        Thing::Agent => Code::AgentNotFound,
        Thing::Session => Code::SessionNotFound,
        Thing::Event => Code::EventNotFound,
        Thing::Tool => Code::ToolNotFound,
    };
    Error::missing(code, word(what), name)
}

fn word(what: Thing) -> &'static str {
    match what {
        Thing::Agent => "agent",
        Thing::Session => "session",
        Thing::Event => "event",
        Thing::Tool => "tool",
    }
}

/// A key by its uid, which is what operators name it by.
pub(crate) fn missing_key(uid: Uid) -> Error {
    Error::missing(Code::NotFound, "key", &uid.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_field_is_named_in_the_body() {
        let body = Error::field("limit", "must be 1 to 100").body("r1");
        let wanted = json!({
            "field_errors": {"limit": "must be 1 to 100"}, "messages": ["must be 1 to 100"], "request_id": "r1", "code": "invalid_request"
        });
        assert_eq!(body, wanted);
    }

    #[test]
    fn a_missing_agent_is_named_by_its_id() {
        let error: Error = agent::Error::NotFound { what: Thing::Agent, name: "agt_nope".into() }.into();
        assert_eq!(error.code().status(), StatusCode::NOT_FOUND);
        assert_eq!(error.body("r")["id"], "agt_nope");
        assert_eq!(error.body("r")["code"], "agent_not_found");
    }

    #[test]
    fn every_code_is_an_error_and_each_word_has_one_status() {
        assert!(Code::ALL.iter().all(|code| code.status().as_u16() >= 400));
        let (mut words, many) = (Code::words(), Code::words().len());
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), many);
        for code in Code::ALL {
            assert!(Code::ALL.iter().all(|other| other.word() != code.word() || other.status() == code.status()), "{code:?}");
        }
    }

    #[test]
    fn a_cause_inside_never_reaches_the_client() {
        let error: Error = storage::Error::Broken("/var/lib/secret".into()).into();
        assert!(!error.body("r").to_string().contains("secret"));
    }
}
