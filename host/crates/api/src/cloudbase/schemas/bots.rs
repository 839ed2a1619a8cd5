//! The schemas of what stands beside `send-message`, and an example for each of its bodies.

use serde_json::{Value, json};

/// A whole example of a schema, where it is the body of a request.
pub(crate) fn example(schema: &str) -> Option<Value> {
    Some(match schema {
        "ConversationRequest" => json!({"title": "Widget trouble"}),
        "RecommendRequest" => json!({
            "name": "Customer support",
            "introduction": "Answers questions about widgets.",
            "msg": "How do I mount it?",
            "history": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "What can I do for you?"}],
        }),
        "FeedbackRequest" => json!({
            "recordId": "aev_06gkv3sy5ftz2cq1m8r7xw4n0d00000000002g",
            "type": "upvote",
            "comment": "That was it.",
            "rating": 5,
            "tags": ["clear"],
        }),
        _ => return None,
    })
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn text() -> Value {
    json!({"type": "string"})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn number() -> Value {
    json!({"type": "number"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn texts() -> Value {
    json!({"type": "array", "items": text()})
}

fn list_of(plural: &str, item: &str) -> Value {
    object(&[plural, "total"], json!({ plural: {"type": "array", "items": refer(item)}, "total": count() }))
}

/// All of them by name.
pub(crate) fn all() -> Value {
    json!({
        "Bot": object(&["botId", "AgentId", "name", "introduction", "type"], json!({
            "botId": refer("Key"),
            "AgentId": refer("Key"),
            "name": text(),
            "introduction": text(),
            "welcomeMessage": {"type": "string", "description": "The member of this name in the agent's metadata; so are the next ones."},
            "avatar": text(),
            "background": text(),
            "initQuestions": texts(),
            "isNeedRecommend": {"type": "boolean"},
            "type": {"const": "text"},
            "multiConversationEnable": {"const": true},
            "searchEnable": {"const": false},
            "enable": {"type": "boolean"},
            "updateTime": time(),
        })),
        "BotList": list_of("botList", "Bot"),
        "BotRecord": object(&["botId", "recordId", "role", "content", "conversation", "createTime"], json!({
            "botId": refer("Key"),
            "AgentId": refer("Key"),
            "recordId": {"type": "string", "description": "The id of the event."},
            "role": {"enum": ["user", "assistant"]},
            "content": text(),
            "conversation": {"type": "string", "description": "The id of the conversation."},
            "type": {"const": "text"},
            "image": text(),
            "triggerSrc": {"const": "TCB"},
            "replyTo": {"type": "string", "description": "Of an answer: the record that it answers."},
            "createTime": time(),
        })),
        "RecordList": list_of("recordList", "BotRecord"),
        "ConversationRequest": object(&[], json!({"title": {"type": "string", "maxLength": 255}})),
        "Conversation": object(&["conversationId", "title", "createTime", "updateTime"], json!({
            "conversationId": text(),
            "title": text(),
            "createTime": time(),
            "updateTime": time(),
        })),
        "ConversationList": list_of("data", "Conversation"),
        "Count": object(&["count"], json!({"count": count()})),
        "RecommendRequest": object(&[], json!({
            "name": text(),
            "introduction": text(),
            "msg": text(),
            "history": {"type": "array", "items": object(&[], json!({"role": text(), "content": text()}))},
        })),
        "FeedbackRequest": object(&["recordId", "type"], json!({
            "recordId": text(),
            "type": {"enum": ["upvote", "downvote"]},
            "comment": {"type": "string", "maxLength": 4000},
            "rating": {"type": "number", "minimum": 0, "maximum": 100},
            "tags": {"type": "array", "maxItems": 32, "items": {"type": "string", "maxLength": 64}},
        })),
        "FeedbackTaken": object(&["status"], json!({"status": {"const": "success"}})),
        "Feedback": object(&["recordId", "type", "botId", "sender", "createTime"], json!({
            "recordId": text(),
            "type": {"enum": ["upvote", "downvote"]},
            "botId": refer("Key"),
            "AgentId": refer("Key"),
            "comment": text(),
            "rating": number(),
            "tags": texts(),
            "input": {"type": "string", "description": "What the record answers, as the conversation has it now."},
            "aiAnswer": {"type": "string", "description": "What the record says."},
            "sender": {"type": "string", "description": "The end user whom the key names, else the key's id."},
            "createTime": time(),
        })),
        "FeedbackList": list_of("feedbackList", "Feedback"),
        "Health": object(&["status", "timestamp", "service", "version"], json!({
            "status": {"const": "healthy"},
            "timestamp": time(),
            "service": {"const": "wardian"},
            "version": text(),
        })),
    })
}
