//! Clients that go away in the middle of an answer.

use super::*;
use tests::fake_model::{Gate, Reply, call, text};

/// The events of the only session once no turn runs there.
async fn settled(place: &Place) -> Result<Vec<Value>> {
    place.at_rest().await?;
    place.listed().await
}

/// Reads up to the first frame that holds this, and goes away.
async fn left_at(place: &Place, moment: &str) -> Result<()> {
    let mut stream = place.owner().stream(DOOR, &say("c", "Hi")).await?;
    while let Some(frame) = stream.raw().await? {
        if frame.contains(moment) {
            return Ok(());
        }
    }
    anyhow::bail!("no {moment} in the stream")
}

#[tokio::test]
async fn a_client_that_goes_away_stops_its_turn_and_the_conversation_goes_on() -> Result<()> {
    for moment in ["\"text\"", "tool-call-start", "tool-call-args", "tool-call-end", "tool-result"] {
        let place = Place::new().await?;
        let gate = Gate::default();
        if moment != "\"text\"" {
            place.model.queue([call("calc", json!({"expression": "6*7"}))]);
        }
        place.model.queue([Reply::Halves("one ".into(), gate.clone(), "two".into())]);
        place.model.always(text("Back again."));
        left_at(&place, moment).await?;
        let events = settled(&place).await?;
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        assert_eq!((of("tool_input"), of("agent_output")), (of("tool_output"), 0), "left at {moment}: {events:?}");
        gate.open();
        let next = place.send(&say("c", "Are you there?")).await?;
        assert!(!text_of(&next).is_empty(), "left at {moment}: {next:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_asked_before_the_client_went_away_is_answered_later() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([call("write", json!({"key": "k", "text": "v"})), text("Noted.")]);
    left_at(&place, "\"interrupt\"").await?;
    let listed = place.listed().await?;
    let asked = listed.iter().find(|event| event["type"] == "tool_input").context("a call")?;
    let yes = json!({"interruptId": asked["id"], "payload": {"approved": true}});
    let events = place.send(&json!({"conversationId": "c", "messages": [], "resume": yes})).await?;
    assert_eq!(text_of(&events), "Noted.");
    Ok(())
}

#[tokio::test]
async fn a_client_that_goes_away_at_an_error_comes_back_as_ever() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([Reply::Error(400, "no".into()), text("Better.")]);
    left_at(&place, "\"error\"").await?;
    assert_eq!(text_of(&place.send(&say("c", "Again")).await?), "Better.");
    Ok(())
}

#[tokio::test]
async fn what_was_left_is_asked_again_in_the_same_words() -> Result<()> {
    let place = Place::new().await?;
    let gate = Gate::default();
    place.model.queue([Reply::Halves("one ".into(), gate.clone(), "two".into()), text("Once more.")]);
    left_at(&place, "\"text\"").await?;
    settled(&place).await?;
    gate.open();
    assert_eq!(text_of(&place.send(&say("c", "Hi")).await?), "Once more.");
    Ok(())
}

#[tokio::test]
async fn turns_go_on_where_the_operator_wants_it() -> Result<()> {
    let place = Place::of(|config| config.replace("[server]\n", "[server]\non-disconnect = \"continue\"\n"), "client").await?;
    let gate = Gate::default();
    place.model.queue([Reply::Halves("one ".into(), gate.clone(), "two".into())]);
    left_at(&place, "\"text\"").await?;
    gate.open();
    let events = settled(&place).await?;
    assert_eq!(events.last().context("an event")?["content"], "one two");
    Ok(())
}

#[tokio::test]
async fn a_client_that_has_read_to_the_end_stops_nothing() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([call("write", json!({"key": "k", "text": "v"})), text("Done.")]);
    left_at(&place, "[DONE]").await?;
    let waiting = settled(&place).await?;
    let id = waiting.last().context("a call")?["id"].clone();
    let resume = json!({"conversationId": "c", "messages": [], "resume": {"interruptId": id, "payload": true}});
    assert_eq!(text_of(&place.send(&resume).await?), "Done.");
    Ok(())
}
