//! A server for one project: loopback, any free port, a data directory among the
//! user's caches, and every build of the plugin taken as it comes.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use author::Project;
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Settings, Sources};
use crate::open::{self, Manner};
use crate::reload::{self, Reload};

/// How long running turns may go on when the author leaves.
const GRACE: &str = "1s";

/// How long closing is waited for.
const CLOSING: Duration = Duration::from_secs(10);

/// A server that runs in this process.
pub(super) struct Own {
    address: String,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    _watch: reload::Watch,
}

/// Where the configuration of a project's own server comes from: the author's `--config`, else a
/// file that is written here. Flags win, as everywhere.
pub(super) fn sources(project: &Project, sources: &Sources) -> anyhow::Result<Sources> {
    let home = home(project)?;
    std::fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
    let mut sources = sources.clone();
    let flags = &mut sources.flags;
    flags.data.get_or_insert_with(|| home.join("data"));
    flags.plugins.get_or_insert_with(|| home.join("plugins"));
    flags.listen.get_or_insert_with(|| "127.0.0.1:0".to_owned());
    if flags.config.is_none() {
        let file = home.join("wardian.toml");
        std::fs::write(&file, configuration(&project.name)).with_context(|| format!("cannot write {}", file.display()))?;
        flags.config = Some(file);
    }
    Ok(sources)
}

/// Every build is taken, and nobody is asked: it is the author's own tool on the author's own machine.
fn configuration(plugin: &str) -> String {
    format!(
        "# Written by `wardian dev` at each start.\n[server]\ngrace = \"{GRACE}\"\n\n[plugin.{plugin}]\npin = \"auto\"\napprove = \"never\"\n"
    )
}

/// A folder for each project, short enough for the path of a socket.
fn home(project: &Project) -> anyhow::Result<PathBuf> {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let caches = caches.context("neither XDG_CACHE_HOME nor HOME is set; name a data directory with --data")?;
    let digest = Sha256::digest(project.root.as_os_str().as_encoded_bytes());
    Ok(caches.join("wardian").join(format!("dev-{}", data_encoding::HEXLOWER.encode(&digest[..6]))))
}

/// Opens it and begins to serve.
pub(super) async fn open(settings: &Settings, sources: Sources) -> anyhow::Result<Own> {
    let server = open::open(settings, Manner::Developing).await?;
    let (listeners, address) = server.listen().await?;
    server.host.listens(address);
    let reload = Reload { sources, leases: server.leases.clone(), host: server.host.clone() };
    let watch = reload::watch(settings, reload)?;
    let stop = server.stop.clone();
    let serving = tokio::spawn(server.serve(listeners));
    let address = format!("http://{address} (key in {})", settings.owner_key().display());
    Ok(Own { address, stop, serving, _watch: watch })
}

impl Own {
    /// Where clients find it.
    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    /// Stops it in order.
    pub(super) async fn close(self) {
        self.stop.cancel();
        if tokio::time::timeout(CLOSING, self.serving).await.is_err() {
            tracing::warn!("the server did not close in time; nothing acknowledged is lost");
        }
    }
}
