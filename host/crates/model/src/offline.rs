//! The offline model: no network, no weights, the same answer every time. It
//! takes `/<tool> {json}` lines and plain questions that the description of one
//! bound tool clearly matches, has the tool called for real, and answers from
//! its output. It is not a language model and says so.

mod answer;
mod arguments;
mod arithmetic;
mod choose;
mod structure;
mod summary;
mod words;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};
use session::{AskedCall, Item, ItemBody, Origin};

use crate::error::Error;
use crate::piecewise::pieces;
use crate::prompt::{Prompt, ToolList};
use crate::reply::{Finish, Reply};
use crate::{Model, Sink};

/// What it says about itself, once a conversation.
const WHO: &str = "I am Wardian's offline model: no language model is configured, so I can only call tools and read out what they answer.";

/// How many `/tool` lines of one message are taken; a message of thousands of lines must not become thousands of calls.
const COMMANDS_MAX: usize = 16;

/// The model that is there when no other is.
#[derive(Debug)]
pub struct Offline {
    origin: Origin,
}

impl Default for Offline {
    fn default() -> Self {
        Self::new()
    }
}

impl Offline {
    /// There is only one kind.
    pub fn new() -> Self {
        let origin = Origin { wire: "offline".into(), provider: "offline".into(), model: "offline".into(), format: 1 };
        Self { origin }
    }
}

#[async_trait]
impl Model for Offline {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn context_window(&self) -> u64 {
        0
    }

    async fn ask(&self, prompt: &Prompt<'_>, sink: Sink<'_>) -> Result<Reply, Error> {
        let mut reply = reply(prompt.items, prompt.tools);
        if let Some(output) = prompt.output.filter(|_| reply.calls.is_empty()) {
            reply.text = structure::answer(&output.schema, &words_at_hand(prompt.items));
        }
        if prompt.stream {
            pieces(&reply).for_each(sink);
        }
        Ok(reply)
    }
}

/// What it makes of a conversation.
fn reply(items: &[Arc<Item>], tools: &ToolList) -> Reply {
    let results = last_results(items);
    if !results.is_empty() {
        return said(String::new(), with_introduction(answer::from_results(results), items));
    }
    let question = match items.last().map(|item| &item.body) {
        Some(ItemBody::User { text }) => text.as_str(),
        _ => "",
    };
    if question.lines().any(|line| command(line).is_some()) {
        return commands(question, items.len(), tools);
    }
    if let Some(summary) = summary::asked_for(items).filter(|_| tools.is_empty()) {
        return said(String::new(), summary);
    }
    match choose::choose(question, tools) {
        Some(choice) => {
            let call = asked(items.len(), 0, choice.name, &choice.arguments);
            Reply { thinking: choice.thinking(), calls: vec![call], finish: Finish::Tools, ..said(String::new(), String::new()) }
        }
        None => said(String::new(), format!("{WHO}\n\n{}", what_it_can_do(tools))),
    }
}

/// The results that nothing was said about yet.
fn last_results(items: &[Arc<Item>]) -> &[Arc<Item>] {
    let ended = items.iter().rev().take_while(|item| matches!(item.body, ItemBody::ToolResult { .. })).count();
    &items[items.len() - ended..]
}

/// What a structured answer says where it wants a text: what the tools answered, else what the user said.
fn words_at_hand(items: &[Arc<Item>]) -> String {
    let users = |item: &Arc<Item>| match &item.body {
        ItemBody::User { text } => Some(text.clone()),
        ItemBody::Assistant { .. } | ItemBody::ToolResult { .. } => None,
    };
    match last_results(items) {
        [] => items.iter().rev().find_map(users).unwrap_or_default(),
        results => answer::from_results(results),
    }
}

fn said(thinking: String, text: String) -> Reply {
    Reply { thinking, text, calls: Vec::new(), finish: Finish::Stop, usage: None, raw: None }
}

/// Ids are made from the place in the conversation, so that they are unique there and the same in every run.
fn asked(place: usize, index: usize, name: &str, arguments: &Map<String, Value>) -> AskedCall {
    let arguments = serde_json::to_string(arguments).unwrap_or_else(|_| "{}".into());
    AskedCall { id: format!("call_{place}_{index}").into(), name: name.into(), arguments }
}

fn with_introduction(text: String, items: &[Arc<Item>]) -> String {
    let spoke = items.iter().any(|item| matches!(&item.body, ItemBody::Assistant { text, .. } if !text.is_empty()));
    if spoke { text } else { format!("{text}\n\n({WHO})") }
}

/// The two halves of `/name rest`.
fn command(line: &str) -> Option<(&str, &str)> {
    let line = line.trim().strip_prefix('/')?;
    let end = line.find(|c: char| c.is_whitespace() || c == '{').unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    is_name.then(|| (name, rest.trim()))
}

/// Runs every `/tool` line of a message, or says what is wrong with the first bad one.
fn commands(question: &str, place: usize, tools: &ToolList) -> Reply {
    let mut calls = Vec::new();
    for (name, rest) in question.lines().filter_map(command).take(COMMANDS_MAX) {
        let Some(spec) = tools.find(name) else {
            let text = match name {
                "help" => format!("{WHO}\n\n{}", what_it_can_do(tools)),
                _ => format!("There is no tool named {name} here. {}", what_it_can_do(tools)),
            };
            return said(String::new(), text);
        };
        let id = format!("call_{place}_{}", calls.len()).into();
        calls.push(AskedCall { id, name: name.into(), arguments: arguments::from_command(rest, &spec.input) });
    }
    let names: Vec<&str> = calls.iter().map(|call| &*call.name).collect();
    let thinking = format!("The user is calling {} directly.", names.join(" and "));
    Reply { thinking, calls, finish: Finish::Tools, ..said(String::new(), String::new()) }
}

fn what_it_can_do(tools: &ToolList) -> String {
    if tools.is_empty() {
        return "This agent has no tools, so there is nothing that I can do here. Bind a tool to the agent, or configure a model.".into();
    }
    let mut text = String::from("Ask something that one of these tools can answer, or call one yourself with `/<tool> {json}`:\n");
    for (name, spec) in tools.iter() {
        text.push_str(&format!("\n- `{}`: {}", arguments::example(name, &spec.input), words::first_sentence(&spec.description)));
    }
    text
}

#[cfg(test)]
mod tests;
