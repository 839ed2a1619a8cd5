//! A body, checked before anything else looks at it: media type and size; of
//! JSON also nesting, NUL characters, syntax.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use session::json::has_nul;

use crate::App;
use crate::errors::{Code, Error, Result};
use crate::limits::DEPTH;
use crate::server::BodyStalled;

/// The members of the object that a request brought.
pub(crate) struct JsonBody(pub Map<String, Value>);

/// The same with its text, for members that are kept as they were written.
pub(crate) struct ExactBody {
    /// The members.
    pub members: Map<String, Value>,
    /// What they were read from.
    pub text: Bytes,
}

impl FromRequest<Arc<App>> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        ExactBody::from_request(request, app).await.map(|body| Self(body.members))
    }
}

impl FromRequest<Arc<App>> for ExactBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        let (_, text) = whole(request, app, &[JSON]).await?;
        Ok(Self { members: parse(&text)?, text })
    }
}

/// The text of a body that is to be JSON, for whoever reads it as something of its own.
pub(crate) struct JsonText(pub String);

impl FromRequest<Arc<App>> for JsonText {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        let (_, text) = whole(request, app, &[JSON]).await?;
        sound(&text).map(|text| Self(text.to_owned()))
    }
}

/// A body that may come in either of two forms.
pub(crate) enum EitherBody {
    /// The pairs of a form, in order.
    Form(Vec<(String, String)>),
    /// The members of an object.
    Json(Map<String, Value>),
}

impl FromRequest<Arc<App>> for EitherBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        let (kind, text) = whole(request, app, &[FORM, JSON]).await?;
        if kind == FORM {
            return Ok(Self::Form(form_urlencoded::parse(&text).into_owned().collect()));
        }
        parse(&text).map(Self::Json)
    }
}

/// The media types that are read.
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A whole body of one of these media types, and of which.
async fn whole(request: Request, app: &App, kinds: &[&'static str]) -> Result<(&'static str, Bytes)> {
    let kind = media_type(request.headers(), kinds)?;
    let most = app.limits.body_bytes;
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > most) {
        return Err(too_large(most));
    }
    let whole = Limited::new(request.into_body(), most).collect().await;
    Ok((kind, whole.map_err(|e| cut_off(&*e, most))?.to_bytes()))
}

fn media_type(headers: &HeaderMap, wanted: &[&'static str]) -> Result<&'static str> {
    let refused = |why: &str| Err(Error::new(Code::UnsupportedMediaType, why));
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return refused("a compressed body is not supported; send it as it is");
    }
    if kind.eq_ignore_ascii_case("multipart/form-data") {
        return refused("multipart bodies are not supported in this version; send JSON as application/json");
    }
    match wanted.iter().find(|wanted| kind.eq_ignore_ascii_case(wanted)) {
        Some(kind) => Ok(kind),
        None => refused(&format!("the body must be sent with the header Content-Type: {}", wanted.join(" or "))),
    }
}

fn too_large(most: usize) -> Error {
    Error::new(Code::RequestTooLarge, format!("the body is larger than the {most} bytes that this server takes"))
}

fn cut_off(error: &(dyn std::error::Error + Send + Sync + 'static), most: usize) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return too_large(most);
        }
        if error.is::<BodyStalled>() {
            return Error::new(Code::BodyTimeout, "the body stopped coming; send it without pauses");
        }
        cause = error.source();
    }
    Error::new(Code::InvalidRequest, "the body broke off before its end")
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>> {
    let text = sound(bytes)?;
    let value: Value = serde_json::from_str(text).map_err(|e| Error::field("body", format!("the body is not valid JSON: {e}")))?;
    match value {
        Value::Object(members) => Ok(members),
        other => Err(crate::fields::wrong("", "an object", &other)),
    }
}

/// Text that a parser may be given.
fn sound(bytes: &[u8]) -> Result<&str> {
    let text =
        std::str::from_utf8(bytes).map_err(|e| Error::field("body", format!("the body is not UTF-8 at byte {}", e.valid_up_to())))?;
    if depth(text) > DEPTH {
        return Err(Error::field("body", format!("the body is nested deeper than {DEPTH} levels")));
    }
    if has_nul(text) {
        return Err(Error::field("body", "the body holds a NUL character (\\u0000), which cannot be kept; remove it"));
    }
    Ok(text)
}

/// How deep brackets nest, outside strings; found before a parser recurses.
fn depth(text: &str) -> usize {
    let (mut deepest, mut now, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => now += 1,
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(now);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        parse(body.as_bytes()).unwrap_err().message().to_owned()
    }

    #[test]
    fn malformed_json_is_refused_with_its_position() {
        assert!(refused("{\n \"a\": tru }").contains("line 2 column"));
        assert!(refused("").contains("not valid JSON"));
        assert!(refused("[1]").contains("must be an object, not a list"));
    }

    #[test]
    fn nesting_is_counted_outside_strings() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(parse(nested(63).as_bytes()).is_ok());
        assert!(refused(&nested(64)).contains("nested deeper than 64"));
        assert!(parse(format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(100)).as_bytes()).is_ok());
        assert!(refused(&"[".repeat(1_000_000)).contains("nested deeper"));
    }

    #[test]
    fn a_nul_character_is_refused_in_every_spelling() {
        assert!(refused("{\"a\":\"\\u0000\"}").contains("NUL"));
        assert!(parse(b"{\"a\":\"\\\\u0000\"}").is_ok());
    }

    #[test]
    fn only_plain_json_is_taken() {
        let with = |kind: &'static str| HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(kind))]);
        assert!(media_type(&with("application/json; charset=utf-8"), &[JSON]).is_ok());
        for other in ["multipart/form-data; boundary=x", "text/plain", "application/x-www-form-urlencoded"] {
            assert_eq!(media_type(&with(other), &[JSON]).unwrap_err().code(), Code::UnsupportedMediaType);
        }
        assert!(media_type(&HeaderMap::new(), &[JSON]).is_err());
        assert!(media_type(&with("application/x-www-form-urlencoded"), &[FORM, JSON]).is_ok());
    }
}
