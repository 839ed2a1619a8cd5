//! `wardian grant`, `wardian revoke` and `wardian grants`: what is granted for a
//! time. Kept in the store, never written into the file.

use http::Method;
use policy::LeaseFile;
use serde_json::{Value, json};

use super::access::Access;
use super::agents::encoded;
use super::table;
use crate::config::Settings;

/// `wardian grant`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What can be granted:
  http METHOD[,METHOD] URL             * stands for any run of characters
  files read|write DIRECTORY NAME [QUOTA]
  secret NAME                          a key of [secrets]; the plugin sees its value
  config NAME=VALUE...
  store [session|agent|plugin [QUOTA]]
  cache [QUOTA]

A grant adds to what the plugin has. For whom the plugin works stays as its entry says;
--tenant and --agent narrow the grant to one of them.

Examples:
  wardian grant web http GET 'https://api.example.com/v2/*' --for 10m
  wardian grant knowledge files read handbook handbook --for 2h --agent assistant")]
pub(super) struct Grant {
    /// The plugin
    plugin: String,
    /// What is granted
    #[arg(required = true, value_name = "WHAT")]
    what: Vec<String>,
    /// For how long, such as 90s, 10m or 2h; at most 24h
    #[arg(long = "for", value_name = "TIME")]
    lasts: String,
    /// Only for this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Only for this agent
    #[arg(long)]
    agent: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// `wardian revoke`
#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// The id of one grant, as `wardian grants` shows it, or a plugin for all of its
    grant: String,
}

/// `wardian grants`
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What words on this command line grant.
fn read(words: &[String]) -> anyhow::Result<LeaseFile> {
    let mut grant = LeaseFile::parse(words)?;
    for mount in &mut grant.files {
        // Written here, so it is meant from here; the server may stand elsewhere.
        mount.host = std::env::current_dir()?.join(&mount.host).to_string_lossy().into_owned();
    }
    Ok(grant)
}

/// Whether words with blanks between them can be granted at all.
pub(super) fn check(words: &str) -> anyhow::Result<()> {
    read(&policy::words::split(words)?).map(drop)
}

/// Grants something to a plugin for a time, in words with blanks between them; quotes hold those that have some. Answers the grant's id.
pub(super) async fn lend(server: &Access, plugin: &str, words: &str, lasts: &str) -> anyhow::Result<String> {
    let body = json!({ "plugin": plugin, "grant": read(&policy::words::split(words)?)?, "for": lasts });
    let made = server.json(Method::POST, "/operator/v1/grants", Some(&body)).await?;
    Ok(text(&made, "id"))
}

pub(super) async fn grant(args: Grant, settings: Settings) -> anyhow::Result<()> {
    let grant = read(&args.what)?;
    let body = json!({ "plugin": args.plugin, "grant": grant, "for": args.lasts, "tenant": args.tenant, "agent": args.agent });
    let server = Access::reach(&settings).await?;
    server.plugins_ready().await;
    let made = server.json(Method::POST, "/operator/v1/grants", Some(&body)).await;
    server.close().await;
    let made = made?;
    if args.json {
        println!("{made:#}");
        return Ok(());
    }
    for warning in made["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        eprintln!("warning: {}", table::plain(warning));
    }
    println!("{}", text(&made, "id"));
    eprintln!("granted to plugin {} until {}; end it with `wardian revoke {}`", args.plugin, text(&made, "until"), text(&made, "id"));
    Ok(())
}

pub(super) async fn revoke(args: Revoke, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach(&settings).await?;
    let done = server.json(Method::DELETE, &format!("/operator/v1/grants/{}", encoded(&args.grant)), None).await;
    server.close().await;
    done.map(|_| println!("revoked {}", table::plain(&args.grant)))
}

pub(super) async fn list(args: List, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach(&settings).await?;
    let answer = server.json(Method::GET, "/operator/v1/grants", None).await;
    server.close().await;
    let grants = &answer?["grants"];
    if args.json {
        println!("{grants:#}");
    } else {
        print(grants);
    }
    Ok(())
}

/// The grants of a list, one a line.
pub(super) fn print(grants: &Value) {
    let only = |grant: &Value| {
        let parts = ["tenant", "agent"].map(|member| grant[member].as_str().map(|name| format!("{member} {name}")));
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "all".to_owned() } else { parts.join(", ") }
    };
    let row = |grant: &Value| {
        [text(grant, "id"), text(grant, "plugin"), only(grant), grant["grant"].to_string(), text(grant, "until"), text(grant, "by")]
    };
    let rows: Vec<_> = grants.as_array().into_iter().flatten().map(row).collect();
    table::print(["ID", "PLUGIN", "FOR", "WHAT", "UNTIL", "BY"], &rows);
}

fn text(grant: &Value, member: &str) -> String {
    grant[member].as_str().unwrap_or("-").to_owned()
}
