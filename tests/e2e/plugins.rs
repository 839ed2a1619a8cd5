//! `/operator/v1/plugins` and `wardian plugins`: a plugin with grants that was
//! changed, from the file that is replaced to the answer of a tool.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::fake_model::FakeModel;
use tests::patience::until;
use tests::server::{Server, command, config, put};

/// A server where `calculator` has an entry.
async fn server() -> Result<(FakeModel, Server)> {
    let model = FakeModel::start().await?;
    let config = format!("{}\n[plugin.calculator]\napprove = \"never\"\n", config(&model.base_url));
    let server = Server::start(&config).await?;
    Ok((model, server))
}

/// The plugin's file, wherever the configuration puts it.
async fn file(server: &Server) -> Result<PathBuf> {
    let plugin = server.owner().get("/operator/v1/plugins/calculator").await?.expect(200)?;
    Ok(server.home.path().join(plugin["file"].as_str().context("file")?))
}

/// Another component that does the same: one custom section more.
fn another(path: &Path, name: &str) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let length = u8::try_from(name.len())?;
    bytes.extend([&[0, length + 1, length], name.as_bytes()].concat());
    put(path, &bytes)
}

/// Waits until the plugin is another one than this.
async fn until_not(server: &Server, component: &Value) -> Result<Value> {
    let mut plugin = Value::Null;
    let changed = until("the plugin is another one", async || {
        plugin = server.owner().get("/operator/v1/plugins/calculator").await?.expect(200)?;
        Ok(plugin["component"] != *component)
    });
    changed.await.with_context(|| server.output())?;
    Ok(plugin)
}

async fn replaced(server: &Server, name: &str) -> Result<Value> {
    let before = server.owner().get("/operator/v1/plugins/calculator").await?.expect(200)?;
    another(&file(server).await?, name)?;
    until_not(server, &before["component"]).await
}

/// Exit code and everything that was printed.
async fn wardian(home: &Path, line: &str) -> Result<(Option<i32>, String)> {
    let output = command(home)?.args(line.split_whitespace()).stdin(std::process::Stdio::null()).output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout) + &text(&output.stderr)))
}

async fn tool(server: &Server) -> Result<Value> {
    let tools = server.owner().get("/v2/tools?filter=calculate").await?.expect(200)?;
    tools["tools"].get(0).cloned().with_context(|| format!("the tool is listed: {tools}"))
}

#[tokio::test]
async fn a_changed_plugin_stands_still_until_it_is_accepted_from_the_command_line() -> Result<()> {
    let (_model, server) = server().await?;
    let home = server.home.path();
    assert_eq!(tool(&server).await?["enabled"], true);
    let plugin = replaced(&server, "one").await?;
    assert_eq!(plugin["state"], "changed");
    assert!(wardian(home, "plugins list").await?.1.contains("changed: its component changed since it was accepted"));
    assert_eq!(tool(&server).await?["enabled"], false);
    let enabled = server.owner().get("/v2/tools?enabled=true&filter=calculate").await?.expect(200)?;
    assert_eq!(enabled["tools"], json!([]));
    assert_eq!(server.readiness().await?, "ok\nplugin_changed\n");

    let (code, shown) = wardian(home, "plugins diff calculator").await?;
    assert!(code == Some(0) && shown.contains("first load") && shown.contains("  + sha256:"), "{shown}");
    let (code, shown) = wardian(home, "plugins accept calculator").await?;
    assert!(code == Some(1) && shown.contains("  + sha256:") && shown.contains("--yes"), "{shown}");
    assert_eq!(tool(&server).await?["enabled"], false, "nobody agreed");
    let (code, shown) = wardian(home, "plugins accept calculator --yes").await?;
    assert!(code == Some(0) && shown.contains("was accepted; it is ready"), "{shown}");
    assert_eq!(tool(&server).await?["enabled"], true);
    assert_eq!(server.readiness().await?, "ok\n");
    assert!(wardian(home, "plugins accept calculator --yes").await?.1.contains("nothing to accept"));
    assert_eq!(wardian(home, "plugins accept nothing --yes").await?.0, Some(1));
    // Lines arrive soon after what they tell of.
    let told = async || Ok(wardian(home, "audit show").await?.1.contains("plugin_accepted"));
    until("what the operator accepted is in the audit log", told).await
}

#[tokio::test]
async fn only_the_version_that_was_shown_is_accepted_and_only_by_an_owner() -> Result<()> {
    let (_model, server) = server().await?;
    let owner = server.owner();
    replaced(&server, "one").await?;
    let shown = owner.get("/operator/v1/plugins/calculator/changes").await?.expect(200)?;
    assert_eq!((&shown["state"], &shown["accepted"]["by"]), (&json!("changed"), &json!("first load")));
    assert!(shown["changes"].as_array().is_some_and(|changes| changes.iter().any(|change| change["what"] == "component")), "{shown}");
    replaced(&server, "two").await?;
    let refused = owner.post("/operator/v1/plugins/calculator/accept", &shown["found"]).await?.expect(409)?;
    assert!(refused["messages"][0].as_str().is_some_and(|why| why.contains("look at them again")), "{refused}");

    let shown = owner.get("/operator/v1/plugins/calculator/changes").await?.expect(200)?;
    let key = owner.post("/operator/v1/keys", &json!({"role": "agent_administrator"})).await?.expect(201)?;
    let other = owner.with_key(key["key"].as_str());
    other.post("/operator/v1/plugins/calculator/accept", &shown["found"]).await?.expect(403)?;
    owner.post("/operator/v1/plugins/calculator/accept", &json!({"component": "x"})).await?.expect(400)?;
    owner.post("/operator/v1/plugins/nothing/accept", &shown["found"]).await?.expect(404)?;
    let after = owner.post("/operator/v1/plugins/calculator/accept", &shown["found"]).await?.expect(200)?;
    assert_eq!((&after["state"], &after["changes"]), (&json!("ready"), &json!([])));
    Ok(())
}

#[tokio::test]
async fn a_change_while_the_server_is_down_is_noticed_and_can_be_accepted_then() -> Result<()> {
    let (model, server) = server().await?;
    let file = file(&server).await?;
    let (home, _) = server.stop().await?;
    another(&file, "one")?;
    let (_, listed) = wardian(home.path(), "plugins list").await?;
    assert!(listed.contains("changed:"), "{listed}");
    let (code, shown) = wardian(home.path(), "plugins accept calculator --yes").await?;
    assert!(code == Some(0), "{shown}");
    let config = format!("{}\n[plugin.calculator]\napprove = \"never\"\n", config(&model.base_url));
    let server = Server::start_in(home, &config, &[]).await?;
    assert_eq!(tool(&server).await?["enabled"], true);
    Ok(())
}

#[tokio::test]
async fn the_commands_of_the_page_about_plugins_run_as_they_stand_there() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("host/docs/plugins.md"))?;
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(lines.len() >= 5, "{lines:?}");
    let (_model, server) = server().await?;
    for line in lines {
        let arguments = line.strip_prefix("wardian ").with_context(|| format!("a command of ours: {line}"))?;
        let (code, shown) = wardian(server.home.path(), arguments).await?;
        // Without a terminal nobody can be asked.
        let expected = if arguments == "plugins accept web" { 1 } else { 0 };
        assert_eq!(code, Some(expected), "{line}: {shown}");
    }
    Ok(())
}

#[tokio::test]
async fn the_page_about_plugins_names_every_state() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("host/docs/plugins.md"))?;
    for state in ["preparing", "ready", "stale", "refused", "changed"] {
        assert!(page.contains(&format!("| `{state}` |")), "{state}");
    }
    Ok(())
}
