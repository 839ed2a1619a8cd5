//! The real server as a child process: on a port of its own, in a directory of
//! its own, with its own key.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::patience::{PATIENCE, until};

/// The owner's key in tests.
pub const OWNER: &str = "wardian-test-owner-key-0123456789abcdef";

/// A running server. Killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it keeps everything.
    pub home: Arc<TempDir>,
    /// `host:port`.
    pub address: String,
    child: Child,
    output: Arc<Mutex<String>>,
}

/// The server's binary: beside the test's own, where cargo puts both.
pub fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.ancestors().find(|dir| dir.join("wardian").is_file());
    let folder = folder.with_context(|| format!("no `wardian` beside {}; run `cargo build --release` first", own.display()))?;
    Ok(folder.join("wardian"))
}

impl Server {
    /// Starts a server with this configuration text in a fresh directory and waits until it is ready.
    pub async fn start(config: &str) -> Result<Self> {
        Self::start_in(Arc::new(tempfile::tempdir()?), config, &[]).await
    }

    /// The same in a directory that may hold the data of an earlier one, with further arguments.
    pub async fn start_in(home: Arc<TempDir>, config: &str, arguments: &[&str]) -> Result<Self> {
        std::fs::write(home.path().join("wardian.toml"), config)?;
        let server = Self::spawn(home, arguments).await?;
        server.ready().await?;
        Ok(server)
    }

    /// The same in a fresh directory, with these variables in its environment.
    pub async fn start_with_variables(config: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let home = Arc::new(tempfile::tempdir()?);
        std::fs::write(home.path().join("wardian.toml"), config)?;
        let mut command = command(home.path())?;
        command.envs(variables.iter().copied());
        let server = Self::launch(home, command, &[]).await?;
        server.ready().await?;
        Ok(server)
    }

    /// Starts a server and waits only until it listens.
    pub async fn spawn(home: Arc<TempDir>, arguments: &[&str]) -> Result<Self> {
        let command = command(home.path())?;
        Self::launch(home, command, arguments).await
    }

    /// As `spawn`, for a user who has set nothing: the server makes its own owner key.
    pub async fn spawn_for_a_new_user(home: Arc<TempDir>) -> Result<Self> {
        let mut command = command(home.path())?;
        command.env_remove("WARDIAN_OWNER_KEY");
        Self::launch(home, command, &[]).await
    }

    async fn launch(home: Arc<TempDir>, mut command: Command, arguments: &[&str]) -> Result<Self> {
        seed_cache(home.path());
        let mut child = command
            .args(["serve", "--config", "wardian.toml", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output: Arc<Mutex<String>> = Arc::default();
        let readers = [
            collect(child.stdout.take().context("its output is piped")?, output.clone()),
            collect(child.stderr.take().context("its errors are piped")?, output.clone()),
        ];
        let mut server = Self { home, address: String::new(), child, output };
        server.address = server.listening(readers).await?;
        Ok(server)
    }

    async fn listening(&mut self, readers: [JoinHandle<()>; 2]) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(address) = address_in(&self.output()) {
                return Ok(address);
            }
            if let Some(status) = self.child.try_wait()? {
                // Its last words are the reason.
                for reader in readers {
                    reader.await?;
                }
                bail!("the server ended with {status}:\n{}", self.output());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the server does not say where it listens:\n{}", self.output())
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&self) -> Result<()> {
        self.readiness().await?;
        keep_cache(self.home.path());
        Ok(())
    }

    /// The same, and all that it says then. On a busy machine its store may be too slow
    /// for a moment, and it says so: one look is not enough.
    pub async fn readiness(&self) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        let anybody = Client::new(&self.address, None);
        while Instant::now() < end {
            if let Some(answer) = anybody.get("/readyz").await.ok().filter(|answer| answer.status == 200) {
                return Ok(String::from_utf8_lossy(&answer.body).into_owned());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the server is not ready:\n{}", self.output())
    }

    /// The owner.
    pub fn owner(&self) -> Client {
        Client::new(&self.address, Some(OWNER))
    }

    /// All that it printed so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has printed this. What it prints comes to us on a way of its own, beside its answers.
    pub async fn says(&self, words: &str) -> Result<()> {
        let said = until(&format!("it says {words:?}"), async || Ok(self.output().contains(words))).await;
        said.with_context(|| self.output())
    }

    /// Replaces its configuration while it runs.
    pub fn rewrite(&self, config: &str) -> Result<()> {
        put(&self.home.path().join("wardian.toml"), config.as_bytes())
    }

    /// Puts a component into its plugin directory while it runs.
    pub fn install(&self, plugin: &str, component: &[u8]) -> Result<()> {
        put(&self.home.path().join(format!("data/plugins/{plugin}.wasm")), component)
    }

    /// The process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it without a word, as `kill -9` does; the directory stays.
    pub async fn kill(mut self) -> Result<Arc<TempDir>> {
        self.child.kill().await?;
        Ok(self.home.clone())
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    pub async fn stop(mut self) -> Result<(Arc<TempDir>, std::process::ExitStatus)> {
        let pid = self.child.id().context("the server has ended already")?;
        let killed = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        anyhow::ensure!(killed.success(), "could not signal the server");
        let status = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.context("it does not stop")??;
        Ok((self.home.clone(), status))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
    }
}

/// The command line of the server in a directory, as a user would type it there.
pub fn command(home: &Path) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.current_dir(home).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("WARDIAN_OWNER_KEY", OWNER).kill_on_drop(true);
    Ok(command)
}

/// A configuration whose default model is the one at `base_url`, for tests that ask more often than people do.
pub fn config(base_url: &str) -> String {
    config_with_rate(base_url, "1000000/min")
}

/// The same with this many requests a key.
pub fn config_with_rate(base_url: &str, rate: &str) -> String {
    format!(
        "data = \"data\"\n\n[server]\nrate = \"{rate}\"\n\n[models.default]\nprovider = \"openai\"\nbase_url = \"{base_url}\"\nmodel = \"fake\"\ncontext_window = 128000\n"
    )
}

/// A session of an agent with these tool configurations, made for a test.
pub async fn session(owner: &Client, agent: &str, tools: &serde_json::Value) -> Result<String> {
    let body = json!({"key": agent, "name": agent, "model": {"name": "default"}, "tool_configurations": tools,
        "first_step": {"name": "main", "instructions": [{"type": "inline", "name": "i", "template": "Be brief.", "template_type": "text"}]}});
    owner.post("/v2/agents", &body).await?.expect(201)?;
    let made = owner.post(&format!("/v2/agents/{agent}/sessions"), &json!({})).await?.expect(201)?;
    let key = made["key"].as_str().context("a session has a key")?;
    Ok(format!("/v2/agents/{agent}/sessions/{key}"))
}

/// The body of an input.
pub fn say(text: &str) -> serde_json::Value {
    json!({"type": "input_message", "messages": [{"type": "text", "content": text}]})
}

/// Puts a file in its place whole, by a rename, as editors do: a server that looks meanwhile never sees half of it.
pub fn put(file: &Path, bytes: &[u8]) -> Result<()> {
    let name = file.file_name().context("a file has a name")?.to_string_lossy();
    let partial = file.with_file_name(format!(".{name}.partial"));
    std::fs::write(&partial, bytes)?;
    Ok(std::fs::rename(partial, file)?)
}

fn address_in(output: &str) -> Option<String> {
    let at = output.find("http://127.0.0.1:")? + "http://".len();
    let rest = &output[at..];
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// Keeps what is printed, line by line, to its end.
fn collect(from: impl AsyncRead + Unpin + Send + 'static, into: Arc<Mutex<String>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_str(&line);
            kept.push('\n');
        }
    })
}

/// Compiling the bundled components takes seconds; tests that are about other
/// things start from the artefacts that an earlier server of the same binary
/// made: its own files, under its own key.
fn seed_cache(home: &Path) {
    let data = home.join("data");
    if data.exists() {
        return;
    }
    if let Some(kept) = kept_cache().filter(|kept| kept.is_dir()) {
        // Without them the server compiles: slower, not wrong.
        let _ = copy(&kept, &data);
    }
}

/// Keeps the artefacts of a server that is ready, unless another test did.
fn keep_cache(home: &Path) {
    let Some(kept) = kept_cache().filter(|kept| !kept.exists()) else { return };
    // Without them the next server compiles: slower, not wrong.
    let _ = keep(&home.join("data"), &kept);
}

/// Fills a folder of its own first: other tests may do the same at this moment, and the first to be done is kept.
fn keep(data: &Path, kept: &Path) -> Result<()> {
    let beside = kept.parent().context("it lies beside the binary")?;
    let making = tempfile::Builder::new().prefix("test-cache-").tempdir_in(beside)?;
    std::fs::copy(data.join("compile-cache.key"), making.path().join("compile-cache.key"))?;
    copy(&data.join("cache/compiled"), &making.path().join("cache/compiled"))?;
    Ok(std::fs::rename(making.path(), kept)?)
}

/// Where they are kept: beside the binary, under a name that changes with it.
fn kept_cache() -> Option<PathBuf> {
    let binary = binary().ok()?;
    let about = binary.metadata().ok()?;
    let changed = about.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_nanos();
    Some(binary.with_file_name(format!("test-cache-{changed}-{}", about.len())))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
