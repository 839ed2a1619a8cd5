//! `wardian dev`: the author's loop. Builds the project, puts the component into a
//! server, lets the author talk to it, and does all of that again whenever a file changes.

mod own;
mod swap;
mod watch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use author::Project;
use author::toolchain::Toolchains;
use http::Method;
use serde_json::json;

use super::access::Access;
use super::agents::encoded;
use super::chat::{Ended, Input, Interrupts, Line, Talk, View};
use crate::config::{Settings, Sources};
use swap::{Place, Replaced};
use watch::Watch;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What you type is said to an agent that has the plugin's tools; the offline model calls a tool
at the word /TOOL {json}. After each change the last message is said again.
The server is one of its own, for this project alone, unless --running names the one that
runs in the data directory (--data, --config); that one decides by its own file what is allowed.

Examples:
  wardian dev
  wardian dev weather --grant 'http GET https://api.example.com/*' --say '/forecast {\"city\": \"Oslo\"}'
  wardian dev --running --data /srv/wardian-data")]
pub(super) struct Args {
    /// The project's folder, or one inside it
    #[arg(default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// Grant the plugin something, in the words of `wardian grant`; may be given again
    #[arg(long, value_name = "WORDS")]
    grant: Vec<String>,
    /// Say this after each build
    #[arg(long, short, value_name = "TEXT")]
    say: Option<String>,
    /// Use the running server of the data directory
    #[arg(long)]
    running: bool,
    /// With --running: replace a plugin of the same name that this project did not put there
    #[arg(long, requires = "running")]
    replace: bool,
    /// Build, put into service, say what is to be said, and exit
    #[arg(long)]
    once: bool,
}

/// What the log shows: what the plugin says, the end of each call whoever made it, and what was denied to it.
const LOG: &str = "error,guest=debug,agent::call=info,sandbox=warn";

/// How long what is granted for development lasts.
const GRANTED: &str = "24h";

pub(super) fn run(args: Args, sources: &Sources) -> anyhow::Result<()> {
    let project = Project::find(&args.project)?;
    // Before anything is opened: a slip of the pen is told at once.
    args.grant.iter().try_for_each(|words| super::grants::check(words))?;
    let level = sources.flags.log_level.as_deref().unwrap_or(LOG);
    let sources = if args.running { sources.clone() } else { own::sources(&project, sources)? };
    let settings = sources.load()?;
    crate::logs::start(settings.log.format, level)?;
    let runtime = super::runtime()?;
    let done = runtime.block_on(develop(args, project, sources, settings));
    // A thread that waits for a line of input must not hold up the end.
    runtime.shutdown_background();
    done
}

async fn develop(args: Args, project: Project, sources: Sources, settings: Settings) -> anyhow::Result<()> {
    let own = if args.running { None } else { Some(own::open(&settings, sources).await?) };
    let server = Access::running(&settings).await;
    let server = server.with_context(|| format!("no server answers on {}; start one with `wardian`", settings.socket().display()))?;
    let replaced = match (args.running && !args.replace, std::fs::read(project.component())) {
        (false, _) => Replaced::Any,
        (true, built) => Replaced::Own(built.ok().map(|bytes| swap::digest(&bytes))),
    };
    let place = Place { directory: settings.plugins.clone(), plugin: project.name.clone(), replaced };
    let mut bench = Bench { agent: format!("dev-{}", project.name), project, server, place, leases: Vec::new(), ready: None };
    bench.hello(own.as_ref().map(own::Own::address)).await?;
    let done = bench.work(&args).await;
    bench.leave().await;
    if args.running && bench.ready.is_some() {
        eprintln!("the last build stays in service as {}", bench.place.file().display());
    }
    if let Some(own) = own {
        own.close().await;
    }
    done
}

/// A project, and the server that it is tried in.
struct Bench {
    project: Project,
    server: Access,
    place: Place,
    /// The agent that has the plugin's tools.
    agent: String,
    /// What was granted for the time being.
    leases: Vec<String>,
    /// The tools that the agent has, once a build is in service.
    ready: Option<Vec<String>>,
}

impl Bench {
    async fn hello(&self, address: Option<String>) -> anyhow::Result<()> {
        let address = match address {
            Some(address) => address,
            None => {
                self.server.json(Method::GET, "/operator/v1/status", None).await?["addresses"][0].as_str().unwrap_or_default().to_owned()
            }
        };
        let Project { name, language, root, .. } = &self.project;
        eprintln!("{name}, written in {language}, from {}", root.display());
        eprintln!("served at {address} to agent {}; a change of a file is built at once", self.agent);
        Ok(())
    }

    async fn work(&mut self, args: &Args) -> anyhow::Result<()> {
        for words in &args.grant {
            let lease = super::grants::lend(&self.server, &self.project.name, words, GRANTED).await?;
            self.leases.push(lease);
        }
        let mut watch = Watch::of(&self.project.root)?;
        let mut desk = Desk { view: View::new(), input: Input::of_terminal(), interrupts: Interrupts::listen()? };
        let mut last = args.say.clone();
        let mut round = self.round(last.as_deref(), &mut desk).await?;
        if args.once {
            anyhow::ensure!(round == Round::Answered, "it is not in service, or did not answer");
            return Ok(());
        }
        let mut typing = true;
        while round != Round::Left {
            desk.view.prompt();
            round = tokio::select! {
                changed = watch.changed() => {
                    desk.view.note(&format!("{} changed", changed?));
                    self.round(last.as_deref(), &mut desk).await?
                }
                line = desk.input.line(), if typing => match line {
                    Line::Text(text) if text.trim().is_empty() => continue,
                    Line::Text(text) => {
                        let said = self.say(&text, &mut desk).await?;
                        last = Some(text);
                        said
                    }
                    Line::End if desk.view.asks() => Round::Left,
                    // Nobody types: it goes on building until it is told to stop.
                    Line::End => {
                        typing = false;
                        continue;
                    }
                },
                () = desk.interrupts.pressed() => Round::Left,
            };
        }
        Ok(())
    }

    /// One round: build, put into service, and say again what was said last.
    async fn round(&mut self, say: Option<&str>, desk: &mut Desk) -> anyhow::Result<Round> {
        let began = Instant::now();
        let root = self.project.root.clone();
        let building = tokio::task::spawn_blocking(move || author::build::build(&Project::open(&root)?, &Toolchains::of_user()));
        let built = tokio::select! {
            built = building => built.context("the build was lost")?,
            () = desk.interrupts.pressed() => return Ok(Round::Left),
        };
        let built = match built {
            Ok(built) => built,
            Err(error) => return Ok(desk.fails(&error.to_string())),
        };
        let put = Instant::now();
        let tools = tokio::select! {
            tools = self.place.put(&self.server, &built.component) => tools?,
            () = desk.interrupts.pressed() => return Ok(Round::Left),
        };
        let tools = match tools {
            Ok(tools) => tools,
            Err(why) => return Ok(desk.fails(&why)),
        };
        let took_up = put.elapsed();
        self.bind(tools).await?;
        let mut told = format!("built in {}, in service {} later", seconds(built.took), seconds(took_up));
        let mut round = Round::Answered;
        if let Some(say) = say {
            round = self.say(say, desk).await?;
            told.push_str(&format!(", answered {} after the change", seconds(began.elapsed())));
        }
        desk.view.note(&told);
        Ok(round)
    }

    /// Says something to the agent, in a conversation of its own: what an earlier build answered would only mislead.
    async fn say(&self, text: &str, desk: &mut Desk) -> anyhow::Result<Round> {
        if self.ready.is_none() {
            return Ok(desk.fails("nothing is in service yet; mend the build first"));
        }
        let Desk { view, input, interrupts } = desk;
        let talk = Talk::open(&self.server, &self.agent, None).await?;
        let ended = talk.say(text, view, interrupts).await?;
        Ok(match talk.settle(ended, view, input, interrupts).await? {
            Ended::Answered => Round::Answered,
            Ended::Failed => Round::Failed,
            Ended::Left => Round::Left,
        })
    }

    /// Gives the agent the plugin's tools, where it has others.
    async fn bind(&mut self, tools: Vec<String>) -> anyhow::Result<()> {
        if self.ready.as_ref() == Some(&tools) {
            return Ok(());
        }
        let plugin = &self.project.name;
        let bindings: serde_json::Map<String, serde_json::Value> = tools
            .iter()
            .map(|tool| (tool.clone(), json!({ "type": "dynamic_vectara", "tool_id": format!("tol_{plugin}_{tool}") })))
            .collect();
        let path = format!("/v2/agents/{}", encoded(&self.agent));
        if self.server.ask(Method::DELETE, &path, None).await?.status().is_server_error() {
            anyhow::bail!("the server cannot remove the agent {} of an earlier time", self.agent);
        }
        let agent = json!({
            "key": self.agent,
            "name": format!("{plugin}, in development"),
            "tool_configurations": bindings,
            "model": { "name": "default" },
            "first_step": { "instructions": [] },
        });
        self.server.json(Method::POST, "/v2/agents", Some(&agent)).await.context("cannot make the agent")?;
        self.ready = Some(tools);
        Ok(())
    }

    /// Takes back what was there for the time being.
    async fn leave(&self) {
        for lease in &self.leases {
            // It ends by itself if it cannot be ended now.
            let _ = self.server.ask(Method::DELETE, &format!("/operator/v1/grants/{}", encoded(lease)), None).await;
        }
        let _ = self.server.ask(Method::DELETE, &format!("/v2/agents/{}", encoded(&self.agent)), None).await;
    }
}

/// Where the author sits.
struct Desk {
    view: View,
    input: Input,
    interrupts: Interrupts,
}

impl Desk {
    fn fails(&mut self, why: &str) -> Round {
        self.view.failure(why);
        Round::Failed
    }
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// The newest build is in service, and answered where it was asked.
    Answered,
    /// It was not built, not taken into service, or its turn failed. That was shown.
    Failed,
    /// The author wants to leave.
    Left,
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
