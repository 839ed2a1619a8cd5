//! Every route of the server, one line each.

use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, any, on};
use http::StatusCode;

use crate::agents_v2::{agents, approvals, client_calls, client_tools, edits, events, identity, llms, secrets, sessions, tools};
use crate::cloudbase::{self, bots, feedback, recommend, records, send_message};
use crate::openai::{completions, models};
use crate::operation::{Method, Operation};
use crate::{App, Options, agui, conversations, docs, front, health, hosts, mcp, oauth, openapi, operator, page, rate, token};

/// The whole server as a service. Requests come in through [`crate::serve`].
pub fn router(options: Options) -> Router {
    routes().into_router(options)
}

fn routes() -> Routes {
    let mut routes = Routes::default();

    routes.add(&agents::CREATE, agents::create);
    routes.add(&agents::LIST, agents::list);
    routes.add(&agents::GET, agents::get);
    routes.add(&agents::UPDATE, agents::update);
    routes.add(&agents::REPLACE, agents::replace);
    routes.add(&agents::DELETE, agents::delete);
    routes.add(&identity::GET, identity::get);
    routes.add(&identity::UPDATE, identity::update);
    routes.add(&secrets::GET, secrets::get);
    routes.add(&secrets::REPLACE, secrets::replace);
    routes.add(&secrets::UPDATE, secrets::update);

    routes.add(&sessions::CREATE, sessions::create);
    routes.add(&sessions::LIST, sessions::list);
    routes.add(&sessions::GET, sessions::get);
    routes.add(&sessions::UPDATE, sessions::update);
    routes.add(&sessions::DELETE, sessions::delete);

    routes.add(&events::CREATE, events::create);
    routes.add(&events::LIST, events::list);
    routes.add(&events::GET, events::get);
    routes.add(&edits::HIDE, edits::hide);
    routes.add(&edits::UNHIDE, edits::unhide);
    routes.add(&edits::DELETE, edits::delete);

    routes.add(&approvals::LIST, approvals::list);
    routes.add(&client_calls::LIST, client_calls::list);

    routes.add(&tools::LIST, tools::list);
    routes.add(&tools::GET, tools::get);
    routes.add(&client_tools::CREATE, client_tools::create);
    routes.add(&client_tools::UPDATE, client_tools::update);
    routes.add(&client_tools::DELETE, client_tools::delete);
    routes.add(&llms::LIST, llms::list);

    routes.add(&send_message::SEND, send_message::send);
    routes.add(&bots::LIST, bots::list);
    routes.add(&bots::GET, bots::get);
    routes.add(&records::LIST, records::list);
    routes.add(&cloudbase::conversations::CREATE, cloudbase::conversations::create);
    routes.add(&cloudbase::conversations::LIST, cloudbase::conversations::list);
    routes.add(&cloudbase::conversations::UPDATE, cloudbase::conversations::update);
    routes.add(&cloudbase::conversations::DELETE, cloudbase::conversations::delete);
    routes.add(&recommend::ASK, recommend::ask);
    routes.add(&feedback::CREATE, feedback::create);
    routes.add(&feedback::LIST, feedback::list);
    routes.add(&agui::RUN, agui::post);
    routes.add(&mcp::MESSAGE, mcp::message);
    routes.add(&completions::CREATE, completions::create);
    routes.add(&completions::CREATE_WITH_BOT, completions::create_with_bot);
    routes.add(&models::LIST, models::list);
    routes.add(&models::GET, models::get);

    routes.add(&oauth::TOKEN, oauth::token);
    routes.add(&oauth::TOKEN_BY_JSON, oauth::token);

    routes.add(&operator::keys::CREATE, operator::keys::create);
    routes.add(&operator::keys::LIST, operator::keys::list);
    routes.add(&operator::keys::REVOKE, operator::keys::revoke);
    routes.add(&operator::tenants::CREATE, operator::tenants::create);
    routes.add(&operator::tenants::LIST, operator::tenants::list);
    routes.add(&operator::plugins::LIST, operator::plugins::list);
    routes.add(&operator::plugins::GET, operator::plugins::get);
    routes.add(&operator::plugins::CHANGES, operator::plugins::changes);
    routes.add(&operator::plugins::ACCEPT, operator::plugins::accept);
    routes.add(&operator::approvals::LIST, operator::approvals::list);
    routes.add(&operator::approvals::DECIDE, operator::approvals::decide);
    routes.add(&operator::POLICY, operator::policy);
    routes.add(&operator::grants::EXPLAIN, operator::grants::explain);
    routes.add(&operator::grants::LEND, operator::grants::lend);
    routes.add(&operator::grants::LIST, operator::grants::list);
    routes.add(&operator::grants::REVOKE, operator::grants::revoke);
    routes.add(&operator::STATUS, operator::status);

    routes.add(&health::LIVE, health::live);
    routes.add(&health::READY, health::ready);
    routes.add(&health::METRICS, health::metrics);
    routes.add(&health::OF_BOTS, health::of_bots);
    routes.add(&health::OF_ALL_BOTS, health::of_bots);
    routes.add(&health::OF_ALL, health::of_bots);
    routes.add(&openapi::DOCUMENT, openapi::document);
    routes.add(&docs::PAGE, docs::page);

    routes
}

/// The document of these routes, for the tests of the document.
#[cfg(test)]
pub(crate) fn document() -> bytes::Bytes {
    openapi::Described::new(routes().operations).document()
}

/// The routes as they are collected: the axum router and the table beside it.
#[derive(Default)]
struct Routes {
    router: Router<Arc<App>>,
    operations: Vec<&'static Operation>,
}

impl Routes {
    /// A route: its place in the table comes along with each request, so that the caller is checked against it.
    fn add<H, T>(&mut self, operation: &'static Operation, handler: H)
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let route = on(filter(operation.method), handler).layer(Extension(operation));
        for path in spellings(operation.path) {
            self.router = std::mem::take(&mut self.router).route(&path, route.clone());
        }
        self.operations.push(operation);
    }

    fn into_router(self, options: Options) -> Router {
        let app = Arc::new(App {
            engine: options.engine,
            keyring: options.keyring,
            operator: options.operator,
            outbox: options.outbox,
            blobs: options.blobs,
            metrics: options.metrics,
            page_keys: page::PageKeys::new(options.secret),
            tokens: token::Tokens::new(options.secret),
            conversations: conversations::Names::new(options.secret),
            mcp: mcp::Mcp::new(options.secret),
            rate: rate::Rate::new(&options.limits),
            limits: options.limits,
            hosts: hosts::Hosts::new(options.allowed_hosts),
            origins: options.origins,
            on_disconnect: options.on_disconnect,
            described: openapi::Described::new(self.operations),
            stop: options.stop,
        });
        // Running code that a client sends is not done here; the path is no tool of this name.
        let router = self.router.route("/v2/tools/test", any(|| async { StatusCode::NOT_FOUND }));
        router.layer(from_fn_with_state(app.clone(), front::front)).with_state(app)
    }
}

/// The path as the router reads it. Clients of the doors below `/v1/` send a slash after it now and then, and write
/// what names a conversation unescaped, whatever is in it.
fn spellings(path: &str) -> Vec<String> {
    if !path.starts_with("/v1/") {
        return vec![path.to_owned()];
    }
    match path.strip_suffix("/{conversation_id}") {
        Some(before) => vec![format!("{before}/{{*conversation_id}}")],
        None => vec![path.to_owned(), format!("{path}/")],
    }
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Patch => MethodFilter::PATCH,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    }
}
