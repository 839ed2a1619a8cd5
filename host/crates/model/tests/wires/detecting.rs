//! The model that is taken where no file says.

use super::*;

async fn detected(variables: &[(&str, &str)]) -> (String, String, String) {
    let env = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let (models, why) = model::detect(&env).await;
    let origin = models.get("whatever an agent asks for").unwrap().origin().clone();
    (origin.model, origin.provider, why)
}

#[tokio::test]
async fn a_key_in_the_environment_chooses_its_provider() {
    let (model, provider, why) =
        detected(&[("OPENAI_API_KEY", "k"), ("OPENAI_MODEL", "o-1"), ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")]).await;
    assert_eq!((model.as_str(), provider.as_str()), ("o-1", "127.0.0.1:9"));
    assert!(why.contains("OPENAI_API_KEY is set"), "{why}");
    assert_eq!(detected(&[("ANTHROPIC_API_KEY", "k")]).await.1, "api.anthropic.com");
    assert_eq!(detected(&[("GEMINI_API_KEY", "k")]).await.1, "generativelanguage.googleapis.com");
}

#[tokio::test]
async fn an_ollama_that_answers_is_used_with_its_first_model() {
    let tags = json!({ "models": [{ "name": "qwen3:8b", "size": 1 }, { "name": "other" }] });
    let peer = Peer::new(vec![Answer::json(&tags)]).await;
    let (model, provider, why) = detected(&[("OLLAMA_HOST", &peer.host())]).await;
    assert_eq!((model.as_str(), provider), ("qwen3:8b", peer.host()));
    assert!(why.contains("an Ollama answers"), "{why}");
}

#[tokio::test]
async fn with_nothing_at_all_the_offline_model_answers_and_says_why() {
    for answers in [vec![], vec![Answer::json(&json!({ "models": [] }))], vec![Answer::events("").then_silence()]] {
        let peer = Peer::new(answers).await;
        let (model, _, why) = detected(&[("OLLAMA_HOST", &peer.host())]).await;
        assert_eq!(model, "offline");
        assert!(why.contains("no API key is set"), "{why}");
    }
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_said_without_the_key() {
    let (model, _, why) = detected(&[("OPENAI_API_KEY", "s3cret"), ("OPENAI_BASE_URL", "nowhere")]).await;
    assert!(model == "offline" && why.contains("base_url") && !why.contains("s3cret"), "{why}");
}
