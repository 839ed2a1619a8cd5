//! Which of the protocols that share `send-message` a body is of.

use serde_json::{Map, Value};

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// AG-Kit's: new messages, client tools, `resume`; events from `text` to `interrupt`, then `[DONE]`.
    AgKit,
    /// The older bots': one `msg`.
    Legacy,
    /// AG-UI: runs of threads.
    AgUi,
    /// The Agent Client Protocol, which is JSON-RPC.
    Acp,
}

impl Protocol {
    /// That of a body. No two of them share the members that tell them.
    pub(super) fn of(body: &Map<String, Value>) -> Self {
        let has = |member: &str| body.get(member).is_some_and(|value| !value.is_null());
        if has("jsonrpc") {
            Self::Acp
        } else if has("threadId") || has("runId") {
            Self::AgUi
        } else if body.get("msg").is_some_and(Value::is_string) {
            Self::Legacy
        } else {
            Self::AgKit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_members_of_a_body_tell_its_protocol() {
        for (body, protocol) in [
            (json!({"jsonrpc": "2.0", "id": 1, "method": "session/prompt"}), Protocol::Acp),
            (json!({"threadId": "t", "messages": []}), Protocol::AgUi),
            (json!({"runId": "r", "messages": []}), Protocol::AgUi),
            (json!({"botId": "b", "msg": "hi"}), Protocol::Legacy),
            (json!({"msg": null, "messages": []}), Protocol::AgKit),
            (json!({"botId": "b", "messages": []}), Protocol::AgKit),
            (json!({}), Protocol::AgKit),
        ] {
            assert_eq!(Protocol::of(body.as_object().unwrap()), protocol, "{body}");
        }
    }
}
