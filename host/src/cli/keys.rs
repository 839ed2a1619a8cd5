//! `wardian keys`: who may call the API.

use http::Method;
use serde_json::{Value, json};

use super::access::Access;
use super::table;
use crate::config::Settings;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a key; it is shown once and never again. Its id and itself are client_id and client_secret of OAuth
    #[command(after_help = "\
Roles, each with everything the ones before it may do:
  agent_user            opens sessions and talks in them, sees its own sessions
  agent_viewer          reads everything
  agent_developer       changes agents and sessions
  agent_administrator   makes, replaces and deletes agents
  owner                 everything, the server itself included

Examples:
  wardian keys create --role agent_user --agent agt_customer_support --label 'web shop'
  wardian keys create --tenant acme --role agent_administrator")]
    Create {
        /// What it may do
        #[arg(long, value_parser = ["agent_user", "agent_viewer", "agent_developer", "agent_administrator", "owner"])]
        role: String,
        /// For which tenant; `wardian tenants create` makes one
        #[arg(long, default_value = policy::OPERATOR_TENANT)]
        tenant: String,
        /// The only agent it may see; repeat it for several
        #[arg(long = "agent", value_name = "AGENT")]
        agents: Vec<String>,
        /// The end user it stands for
        #[arg(long)]
        subject: Option<String>,
        /// What you will know it by
        #[arg(long)]
        label: Option<String>,
    },
    /// List the keys, without their texts; an id is the client_id of OAuth too
    List {
        /// Of this tenant only
        #[arg(long)]
        tenant: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key: requests at once, open streams within seconds
    Revoke {
        /// Its id, as the list shows it
        id: String,
    },
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach(&settings).await?;
    let done = match command {
        Command::Create { role, tenant, agents, subject, label } => {
            let agents = Some(agents).filter(|agents| !agents.is_empty());
            create(&server, &tenant, json!({ "role": role, "tenant": tenant, "agents": agents, "subject": subject, "label": label })).await
        }
        Command::List { tenant, json } => list(&server, tenant.as_deref(), json).await,
        Command::Revoke { id } => {
            server.json(Method::DELETE, &format!("/operator/v1/keys/{id}"), None).await.map(|_| println!("revoked {id}"))
        }
    };
    server.close().await;
    done
}

async fn create(server: &Access, tenant: &str, mut key: Value) -> anyhow::Result<()> {
    if let Some(members) = key.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let made = server.json(Method::POST, "/operator/v1/keys", Some(&key)).await?;
    let id = made["id"].as_str().unwrap_or_default();
    eprintln!("key {id} for tenant {tenant}; it is shown this once (for OAuth: client_id {id}, client_secret is the key):");
    println!("{}", made["key"].as_str().unwrap_or_default());
    Ok(())
}

async fn list(server: &Access, tenant: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let query = tenant.map(|tenant| format!("?tenant={}", super::agents::encoded(tenant))).unwrap_or_default();
    let answer = server.json(Method::GET, &format!("/operator/v1/keys{query}"), None).await?;
    if as_json {
        println!("{:#}", answer["keys"]);
        return Ok(());
    }
    let text = |key: &Value, member: &str| key[member].as_str().unwrap_or("-").to_owned();
    let agents = |key: &Value| match key["agents"].as_array() {
        Some(agents) => agents.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        None => "all".to_owned(),
    };
    let row = |key: &Value| {
        [
            text(key, "id"),
            text(key, "tenant"),
            text(key, "role"),
            agents(key),
            text(key, "subject"),
            text(key, "label"),
            text(key, "created_at"),
        ]
    };
    let rows: Vec<_> = answer["keys"].as_array().into_iter().flatten().map(row).collect();
    table::print(["ID", "TENANT", "ROLE", "AGENTS", "SUBJECT", "LABEL", "CREATED"], &rows);
    Ok(())
}
