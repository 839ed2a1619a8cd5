//! One message of JSON-RPC 2.0 as the protocol uses it: read from its text, so
//! that arguments stay as they were written, and answered as text.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use session::json::{push_json, push_string};

use crate::errors::{Code, Error};

/// Bytes of a request's id: it is kept while the request runs, and sent back.
const ID_BYTES: usize = 256;

/// What a client's message is.
#[derive(Debug)]
pub(super) enum Message<'a> {
    /// It wants an answer.
    Request(Request<'a>),
    /// It takes back the request with this id.
    Cancelled(&'a str),
    /// It wants none: a notification, or an answer to something that this server never asks.
    Ignored,
}

/// A request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// Its id: JSON, a string or a whole number, exact text.
    pub(super) id: &'a str,
    /// What is asked for.
    pub(super) method: String,
    /// With what.
    params: Option<&'a RawValue>,
}

/// Everything that a message may have.
#[derive(Deserialize)]
struct Envelope<'a> {
    jsonrpc: Option<String>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    id: Option<&'a RawValue>,
    method: Option<String>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    error: Option<&'a RawValue>,
}

/// A member that is there, whatever it is: an id or a result of null is no missing one.
fn even_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// The parameters of a cancellation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancellation<'a> {
    #[serde(borrow)]
    request_id: &'a RawValue,
}

impl<'a> Message<'a> {
    /// Reads a message.
    pub(super) fn read(text: &'a str) -> Result<Self, Fault> {
        if text.trim_start().starts_with('[') {
            return Err(Fault::invalid("batches are not supported, and the protocol has none any more; send one message in each request"));
        }
        let malformed = |error: serde_json::Error| match error.classify() {
            serde_json::error::Category::Data => Fault::invalid(&format!("this is not a message of JSON-RPC 2.0: {error}")),
            _ => Fault::unreadable(&format!("the body is not valid JSON: {error}")),
        };
        let Envelope { jsonrpc, id, method, params, result, error } = serde_json::from_str(text).map_err(malformed)?;
        if jsonrpc.as_deref() != Some("2.0") {
            return Err(Fault::invalid("`jsonrpc` must be \"2.0\""));
        }
        let Some(method) = method else {
            let answers = result.is_some() || error.is_some();
            return if answers { Ok(Self::Ignored) } else { Err(Fault::invalid("`method` must say what is asked for")) };
        };
        let Some(id) = id.map(RawValue::get) else { return Ok(Self::notified(&method, params)) };
        if !is_id(id) {
            return Err(Fault::invalid(&format!("`id` must be a string or a whole number of at most {ID_BYTES} bytes")));
        }
        Ok(Self::Request(Request { id, method, params }))
    }

    fn notified(method: &str, params: Option<&'a RawValue>) -> Self {
        if method != "notifications/cancelled" {
            return Self::Ignored;
        }
        let read = params.and_then(|params| serde_json::from_str::<Cancellation<'a>>(params.get()).ok());
        match read.map(|read| read.request_id.get()).filter(|id| is_id(id)) {
            Some(id) => Self::Cancelled(id),
            None => Self::Ignored,
        }
    }
}

/// Whether JSON text can be the id of a request, or a token by which a client knows one.
pub(super) fn is_id(json: &str) -> bool {
    let number = json.strip_prefix('-').unwrap_or(json);
    json.len() <= ID_BYTES && (json.starts_with('"') || (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())))
}

impl<'a> Request<'a> {
    /// The parameters, where absent ones are none at all.
    pub(super) fn params<T: Deserialize<'a>>(&self) -> Result<T, Fault> {
        let text = self.params.map_or("{}", RawValue::get);
        if !text.starts_with('{') {
            return Err(Fault::params("`params` must be an object"));
        }
        serde_json::from_str(text).map_err(|error| Fault::params(&format!("the parameters of {} cannot be read: {error}", self.method)))
    }
}

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    code: i32,
    message: String,
    data: Option<Value>,
}

/// What the protocol leaves to servers: the request was understood and cannot be done.
const NOT_DONE: i32 = -32_000;

impl Fault {
    fn new(code: i32, message: &str) -> Self {
        Self { code, message: message.to_owned(), data: None }
    }

    /// It is no JSON.
    pub(super) fn unreadable(why: &str) -> Self {
        Self::new(-32_700, why)
    }

    /// It is no message.
    pub(super) fn invalid(why: &str) -> Self {
        Self::new(-32_600, why)
    }

    /// It asks for something else than there is.
    pub(super) fn no_method(method: &str) -> Self {
        let shown: String = method.chars().take(64).collect();
        Self::new(-32_601, &format!("this server does not know the method `{shown}`; it lists and calls tools"))
    }

    /// It asks with something else than what is needed.
    pub(super) fn params(why: &str) -> Self {
        Self::new(-32_602, why)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = if error.code() == Code::InternalError { -32_603 } else { NOT_DONE };
        Self { code, message: error.message().to_owned(), data: Some(json!({ "code": error.code().word() })) }
    }
}

impl From<agent::Error> for Fault {
    fn from(error: agent::Error) -> Self {
        Error::from(error).into()
    }
}

/// The answer to the request of this id. A result is JSON, exact text.
pub(super) fn answer(id: &str, result: &Result<String, Fault>) -> String {
    let mut out = "{\"jsonrpc\":\"2.0\",\"id\":".to_owned();
    push_json(&mut out, id);
    match result {
        Ok(result) => {
            out.push_str(",\"result\":");
            push_json(&mut out, result);
        }
        Err(Fault { code, message, data }) => {
            out.push_str(&format!(",\"error\":{{\"code\":{code},\"message\":"));
            push_string(&mut out, message);
            if let Some(data) = data {
                out.push_str(",\"data\":");
                push_json(&mut out, &data.to_string());
            }
            out.push('}');
        }
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Message<'_> {
        Message::read(text).unwrap()
    }

    fn code(text: &str) -> i32 {
        Message::read(text).unwrap_err().code
    }

    #[test]
    fn a_message_with_a_method_and_an_id_is_a_request() {
        let Message::Request(request) = read(r#"{"jsonrpc":"2.0","id":"a\"b","method":"tools/list","params":{"cursor":"x"},"more":1}"#)
        else {
            panic!("no request")
        };
        assert_eq!((request.id, request.method.as_str()), (r#""a\"b""#, "tools/list"));
        let params: std::collections::BTreeMap<String, String> = request.params().unwrap();
        assert_eq!(params["cursor"], "x");
    }

    #[test]
    fn a_message_without_an_id_wants_no_answer() {
        assert!(matches!(read(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#), Message::Ignored));
        assert!(matches!(read(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#), Message::Ignored));
        assert!(Message::read(r#"{"jsonrpc":"2.0","id":7,"method":null}"#).is_err());
        let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId": 12,"reason":"late"}}"#;
        assert!(matches!(read(cancelled), Message::Cancelled("12")));
        for odd in ["{}", r#"{"requestId":{}}"#, r#"{"requestId":null}"#, "[]"] {
            let text = format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{odd}}}"#);
            assert!(matches!(read(&text), Message::Ignored), "{odd}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_code_that_says_so() {
        assert_eq!(code("{"), -32_700);
        for bad in [
            "[]",
            " [{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            "{}",
            "1",
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":2}"#,
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        ] {
            assert_eq!(code(bad), -32_600, "{bad}");
        }
        assert_eq!(code(&format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(ID_BYTES))), -32_600);
    }

    #[test]
    fn an_answer_is_ascii_and_keeps_the_id_and_the_result_as_they_were_written() {
        assert_eq!(answer("\"é\"", &Ok("{ \"n\": 1.10 }".into())), r#"{"jsonrpc":"2.0","id":"\u00e9","result":{"n":1.10}}"#);
        let fault = Fault::from(Error::new(Code::AgentDisabled, "no"));
        let wanted = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no","data":{"code":"agent_disabled"}}}"#;
        assert_eq!(answer("1", &Err(fault)), wanted);
    }
}
