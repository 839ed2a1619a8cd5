//! `wardian plugins`: what is installed, what it asks for and what it was granted.

use http::Method;
use serde_json::Value;

use super::access::Access;
use super::agents::encoded;
use super::table;
use crate::config::Settings;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the plugins in the plugin directory
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one plugin: its file, tools, digests, what it asks for and what it was granted
    #[command(after_help = "\
What a plugin asks for grants nothing. To grant it, write a [plugin.NAME] entry into
wardian.toml; `wardian init` writes one that explains every key.")]
    Inspect {
        /// Its name
        name: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach(&settings).await?;
    server.plugins_ready().await;
    let done = match command {
        Command::List { json } => list(&server, json).await,
        Command::Inspect { name, json } => inspect(&server, &name, json).await,
    };
    server.close().await;
    done
}

async fn list(server: &Access, as_json: bool) -> anyhow::Result<()> {
    let answer = server.json(Method::GET, "/operator/v1/plugins", None).await?;
    if as_json {
        println!("{:#}", answer["plugins"]);
        return Ok(());
    }
    let row =
        |plugin: &Value| [text(plugin, "name"), text(plugin, "version"), state(plugin), items(plugin, "tools").join(", "), granted(plugin)];
    let rows: Vec<_> = answer["plugins"].as_array().into_iter().flatten().map(row).collect();
    table::print(["NAME", "VERSION", "STATE", "TOOLS", "GRANTS"], &rows);
    Ok(())
}

async fn inspect(server: &Access, name: &str, as_json: bool) -> anyhow::Result<()> {
    let plugin = server.json(Method::GET, &format!("/operator/v1/plugins/{}", encoded(name)), None).await?;
    if as_json {
        println!("{plugin:#}");
        return Ok(());
    }
    let lines = [
        ("file", text(&plugin, "file")),
        ("version", text(&plugin, "version")),
        ("state", state(&plugin)),
        ("component", text(&plugin, "component")),
        ("tools digest", text(&plugin, "tools_digest")),
        ("tools", items(&plugin, "tools").join(", ")),
    ];
    println!("{}", table::plain(&text(&plugin, "name")));
    for (name, value) in lines {
        println!("  {name:13} {}", table::plain(&value));
    }
    for (name, none, member) in [("asks for", "nothing", "requests"), ("was granted", "nothing; it can compute, and that is all", "grants")]
    {
        let items = items(&plugin, member);
        println!("  {name}{}", if items.is_empty() { format!(" {none}") } else { String::new() });
        for item in items {
            println!("    {}", table::plain(&item));
        }
    }
    Ok(())
}

fn text(plugin: &Value, member: &str) -> String {
    plugin[member].as_str().unwrap_or("-").to_owned()
}

fn items(plugin: &Value, member: &str) -> Vec<String> {
    plugin[member].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn granted(plugin: &Value) -> String {
    let grants = items(plugin, "grants");
    if grants.is_empty() { "none".to_owned() } else { grants.join("; ") }
}

fn state(plugin: &Value) -> String {
    match plugin["reason"].as_str() {
        Some(reason) => format!("{}: {reason}", text(plugin, "state")),
        None => text(plugin, "state"),
    }
}
