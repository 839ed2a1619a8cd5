//! Answers to what waits: several calls, some of them answered; approvals across a restart; other words instead.

use super::*;
use tests::fake_model::{Reply, call, text};

/// Asks for two alerts at once and answers their ids.
async fn two_alerts(place: &Place) -> Result<[String; 2]> {
    let one = |message: &str| ("alert".to_owned(), json!({ "message": message }).to_string());
    place.model.queue([Reply::Calls(vec![one("a"), one("b")])]);
    let mut body = say("c", "Two alerts");
    body["tools"] = json!([alert()]);
    let events = place.send(&body).await?;
    let mut ids = events.iter().filter(|event| event["type"] == "tool-call-end").filter_map(|event| event["toolCallId"].as_str());
    Ok([ids.next().context("one")?.to_owned(), ids.next().context("two")?.to_owned()])
}

fn outputs(messages: &[Value]) -> Value {
    json!({"conversationId": "c", "messages": messages, "tools": [alert()]})
}

fn resume(conversation: &str, id: &Value, payload: &Value) -> Value {
    json!({"conversationId": conversation, "messages": [], "resume": {"interruptId": id, "payload": payload}})
}

#[tokio::test]
async fn answers_to_some_of_the_calls_are_kept_until_all_have_come() -> Result<()> {
    let place = Place::new().await?;
    let [first, second] = two_alerts(&place).await?;
    assert_eq!(place.send(&outputs(&[tool_message(&first, "one")])).await?, Vec::<Value>::new(), "nothing but the end");
    let place = place.killed().await?;
    assert_eq!(place.refused(&outputs(&[tool_message(&first, "another")]), 409).await?, "INTERRUPT_ALREADY_RESOLVED");
    place.model.queue([text("Both shown.")]);
    assert_eq!(text_of(&place.send(&outputs(&[tool_message(&second, "{\"ok\": true}")])).await?), "Both shown.");
    let told = place.model.requests().pop().context("a request")?;
    let outputs = told["messages"].as_array().context("messages")?.iter().filter(|message| message["role"] == "tool").count();
    assert_eq!(outputs, 2);
    let listed = place.listed().await?;
    let stored: Vec<&Value> = listed.iter().filter(|event| event["type"] == "tool_output").map(|event| &event["tool_output"]).collect();
    assert_eq!(stored, [&json!({"text": "one"}), &json!({"ok": true})]);
    Ok(())
}

#[tokio::test]
async fn all_answers_of_a_step_come_in_one_list_and_one_may_come_as_resume() -> Result<()> {
    let place = Place::new().await?;
    let [first, second] = two_alerts(&place).await?;
    place.model.queue([text("Both shown.")]);
    let mut body = outputs(&[tool_message(&first, "one")]);
    body["resume"] = json!({"interruptId": second, "payload": "two"});
    assert_eq!(text_of(&place.send(&body).await?), "Both shown.");
    assert_eq!(place.refused(&body, 409).await?, "INTERRUPT_ALREADY_RESOLVED");
    Ok(())
}

#[tokio::test]
async fn a_call_is_answered_once() -> Result<()> {
    let place = Place::new().await?;
    let [first, _] = two_alerts(&place).await?;
    let twice = outputs(&[tool_message(&first, "one"), tool_message(&first, "other")]);
    assert_eq!(place.refused(&twice, 400).await?, "INVALID_PARAM");
    assert_eq!(place.refused(&outputs(&[tool_message("call_77", "x")]), 400).await?, "TOOL_CALL_NOT_FOUND");
    Ok(())
}

#[tokio::test]
async fn other_words_take_the_place_of_answers() -> Result<()> {
    let place = Place::new().await?;
    let [first, _] = two_alerts(&place).await?;
    place.model.queue([text("As you wish.")]);
    assert_eq!(text_of(&place.send(&say("c", "Never mind")).await?), "As you wish.");
    let listed = place.listed().await?;
    let cancelled = listed.iter().filter(|event| event["tool_output"]["error"]["reason"] == "cancelled").count();
    assert_eq!(cancelled, 2, "{listed:?}");
    assert_eq!(place.refused(&outputs(&[tool_message(&first, "late")]), 409).await?, "INTERRUPT_ALREADY_RESOLVED");
    Ok(())
}

#[tokio::test]
async fn words_beside_an_output_end_the_turn_with_it() -> Result<()> {
    let place = Place::new().await?;
    let [first, _] = two_alerts(&place).await?;
    place.model.queue([text("As you wish.")]);
    let both = outputs(&[tool_message(&first, "one"), user("and something else")]);
    let events = place.send(&both).await?;
    assert_eq!((kinds(&events), text_of(&events).as_str()), (vec!["text"], "As you wish."));
    let listed = place.listed().await?;
    let stored: Vec<&Value> = listed.iter().filter(|event| event["type"] == "tool_output").map(|event| &event["tool_output"]).collect();
    assert_eq!((stored.len(), stored[0]), (2, &json!({"text": "one"})));
    assert_eq!(stored[1]["error"]["reason"], "cancelled");
    let told = place.model.requests().pop().context("a request")?;
    assert_eq!(told["messages"].as_array().and_then(|all| all.last()).context("a message")?["content"], "and something else");
    assert_eq!(place.refused(&outputs(&[tool_message(&first, "one")]), 409).await?, "INTERRUPT_ALREADY_RESOLVED");
    Ok(())
}

#[tokio::test]
async fn approvals_are_given_refused_and_changed_also_after_a_restart() -> Result<()> {
    let mut place = Place::new().await?;
    let edited = "{\"approved\": true, \"editedArgs\": {\"key\": \"k\", \"text\": \"other\"}}";
    for (conversation, payload, runs) in [
        ("approved", json!({"approved": true}), true),
        ("edited", json!(edited), true),
        ("rejected", json!({"approved": false, "reason": "not today"}), false),
        ("in short", json!(false), false),
    ] {
        place.model.queue([call("write", json!({"key": "k", "text": "v"}))]);
        let events = place.send(&say(conversation, conversation)).await?;
        let resume = resume(conversation, &events.last().context("an interrupt")?["id"], &payload);
        place = place.killed().await?;
        place.model.queue([text("Done.")]);
        let after = place.send(&resume).await?;
        assert_eq!(kinds(&after), ["tool-result", "text"], "{conversation}");
        let result = after[0]["result"].as_str().context("a string")?;
        assert_eq!(result.contains("rejected"), !runs, "{conversation}: {result}");
        assert_eq!(result.contains("not today"), payload["reason"].is_string(), "{conversation}: {result}");
        assert_eq!(place.refused(&resume, 409).await?, "INTERRUPT_ALREADY_RESOLVED", "{conversation}");
    }
    Ok(())
}

#[tokio::test]
async fn approvals_of_one_step_are_asked_one_after_the_other() -> Result<()> {
    let place = Place::new().await?;
    let one = |key: &str| ("write".to_owned(), json!({"key": key, "text": "v"}).to_string());
    place.model.queue([Reply::Calls(vec![one("a"), one("b")]), text("Both noted.")]);
    let yes = json!({"approved": true});
    let events = place.send(&say("c", "Note both")).await?;
    let first: Vec<&Value> = events.iter().filter(|event| event["type"] == "interrupt").collect();
    assert_eq!((first.len(), &first[0]["payload"]["args"]["key"]), (1, &json!("a")));
    let events = place.send(&resume("c", &first[0]["id"], &yes)).await?;
    let second = events.last().context("an interrupt")?;
    assert_eq!((&second["type"], &second["payload"]["args"]["key"]), (&json!("interrupt"), &json!("b")));
    assert_eq!(text_of(&place.send(&resume("c", &second["id"], &yes)).await?), "Both noted.");
    Ok(())
}

#[tokio::test]
async fn an_approval_that_the_client_may_give_is_asked_before_one_that_it_may_not() -> Result<()> {
    let operators = "\n[plugin.calculator]\napprove = \"always\"\napprover = \"operator\"\n";
    let place = Place::of(|config| config + operators, "client").await?;
    let calc = ("calc".to_owned(), json!({"expression": "6*7"}).to_string());
    let write = ("write".to_owned(), json!({"key": "k", "text": "v"}).to_string());
    place.model.queue([Reply::Calls(vec![calc, write])]);
    let asked = |events: &[Value]| {
        let asked: Vec<Value> = events.iter().filter(|event| event["type"] == "interrupt").cloned().collect();
        (asked.len(), asked[0]["id"].clone(), asked[0]["payload"]["approver"].clone())
    };
    let (count, id, approver) = asked(&place.send(&say("c", "Both")).await?);
    assert_eq!((count, approver), (1, json!("client")));
    let (count, _, approver) = asked(&place.send(&resume("c", &id, &json!({"approved": true}))).await?);
    assert_eq!((count, approver), (1, json!("operator")));
    Ok(())
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_refused_and_the_call_waits_on() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([call("write", json!({"key": "k", "text": "v"})), text("Done.")]);
    let events = place.send(&say("c", "Note it")).await?;
    let id = &events.last().context("an interrupt")?["id"];
    for payload in [Value::Null, json!({}), json!("maybe"), json!(7)] {
        assert_eq!(place.refused(&resume("c", id, &payload), 400).await?, "INVALID_PARAM", "{payload}");
    }
    let mut both = resume("c", id, &json!(true));
    both["messages"] = json!([user("and more")]);
    assert_eq!(place.refused(&both, 400).await?, "INVALID_PARAM");
    assert_eq!(text_of(&place.send(&resume("c", id, &json!("approve"))).await?), "Done.");
    Ok(())
}
