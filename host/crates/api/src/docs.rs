//! The document of the API as one page for people. It is written once, from the
//! same value that `/v2/openapi.json` serves; it runs no script and asks nobody
//! for anything.

mod operations;
mod schemas;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::App;
use crate::operation::{Answer, Method, Operation};

pub(crate) static PAGE: Operation = Operation {
    id: "getDocs",
    method: Method::Get,
    path: "/docs",
    summary: "This document as a page for people",
    action: None,
    query: &[],
    body: None,
    answer: Answer::Page,
};

const STYLE: &str = include_str!("docs/style.css");

/// The page, ready to be sent.
pub(crate) struct Docs {
    page: Bytes,
    policy: HeaderValue,
}

pub(crate) async fn page(State(app): State<Arc<App>>) -> Response {
    let docs = app.described.page();
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, docs.policy.clone()),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, docs.page.clone()).into_response()
}

/// The page of a document.
pub(crate) fn render(document: &Value) -> Docs {
    let digest = data_encoding::BASE64.encode(&Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    Docs {
        page: written(document).into(),
        policy: HeaderValue::from_str(&policy).expect("a policy of fixed words and base64 is plain ASCII"),
    }
}

fn written(document: &Value) -> String {
    let info = &document["info"];
    let (title, version, about) = (escaped(&info["title"]), escaped(&info["version"]), escaped(&info["description"]));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title} {version}</title>\n<style>{STYLE}</style>\n<h1>{title} {version}</h1>\n<p>{about}</p>\n\
         <p>The same as a document for programs: <a href=\"/v2/openapi.json\">/v2/openapi.json</a>. The commands below take the \
         server's address, a key and the names in a path from variables of the shell:</p>\n<pre>SERVER=http://localhost:8750\nKEY=…</pre>\n"
    );
    let groups = operations::groups(document);
    operations::push_contents(&mut page, &groups);
    for group in &groups {
        operations::push_group(&mut page, group, document);
    }
    schemas::push_all(&mut page, document);
    page
}

/// A text of the document, or any other value of it as JSON, harmless inside HTML.
fn escaped(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_page_names_every_operation_and_every_schema() {
        let document: Value = serde_json::from_slice(&crate::router::document()).unwrap();
        let page = written(&document);
        for operation in document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values()) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("<section id=\"schema-{name}\">")), "{name}");
        }
        for link in page.split("href=\"#").skip(1) {
            let target = link.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{target}\"")), "{target}");
        }
    }

    #[test]
    fn nothing_in_the_document_becomes_markup() {
        let hostile = "<script>alert('1')</script>\"&";
        let document = json!({
            "info": {"title": hostile, "version": hostile, "description": hostile},
            "paths": {hostile: {"post": {
                "operationId": hostile, "tags": [hostile], "summary": hostile, "description": hostile, "x-lowest-role": hostile,
                "parameters": [{"name": hostile, "in": hostile, "description": hostile, "schema": {"type": hostile, "pattern": hostile}}],
                "requestBody": {"content": {hostile: {"schema": {"$ref": hostile}, "example": {hostile: hostile}}}},
                "responses": {hostile: {"description": hostile, "content": {hostile: {"example": hostile}}}},
            }}},
            "components": {"schemas": {hostile: {"type": "object", "properties": {hostile: {"enum": [hostile], "description": hostile}}}}},
        });
        let page = written(&document);
        assert!(!page.contains("<script") && !page.contains("alert('"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)"));
    }

    #[test]
    fn the_page_asks_nobody_for_anything() {
        let docs = render(&serde_json::from_slice(&crate::router::document()).unwrap());
        let page = String::from_utf8(docs.page.to_vec()).unwrap();
        for mark in ["<script", " src=", "@import", "url(", "<link", "<img", " style=", "<iframe", "javascript:"] {
            assert!(!page.contains(mark), "{mark}");
        }
        assert!(docs.policy.to_str().unwrap().starts_with("default-src 'none'; style-src 'sha256-"));
    }
}
