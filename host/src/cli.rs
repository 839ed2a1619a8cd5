//! The command line: one file per command. Commands other than `serve` speak to
//! the running server over its socket, and open the data directory themselves
//! where no server runs.

mod access;
mod agents;
mod approvals;
mod audit;
mod bindings;
mod build;
mod call;
mod chat;
mod check;
mod completions;
mod dev;
mod frames;
mod grants;
mod init;
mod keys;
mod mcp;
mod new;
mod plugins;
mod policy;
mod serve;
mod sessions;
mod table;
mod tenants;
mod test;
mod toolchain;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{Complaints, Flags, LogFormat, Settings, Sources};

/// Done.
const DONE: u8 = 0;
/// It failed; the last line on standard error says why.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong; nothing was done. The same as clap's own.
const USAGE: u8 = 2;
/// Another server uses the data directory.
const IN_USE: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  wardian                                    serve on http://127.0.0.1:8750, nothing configured
  wardian chat agt_customer_support          talk to an agent from the terminal
  wardian init                               write wardian.toml, every setting explained
  wardian keys create --role agent_user      make an API key for an application
  wardian plugins inspect web                what a plugin asks for, and what was granted
  wardian policy explain web http GET https://example.com/
                                             is it allowed, by which line, or what would allow it
  wardian serve --check                      is the configuration right?
  wardian new greeter --lang python          begin a tool of your own; then `wardian build` in ./greeter

Environment:
  WARDIAN_OWNER_KEY   the owner's API key, instead of the one in <data>/owner.key
  WARDIAN_CONFIG      the configuration file, as --config
  WARDIAN_LOG         the log level, as --log-level
  WARDIAN_<SETTING>   any setting of the file: server.rate is WARDIAN_SERVER_RATE

Exit codes:
  0 done   1 failed   2 wrong usage or configuration   3 the data directory is in use by another server";

/// A self-hosted agent server whose tools are sandboxed WebAssembly components.
///
/// Without a command it serves: sessions and events over HTTP, an agent loop, and
/// tools that can reach only what wardian.toml grants them.
#[derive(Debug, Parser)]
#[command(name = "wardian", version, propagate_version = true, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    settings: SettingFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Flags that win over the environment and the file.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Settings (they win over the environment, and that over the file)")]
struct SettingFlags {
    /// The configuration file [default: ./wardian.toml if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8750]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The data directory [default: ./wardian-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The plugin directory [default: plugins in the data directory]
    #[arg(long, global = true, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// The default model: a name in [models], or PROVIDER[:MODEL], such as offline or anthropic:claude-sonnet-4-5
    #[arg(long, global = true, value_name = "MODEL")]
    model: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log: Option<LogFormat>,
    /// Which log lines are written: error, warn, info, debug, trace, or sandbox=debug,... [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server (the default)
    Serve(serve::Args),
    /// Write the configuration that holds without a file, with every setting explained
    Init(init::Args),
    /// Talk to an agent from the terminal
    Chat(chat::Args),
    /// Offer the plugins' tools to a client of MCP, over standard input and output
    Mcp(mcp::Args),
    /// Begin a plugin: a small project in Rust, Python, TypeScript, Go or C that works as it is
    New(new::Args),
    /// Build the plugin in this folder into a component, dist/NAME.wasm
    Build(build::Args),
    /// Call a tool of a component, without a server
    Call(call::Args),
    /// Check whether a component keeps the contract, and what model providers will make of its tools
    Check(check::Args),
    /// Play the recorded calls of a plugin's project against what was built, and tell what differs
    Test(test::Args),
    /// See and install the compilers of plugins
    #[command(subcommand)]
    Toolchain(toolchain::Command),
    /// Write the bindings of a world in C or Go, for those who write without an SDK
    Bindings(bindings::Bindings),
    /// Make a component of what a compiler wrote, a core module
    Componentize(bindings::Componentize),
    /// Build a plugin's project at each change, put it into a server, and talk to it
    Dev(dev::Args),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Make and list the tenants that share the server
    #[command(subcommand)]
    Tenants(tenants::Command),
    /// See the agents
    #[command(subcommand)]
    Agents(agents::Command),
    /// See conversations and what was said
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// See the tool calls that wait for a person, and decide about them
    #[command(subcommand)]
    Approvals(approvals::Command),
    /// See the plugins, their tools and grants
    #[command(subcommand)]
    Plugins(plugins::Command),
    /// See, check and explain what is allowed
    #[command(subcommand)]
    Policy(policy::Command),
    /// Grant something to a plugin for a time
    Grant(grants::Grant),
    /// End what was granted for a time
    Revoke(grants::Revoke),
    /// List what is granted for a time
    Grants(grants::List),
    /// Check and read the log of every tool call and what it was allowed
    #[command(subcommand)]
    Audit(audit::Command),
    /// Print the completions of a shell
    Completions(completions::Args),
}

/// The answer of a command was no, and it has said so already: only the exit code is left to tell.
#[derive(Debug)]
struct Told;

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no")
    }
}

impl std::error::Error for Told {}

/// Parses the command line, runs the command, and says what went wrong.
pub(crate) fn main() -> ExitCode {
    end_with_the_pipe();
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::from(DONE),
        Err(error) => {
            if !error.is::<Told>() {
                eprintln!("error: {error:#}");
            }
            ExitCode::from(code(&error))
        }
    }
}

/// A reader that has seen enough, such as `head`, ends the command quietly.
fn end_with_the_pipe() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(i32::from(DONE));
        }
        others(panic);
    }));
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let sources = Sources::of_process(cli.settings.into())?;
    match cli.command.unwrap_or(Command::Serve(serve::Args::default())) {
        Command::Serve(args) => serve::run(args, sources),
        Command::Init(args) => init::run(&args, &sources),
        Command::New(args) => new::run(args),
        Command::Build(args) => build::run(&args),
        Command::Bindings(args) => bindings::write(&args),
        Command::Componentize(args) => bindings::componentize(&args),
        Command::Toolchain(command) => toolchain::run(&command),
        Command::Call(args) => on_trial(&sources, call::run(args)),
        Command::Check(args) => on_trial(&sources, check::run(args)),
        Command::Test(args) => on_trial(&sources, test::run(args)),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Dev(args) => dev::run(args, &sources),
        Command::Audit(command) => audit::run(command, &sources.load()?),
        Command::Chat(args) => with_settings(&sources, |settings| chat::run(args, settings)),
        Command::Mcp(args) => with_settings(&sources, |settings| mcp::run(args, settings)),
        Command::Keys(command) => with_settings(&sources, |settings| keys::run(command, settings)),
        Command::Tenants(command) => with_settings(&sources, |settings| tenants::run(command, settings)),
        Command::Agents(command) => with_settings(&sources, |settings| agents::run(command, settings)),
        Command::Sessions(command) => with_settings(&sources, |settings| sessions::run(command, settings)),
        Command::Approvals(command) => with_settings(&sources, |settings| approvals::run(command, settings)),
        Command::Plugins(command) => with_settings(&sources, |settings| plugins::run(command, settings)),
        Command::Policy(command) => with_settings(&sources, |settings| policy::run(command, settings)),
        Command::Grant(args) => with_settings(&sources, |settings| grants::grant(args, settings)),
        Command::Revoke(args) => with_settings(&sources, |settings| grants::revoke(args, settings)),
        Command::Grants(args) => with_settings(&sources, |settings| grants::list(args, settings)),
    }
}

/// Runs a command that speaks to a server. Its own log is for what goes wrong.
fn with_settings<F>(sources: &Sources, command: impl FnOnce(Settings) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let settings = sources.load()?;
    let level = sources.flags.log_level.as_deref().unwrap_or("error");
    crate::logs::start(settings.log.format, level)?;
    let runtime = runtime()?;
    let done = runtime.block_on(command(settings));
    // A thread that waits for a line of input must not hold up the end.
    runtime.shutdown_background();
    done
}

/// Runs a command that tries a component. It reads no configuration but what its own flags name.
fn on_trial(sources: &Sources, command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let level = sources.flags.log_level.as_deref().unwrap_or("off");
    crate::logs::start(LogFormat::Text, level)?;
    let runtime = runtime()?;
    // Whoever presses Ctrl-C leaves no temporary directory behind.
    let done = runtime.block_on(async {
        tokio::select! {
            done = command => done,
            Ok(()) = tokio::signal::ctrl_c() => Err(Told.into()),
        }
    });
    runtime.shutdown_background();
    done
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("wardian").build()
}

/// The exit code that a failure stands for.
fn code(error: &anyhow::Error) -> u8 {
    if error.is::<Complaints>() || error.is::<crate::trial::Unclear>() {
        return USAGE;
    }
    match error.downcast_ref::<storage::backends::redb::OpenError>() {
        Some(storage::backends::redb::OpenError::InUse { .. }) => IN_USE,
        _ => FAILED,
    }
}

impl From<SettingFlags> for Flags {
    fn from(flags: SettingFlags) -> Self {
        let SettingFlags { config, listen, data, plugins, model, log, log_level } = flags;
        Self { config, listen, data, plugins, model, log, log_level }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_are_taken_before_and_after_a_command() {
        for line in [["wardian", "--data", "d", "keys", "list"], ["wardian", "keys", "list", "--data", "d"]] {
            assert_eq!(Cli::parse_from(line).settings.data, Some("d".into()));
        }
    }

    #[test]
    fn a_wrong_configuration_has_its_own_exit_code() {
        let complaints = Complaints(Vec::new());
        assert_eq!(code(&anyhow::Error::from(complaints)), USAGE);
        let in_use = storage::backends::redb::OpenError::InUse { directory: "d".into() };
        assert_eq!(code(&anyhow::Error::from(in_use).context("cannot open")), IN_USE);
        assert_eq!(code(&anyhow::anyhow!("anything")), FAILED);
    }
}
