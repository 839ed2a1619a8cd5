//! What is refused, before anything is streamed.

use super::*;
use tests::fake_model::{call, text};

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_with_its_code() -> Result<()> {
    let place = Place::new().await?;
    place.model.always(text("never asked"));
    let event = format!("aev_{}", "0".repeat(39));
    for (body, code) in [
        (json!({"messages": [{"role": "wizard", "content": "x"}]}), "INVALID_PARAM"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "INVALID_PARAM"),
        (json!({"messages": []}), "INVALID_PARAM"),
        (json!({}), "INVALID_PARAM"),
        (json!({"messages": [{"role": "assistant", "content": "x"}]}), "INVALID_PARAM"),
        (json!({"messages": [tool_message("call_9", "done")]}), "TOOL_CALL_NOT_FOUND"),
        (json!({"messages": [], "resume": {"interruptId": "interrupt_abc123", "payload": true}}), "INTERRUPT_NOT_FOUND"),
        (json!({"messages": [], "resume": {"interruptId": event, "payload": true}}), "INTERRUPT_NOT_FOUND"),
        (json!({"messages": [user("x")], "tools": [{"name": "calc"}]}), "INVALID_PARAM"),
        (json!({"messages": [user("x")], "tools": [{"name": "a", "parameters": {"type": "string"}}]}), "INVALID_PARAM"),
        (json!({"messages": [user("x")], "conversationId": "x".repeat(257)}), "INVALID_PARAM"),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "session/prompt", "params": {}}), "UNSUPPORTED_PROTOCOL"),
    ] {
        assert_eq!(place.refused(&body, 400).await?, code, "{body}");
    }
    let broken = place.owner().send(Method::POST, DOOR, &[("content-type", "application/json")], "{".into()).await?;
    assert_eq!(code(&broken, 400)?, "INVALID_PARAM");
    assert!(place.model.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn who_may_not_is_told_so_in_the_shape_of_the_door() -> Result<()> {
    let place = Place::new().await?;
    place.model.always(text("Hi"));
    let owner = place.owner();
    let nobody = owner.with_key(None);
    assert_eq!(code(&nobody.post(DOOR, &say("c", "x")).await?, 401)?, "MISSING_CREDENTIALS");
    assert_eq!(code(&owner.with_key(Some("wrd_wrong")).post(DOOR, &say("c", "x")).await?, 401)?, "INVALID_CREDENTIALS");
    let unknown = owner.post("/v1/aibot/bots/agent-9/send-message", &say("c", "x")).await?;
    assert_eq!(code(&unknown, 404)?, "AGENT_NOT_FOUND");
    let bearer = format!("Bearer {}", tests::server::OWNER);
    assert_eq!(text_of(&events(&post(&nobody, &[("authorization", &bearer)], &say("c", "x")).await?)?), "Hi");
    Ok(())
}

#[tokio::test]
async fn an_interrupt_of_the_operators_is_not_answered_by_a_client() -> Result<()> {
    let place = Place::of(|config| config, "operator").await?;
    let made = place.owner().post("/operator/v1/keys", &json!({"role": "agent_user"})).await?.expect(201)?;
    let client = place.owner().with_key(made["key"].as_str());
    place.model.queue([call("write", json!({"key": "k", "text": "v"}))]);
    let events = events(&client.post(DOOR, &say("c", "Note it")).await?)?;
    let interrupt = events.last().context("an interrupt")?;
    assert_eq!(interrupt["payload"]["approver"], "operator");
    let resume = json!({"conversationId": "c", "messages": [], "resume": {"interruptId": interrupt["id"], "payload": {"approved": true}}});
    assert_eq!(code(&client.post(DOOR, &resume).await?, 403)?, "ACTION_FORBIDDEN");
    Ok(())
}
