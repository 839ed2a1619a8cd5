//! Who may do what: every operation of the served document with every kind of
//! caller.

use std::net::IpAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::Client;

use crate::operations::{Operation, Place, World, send};

/// The roles, lowest first.
const ROLES: [&str; 5] = ["agent_user", "agent_viewer", "agent_developer", "agent_administrator", "owner"];

/// What is not about one agent: how it answers an administrator of another tenant, and one whose key is limited to
/// another agent. Plugins serve the operator's own tenant unless another one is named, so the tool of the example is
/// not there for others; lists show to each its own.
const OUTSIDE: [(&str, u16, u16); 12] = [
    ("createAgent", 400, 403),
    ("listAgents", 200, 200),
    ("listTools", 200, 200),
    ("getTool", 404, 200),
    ("createTool", 201, 403),
    ("updateTool", 404, 403),
    ("deleteTool", 404, 403),
    ("listLlms", 200, 200),
    ("createChatCompletion", 404, 404),
    ("listModels", 200, 200),
    ("listBots", 200, 200),
    ("postMcpMessage", 200, 403),
];

/// One caller of each kind. Those by role come in the order of [`ROLES`].
#[derive(Clone)]
struct Callers {
    nobody: Client,
    wrong: Client,
    revoked: Client,
    stranger: Client,
    elsewhere: Client,
    other_user: Client,
    roles: Vec<Client>,
    tokens: Vec<String>,
}

impl Callers {
    async fn of(world: &World) -> Result<Self> {
        let with = |text: &str| world.owner.with_key(Some(text));
        let (mut roles, mut tokens) = (Vec::new(), Vec::new());
        for role in ROLES {
            let key = world.key(&json!({"role": role})).await?;
            tokens.push(world.token(&key).await?);
            roles.push(with(&key.1));
        }
        let (id, revoked) = world.key(&json!({"role": "agent_administrator"})).await?;
        world.owner.delete(&format!("/operator/v1/keys/{id}")).await?.expect(204)?;
        world.owner.post("/operator/v1/tenants", &json!({"name": "elsewhere"})).await?.expect(201)?;
        let stranger = world.key(&json!({"role": "agent_administrator", "tenant": "elsewhere"})).await?.1;
        let elsewhere = world.key(&json!({"role": "agent_administrator", "agents": ["agt_another"]})).await?.1;
        let other_user = world.key(&json!({"role": "agent_user"})).await?.1;
        Ok(Self {
            nobody: with("").with_key(None),
            wrong: with("wrd_wrong"),
            revoked: with(&revoked),
            stranger: with(&stranger),
            elsewhere: with(&elsewhere),
            other_user: with(&other_user),
            roles,
            tokens,
        })
    }

    /// The same, where those without a valid key come from this address.
    fn coming_from(&self, address: IpAddr) -> Self {
        let [nobody, wrong, revoked] = [&self.nobody, &self.wrong, &self.revoked].map(|caller| caller.coming_from(address));
        Self { nobody, wrong, revoked, ..self.clone() }
    }
}

#[tokio::test]
async fn every_operation_answers_every_kind_of_caller_as_the_document_says() -> Result<()> {
    let mut world = World::start().await?;
    let callers = Callers::of(&world).await?;
    let (_, operations) = world.operations().await?;
    for (n, operation) in (1_u8..).zip(&operations) {
        // Wrong keys are counted by address; each operation has its own.
        let callers = callers.coming_from([127, 1, 0, n].into());
        let checked = match operation.lowest_role.as_deref() {
            None => open(&mut world, &callers, operation).await,
            Some(role) => guarded(&mut world, &callers, operation, role).await,
        };
        checked.with_context(|| format!("{} {} ({})", operation.method, operation.path, operation.id))?;
    }
    Ok(())
}

/// What needs no key does not look at one either.
async fn open(world: &mut World, callers: &Callers, operation: &Operation) -> Result<()> {
    let place = world.prepare(operation, &world.owner.clone()).await?;
    for caller in [&callers.nobody, &callers.wrong, &callers.revoked, &callers.roles[0]] {
        status(caller, operation, &place, operation.success).await?;
    }
    Ok(())
}

async fn guarded(world: &mut World, callers: &Callers, operation: &Operation, role: &str) -> Result<()> {
    let rank = ROLES.iter().position(|each| *each == role).with_context(|| format!("{role} is not a role"))?;
    let lowest = &callers.roles[rank];
    let place = world.prepare(operation, lowest).await?;

    for caller in [&callers.nobody, &callers.wrong, &callers.revoked] {
        status(caller, operation, &place, 401).await.context("without a valid key")?;
    }
    if let Some(below) = rank.checked_sub(1) {
        status(&callers.roles[below], operation, &place, 403).await.context("a role too low")?;
    } else if operation.path.contains("{session_key}") {
        status(&callers.other_user, operation, &place, 404).await.context("a session that somebody else opened")?;
    }
    let (stranger, limited) = outside(operation, role)?;
    for (who, caller, wanted) in
        [("a key of another tenant", &callers.stranger, stranger), ("a key limited to another agent", &callers.elsewhere, limited)]
    {
        let body = status(caller, operation, &place, wanted).await.context(who)?;
        let shown = body.contains(&place.agent) && wanted < 400 || body.contains(&place.session);
        anyhow::ensure!(!shown, "{who} sees what belongs to others: {body}");
    }

    let lowest = status(lowest, operation, &place, operation.success).await;
    lowest.context("the lowest role; nobody before it may have changed anything")?;
    let token = format!("Bearer {}", callers.tokens[rank]);
    let again = send(&callers.nobody, operation, &place, &[("authorization", &token)]).await?;
    anyhow::ensure!(!matches!(again.status.as_u16(), 401 | 403), "{} with the access token of the lowest role", again.status);
    Ok(())
}

/// What an administrator gets who has nothing to do with the agent: not even that it exists.
fn outside(operation: &Operation, role: &str) -> Result<(u16, u16)> {
    if role == "owner" {
        return Ok((403, 403));
    }
    if operation.is_of_an_agent() {
        return Ok((404, 404));
    }
    let row = OUTSIDE.iter().find(|(id, ..)| *id == operation.id);
    let (_, stranger, limited) = row.context("no test knows what others may see here; give it a row in tests/e2e/roles.rs")?;
    Ok((*stranger, *limited))
}

/// The body of an answer with this status; that of an error has its form.
async fn status(caller: &Client, operation: &Operation, place: &Place, wanted: u16) -> Result<String> {
    let answer = send(caller, operation, place, &[]).await?;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    anyhow::ensure!(answer.status == wanted, "expected {wanted}, got {}: {body}", answer.status);
    if wanted >= 400 {
        let error = answer.json()?;
        anyhow::ensure!(is_of_its_door(&operation.path, &error), "{error}");
    }
    Ok(body)
}

/// Whether an error has the form that clients of this path read.
fn is_of_its_door(path: &str, error: &Value) -> bool {
    let inner = &error["error"];
    if path == "/mcp" {
        error["jsonrpc"] == "2.0" && error["id"].is_null() && inner["message"].is_string() && inner["data"]["request_id"].is_string()
    } else if !path.starts_with("/v1/") {
        error["messages"].is_array() && error["request_id"].is_string() && error["code"].is_string()
    } else if path.starts_with("/v1/aibot/") && !path.ends_with("/openai/chat/completions") || path.starts_with("/v1/agui/") {
        error["requestId"].is_string()
            && error["code"].is_string()
            && inner["code"] == error["code"]
            && inner["message"] == error["message"]
    } else {
        inner["message"].is_string() && inner["type"].is_string()
    }
}

/// The rows of the table on the page about the API.
fn rows(page: &str) -> Vec<&str> {
    page.lines().filter(|line| ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().any(|m| line.starts_with(&format!("| `{m} ")))).collect()
}

#[tokio::test]
async fn the_page_about_the_api_names_the_lowest_role_of_every_operation() -> Result<()> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../host/docs/api.md"))?;
    let golden = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../host/crates/api/golden/openapi.json"))?;
    let document: Value = serde_json::from_str(&golden)?;
    let operations = crate::operations::all(&document)?;
    let wanted: Vec<String> = operations
        .iter()
        .map(|Operation { method, path, lowest_role, .. }| {
            format!("| `{method} {path}` | {} |", lowest_role.as_deref().unwrap_or("no key"))
        })
        .collect();
    let shown = rows(&page);
    for row in &wanted {
        assert!(shown.contains(&row.as_str()), "host/docs/api.md lacks this row under \"Roles\":\n{row}");
    }
    for row in shown {
        assert!(wanted.iter().any(|wanted| wanted == row), "host/docs/api.md has a row that is not so:\n{row}");
    }
    Ok(())
}
