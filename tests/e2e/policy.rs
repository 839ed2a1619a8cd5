//! What is allowed, while the server runs: the file and its mistakes, grants for
//! a time, and the answers to why.

use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::fake_model::{FakeModel, call, text};
use tests::patience::until;
use tests::server::{Server, config, say, session};

use crate::cli::run;

#[tokio::test]
async fn a_bad_file_keeps_the_last_good_one_and_a_mended_one_is_taken() -> Result<()> {
    let model = FakeModel::start().await?;
    let base = config(&model.base_url);
    let granted = format!("{base}\n[[plugin.web.http]]\nhost = \"a.example\"\n");
    let server = Server::start(&granted).await?;
    let home = server.home.path();
    let explain = ["policy", "explain", "web", "http", "GET", "https://a.example/"];
    assert!(run(home, &explain).await?.ok);
    assert_eq!(server.readiness().await?, "ok\n");

    for (bad, said) in [
        (format!("{base}\n[[plugin.web.http]]\nhsot = \"b.example\"\n"), "did you mean `host`?"),
        (format!("{base}\n[[plugin.web.http]]\nhost = \"127.1\"\n"), "write an IPv4 address as four decimal numbers"),
    ] {
        server.rewrite(&bad)?;
        // The policy does not explain itself from a file that is refused, so the server is asked.
        let refused = async || -> Result<Value> { Ok(server.owner().get("/operator/v1/policy").await?.expect(200)?["refused"].clone()) };
        until("the bad file is refused", async || Ok(refused().await?.to_string().contains(said))).await?;
        assert!(refused().await?[0].as_str().is_some_and(|line| line.contains("wardian.toml:")), "{}", refused().await?);
        assert_eq!(server.readiness().await?, "ok\npolicy_stale\n");
        let answer = server.owner().get("/operator/v1/policy/explain?plugin=web&ask=http+GET+https://a.example/").await?.expect(200)?;
        assert_eq!(answer["allowed"], true, "the last good one is in force");
        server.says("the last good one stays in force").await?;
    }
    std::fs::remove_file(home.join("wardian.toml"))?;
    server.says("cannot read the configuration file").await?;
    assert_eq!(server.readiness().await?, "ok\npolicy_stale\n");

    server.rewrite(&format!("{base}\n[[plugin.web.http]]\nhost = \"b.example\"\n"))?;
    until("the mended file is taken", async || Ok(server.readiness().await? == "ok\n")).await?;
    assert!(!run(home, &explain).await?.ok);
    assert!(run(home, &["policy", "check"]).await?.out.contains("the running server has it in force"));
    Ok(())
}

/// An agent that may write notes, and whether its next one is written.
struct Notes<'a> {
    model: &'a FakeModel,
    server: &'a Server,
    path: String,
}

impl<'a> Notes<'a> {
    async fn new(model: &'a FakeModel, server: &'a Server) -> Result<Self> {
        let bound = json!({"write": {"type": "dynamic_vectara", "tool_id": "tol_notes_note_write"}});
        let path = session(&server.owner(), "a1", &bound).await?;
        Ok(Self { model, server, path })
    }

    async fn write(&self, said: &str) -> Result<Value> {
        self.model.queue([call("write", json!({"key": "k", "text": said})), text("ok")]);
        let answer = self.server.owner().post(&format!("{}/events", self.path), &say(said)).await?.expect(201)?;
        let events = answer["events"].as_array().context("events")?;
        Ok(events.iter().find(|event| event["type"] == "tool_output").with_context(|| answer.to_string())?.clone())
    }
}

#[tokio::test]
async fn a_grant_that_is_taken_away_is_gone_with_the_next_call() -> Result<()> {
    let model = FakeModel::start().await?;
    let base = format!("{}\n[plugin.notes]\napprove = \"never\"\n", config(&model.base_url));
    let server = Server::start(&format!("{base}[plugin.notes.store]\n")).await?;
    let notes = Notes::new(&model, &server).await?;
    assert_eq!(notes.write("one").await?["error"], false);
    server.rewrite(&base)?;
    let explain = "/operator/v1/policy/explain?plugin=notes&ask=store&agent=a1";
    until("the store is no longer granted", async || Ok(server.owner().get(explain).await?.expect(200)?["allowed"] == false)).await?;
    let denied = notes.write("two").await?;
    assert_eq!(denied["error"], true, "{denied}");
    server.says("add [plugin.notes.store]").await
}

#[tokio::test]
async fn a_grant_for_a_time_holds_over_a_restart_and_ends() -> Result<()> {
    let model = FakeModel::start().await?;
    let text = format!("{}\n[plugin.notes]\napprove = \"never\"\n", config(&model.base_url));
    let server = Server::start(&text).await?;
    let notes = Notes::new(&model, &server).await?;
    assert_eq!(notes.write("one").await?["error"], true);
    let home = server.home.clone();
    let lent = run(home.path(), &["grant", "notes", "store", "session", "1MiB", "--for", "1h", "--agent", "a1"]).await?;
    assert!(lent.ok, "{}", lent.err);
    assert_eq!(notes.write("two").await?["error"], false);
    assert_eq!(std::fs::read_to_string(home.path().join("wardian.toml"))?, text, "the file stays the operator's");

    let path = notes.path;
    server.kill().await?;
    let server = Server::start_in(home.clone(), &text, &[]).await?;
    let notes = Notes { model: &model, server: &server, path };
    assert_eq!(notes.write("three").await?["error"], false);
    let shown = run(home.path(), &["policy", "show"]).await?.out;
    assert!(shown.contains("for a time:") && shown.contains("the operator's socket"), "{shown}");
    assert!(run(home.path(), &["policy", "explain", "notes", "store", "--agent", "a1"]).await?.out.contains("lease "));
    assert!(!run(home.path(), &["policy", "explain", "notes", "store", "--agent", "a2"]).await?.ok, "it is for one agent");

    assert!(run(home.path(), &["revoke", lent.out.trim()]).await?.ok);
    assert_eq!(notes.write("four").await?["error"], true);
    assert!(run(home.path(), &["grant", "notes", "store", "--for", "1s"]).await?.ok);
    until("it has ended by itself", async || Ok(server.owner().get("/operator/v1/grants").await?.expect(200)?["grants"] == json!([])))
        .await?;
    assert_eq!(notes.write("five").await?["error"], true);
    for (words, said) in [
        (&["grant", "notes", "store", "--for", "soon"][..], "a span of time such as 10m"),
        (&["grant", "notes", "store", "--for", "25h"], "at most 24h"),
        (&["grant", "notes", "limits", "time=60s", "--for", "1h"], "nothing that can be granted for a time"),
        (&["revoke", "notes"], "does not exist"),
    ] {
        let refused = run(home.path(), words).await?;
        assert!(!refused.ok && refused.err.contains(said), "{words:?}: {}", refused.err);
    }
    let odd = run(home.path(), &["grant", "nobody", "cache", "--for", "1h"]).await?;
    assert!(odd.ok && odd.err.contains("there is no plugin nobody"), "{}", odd.err);
    Ok(())
}

#[tokio::test]
async fn a_question_has_the_same_answer_with_and_without_a_running_server() -> Result<()> {
    let file =
        "data = \"data\"\n[models.default]\nprovider = \"offline\"\n[[plugin.web.http]]\nhost = \"a.example\"\npaths = [\"/v1/*\"]\n";
    let home = Arc::new(tempfile::tempdir()?);
    std::fs::write(home.path().join("wardian.toml"), file)?;
    let allowed = ["policy", "explain", "web", "http", "GET", "https://A.example./v1/x"];
    let denied = ["policy", "explain", "web", "http", "POST", "https://a.example/v1/x"];
    let closed = ["policy", "explain", "web", "http", "GET", "https://10.0.0.1/", "--json"];
    let ask = async || -> Result<String> {
        let (yes, no, floor) = (run(home.path(), &allowed).await?, run(home.path(), &denied).await?, run(home.path(), &closed).await?);
        assert!(yes.ok && !no.ok && !floor.ok, "{}{}{}", yes.err, no.err, floor.err);
        assert!(no.err.is_empty(), "the answer is no error: {}", no.err);
        Ok(format!("{}{}{}", yes.out, no.out, floor.out))
    };
    let alone = ask().await?;
    assert!(!home.path().join("data").exists(), "a question makes no data directory");
    assert!(alone.contains("wardian.toml:4") && alone.contains("private = [\\\"10.0.0.1/32\\\"]"), "{alone}");
    let server = Server::start_in(home.clone(), file, &[]).await?;
    assert_eq!(ask().await?, alone);
    server.stop().await?;
    assert_eq!(ask().await?, alone);
    let shipped = run(home.path(), &["policy", "explain", "knowledge", "files", "read", "knowledge/a.md"]).await?;
    assert!(shipped.ok && shipped.out.contains("the grant that came with the server"), "{}", shipped.out);
    Ok(())
}

#[tokio::test]
async fn a_check_compares_grants_with_what_plugins_ask_for() -> Result<()> {
    let file = "data = \"data\"\n[models.default]\nprovider = \"offline\"\n[secrets.gone]\nfrom = \"env:NOT_THERE\"\n\
                [[plugin.web.http]]\nhost = \"localhost\"\n[plugin.web.cache]\n";
    let server = Server::start(file).await?;
    let checked = run(server.home.path(), &["policy", "check"]).await?;
    assert!(checked.ok, "{}", checked.err);
    for line in [
        "wardian.toml:5: secrets.gone.from: the environment variable NOT_THERE is not set; set NOT_THERE where the server is started",
        "wardian.toml:7: plugin.web.http[0].host: host localhost is a loopback address, which [network] closes: the entry allows nothing",
        "wardian.toml:8: plugin.web.cache: plugin web does not ask for a cache",
    ] {
        assert!(checked.out.contains(line), "{line} is not in {}", checked.out);
    }
    server.rewrite("data = \"data\"\n[models.default]\nprovider = \"offline\"\n[plugin.notes]\n")?;
    let checked = run(server.home.path(), &["policy", "check"]).await?;
    assert!(checked.out.contains("plugin notes asks for `store`, and nothing of it is granted"), "{}", checked.out);
    Ok(())
}

#[tokio::test]
async fn what_everybody_can_change_or_read_is_said_at_the_start() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let file = "data = \"data\"\n[models.default]\nprovider = \"offline\"\n[secrets.k]\nfrom = \"file:k\"\n";
    let home = Arc::new(tempfile::tempdir()?);
    let open = |path: &str, mode: u32| std::fs::set_permissions(home.path().join(path), std::fs::Permissions::from_mode(mode));
    let server = Server::start_in(home.clone(), file, &[]).await?;
    server.says("cannot read the secret from").await?;
    server.stop().await?;
    std::fs::write(home.path().join("k"), "hush")?;
    open("k", 0o644)?;
    open("data/plugins", 0o777)?;
    open("data/plugins/web.wasm", 0o666)?;
    let server = Server::start_in(home.clone(), file, &[]).await?;
    for line in [
        "everybody on this machine can write to the plugin directory",
        "everybody on this machine can change the plugin at",
        "everybody on this machine can read",
        "data/plugins/web.wasm; run chmod o-w",
        "wardian.toml:5: secrets.k.from",
    ] {
        server.says(line).await?;
    }
    assert!(!server.output().contains("hush"));
    Ok(())
}
