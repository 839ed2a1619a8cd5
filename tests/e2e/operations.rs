//! Every operation of the served document, and a world in which each can be
//! called: what the tests of roles and of examples share. An operation that is
//! added later is found by itself; where it needs something that is not here,
//! the error says which row to add.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::fake_model::{FakeModel, call, text};
use tests::server::{Server, config, say, session};

/// One operation as the document describes it.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// None where no key is needed.
    pub(crate) lowest_role: Option<String>,
    /// The status of its success.
    pub(crate) success: u16,
    /// The whole of it.
    pub(crate) text: Value,
}

/// All operations of a document, in its order.
pub(crate) fn all(document: &Value) -> Result<Vec<Operation>> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().context("paths")? {
        for (method, text) in methods.as_object().context("methods")? {
            let responses = text["responses"].as_object().context("responses")?;
            let success = responses.keys().find(|status| status.starts_with('2')).context("a success")?;
            found.push(Operation {
                id: text["operationId"].as_str().context("operationId")?.to_owned(),
                method: method.to_uppercase().parse()?,
                path: path.clone(),
                lowest_role: text["x-lowest-role"].as_str().map(str::to_owned),
                success: success.parse()?,
                text: text.clone(),
            });
        }
    }
    anyhow::ensure!(found.len() >= 40, "only {} operations in the document", found.len());
    Ok(found)
}

impl Operation {
    /// Whether it is about one agent and what belongs to it.
    pub(crate) fn is_of_an_agent(&self) -> bool {
        self.path.contains("{agent_key}") || self.path.contains("{agent_id}")
    }

    /// The media type and the example of its body.
    pub(crate) fn body(&self) -> Result<Option<(&str, &Value)>> {
        let Some((kind, media)) = self.text["requestBody"]["content"].as_object().and_then(|kinds| kinds.iter().next()) else {
            return Ok(None);
        };
        let example = &media["example"];
        anyhow::ensure!(!example.is_null(), "the body of {} has no example; give its schema one in openapi/schemas.rs", self.id);
        Ok(Some((kind, example)))
    }

    /// Its parameters at this place that have to be there.
    fn parameters(&self, place: &str) -> impl Iterator<Item = &Value> {
        let all = self.text["parameters"].as_array().into_iter().flatten();
        all.filter(move |parameter| parameter["in"] == place && parameter["required"] == true)
    }
}

/// A server with one of everything.
pub(crate) struct World {
    /// Lives as long as the world.
    _server: Server,
    pub(crate) owner: Client,
    model: FakeModel,
    made: usize,
}

/// What an operation is called with.
pub(crate) struct Place {
    /// The agent that was made for it.
    pub(crate) agent: String,
    /// The session of that agent.
    pub(crate) session: String,
    path: String,
    body: Option<(String, Bytes)>,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        let model = FakeModel::start().await?;
        model.always(text("Mount it first."));
        let approvals = "[plugin.calculator]\napprove = \"always\"\napprover = \"client\"\n";
        let server = Server::start(&format!("{}{approvals}", config(&model.base_url))).await?;
        let owner = server.owner();
        Ok(Self { _server: server, owner, model, made: 0 })
    }

    pub(crate) async fn operations(&self) -> Result<(Value, Vec<Operation>)> {
        let document = self.owner.get("/v2/openapi.json").await?.expect(200)?;
        let operations = all(&document)?;
        Ok((document, operations))
    }

    /// A key of the server's own tenant: its id and its text.
    pub(crate) async fn key(&self, members: &Value) -> Result<(String, String)> {
        let made = self.owner.post("/operator/v1/keys", members).await?.expect(201)?;
        Ok((string(&made["id"])?, string(&made["key"])?))
    }

    /// An access token for a key.
    pub(crate) async fn token(&self, (id, secret): &(String, String)) -> Result<String> {
        let body = json!({"client_id": id, "client_secret": secret});
        string(&self.owner.with_key(None).post("/oauth/token", &body).await?.expect(200)?["access_token"])
    }

    /// Makes what an operation needs, new for each: a session that `caller` opened and spoke in, and the rest by need.
    pub(crate) async fn prepare(&mut self, operation: &Operation, caller: &Client) -> Result<Place> {
        self.made += 1;
        let agent = format!("agt_made_{}", self.made);
        // Examples make the agent of the seeds themselves.
        self.owner.delete("/v2/agents/agt_customer_support").await?;
        let tools = json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}});
        session(&self.owner, &agent, &tools).await?;
        let made = caller.post(&format!("/v2/agents/{agent}/sessions"), &json!({})).await?.expect(201)?;
        let session = string(&made["key"])?;
        let events = format!("/v2/agents/{agent}/sessions/{session}/events");
        if operation.id == "decideApproval" {
            self.model.queue([call("calc", json!({"expression": "6*7"}))]);
        }
        let turn = caller.post(&events, &say("I'm having trouble with my widget.")).await?.expect(201)?;
        let event = string(&turn["events"].as_array().and_then(|events| events.last()).context("an event")?["id"])?;

        let mut path = operation.path.clone();
        for parameter in operation.parameters("path") {
            let name = string(&parameter["name"])?;
            let value = match &*name {
                "agent_key" | "agent_id" => agent.clone(),
                "session_key" | "conversation_id" => session.clone(),
                "event_id" => event.clone(),
                "tool_id" if operation.method == Method::GET => "tol_calculator_calculate".to_owned(),
                "tool_id" => {
                    let tool = json!({"type": "client", "name": format!("made_{}", self.made), "description": "Of the client."});
                    string(&self.owner.post("/v2/tools", &tool).await?.expect(201)?["id"])?
                }
                "key_id" => self.key(&json!({"role": "agent_user"})).await?.0,
                "plugin" => "calculator".to_owned(),
                "grant" => {
                    let grant = json!({"plugin": "web", "grant": {"http": [{"host": "api.example.com"}]}, "for": "10m"});
                    string(&self.owner.post("/operator/v1/grants", &grant).await?.expect(201)?["id"])?
                }
                _ => bail!("{}: no test knows a value for {{{name}}}; give it a row in tests/e2e/operations.rs", operation.id),
            };
            path = path.replace(&format!("{{{name}}}"), &value);
        }
        for (at, parameter) in operation.parameters("query").enumerate() {
            let (name, example) = (string(&parameter["name"])?, &parameter["example"]);
            let example = example.as_str().with_context(|| format!("{}: the parameter {name} has no example", operation.id))?;
            path += &format!("{}{name}={}", if at == 0 { '?' } else { '&' }, example.replace(' ', "%20"));
        }
        Ok(Place { body: self.body(operation, &agent, &event).await?, agent, session, path })
    }

    /// The example of the body, with this agent, this event and what only this server can know put in.
    async fn body(&self, operation: &Operation, agent: &str, event: &str) -> Result<Option<(String, Bytes)>> {
        let Some((kind, example)) = operation.body()? else { return Ok(None) };
        let mut body = example.clone();
        match &*operation.id {
            "createToken" | "createTokenByJson" => {
                let (id, secret) = self.key(&json!({"role": "agent_user"})).await?;
                (body["client_id"], body["client_secret"]) = (id.into(), secret.into());
            }
            "createChatCompletion" => body["model"] = agent.into(),
            "createFeedback" => body["recordId"] = event.into(),
            "acceptPlugin" => {
                let found = self.owner.get("/operator/v1/plugins/calculator/changes").await?.expect(200)?["found"].clone();
                for (name, value) in body.as_object_mut().context("digests")? {
                    *value = found[name].clone();
                }
            }
            _ => {}
        }
        let text = if kind == "application/json" {
            body.to_string()
        } else {
            let pairs = body.as_object().context("a form")?.iter();
            pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect::<Vec<_>>().join("&")
        };
        Ok(Some((kind.to_owned(), text.into())))
    }
}

/// Calls an operation as prepared; `headers` are the caller's own.
pub(crate) async fn send(caller: &Client, operation: &Operation, place: &Place, headers: &[(&str, &str)]) -> Result<Answer> {
    let (mut headers, mut body) = (headers.to_vec(), Bytes::new());
    if let Some((kind, text)) = &place.body {
        headers.push(("content-type", kind));
        body = text.clone();
    }
    caller.send(operation.method.clone(), &place.path, &headers, body).await
}

pub(crate) fn string(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("not a string: {value}"))
}
