//! `wardian dev`: a change is built, put into service and answered.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tests::server::Server;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};

use super::{shell, typed};

/// How long one round may take on a machine that does other things as well.
const ROUND: Duration = Duration::from_secs(900);

/// A running `wardian dev`, and what it printed.
struct Loop {
    child: Child,
    keyboard: ChildStdin,
    printed: Arc<Mutex<String>>,
    /// How much of it was looked at.
    read: usize,
}

impl Loop {
    fn start(project: &Path, arguments: &str) -> Result<Self> {
        let mut command = shell(project, &format!("exec wardian dev --model offline {arguments}"))?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let printed: Arc<Mutex<String>> = Arc::default();
        collect(child.stdout.take(), printed.clone());
        collect(child.stderr.take(), printed.clone());
        let keyboard = child.stdin.take().context("it has a keyboard")?;
        Ok(Self { child, keyboard, printed, read: 0 })
    }

    fn printed(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it prints this, after whatever was waited for before.
    async fn says(&mut self, wanted: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            let printed = self.printed();
            if let Some(at) = printed[self.read..].find(wanted) {
                self.read += at + wanted.len();
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("it ended with {status} and never said {wanted:?}:\n{printed}");
            }
            anyhow::ensure!(began.elapsed() < ROUND, "it never says {wanted:?}:\n{printed}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn types(&mut self, line: &str) -> Result<()> {
        Ok(self.keyboard.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// Presses Ctrl-C, and waits until it has left in order.
    async fn leave(mut self) -> Result<()> {
        let pid = self.child.id().context("it runs")?;
        typed(Path::new("/"), &format!("kill -INT {pid}")).await?;
        let status = tokio::time::timeout(ROUND, self.child.wait()).await.context("it does not end")??;
        anyhow::ensure!(status.success(), "{status}:\n{}", self.printed());
        Ok(())
    }
}

fn collect(stream: Option<impl AsyncRead + Unpin + Send + 'static>, into: Arc<Mutex<String>>) {
    let Some(mut stream) = stream else { return };
    tokio::spawn(async move {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut piece).await {
            into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    });
}

/// Writes one word of a project's sources in the place of another.
fn edit(file: &Path, before: &str, after: &str) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    anyhow::ensure!(text.contains(before), "{} does not say {before:?}", file.display());
    Ok(std::fs::write(file, text.replace(before, after))?)
}

#[tokio::test]
async fn a_change_is_built_and_the_last_question_is_asked_again() -> Result<()> {
    let place = tempfile::tempdir()?;
    typed(place.path(), "wardian new greeter --lang js --plain").await?;
    let project = place.path().join("greeter");
    let mut dev = Loop::start(&project, "")?;
    dev.says("in service").await?;
    dev.types(r#"/greet {"name": "Ada"}"#).await?;
    dev.says("Hello, Ada").await?;
    let source = project.join("src/index.js");
    edit(&source, "Hello,", "Good day,")?;
    dev.says("src/index.js changed").await?;
    dev.says("Good day, Ada").await?;
    dev.says("after the change").await?;
    // What cannot be built changes nothing that serves.
    edit(&source, "Good day,", "Good` day,")?;
    dev.says("index.js").await?;
    dev.types(r#"/greet {"name": "Grace"}"#).await?;
    dev.says("Good day, Grace").await?;
    edit(&source, "Good` day,", "Good evening,")?;
    dev.says("Good evening, Grace").await?;
    // While a turn runs, Ctrl-C would only interrupt it.
    dev.says("after the change").await?;
    println!("{}", dev.printed());
    dev.leave().await
}

#[tokio::test]
async fn a_running_server_takes_the_build_and_decides_what_it_may() -> Result<()> {
    let place = tempfile::tempdir()?;
    typed(place.path(), "wardian new greeter --lang js --plain").await?;
    let entry = "data = \"data\"\n[models.default]\nprovider = \"offline\"\n[plugin.greeter]\npin = \"auto\"\napprove = \"never\"\n";
    let server = Server::start(entry).await?;
    let data = server.home.path().join("data");
    let mut dev =
        Loop::start(&place.path().join("greeter"), &format!("--running --data {} --say '/greet {{\"name\": \"Ada\"}}'", data.display()))?;
    dev.says("Hello, Ada").await?;
    dev.says("after the change").await?;
    assert!(data.join("plugins/greeter.wasm").is_file());
    let agents = server.owner().get("/v2/agents").await?.expect(200)?;
    assert!(agents.to_string().contains("dev-greeter"), "{agents}");
    dev.leave().await?;
    let agents = server.owner().get("/v2/agents").await?.expect(200)?;
    assert!(!agents.to_string().contains("dev-greeter"), "it leaves no agent behind: {agents}");
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_no_project_and_a_server_that_does_not_run_are_said_at_once() -> Result<()> {
    let place = tempfile::tempdir()?;
    let nothing = shell(place.path(), "wardian dev")?.output().await?;
    let said = String::from_utf8_lossy(&nothing.stderr).into_owned();
    assert!(!nothing.status.success() && said.contains("wardian new NAME --lang"), "{said}");
    typed(place.path(), "wardian new greeter --lang js --plain").await?;
    let nobody = shell(place.path(), "wardian dev greeter --running --data nowhere")?.output().await?;
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(!nobody.status.success() && said.contains("start one with `wardian`"), "{said}");
    Ok(())
}
