//! The bodies of errors by door: each family of clients reads only its own. The path of a request says which it is,
//! so that refusals which no door has seen (an unknown path, a foreign host) have the right one as well.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Code, Error};

/// In which form a client reads errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The Agents API, and everything that has no form of its own.
    Agents,
    /// The bots' API: some of its clients read the members at the top, others those under `error`, and none the status.
    Bots,
    /// Clients of OpenAI's API.
    OpenAi,
    /// Clients of the Model Context Protocol: an answer of JSON-RPC to no request, because none was read yet.
    Mcp,
}

/// What JSON-RPC leaves to servers: it was not done. The word beside it says why.
const NOT_DONE: i32 = -32_000;

impl Shape {
    /// That of a path.
    pub(crate) fn of(path: &str) -> Self {
        let mut parts = path.trim_end_matches('/').split('/').skip(1);
        match (parts.next(), parts.next()) {
            (Some("v1"), Some("aibot" | "agui")) if !path.trim_end_matches('/').ends_with("/openai/chat/completions") => Self::Bots,
            (Some("v1"), _) => Self::OpenAi,
            (Some("mcp"), None) => Self::Mcp,
            _ => Self::Agents,
        }
    }

    /// The body of an error.
    pub(crate) fn body(self, error: &Error, request_id: &str) -> Value {
        let (word, message) = (self.word(error.code()), error.message());
        match self {
            Self::Agents => error.body(request_id),
            Self::Bots => json!({
                "code": word, "message": message, "requestId": request_id, "error": {"code": word, "message": message},
            }),
            Self::OpenAi => json!({
                "error": {"message": message, "type": family(error.code().status()), "param": error.field, "code": word},
            }),
            Self::Mcp => json!({
                "jsonrpc": "2.0", "id": null,
                "error": {"code": NOT_DONE, "message": message, "data": {"code": word, "request_id": request_id}},
            }),
        }
    }

    /// The stable word for a code.
    pub(crate) fn word(self, code: Code) -> &'static str {
        match self {
            Self::Agents | Self::Mcp => code.word(),
            Self::Bots => bots(code),
            Self::OpenAi => openai(code),
        }
    }

    /// The name of the body's schema in the document.
    pub(crate) fn schema(self) -> &'static str {
        match self {
            Self::Agents => "Error",
            Self::Bots => "BotError",
            Self::OpenAi => "OpenAiError",
            Self::Mcp => "McpAnswer",
        }
    }
}

/// The words of the bots' API.
fn bots(code: Code) -> &'static str {
    match code {
        Code::InvalidRequest
        | Code::InvalidMessageContent
        | Code::InvalidMetadata
        | Code::InvalidModelConfiguration
        | Code::InvalidToolReference
        | Code::InvalidToolType
        | Code::InvalidInstructionReference
        | Code::InvalidTemplate
        | Code::UnsupportedGrantType => "INVALID_PARAM",
        Code::UnsupportedProtocol => "UNSUPPORTED_PROTOCOL",
        Code::InterruptNotFound => "INTERRUPT_NOT_FOUND",
        Code::ToolCallNotFound => "TOOL_CALL_NOT_FOUND",
        Code::ContextLimitExceeded => "CONTEXT_LIMIT_EXCEEDED",
        Code::MissingCredentials => "MISSING_CREDENTIALS",
        Code::Unauthorized | Code::InvalidClient => "INVALID_CREDENTIALS",
        Code::Forbidden | Code::ApprovalRequired => "ACTION_FORBIDDEN",
        Code::AgentDisabled => "AGENT_DISABLED",
        Code::SessionDisabled => "CONVERSATION_DISABLED",
        Code::AgentNotFound => "AGENT_NOT_FOUND",
        Code::SessionNotFound | Code::ConversationNotFound => "CONVERSATION_NOT_FOUND",
        Code::EventNotFound => "RECORD_NOT_FOUND",
        Code::ToolNotFound | Code::NotFound => "NOT_FOUND",
        Code::MethodNotAllowed => "METHOD_NOT_ALLOWED",
        Code::BodyTimeout => "BODY_TIMEOUT",
        Code::Conflict | Code::ToolInUse => "CONFLICT",
        Code::ConversationBusy => "CONVERSATION_BUSY",
        Code::InterruptResolved => "INTERRUPT_ALREADY_RESOLVED",
        Code::RequestTooLarge => "REQUEST_TOO_LARGE",
        Code::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
        Code::UnresolvedReference => "UNRESOLVED_REFERENCE",
        Code::IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
        Code::RateLimitExceeded => "EXCEED_RATELIMIT",
        Code::AgentProcessingFailed => "AGENT_PROCESSING_FAILED",
        Code::InternalError => "INTERNAL_ERROR",
        Code::ServerUnavailable => "SERVER_UNAVAILABLE",
        Code::RequestTimeout => "REQUEST_TIMEOUT",
    }
}

/// OpenAI's words where it has one, else our own.
fn openai(code: Code) -> &'static str {
    match code {
        Code::AgentNotFound => "model_not_found",
        Code::MissingCredentials | Code::Unauthorized | Code::InvalidClient => "invalid_api_key",
        Code::ContextLimitExceeded => "context_length_exceeded",
        Code::ApprovalRequired => "approval_required",
        Code::InvalidRequest
        | Code::InvalidMessageContent
        | Code::InvalidMetadata
        | Code::InvalidModelConfiguration
        | Code::InvalidToolReference
        | Code::InvalidToolType
        | Code::InvalidInstructionReference
        | Code::InvalidTemplate
        | Code::UnsupportedGrantType
        | Code::UnsupportedProtocol
        | Code::InterruptNotFound
        | Code::ToolCallNotFound
        | Code::Forbidden
        | Code::AgentDisabled
        | Code::SessionDisabled
        | Code::SessionNotFound
        | Code::ConversationNotFound
        | Code::EventNotFound
        | Code::ToolNotFound
        | Code::NotFound
        | Code::MethodNotAllowed
        | Code::BodyTimeout
        | Code::Conflict
        | Code::ConversationBusy
        | Code::InterruptResolved
        | Code::ToolInUse
        | Code::RequestTooLarge
        | Code::UnsupportedMediaType
        | Code::UnresolvedReference
        | Code::IdempotencyKeyReused
        | Code::RateLimitExceeded
        | Code::AgentProcessingFailed
        | Code::InternalError
        | Code::ServerUnavailable
        | Code::RequestTimeout => code.word(),
    }
}

/// OpenAI's `type`, by which its clients choose an exception where the status does not say it.
fn family(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_says_which_form_a_client_reads() {
        for (path, shape) in [
            ("/v1/aibot/bots/a/send-message", Shape::Bots),
            ("/v1/aibot/bots/a/send-message/", Shape::Bots),
            ("/v1/aibot", Shape::Bots),
            ("/v1/agui/a", Shape::Bots),
            ("/v1/aibot/bots/a/openai/chat/completions", Shape::OpenAi),
            ("/v1/aibot/bots/a/openai/chat/completions/", Shape::OpenAi),
            ("/v1/chat/completions", Shape::OpenAi),
            ("/v1/nothing", Shape::OpenAi),
            ("/v1", Shape::OpenAi),
            ("/mcp", Shape::Mcp),
            ("/mcp/", Shape::Mcp),
            ("/mcp/x", Shape::Agents),
            ("/v2/agents", Shape::Agents),
            ("/v11/aibot", Shape::Agents),
            ("/", Shape::Agents),
            ("*", Shape::Agents),
            ("", Shape::Agents),
        ] {
            assert_eq!(Shape::of(path), shape, "{path}");
        }
    }

    #[test]
    fn a_bot_s_error_says_the_same_in_both_places() {
        let error = Error::missing(Code::AgentNotFound, "agent", "agent-9");
        let wanted = json!({
            "code": "AGENT_NOT_FOUND", "message": "agent `agent-9` does not exist", "requestId": "req_2",
            "error": {"code": "AGENT_NOT_FOUND", "message": "agent `agent-9` does not exist"},
        });
        assert_eq!(Shape::Bots.body(&error, "req_2"), wanted);
    }

    #[test]
    fn an_error_for_clients_of_openai_names_the_member_and_the_kind() {
        let error = Error::field("messages", "must be a list");
        let wanted = json!({
            "error": {"message": "must be a list", "type": "invalid_request_error", "param": "messages", "code": "invalid_request"},
        });
        assert_eq!(Shape::OpenAi.body(&error, "r"), wanted);
        let error = Error::new(Code::Unauthorized, "wrong");
        let wanted = json!({"error": {"message": "wrong", "type": "authentication_error", "param": null, "code": "invalid_api_key"}});
        assert_eq!(Shape::OpenAi.body(&error, "r"), wanted);
    }

    #[test]
    fn an_error_for_clients_of_mcp_is_an_answer_to_no_request() {
        let error = Error::new(Code::Forbidden, "no");
        let data = json!({"code": "forbidden", "request_id": "r"});
        let wanted = json!({"jsonrpc": "2.0", "id": null, "error": {"code": NOT_DONE, "message": "no", "data": data}});
        assert_eq!(Shape::Mcp.body(&error, "r"), wanted);
    }

    #[test]
    fn no_word_is_the_one_that_clients_take_for_a_success() {
        assert!(Code::ALL.iter().all(|code| !Shape::Bots.word(*code).is_empty() && Shape::Bots.word(*code) != "NORMAL"));
    }
}
