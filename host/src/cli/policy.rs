//! `wardian policy`: what is allowed.

use http::Method;
use serde_json::Value;

use super::access::Access;
use super::table;
use crate::config::Settings;
use crate::open;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check what the configuration file allows, and whether the running server has taken it
    Check,
    /// Show the policy in force
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    match command {
        Command::Check => check(&settings).await,
        Command::Show { json } => show(&settings, json).await,
    }
}

async fn check(settings: &Settings) -> anyhow::Result<()> {
    let policy = open::allowed(settings)?;
    for warning in settings.complaints(policy.warnings()).0 {
        println!("warning: {warning}");
    }
    println!("{}: fine", settings.file.as_deref().map_or_else(|| "no configuration file".to_owned(), |file| file.display().to_string()));
    if let Some(server) = Access::running(settings).await {
        let in_force = server.json(Method::GET, "/operator/v1/policy", None).await?;
        match refused(&in_force) {
            None => println!("the running server has it in force"),
            Some(why) => println!("the running server refused its newest file and keeps the last good one:\n{why}"),
        }
    }
    Ok(())
}

async fn show(settings: &Settings, as_json: bool) -> anyhow::Result<()> {
    let server = Access::reach(settings).await?;
    server.plugins_ready().await;
    let policy = server.json(Method::GET, "/operator/v1/policy", None).await;
    server.close().await;
    let policy = policy?;
    if as_json {
        println!("{policy:#}");
        return Ok(());
    }
    if let Some(why) = refused(&policy) {
        println!("the newest file was refused, the last good one is in force:\n{why}\n");
    }
    let grants =
        |plugin: &Value| plugin["grants"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    let text = |plugin: &Value, member: &str| plugin[member].as_str().unwrap_or_default().to_owned();
    let row = |plugin: &Value| [text(plugin, "name"), text(plugin, "source"), grants(plugin)];
    let rows: Vec<_> = policy["plugins"].as_array().into_iter().flatten().map(row).collect();
    table::print(["PLUGIN", "BY", "GRANTS"], &rows);
    Ok(())
}

fn refused(policy: &Value) -> Option<String> {
    let lines: Vec<&str> = policy["refused"].as_array()?.iter().filter_map(Value::as_str).collect();
    Some(lines.join("\n"))
}
