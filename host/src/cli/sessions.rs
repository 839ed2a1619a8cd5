//! `wardian sessions`: conversations, and what was said in them.

use serde_json::Value;

use super::access::Access;
use super::agents::{encoded, pages};
use super::chat::shown;
use super::table;
use crate::config::Settings;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the sessions of an agent
    List {
        /// The agent's key
        agent: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the events of a session
    Show {
        /// The agent's key
        agent: String,
        /// The session's key
        session: String,
        /// As JSON, one event a line
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach(&settings).await?;
    let done = match command {
        Command::List { agent, json } => list(&server, &agent, json).await,
        Command::Show { agent, session, json } => show(&server, &agent, &session, json).await,
    };
    server.close().await;
    done
}

async fn list(server: &Access, agent: &str, as_json: bool) -> anyhow::Result<()> {
    let sessions = pages(server, &format!("/v2/agents/{}/sessions", encoded(agent)), "sessions").await?;
    if as_json {
        println!("{:#}", Value::Array(sessions));
        return Ok(());
    }
    let text = |session: &Value, member: &str| session[member].as_str().unwrap_or_default().to_owned();
    let row = |session: &Value| ["key", "name", "status", "created_at"].map(|member| text(session, member));
    table::print(["KEY", "NAME", "STATUS", "CREATED"], &sessions.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

async fn show(server: &Access, agent: &str, session: &str, as_json: bool) -> anyhow::Result<()> {
    let path = format!("/v2/agents/{}/sessions/{}/events", encoded(agent), encoded(session));
    for event in pages(server, &path, "events").await? {
        if as_json {
            println!("{event}");
        } else if let Some(line) = shown(&event) {
            println!("{}  {line}", event["created_at"].as_str().unwrap_or_default());
        }
    }
    Ok(())
}
