//! What the documents and the server itself tell a new user to type.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use tests::patience::until;
use tests::server::{OWNER, Server};
use tokio::process::Command;

const OFFLINE: &str = "data = \"data\"\n[models.default]\nprovider = \"offline\"\n";

/// What a line prints when it is typed into a shell in this directory.
async fn typed(home: &Path, line: &str) -> Result<String> {
    let output = Command::new("bash").args(["-c", line]).current_dir(home).output().await?;
    anyhow::ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn the_three_commands_that_the_server_prints_work_as_printed() -> Result<()> {
    let home = Arc::new(tempfile::tempdir()?);
    std::fs::write(home.path().join("wardian.toml"), OFFLINE)?;
    let server = Server::spawn_for_a_new_user(home.clone()).await?;
    server.ready().await?;
    until("three commands are printed", async || Ok(server.output().matches("curl ").count() >= 3)).await?;
    let printed = server.output();
    let commands: Vec<&str> = printed.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    let [session, post, stream] = commands[..] else { panic!("three commands: {printed}") };
    assert!(typed(home.path(), session).await?.contains("\"agent_key\""));
    assert!(typed(home.path(), post).await?.contains("\"agent_output\""));
    assert!(typed(home.path(), stream).await?.ends_with("event: end\ndata: {\"type\":\"end\"}\n\n"));
    let key = std::fs::metadata(home.path().join("data/owner.key"))?;
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
    let key = std::fs::read_to_string(home.path().join("data/owner.key"))?;
    assert!(!printed.contains(key.trim()), "the key itself is shown to a terminal only");
    Ok(())
}

#[tokio::test]
async fn the_first_conversation_of_the_readme_works() -> Result<()> {
    let server = Server::start(OFFLINE).await?;
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let block = readme.split("```").find(|block| block.contains("KEY=$(cat")).context("the block with the first conversation")?;
    let block = block.replace("$(cat wardian-data/owner.key)", OWNER).replace("localhost:8750", &server.address);
    let printed = typed(server.home.path(), &block).await?;
    for kind in ["input_message", "thinking", "tool_input", "tool_output", "agent_output"] {
        assert!(printed.contains(&format!("\"type\":\"{kind}\"")), "{kind} is not in {printed}");
    }
    Ok(())
}

#[tokio::test]
async fn every_file_that_the_readme_points_at_exists() -> Result<()> {
    let root = root();
    let readme = std::fs::read_to_string(root.join("README.md"))?;
    let targets: Vec<&str> = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(targets.len() >= 5, "{targets:?}");
    for target in targets {
        assert!(root.join(target).exists(), "{target}");
    }
    Ok(())
}

#[tokio::test]
async fn the_example_configuration_is_valid_as_it_stands() -> Result<()> {
    let example = std::fs::read_to_string(root().join("host/wardian.example.toml"))?;
    let home = Arc::new(tempfile::tempdir()?);
    std::fs::write(home.path().join("example.toml"), example)?;
    let output = tests::server::command(home.path())?.args(["serve", "--check", "--config", "example.toml"]).output().await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The closed table of ends as the code has it: each word and what it means.
fn ends() -> Result<Vec<(String, String)>> {
    let code = std::fs::read_to_string(root().join("host/crates/tool/src/end.rs"))?;
    let rows = code.lines().filter_map(|line| line.trim().strip_prefix("End::")?.split_once("=> \""));
    let rows = rows.filter_map(|(_, row)| row.trim_end_matches("\";").split_once("\", \""));
    let rows: Vec<_> = rows.map(|(word, meaning)| (word.to_owned(), meaning.to_owned())).collect();
    anyhow::ensure!(rows.len() >= 20, "{rows:?}");
    Ok(rows)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[tokio::test]
async fn the_page_about_the_api_names_every_way_a_call_can_end() -> Result<()> {
    let page = std::fs::read_to_string(root().join("host/docs/api.md"))?;
    for (word, _) in ends()?.iter().filter(|(word, _)| word != "done") {
        assert!(page.contains(&format!("`{word}`")), "{word} is not on the page");
    }
    Ok(())
}

#[tokio::test]
async fn the_page_about_security_has_the_table_of_ends_and_every_threat() -> Result<()> {
    let page = std::fs::read_to_string(root().join("host/docs/security.md"))?;
    let table = page.split("## How a call can end").nth(1).and_then(|rest| rest.split("\n## ").next()).context("the page has the table")?;
    let shown: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let ends = ends()?;
    for (word, meaning) in &ends {
        assert!(shown.contains(&&*format!("| `{word}` | {meaning} |")), "{word}: {meaning}");
    }
    assert_eq!(shown.len(), ends.len(), "the page has no word that the code has not");
    for threat in 1..=23 {
        assert!(page.contains(&format!("\n| T{threat} | ")), "T{threat} is missing");
    }
    Ok(())
}
