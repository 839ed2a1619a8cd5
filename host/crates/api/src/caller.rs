//! Who is calling: the key is verified, counted and checked against the
//! operation's role before a handler runs.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde::de::DeserializeOwned;

use agent::Clock;
use policy::{Action, may};
use session::{Agent, Principal, Session, Uid};
use tool::Approver;

use crate::errors::{Code, Error, Result};
use crate::front::Seen;
use crate::operation::Operation;
use crate::server::Peer;
use crate::{App, naming, token};

/// An authenticated caller who may do this operation.
pub(crate) struct Caller(pub Arc<Principal>);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let principal = authenticated(parts, app)?;
        if let Some(seen) = parts.extensions.get::<Seen>() {
            seen.key(principal.key);
        }
        let caller = Self(principal);
        let action = parts.extensions.get::<&'static Operation>().and_then(|operation| operation.action).unwrap_or(Action::Operate);
        caller.check(action, true)?;
        if action == Action::Operate && !caller.operates(app.keyring.home().id) {
            return Err(Error::new(Code::Forbidden, "this needs an owner key of the operator's own tenant that is not limited to agents"));
        }
        Ok(caller)
    }
}

fn authenticated(parts: &Parts, app: &App) -> Result<Arc<Principal>> {
    let peer = parts.extensions.get::<Peer>();
    if matches!(peer, Some(Peer::Operator)) {
        return Ok(Arc::new(app.keyring.operator()));
    }
    let address = peer.and_then(Peer::address);
    let principal = match credential(&parts.headers).ok_or_else(|| without_a_key(&parts.headers))? {
        Credential::Key(text) => app.keyring.verify(text),
        Credential::Bearer(text) => match app.tokens.read(text, Clock.now()) {
            token::Read::Of(key) => app.keyring.of_id(key),
            token::Read::Expired => {
                return Err(Error::new(Code::Unauthorized, "the access token has expired; get another one at /oauth2/token"));
            }
            token::Read::Foreign => app.keyring.verify(text),
        },
    };
    let principal = principal.map_err(Error::internal)?.ok_or_else(|| app.rate.failure(address))?;
    app.rate.request(principal.key)?;
    Ok(principal)
}

fn without_a_key(headers: &HeaderMap) -> Error {
    let tried = headers.contains_key(KEY) || headers.contains_key(AUTHORIZATION);
    let code = if tried { Code::Unauthorized } else { Code::MissingCredentials };
    Error::new(code, "an API key is required; send it as x-api-key, or as Authorization: Bearer")
}

/// The header of a key.
const KEY: &str = "x-api-key";

/// What a request shows of its caller.
#[derive(Debug, PartialEq, Eq)]
enum Credential<'a> {
    /// An API key.
    Key(&'a str),
    /// An access token, or an API key as well.
    Bearer(&'a str),
}

/// `x-api-key` wins over `Authorization: Bearer`.
fn credential(headers: &HeaderMap) -> Option<Credential<'_>> {
    if let Some(key) = headers.get(KEY) {
        return key.to_str().ok().map(Credential::Key);
    }
    let (scheme, text) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Credential::Bearer(text.trim()))
}

impl Caller {
    /// Whether the caller may do it, to something of its `own` or not.
    pub(crate) fn check(&self, action: Action, own: bool) -> Result<()> {
        if may(self.0.role, action, own) {
            return Ok(());
        }
        let needed = policy::Role::needed(action);
        let why = if self.0.role >= needed {
            "a key with the role agent_user reaches only the sessions that it opened".to_owned()
        } else {
            format!("this needs a key with the role {} or higher; this key has {}", needed.word(), self.0.role.word())
        };
        Err(Error::new(Code::Forbidden, why))
    }

    /// Whether an owner is the server's and not only a tenant's: `home` is the operator's own tenant.
    fn operates(&self, home: Uid) -> bool {
        self.0.tenant == home && self.0.agents.is_none()
    }

    /// For whom the caller speaks where a call waits for a person.
    pub(crate) fn standing(&self, app: &App) -> Approver {
        let operates = may(self.0.role, Action::Operate, true) && self.operates(app.keyring.home().id);
        if operates { Approver::Operator } else { Approver::Client }
    }

    /// The agent of a path. One outside the caller's list looks like one that does not exist.
    pub(crate) fn agent(&self, app: &App, key: &str) -> Result<Arc<Agent>> {
        naming::checked(key, "agent_key")?;
        if !self.sees(key) {
            return Err(Error::missing(Code::AgentNotFound, "agent", key));
        }
        Ok(app.engine.agent(self.0.tenant, key)?)
    }

    /// Whether an agent is among those that the caller may see.
    pub(crate) fn sees(&self, agent: &str) -> bool {
        self.0.agents.as_ref().is_none_or(|agents| agents.iter().any(|key| key == agent))
    }

    /// The session of a path, for this action.
    pub(crate) fn session(&self, app: &App, agent: &Agent, key: &str, action: Action) -> Result<Arc<Session>> {
        naming::checked(key, "session_key")?;
        let session = app.engine.session(agent, key)?;
        let own = self.0.is(session.owner_key, session.owner_subject.as_deref());
        if !own && self.check(action, true).is_ok() && self.check(action, false).is_err() {
            // Somebody else's looks like one that does not exist.
            return Err(Error::missing(Code::SessionNotFound, "session", key));
        }
        self.check(action, own)?;
        Ok(session)
    }
}

/// The parameters of a path, with our own error where they cannot be decoded.
pub(crate) struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Segments<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let path = Path::<T>::from_request_parts(parts, app).await;
        path.map(|Path(segments)| Self(segments)).map_err(|_| Error::field("path", "the path is not valid UTF-8 in percent encoding"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_header_that_holds_no_key_is_a_wrong_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(without_a_key(&headers).code(), Code::MissingCredentials);
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic eA=="));
        assert_eq!(without_a_key(&headers).code(), Code::Unauthorized);
    }

    #[test]
    fn x_api_key_wins_over_a_bearer_token() {
        let mut headers = HeaderMap::new();
        assert_eq!(credential(&headers), None);
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer  two"));
        assert_eq!(credential(&headers), Some(Credential::Bearer("two")));
        headers.insert("x-api-key", HeaderValue::from_static("one"));
        assert_eq!(credential(&headers), Some(Credential::Key("one")));
        headers.remove("x-api-key");
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic eA=="));
        assert_eq!(credential(&headers), None);
    }
}
