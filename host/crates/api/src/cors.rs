//! Pages of other origins: a browser lets them read answers only where the server says so, and asks first. Closed
//! unless the operator names origins; what operators do is never open to pages.
//!
//! Keys travel in headers that a page sets itself, so no cookie is ever allowed along.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use http::uri::Authority;
use http::{Method, StatusCode};

/// How long a browser may remember the answer to its question: an origin that the operator takes away is shut out
/// by the answer itself in any case.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Every method that an operation has.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");

/// The headers that known clients send, for a browser that does not say which it has.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Accept, Accept-Language, Idempotency-Key, X-API-Key, X-SDK-Version, X-TCB-Source, X-TCB-Region, \
     X-Client-Timestamp",
);

/// What a page may read beside the body.
const EXPOSED: HeaderValue = HeaderValue::from_static("X-Request-Id, X-Conversation-Id, Mcp-Session-Id, Retry-After");

/// What is the operator's alone.
const CLOSED: [&str; 2] = ["/operator", "/metrics"];

/// The origins whose pages may call this server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<Box<str>>);

/// Why a text is no origin, and what to write instead.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not an origin: {1}")]
pub struct NoOrigin(String, &'static str);

impl Origins {
    /// From what the operator wrote: exact origins, or `*` for all.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, NoOrigin> {
        let checked = |text: &str| match problem(text) {
            None => Ok(Box::from(text)),
            Some(why) => Err(NoOrigin(text.to_owned(), why)),
        };
        texts.iter().map(|text| checked(text.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// What the page that sent a request may do. Where nothing is open to pages, answers do not even mention them.
    pub(crate) fn page(&self, request: &Request) -> Page {
        let path = request.uri().path();
        let closed = CLOSED.iter().any(|closed| path.strip_prefix(closed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        let concerned = !self.0.is_empty() && !closed;
        let allowed = request.headers().get(ORIGIN).filter(|_| concerned).and_then(|origin| self.allowed(origin));
        Page { concerned, allowed }
    }

    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.0.iter().any(|listed| &**listed == ANY) {
            return Some(HeaderValue::from_static(ANY));
        }
        self.0.iter().any(|listed| listed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

/// A page that sent a request, if one did.
pub(crate) struct Page {
    concerned: bool,
    allowed: Option<HeaderValue>,
}

impl Page {
    /// Whether it is one of those that the operator named.
    pub(crate) fn is_welcome(&self) -> bool {
        self.allowed.is_some()
    }

    /// The answer to a browser that asks whether a page may send a request. No key comes along with the question.
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !self.is_welcome() {
            return None;
        }
        // A header that the server does not know means nothing to it, so that any may come.
        let headers = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(HEADERS);
        let answer = [(ACCESS_CONTROL_ALLOW_METHODS, METHODS), (ACCESS_CONTROL_ALLOW_HEADERS, headers), (ACCESS_CONTROL_MAX_AGE, MAX_AGE)];
        Some((StatusCode::NO_CONTENT, answer, [(VARY, ACCESS_CONTROL_REQUEST_HEADERS.as_str())]).into_response())
    }

    /// Says on an answer whether the page may read it.
    pub(crate) fn mark(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if self.concerned {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = self.allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        response
    }
}

/// Every origin.
const ANY: &str = "*";

/// Why no browser would ever send this as its origin.
fn problem(text: &str) -> Option<&'static str> {
    if text == ANY {
        return None;
    }
    if text.contains('*') {
        return Some("write each origin out, or \"*\" alone for all of them");
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some("write it with its scheme, like \"https://app.example.com\"");
    };
    if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
        return Some("write it with its scheme, like \"https://app.example.com\"");
    }
    if rest.contains(['/', '?', '#']) {
        return Some("an origin ends with the host or the port; leave out the path and the slash");
    }
    if rest.contains('@') {
        return Some("leave out the user");
    }
    if !text.is_ascii() {
        return Some("write an international name as browsers send it, beginning with \"xn--\"");
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some("browsers send origins in lower case; write it so");
    }
    let Ok(authority) = rest.parse::<Authority>() else {
        return Some("write it like \"https://app.example.com\" or \"http://localhost:3000\"");
    };
    let ends_in_a_port = rest.len() > authority.host().len();
    if authority.host().is_empty() || (ends_in_a_port && authority.port_u16().is_none()) {
        return Some("write it like \"https://app.example.com\" or \"http://localhost:3000\"");
    }
    let default = matches!((scheme, authority.port_u16()), ("https", Some(443)) | ("http", Some(80)));
    default.then_some("browsers leave out the port that the scheme has anyway; leave it out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn origins(texts: &[&str]) -> Origins {
        Origins::parse(texts).unwrap()
    }

    fn request(method: Method, path: &str, headers: &[(http::HeaderName, &str)]) -> Request {
        let request = Request::builder().method(method).uri(path);
        headers.iter().fold(request, |request, (name, value)| request.header(name, *value)).body(Body::empty()).unwrap()
    }

    fn from(origin: &str, path: &str) -> Request {
        request(Method::POST, path, &[(ORIGIN, origin)])
    }

    const APP: &str = "https://app.example";
    const PATH: &str = "/v1/aibot/bots/a/send-message";

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port_as_browsers_send_them() {
        for good in ["*", APP, "http://localhost:3000", "http://[::1]:3000", "capacitor://localhost", "chrome-extension://abcdef"] {
            assert!(Origins::parse(&[good]).is_ok(), "{good}");
        }
        for (bad, help) in [
            ("app.example", "scheme"),
            ("https://app.example/", "slash"),
            ("https://app.example/x", "path"),
            ("https://*.example", "\"*\" alone"),
            ("https://APP.example", "lower case"),
            ("https://\u{fc}ber.example", "xn--"),
            ("https://app.example:443", "leave it out"),
            ("http://app.example:80", "leave it out"),
            ("https://app.example:", "write it like"),
            ("https://app.example:99999", "write it like"),
            ("https://", "write it like"),
            ("https://a b", "write it like"),
            ("https://u@app.example", "user"),
            ("null", "scheme"),
            ("", "scheme"),
            ("://x", "scheme"),
        ] {
            let refused = Origins::parse(&[APP, bad]).unwrap_err().to_string();
            assert!(refused.contains(help), "{refused}");
        }
    }

    #[test]
    fn only_pages_that_were_named_are_welcome_and_never_where_operators_are() {
        let listed = origins(&[APP, "http://localhost:3000"]);
        assert!(listed.page(&from(APP, PATH)).is_welcome());
        for other in ["https://evil.example", "https://app.example:8443", "http://app.example", "https://app.example.evil", "null", ""] {
            assert!(!listed.page(&from(other, PATH)).is_welcome(), "{other}");
        }
        let all = origins(&["*"]);
        assert!(all.page(&from("https://evil.example", PATH)).is_welcome());
        for closed in ["/operator/v1/keys", "/operator", "/metrics"] {
            assert!(!all.page(&from(APP, closed)).is_welcome(), "{closed}");
        }
        assert!(all.page(&from(APP, "/metricsx")).is_welcome());
        assert!(!Origins::default().page(&from(APP, PATH)).is_welcome());
    }

    #[test]
    fn a_preflight_is_answered_for_welcome_pages_alone() {
        let asks = |origin: &str| {
            let asked = [
                (ORIGIN, origin),
                (ACCESS_CONTROL_REQUEST_METHOD, "POST"),
                (ACCESS_CONTROL_REQUEST_HEADERS, "x-sdk-version,authorization"),
            ];
            request(Method::OPTIONS, PATH, &asked)
        };
        let listed = origins(&[APP]);
        assert!(listed.page(&asks("https://evil.example")).preflight(&asks("https://evil.example")).is_none());
        assert!(listed.page(&from(APP, PATH)).preflight(&from(APP, PATH)).is_none());
        let page = listed.page(&asks(APP));
        let answer = page.preflight(&asks(APP)).unwrap();
        let answer = page.mark(answer);
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], APP);
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "x-sdk-version,authorization");
        assert_eq!(answer.headers()[ACCESS_CONTROL_MAX_AGE], "600");
        assert!(!answer.headers().contains_key("access-control-allow-credentials"));
        let varies: Vec<_> = answer.headers().get_all(VARY).iter().collect();
        assert_eq!(varies, ["access-control-request-headers", "Origin"]);
    }

    #[test]
    fn an_answer_mentions_pages_only_where_some_are_named() {
        let empty = || Response::new(Body::empty());
        assert!(Origins::default().page(&from(APP, PATH)).mark(empty()).headers().is_empty());
        let none = request(Method::GET, PATH, &[]);
        let answer = origins(&[APP]).page(&none).mark(empty());
        assert_eq!(answer.headers()[VARY], "Origin");
        assert!(!answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        let answer = origins(&["*"]).page(&from(APP, PATH)).mark(empty());
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(answer.headers()[ACCESS_CONTROL_EXPOSE_HEADERS], EXPOSED);
    }
}
