//! `wardian plugins`: what is installed, what it asks for and what it was
//! granted; and after a change, what changed and whether it is accepted.

mod changes;

use std::io::{BufRead, IsTerminal, Write};

use anyhow::bail;
use http::Method;
use serde_json::{Value, json};

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
    /// Show what differs between the version of a plugin that was accepted and the one that lies there
    Diff {
        /// Its name
        name: String,
        /// As JSON, whole
        #[arg(long)]
        json: bool,
    },
    /// Take a changed plugin into service again, after showing what changed
    #[command(after_help = "\
A plugin with grants serves the version that was there when it got them. After any change of
its component, of what it says about its tools, or of what it asks for, it stands still until
the change is accepted. On a terminal this asks; elsewhere it shows the differences and needs --yes.")]
    Accept {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach(&settings).await?;
    server.plugins_ready().await;
    let done = match command {
        Command::List { json } => list(&server, json).await,
        Command::Inspect { name, json } => inspect(&server, &name, json).await,
        Command::Diff { name, json } => diff(&server, &name, json).await,
        Command::Accept { name, yes } => accept(&server, &name, yes).await,
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
        ("shape", text(&plugin, "shape")),
        ("tools", items(&plugin, "tools").join(", ")),
    ];
    println!("{}", table::plain(&text(&plugin, "name")));
    for (name, value) in lines {
        println!("  {name:13} {}", table::plain(&value));
    }
    let skipped = items(&plugin, "skipped");
    if !skipped.is_empty() {
        println!("  exports that are no tools");
        skipped.iter().for_each(|what| println!("    {}", table::plain(what)));
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

async fn differences(server: &Access, name: &str) -> anyhow::Result<Value> {
    server.json(Method::GET, &format!("/operator/v1/plugins/{}/changes", encoded(name)), None).await
}

async fn diff(server: &Access, name: &str, as_json: bool) -> anyhow::Result<()> {
    let changes = differences(server, name).await?;
    if as_json {
        println!("{changes:#}");
    } else {
        print!("{}", changes::rendered(&changes).text);
    }
    Ok(())
}

async fn accept(server: &Access, name: &str, yes: bool) -> anyhow::Result<()> {
    let changes = differences(server, name).await?;
    let shown = changes::rendered(&changes);
    print!("{}", shown.text);
    let found = &changes["found"];
    if found.is_null() {
        bail!("no version of plugin {} can be used, so there is none to accept; repair its file first", table::plain(name));
    }
    if changes::same(&changes) {
        println!("there is nothing to accept: this is the version that was accepted");
        return Ok(());
    }
    if !yes {
        if !shown.whole {
            bail!(
                "not all of it is shown; read it with `wardian plugins diff {name} --json`, then accept it with --yes",
                name = table::plain(name)
            );
        }
        agreed(name)?;
    }
    // Names exactly what was shown: a file that was swapped meanwhile is refused.
    let body = json!({
        "component": found["component"], "tools_digest": found["tools_digest"], "requests_digest": found["requests_digest"],
    });
    let after = server.json(Method::POST, &format!("/operator/v1/plugins/{}/accept", encoded(name)), Some(&body)).await?;
    println!(
        "plugin {} {} was accepted; it is {}",
        table::plain(name),
        table::plain(&text(found, "version")),
        table::plain(&state(&after))
    );
    Ok(())
}

/// Asks on a terminal.
fn agreed(name: &str) -> anyhow::Result<()> {
    let name = table::plain(name);
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        bail!("nobody is there to ask; accept it with `wardian plugins accept {name} --yes`");
    }
    print!("Take this version of plugin {name} into service? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("it was not accepted and stays as it was");
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
