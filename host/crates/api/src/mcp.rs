//! The door for clients of the Model Context Protocol: the plugins' tools over
//! its streamable HTTP transport. Each call is a turn of the agent `mcp`, so that
//! it takes the one way to a tool; no model is asked. Nothing is kept between
//! two requests, so there is nothing to open, to resume or to close.

mod call;
mod initialize;
mod list;
mod message;
mod output;
mod record;
mod running;
mod schemas;
mod stream;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};

use policy::{Action, MCP_AGENT};
use tool::Caller as ToolCaller;

use crate::App;
use crate::body::JsonText;
use crate::caller::Caller;
use crate::errors::{Code, Error, Result};
use crate::operation::{Answer, Method, Operation};
use crate::reply;

use call::Keys;
use message::{Fault, Message, Request};
use running::{Cancelled, Client, Running};
pub(crate) use schemas::{example, schemas};

/// What the door keeps for itself.
pub(crate) struct Mcp {
    keys: Keys,
    running: Running,
}

impl Mcp {
    /// The door of a server with this secret.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { keys: Keys::new(secret), running: Running::default() }
    }
}

pub(crate) static MESSAGE: Operation = Operation {
    id: "postMcpMessage",
    method: Method::Post,
    path: "/mcp",
    summary: "One message of the Model Context Protocol, streamable HTTP: list the plugins' tools and call them",
    action: Some(Action::PostEvent),
    query: &[],
    body: Some("McpMessage"),
    answer: Answer::OkOrAccepted("McpAnswer"),
};

pub(crate) async fn message(State(app): State<Arc<App>>, caller: Caller, headers: HeaderMap, body: Result<JsonText>) -> Result<Response> {
    if !caller.sees(MCP_AGENT) {
        let why = format!("this key is limited to certain agents, and `{MCP_AGENT}`, as which tools are called here, is not among them");
        return Err(Error::new(Code::Forbidden, why));
    }
    let text = match body {
        Ok(JsonText(text)) => text,
        Err(error) if error.code() == Code::InvalidRequest => return Ok(refused(&Fault::unreadable(error.message()))),
        Err(error) => return Err(error),
    };
    let read = initialize::revision(&headers).and_then(|()| Ok((running::scope(&headers)?, Message::read(&text)?)));
    let (scope, message) = match read {
        Ok(read) => read,
        Err(fault) => return Ok(refused(&fault)),
    };
    let client = Client::new(&caller.0, scope);
    match message {
        Message::Request(request) => answer(app, caller, client, request, takes_stream(&headers)).await,
        Message::Cancelled(id) => {
            app.mcp.running.cancel(&client.request(id));
            Ok(nothing())
        }
        Message::Ignored => Ok(nothing()),
    }
}

/// Why the tenant's door is closed, if it is: the agent of the calls is disabled.
fn closed(app: &App, caller: &Caller) -> Result<Option<Fault>> {
    match app.engine.agent(caller.0.tenant, MCP_AGENT) {
        Ok(agent) if !agent.enabled => {
            Ok(Some(Fault::from(Error::from(agent::Error::Disabled(agent::Thing::Agent, MCP_AGENT.to_owned())))))
        }
        // One that is not there yet is made with the first call.
        Ok(_) | Err(agent::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The answer to a request: a result, or what is wrong with it.
async fn answer(app: Arc<App>, caller: Caller, client: Client, request: Request<'_>, takes_stream: bool) -> Result<Response> {
    let whom = ToolCaller { tenant: caller.0.tenant_name.clone(), agent: MCP_AGENT.into() };
    let result = match request.method.as_str() {
        "initialize" => return Ok(initialize::answer(&app, &whom, &request).await),
        "ping" => Ok("{}".to_owned()),
        "tools/list" => match closed(&app, &caller)? {
            Some(fault) => Err(fault),
            None => list::tools(&app, &whom, &request).await,
        },
        "tools/call" => match call::Asked::read(&app, &whom, &request).await {
            Ok(asked) => return called(app, caller, &client, &request, asked, takes_stream).await,
            Err(fault) => Err(fault),
        },
        method => Err(Fault::no_method(method)),
    };
    Ok(reply::text(StatusCode::OK, message::answer(request.id, &result)))
}

/// A tool is called: in one piece, or as a stream where the client wants to see how far the call is.
async fn called(
    app: Arc<App>,
    caller: Caller,
    client: &Client,
    request: &Request<'_>,
    asked: call::Asked,
    takes_stream: bool,
) -> Result<Response> {
    let ticket = app.mcp.running.begin(client.request(request.id));
    let id = request.id.to_owned();
    if let Some(token) = asked.progress.clone().filter(|_| takes_stream) {
        return Ok(stream::answer(app, caller, ticket, asked, id, token));
    }
    match call::run(&app, &caller, &ticket, &asked, &mut |_, _| {}).await {
        Ok(result) => Ok(reply::text(StatusCode::OK, message::answer(&id, &result))),
        // Whoever takes a request back waits for no answer.
        Err(Cancelled) => Ok(nothing()),
    }
}

/// Whether the client reads streams. Every client has to; one that does not say so gets its answers in one piece.
fn takes_stream(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    kinds.map(|kind| kind.split(';').next().unwrap_or_default().trim()).any(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}

/// What a notification is answered.
fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// A message that is none: nobody knows which request it was.
fn refused(fault: &Fault) -> Response {
    reply::text(StatusCode::BAD_REQUEST, message::answer("null", &Err(fault.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_stream_is_sent_only_to_who_says_to_read_one() {
        let accepts = |kinds: &'static str| takes_stream(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(kinds))]));
        assert!(accepts("application/json, text/event-stream") && accepts("text/event-stream;q=0.5"));
        assert!(!accepts("application/json") && !accepts("*/*") && !takes_stream(&HeaderMap::new()));
    }
}
