//! What of a turn's news a chat completion tells: words, the client's calls,
//! what the model consumed, and how it ended.

use std::sync::Arc;

use serde_json::{Value, json};

use agent::{Closing, News, Part, Watcher};
use session::{Entry, HowEnded, Kind, Principal, Session, StoredCall, StoredEvent, TokenUsage};

use crate::App;
use crate::errors::{Code, Error, Result};
use crate::following::{deadline, next};

/// Between what the agent says before it uses a tool and what it says after that.
const APART: &str = "\n\n";

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Words were told.
    begun: bool,
    /// What comes next is another piece.
    apart: bool,
    /// Words of the piece that is being written were told.
    open: bool,
    calls: Vec<Value>,
    usage: Option<TokenUsage>,
}

impl Telling {
    /// Takes in a piece of news; answers the words in it. Works for who follows text and for who does not.
    pub(super) fn take(&mut self, news: &News) -> Option<String> {
        match news {
            News::Delta { part: Part::Text, text, .. } => {
                self.open = true;
                self.words(text)
            }
            News::Void { part: Part::Text, .. } => {
                // It cannot be taken back; what comes in its place stands apart from it.
                (self.open, self.apart) = (false, true);
                None
            }
            News::Entry(entry) => self.entry(entry),
            News::Usage { usage, .. } => {
                self.consumed(usage);
                None
            }
            News::Delta { part: Part::Thinking, .. } | News::Void { part: Part::Thinking, .. } => None,
            News::Call { .. } | News::CompactionStarted { .. } | News::Closed(_) => None,
        }
    }

    /// Whether a piece of news has words in it.
    pub(super) fn tells(&self, news: &News) -> bool {
        match news {
            News::Delta { part: Part::Text, text, .. } => !text.is_empty(),
            News::Entry(entry) => matches!(entry.kind, Kind::AgentOutput | Kind::StructuredOutput) && !self.open,
            News::Delta { part: Part::Thinking, .. } | News::Void { .. } | News::Call { .. } => false,
            News::Usage { .. } | News::CompactionStarted { .. } | News::Closed(_) => false,
        }
    }

    fn entry(&mut self, entry: &Entry) -> Option<String> {
        match entry.kind {
            Kind::AgentOutput | Kind::StructuredOutput => {
                let told = std::mem::take(&mut self.open);
                let words = if told { None } else { text(entry).and_then(|text| self.words(&text)) };
                self.apart = true;
                words
            }
            Kind::ClientToolPending => {
                self.calls = pending(entry);
                None
            }
            Kind::InputMessage | Kind::Thinking | Kind::ToolInput | Kind::ToolOutput | Kind::Compaction => None,
            Kind::ContextLimitExceeded | Kind::SessionInterrupted | Kind::Tombstone => None,
            Kind::Began | Kind::Reply | Kind::Receipt | Kind::Ended | Kind::Corrected | Kind::Overflowed | Kind::Steered => None,
            Kind::Waiting | Kind::Paused | Kind::Resumed | Kind::Resolved => None,
        }
    }

    /// Words as they are told: apart from the piece before them.
    fn words(&mut self, text: &str) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        let apart = std::mem::take(&mut self.apart) && self.begun;
        self.begun = true;
        Some(if apart { format!("{APART}{text}") } else { text.to_owned() })
    }

    fn consumed(&mut self, usage: &TokenUsage) {
        let sum = self.usage.get_or_insert_default();
        sum.input = sum.input.saturating_add(usage.input);
        sum.cached = sum.cached.saturating_add(usage.cached);
        sum.output = sum.output.saturating_add(usage.output);
        sum.reasoning = sum.reasoning.saturating_add(usage.reasoning);
    }

    /// The calls that are the client's to run, as it knows them.
    pub(super) fn calls(&self) -> &[Value] {
        &self.calls
    }

    /// What all model calls together consumed; null where nobody counted.
    pub(super) fn usage(&self) -> Value {
        let Some(usage) = &self.usage else { return Value::Null };
        json!({
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.input.saturating_add(usage.output),
            "prompt_tokens_details": {"cached_tokens": usage.cached},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        })
    }
}

/// The words of an answer, in whatever form.
fn text(entry: &Entry) -> Option<String> {
    serde_json::from_str::<StoredEvent<'_>>(&entry.body).ok().map(|event| event.text())
}

/// The calls of a `client_tool_pending`.
fn pending(entry: &Entry) -> Vec<Value> {
    let Ok(event) = serde_json::from_str::<StoredEvent<'_>>(&entry.body) else { return Vec::new() };
    let call = |call: StoredCall<'_>| {
        let function = json!({ "name": call.tool_configuration_name, "arguments": call.arguments.get() });
        json!({ "id": call.tool_call_id, "type": "function", "function": function })
    };
    event.pending_calls.into_iter().map(call).collect()
}

/// Why an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// The agent is done.
    Stop,
    /// A limit of the turn was reached.
    Length,
    /// The client is to run tools.
    Calls,
}

impl Finish {
    /// The word on the wire.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Calls => "tool_calls",
        }
    }
}

/// The turn of one request, for what is to be done at its end.
pub(super) struct Asked {
    pub(super) app: Arc<App>,
    pub(super) session: Arc<Session>,
    pub(super) principal: Arc<Principal>,
}

impl Asked {
    /// The next piece of news; the error says why there is none.
    pub(super) async fn next(&self, watcher: &mut Watcher) -> Result<News> {
        next(&self.app, &self.session, watcher, deadline(None)).await
    }

    /// How an answer ends whose turn ended like this. A turn that waits ends here: the next request brings all of it again.
    pub(super) fn finish(&self, closing: &Closing) -> Result<Finish> {
        match closing {
            Closing::Paused => {
                let asked = self.app.engine.approvals(&self.session);
                self.app.engine.abandon(&self.session, &self.principal);
                match asked?.first() {
                    Some(asked) => Err(needs_approval(&asked.configuration)),
                    None => Ok(Finish::Calls),
                }
            }
            Closing::Idle => Err(failed("the turn is over already")),
            Closing::Refused(error) => Err(error.clone().into()),
            Closing::Ended(how) => match how {
                HowEnded::Answered | HowEnded::Compacted => Ok(Finish::Stop),
                HowEnded::Limit(_) => Ok(Finish::Length),
                HowEnded::ContextLimit => Err(Error::new(
                    Code::ContextLimitExceeded,
                    "the conversation does not fit the agent's model; send fewer or shorter messages",
                )),
                HowEnded::Interrupted | HowEnded::Superseded => Err(failed("the turn was stopped by somebody else; ask again")),
                HowEnded::RecoveryLimit => Err(failed("the turn was given up after the server was restarted several times; ask again")),
                HowEnded::Failed(why) => Err(failed(why)),
            },
        }
    }
}

fn failed(why: &str) -> Error {
    Error::new(Code::AgentProcessingFailed, why)
}

fn needs_approval(tool: &str) -> Error {
    let why = format!(
        "the agent wants to use the tool `{tool}`, which needs somebody's approval, and nobody can be asked here; use a session of the \
         Agents API for it"
    );
    Error::new(Code::ApprovalRequired, why)
}

#[cfg(test)]
mod tests {
    use session::{Millis, Seq, TurnNo};

    use super::*;

    fn entry(kind: Kind, body: &str) -> News {
        News::Entry(Arc::new(Entry { seq: Seq(1), at: Millis(0), turn: TurnNo(1), step: 1, kind, body: body.into() }))
    }

    fn delta(text: &str) -> News {
        News::Delta { part: Part::Text, text: text.into(), at: Millis(0) }
    }

    fn told(telling: &mut Telling, news: &[News]) -> Vec<String> {
        news.iter().filter_map(|news| telling.take(news)).collect()
    }

    #[test]
    fn words_are_told_once_and_what_comes_after_a_tool_stands_apart() {
        let said = |content: &str| entry(Kind::AgentOutput, &format!("{{\"content\":\"{content}\"}}"));
        let followed =
            [delta("Let"), delta(" me see."), said("Let me see."), entry(Kind::ToolInput, "{}"), delta("Sunny."), said("Sunny.")];
        assert_eq!(told(&mut Telling::default(), &followed).concat(), "Let me see.\n\nSunny.");
        let whole = [said("Let me see."), entry(Kind::ToolInput, "{}"), said("Sunny.")];
        assert_eq!(told(&mut Telling::default(), &whole).concat(), "Let me see.\n\nSunny.");
    }

    #[test]
    fn what_is_void_is_followed_by_its_replacement_and_a_formed_answer_is_its_json() {
        let news = [delta("Hal"), News::Void { part: Part::Text, at: Millis(0) }, delta("Hello")];
        assert_eq!(told(&mut Telling::default(), &news), ["Hal", "\n\nHello"]);
        let formed = entry(Kind::StructuredOutput, r#"{"schema_name":"a","content":{"n":1.10}}"#);
        assert_eq!(told(&mut Telling::default(), &[formed]), [r#"{"n":1.10}"#]);
    }

    #[test]
    fn the_client_s_calls_carry_their_exact_arguments_as_text() {
        let mut telling = Telling::default();
        let pending =
            r#"{"pending_calls":[{"event_id":"aev_1","tool_call_id":"c1","tool_configuration_name":"locate","arguments":{"n":1.10}}]}"#;
        assert_eq!(telling.take(&entry(Kind::ClientToolPending, pending)), None);
        let call = json!({"id": "c1", "type": "function", "function": {"name": "locate", "arguments": "{\"n\":1.10}"}});
        assert_eq!(telling.calls(), [call]);
    }

    #[test]
    fn a_call_whose_id_is_escaped_where_it_is_stored_is_told_like_any_other() {
        let mut telling = Telling::default();
        let pending =
            r#"{"pending_calls":[{"event_id":"aev_1","tool_call_id":"c\"\u00e9\\","tool_configuration_name":"locate","arguments":{}}]}"#;
        telling.take(&entry(Kind::ClientToolPending, pending));
        assert_eq!(telling.calls()[0]["id"], "c\"\u{e9}\\");
    }

    #[test]
    fn what_all_model_calls_consume_is_summed() {
        let mut telling = Telling::default();
        assert_eq!(telling.usage(), Value::Null);
        for _ in 0..2 {
            let usage = TokenUsage { input: 10, cached: 4, output: 3, reasoning: 1, window: 0 };
            telling.take(&News::Usage { usage, at: Millis(0) });
        }
        let usage = telling.usage();
        assert_eq!((&usage["prompt_tokens"], &usage["total_tokens"]), (&json!(20), &json!(26)));
        assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 8);
    }
}
