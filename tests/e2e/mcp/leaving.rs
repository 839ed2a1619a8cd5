//! Calls that nobody wants any more: taken back by their client, or left with the connection.

use anyhow::Result;
use serde_json::{Value, json};
use tests::patience::until;
use tests::server::Server;

use super::{Site, call, offering, post};

fn slow_call(site: &Site, id: u32) -> Value {
    let mut message = call("web__web_get", &json!({"url": site.url()}));
    message["id"] = id.into();
    message
}

fn cancelled(id: u32) -> String {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id, "reason": "enough"}}).to_string()
}

/// How the calls ended that the audit log has, once the server has stopped.
async fn ends(server: Server) -> Result<Vec<String>> {
    let (home, _) = server.stop().await?;
    let log = std::fs::read_to_string(home.path().join("data/audit/audit.jsonl"))?;
    let lines = log.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
    let calls = lines.iter().filter(|line| line["kind"] == "call");
    Ok(calls.filter_map(|line| line["end"].as_str().map(str::to_owned)).collect())
}

#[tokio::test]
async fn a_call_is_taken_back_by_its_own_client_and_leaves_no_answer() -> Result<()> {
    let site = Site::start(true).await?;
    let server = Server::start(&offering(&site.grant())).await?;
    let owner = server.owner();
    let (mine, others) = ([("mcp-session-id", "a")], [("mcp-session-id", "b")]);
    let running = tokio::spawn({
        let (owner, message) = (owner.clone(), slow_call(&site, 7).to_string());
        async move { post(&owner, &[("mcp-session-id", "a")], &message).await }
    });
    until("the call reaches the site", async || Ok(site.came() == 1)).await?;
    assert_eq!(post(&owner, &others, &cancelled(7)).await?.status, 202);
    assert_eq!(post(&owner, &mine, &cancelled(8)).await?.status, 202);
    assert_eq!(site.left(), 0, "another client's, and another of this client's, is not this one");
    assert_eq!(post(&owner, &mine, &cancelled(7)).await?.status, 202);
    let answer = running.await??;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0), "whoever took it back waits for no answer");
    until("the tool's own request ends", async || Ok(site.left() == 1)).await?;
    assert_eq!(ends(server).await?, ["cancelled"]);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_taken_back_ends_without_an_answer() -> Result<()> {
    let site = Site::start(true).await?;
    let server = Server::start(&offering(&site.grant())).await?;
    let mut message = slow_call(&site, 7);
    message["params"]["_meta"] = json!({"progressToken": 1});
    let mut stream = server.owner().stream_with("/mcp", &[("accept", "application/json, text/event-stream")], &message).await?;
    until("the call reaches the site", async || Ok(site.came() == 1)).await?;
    post(&server.owner(), &[], &cancelled(7)).await?.expect(202)?;
    assert!(stream.all().await?.is_empty());
    until("the tool's own request ends", async || Ok(site.left() == 1)).await?;
    Ok(())
}

#[tokio::test]
async fn a_call_whose_client_goes_away_ends_unless_the_operator_lets_it_go_on() -> Result<()> {
    let site = Site::start(true).await?;
    let accept = [("accept", "application/json, text/event-stream")];
    let server = Server::start(&offering(&site.grant())).await?;
    let whole = tokio::spawn({
        let (owner, message) = (server.owner(), slow_call(&site, 1).to_string());
        async move { post(&owner, &[], &message).await }
    });
    until("the call reaches the site", async || Ok(site.came() == 1)).await?;
    whole.abort();
    until("the tool's own request ends", async || Ok(site.left() == 1)).await?;
    let mut message = slow_call(&site, 2);
    message["params"]["_meta"] = json!({"progressToken": 1});
    let stream = server.owner().stream_with("/mcp", &accept, &message).await?;
    until("the next call reaches the site", async || Ok(site.came() == 2)).await?;
    drop(stream);
    until("the tool's own request ends", async || Ok(site.left() == 2)).await?;
    assert_eq!(ends(server).await?, ["cancelled", "cancelled"]);

    let config =
        offering(&site.grant()).replace("[server]\n", "[server]\non-disconnect = \"continue\"\n") + "[plugin.web.limits]\ntime = \"4s\"\n";
    let server = Server::start(&config).await?;
    let stream = server.owner().stream_with("/mcp", &accept, &message).await?;
    until("the call reaches the site", async || Ok(site.came() == 3)).await?;
    drop(stream);
    until("the tool's time is over", async || Ok(site.left() == 3)).await?;
    assert_ne!(ends(server).await?, ["cancelled"]);
    Ok(())
}
