//! The outermost layer: gives each request its id, checks where it was sent to and from which page,
//! writes the bodies of errors, and leaves one log line and one count behind.
//! Bodies and keys never reach the log.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};

use agent::Clock;
use session::Uid;

use crate::errors::{Error, Shape, refused_by_the_router};
use crate::{App, metrics};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is known by, and what is learnt about it on its way in, for the log.
#[derive(Clone)]
pub(crate) struct Seen {
    id: Arc<str>,
    key: Arc<OnceLock<Uid>>,
}

impl Seen {
    /// The request's id, for answers that name it themselves.
    pub(crate) fn id(&self) -> Arc<str> {
        self.id.clone()
    }

    /// The key it came with.
    pub(crate) fn key(&self, uid: Uid) {
        // The first one counts; a request has only one.
        let _ = self.key.set(uid);
    }
}

pub(crate) async fn front(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = data_encoding::HEXLOWER.encode(&Clock.random::<16>());
    let seen = Seen { id: id.as_str().into(), key: Arc::default() };
    request.extensions_mut().insert(seen.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());

    let (shape, page) = (Shape::of(request.uri().path()), app.origins.page(&request));
    let span = tracing::info_span!("request", request.id = %id);
    let response = match app.hosts.check(&request, &page) {
        Ok(()) => match page.preflight(&request) {
            Some(answer) => answer,
            None => tracing::Instrument::instrument(next.run(request), span).await,
        },
        Err(error) => error.into_response(),
    };
    let response = page.mark(finish(response, shape, &id));

    let (status, took) = (response.status(), began.elapsed());
    metrics::request(&route, status, took);
    tracing::info!(
        request.id = %id, %method, route, status = status.as_u16(), duration_ms = took.as_millis() as u64,
        key.id = seen.key.get().map(Uid::hex), "request answered"
    );
    response
}

/// Writes the body of an error, and the request's id on everything.
fn finish(mut response: Response, shape: Shape, id: &str) -> Response {
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let error = response.extensions_mut().remove::<Error>();
    if let Some(error) = error.or_else(|| (refused && !is_json(&response)).then(|| refused_by_the_router(response.status()))) {
        response = with_body(response, &error, shape, id);
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn is_json(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn with_body(bare: Response, error: &Error, shape: Shape, id: &str) -> Response {
    let mut response = Response::new(Body::from(crate::reply::ascii(&shape.body(error, id))));
    *response.status_mut() = error.code().status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for name in [ALLOW, http::header::RETRY_AFTER] {
        if let Some(value) = bare.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = if error.is_for_oauth() { "Basic realm=\"wardian\"" } else { "Bearer" };
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    if error.is_for_oauth() {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
