//! `wardian policy`: what is allowed, and why or why not.

use api::{Answered, Ask};
use http::Method;
use policy::{Policy, Question, Request};
use serde_json::{Value, json};

use super::access::Access;
use super::agents::encoded;
use super::{Told, grants, table};
use crate::config::Settings;
use crate::{explain, open};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check what the configuration file allows: against itself, against what plugins ask for, and whether the running server has taken it
    Check,
    /// Show the policy in force
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say whether something is allowed to a plugin: by which line, or what would allow it
    #[command(after_help = "\
What can be asked:
  http METHOD URL
  files read|write PATH       as the plugin writes the path
  secret NAME [inject]
  config, store, cache
  call TOOL

The answer is the decision that a call of the plugin would meet.
Exit codes: 0 allowed   1 not allowed

Examples:
  wardian policy explain web http GET https://example.com/
  wardian policy explain notes store --agent assistant
  wardian policy explain knowledge call knowledge_base_search")]
    Explain(Explain),
}

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The plugin
    plugin: String,
    /// What is asked
    #[arg(required = true, value_name = "WHAT")]
    what: Vec<String>,
    /// For which tenant
    #[arg(long, default_value = policy::OPERATOR_TENANT)]
    tenant: String,
    /// For which agent
    #[arg(long, default_value = "assistant")]
    agent: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    match command {
        Command::Check => check(&settings).await,
        Command::Show { json } => show(&settings, json).await,
        Command::Explain(args) => explain(&settings, args).await,
    }
}

async fn check(settings: &Settings) -> anyhow::Result<()> {
    let policy = open::allowed(settings)?;
    let warn = |problems: &[policy::Problem]| settings.complaints(problems).0.iter().for_each(|warning| println!("warning: {warning}"));
    warn(policy.warnings());
    // Without a data directory there are no plugins to compare with, and a check makes none.
    if settings.data.exists() {
        let server = Access::reach(settings).await?;
        server.plugins_ready().await;
        let plugins = server.json(Method::GET, "/operator/v1/plugins", None).await;
        server.close().await;
        for plugin in plugins?["plugins"].as_array().into_iter().flatten() {
            warn(&compare(&policy, plugin));
        }
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

/// What a plugin asks for beside what the file grants it. Says nothing of plugins without a manifest.
fn compare(policy: &Policy, plugin: &Value) -> Vec<policy::Problem> {
    let (name, component) = (plugin["name"].as_str().unwrap_or_default(), plugin["component"].as_str());
    let asks: Vec<Vec<String>> = serde_json::from_value(plugin["asks"].clone()).unwrap_or_default();
    let read: Vec<(Request, String)> =
        asks.iter().filter_map(|words| Some((Request::parse(words).ok()?, table::plain(&words.join(" "))))).collect();
    if read.is_empty() {
        return Vec::new();
    }
    let requests: Vec<Request> = read.iter().map(|(request, _)| request.clone()).collect();
    let mut found = policy.unrequested(name, component, &requests);
    found.extend(policy.ungranted(name, component, &requests).into_iter().map(|index| {
        let help = format!("grant it in [plugin.{name}] if it is meant; a request grants nothing");
        policy::Problem::warning("", format!("plugin {name} asks for `{}`, and nothing of it is granted", read[index].1), help)
    }));
    found
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
    if policy["grants"].as_array().is_some_and(|grants| !grants.is_empty()) {
        println!("\nfor a time:");
        grants::print(&policy["grants"]);
    }
    Ok(())
}

async fn explain(settings: &Settings, args: Explain) -> anyhow::Result<()> {
    let question = Question::parse(&args.what)?;
    let answer = if settings.data.exists() { asked(settings, &args).await? } else { alone(settings, &args, question)? };
    if args.json {
        println!("{answer:#}");
    } else {
        print(&args, &answer);
    }
    if answer["allowed"] == true { Ok(()) } else { Err(Told.into()) }
}

/// The answer of the server: the running one, or one that is opened for the occasion.
async fn asked(settings: &Settings, args: &Explain) -> anyhow::Result<Value> {
    let server = Access::reach(settings).await?;
    server.plugins_ready().await;
    let pairs = [("plugin", &args.plugin), ("ask", &args.what.join(" ")), ("tenant", &args.tenant), ("agent", &args.agent)];
    let query: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", encoded(value))).into();
    let answer = server.json(Method::GET, &format!("/operator/v1/policy/explain?{}", query.join("&")), None).await;
    server.close().await;
    answer
}

/// The answer of the file alone, where no server ever was.
fn alone(settings: &Settings, args: &Explain, question: Question) -> anyhow::Result<Value> {
    let policy = open::allowed(settings)?;
    let ask = Ask { plugin: args.plugin.clone(), tenant: args.tenant.clone(), agent: args.agent.clone(), question };
    let answered: Answered = explain::answer(&ask, &policy, settings, None);
    Ok(json!(answered))
}

fn print(args: &Explain, answer: &Value) {
    let text = |member: &str| answer[member].as_str().map(table::plain);
    let question = text("question").unwrap_or_default();
    let whom = format!("plugin {}, agent {} of tenant {}", args.plugin, args.agent, args.tenant);
    if answer["allowed"] == true {
        println!("allowed: {question} ({whom})");
        println!("  by    {}", text("rule").unwrap_or_default());
        println!("  in    {}", text("place").unwrap_or_else(|| "the configuration".to_owned()));
    } else {
        println!("not allowed: {question} ({whom})");
        println!("  why   {}", text("refusal").unwrap_or_default());
        println!("  by    the {} layer", text("layer").unwrap_or_default());
    }
    for note in answer["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        println!("  note  {}", table::plain(note));
    }
    if let Some(toml) = text("toml").filter(|toml| !toml.is_empty()) {
        println!("\nThis would allow it:\n");
        toml.lines().for_each(|line| println!("{}", format!("  {line}").trim_end()));
    }
}

fn refused(policy: &Value) -> Option<String> {
    let lines: Vec<&str> = policy["refused"].as_array()?.iter().filter_map(Value::as_str).collect();
    Some(lines.join("\n"))
}
