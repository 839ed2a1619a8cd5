//! What a conversation looks like: thinking dim, tool calls in a line each, the
//! answer as it comes. Nothing that a model or a tool wrote steers the terminal.

use std::io::{IsTerminal, Write};

use serde_json::Value;

use crate::cli::table::plain;

/// Characters of a tool's arguments or output in one line.
const WIDTH: usize = 160;

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// What the last piece of text belonged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Thinking,
    Answer,
}

/// Standard output.
pub(in crate::cli) struct View {
    terminal: bool,
    asks: bool,
    open: Open,
}

impl View {
    /// Colours and prompts only where a person reads and writes.
    pub(in crate::cli) fn new() -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { terminal, asks: terminal && std::io::stdin().is_terminal(), open: Open::Nothing }
    }

    pub(in crate::cli) fn hello(&self, agent: &str, session: &str) {
        if self.asks {
            self.say(&format!("{agent}, session {session}. Ctrl-C interrupts, Ctrl-D ends.\n"));
        }
    }

    pub(in crate::cli) fn goodbye(&self, agent: &str, session: &str) {
        if self.asks {
            self.say(&format!("\ngo on with: wardian chat {agent} --session {session}\n"));
        }
    }

    pub(in crate::cli) fn prompt(&self) {
        if self.asks {
            self.say("\n> ");
        }
    }

    /// Whether somebody can be asked.
    pub(in crate::cli) fn asks(&self) -> bool {
        self.asks
    }

    /// Asks the person at the keyboard.
    pub(in crate::cli) fn question(&mut self, text: &str) {
        self.close();
        self.say(&format!("{}: ", plain(text)));
    }

    /// One event of a stream.
    pub(in crate::cli) fn event(&mut self, event: &Value) {
        let content = || plain(event["content"].as_str().unwrap_or_default());
        match event["type"].as_str().unwrap_or_default() {
            "streaming_thinking" => self.piece(Open::Thinking, &content()),
            "streaming_agent_output" => self.piece(Open::Answer, &content()),
            "streaming_thinking_end" | "streaming_agent_output_end" => self.close(),
            "error" => self.failure(event["messages"][0].as_str().unwrap_or("the turn failed")),
            "input_message" => {}
            _ => {
                if let Some(line) = shown(event) {
                    self.note(&line);
                }
            }
        }
    }

    /// A line that is not part of the answer.
    pub(in crate::cli) fn note(&mut self, line: &str) {
        self.close();
        self.say(&format!("{}\n", self.coloured(DIM, &plain(line))));
    }

    /// What went wrong.
    pub(in crate::cli) fn failure(&mut self, line: &str) {
        self.close();
        self.say(&format!("{}\n", self.coloured(RED, &plain(line))));
    }

    /// Nothing more comes of this turn.
    pub(in crate::cli) fn turn_ended(&mut self) {
        self.close();
    }

    fn piece(&mut self, part: Open, text: &str) {
        if self.open != part {
            self.close();
            self.open = part;
        }
        match part {
            Open::Thinking => self.say(&self.coloured(DIM, text)),
            Open::Answer | Open::Nothing => self.say(text),
        }
    }

    fn close(&mut self) {
        if self.open != Open::Nothing {
            self.open = Open::Nothing;
            self.say("\n");
        }
    }

    fn coloured(&self, colour: &str, text: &str) -> String {
        if self.terminal { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }

    /// A reader that went away is noticed at the next line that is read.
    fn say(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// A stored event in a line; none for what is only of use to programs.
pub(in crate::cli) fn shown(event: &Value) -> Option<String> {
    let text = |member: &str| plain(event[member].as_str().unwrap_or_default());
    let line = match event["type"].as_str()? {
        "input_message" => {
            let texts = event["messages"].as_array()?.iter().filter_map(|message| message["content"].as_str());
            format!("> {}", plain(&texts.collect::<Vec<_>>().join("\n")))
        }
        "thinking" => format!("({})", text("content")),
        "agent_output" => text("content"),
        "tool_input" => format!("→ {} {}", text("tool_configuration_name"), cut(&event["tool_input"])),
        "tool_output" if event["error"] == true => format!("← {} failed: {}", text("tool_configuration_name"), cut(&event["tool_output"])),
        "tool_output" => format!("← {} {}", text("tool_configuration_name"), cut(&event["tool_output"])),
        "session_interrupted" => "interrupted".to_owned(),
        "context_limit_exceeded" => text("message"),
        "context_consumed" | "end" | "compaction_started" => return None,
        other => plain(other),
    };
    Some(line)
}

fn cut(value: &Value) -> String {
    let text = plain(&value.to_string());
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tool_call_is_one_line_with_its_arguments() {
        let event = json!({"type": "tool_input", "tool_configuration_name": "knowledge_search", "tool_input": {"query": "widget"}});
        assert_eq!(shown(&event).unwrap(), "→ knowledge_search {\"query\":\"widget\"}");
        let failed = json!({"type": "tool_output", "tool_configuration_name": "web", "tool_output": {}, "error": true});
        assert_eq!(shown(&failed).unwrap(), "← web failed: {}");
    }

    #[test]
    fn a_long_output_is_cut_and_nothing_steers_the_terminal() {
        let event = json!({"type": "tool_output", "tool_configuration_name": "t\u{1b}[2J", "tool_output": {"x": "é".repeat(500)}});
        let line = shown(&event).unwrap();
        assert!(line.starts_with("← t[2J {") && line.ends_with('…') && line.chars().count() < 200, "{line}");
    }
}
