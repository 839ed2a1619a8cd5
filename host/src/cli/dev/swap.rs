//! Putting a component into a server's plugin directory, and waiting until it serves.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use http::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cli::access::Access;

/// How often the server is asked.
const LOOK: Duration = Duration::from_millis(20);

/// How long a component may take to come into service: compiling an interpreter on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where a plugin lies.
pub(super) struct Place {
    /// The plugin directory.
    pub(super) directory: PathBuf,
    /// The plugin's name.
    pub(super) plugin: String,
    /// Which file there may be replaced.
    pub(super) replaced: Replaced,
}

/// Which plugin of the same name gives way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Replaced {
    /// Any: the directory is ours, or the author said so.
    Any,
    /// One with this digest: what this project gave when it was built last. None where it was never built.
    Own(Option<String>),
}

/// The digest of a component's file.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}

impl Place {
    /// Puts a component there, as a whole, and waits until it serves: the names of its tools, or why it does not serve.
    pub(super) async fn put(&mut self, server: &Access, component: &Path) -> anyhow::Result<Result<Vec<String>, String>> {
        let bytes = std::fs::read(component).with_context(|| format!("cannot read {}", component.display()))?;
        let digest = digest(&bytes);
        let file = self.file();
        if let (Replaced::Own(own), Ok(there)) = (&self.replaced, std::fs::read(&file)) {
            let there = self::digest(&there);
            anyhow::ensure!(
                own.as_ref() == Some(&there) || there == digest,
                "{} is there already and is not what this project gave when it was built last; say --replace if it may go",
                file.display()
            );
        }
        let folder = self.directory.join(&self.plugin);
        anyhow::ensure!(!folder.exists(), "{} is a plugin of the same name; remove it first", folder.display());
        let partial = self.directory.join(format!(".{}.wasm.partial", self.plugin));
        std::fs::write(&partial, &bytes)
            .and_then(|()| std::fs::rename(&partial, &file))
            .with_context(|| format!("cannot write {}", file.display()))?;
        if let Replaced::Own(own) = &mut self.replaced {
            *own = Some(digest.clone());
        }
        let modified = std::fs::metadata(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let modified_ms = modified.mtime().saturating_mul(1_000).saturating_add(modified.mtime_nsec() / 1_000_000);
        self.serves(server, &digest, modified_ms).await
    }

    /// Where the component lies.
    pub(super) fn file(&self) -> PathBuf {
        self.directory.join(format!("{}.wasm", self.plugin))
    }

    async fn serves(&self, server: &Access, digest: &str, modified_ms: i64) -> anyhow::Result<Result<Vec<String>, String>> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let list = server.json(Method::GET, "/operator/v1/plugins", None).await?;
            let plugin = list["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == self.plugin.as_str());
            match plugin.map_or(Standing::Unknown, |plugin| Standing::read(plugin, digest, modified_ms)) {
                Standing::Serves(tools) => return Ok(Ok(tools)),
                Standing::Refused(why) => return Ok(Err(why)),
                Standing::Unknown => tokio::time::sleep(LOOK).await,
            }
        }
        Ok(Err(format!("the server did not take it up within {} s", PATIENCE.as_secs())))
    }
}

/// How one version of a plugin stands.
enum Standing {
    Serves(Vec<String>),
    Refused(String),
    Unknown,
}

impl Standing {
    /// Of what the server says about a plugin, whose file was modified last at this time. What
    /// speaks of an earlier file says nothing yet.
    fn read(plugin: &Value, digest: &str, modified_ms: i64) -> Self {
        if plugin["file_modified_ms"].as_i64().is_none_or(|known| known < modified_ms) {
            return Self::Unknown;
        }
        let reason = || crate::cli::table::plain(plugin["reason"].as_str().unwrap_or_default());
        match plugin["state"].as_str() {
            Some("ready") if plugin["component"] == digest => {
                let tools = plugin["tools"].as_array().into_iter().flatten();
                Self::Serves(tools.filter_map(|tool| tool.as_str().map(str::to_owned)).collect())
            }
            Some("stale" | "refused") => Self::Refused(format!("the server does not take it: {}", reason())),
            Some("changed") => {
                let name = plugin["name"].as_str().unwrap_or_default();
                Self::Refused(format!(
                    "{}; let it in with `wardian plugins accept {name}`, or write pin = \"auto\" into its entry",
                    reason()
                ))
            }
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_said_of_an_earlier_file_counts_for_nothing() {
        let plugin = |state: &str, digest: &str, at: i64| json!({"name": "p", "state": state, "reason": "no", "component": digest, "file_modified_ms": at, "tools": ["greet"]});
        let read = |plugin: serde_json::Value| Standing::read(&plugin, "d", 10);
        assert!(matches!(read(plugin("ready", "d", 10)), Standing::Serves(tools) if tools == ["greet"]));
        assert!(matches!(read(plugin("ready", "c", 10)), Standing::Unknown));
        assert!(matches!(read(plugin("refused", "c", 9)), Standing::Unknown));
        assert!(matches!(read(plugin("stale", "c", 11)), Standing::Refused(why) if why.contains("does not take it: no")));
        assert!(matches!(read(plugin("changed", "d", 10)), Standing::Refused(why) if why.contains("plugins accept p")));
    }
}
