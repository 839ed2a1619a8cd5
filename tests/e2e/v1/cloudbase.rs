//! `/v1/aibot/bots/{AgentId}/send-message` on the raw wire: framing, transcripts, conversations.

mod answers;
mod aside;
mod conversations;
mod leaving;
mod refused;
mod transcripts;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::patience::until;

use super::place::Place;

/// Where everything is posted.
const DOOR: &str = "/v1/aibot/bots/a1/send-message";

impl Place {
    /// What a client reads of the answer to this body.
    async fn send(&self, body: &Value) -> Result<Vec<Value>> {
        events(&self.owner().post(DOOR, body).await?)
    }

    /// The code of a refusal with this status.
    async fn refused(&self, body: &Value, status: u16) -> Result<String> {
        let answer = self.owner().post(DOOR, body).await?;
        code(&answer, status)
    }

    /// Waits until no turn runs in the only session.
    async fn at_rest(&self) -> Result<()> {
        let stopped = async || {
            let sessions = self.owner().get("/v2/agents/a1/sessions").await?.expect(200)?;
            Ok(sessions["sessions"][0]["status"] == "stopped")
        };
        until("the turn ends", stopped).await.with_context(|| self.server.output())
    }

    /// The events of the only session, as the Agents API lists them.
    async fn listed(&self) -> Result<Vec<Value>> {
        let sessions = self.owner().get("/v2/agents/a1/sessions?limit=100").await?.expect(200)?;
        let sessions = sessions["sessions"].as_array().context("sessions")?;
        ensure!(sessions.len() == 1, "{sessions:?}");
        let key = sessions[0]["key"].as_str().context("a key")?;
        let listed = self.owner().get(&format!("/v2/agents/a1/sessions/{key}/events?limit=100")).await?.expect(200)?;
        listed["events"].as_array().cloned().context("events")
    }
}

/// The frames of an answer, whose wire is checked: `data:` lines of one line each, and one `[DONE]` at the very end.
fn events(answer: &Answer) -> Result<Vec<Value>> {
    ensure!(answer.status == 200, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    let text = std::str::from_utf8(&answer.body)?;
    frames(text)
}

fn frames(text: &str) -> Result<Vec<Value>> {
    ensure!(text.is_ascii() && !text.contains('\r'), "{text:?}");
    let all = text.strip_suffix("data: [DONE]\n\n").with_context(|| format!("the last frame is not whole: {text:?}"))?;
    ensure!(!all.contains("[DONE]"), "more than one end: {text:?}");
    let frames = all.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
    frames
        .map(|frame| {
            let json = frame.strip_prefix("data: ").with_context(|| format!("no data line: {frame:?}"))?;
            ensure!(!json.contains('\n'), "more than one line: {frame:?}");
            let event: Value = serde_json::from_str(json)?;
            ensure!(event["type"] == "text" || !event["content"].is_string(), "a client would print this: {frame}");
            Ok(event)
        })
        .collect()
}

/// The code of a refusal, whose body is checked: each client reads another part of it.
fn code(answer: &Answer, status: u16) -> Result<String> {
    let body = answer.expect(status)?;
    ensure!(answer.headers["content-type"] == "application/json", "{:?}", answer.headers);
    ensure!(body["code"] == body["error"]["code"] && body["message"] == body["error"]["message"], "{body}");
    ensure!(body["requestId"].as_str() == answer.headers["x-request-id"].to_str().ok(), "{body}");
    Ok(body["code"].as_str().context("a code")?.to_owned())
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

/// A body that says this in a conversation.
fn say(conversation: &str, text: &str) -> Value {
    json!({"botId": "a1", "conversationId": conversation, "messages": [user(text)]})
}

/// All text of an answer.
fn text_of(events: &[Value]) -> String {
    events.iter().filter(|event| event["type"] == "text").filter_map(|event| event["content"].as_str()).collect()
}

/// The types of events, those that follow each other once.
fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    kinds.dedup();
    kinds
}

/// A tool of the client's.
fn alert() -> Value {
    json!({"name": "alert", "description": "Alert the user",
        "parameters": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}})
}

fn tool_message(call: &str, content: &str) -> Value {
    json!({"role": "tool", "toolCallId": call, "content": content})
}

async fn post(client: &Client, headers: &[(&str, &str)], body: &Value) -> Result<Answer> {
    let headers: Vec<(&str, &str)> = [("content-type", "application/json")].into_iter().chain(headers.iter().copied()).collect();
    client.send(Method::POST, DOOR, &headers, Bytes::from(body.to_string())).await
}
