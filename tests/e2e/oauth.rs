//! `/oauth2/token` and `/oauth/token`: the official SDK's other way in.

use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::server::{Server, config, say, session};

use tests::fake_model::{FakeModel, text};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A key of this role: its id and its text.
async fn key(owner: &Client, role: &str) -> Result<(String, String)> {
    let made = owner.post("/operator/v1/keys", &json!({"role": role})).await?.expect(201)?;
    Ok((made["id"].as_str().context("id")?.to_owned(), made["key"].as_str().context("key")?.to_owned()))
}

async fn form(nobody: &Client, body: String, headers: &[(&str, &str)]) -> Result<Answer> {
    let headers: Vec<_> = [FORM].into_iter().chain(headers.iter().copied()).collect();
    nobody.send(Method::POST, "/oauth2/token", &headers, body.into()).await
}

fn asking(id: &str, secret: &str) -> String {
    format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")
}

async fn with_bearer(nobody: &Client, token: &str, path: &str) -> Result<Answer> {
    nobody.send(Method::GET, path, &[("authorization", &format!("Bearer {token}"))], "".into()).await
}

fn token(answer: &Value) -> Result<String> {
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(1800)));
    Ok(answer["access_token"].as_str().context("a token")?.to_owned())
}

#[tokio::test]
async fn a_token_of_either_address_stands_for_its_key() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let (owner, nobody) = (server.owner(), server.owner().with_key(None));
    let (id, secret) = key(&owner, "agent_viewer").await?;
    let by_form = form(&nobody, asking(&id, &secret), &[]).await?;
    assert_eq!(by_form.headers["cache-control"], "no-store");
    let by_form = token(&by_form.expect(200)?)?;
    let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("{id}:{secret}").as_bytes()));
    let by_basic = token(&form(&nobody, "grant_type=client_credentials".into(), &[("authorization", &basic)]).await?.expect(200)?)?;
    let body = json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret});
    let by_json = token(&nobody.post("/oauth/token", &body).await?.expect(200)?)?;
    let without_kind = json!({"client_id": id, "client_secret": secret});
    let as_async_sdk = token(&nobody.post("/oauth2/token", &without_kind).await?.expect(200)?)?;
    for token in [by_form, by_basic, by_json, as_async_sdk] {
        with_bearer(&nobody, &token, "/v2/agents/assistant").await?.expect(200)?;
        with_bearer(&nobody, &token, "/operator/v1/keys").await?.expect(403)?;
        nobody.with_key(Some(&token)).get("/v2/agents").await?.expect(401)?;
        assert!(!server.output().contains(&token) && !server.output().contains(&secret), "secrets never reach the log");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_outlives_a_restart_and_ends_with_its_key() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let (id, secret) = key(&server.owner(), "agent_viewer").await?;
    let token = token(&form(&server.owner().with_key(None), asking(&id, &secret), &[]).await?.expect(200)?)?;
    let home = server.kill().await?;
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    let (owner, nobody) = (server.owner(), server.owner().with_key(None));
    with_bearer(&nobody, &token, "/v2/agents").await?.expect(200)?;
    owner.delete(&format!("/operator/v1/keys/{id}")).await?.expect(204)?;
    assert_eq!(with_bearer(&nobody, &token, "/v2/agents").await?.expect(401)?["code"], "unauthorized");
    assert_eq!(form(&nobody, asking(&id, &secret), &[]).await?.expect(401)?["error"], "invalid_client");
    Ok(())
}

#[tokio::test]
async fn a_stream_that_was_opened_with_a_token_ends_with_its_key() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let (owner, nobody) = (server.owner(), server.owner().with_key(None));
    let (id, secret) = key(&owner, "agent_developer").await?;
    let token = token(&form(&nobody, asking(&id, &secret), &[]).await?.expect(200)?)?;
    let session = session(&owner, "a", &json!({})).await?;
    model.queue([tests::fake_model::Reply::Hang]);
    let mut body = say("hello");
    body["stream_response"] = true.into();
    let mut stream = nobody.stream_with(&format!("{session}/events"), &[("authorization", &format!("Bearer {token}"))], &body).await?;
    stream.until("input_message").await?;
    owner.delete(&format!("/operator/v1/keys/{id}")).await?.expect(204)?;
    let last = stream.all().await?;
    assert!(last.iter().any(|frame| frame.event == "error" && frame.raw.contains("revoked")), "{last:?}");
    Ok(())
}

#[tokio::test]
async fn what_the_token_addresses_refuse_has_both_forms_of_an_error() -> Result<()> {
    let model = FakeModel::start().await?;
    model.always(text("x"));
    let server = Server::start(&config(&model.base_url)).await?;
    let (owner, nobody) = (server.owner(), server.owner().with_key(None));
    let (id, secret) = key(&owner, "agent_user").await?;
    let (other, _) = key(&owner, "agent_user").await?;
    let cases = [
        (String::new(), 400, "invalid_request"),
        (format!("grant_type=password&client_id={id}&client_secret={secret}"), 400, "unsupported_grant_type"),
        (format!("grant_type=client_credentials&client_id={id}&client_id={id}&client_secret={secret}"), 400, "invalid_request"),
        ("grant_type=client_credentials".to_owned(), 401, "invalid_client"),
        (asking(&id, "wrong"), 401, "invalid_client"),
        (asking("nobody", &secret), 401, "invalid_client"),
        (asking(&other, &secret), 401, "invalid_client"),
    ];
    for (body, status, word) in cases {
        let answer = form(&nobody, body, &[]).await?;
        let error = answer.expect(status)?;
        assert_eq!((&error["error"], &error["code"]), (&json!(word), &json!(word)));
        assert!(error["error_description"].is_string() && error["messages"].is_array() && error["request_id"].is_string(), "{error}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
    }
    let plain = nobody.send(Method::POST, "/oauth2/token", &[("content-type", "text/plain")], asking(&id, &secret).into()).await?;
    let plain = plain.expect(415)?;
    assert_eq!((&plain["error"], &plain["code"]), (&json!("invalid_request"), &json!("unsupported_media_type")));
    Ok(())
}

#[tokio::test]
async fn guessing_clients_are_slowed_down_like_guessed_keys() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let nobody = server.owner().with_key(None);
    let (id, secret) = key(&server.owner(), "agent_user").await?;
    // More than are allowed at once: on a slow machine some are allowed again in the meantime.
    for _ in 0..200 {
        let guess = form(&nobody, asking(&id, "wrong"), &[]).await?;
        if guess.status == 429 {
            assert_eq!(guess.json()?["error"], "temporarily_unavailable");
            assert!(guess.headers.contains_key("retry-after"));
            form(&nobody, asking(&id, &secret), &[]).await?.expect(200)?;
            return Ok(());
        }
    }
    panic!("200 guesses in a row were not slowed down");
}
