//! Answers as JSON: plain ASCII, so that no reader can cut a character in two.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use session::json::push_json;

/// An answer with a body.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    text(status, ascii(body))
}

/// An answer whose JSON is ready.
pub(crate) fn text(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// JSON text with everything outside ASCII escaped.
pub(crate) fn ascii(body: &Value) -> String {
    let plain = body.to_string();
    if plain.is_ascii() {
        return plain;
    }
    let mut out = String::with_capacity(plain.len() * 2);
    push_json(&mut out, &plain);
    out
}
