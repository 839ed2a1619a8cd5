//! What the agent's model is asked beside all conversations.

use super::*;
use tests::fake_model::text;

#[tokio::test]
async fn what_suggesting_questions_consumes_is_counted_like_a_turns_tokens() -> Result<()> {
    let place = Place::new().await?;
    place.model.queue([text("What is a widget?\nHow do I mount it?")]);
    let body = json!({"history": [user("Hi")], "msg": "I have a widget."});
    let answer = place.owner().post("/v1/aibot/bots/a1/recommend-questions", &body).await?;
    assert_eq!(text_of(&events(&answer)?), "What is a widget?\nHow do I mount it?\n");
    let metrics = String::from_utf8(place.owner().get("/metrics").await?.body.to_vec())?;
    for line in ["wardian_model_tokens_total{kind=\"input\"} 210", "wardian_model_tokens_total{kind=\"output\"} 9"] {
        assert!(metrics.lines().any(|other| other == line), "{line}: {metrics}");
    }
    Ok(())
}
