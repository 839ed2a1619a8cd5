//! `wardian tenants`: the parties that share the server.

use http::Method;
use serde_json::{Value, json};

use super::access::Access;
use super::table;
use crate::config::Settings;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a tenant, which sees nothing of the others
    Create {
        /// Its name
        name: String,
    },
    /// List the tenants
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach(&settings).await?;
    let done = match command {
        Command::Create { name } => {
            let made = server.json(Method::POST, "/operator/v1/tenants", Some(&json!({ "name": name }))).await;
            made.map(|_| println!("made the tenant {name}"))
        }
        Command::List { json } => list(&server, json).await,
    };
    server.close().await;
    done
}

async fn list(server: &Access, as_json: bool) -> anyhow::Result<()> {
    let answer = server.json(Method::GET, "/operator/v1/tenants", None).await?;
    if as_json {
        println!("{:#}", answer["tenants"]);
        return Ok(());
    }
    let text = |tenant: &Value, member: &str| tenant[member].as_str().unwrap_or("-").to_owned();
    let rows: Vec<_> = answer["tenants"].as_array().into_iter().flatten().map(|it| [text(it, "name"), text(it, "id")]).collect();
    table::print(["TENANT", "ID"], &rows);
    Ok(())
}
