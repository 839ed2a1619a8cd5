//! `wardian serve`, the default: opens everything, says where it is, serves until
//! it is told to stop.

use std::io::{IsTerminal, Write};

use agent::Clock;
use tool::{PluginState, Toolbox};

use crate::banner::{self, Reader};
use crate::config::{Settings, Sources};
use crate::open::{self, Manner, Server};
use crate::reload::{self, Reload};
use crate::{logs, shutdown};

#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
The first SIGTERM or Ctrl-C stops the server in order: streams end, running turns get
server.grace to end. The second one ends it at once; nothing acknowledged is lost.")]
pub(super) struct Args {
    /// Check the configuration, say what is wrong with it, and exit
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: Args, sources: Sources) -> anyhow::Result<()> {
    let settings = sources.load()?;
    logs::start(settings.log.format, &settings.log.level)?;
    for name in sources.strangers() {
        tracing::warn!("the environment variable {name} is no setting of this server; `wardian init` writes a file with all of them");
    }
    let runtime = super::runtime()?;
    runtime.block_on(async { if args.check { check(&settings).await } else { serve(&settings, sources).await } })
}

/// Everything that can be found wrong without opening anything.
async fn check(settings: &Settings) -> anyhow::Result<()> {
    let policy = open::allowed(settings)?;
    let (_, reason) = open::models(settings).await?;
    if let Some(tls) = &settings.server.tls {
        api::server::Tls::from_files(&tls.cert, &tls.key)?;
    }
    println!("{}: fine", settings.file.as_deref().map_or_else(|| "no configuration file".to_owned(), |file| file.display().to_string()));
    println!("  listen  {}", settings.listen);
    println!("  data    {}", settings.data.display());
    println!("  model   {reason}");
    println!("  grants  {}", policy.named().collect::<Vec<_>>().join(", "));
    Ok(())
}

async fn serve(settings: &Settings, sources: Sources) -> anyhow::Result<()> {
    let server = open::open(settings, Manner::Serving).await?;
    let (listeners, address) = server.listen().await?;
    server.host.listens(address);
    shutdown::listen(server.stop.clone())?;
    let reload = Reload { sources, leases: server.leases.clone(), host: server.host.clone() };
    let _watch = reload::watch(settings, reload)?;
    greet(&server, address);
    server.serve(listeners).await;
    Ok(())
}

/// Says everything that is known at once, and the plugins that are still being prepared when they are there.
fn greet(server: &Server, address: std::net::SocketAddr) {
    let Some(owner) = &server.owner else { return };
    let reader = if std::io::stdout().is_terminal() { Reader::Terminal } else { Reader::Other };
    let mut text = banner::greeting(&server.settings, address, owner, &server.model_reason, reader);
    text.push_str("  plugins\n");
    let plugins = server.sandbox.plugins();
    for plugin in &plugins {
        text.push_str(&banner::plugin(plugin));
        text.push('\n');
    }
    let session = format!("try-{}", data_encoding::HEXLOWER.encode(&Clock.random::<3>()));
    text.push_str(&banner::commands(&server.settings, address, owner, &session));
    say(&text);

    let known: Vec<String> = plugins.into_iter().filter(|it| it.state != PluginState::Preparing).map(|it| it.name).collect();
    let sandbox = server.sandbox.clone();
    if !sandbox.ready() {
        tokio::spawn(async move {
            sandbox.wait_ready().await;
            let late = sandbox.plugins().into_iter().filter(|it| !known.contains(&it.name));
            let lines: String = late.map(|it| format!("{}\n", banner::plugin(&it))).collect();
            say(&format!("  plugins are ready\n{lines}"));
        });
    }
}

/// Nobody has to listen: a server whose output was closed goes on.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
