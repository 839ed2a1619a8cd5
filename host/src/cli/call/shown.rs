//! What came of a call, on the terminal: the answer to standard output, and one
//! line about how it went to standard error.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use author::mask::Mask;
use serde_json::{Value, json};
use tool::{Content, ToolReply, ToolSpec};

use super::live::Denial;
use crate::cli::table::{self, plain};

/// A reply with what belongs to it.
pub(super) struct Shown<'a> {
    pub(super) mask: &'a Mask,
    pub(super) denials: Vec<Denial>,
    pub(super) plugin: &'a str,
}

/// The tools of a component.
pub(super) fn tools(tools: &[Arc<ToolSpec>], as_json: bool) {
    if as_json {
        let schema = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let tool = |tool: &Arc<ToolSpec>| {
            let output = tool.output.as_deref().map(schema);
            json!({ "name": tool.id.name, "description": tool.description, "input": schema(&tool.input), "output": output })
        };
        println!("{:#}", Value::from_iter(tools.iter().map(tool)));
        return;
    }
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let rows: Vec<_> = tools.iter().map(|tool| [tool.id.name.clone(), properties(&tool.input), first_line(&tool.description)]).collect();
    table::print(["TOOL", "ARGUMENTS", "WHAT IT DOES"], &rows);
}

/// The names of the arguments; those that may be missing with a question mark.
fn properties(schema: &str) -> String {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name));
    let names = schema["properties"].as_object().into_iter().flatten();
    names.map(|(name, _)| if required(name) { name.clone() } else { format!("{name}?") }).collect::<Vec<_>>().join(", ")
}

impl Shown<'_> {
    /// For people; `files` are those that were written.
    pub(super) fn print(&self, reply: &ToolReply, files: &Files) {
        for (index, part) in reply.parts.iter().enumerate() {
            self.part(index, part, files.get(&index));
        }
        if !reply.end.is_done() {
            eprintln!("{}", plain(&self.mask.text(&reply.end.to_string())));
        }
        for denial in &self.denials {
            self.denial(denial);
        }
        eprintln!("{}", summary(reply));
    }

    /// For programs; a file that was written is named by its part.
    pub(super) fn json(&self, reply: &ToolReply, files: &Files) -> Value {
        let written = |index: usize| files.get(&index).map(|path| path.display().to_string());
        let output = if reply.end.is_done() { tool::content::output(&reply.parts, written) } else { reply.end.error_output() };
        let usage = &reply.usage;
        let denial = |denial: &Denial| json!({ "why": denial.why, "toml": denial.toml, "flags": denial.flags });
        json!({
            "end": reply.end.word(),
            "cause": (!reply.end.is_done()).then(|| self.mask.text(&reply.end.to_string())),
            "output": serde_json::from_str::<Value>(&self.mask.text(&output)).unwrap_or_default(),
            "usage": {
                "wall_us": usage.wall_us, "cpu_us": usage.cpu_us, "memory_bytes": usage.memory_bytes, "host_calls": usage.host_calls,
                "sent_bytes": usage.sent_bytes, "received_bytes": usage.received_bytes,
            },
            "decisions": self.masked(&reply.evidence.decisions),
            "denials": self.denials.iter().map(denial).collect::<Vec<_>>(),
        })
    }

    /// The same without secrets.
    fn masked(&self, value: &impl serde::Serialize) -> Value {
        let text = serde_json::to_string(value).unwrap_or_default();
        serde_json::from_str(&self.mask.text(&text)).unwrap_or_default()
    }

    fn part(&self, index: usize, part: &Content, file: Option<&PathBuf>) {
        match part {
            Content::Text(text) => println!("{}", plain(&self.mask.text(text))),
            Content::Data(data) => println!("{}", self.pretty(data)),
            Content::Other { kind, body } => println!("{}: {}", plain(kind), self.pretty(body)),
            Content::Blob { media_type, name, bytes } => match file {
                Some(path) => println!("{}", path.display()),
                None => {
                    let name = file_name(index, name.as_deref(), media_type);
                    eprintln!("a file: {name}, {}, {} bytes; --output DIR writes it", plain(media_type), bytes.len());
                }
            },
        }
    }

    fn pretty(&self, json: &str) -> String {
        let text = self.mask.text(json);
        serde_json::from_str::<Value>(&text).map_or_else(|_| plain(&text), |value| format!("{value:#}"))
    }

    fn denial(&self, denial: &Denial) {
        eprintln!("denied: {}", plain(&denial.why));
        if !denial.flags.is_empty() {
            eprintln!("  to allow it here: {}", plain(&denial.flags.join(" ")));
        }
        if !denial.toml.is_empty() {
            eprintln!("  in a server's wardian.toml, for plugin {}:", self.plugin);
            for line in denial.toml.lines() {
                eprintln!("    {}", plain(line));
            }
        }
    }
}

/// Files that were written, by the index of their part.
pub(super) type Files = BTreeMap<usize, PathBuf>;

/// Writes the files of an answer into a folder; nothing that is there is written over.
pub(super) fn write(reply: &ToolReply, folder: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for (index, part) in reply.parts.iter().enumerate() {
        let Content::Blob { media_type, name, bytes } = part else { continue };
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(file_name(index, name.as_deref(), media_type));
        let written = std::fs::File::create_new(&path).and_then(|mut file| file.write_all(bytes));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        files.insert(index, path);
    }
    Ok(files)
}

/// The name under which a file is written: the tool's, as far as it is a plain one.
fn file_name(index: usize, name: Option<&str>, media_type: &str) -> String {
    let plain = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let name: String = name.unwrap_or_default().chars().filter(plain).take(100).collect();
    let name = name.trim_start_matches(['.', ' ']);
    if !name.is_empty() {
        return name.to_owned();
    }
    let subtype: String = media_type.rsplit('/').next().unwrap_or_default().chars().take_while(char::is_ascii_alphanumeric).collect();
    format!("part-{index}.{}", if subtype.is_empty() { "bin" } else { &subtype })
}

/// How the call went, on one line.
pub(super) fn summary(reply: &ToolReply) -> String {
    let usage = &reply.usage;
    let (wall, cpu) = (usage.wall_us as f64 / 1000.0, usage.cpu_us as f64 / 1000.0);
    let memory = usage.memory_bytes as f64 / f64::from(1 << 20);
    let calls = usage.host_calls;
    let network = match (usage.sent_bytes, usage.received_bytes) {
        (0, 0) => String::new(),
        (sent, received) => format!(", {sent} bytes sent, {received} received"),
    };
    format!(
        "{} in {wall:.1} ms ({cpu:.1} ms of processor time, {memory:.1} MiB of memory, {calls} calls into the host{network})",
        reply.end.word()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_and_named_to_programs_too() {
        let place = tempfile::tempdir().expect("a directory");
        let folder = place.path().join("out");
        let blob = Content::Blob { media_type: "image/png".into(), name: Some("chart.png".into()), bytes: vec![1, 2] };
        let reply = ToolReply { parts: vec![Content::Text("a chart".into()), blob], ..ToolReply::without_answer(tool::End::Done) };
        let files = write(&reply, &folder).expect("the directory is ours");
        let shown = Shown { mask: &Mask::default(), denials: Vec::new(), plugin: "it" }.json(&reply, &files);
        let path = shown["output"]["content"][1]["blob"].as_str().expect("it is named");
        assert_eq!((path, std::fs::read(path).ok()), (&*folder.join("chart.png").display().to_string(), Some(vec![1, 2])));
        assert!(write(&reply, &folder).is_err(), "what is there stays");
    }

    #[test]
    fn a_secret_is_in_no_decision_that_programs_read() {
        let (mask, secret) = (Mask::new([("key".to_owned(), "hush hush".to_owned())]), "GET a.example/hush%20hush");
        let decision = tool::Decision { capability: "http".into(), what: secret.into(), rule: "grant".into(), allowed: false, times: 1 };
        let evidence = tool::Evidence { decisions: vec![decision], ..tool::Evidence::default() };
        let reply = ToolReply { evidence, ..ToolReply::without_answer(tool::End::Done) };
        let shown = Shown { mask: &mask, denials: Vec::new(), plugin: "it" }.json(&reply, &Files::new());
        assert_eq!(shown["decisions"][0]["what"], "GET a.example/recorded-secret-key", "{shown}");
    }

    #[test]
    fn a_file_is_written_where_it_belongs_whatever_the_tool_calls_it() {
        for (name, media_type, expected) in [
            (Some("chart.png"), "image/png", "chart.png"),
            (Some("../../etc/passwd"), "text/plain", "etcpasswd"),
            (Some(".."), "text/plain", "part-1.plain"),
            (None, "image/svg+xml", "part-1.svg"),
            (Some("\u{1b}[2J"), "", "2J"),
            (None, "/", "part-1.bin"),
        ] {
            assert_eq!(file_name(1, name, media_type), expected, "{name:?}");
        }
    }
}
