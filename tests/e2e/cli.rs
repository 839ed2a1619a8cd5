//! The command line, with and without a running server.

use std::sync::Arc;

use anyhow::{Context, Result};
use tests::fake_model::{FakeModel, call, text};
use tests::patience::PATIENCE;
use tests::server::{Server, command, config};
use tokio::io::AsyncWriteExt;

/// What a command printed, and whether it was content.
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) ok: bool,
}

/// Runs a command line in a directory, to its end.
pub(crate) async fn run(home: &std::path::Path, arguments: &[&str]) -> Result<Ran> {
    let output = tokio::time::timeout(PATIENCE, command(home)?.args(arguments).output());
    let output = output.await.with_context(|| format!("{arguments:?} does not end"))??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ran { out: text(output.stdout), err: text(output.stderr), ok: output.status.success() })
}

#[tokio::test]
async fn keys_are_made_and_revoked_while_the_server_runs_and_while_it_does_not() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let home = server.home.clone();
    let made = run(home.path(), &["keys", "create", "--role", "agent_viewer"]).await?;
    assert!(made.ok, "{}", made.err);
    let key = made.out.split_whitespace().find(|word| word.starts_with("wrd_")).context("the key is printed")?.to_owned();
    let viewer = server.owner().with_key(Some(&key));
    viewer.get("/v2/agents").await?.expect(200)?;
    let listed = run(home.path(), &["keys", "list"]).await?;
    assert!(listed.out.contains("agent_viewer"), "{}", listed.out);
    assert!(!listed.out.contains(&key), "a key is shown once");
    let (home, _): (Arc<_>, _) = server.stop().await?;
    let second = run(home.path(), &["keys", "create", "--role", "agent_user", "--agent", "agt_customer_support"]).await?;
    assert!(second.ok, "{}", second.err);
    assert!(run(home.path(), &["keys", "list"]).await?.out.contains("agent_user"));
    Ok(())
}

#[tokio::test]
async fn a_key_for_a_misspelt_tenant_is_refused_and_makes_none() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let home = server.home.path();
    let create = ["keys", "create", "--tenant", "acme", "--role", "agent_user"];
    let refused = run(home, &create).await?;
    assert!(!refused.ok && refused.err.contains("wardian tenants create acme"), "{}", refused.err);
    assert!(!run(home, &["tenants", "list"]).await?.out.contains("acme"));
    assert!(run(home, &["tenants", "create", "acme"]).await?.ok);
    assert!(run(home, &create).await?.ok);
    Ok(())
}

#[tokio::test]
async fn a_configuration_with_an_unknown_key_is_refused_with_line_and_the_nearest_right_one() -> Result<()> {
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join("wardian.toml"), "data = \"d\"\n\n[server]\nrat = \"5/min\"\n")?;
    let refused = run(home.path(), &["serve", "--config", "wardian.toml", "--check"]).await?;
    assert!(!refused.ok);
    for word in ["wardian.toml", "4", "rat", "rate"] {
        assert!(refused.err.contains(word), "{word} is not in: {}", refused.err);
    }
    std::fs::write(home.path().join("wardian.toml"), "data = \"d\"\n[plugin.web]\n[[plugin.web.http]]\nhost = \"api.example.com\"\n")?;
    let checked = run(home.path(), &["serve", "--config", "wardian.toml", "--check"]).await?;
    assert!(checked.ok, "{}", checked.err);
    assert!(!home.path().join("d").exists(), "a check changes nothing");
    Ok(())
}

#[tokio::test]
async fn init_writes_a_file_that_is_valid_and_keeps_one_that_is_there() -> Result<()> {
    let home = tempfile::tempdir()?;
    let made = run(home.path(), &["init"]).await?;
    assert!(made.ok, "{}", made.err);
    let written = std::fs::read_to_string(home.path().join("wardian.toml"))?;
    assert!(written.contains('#') && written.contains("listen"));
    let checked = run(home.path(), &["serve", "--check"]).await?;
    assert!(checked.ok, "{}", checked.err);
    assert!(!run(home.path(), &["init"]).await?.ok);
    assert_eq!(std::fs::read_to_string(home.path().join("wardian.toml"))?, written);
    Ok(())
}

#[tokio::test]
async fn a_conversation_works_from_the_terminal() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    model.queue([text("good day to you")]);
    let mut child = command(server.home.path())?
        .args(["chat", "assistant"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("stdin")?;
    stdin.write_all(b"hello\n").await?;
    drop(stdin);
    let output = tokio::time::timeout(std::time::Duration::from_secs(60), child.wait_with_output()).await??;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("good day to you"), "{said} {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    Ok(())
}

#[tokio::test]
async fn approvals_are_listed_and_decided_from_the_terminal() -> Result<()> {
    let model = FakeModel::start().await?;
    let gated = format!("{}\n[plugin.calculator]\napprove = \"always\"\napprover = \"operator\"\n", config(&model.base_url));
    let server = Server::start(&gated).await?;
    let home = server.home.clone();
    assert!(run(home.path(), &["approvals", "list"]).await?.out.contains("nothing waits"));
    let ask = async |expression: &str| -> Result<String> {
        model.queue([call("calculate", serde_json::json!({ "expression": expression }))]);
        let chat = run(home.path(), &["chat", "assistant", "--session", "s", "--message", "go"]).await?;
        assert!(chat.ok, "{} {}", chat.out, chat.err);
        let line = chat.out.lines().find(|line| line.contains("wardian approvals approve")).with_context(|| chat.out.clone())?;
        Ok(line.split_whitespace().find(|word| word.starts_with("aev_")).context("an id")?.to_owned())
    };
    let first = ask("1+\u{202e}1").await?;
    let listed = run(home.path(), &["approvals", "list"]).await?;
    assert!(listed.out.contains(&first) && listed.out.contains("\\u202e") && listed.out.contains("session s"), "{}", listed.out);
    let wrong = run(home.path(), &["approvals", "approve", &first, "--input", "{\"a\":1}"]).await?;
    assert!(!wrong.ok && wrong.err.contains("waits on"), "{}", wrong.err);
    model.always(text("well then"));
    assert!(run(home.path(), &["approvals", "approve", &first, "--input", "{\"expression\": \"40+2\"}"]).await?.ok);
    let again = run(home.path(), &["approvals", "reject", &first]).await?;
    assert!(!again.ok, "it can be decided once");
    let mut shown = String::new();
    for _ in 0..300 {
        shown = run(home.path(), &["sessions", "show", "assistant", "s"]).await?.out;
        if shown.contains("well then") {
            break;
        }
    }
    assert!(shown.contains("42") && shown.contains("well then"), "{shown}");

    let second = ask("2+2").await?;
    let (home, _): (Arc<_>, _) = server.stop().await?;
    let refused = run(home.path(), &["approvals", "approve", &second]).await?;
    assert!(!refused.ok && refused.err.contains("start it with `wardian`"), "{}", refused.err);
    assert!(run(home.path(), &["approvals", "list", "--json"]).await?.out.contains(&second));
    Ok(())
}

#[tokio::test]
async fn plugins_and_policy_are_shown_and_the_rest_explains_itself() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let home = server.home.path();
    let listed = run(home, &["plugins", "list"]).await?;
    for name in ["calculator", "datetime", "json", "knowledge", "notes", "web"] {
        assert!(listed.out.contains(name), "{name} is not in {}", listed.out);
    }
    let inspected = run(home, &["plugins", "inspect", "knowledge"]).await?;
    assert!(inspected.out.contains("knowledge_base_search") && inspected.out.contains("sha256:"), "{}", inspected.out);
    assert!(run(home, &["policy", "check"]).await?.ok);
    assert!(run(home, &["agents", "list"]).await?.out.contains("agt_customer_support"));
    for arguments in [&["--help"][..], &["serve", "--help"], &["--version"], &["completions", "bash"]] {
        let shown = run(home, arguments).await?;
        assert!(shown.ok && shown.out.len() > 5, "{arguments:?}: {}", shown.err);
    }
    let wrong = run(home, &["keys", "craete"]).await?;
    assert!(!wrong.ok && wrong.err.contains("create"), "{}", wrong.err);
    Ok(())
}
