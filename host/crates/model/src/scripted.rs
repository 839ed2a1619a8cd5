//! A model that says what a file tells it to: for tests, and for people who
//! test their agents without a provider. The file is TOML:
//!
//! ```toml
//! loop = false                  # begin again after the last turn
//!
//! [[turn]]                      # answers one user message
//! user = "widget"               # optional: only a message that holds this, in any case of letters
//!
//! [[turn.reply]]                # the answer to the first question of the turn
//! thinking = "I should search."
//! call = [{ name = "knowledge_search", arguments = { query = "widget" } }]
//!
//! [[turn.reply]]                # the answer after the tools
//! text = "Here is the guide."
//! usage = { input = 900, output = 40 }   # what the reply counts; none where it is absent
//! delay_ms = 50                 # before the reply
//! word_delay_ms = 5             # between streamed pieces
//!
//! [[turn]]
//! reply = [{ error = "overflow" }]   # overflow | refused | unavailable | nonsense
//!
//! [[turn]]                      # a summary is asked for like anything else
//! user = "summary"
//! reply = [{ text = "They spoke about widgets." }]
//! ```
//!
//! A turn with `user` answers every message that it fits, the first such turn
//! wins. The other turns answer the remaining messages one by one, in order.
//! Which reply is due follows from the conversation alone, so a script goes on
//! where it was after a restart, and sessions do not disturb one another. A
//! conversation that was made shorter is counted anew: give its turns a `user`.
//! `arguments` is a table, or a text that is taken as it stands, broken or not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use session::{AskedCall, Item, ItemBody, Origin, TokenUsage};

use crate::error::{Error, Trouble};
use crate::piecewise::pieces;
use crate::prompt::Prompt;
use crate::reply::{Finish, Reply};
use crate::{Model, Sink};

/// The longest pause a script may ask for; a longer one is taken for this.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// A script that plays.
#[derive(Debug)]
pub struct Scripted {
    origin: Origin,
    script: Script,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default, rename = "loop")]
    again: bool,
    #[serde(default)]
    context_window: u64,
    #[serde(rename = "turn")]
    turns: Vec<Turn>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    user: Option<String>,
    #[serde(rename = "reply")]
    replies: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    thinking: String,
    #[serde(default)]
    text: String,
    #[serde(default, rename = "call")]
    calls: Vec<Call>,
    usage: Option<Usage>,
    finish: Option<HowFinished>,
    error: Option<Failure>,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    word_delay_ms: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Usage {
    input: u64,
    #[serde(default)]
    cached: u64,
    output: u64,
    #[serde(default)]
    reasoning: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    name: String,
    id: Option<String>,
    #[serde(default)]
    arguments: Arguments,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Arguments {
    Exact(String),
    Table(toml::Table),
}

impl Default for Arguments {
    fn default() -> Self {
        Self::Exact("{}".into())
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum HowFinished {
    Length,
    Filtered,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Failure {
    Overflow,
    Refused,
    Unavailable,
    Nonsense,
}

impl Scripted {
    /// Reads a script; the error says where it is wrong. `name` stands in replies' origin and in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let script: Script = toml::from_str(text).map_err(|e| format!("the script {name} cannot be read: {e}"))?;
        if let Some(at) = script.turns.iter().position(|turn| turn.replies.is_empty()) {
            return Err(format!("turn {} of the script {name} has no reply; give it at least one [[turn.reply]]", at + 1));
        }
        let origin = Origin { wire: "scripted".into(), provider: "scripted".into(), model: name.into(), format: 1 };
        Ok(Self { origin, script })
    }

    /// Reads the script in a file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("the script {} cannot be read: {e}", path.display()))?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// The line that is due in this conversation.
    fn line(&self, items: &[Arc<Item>]) -> Result<&Line, Error> {
        let mut in_order = 0;
        // Only the last message needs an answer: of two in a row, the first is not asked about.
        let mut due: Result<(&Turn, usize), &str> = Err("");
        for item in items {
            match &item.body {
                ItemBody::User { text } => due = self.turn(text, &mut in_order).map(|turn| (turn, 0)).ok_or(text),
                ItemBody::Assistant { .. } => due = due.map(|(turn, step)| (turn, step + 1)),
                ItemBody::ToolResult { .. } => {}
            }
        }
        let (turn, step) = due.map_err(|asked| self.exhausted(asked))?;
        turn.replies.get(step).ok_or_else(|| self.exhausted("the next step of this turn"))
    }

    fn turn(&self, text: &str, in_order: &mut usize) -> Option<&Turn> {
        let text = text.to_lowercase();
        let fits = |turn: &&Turn| turn.user.as_ref().is_some_and(|user| text.contains(&user.to_lowercase()));
        if let Some(turn) = self.script.turns.iter().find(fits) {
            return Some(turn);
        }
        let others = self.script.turns.iter().filter(|turn| turn.user.is_none()).count();
        let at = if self.script.again && others > 0 { *in_order % others } else { *in_order };
        *in_order += 1;
        self.script.turns.iter().filter(|turn| turn.user.is_none()).nth(at)
    }

    fn exhausted(&self, asked: &str) -> Error {
        let asked: String = asked.chars().take(60).collect();
        let name = &self.origin.model;
        let message = format!("script exhausted: {name} has no reply left for `{asked}`; add a turn, or set loop = true");
        Error { trouble: Trouble::Refused, message }
    }
}

#[async_trait]
impl Model for Scripted {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn context_window(&self) -> u64 {
        self.script.context_window
    }

    async fn ask(&self, prompt: &Prompt<'_>, sink: Sink<'_>) -> Result<Reply, Error> {
        let line = self.line(prompt.items)?;
        pause(line.delay_ms).await;
        let reply = line.reply(prompt.items.len(), self.script.context_window);
        if prompt.stream {
            for piece in pieces(&reply) {
                sink(piece);
                pause(line.word_delay_ms).await;
            }
        }
        match line.error {
            Some(failure) => Err(failure.into_error(&self.origin.model)),
            None => Ok(reply),
        }
    }
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms).min(DELAY_MAX)).await;
    }
}

impl Line {
    fn reply(&self, place: usize, window: u64) -> Reply {
        let call = |(index, call): (usize, &Call)| AskedCall {
            id: call.id.clone().unwrap_or_else(|| format!("call_{place}_{index}")).into(),
            name: call.name.as_str().into(),
            arguments: call.arguments.text(),
        };
        let finish = match self.finish {
            Some(HowFinished::Length) => Finish::Length,
            Some(HowFinished::Filtered) => Finish::Filtered,
            None if self.calls.is_empty() => Finish::Stop,
            None => Finish::Tools,
        };
        let calls = self.calls.iter().enumerate().map(call).collect();
        let usage = self.usage.map(|Usage { input, cached, output, reasoning }| TokenUsage { input, cached, output, reasoning, window });
        Reply { thinking: self.thinking.clone(), text: self.text.clone(), calls, finish, usage, raw: None }
    }
}

impl Arguments {
    fn text(&self) -> String {
        match self {
            Self::Exact(text) => text.clone(),
            Self::Table(table) => serde_json::to_string(table).unwrap_or_else(|_| "{}".into()),
        }
    }
}

impl Failure {
    fn into_error(self, name: &str) -> Error {
        let trouble = match self {
            Self::Overflow => Trouble::Overflow { limit: None, actual: None },
            Self::Refused => Trouble::Refused,
            Self::Unavailable => Trouble::Unavailable { retry_after_ms: None },
            Self::Nonsense => Trouble::Nonsense,
        };
        Error { trouble, message: format!("the script {name} wants this call to fail") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::prompt::ToolList;
    use crate::reply::Delta;

    const SCRIPT: &str = r#"
        [[turn]]
        user = "widget"
        reply = [{ thinking = "hm", call = [{ name = "find", arguments = { q = 1 } }, { name = "find", arguments = "{broken" }] },
                 { text = "found it" }]
        [[turn]]
        reply = [{ text = "first" }]
        [[turn]]
        reply = [{ error = "overflow" }]
    "#;

    fn user(text: &str) -> Arc<Item> {
        Item::new(ItemBody::User { text: text.into() })
    }

    fn assistant() -> Arc<Item> {
        Item::new(ItemBody::Assistant { thinking: String::new(), text: "x".into(), calls: vec![], raw: None })
    }

    async fn ask(model: &Scripted, items: &[Arc<Item>]) -> (Result<Reply, Error>, Vec<Delta>) {
        let (tools, parameters) = (ToolList::default(), Map::new());
        let prompt = Prompt { system: "", tools: &tools, items, parameters: &parameters, retry: None, stream: true, output: None };
        let mut deltas = Vec::new();
        let reply = model.ask(&prompt, &mut |delta| deltas.push(delta)).await;
        (reply, deltas)
    }

    #[tokio::test]
    async fn turns_answer_in_order_and_a_fitting_one_whenever_it_fits() {
        let model = Scripted::parse("s", SCRIPT).unwrap();
        let (reply, deltas) = ask(&model, &[user("My Widget")]).await;
        let reply = reply.unwrap();
        assert_eq!((reply.calls[0].arguments.as_str(), reply.calls[1].arguments.as_str()), (r#"{"q":1}"#, "{broken"));
        assert_eq!(deltas[0], Delta::Thinking("hm".into()));
        assert_eq!(ask(&model, &[user("My Widget"), assistant()]).await.0.unwrap().text, "found it");
        assert_eq!(ask(&model, &[user("My Widget"), assistant(), user("hi")]).await.0.unwrap().text, "first");
        let overflow = ask(&model, &[user("a"), assistant(), user("b")]).await.0.unwrap_err();
        assert_eq!(overflow.trouble, Trouble::Overflow { limit: None, actual: None });
    }

    #[tokio::test]
    async fn an_exhausted_script_says_so_and_a_looping_one_begins_again() {
        let model = Scripted::parse("s", "[[turn]]\nreply = [{ text = 'only' }]").unwrap();
        let error = ask(&model, &[user("a"), assistant(), user("b")]).await.0.unwrap_err();
        assert!(error.message.starts_with("script exhausted"), "{}", error.message);
        let error = ask(&model, &[user("a"), assistant()]).await.0.unwrap_err();
        assert!(error.message.starts_with("script exhausted"), "{}", error.message);
        let model = Scripted::parse("s", "loop = true\n[[turn]]\nreply = [{ text = 'only' }]").unwrap();
        assert_eq!(ask(&model, &[user("a"), assistant(), user("b")]).await.0.unwrap().text, "only");
    }

    #[test]
    fn a_script_with_an_unknown_word_is_refused_with_its_line() {
        let error = Scripted::parse("s", "[[turn]]\nreply = [{ txt = 'x' }]").unwrap_err();
        assert!(error.contains("txt") && error.contains("line 2"), "{error}");
        assert!(Scripted::parse("s", "[[turn]]\nreply = []").unwrap_err().contains("turn 1"));
    }
}
