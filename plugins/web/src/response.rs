//! What a server's answer means for the model: a page, a page elsewhere, or an
//! error that says what to do next. No requests are made here.

use std::time::Duration;

use serde::Serialize;
use wardian_plugin::Error;

use crate::{charset, html, url::Url};

/// A server may ask to wait longer; nobody will.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
    /// Whether the body was longer than what was read of it.
    pub(crate) body_cut: bool,
}

/// The answer of `web_get`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    pub(crate) url: String,
    pub(crate) status_code: u16,
    pub(crate) content_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
    pub(crate) content: String,
    pub(crate) truncated: bool,
}

/// What can be made of a body.
enum Kind {
    Html,
    Text,
}

impl Response {
    /// The answer for the model, with at most `chars_max` characters of content.
    pub(crate) fn into_answer(self, url: &Url, chars_max: usize) -> Result<Answer, Error> {
        match self.status {
            200..=299 => self.page(url, chars_max),
            300..=399 => self.moved(url),
            _ => Err(self.error(url)),
        }
    }

    fn page(self, url: &Url, chars_max: usize) -> Result<Answer, Error> {
        let (media_type, charset) = self.content_type.as_deref().map(parts_of_type).unwrap_or_default();
        let kind = kind_of(&media_type, &self.body)
            .ok_or_else(|| Error::refused(format!("{url} is {media_type:?}, which cannot be read as text")).code("content_type"))?;
        if let Some(encoding) = self.content_encoding.as_deref().filter(|&it| !it.eq_ignore_ascii_case("identity")) {
            let message = format!("{url} was sent compressed ({encoding}) although that was not asked for");
            return Err(Error::failed(message).code("content_encoding"));
        }
        let text = charset::decode(&self.body, charset.as_deref(), matches!(kind, Kind::Html)).map_err(|charset::Unknown(name)| {
            Error::refused(format!("{url} is written in {name:?}; only UTF-8 and Latin-1 can be read")).code("charset")
        })?;
        let page = match kind {
            Kind::Html => html::read(&text, url, chars_max),
            Kind::Text => plain(&text, chars_max),
        };
        Ok(Answer {
            url: url.to_string(),
            status_code: self.status,
            content_type: media_type,
            title: page.title,
            location: None,
            content: page.content,
            truncated: page.truncated || self.body_cut,
        })
    }

    fn moved(self, url: &Url) -> Result<Answer, Error> {
        let Some(location) = self.location.as_deref().and_then(|location| url.join(location)) else {
            let message = format!("{url} answered with status {} and no address to go to", self.status);
            return Err(Error::failed(message).code(code_of(self.status)));
        };
        Ok(Answer {
            url: url.to_string(),
            status_code: self.status,
            content_type: self.content_type.as_deref().map(parts_of_type).unwrap_or_default().0,
            title: None,
            content: format!("This page has moved to {location}"),
            location: Some(location),
            truncated: false,
        })
    }

    fn error(&self, url: &Url) -> Error {
        let status = self.status;
        let error = match status {
            400 | 414 | 422 => Error::invalid_input(format!("{url} was not understood by its server (status {status})")),
            401 | 407 => Error::unauthorized(format!("{url} needs a login, and none is set up (status {status})")),
            403 | 451 => Error::refused(format!("the server does not let us read {url} (status {status})")),
            404 | 410 => Error::not_found(format!("there is no page at {url} (status {status})")),
            408 | 425 | 429 => Error::unavailable(format!("the server of {url} wants us to wait (status {status})")),
            500..=599 => Error::unavailable(format!("the server of {url} is in trouble (status {status})")),
            _ => Error::failed(format!("{url} answered with status {status}")),
        };
        let error = error.code(code_of(status));
        match self.retry_after.as_deref().and_then(|seconds| seconds.trim().parse().ok()) {
            Some(seconds) if matches!(status, 408 | 425 | 429 | 500..=599) => {
                error.retry_after(RETRY_AFTER_MAX.min(Duration::from_secs(seconds)))
            }
            _ => error,
        }
    }
}

fn code_of(status: u16) -> String {
    format!("http_{status}")
}

/// The media type in lower case, and the charset if one is named.
fn parts_of_type(content_type: &str) -> (String, Option<String>) {
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
    });
    (media_type, charset)
}

/// None for what is not text. A body of unknown type is judged by its first bytes.
fn kind_of(media_type: &str, body: &[u8]) -> Option<Kind> {
    let (family, kind) = media_type.split_once('/').unwrap_or_default();
    let is_text_format = |name: &str| {
        matches!(name, "json" | "xml" | "yaml" | "toml" | "javascript" | "x-ndjson" | "x-yaml" | "x-javascript" | "sql")
            || name.ends_with("+json")
            || name.ends_with("+xml")
            || name.ends_with("+yaml")
    };
    match (family, kind) {
        ("text", "html") | ("application", "xhtml+xml") => Some(Kind::Html),
        ("text", _) => Some(Kind::Text),
        ("application", name) if is_text_format(name) => Some(Kind::Text),
        ("", _) if body.contains(&0) => None,
        ("", _) => {
            let start = String::from_utf8_lossy(&body[..body.len().min(100)]).trim_start().to_ascii_lowercase();
            let is_html = start.starts_with("<!doctype html") || start.starts_with("<html");
            Some(if is_html { Kind::Html } else { Kind::Text })
        }
        _ => None,
    }
}

fn plain(text: &str, chars_max: usize) -> html::Page {
    let mut chars = text.chars().filter(|&it| !it.is_control() || matches!(it, '\n' | '\t'));
    let content = chars.by_ref().take(chars_max).collect();
    html::Page { title: None, content, truncated: chars.next().is_some() }
}

#[cfg(test)]
mod tests {
    use wardian_plugin::Reason;

    use super::*;

    fn url() -> Url {
        Url::parse("https://example.com/a/b").unwrap()
    }

    fn ok(content_type: &str, body: &[u8]) -> Response {
        Response {
            status: 200,
            content_type: Some(content_type.to_owned()).filter(|it| !it.is_empty()),
            body: body.to_vec(),
            ..Response::default()
        }
    }

    fn content(response: Response) -> String {
        response.into_answer(&url(), 1_000).unwrap().content
    }

    #[test]
    fn an_html_page_is_read_as_text() {
        let answer = ok("Text/HTML; Charset=\"utf-8\"", "<title>T</title><p>é".as_bytes()).into_answer(&url(), 100).unwrap();
        assert_eq!(
            answer,
            Answer {
                url: "https://example.com/a/b".into(),
                status_code: 200,
                content_type: "text/html".into(),
                title: Some("T".into()),
                location: None,
                content: "é".into(),
                truncated: false,
            }
        );
    }

    #[test]
    fn json_and_text_are_passed_on() {
        assert_eq!(content(ok("application/json", br#"{"a": "<b>"}"#)), r#"{"a": "<b>"}"#);
        assert_eq!(content(ok("application/problem+json", b"{}")), "{}");
        assert_eq!(content(ok("text/plain; charset=iso-8859-1", b"caf\xe9\0\r\n")), "café\n");
    }

    #[test]
    fn a_body_of_unknown_type_is_judged_by_its_bytes() {
        assert_eq!(content(ok("", b" <!DOCTYPE HTML><p>a</p>")), "a");
        assert_eq!(content(ok("", b"a <p>")), "a <p>");
        let error = ok("", b"\x00\x01").into_answer(&url(), 100).unwrap_err();
        assert_eq!(error.code.as_deref(), Some("content_type"));
    }

    #[test]
    fn what_is_not_text_is_refused_by_name() {
        for content_type in ["image/png", "application/pdf", "application/octet-stream"] {
            let error = ok(content_type, b"x").into_answer(&url(), 100).unwrap_err();
            assert_eq!(error.reason, Reason::Refused);
            assert!(error.message.contains(content_type), "{}", error.message);
        }
        assert_eq!(ok("text/plain; charset=gb2312", b"x").into_answer(&url(), 9).unwrap_err().code.unwrap(), "charset");
        let compressed = Response { content_encoding: Some("gzip".into()), ..ok("text/plain", b"\x1f\x8b") };
        assert_eq!(compressed.into_answer(&url(), 9).unwrap_err().code.unwrap(), "content_encoding");
    }

    #[test]
    fn what_is_left_out_is_said() {
        let answer = ok("text/plain", b"12345").into_answer(&url(), 4).unwrap();
        assert_eq!((answer.content.as_str(), answer.truncated), ("1234", true));
        assert!(!ok("text/plain", b"1234").into_answer(&url(), 4).unwrap().truncated);
        let cut = Response { body_cut: true, ..ok("text/plain", b"1234") };
        assert!(cut.into_answer(&url(), 100).unwrap().truncated);
    }

    #[test]
    fn a_moved_page_names_its_new_address() {
        let moved = |location: &str| Response { status: 302, location: Some(location.to_owned()), ..Response::default() };
        let answer = moved("../c?d=1").into_answer(&url(), 100).unwrap();
        assert_eq!(answer.location.as_deref(), Some("https://example.com/c?d=1"));
        assert_eq!(answer.content, "This page has moved to https://example.com/c?d=1");
        assert_eq!(moved("javascript:x").into_answer(&url(), 100).unwrap_err().code.unwrap(), "http_302");
    }

    #[test]
    fn each_status_asks_for_its_own_reaction() {
        for (status, reason) in [
            (400, Reason::InvalidInput),
            (401, Reason::Unauthorized),
            (403, Reason::Refused),
            (404, Reason::NotFound),
            (410, Reason::NotFound),
            (418, Reason::Failed),
            (429, Reason::Unavailable),
            (500, Reason::Unavailable),
            (503, Reason::Unavailable),
            (101, Reason::Failed),
        ] {
            let error = Response { status, ..Response::default() }.into_answer(&url(), 100).unwrap_err();
            assert_eq!((error.reason, error.code.unwrap()), (reason, format!("http_{status}")));
        }
    }

    #[test]
    fn the_wish_to_wait_is_passed_on_within_reason() {
        let after = |status: u16, value: &str| {
            let response = Response { status, retry_after: Some(value.into()), ..Response::default() };
            response.into_answer(&url(), 100).unwrap_err().retry_after
        };
        assert_eq!(after(429, "7"), Some(Duration::from_secs(7)));
        assert_eq!(after(503, "999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(after(503, "Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(after(404, "7"), None);
    }
}
