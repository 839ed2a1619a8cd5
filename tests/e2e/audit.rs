//! The audit log of a real server: every call once, whatever happens to the
//! server, and whatever is done to the log is found.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::client::Client;
use tests::fake_model::{FakeModel, Gate, Reply, call, text};
use tests::patience::until;
use tests::server::{Server, command, config, say, session};

fn tools() -> Value {
    json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"},
        "note": {"type": "dynamic_vectara", "tool_id": "tol_notes_note_write"}})
}

fn log(home: &Path) -> PathBuf {
    home.join("data/audit/audit.jsonl")
}

fn lines(home: &Path) -> Result<Vec<Value>> {
    std::fs::read_to_string(log(home))?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// What `wardian audit verify` says, and whether it is content.
async fn verify(home: &Path, arguments: &[&str]) -> Result<(bool, String)> {
    let output = command(home)?.args(["--config", "wardian.toml", "audit", "verify"]).args(arguments).output().await?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), said))
}

async fn listed(owner: &Client, path: &str) -> Result<Vec<Value>> {
    let (mut events, mut after) = (Vec::new(), String::new());
    loop {
        let page = owner.get(&format!("{path}/events?limit=100{after}")).await?.expect(200)?;
        events.extend(page["events"].as_array().cloned().unwrap_or_default());
        match page["metadata"]["page_key"].as_str().filter(|key| !key.is_empty()) {
            Some(key) => after = format!("&page_key={key}"),
            None => return Ok(events),
        }
    }
}

fn sha256(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

#[tokio::test]
async fn a_call_leaves_one_line_that_says_what_the_event_says_and_no_value() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &tools()).await?;
    model.queue([call("calc", json!({"expression": "6 * 7"})), text("it is 42")]);
    let answer = server.owner().post(&format!("{path}/events"), &say("a secret question")).await?;
    let body = String::from_utf8(answer.body.to_vec())?;
    let events: Value = answer.expect(201)?;
    let output = events["events"].as_array().and_then(|all| all.iter().find(|e| e["type"] == "tool_output")).context("an output")?;
    let receipt = &output["receipt"];
    assert_eq!(receipt["end"], "done");
    assert!(receipt["component"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{receipt}");
    assert!(receipt["duration_ms"].as_f64() > Some(0.0) && receipt["peak_memory_bytes"].as_u64() > Some(0), "{receipt}");
    let (home, _) = server.stop().await?;

    let lines = lines(home.path())?;
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["kind"].as_str()).filter(|kind| *kind != "decision").collect();
    assert_eq!(kinds, ["start", "call", "stop"]);
    let line = of_kind(&lines, "call")[0];
    let input = events["events"].as_array().and_then(|all| all.iter().find(|e| e["type"] == "tool_input")).context("an input")?;
    assert_eq!((&line["call"], &line["end"], &line["component"]), (&input["id"], &receipt["end"], &receipt["component"]));
    assert_eq!((&line["tenant"], &line["agent"], &line["plugin"]), (&"default".into(), &"a1".into(), &"calculator".into()));
    assert!(line["use"]["wall_us"].as_u64() > Some(0) && line["limits"]["time_ms"].is_u64(), "{line}");
    // The hashes are those of the texts as they stand in the events.
    for (hash, member) in [("input_hash", "\"tool_input\":"), ("output_hash", "\"tool_output\":")] {
        let from = body.find(member).context("the member")? + member.len();
        let mut texts = serde_json::Deserializer::from_str(&body[from..]).into_iter::<Value>();
        texts.next().context("a value")??;
        assert_eq!(line[hash], sha256(&body[from..from + texts.byte_offset()]), "{hash}");
    }
    let all = std::fs::read_to_string(log(home.path()))?;
    for value in ["6 * 7", "secret question", "it is 42"] {
        assert!(!all.contains(value), "{value}");
    }
    let mode = std::fs::metadata(log(home.path()))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(verify(home.path(), &[]).await?.0);
    Ok(())
}

#[tokio::test]
async fn calls_that_never_ran_are_in_the_log_too() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &tools()).await?;
    model.queue([
        Reply::Calls(vec![
            ("made_up".into(), "{}".into()),
            ("calc".into(), "{\"expression\": 5}".into()),
            ("calc".into(), "{\"expression\": \"1/0\"}".into()),
        ]),
        text("sorry"),
    ]);
    let answer = server.owner().post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    let (home, _) = server.stop().await?;

    let ends = |of: &[Value], end: &dyn Fn(&Value) -> Value| -> Vec<String> {
        let mut ends: Vec<String> = of.iter().map(|it| end(it).as_str().unwrap_or_default().to_owned()).collect();
        ends.sort();
        ends
    };
    let outputs: Vec<Value> = answer["events"].as_array().into_iter().flatten().filter(|e| e["type"] == "tool_output").cloned().collect();
    let lines = lines(home.path())?;
    let calls: Vec<Value> = of_kind(&lines, "call").into_iter().cloned().collect();
    assert_eq!(ends(&calls, &|line| line["end"].clone()), ["invalid_arguments", "invalid_input", "unknown_tool"]);
    assert_eq!(ends(&outputs, &|event| event["receipt"]["end"].clone()), ends(&calls, &|line| line["end"].clone()));
    assert_eq!(ends(&outputs, &|event| event["tool_output"]["error"]["reason"].clone()), ends(&calls, &|line| line["end"].clone()));
    let refused = calls.iter().find(|line| line["end"] == "invalid_arguments").context("the refused call")?;
    for member in ["component", "tools", "policy", "limits", "rule"] {
        assert!(!refused[member].is_null(), "{member} is known of a call that was refused: {refused}");
    }
    Ok(())
}

/// Every `tool_output` of these sessions, by the id of the call.
async fn outputs(owner: &Client, paths: &[String]) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for path in paths {
        let events = listed(owner, path).await?;
        for output in events.iter().filter(|event| event["type"] == "tool_output") {
            let of_call = |event: &&Value| event["type"] == "tool_input" && event["tool_call_id"] == output["tool_call_id"];
            // Ids of calls are the provider's and come again in each turn: the last one before the output counts.
            let at = events.iter().position(|event| event == output).unwrap_or_default();
            let input = events[..at].iter().rev().find(of_call).context("an output has its input")?;
            let end = output["receipt"]["end"].as_str().context("an output has a receipt")?.to_owned();
            anyhow::ensure!(found.insert(input["id"].as_str().unwrap_or_default().to_owned(), end).is_none(), "two outputs of {input}");
        }
    }
    Ok(found)
}

/// Waits until no turn runs. A session whose only input was lost with the kill has had none.
async fn idle(owner: &Client, path: &str) -> Result<()> {
    until("the turn ends after the restart", async || Ok(owner.get(path).await?.expect(200)?["status"] != "running")).await
}

#[tokio::test]
async fn after_kills_at_any_moment_every_output_has_exactly_one_line() -> Result<()> {
    let model = FakeModel::start().await?;
    let mut server = Server::start(&config(&model.base_url)).await?;
    session(&server.owner(), "a1", &tools()).await?;
    let mut paths = Vec::new();
    for round in 0..8_u64 {
        let owner = server.owner();
        let mut posts = Vec::new();
        let asked = model.requests().len();
        for i in 0..4 {
            let made = owner.post("/v2/agents/a1/sessions", &json!({})).await?.expect(201)?;
            let path = format!("/v2/agents/a1/sessions/{}", made["key"].as_str().context("a key")?);
            paths.push(path.clone());
            let (model, owner) = (model.clone(), owner.clone());
            posts.push(tokio::spawn(async move {
                for n in 0..20 {
                    model.queue([call("note", json!({"key": format!("k{i}"), "text": format!("{round} {n}")})), text("noted")]);
                    // The kill may come at any moment of it.
                    let _ = owner.post(&format!("{path}/events"), &say(&format!("message {n}"))).await;
                }
            }));
        }
        // However slow the machine is: there were calls, and some have their output. A session may have had none yet.
        model.asked(asked + 12).await?;
        tokio::time::sleep(Duration::from_millis(170 * round)).await;
        let home = server.kill().await?;
        for post in posts {
            post.await?;
        }
        model.always(text("after the kill"));
        server = Server::start_in(home, &config(&model.base_url), &[]).await?;
        for path in &paths {
            idle(&server.owner(), path).await?;
        }
    }
    let outputs = outputs(&server.owner(), &paths).await?;
    let (home, _) = server.stop().await?;

    let lines = lines(home.path())?;
    let mut logged = BTreeMap::new();
    for line in of_kind(&lines, "call") {
        let (call, end) = (line["call"].as_str().unwrap_or_default(), line["end"].as_str().unwrap_or_default());
        assert!(logged.insert(call.to_owned(), end.to_owned()).is_none(), "two lines of call {call}");
    }
    assert!(outputs.len() > 8, "calls ran: {}", outputs.len());
    assert_eq!(logged, outputs);
    let (whole, said) = verify(home.path(), &[]).await?;
    assert!(whole, "{said}");
    assert_eq!(of_kind(&lines, "start").len(), 9);
    Ok(())
}

#[tokio::test]
async fn the_lines_of_a_deleted_session_stay() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &tools()).await?;
    model.queue([call("calc", json!({"expression": "1+1"})), text("2")]);
    server.owner().post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    server.owner().delete(&path).await?.expect(204)?;
    server.owner().delete("/v2/agents/a1").await?.expect(204)?;
    let (home, _) = server.stop().await?;
    let key = path.rsplit('/').next().unwrap_or_default();
    assert_eq!(of_kind(&lines(home.path())?, "call").iter().filter(|line| line["session"] == key).count(), 1);
    Ok(())
}

#[tokio::test]
async fn what_is_done_to_the_log_is_found_and_a_noted_head_finds_a_cut_end() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &tools()).await?;
    for _ in 0..2 {
        model.queue([call("calc", json!({"expression": "1+1"})), text("2")]);
        server.owner().post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    }
    let (home, _) = server.stop().await?;
    let (whole, said) = verify(home.path(), &[]).await?;
    assert!(whole, "{said}");
    let head = said.lines().find_map(|line| line.strip_prefix("head ")?.split(' ').next()).context("the head is printed")?.to_owned();
    assert!(verify(home.path(), &["--head", &head]).await?.0);

    let untouched = std::fs::read_to_string(log(home.path()))?;
    let at = untouched.lines().position(|line| line.contains("\"kind\":\"call\"")).context("a call")?;
    std::fs::write(log(home.path()), untouched.replacen("\"end\":\"done\"", "\"end\":\"denied\"", 1))?;
    let (whole, said) = verify(home.path(), &[]).await?;
    assert!(!whole && said.contains(&format!("audit.jsonl:{}: edited", at + 1)), "{said}");

    let shorter: Vec<&str> = untouched.lines().take(at + 1).collect();
    std::fs::write(log(home.path()), shorter.join("\n") + "\n")?;
    assert!(verify(home.path(), &[]).await?.0, "the chain alone does not show it");
    let (whole, said) = verify(home.path(), &["--head", &head]).await?;
    assert!(!whole && said.contains("the end of the log was cut off"), "{said}");

    // The server knows where it was: it goes on from there, and the gap shows.
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    let (home, _) = server.stop().await?;
    let (_, said) = verify(home.path(), &[]).await?;
    assert!(said.contains("set-aside") && said.contains("the log begins with line number"), "{said}");
    Ok(())
}

#[tokio::test]
async fn what_operators_do_and_a_changed_policy_are_in_the_log() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    server.owner().post("/operator/v1/tenants", &json!({"name": "acme"})).await?.expect(201)?;
    let key = server.owner().post("/operator/v1/keys", &json!({"role": "agent_viewer", "tenant": "acme"})).await?.expect(201)?;
    server.owner().delete(&format!("/operator/v1/keys/{}", key["id"].as_str().context("an id")?)).await?.expect(204)?;
    let changed = format!("{}\n[plugin.web]\n[[plugin.web.http]]\nhost = \"api.example.com\"\n", config(&model.base_url));
    server.rewrite(&changed)?;
    server.says("the configuration file was read again").await?;
    let (home, _) = server.stop().await?;
    let made_without_a_server = command(home.path())?.args(["keys", "create", "--role", "agent_viewer"]).output().await?;
    assert!(made_without_a_server.status.success(), "{}", String::from_utf8_lossy(&made_without_a_server.stderr));
    let server = Server::start_in(home, &config(&model.base_url), &[]).await?;
    let (home, _) = server.stop().await?;

    let lines = lines(home.path())?;
    let acts: Vec<&str> = of_kind(&lines, "operator").iter().filter_map(|line| line["act"].as_str()).collect();
    assert_eq!(acts, ["tenant_created", "key_created", "key_revoked", "key_created"]);
    let (starts, policies) = (of_kind(&lines, "start"), of_kind(&lines, "policy"));
    assert_eq!((starts.len(), policies.len()), (2, 1));
    assert_ne!(starts[0]["policy"], policies[0]["digest"]);
    assert_eq!(policies[0]["by"], "file");
    assert!(!std::fs::read_to_string(log(home.path()))?.contains(key["key"].as_str().context("a key")?));
    Ok(())
}

#[tokio::test]
async fn a_server_that_cannot_write_its_log_serves_on_says_so_and_catches_up() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &tools()).await?;
    let directory = server.home.path().join("data/audit");
    std::fs::rename(&directory, server.home.path().join("away"))?;
    std::fs::write(&directory, "in the way")?;
    model.queue([call("calc", json!({"expression": "1+1"})), text("2")]);
    server.owner().post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
    let anybody = Client::new(&server.address, None);
    until("it is not ready", async || Ok(anybody.get("/readyz").await?.status == 503)).await?;
    server.says("the audit log cannot be written").await?;
    std::fs::remove_file(&directory)?;
    std::fs::rename(server.home.path().join("away"), &directory)?;
    server.ready().await?;
    let (home, _) = server.stop().await?;
    assert_eq!(of_kind(&lines(home.path())?, "call").len(), 1);
    let (whole, said) = verify(home.path(), &[]).await?;
    assert!(whole, "{said}");
    Ok(())
}

#[tokio::test]
async fn who_was_asked_to_agree_and_what_they_decided_is_in_the_log() -> Result<()> {
    let model = FakeModel::start().await?;
    let gated = format!("{}\n[plugin.calculator]\napprove = \"always\"\napprover = \"client\"\n", config(&model.base_url));
    let server = Server::start(&gated).await?;
    let path = session(&server.owner(), "a1", &tools()).await?;
    let decided = [
        json!({"decision": "approve"}),
        json!({"decision": "approve", "input": {"expression": "2 + 2"}}),
        json!({"decision": "reject", "reason": "words of a person"}),
    ];
    for (n, decision) in decided.into_iter().enumerate() {
        model.queue([call("calc", json!({"expression": format!("{n} + 1")})), text("so it is")]);
        let paused = server.owner().post(&format!("{path}/events"), &say(&format!("ask {n}"))).await?.expect(201)?;
        let asked = paused["events"].as_array().and_then(|all| all.iter().find(|e| e["type"] == "tool_input")).context("an input")?;
        let mut decision = decision;
        decision["event_id"] = asked["id"].clone();
        let body = json!({"type": "tool_approval", "decisions": [decision]});
        server.owner().post(&format!("{path}/events"), &body).await?.expect(201)?;
    }
    let (home, _) = server.stop().await?;

    let lines = lines(home.path())?;
    let approvals = of_kind(&lines, "approval");
    let acts: Vec<&str> = approvals.iter().filter_map(|line| line["act"].as_str()).collect();
    assert_eq!(acts, ["asked", "approved", "asked", "edited", "asked", "rejected"]);
    let ends: Vec<&str> = of_kind(&lines, "call").iter().filter_map(|line| line["end"].as_str()).collect();
    assert_eq!(ends, ["done", "done", "rejected"]);
    let ran = of_kind(&lines, "call")[1];
    assert_eq!((&ran["input_hash"], &ran["call"]), (&approvals[3]["input_hash"], &approvals[3]["call"]), "what ran is what was agreed to");
    assert_ne!(approvals[2]["input_hash"], approvals[3]["input_hash"]);
    assert!(!std::fs::read_to_string(log(home.path()))?.contains("words of a person"));
    Ok(())
}

#[tokio::test]
async fn a_call_that_the_policy_takes_back_is_denied_in_the_log_and_the_reader_finds_it() -> Result<()> {
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    let path = session(&server.owner(), "a1", &tools()).await?;
    // The model was offered the tool; while it thinks, the operator takes it away.
    let gate = Gate::default();
    model.queue([Reply::Held(gate.clone(), call("calc", json!({"expression": "1+1"})).into()), text("it is not allowed")]);
    let (owner, events) = (server.owner(), format!("{path}/events"));
    let turn = tokio::spawn(async move { owner.post(&events, &say("go")).await });
    model.asked(1).await?;
    let narrowed = format!("{}\n[plugin.calculator]\ntools = [\"nothing\"]\n", config(&model.base_url));
    server.rewrite(&narrowed)?;
    server.says("the configuration file was read again").await?;
    gate.open();
    let answer = turn.await??.expect(201)?;
    let output = answer["events"].as_array().and_then(|all| all.iter().find(|e| e["type"] == "tool_output")).context("an output")?;
    assert_eq!(output["receipt"]["end"], "denied");
    let (home, _) = server.stop().await?;

    let lines = lines(home.path())?;
    let line = of_kind(&lines, "call")[0];
    assert_eq!(
        (&line["end"], &line["allowed"], &line["policy"]),
        (&"denied".into(), &false.into(), &of_kind(&lines, "policy")[0]["digest"])
    );
    let key = path.rsplit('/').next().unwrap_or_default();
    let shown = command(home.path())?.args(["--config", "wardian.toml", "audit", "show", "--session", key]).output().await?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("end=denied") && shown.contains("plugin=calculator") && !shown.contains("kind=start"), "{shown}");
    Ok(())
}
