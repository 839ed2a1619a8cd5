//! `wardian agents`: who can be talked to.

use http::Method;
use serde_json::Value;

use super::access::Access;
use super::table;
use crate::config::Settings;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the agents of the owner's tenant
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one agent's definition as JSON, as the API has it
    #[command(after_help = "\
Example:
  wardian agents show assistant > assistant.json      a start for an agent of your own")]
    Show {
        /// Its key
        agent: String,
    },
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach(&settings).await?;
    let done = match command {
        Command::List { json } => list(&server, json).await,
        Command::Show { agent } => {
            server.json(Method::GET, &format!("/v2/agents/{}", encoded(&agent)), None).await.map(|agent| println!("{agent:#}"))
        }
    };
    server.close().await;
    done
}

async fn list(server: &Access, as_json: bool) -> anyhow::Result<()> {
    let agents = pages(server, "/v2/agents", "agents").await?;
    if as_json {
        println!("{:#}", Value::Array(agents));
        return Ok(());
    }
    let tools = |agent: &Value| agent["tool_configurations"].as_object().map_or(0, serde_json::Map::len).to_string();
    let text = |agent: &Value, member: &str| agent[member].as_str().unwrap_or_default().to_owned();
    let row =
        |agent: &Value| [text(agent, "key"), text(agent, "name"), text(&agent["model"], "name"), tools(agent), text(agent, "description")];
    table::print(["KEY", "NAME", "MODEL", "TOOLS", "DESCRIPTION"], &agents.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// All items of a list, page by page.
pub(super) async fn pages(server: &Access, path: &str, member: &str) -> anyhow::Result<Vec<Value>> {
    /// Pages that are read before a list is taken for endless.
    const PAGES_MAX: usize = 1_000;
    let mut items = Vec::new();
    let mut next = String::new();
    for _ in 0..PAGES_MAX {
        let mut answer = server.json(Method::GET, &format!("{path}?limit=100{next}"), None).await?;
        if let Value::Array(page) = answer[member].take() {
            items.extend(page);
        }
        match answer["metadata"]["page_key"].as_str() {
            Some(key) => next = format!("&page_key={}", encoded(key)),
            None => break,
        }
    }
    Ok(items)
}

/// A text as a piece of an address.
pub(super) fn encoded(text: &str) -> String {
    let piece = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_an_address_is_encoded() {
        assert_eq!(encoded("a/b?c d_é"), "a%2Fb%3Fc%20d_%C3%A9");
    }
}
