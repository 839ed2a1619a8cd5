//! `wardian approvals`: tool calls that wait for a person, and deciding about them.

use anyhow::{Context, bail};
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::access::{Access, refusal, whole};
use super::agents::encoded;
use super::table::plain;
use crate::config::Settings;

/// Pages that are read before a list is taken for endless.
const PAGES_MAX: usize = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the tool calls that wait for a person, in all tenants, with their arguments
    List {
        /// As JSON, one call a line
        #[arg(long)]
        json: bool,
    },
    /// Let a call run, once and with these very arguments
    #[command(after_help = "\
Examples:
  wardian approvals approve aev_…
  wardian approvals approve aev_… --input '{\"path\": \"/tmp/old\"}'     with other arguments; the model is told")]
    Approve {
        /// The call's event, as the list shows it
        id: String,
        /// Arguments in the place of the model's: a JSON object that fits the tool's schema
        #[arg(long, value_name = "JSON")]
        input: Option<String>,
    },
    /// Do not let a call run; the model is told so and goes on
    Reject {
        /// The call's event, as the list shows it
        id: String,
        /// Why, for the model
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    match command {
        Command::List { json } => {
            let server = Access::reach(&settings).await?;
            let done = list(&server, json).await;
            server.close().await;
            done
        }
        Command::Approve { id, input } => approve(&running(&settings).await?, &id, input.as_deref()).await,
        Command::Reject { id, reason } => {
            let body = reason.map_or_else(|| json!({ "decision": "reject" }), |reason| json!({ "decision": "reject", "reason": reason }));
            decide(&running(&settings).await?, &id, body.to_string()).await?;
            println!("rejected {id}");
            Ok(())
        }
    }
}

/// The running server. A decision makes its turn go on, and that is nothing for a command that ends at once.
async fn running(settings: &Settings) -> anyhow::Result<Access> {
    let server = Access::running(settings).await;
    server.with_context(|| {
        format!("no server answers on {}; start it with `wardian`: the turn goes on there once you decide", settings.socket().display())
    })
}

async fn approve(server: &Access, id: &str, input: Option<&str>) -> anyhow::Result<()> {
    let body = match input {
        None => json!({ "decision": "approve" }).to_string(),
        Some(input) => {
            // The text goes on as it was typed: the server keeps it to the letter, and so must whatever is between.
            let input: &RawValue = serde_json::from_str(input).context("--input is not JSON")?;
            format!("{{\"decision\":\"approve\",\"input\":{input}}}")
        }
    };
    decide(server, id, body).await?;
    println!("approved {id}");
    Ok(())
}

async fn decide(server: &Access, id: &str, body: String) -> anyhow::Result<()> {
    let answer = server.send(Method::POST, &format!("/operator/v1/approvals/{}", encoded(id)), Some(body)).await?;
    let status = answer.status();
    let bytes = whole(answer).await?;
    if status.is_success() { Ok(()) } else { Err(refusal(status, &bytes)) }
}

async fn list(server: &Access, as_json: bool) -> anyhow::Result<()> {
    let mut next = String::new();
    let mut none = true;
    for _ in 0..PAGES_MAX {
        let page = page(server, &format!("/operator/v1/approvals?limit=100{next}")).await?;
        for open in &page.approvals {
            none = false;
            if as_json {
                println!("{open}");
            } else {
                println!("{}\n", Open::read(open)?.described());
            }
        }
        match page.metadata["page_key"].as_str() {
            Some(key) => next = format!("&page_key={}", encoded(key)),
            None if none && !as_json => {
                println!("nothing waits for approval");
                return Ok(());
            }
            None => return Ok(()),
        }
    }
    bail!("there are more than {PAGES_MAX} pages of approvals; decide about some and list again")
}

/// A list of open approvals, each as its exact text.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) approvals: Vec<Box<RawValue>>,
    #[serde(default)]
    metadata: Value,
}

/// What waits, as the server tells it at this path.
pub(super) async fn page(server: &Access, path: &str) -> anyhow::Result<Page> {
    let answer = server.send(Method::GET, path, None).await?;
    let status = answer.status();
    let bytes = whole(answer).await?;
    if !status.is_success() {
        return Err(refusal(status, &bytes));
    }
    serde_json::from_slice(&bytes).context("the server's list of approvals cannot be read")
}

/// One call that waits.
#[derive(Deserialize)]
pub(super) struct Open<'a> {
    pub(super) event_id: String,
    tool_configuration_name: String,
    /// As the server has them: plain ASCII, nothing in it steers a terminal, and a member that
    /// comes twice is seen twice.
    #[serde(borrow)]
    arguments: &'a RawValue,
    approver: String,
    expires_at: String,
    tenant: Option<String>,
    agent_key: Option<String>,
    session_key: Option<String>,
}

impl<'a> Open<'a> {
    pub(super) fn read(text: &'a RawValue) -> anyhow::Result<Self> {
        serde_json::from_str(text.get()).context("an approval of the server's list cannot be read")
    }

    /// What wants to run, in one line.
    pub(super) fn call(&self) -> String {
        format!("{} {}", plain(&self.tool_configuration_name).replace('\n', " "), self.arguments)
    }

    fn described(&self) -> String {
        let place = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name} {}", plain(value)));
        let places = [place("tenant", &self.tenant), place("agent", &self.agent_key), place("session", &self.session_key)];
        let places: Vec<String> = places.into_iter().flatten().collect();
        format!(
            "{}\n  wants to run  {}\n  for           {}\n  waits for     the {} until {}",
            plain(&self.event_id),
            self.call(),
            places.join(", "),
            plain(&self.approver),
            plain(&self.expires_at)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_whole_and_nothing_in_it_steers_the_terminal() {
        let text = r#"{"event_id":"aev_1","tool_configuration_name":"run\u001b[2J","tool_name":"t",
            "arguments":{"path":"safe","path":"\u202egnp"},"approver":"operator","asked_at":"","expires_at":"2026"}"#;
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        let shown = Open::read(raw).unwrap().described();
        assert!(shown.contains(r#"run[2J {"path":"safe","path":"\u202egnp"}"#), "{shown}");
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'));
    }
}
