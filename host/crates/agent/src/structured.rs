//! Answers that must have a form: what the model said is read as JSON and
//! checked against the agent's schema. What a provider promises about it is not
//! believed; the check here is the one that counts.

use schema::Schema;
use session::OutputSchema;

/// Corrections that a model gets in a row. One more rarely helps a model that was told what is wrong.
pub(crate) const CORRECTIONS: u32 = 1;

/// What a model said in the place of a formed answer.
pub(crate) enum Answer {
    /// JSON, exact text, that fits the schema.
    Fits(String),
    /// What is wrong with it, for the model and the client.
    Wrong(String),
}

/// Reads an answer. A schema's patterns may take a while on much text, so this is not done where sessions are served.
pub(crate) async fn read(form: &OutputSchema, text: &str) -> Answer {
    let (schema, text) = (form.schema.to_string(), text.to_owned());
    let checking = tokio::task::spawn_blocking(move || checked(&schema, &text));
    match checking.await {
        Ok(Ok(content)) => Answer::Fits(content),
        Ok(Err(why)) => Answer::Wrong(why),
        Err(error) => Answer::Wrong(format!("it could not be checked: {error}")),
    }
}

fn checked(schema: &str, text: &str) -> Result<String, String> {
    let text = unfenced(text);
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if session::json::has_nul(text) {
        return Err("it holds the character \\u0000, which is not allowed".into());
    }
    let value = schema::json::unambiguous(text)?;
    Schema::compile(schema)?.check(&value)?;
    Ok(text.to_owned())
}

/// The JSON in a text: models like to put a fence around it, such as "```json".
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else { return text };
    let inner = inner.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    inner.trim()
}

/// What the model is told about an answer that does not fit.
pub(crate) fn correction(form: &OutputSchema, why: &str) -> String {
    format!(
        "Your answer has to be one JSON object that fits the schema `{}`, with nothing before or after it. It does not fit: {why}. \
         Answer again with the corrected JSON alone.",
        form.name
    )
}

/// What the client is told when the correction did not help.
pub(crate) fn failure(form: &OutputSchema, why: &str) -> String {
    format!("the model's answer did not fit the schema `{}`, not even after it was told what is wrong: {why}", form.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}"#;

    #[test]
    fn an_answer_that_fits_keeps_its_exact_text() {
        assert_eq!(checked(SCHEMA, "{\"city\": \"Oslo\", \"n\": 1.10}\n").unwrap(), "{\"city\": \"Oslo\", \"n\": 1.10}");
    }

    #[test]
    fn a_fence_around_the_json_is_no_fault() {
        for text in ["```json\n{\"city\": \"Oslo\"}\n```", "```\n{\"city\": \"Oslo\"}```", "  {\"city\": \"Oslo\"} "] {
            assert_eq!(checked(SCHEMA, text).unwrap(), "{\"city\": \"Oslo\"}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("", "empty"),
            ("Oslo, of course.", "not JSON"),
            ("{\"city\": 7}", "/city"),
            ("{\"town\": \"Oslo\"}", "city"),
            ("{\"city\": \"a\", \"city\": \"b\"}", "twice"),
            ("{\"city\": \"\\u0000\"}", "u0000"),
            ("[]", "object"),
            ("```json\n```", "empty"),
            ("```", "not JSON"),
        ] {
            let fault = checked(SCHEMA, text).unwrap_err();
            assert!(fault.contains(why), "{text:?}: {fault}");
        }
    }
}
