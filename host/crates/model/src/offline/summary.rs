//! A conversation made short, as far as one can without understanding it: its last messages, each cut.

use std::sync::Arc;

use session::{Item, ItemBody};

/// How many of the last messages are kept.
const MESSAGES: usize = 12;

/// How many bytes of a message are kept.
const MESSAGE_BYTES: usize = 160;

/// The summary that the last message asks for, or none where it asks for something else. Summaries are asked
/// for without tools; with them a person may mean one of those.
pub(super) fn asked_for(items: &[Arc<Item>]) -> Option<String> {
    let (last, before) = items.split_last()?;
    let ItemBody::User { text: question } = &last.body else { return None };
    let begin = &question[..question.floor_char_boundary(MESSAGE_BYTES * 8)];
    if !begin.to_lowercase().contains("summar") {
        return None;
    }
    let mut lines: Vec<String> = before.iter().rev().filter_map(|item| line(&item.body)).take(MESSAGES).collect();
    if lines.is_empty() {
        lines.push(format!("- The user: {}", cut(question)));
    }
    lines.reverse();
    Some(format!("What was said last:\n{}", lines.join("\n")))
}

fn line(body: &ItemBody) -> Option<String> {
    let (who, text) = match body {
        ItemBody::User { text } => ("The user", text),
        ItemBody::Assistant { text, .. } => ("The agent", text),
        ItemBody::ToolResult { .. } => return None,
    };
    (!text.trim().is_empty()).then(|| format!("- {who}: {}", cut(text)))
}

fn cut(text: &str) -> String {
    let begin = &text[..text.floor_char_boundary(MESSAGE_BYTES * 2)];
    let line = begin.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.len() > MESSAGE_BYTES || begin.len() < text.len() {
        true => format!("{} …", line[..line.floor_char_boundary(MESSAGE_BYTES)].trim_end()),
        false => line,
    }
}
