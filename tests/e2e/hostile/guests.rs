//! The guests of `tests/hostile` in one running server: dropped into its plugin
//! directory, called by a model, and gone without a trace afterwards.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::client::Client;
use tests::fake_model::{FakeModel, Reply, call, text};
use tests::patience::until;
use tests::server::{Server, config, say, session};

use super::settled;
use crate::hostiles::{Ends, Guest, POLICY};

/// A server with hostile guests, and the model that calls them.
struct Greenhouse {
    server: Server,
    model: FakeModel,
}

impl Greenhouse {
    /// With these guests, once the server has looked at all of them.
    async fn with(guests: &[Guest]) -> Result<Self> {
        let model = FakeModel::start().await?;
        let server = Server::start(&format!("{}\n{POLICY}", config(&model.base_url))).await?;
        let place = Self { server, model };
        for guest in guests {
            place.server.install(&guest.name, &guest.bytes())?;
        }
        for guest in guests {
            let plugin = settled(&place.owner(), &guest.name).await?;
            match &guest.ends {
                Ends::Refused(words) => {
                    let why = plugin["reason"].as_str().unwrap_or_default();
                    assert!(plugin["state"] == "refused" && why.contains(words), "{}: {plugin}", guest.name);
                }
                Ends::Called(_) => assert_eq!(plugin["state"], "ready", "{}: {plugin}", guest.name),
            }
        }
        Ok(place)
    }

    fn owner(&self) -> Client {
        self.server.owner()
    }

    /// One turn of an agent that calls the tool `act` of all these plugins in one step: the outputs by name.
    async fn turn(&self, agent: &str, plugins: &[&str]) -> Result<BTreeMap<String, Value>> {
        let bindings: serde_json::Map<String, Value> = plugins
            .iter()
            .map(|name| ((*name).to_owned(), json!({"type": "dynamic_vectara", "tool_id": format!("tol_{name}_act")})))
            .collect();
        let path = session(&self.owner(), agent, &Value::Object(bindings)).await?;
        let calls = plugins.iter().map(|name| ((*name).to_owned(), "{}".to_owned())).collect();
        self.model.queue([Reply::Calls(calls), text("the turn went on")]);
        let answer = self.owner().post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
        assert!(answer.to_string().contains("the turn went on"), "{answer}");
        let events = answer["events"].as_array().context("events")?;
        let outputs = events.iter().filter(|event| event["type"] == "tool_output");
        outputs.map(|event| Ok((event["tool_configuration_name"].as_str().context("a name")?.to_owned(), event.clone()))).collect()
    }

    /// A turn in which the shipped calculator is called.
    async fn good_turn(&self, agent: &str) -> Result<()> {
        let path =
            session(&self.owner(), agent, &json!({"calc": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}})).await?;
        self.model.queue([call("calc", json!({"expression": "2*3"})), text("6")]);
        let answer = self.owner().post(&format!("{path}/events"), &say("go")).await?.expect(201)?;
        assert!(answer.to_string().contains("\"error\":false"), "{answer}");
        Ok(())
    }

    /// Calls every guest that is called, a threat at a time, and looks at how it ended.
    async fn call_all(&self, guests: &[Guest], round: u32) -> Result<()> {
        let mut rows: BTreeMap<&str, Vec<&Guest>> = BTreeMap::new();
        for guest in guests.iter().filter(|guest| matches!(guest.ends, Ends::Called(_))) {
            rows.entry(&guest.row).or_default().push(guest);
        }
        for (row, guests) in rows {
            let names: Vec<&str> = guests.iter().map(|guest| guest.name.as_str()).collect();
            let outputs = self.turn(&format!("{row}_{round}"), &names).await?;
            for guest in guests {
                let output = outputs.get(&guest.name).with_context(|| format!("{} has an output", guest.name))?;
                ended_as_told(guest, output);
            }
        }
        self.good_turn(&format!("good_{round}")).await
    }
}

fn ended_as_told(guest: &Guest, output: &Value) {
    let Ends::Called(words) = &guest.ends else { return };
    let word = if output["error"] == false { "done" } else { output["tool_output"]["error"]["reason"].as_str().unwrap_or_default() };
    assert!(words.iter().any(|told| told == word), "{} ended with {output}", guest.name);
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    threads: usize,
    files: usize,
    children: usize,
    resident_kib: u64,
}

impl Held {
    fn by(pid: u32) -> Result<Self> {
        let entries = |what: &str| Ok::<_, std::io::Error>(fs::read_dir(format!("/proc/{pid}/{what}"))?.count());
        let mut children = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            children += fs::read_to_string(task.path().join("children")).unwrap_or_default().split_whitespace().count();
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse().ok());
        Ok(Self { threads: entries("task")?, files: entries("fd")?, children, resident_kib: resident.context("VmRSS")? })
    }

    /// Whether this is no more than before, as far as that can be said of threads that come and go.
    fn is_back_to(&self, before: &Self) -> bool {
        const RESIDENT_KIB_MORE: u64 = 16 << 10;
        self.threads <= before.threads
            && self.files <= before.files
            && self.children == 0
            && self.resident_kib <= before.resident_kib + RESIDENT_KIB_MORE
    }
}

#[tokio::test]
async fn every_hostile_guest_ends_as_it_should_and_leaves_nothing_behind() -> Result<()> {
    let guests = Guest::all();
    let place = Greenhouse::with(&guests).await?;
    let pid = place.server.pid().context("it runs")?;
    // The first round also fills the pools and caches that are meant to stay.
    place.call_all(&guests, 1).await?;
    let before = Held::by(pid)?;
    place.call_all(&guests, 2).await?;
    let back = until("it holds no more than before", async || Ok(Held::by(pid)?.is_back_to(&before))).await;
    back.with_context(|| format!("before the second round {before:?}, after it {:?}", Held::by(pid)))?;
    let said = place.server.output();
    assert!(!said.contains("panicked at host") && !said.contains("host_fault"), "{said}");
    place.server.ready().await
}

#[tokio::test]
async fn a_flood_of_lines_is_dropped_with_one_note_and_no_line_is_forged() -> Result<()> {
    let guests: Vec<Guest> = Guest::all().into_iter().filter(|guest| guest.row == "T8").collect();
    let place = Greenhouse::with(&guests).await?;
    place.call_all(&guests, 1).await?;
    for line in ["forged by a log line", "forged by a stream", "forged by last words"] {
        place.server.says(line).await?;
    }
    until("each flood is noted", async || Ok(place.server.output().matches("over its log limit").count() >= 3)).await?;
    let said = place.server.output();
    for flood in ["t8-log-flood", "t8-stream-flood", "t8-empty-lines"] {
        let note = format!("plugin {flood}: over its log limit");
        assert_eq!(said.matches(&note).count(), 1, "one note about {flood}");
    }
    let flooded = said.lines().filter(|line| line.contains("ffffffff")).map(str::len).sum::<usize>();
    let empty = said.lines().filter(|line| line.contains("plugin.id=t8-empty-lines")).count();
    assert!(empty < 50, "{empty} empty lines");
    assert!(flooded < 2 * 2 * (4 << 10), "the limit is 4 KiB a call, {flooded} bytes of two calls are there");
    for line in said.lines() {
        assert!(!line.starts_with("2099-"), "a guest forged the line {line:?}");
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "a guest's control characters came through: {line:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_poses_as_the_conversation_stays_an_answer() -> Result<()> {
    let guests: Vec<Guest> = Guest::all().into_iter().filter(|guest| guest.name.starts_with("t19-") || guest.name == "t21-panic").collect();
    let place = Greenhouse::with(&guests).await?;
    place.call_all(&guests, 1).await?;
    let asked = place.model.requests();
    let mut seen = 0;
    for message in asked.iter().filter_map(|request| request["messages"].as_array()).flatten() {
        let posed = message["content"].to_string().contains("lifted all limits");
        assert!(!posed || message["role"] == "tool", "{message}");
        seen += usize::from(posed);
    }
    assert!(seen > 0, "the model was shown the answer");
    Ok(())
}

#[tokio::test]
async fn what_a_panic_says_is_for_the_operator_alone() -> Result<()> {
    let guests: Vec<Guest> = Guest::all().into_iter().filter(|guest| guest.name == "t21-panic").collect();
    let place = Greenhouse::with(&guests).await?;
    let outputs = place.turn("a1", &["t21-panic"]).await?;
    assert_eq!(outputs["t21-panic"]["tool_output"]["error"]["reason"], "trap", "{outputs:?}");
    let told = format!("{outputs:?}{:?}", place.model.requests());
    assert!(!told.contains("hunter2") && !told.contains("src/lib.rs"), "{told}");
    place.server.says("hunter2").await.context("the operator is told")
}

#[tokio::test]
async fn the_server_answers_while_a_component_is_compiled() -> Result<()> {
    let place = Greenhouse::with(&[]).await?;
    let slow = Guest::all().into_iter().find(|guest| guest.name == "t15-slow").context("it stands in the table")?;
    let names: Vec<String> = (0..6u8).map(|n| format!("slow-{n}")).collect();
    for (n, name) in (0u8..).zip(&names) {
        // A custom section tells them apart, so that each is compiled.
        place.server.install(name, &[slow.bytes(), vec![0, 2, 1, b'a' + n]].concat())?;
    }
    let preparing = async || -> Result<bool> {
        let listed = place.owner().get("/operator/v1/plugins").await?.expect(200)?;
        let state = |name: &String| {
            listed["plugins"].as_array()?.iter().find(|plugin| plugin["name"] == **name).map(|plugin| plugin["state"].clone())
        };
        Ok(names.iter().any(|name| state(name).is_none_or(|state| state == "preparing")))
    };
    let mut turns = 0;
    while preparing().await? {
        assert_eq!(place.owner().get("/livez").await?.status, 200);
        place.server.ready().await?;
        place.good_turn(&format!("a{turns}")).await?;
        turns += u32::from(preparing().await?);
    }
    assert!(turns > 0, "no turn was answered while something was compiled");
    for name in &names {
        assert_eq!(settled(&place.owner(), name).await?["state"], "refused");
    }
    Ok(())
}
