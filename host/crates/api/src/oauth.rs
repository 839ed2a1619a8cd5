//! The other way in of the Agents API's clients: OAuth 2.0 client credentials
//! (RFC 6749 §4.4). The client's id is the id of an API key and its secret is the
//! key itself; what it gets is an access token that stands for the key.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use agent::Clock;
use session::Uid;

use crate::body::EitherBody;
use crate::errors::{Code, Error, Result};
use crate::fields::Fields;
use crate::front::Seen;
use crate::limits::KEY_TEXT;
use crate::operation::{Answer, Method, Operation};
use crate::server::Peer;
use crate::{App, reply, token};

pub(crate) static TOKEN: Operation = Operation {
    id: "createToken",
    method: Method::Post,
    path: "/oauth2/token",
    summary: "Get an access token for the id and the text of an API key",
    action: None,
    query: &[],
    body: Some("TokenRequest"),
    answer: Answer::Ok("AccessToken"),
};

pub(crate) static TOKEN_BY_JSON: Operation =
    Operation { id: "createTokenByJson", path: "/oauth/token", summary: "The same at the address of clients that send JSON", ..TOKEN };

/// Either address takes either form: the SDK's asynchronous client sends JSON where its other one sends a form.
pub(crate) async fn token(
    State(app): State<Arc<App>>,
    peer: Option<Extension<Peer>>,
    Extension(seen): Extension<Seen>,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let body = EitherBody::from_request(request, &app).await;
    let asked = body.and_then(|body| match body {
        EitherBody::Form(pairs) => Asked::of_form(pairs, &headers),
        EitherBody::Json(members) => Asked::of_json(&members, &headers),
    });
    let address = peer.and_then(|Extension(peer)| peer.address());
    match asked.and_then(|asked| granted(&app, address, &asked)) {
        Err(error) => {
            let word = word(&error);
            error.for_oauth(word).into_response()
        }
        Ok(key) => {
            seen.key(key);
            let token = app.tokens.write(key, Clock.now());
            let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": token::LIFE.as_secs() });
            ([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], reply::json(StatusCode::OK, &body)).into_response()
        }
    }
}

/// The key of a client, counted like any other request of that key, and a wrong one like any wrong key.
fn granted(app: &App, address: Option<IpAddr>, asked: &Asked) -> Result<Uid> {
    let wrong = || match app.rate.failure(address) {
        slower if slower.code() == Code::RateLimitExceeded => slower,
        _ => Error::new(Code::InvalidClient, "no API key has this client_id and client_secret; the id is what `wardian keys list` shows"),
    };
    let id = Uid::from_hex(&asked.id).ok_or_else(wrong)?;
    let principal = app.keyring.verify(&asked.secret).map_err(Error::internal)?;
    principal.filter(|principal| principal.key == id).ok_or_else(wrong)?;
    app.rate.request(id)?;
    Ok(id)
}

/// How RFC 6749 §5.2 says it. What it has no word for gets one of its neighbours in §4.1.2.1, as elsewhere.
fn word(error: &Error) -> &'static str {
    let code = error.code();
    if matches!(code, Code::InvalidClient | Code::UnsupportedGrantType) {
        return code.word();
    }
    match code.status() {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request",
    }
}

/// The one way to get a token.
const CLIENT_CREDENTIALS: &str = "client_credentials";

/// A client that asks for a token.
#[derive(PartialEq, Eq)]
struct Asked {
    id: String,
    secret: String,
}

impl Asked {
    /// From a form. What RFC 6749 §3.2 says: nothing twice, an empty value counts as absent, unknown names are ignored.
    fn of_form(pairs: Vec<(String, String)>, headers: &HeaderMap) -> Result<Self> {
        let [mut kind, mut id, mut secret] = [const { None }; 3];
        for (name, value) in pairs {
            let place = match &*name {
                "grant_type" => &mut kind,
                "client_id" => &mut id,
                "client_secret" => &mut secret,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(Error::field(&*name, format!("`{name}` is there twice; send it once")));
            }
        }
        Self::of(kind.unwrap_or_default(), id.unwrap_or_default(), secret.unwrap_or_default(), headers)
    }

    /// From an object. Without a kind it is the only one there is: the SDK's asynchronous client leaves it out.
    fn of_json(members: &Map<String, Value>, headers: &HeaderMap) -> Result<Self> {
        let fields = Fields::of_body(members);
        let text = |name: &str| fields.text(name, 0..=usize::MAX).map(|text| text.map(str::to_owned));
        let kind = text("grant_type")?.unwrap_or_else(|| CLIENT_CREDENTIALS.to_owned());
        Self::of(kind, text("client_id")?.unwrap_or_default(), text("client_secret")?.unwrap_or_default(), headers)
    }

    /// From the members of a body and, where the client shows itself there, from the header.
    fn of(kind: String, id: String, secret: String, headers: &HeaderMap) -> Result<Self> {
        match &*kind {
            CLIENT_CREDENTIALS => {}
            "" => return Err(Error::field("grant_type", "`grant_type` is required; it must be client_credentials")),
            _ => {
                let why = "`grant_type` must be client_credentials; this server knows no other way to get a token";
                return Err(Error::field("grant_type", why).with(Code::UnsupportedGrantType));
            }
        }
        let asked = match basic(headers)? {
            None => Self { id, secret },
            Some(shown) if secret.is_empty() && (id.is_empty() || id == shown.id) => shown,
            Some(_) => return Err(Error::field("client_secret", "the client shows itself twice; use either HTTP Basic or the body")),
        };
        if asked.id.is_empty() || asked.secret.is_empty() {
            let why = "client_id and client_secret are required: the id of an API key and the key itself, in the body or as HTTP Basic";
            return Err(Error::new(Code::InvalidClient, why));
        }
        Ok(asked)
    }
}

/// The client of `Authorization: Basic`, both parts form-encoded as RFC 6749 §2.3.1 wants it.
fn basic(headers: &HeaderMap) -> Result<Option<Asked>> {
    let Some((scheme, text)) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' ')) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    // Twice the length of a key in base64, and its id: longer ones are nobody's.
    let text = Some(text.trim()).filter(|text| text.len() <= 4 * KEY_TEXT);
    let text = text.and_then(|text| data_encoding::BASE64.decode(text.as_bytes()).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = text.as_deref().and_then(|text| text.split_once(':'));
    let (id, secret) =
        pair.ok_or_else(|| Error::new(Code::InvalidClient, "the header is not HTTP Basic: base64 of client_id:client_secret"))?;
    Ok(Some(Asked { id: decoded(id), secret: decoded(secret) }))
}

/// One form-encoded value. The characters that would part it from another one are taken as they stand.
fn decoded(text: &str) -> String {
    let whole = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(whole.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn pairs(text: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

    fn with(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap())])
    }

    fn refused(form: &str, headers: &HeaderMap) -> &'static str {
        match Asked::of_form(pairs(form), headers) {
            Err(error) => error.code().word(),
            Ok(_) => "nothing",
        }
    }

    #[test]
    fn a_client_shows_itself_in_the_body_or_in_the_header() {
        let form = "grant_type=client_credentials&client_id=i&client_secret=s%2B1&scope=x";
        let asked = Asked::of_form(pairs(form), &HeaderMap::new()).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!((&*asked.id, &*asked.secret), ("i", "s+1"));
        let header = with(&format!("basic {}", data_encoding::BASE64.encode(b"i:s%2B1")));
        let asked = Asked::of_form(pairs("grant_type=client_credentials&client_id=i"), &header).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!((&*asked.id, &*asked.secret), ("i", "s+1"));
    }

    #[test]
    fn an_object_may_leave_out_the_only_kind_there_is() {
        let members = json!({"client_id": "i", "client_secret": "s"});
        assert!(Asked::of_json(members.as_object().unwrap(), &HeaderMap::new()).is_ok());
        let members = json!({"client_id": "i", "client_secret": "s", "grant_type": "password"});
        assert!(Asked::of_json(members.as_object().unwrap(), &HeaderMap::new()).is_err());
    }

    #[test]
    fn what_is_wrong_has_the_word_of_the_rfc() {
        let (none, basic) = (HeaderMap::new(), with(&format!("Basic {}", data_encoding::BASE64.encode(b"i:s"))));
        assert_eq!(refused("", &none), "invalid_request");
        assert_eq!(refused("grant_type=password&client_id=i&client_secret=s", &none), "unsupported_grant_type");
        assert_eq!(refused("grant_type=client_credentials", &none), "invalid_client");
        assert_eq!(refused("grant_type=client_credentials&client_id=i&client_secret=", &none), "invalid_client");
        assert_eq!(refused("grant_type=client_credentials&client_id=i&client_id=j", &none), "invalid_request");
        assert_eq!(refused("grant_type=client_credentials&client_secret=s", &basic), "invalid_request");
        assert_eq!(refused("grant_type=client_credentials&client_id=j", &basic), "invalid_request");
        assert_eq!(refused("grant_type=client_credentials", &with("Basic ???")), "invalid_client");
        assert_eq!(refused("grant_type=client_credentials", &with("Basic aQ==")), "invalid_client");
    }
}
