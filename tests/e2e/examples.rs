//! The examples of the served document: what it shows as a request works, and
//! what the server answers is what it shows.

use anyhow::{Context, Result};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::operations::{Operation, World, send};

/// Whether a value fits a schema of the document.
fn check(document: &Value, schema: &Value, value: &Value) -> Result<()> {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let validator: Validator = jsonschema::options().should_validate_formats(true).build(&whole).map_err(|e| anyhow::anyhow!("{e}"))?;
    let wrong: Vec<String> = validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    anyhow::ensure!(wrong.is_empty(), "{} in {value}", wrong.join("; "));
    Ok(())
}

/// The JSON that an operation answers under a status: its schema and its example.
fn media<'a>(operation: &'a Operation, status: &str) -> &'a Value {
    &operation.text["responses"][status]["content"]["application/json"]
}

#[tokio::test]
async fn every_request_example_works_and_every_answer_fits_its_schema() -> Result<()> {
    let mut world = World::start().await?;
    let owner = world.owner.clone();
    let (document, operations) = world.operations().await?;
    for operation in &operations {
        let tried = async {
            let place = world.prepare(operation, &owner).await?;
            let answer = send(&owner, operation, &place, &[]).await?;
            let said = String::from_utf8_lossy(&answer.body);
            anyhow::ensure!(answer.status == operation.success, "{}: {said}", answer.status);
            let media = media(operation, &operation.success.to_string());
            if media.is_object() { check(&document, &media["schema"], &answer.json()?) } else { Ok(()) }
        };
        tried.await.with_context(|| format!("{} {} ({})", operation.method, operation.path, operation.id))?;
    }
    Ok(())
}

#[tokio::test]
async fn every_example_fits_its_schema() -> Result<()> {
    let world = World::start().await?;
    let (document, operations) = world.operations().await?;
    for operation in &operations {
        for (kind, media) in operation.text["requestBody"]["content"].as_object().into_iter().flatten() {
            check(&document, &media["schema"], &media["example"]).with_context(|| format!("{}, {kind}", operation.id))?;
        }
        for status in operation.text["responses"].as_object().context("responses")?.keys() {
            let media = media(operation, status);
            if media.is_object() {
                anyhow::ensure!(!media["example"].is_null(), "{} {status} has no example", operation.id);
                check(&document, &media["schema"], &media["example"]).with_context(|| format!("{}, {status}", operation.id))?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_page_for_people_may_load_nothing_and_answers_head() -> Result<()> {
    let world = World::start().await?;
    let nobody = world.owner.with_key(None);
    let page = nobody.get("/docs").await?;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str()?;
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let text = String::from_utf8(page.body.to_vec())?;
    let style = text.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).context("a style")?.0;
    let digest = data_encoding::BASE64.encode(&<sha2::Sha256 as sha2::Digest>::digest(style));
    assert!(policy.contains(&format!("'sha256-{digest}'")), "the policy names the style that is there");
    assert!(text.contains("POST /v2/agents") && !text.contains("<script"));
    let head = nobody.send(http::Method::HEAD, "/docs", &[], "".into()).await?;
    assert_eq!((head.status, head.body.len()), (http::StatusCode::OK, 0));
    assert_eq!(head.headers["content-length"], page.headers["content-length"]);
    assert_eq!(nobody.post("/docs", &json!({})).await?.expect(405)?["code"], "method_not_allowed");
    Ok(())
}
