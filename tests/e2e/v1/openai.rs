//! Chat completions and models, on the wire.

use std::sync::Arc;

use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::fake_model::{FakeModel, Gate, Reply, call, text};
use tests::patience::until;
use tests::server::{Server, config, session};

const CHAT: &str = "/v1/chat/completions";

/// A server with an agent `bot` that has a calculator, whose calls need a person's word if `asked`.
struct World {
    model: FakeModel,
    owner: Client,
    _server: Server,
}

impl World {
    async fn start(asked: bool) -> Result<Self> {
        let model = FakeModel::start().await?;
        let approve = if asked { "[plugin.calculator]\napprove = \"always\"\napprover = \"client\"\n" } else { "" };
        let server = Server::start(&format!("{}{approve}", config(&model.base_url))).await?;
        let owner = server.owner();
        let tools = json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}});
        session(&owner, "bot", &tools).await?;
        Ok(Self { model, owner, _server: server })
    }

    /// Asks without a stream.
    async fn ask(&self, body: &Value) -> Result<Value> {
        self.owner.post(CHAT, body).await?.expect(200)
    }

    /// Waits until so many turns were interrupted.
    async fn interrupted(&self, wanted: usize) -> Result<()> {
        ended(&self.owner, "interrupted", wanted).await
    }
}

/// Turns that ended in this way so far.
async fn turns(owner: &Client, how: &str) -> Result<usize> {
    let metrics = String::from_utf8(owner.get("/metrics").await?.body.to_vec())?;
    let name = format!("wardian_turns_total{{how=\"{how}\"}} ");
    Ok(metrics.lines().find_map(|line| line.strip_prefix(&name)).map(str::parse).transpose()?.unwrap_or_default())
}

/// Waits until so many turns ended in this way.
async fn ended(owner: &Client, how: &str, wanted: usize) -> Result<()> {
    until(&format!("{wanted} turns ended so: {how}"), async || Ok(turns(owner, how).await? == wanted)).await
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn locate() -> Value {
    let parameters = json!({"type": "object", "properties": {"exact": {"type": "boolean"}}});
    json!([{"type": "function", "function": {"name": "locate", "description": "Where the user is.", "parameters": parameters}}])
}

/// The chunks of a whole stream, after a look at its framing.
fn chunks(answer: &Answer) -> Result<Vec<Value>> {
    anyhow::ensure!(answer.status == 200, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.headers["content-type"], "text/event-stream; charset=utf-8");
    let body = std::str::from_utf8(&answer.body)?;
    assert!(body.is_ascii() && !body.contains('\r'), "{body}");
    let rest = body.strip_suffix("data: [DONE]\n\n").with_context(|| format!("the stream ends otherwise: {body}"))?;
    let frames = rest.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
    frames.map(|frame| Ok(serde_json::from_str(frame.strip_prefix("data: ").context("no data line")?)?)).collect()
}

async fn stream(caller: &Client, body: &Value) -> Result<Vec<Value>> {
    let mut body = body.clone();
    body["stream"] = true.into();
    chunks(&caller.post(CHAT, &body).await?)
}

/// The words of all chunks together.
fn words(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

fn error(answer: &Answer) -> Result<(u16, String, String, Value)> {
    let body = answer.json()?;
    let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    assert!(!text("message").is_empty(), "{body}");
    Ok((answer.status.as_u16(), text("type"), text("code"), body["error"]["param"].clone()))
}

#[tokio::test]
async fn an_answer_in_one_piece_has_the_standard_shape() -> Result<()> {
    let world = World::start(false).await?;
    world.model.queue([text("Mount it first.")]);
    let messages = json!([{"role": "system", "content": "Speak like a sailor."}, user("How?")]);
    let answer = world.ask(&json!({"model": "bot", "messages": messages, "temperature": 0.1})).await?;
    let id = answer["id"].as_str().context("an id")?;
    assert!(id.starts_with("chatcmpl-"), "{answer}");
    let message = json!({"role": "assistant", "content": "Mount it first.", "refusal": null});
    let wanted = json!({
        "id": id, "object": "chat.completion", "created": answer["created"], "model": "bot",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 210, "completion_tokens": 9, "total_tokens": 219,
            "prompt_tokens_details": {"cached_tokens": 100}, "completion_tokens_details": {"reasoning_tokens": 0},
        },
    });
    assert_eq!(answer, wanted);
    let system = world.model.requests()[0]["messages"][0]["content"].to_string();
    assert!(system.contains("Be brief.") && system.contains("Speak like a sailor."), "{system}");
    Ok(())
}

#[tokio::test]
async fn a_stream_begins_with_the_role_and_ends_with_the_reason_the_usage_and_done() -> Result<()> {
    let world = World::start(false).await?;
    world.model.queue([text("Caf\u{e9} first.")]);
    let body = json!({"model": "bot", "messages": [user("How?")], "stream_options": {"include_usage": true}});
    let chunks = stream(&world.owner, &body).await?;
    let first = &chunks[0];
    assert_eq!(first["choices"][0]["delta"], json!({"role": "assistant", "content": "", "refusal": null}));
    for chunk in &chunks {
        let common = [&chunk["id"], &chunk["object"], &chunk["model"], &chunk["created"]];
        assert_eq!(common, [&first["id"], &json!("chat.completion.chunk"), &json!("bot"), &first["created"]]);
    }
    assert_eq!(words(&chunks), "Caf\u{e9} first.");
    let [.., reason, usage] = &chunks[..] else { anyhow::bail!("{chunks:?}") };
    assert_eq!(reason["choices"], json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"}]));
    assert_eq!((&usage["choices"], &usage["usage"]["total_tokens"]), (&json!([]), &json!(219)));
    assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk["usage"].is_null()));
    Ok(())
}

#[tokio::test]
async fn the_agent_s_tools_run_inside_and_the_client_s_go_to_the_client_and_back() -> Result<()> {
    let world = World::start(false).await?;
    let both = Reply::Calls(vec![("calc".into(), r#"{"expression":"6*7"}"#.into()), ("locate".into(), r#"{"exact": true}"#.into())]);
    for streamed in [false, true] {
        world.model.queue([both.clone()]);
        let mut body = json!({"model": "bot", "messages": [user("Where am I?")], "tools": locate()});
        let calls = if streamed {
            let chunks = stream(&world.owner, &body).await?;
            assert_eq!(chunks.last().context("a chunk")?["choices"][0]["finish_reason"], "tool_calls");
            let deltas: Vec<&Value> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"].get("tool_calls")).collect();
            let [names, arguments] = deltas[..] else { anyhow::bail!("{deltas:?}") };
            assert_eq!((&names[0]["index"], &names[0]["function"]["name"]), (&json!(0), &json!("locate")));
            assert_eq!(*arguments, json!([{"index": 0, "function": {"arguments": "{\"exact\":true}"}}]));
            json!([{"id": names[0]["id"], "type": "function", "function": {"name": "locate", "arguments": "{\"exact\":true}"}}])
        } else {
            let answer = world.ask(&body).await?;
            assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
            assert_eq!(answer["choices"][0]["message"]["content"], Value::Null);
            answer["choices"][0]["message"]["tool_calls"].clone()
        };
        let messages = body["messages"].as_array_mut().context("messages")?;
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
        messages.push(json!({"role": "tool", "tool_call_id": calls[0]["id"], "content": "Oslo"}));
        world.model.queue([text("You are in Oslo.")]);
        let answer = world.ask(&body).await?;
        assert_eq!(answer["choices"][0]["message"]["content"], "You are in Oslo.");
        let asked = world.model.requests().pop().context("a request")?;
        let roles: Vec<&str> = asked["messages"].as_array().context("messages")?.iter().filter_map(|m| m["role"].as_str()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "tool"], "{asked}");
        assert!(asked["messages"][3]["content"].as_str().is_some_and(|text| text.contains("Oslo")), "{asked}");
    }
    world.interrupted(2).await.context("what waits for the client is over with the answer")
}

#[tokio::test]
async fn a_history_is_shown_to_the_model_as_it_was_said_and_its_request_is_a_hidden_session() -> Result<()> {
    let world = World::start(false).await?;
    world.model.queue([call("calc", json!({"expression": "6*7"})), text("Still 42.")]);
    let messages = json!([user("What is 6*7?"), {"role": "assistant", "content": "42."}, user("Are you sure?")]);
    let answer = world.ask(&json!({"model": "bot", "messages": messages})).await?;
    assert_eq!(answer["choices"][0]["message"]["content"], "Still 42.");
    assert_eq!(answer["usage"]["total_tokens"], 438, "both model calls count");
    let said = world.model.requests()[0]["messages"].clone();
    let said: Vec<&str> = said.as_array().context("messages")?.iter().skip(1).filter_map(|m| m["content"].as_str()).collect();
    assert_eq!(said, ["What is 6*7?", "42.", "Are you sure?"]);

    let listed = world.owner.get("/v2/agents/bot/sessions?limit=100").await?.expect(200)?.to_string();
    assert!(!listed.contains("chat_"), "{listed}");
    let key = answer["id"].as_str().context("an id")?.replace("chatcmpl-", "chat_");
    let session = world.owner.get(&format!("/v2/agents/bot/sessions/{key}")).await?.expect(200)?;
    assert_eq!(session["tti_minutes"], 60, "{session}");
    Ok(())
}

#[tokio::test]
async fn where_nobody_can_be_asked_a_call_that_needs_approval_is_an_error_and_the_turn_is_over() -> Result<()> {
    let world = World::start(true).await?;
    for streamed in [false, true] {
        world.model.queue([call("calc", json!({"expression": "6*7"}))]);
        let answer = world.owner.post(CHAT, &json!({"model": "bot", "messages": [user("6*7?")], "stream": streamed})).await?;
        let (status, kind, code, _) = error(&answer)?;
        assert_eq!((status, &*kind, &*code), (403, "permission_error", "approval_required"));
    }
    world.interrupted(2).await?;
    let waiting = world.owner.get("/operator/v1/approvals").await?.expect(200)?;
    assert_eq!(waiting["approvals"], json!([]), "{waiting}");
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_client_s_own_form() -> Result<()> {
    let world = World::start(false).await?;
    let good = json!({"model": "bot", "messages": [user("Hi")]});
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body
    };
    let clash = json!([{"type": "function", "function": {"name": "calc"}}]);
    let dangling = json!([user("Hi"), {"role": "tool", "tool_call_id": "c9", "content": "x"}]);
    for (body, wanted) in [
        (with("model", json!("gpt-4.1")), (404, "model_not_found", json!("model"))),
        (with("model", Value::Null), (400, "invalid_request", json!("model"))),
        (with("messages", json!([])), (400, "invalid_request", json!("messages"))),
        (with("messages", dangling), (400, "invalid_request", json!("messages"))),
        (with("n", json!(2)), (400, "invalid_request", json!("n"))),
        (with("tools", clash), (400, "invalid_request", json!("tools"))),
        (with("stream", json!(1)), (400, "invalid_request", json!("stream"))),
    ] {
        let (status, kind, code, param) = error(&world.owner.post(CHAT, &body).await?)?;
        assert_eq!((status, &*code, param), wanted, "{body}");
        assert_eq!(kind, "invalid_request_error");
    }
    let (status, kind, code, _) = error(&world.owner.with_key(None).post(CHAT, &good).await?)?;
    assert_eq!((status, &*kind, &*code), (401, "authentication_error", "invalid_api_key"));
    let (status, ..) = error(&world.owner.send(Method::POST, CHAT, &[("content-type", "text/plain")], "{}".into()).await?)?;
    assert_eq!(status, 415);
    world.model.always(Reply::Error(400, "no".into()));
    for streamed in [false, true] {
        let (status, kind, ..) = error(&world.owner.post(CHAT, &with("stream", json!(streamed))).await?)?;
        assert_eq!((status, &*kind), (500, "server_error"));
    }
    Ok(())
}

#[tokio::test]
async fn what_fails_after_the_first_words_ends_the_stream_with_an_error() -> Result<()> {
    let home = Arc::new(tempfile::tempdir()?);
    std::fs::write(
        home.path().join("replies.toml"),
        "[[turn]]\nreply = [{ text = 'Half a story', error = 'nonsense', word_delay_ms = 300 }]\n",
    )?;
    let config = "data = \"data\"\n[models.default]\nprovider = \"scripted\"\nscript = \"replies.toml\"\n";
    let server = Server::start_in(home, config, &[]).await?;
    session(&server.owner(), "bot", &json!({})).await?;
    let chunks = stream(&server.owner(), &json!({"model": "bot", "messages": [user("Hi")]})).await?;
    assert_eq!(words(&chunks), "Half a story");
    let last = chunks.last().context("a chunk")?;
    assert_eq!(last["error"]["type"], "server_error", "{last}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_goes_away_stops_its_turn() -> Result<()> {
    let world = World::start(false).await?;
    let gate = Gate::default();
    for (stopped, streamed) in [(1, true), (2, false)] {
        world.model.queue([Reply::Halves("Once ".into(), gate.clone(), "upon a time.".into())]);
        let body = json!({"model": "bot", "messages": [user("Tell me a story.")], "stream": streamed});
        let asked = tokio::time::timeout(std::time::Duration::from_secs(20), world.owner.stream(CHAT, &body));
        if streamed {
            drop(asked.await??);
        } else {
            tokio::select! {
                _ = asked => anyhow::bail!("answered before the model was"),
                asked = world.model.asked(stopped) => asked?,
            }
        }
        world.interrupted(stopped).await?;
    }
    Ok(())
}

/// Asks for a stream and goes away with the first frame that holds this; the key of the session in which the turn is.
async fn left_at(caller: &Client, body: &Value, moment: &str) -> Result<String> {
    let mut stream = caller.stream(CHAT, body).await?;
    while let Some(frame) = stream.raw().await? {
        if frame.contains(moment) {
            let all: Value = serde_json::from_str(frame.trim().strip_prefix("data: ").context("no data line")?).unwrap_or_default();
            return Ok(all["id"].as_str().unwrap_or_default().replace("chatcmpl-", "chat_"));
        }
    }
    anyhow::bail!("no {moment} in the stream")
}

/// Waits until no turn runs in a session.
async fn stopped(owner: &Client, key: &str) -> Result<()> {
    let session = format!("/v2/agents/bot/sessions/{key}");
    until(&format!("the turn of {key} ends"), async || Ok(owner.get(&session).await?.expect(200)?["status"] == "stopped")).await
}

#[tokio::test]
async fn a_client_may_go_away_at_each_frame_and_no_turn_is_left() -> Result<()> {
    let world = World::start(false).await?;
    let body = json!({"model": "bot", "messages": [user("Where am I?")], "tools": locate(), "stream": true});
    let mut interrupted = 0;
    for (moment, ends_by_itself) in [
        ("\"role\":\"assistant\"", false),
        ("\"content\":\"one ", false),
        ("\"tool_calls\":[", false),
        ("\"finish_reason\":\"tool_calls\"", false),
        ("\"finish_reason\":\"stop\"", true),
    ] {
        let gate = Gate::default();
        world.model.queue([match moment {
            calls if calls.contains("tool_calls") => call("locate", json!({"exact": true})),
            _ if ends_by_itself => text("one two"),
            _ => Reply::Halves("one ".into(), gate.clone(), "two".into()),
        }]);
        let key = left_at(&world.owner, &body, moment).await.with_context(|| moment.to_owned())?;
        stopped(&world.owner, &key).await.with_context(|| moment.to_owned())?;
        interrupted += usize::from(!ends_by_itself);
        world.interrupted(interrupted).await.with_context(|| moment.to_owned())?;
        gate.open();
    }
    world.model.queue([text("Still here.")]);
    assert_eq!(words(&stream(&world.owner, &body).await?), "Still here.");
    Ok(())
}

#[tokio::test]
async fn a_client_may_go_away_at_an_error_that_ends_its_stream() -> Result<()> {
    let home = Arc::new(tempfile::tempdir()?);
    let script = "[[turn]]\nreply = [{ text = 'Half a story', error = 'nonsense', word_delay_ms = 300 }]\n";
    std::fs::write(home.path().join("replies.toml"), script)?;
    let config = "data = \"data\"\n[models.default]\nprovider = \"scripted\"\nscript = \"replies.toml\"\n";
    let server = Server::start_in(home, config, &[]).await?;
    session(&server.owner(), "bot", &json!({})).await?;
    let body = json!({"model": "bot", "messages": [user("Hi")], "stream": true});
    left_at(&server.owner(), &body, "\"error\":").await?;
    ended(&server.owner(), "failed", 1).await?;
    assert_eq!(turns(&server.owner(), "interrupted").await?, 0, "what is over is stopped by nobody");
    Ok(())
}

#[tokio::test]
async fn models_are_the_agents_that_the_caller_may_use() -> Result<()> {
    let world = World::start(false).await?;
    session(&world.owner, "other", &json!({})).await?;
    session(&world.owner, "resting", &json!({})).await?;
    world.owner.patch("/v2/agents/resting", &json!({"enabled": false})).await?.expect(200)?;
    let models = world.owner.get("/v1/models").await?.expect(200)?;
    assert_eq!(models["object"], "list");
    let ids = |models: &Value| -> Vec<Value> { models["data"].as_array().into_iter().flatten().map(|model| model["id"].clone()).collect() };
    let shown = ids(&models);
    assert!(shown.ends_with(&["bot".into(), "other".into()]), "{shown:?}");
    let bot = world.owner.get("/v1/models/bot").await?.expect(200)?;
    assert_eq!(bot, models["data"][shown.len() - 2]);
    assert_eq!((&bot["object"], &bot["owned_by"]), (&json!("model"), &json!("wardian")));
    for missing in ["nothing", "resting", "gpt-4.1"] {
        assert_eq!(error(&world.owner.get(&format!("/v1/models/{missing}")).await?)?.2, "model_not_found");
    }
    let key = world.owner.post("/operator/v1/keys", &json!({"role": "agent_user", "agents": ["other"]})).await?.expect(201)?;
    let limited = world.owner.with_key(key["key"].as_str());
    assert_eq!(ids(&limited.get("/v1/models").await?.expect(200)?), ["other"]);
    world.model.always(text("Hello."));
    let asks = |model: &str| json!({"model": model, "messages": [user("Hi")]});
    limited.post(CHAT, &asks("other")).await?.expect(200)?;
    assert_eq!(error(&limited.post(CHAT, &asks("bot")).await?)?.0, 404);
    let answer = limited.post("/v1/aibot/bots/other/openai/chat/completions", &asks("whatever")).await?.expect(200)?;
    assert_eq!(answer["model"], "whatever");
    let answer = limited.post("/v1/aibot/bots/bot/openai/chat/completions", &asks("other")).await?;
    assert_eq!(error(&answer)?.2, "model_not_found");
    Ok(())
}
