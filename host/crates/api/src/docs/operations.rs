//! The operations of the page: grouped, each with what one has to know to call it.

use std::fmt::Write;

use serde_json::Value;

use super::schemas::{push_schema, typed};
use super::{escape, escaped};

/// What belongs together.
pub(super) struct Group<'a> {
    name: &'a str,
    operations: Vec<Shown<'a>>,
}

/// One operation at its place.
struct Shown<'a> {
    method: String,
    path: &'a str,
    operation: &'a Value,
}

/// The operations by their tags, both in the order of the document.
pub(super) fn groups(document: &Value) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let name = operation["tags"][0].as_str().unwrap_or("server");
            let shown = Shown { method: method.to_uppercase(), path, operation };
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(shown),
                None => groups.push(Group { name, operations: vec![shown] }),
            }
        }
    }
    groups
}

/// Writing to a string does not fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => { let _ = write!($out, $($text)*); };
}

pub(super) fn push_contents(page: &mut String, groups: &[Group<'_>]) {
    page.push_str("<nav>\n");
    for group in groups {
        put!(page, "<h2>{}</h2>\n<ul>\n", escape(group.name));
        for Shown { method, path, operation } in &group.operations {
            let id = escaped(&operation["operationId"]);
            put!(page, "<li><a href=\"#{id}\"><code>{method} {}</code></a>\n", escape(path));
        }
        page.push_str("</ul>\n");
    }
    page.push_str("</nav>\n");
}

pub(super) fn push_group(page: &mut String, group: &Group<'_>, document: &Value) {
    put!(page, "<h2>{}</h2>\n", escape(group.name));
    for shown in &group.operations {
        push_operation(page, shown, document);
    }
}

fn push_operation(page: &mut String, shown: &Shown<'_>, document: &Value) {
    let Shown { method, path, operation } = shown;
    let id = escaped(&operation["operationId"]);
    put!(page, "<section id=\"{id}\">\n<h3>{method} {}</h3>\n<p>{}.", escape(path), escaped(&operation["summary"]));
    match operation["x-lowest-role"].as_str() {
        Some(role) => put_line(page, &format!(" Lowest role: <code>{}</code>.", escape(role))),
        None => put_line(page, " No key needed."),
    }
    push_parameters(page, &operation["parameters"]);
    for (kind, body) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        put!(page, "<p>Body, <code>{}</code>: ", escape(kind));
        push_schema(page, &body["schema"], &document["components"]["schemas"]);
    }
    put!(page, "<pre>{}</pre>\n", escape(&curl(shown)));
    push_answers(page, &operation["responses"]);
    page.push_str("</section>\n");
}

fn put_line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn push_parameters(page: &mut String, parameters: &Value) {
    let Some(parameters) = parameters.as_array() else { return };
    page.push_str("<table>\n");
    for parameter in parameters {
        put!(
            page,
            "<tr><td><code>{}</code><td>{}<td>{}<td>{}\n",
            escaped(&parameter["name"]),
            escaped(&parameter["in"]),
            typed(&parameter["schema"]),
            escaped(&parameter["description"])
        );
    }
    page.push_str("</table>\n");
}

fn push_answers(page: &mut String, responses: &Value) {
    let mut errors = String::new();
    for (status, response) in responses.as_object().into_iter().flatten() {
        let contents = response["content"].as_object();
        if !status.starts_with('2') {
            put!(errors, "<tr><td>{}<td><code>{}</code>\n", escape(status), escaped(&response["description"]));
            continue;
        }
        let kinds: Vec<String> = contents
            .into_iter()
            .flatten()
            .map(|(kind, media)| format!(", <code>{}</code> {}", escape(kind), typed(&media["schema"])))
            .collect();
        put!(page, "<p>Answer: {}{}\n", escape(status), kinds.join(" or"));
        for example in contents.into_iter().flatten().map(|(_, media)| &media["example"]).filter(|example| !example.is_null()) {
            put!(page, "<details><summary>Example</summary><pre>{}</pre></details>\n", escape(&format!("{example:#}")));
        }
    }
    if !errors.is_empty() {
        put!(page, "<p>Errors:\n<table>\n{errors}</table>\n");
    }
}

/// The operation as a line for a shell, with the example of its body.
fn curl(shown: &Shown<'_>) -> String {
    let Shown { method, path, operation } = shown;
    let mut line = "curl".to_owned();
    if method != "GET" {
        put!(line, " -X {method}");
    }
    // What stands in braces is a variable of the shell.
    put!(line, " \"$SERVER{}\"", path.replace('{', "${"));
    if operation["x-lowest-role"].is_string() {
        line.push_str(" -H \"x-api-key: $KEY\"");
    }
    let body = operation["requestBody"]["content"].as_object().and_then(|kinds| kinds.iter().next());
    if let Some((kind, media)) = body {
        let example = &media["example"];
        if kind == "application/json" {
            put!(line, " \\\n  -H 'content-type: {kind}' \\\n  -d '{}'", example.to_string().replace('\'', "'\\''"));
        } else {
            let fields = example.as_object().into_iter().flatten();
            for (name, value) in fields {
                put!(line, " \\\n  -d {name}={}", value.as_str().unwrap_or_default());
            }
        }
    }
    line
}
