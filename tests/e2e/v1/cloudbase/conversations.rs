//! Ids, histories, and the same conversation through the other door.

use super::*;
use tests::fake_model::{Gate, Reply, call, text};

/// Roles and texts of what the model was told last, instructions left out.
fn told(place: &Place) -> Result<Vec<(String, String)>> {
    let told = place.model.requests().pop().context("a request")?;
    let messages = told["messages"].as_array().context("messages")?.iter().filter(|message| message["role"] != "system");
    let text = |member: &Value| member.as_str().unwrap_or_default().to_owned();
    Ok(messages.map(|message| (text(&message["role"]), text(&message["content"]))).collect())
}

fn inputs(events: &[Value]) -> usize {
    events.iter().filter(|event| event["type"] == "input_message").count()
}

#[tokio::test]
async fn a_history_that_is_posted_again_is_known() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([call("calc", json!({"expression": "6*7"})), text("It is 42."), text("43.")]);
    let first = place.send(&say("c", "6*7?")).await?;
    let id = first[0]["toolCallId"].as_str().context("an id")?;
    let calls = json!([{"id": id, "type": "function", "function": {"name": "calc", "arguments": "{}"}}]);
    let history = json!([
        user("6*7?"),
        {"role": "assistant", "content": null, "toolCalls": calls},
        tool_message(id, "42"),
        {"role": "assistant", "id": "x", "content": "It is 42."},
        user("And one more?"),
    ]);
    place.send(&json!({"conversationId": "c", "messages": history})).await?;
    assert_eq!(inputs(&place.listed().await?), 2);
    assert_eq!(told(&place)?.len(), 5, "question, call, output, answer, question");

    place.model.queue([text("Again.")]);
    place.send(&say("c", "And one more?")).await?;
    assert_eq!(inputs(&place.listed().await?), 3, "a client that posts what is new alone may say the same again");
    Ok(())
}

#[tokio::test]
async fn a_history_is_known_also_after_a_turn_that_failed_or_was_stopped() -> Result<()> {
    let place = Place::new().await?;
    let said = |role: &str, content: &str| json!({"role": role, "content": content});
    let sum = || call("calc", json!({"expression": "6*7"}));
    let gate = Gate::default();
    place.model.queue([text("A."), sum(), Reply::Error(400, "no".into()), sum()]);
    place.model.queue([Reply::Halves("one ".into(), gate.clone(), "two".into()), text("C.")]);
    let mut history = vec![user("a")];
    let whole = |history: &[Value]| json!({"conversationId": "c", "messages": history});
    place.send(&whole(&history)).await?;
    history.extend([said("assistant", "A."), user("b")]);
    assert_eq!(place.send(&whole(&history)).await?.last().context("an error")?["type"], "error");
    history.push(user("b again"));
    let mut left = place.owner().stream(DOOR, &whole(&history)).await?;
    while !left.raw().await?.context("the first half")?.contains("one ") {}
    drop(left);
    history.push(user("c"));
    place.at_rest().await?;
    gate.open();
    assert_eq!(text_of(&place.send(&whole(&history)).await?), "C.");
    assert_eq!(inputs(&place.listed().await?), 4);
    Ok(())
}

#[tokio::test]
async fn a_history_of_elsewhere_is_recorded_before_the_question() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([text("Berlin.")]);
    let said = |role: &str, content: &str| json!({"role": role, "content": content});
    let messages = json!([said("system", "Be brief."), user("Capital of France?"), said("assistant", "Paris."), user("Germany?")]);
    assert_eq!(text_of(&place.send(&json!({"conversationId": "c", "messages": messages})).await?), "Berlin.");
    let wanted = [("user", "Capital of France?"), ("assistant", "Paris."), ("user", "Germany?")];
    assert_eq!(told(&place)?, wanted.map(|(who, what)| (who.to_owned(), what.to_owned())));
    assert!(place.model.requests()[0]["messages"][0].to_string().contains("Be brief."));
    let listed = place.listed().await?;
    let kinds: Vec<&str> = listed.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["input_message", "agent_output", "input_message", "agent_output"]);
    Ok(())
}

#[tokio::test]
async fn any_text_is_an_id_and_without_one_a_new_conversation_begins() -> Result<()> {
    let place = Place::new().await?;
    place.model.always(text("Hi"));
    for id in ["user_123/conv 456?x", "\u{5b57}", "..", &"x".repeat(256)] {
        assert_eq!(text_of(&place.send(&say(id, "one")).await?), "Hi", "{id}");
        assert_eq!(text_of(&place.send(&say(id, "two")).await?), "Hi", "{id}");
        assert_eq!(told(&place)?.len(), 3, "{id}");
    }
    let anew = json!({"messages": [user("one")]});
    let first = place.owner().post(DOOR, &anew).await?;
    let id = first.headers["x-conversation-id"].to_str()?.to_owned();
    assert!(id.starts_with("conversation-") && id.len() == 29, "{id}");
    place.send(&anew).await?;
    assert_eq!(told(&place)?.len(), 1, "another one");
    place.send(&say(&id, "two")).await?;
    assert_eq!(told(&place)?.len(), 3, "the one of this id");
    Ok(())
}

#[tokio::test]
async fn an_id_means_another_conversation_to_another_caller() -> Result<()> {
    let place = Place::new().await?;
    place.model.always(text("Hi"));
    place.send(&say("shared", "mine")).await?;
    let made = place.owner().post("/operator/v1/keys", &json!({"role": "agent_user"})).await?.expect(201)?;
    let other = place.owner().with_key(made["key"].as_str());
    events(&other.post(DOOR, &say("shared", "theirs")).await?)?;
    assert_eq!(told(&place)?, [("user".to_owned(), "theirs".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn a_repeat_under_an_idempotency_key_is_one_turn() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([text("Once.")]);
    let anew = json!({"messages": [user("one")]});
    let key = [("idempotency-key", "k1")];
    let first = post(&place.owner(), &key, &anew).await?;
    let again = post(&place.owner(), &key, &anew).await?;
    assert_eq!((text_of(&events(&first)?), text_of(&events(&again)?)), ("Once.".to_owned(), "Once.".to_owned()));
    assert_eq!(first.headers["x-conversation-id"], again.headers["x-conversation-id"]);
    assert_eq!(place.model.requests().len(), 1);
    let other = post(&place.owner(), &key, &json!({"messages": [user("two")]})).await?;
    assert_eq!(code(&other, 422)?, "IDEMPOTENCY_KEY_REUSED");
    Ok(())
}

#[tokio::test]
async fn a_session_of_the_agents_api_goes_on_here_and_the_other_way_round() -> Result<()> {
    let place = Place::new().await?;
    place.model.always(text("Hi"));
    let owner = place.owner();
    let made = owner.post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?;
    let key = made["key"].as_str().context("a key")?;
    let path = format!("/v2/agents/a1/sessions/{key}/events");
    owner.post(&path, &tests::server::say("over there")).await?.expect(201)?;
    place.send(&say(key, "over here")).await?;
    owner.post(&path, &tests::server::say("there again")).await?.expect(201)?;
    let said: Vec<String> = told(&place)?.into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text).collect();
    assert_eq!(said, ["over there", "over here", "there again"]);
    assert_eq!(owner.get(&path).await?.expect(200)?["metadata"]["total_count"], 6);

    // What waits there is answered here.
    place.model.queue([call("write", json!({"key": "k", "text": "v"}))]);
    let waits = owner.post(&path, &tests::server::say("note it")).await?.expect(201)?;
    let id = waits["events"].as_array().and_then(|events| events.last()).context("a call")?["id"].clone();
    let resume = json!({"conversationId": key, "messages": [], "resume": {"interruptId": id, "payload": true}});
    assert_eq!(kinds(&place.send(&resume).await?), ["tool-result", "text"]);
    Ok(())
}
