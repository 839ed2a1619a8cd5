//! What came of a call, as the protocol says it: the parts of a tool's answer,
//! its data as text and as it is, an error that the model can read, and what to
//! do about a call that waits for a person.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use agent::OpenApproval;
use schema::Schema;
use session::{Entry, Session, StoredEvent, Uid};
use storage::Blobs;
use tool::Approver;

use super::list::is_of_objects;
use crate::errors::Error;

/// Bytes of one file that goes into a result: it travels as text and is held in memory by everybody on the way.
const BLOB_BYTES: u64 = 1 << 20;

/// The result of a call.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'a> {
    content: Vec<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<&'a RawValue>,
    is_error: bool,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
}

/// A part of it.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text {
        text: String,
    },
    Image {
        data: String,
        #[serde(rename = "mimeType")]
        media_type: String,
    },
    Audio {
        data: String,
        #[serde(rename = "mimeType")]
        media_type: String,
    },
    Resource {
        resource: Resource,
    },
}

/// A file that is neither image nor sound.
#[derive(Serialize)]
struct Resource {
    uri: String,
    #[serde(rename = "mimeType")]
    media_type: String,
    blob: String,
}

/// A stored answer with nothing but one text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneText {
    text: String,
}

/// A stored answer of several parts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several<'a> {
    #[serde(borrow)]
    content: Vec<Item<'a>>,
}

/// A part of a stored answer, whichever it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    #[serde(rename = "type")]
    form: String,
    text: Option<String>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    media_type: Option<String>,
    size_bytes: Option<u64>,
    name: Option<String>,
    blob: Option<String>,
    kind: Option<String>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// A stored failure.
#[derive(Deserialize)]
struct Failed<'a> {
    error: Failure,
    #[serde(borrow, default)]
    partial: Option<&'a RawValue>,
}

/// What failed.
#[derive(Deserialize)]
struct Failure {
    reason: String,
    message: String,
    code: Option<String>,
    retry_after_ms: Option<u64>,
}

/// The result that a call's stored output stands for; `schema` is that of the tool's answers.
pub(super) fn result(blobs: &dyn Blobs, session: &Session, entry: &Entry, schema: Option<&str>) -> Result<String, Error> {
    let damaged = |error: serde_json::Error| Error::internal(format!("the output of a call cannot be read: {error}"));
    let event: StoredEvent<'_> = serde_json::from_str(&entry.body).map_err(damaged)?;
    let output = event.tool_output.unwrap_or(RawValue::NULL);
    let file = |name: &str| file_of(blobs, session.uid, session.tenant, name);
    if event.error {
        let failed: Failed<'_> = serde_json::from_str(output.get()).map_err(damaged)?;
        return written(&failure(&failed, &file));
    }
    written(&done(output, schema.filter(|schema| is_of_objects(schema)), &file))
}

/// A file of this call. Its session stands for it alone: what that does not hold is another's, however the tool came to
/// name it, because data of a tool's own may look like parts of ours.
fn file_of(blobs: &dyn Blobs, session: Uid, tenant: Uid, name: &str) -> Option<Vec<u8>> {
    let hex = name.strip_prefix("sha256:")?;
    let digest = data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()?;
    if !blobs.holds(session, tenant, digest).ok()? {
        return None;
    }
    blobs.blob(tenant, digest).ok().flatten().map(|blob| blob.bytes)
}

/// Where the bytes of a file come from.
type Files<'a> = dyn Fn(&str) -> Option<Vec<u8>> + 'a;

/// An answer. Its data is also there as it is; where the tool says what that looks like, the client checks it.
fn done<'a>(output: &'a RawValue, schema: Option<&str>, files: &Files<'_>) -> CallResult<'a> {
    let (content, structured_content) = match form(output) {
        Form::Data => (vec![text_of(output)], Some(output)),
        // An object of the tool's own may look like ours: its schema tells.
        Form::Text(_) | Form::Several(_) if schema.is_some_and(|schema| fits(schema, output)) => (vec![text_of(output)], Some(output)),
        Form::Text(text) => (vec![Part::Text { text }], None),
        Form::Several(items) => {
            let data = schema.and_then(|schema| items.iter().filter_map(|item| item.data).find(|data| fits(schema, data)));
            (items.into_iter().map(|item| part(item, files)).collect(), data)
        }
    };
    CallResult { content, structured_content, is_error: false, meta: None }
}

/// A failure, for a model that is to do something about it, with whatever the tool had said before.
fn failure<'a>(failed: &Failed<'a>, files: &Files<'_>) -> CallResult<'a> {
    let Failure { reason, message, code, retry_after_ms } = &failed.error;
    let code = code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
    let retry = retry_after_ms.map(|ms| format!(" (try again in {ms} ms)")).unwrap_or_default();
    let mut content = vec![Part::Text { text: format!("{reason}: {message}{code}{retry}") }];
    if let Some(partial) = failed.partial {
        content.extend(done(partial, None, files).content);
    }
    CallResult { content, structured_content: None, is_error: true, meta: None }
}

/// A call that waits for a person: how to have it decided, and how to get its result.
pub(super) fn waits(open: &OpenApproval, session: &Session) -> String {
    let id = open.event.to_string();
    let who = match open.approver {
        Approver::Operator => "the operator of this server".to_owned(),
        Approver::Client => format!("the user, or the operator of this server; the user decides in session {} of agent mcp", session.key),
    };
    let text = format!(
        "awaiting_approval: this call runs only after a person has agreed to it, {who}. Its approval is {id}: `wardian approvals approve \
         {id}`. Then make the same call again, with the same arguments, to get its result; until then that answers the same. Do not look \
         for another way to do it"
    );
    let approval = json!({ "id": id, "approver": open.approver.word(), "session_key": session.key, "expires_at": open.expires.rfc3339() });
    let meta = Some(json!({ "wardian/approval": approval }));
    sure(&CallResult { content: vec![Part::Text { text }], structured_content: None, is_error: true, meta })
}

/// A call that was stopped by somebody else than its client.
pub(super) fn cancelled() -> String {
    let content = vec![Part::Text { text: "cancelled: the call was stopped before it had a result".into() }];
    sure(&CallResult { content, structured_content: None, is_error: true, meta: None })
}

fn written(result: &CallResult<'_>) -> Result<String, Error> {
    serde_json::to_string(result).map_err(|error| Error::internal(format!("a call's result cannot be written: {error}")))
}

fn sure(result: &CallResult<'_>) -> String {
    serde_json::to_string(result).expect("texts can be written as JSON")
}

/// What an answer is made of.
enum Form<'a> {
    Text(String),
    Several(Vec<Item<'a>>),
    Data,
}

fn form(output: &RawValue) -> Form<'_> {
    if let Ok(OneText { text }) = serde_json::from_str(output.get()) {
        return Form::Text(text);
    }
    match serde_json::from_str::<Several<'_>>(output.get()) {
        Ok(Several { content }) if content.iter().all(Item::is_ours) => Form::Several(content),
        _ => Form::Data,
    }
}

impl Item<'_> {
    fn is_ours(&self) -> bool {
        match self.form.as_str() {
            "text" => self.text.is_some(),
            "data" => self.data.is_some(),
            "blob" => self.media_type.is_some() && self.size_bytes.is_some(),
            "other" => self.kind.is_some() && self.body.is_some(),
            _ => false,
        }
    }
}

fn part(item: Item<'_>, files: &Files<'_>) -> Part {
    let Item { text, data, media_type, size_bytes, name, blob, body, .. } = item;
    if let Some(text) = text {
        return Part::Text { text };
    }
    if let Some(json) = data.or(body) {
        return text_of(json);
    }
    let (media_type, size) = (media_type.unwrap_or_default(), size_bytes.unwrap_or_default());
    // What is said of its size is looked at first: it may spare reading the file.
    let bytes = blob.as_deref().filter(|_| size <= BLOB_BYTES).and_then(files).filter(|bytes| bytes.len() as u64 <= BLOB_BYTES);
    match (bytes, blob) {
        (Some(bytes), Some(digest)) => file(media_type, &digest, name.as_deref(), &bytes),
        _ => {
            let name = name.map(|name| format!(" {name:?}")).unwrap_or_default();
            Part::Text {
                text: format!("a file{name} of {size} bytes ({media_type}) is left out here; at most {BLOB_BYTES} are handed out"),
            }
        }
    }
}

fn file(media_type: String, digest: &str, name: Option<&str>, bytes: &[u8]) -> Part {
    let data = BASE64.encode(bytes);
    if media_type.starts_with("image/") {
        return Part::Image { data, media_type };
    }
    if media_type.starts_with("audio/") {
        return Part::Audio { data, media_type };
    }
    let name: String = name.map(|name| form_urlencoded::byte_serialize(name.as_bytes()).collect()).unwrap_or_default();
    let uri = format!("wardian:{digest}{}{name}", if name.is_empty() { "" } else { "/" });
    Part::Resource { resource: Resource { uri, media_type, blob: data } }
}

fn text_of(json: &RawValue) -> Part {
    Part::Text { text: json.get().to_owned() }
}

/// Whether a value is an object as the tool says its answers are.
fn fits(schema: &str, json: &RawValue) -> bool {
    let value: Option<Value> = serde_json::from_str(json.get()).ok();
    value.filter(Value::is_object).is_some_and(|value| Schema::compile(schema).is_ok_and(|schema| schema.check(&value).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::Blob;

    /// One tenant's blobs, each held by one session.
    struct Held(Vec<(Uid, Blob)>);

    impl Blobs for Held {
        fn blob(&self, _: Uid, digest: [u8; 32]) -> Result<Option<Blob>, storage::Error> {
            Ok(self.0.iter().find(|(_, blob)| blob.digest == digest).map(|(_, blob)| blob.clone()))
        }

        fn holds(&self, session: Uid, _: Uid, digest: [u8; 32]) -> Result<bool, storage::Error> {
            Ok(self.0.iter().any(|(holder, blob)| *holder == session && blob.digest == digest))
        }
    }

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn shown(output: &str, schema: Option<&str>) -> Value {
        let output = raw(output);
        let files = |digest: &str| (digest == "sha256:aa").then(|| b"hi".to_vec());
        serde_json::from_str(&written(&done(&output, schema, &files)).unwrap()).unwrap()
    }

    #[test]
    fn an_object_is_there_as_text_and_as_it_is_to_the_letter() {
        let output = raw(r#"{"n":123456789012345678901234567890}"#);
        let text = written(&done(&output, None, &|_| None)).unwrap();
        assert!(text.contains(r#""structuredContent":{"n":123456789012345678901234567890}"#), "{text}");
        assert!(text.contains(r#""text":"{\"n\":123456789012345678901234567890}""#), "{text}");
    }

    #[test]
    fn one_text_is_a_text_unless_the_tool_says_that_its_answers_look_so() {
        assert_eq!(shown(r#"{"text":"hi"}"#, None), json!({"content": [{"type": "text", "text": "hi"}], "isError": false}));
        let schema = r#"{"type":"object","required":["text"]}"#;
        assert_eq!(shown(r#"{"text":"hi"}"#, Some(schema))["structuredContent"], json!({"text": "hi"}));
        assert!(shown(r#"{"text":"hi"}"#, Some(r#"{"type":"object","required":["n"]}"#)).get("structuredContent").is_none());
    }

    #[test]
    fn parts_keep_their_order_and_files_come_along() {
        let blob = |media: &str| format!(r#"{{"type":"blob","media_type":"{media}","size_bytes":2,"name":"a b","blob":"sha256:aa"}}"#);
        let output = format!(
            r#"{{"content":[{{"type":"text","text":"x"}},{{"type":"data","data":[1]}},{},{},{}]}}"#,
            blob("image/png"),
            blob("audio/wav"),
            blob("application/pdf")
        );
        let wanted = json!([
            {"type": "text", "text": "x"},
            {"type": "text", "text": "[1]"},
            {"type": "image", "data": "aGk=", "mimeType": "image/png"},
            {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"},
            {"type": "resource", "resource": {"uri": "wardian:sha256:aa/a+b", "mimeType": "application/pdf", "blob": "aGk="}},
        ]);
        assert_eq!(shown(&output, None)["content"], wanted);
    }

    #[test]
    fn a_file_that_is_too_large_or_gone_is_named_and_left_out() {
        for (size, digest) in [(BLOB_BYTES + 1, "sha256:aa"), (2, "sha256:bb")] {
            let output = format!(r#"{{"content":[{{"type":"blob","media_type":"image/png","size_bytes":{size},"blob":"{digest}"}}]}}"#);
            let text = shown(&output, None)["content"][0]["text"].as_str().unwrap_or_default().to_owned();
            assert!(text.contains("left out") && text.contains("image/png"), "{text}");
        }
    }

    #[test]
    fn a_tool_that_names_a_file_of_another_call_gets_nothing_of_it() {
        let (mine, others, tenant) = (Uid([1; 16]), Uid([2; 16]), Uid([9; 16]));
        let blob = |digest: u8, bytes: &[u8]| Blob { digest: [digest; 32], media_type: "image/png".into(), bytes: bytes.to_vec() };
        let held = Held(vec![(mine, blob(0xaa, b"hi")), (others, blob(0xbb, b"secret"))]);
        let file = |digest: &str| file_of(&held, mine, tenant, &format!("sha256:{}", digest.repeat(32)));
        assert_eq!(file("aa").as_deref(), Some(b"hi".as_slice()));
        assert_eq!((file("bb"), file("cc"), file("zz")), (None, None, None));
    }

    #[test]
    fn a_file_is_as_large_as_it_is_whatever_is_said_of_it() {
        let output = raw(r#"{"content":[{"type":"blob","media_type":"image/png","size_bytes":1,"blob":"sha256:aa"}]}"#);
        let of = |bytes: u64| {
            let files = |_: &str| Some(vec![0; bytes as usize]);
            serde_json::from_str::<Value>(&written(&done(&output, None, &files)).unwrap()).unwrap()["content"][0]["type"].clone()
        };
        assert_eq!((of(BLOB_BYTES), of(BLOB_BYTES + 1)), (json!("image"), json!("text")));
    }

    #[test]
    fn what_only_looks_like_parts_is_data() {
        for data in
            [r#"{"content":[{"type":"page","text":"x"}]}"#, r#"{"content":[],"more":1}"#, r#"{"text":"x","more":1}"#, r#"{"content":"x"}"#]
        {
            assert_eq!(shown(data, None)["structuredContent"], serde_json::from_str::<Value>(data).unwrap());
        }
    }

    #[test]
    fn data_among_parts_is_there_as_it_is_where_it_fits_the_schema() {
        let output = r#"{"content":[{"type":"text","text":"x"},{"type":"data","data":{"n":1}}]}"#;
        assert_eq!(shown(output, Some(r#"{"type":"object","required":["n"]}"#))["structuredContent"], json!({"n": 1}));
        assert!(shown(output, None).get("structuredContent").is_none());
    }

    #[test]
    fn a_failure_says_its_reason_what_to_do_and_what_there_was_before_it() {
        let stored = r#"{"error":{"reason":"unavailable","message":"busy","code":"E1","retry_after_ms":5},"partial":{"text":"half"}}"#;
        let failed: Failed<'_> = serde_json::from_str(stored).unwrap();
        let result: Value = serde_json::from_str(&written(&failure(&failed, &|_| None)).unwrap()).unwrap();
        let text = "unavailable: busy [E1] (try again in 5 ms)";
        assert_eq!(result, json!({"content": [{"type": "text", "text": text}, {"type": "text", "text": "half"}], "isError": true}));
    }
}
