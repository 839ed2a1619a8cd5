//! The two agents that come with the server. Each is made once and remembered in
//! the data directory, so that one which was deleted does not come back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use agent::{Engine, Error, NewAgent};
use anyhow::Context;
use serde_json::Map;
use session::{Instruction, ModelChoice, Step, TemplateType, ToolBinding, ToolRef, Uid};
use tool::ToolId;

use crate::files;

/// Which agents were made, by key.
const RECORD: &str = "shipped-agents.json";

/// The tools of the shipped plugins: plugin, tool, and the name under which `assistant` has it.
const TOOLS: [(&str, &str); 12] = [
    ("calculator", "calculate"),
    ("datetime", "time_now"),
    ("datetime", "time_convert"),
    ("datetime", "time_difference"),
    ("datetime", "time_add"),
    ("json", "json_query"),
    ("knowledge", "knowledge_base_search"),
    ("notes", "note_write"),
    ("notes", "note_read"),
    ("notes", "note_list"),
    ("notes", "note_delete"),
    ("web", "web_get"),
];

const SUPPORT: &str = "\
You are the customer support agent of a company that sells widgets. Help with installation, troubleshooting, \
compatibility, shipping, returns and warranty.
Search the knowledge base before you answer a question about a product, with the words that matter in it. Answer from \
what you find, in a few clear steps, and name the article. If the knowledge base says nothing about it, say so and offer \
to pass the question on to a person; never make up a policy or a fact.";

const ASSISTANT: &str = "\
You are a helpful assistant with tools. Use a tool whenever it gives a better answer than memory: the calculator for \
every calculation, the date and time tools for anything about dates, the knowledge base for questions about products, \
notes for what should be remembered in this conversation, the JSON tool for picking things out of JSON, and the web tool \
for pages of the sites that the operator allowed.
Say plainly when a tool was refused or failed. Keep answers short unless more is asked for.";

/// Makes the agents that were never made in this data directory. Answers their keys.
pub(crate) async fn create_once(engine: &Arc<Engine>, tenant: Uid, data: &Path) -> anyhow::Result<Vec<String>> {
    let path = data.join(RECORD);
    let mut made: BTreeSet<String> = match std::fs::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged; remove it to have it made anew", path.display()))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut new = Vec::new();
    let model = engine.models().default_name();
    for agent in [support(model), assistant(model)] {
        let key = agent.key.clone();
        if made.contains(&key) {
            continue;
        }
        match engine.create_agent(tenant, agent).await {
            // Taken: it was made before the record could be written, or it is the operator's own.
            Ok(_) | Err(Error::Taken { .. }) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot create the agent {key}")),
        }
        made.insert(key.clone());
        new.push(key);
    }
    if !new.is_empty() {
        let text = serde_json::to_vec(&made).context("cannot write down which agents were made")?;
        files::replace(&path, &text, files::Readable::ByOwner).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(new)
}

fn support(model: &str) -> NewAgent {
    let tools = [("knowledge_search", ToolId { plugin: "knowledge".into(), name: "knowledge_base_search".into() })];
    let about = About {
        key: "agt_customer_support",
        name: "Customer Support",
        description: "Answers questions about widgets from the knowledge base",
    };
    agent(about, SUPPORT, model, tools)
}

fn assistant(model: &str) -> NewAgent {
    let tools = TOOLS.map(|(plugin, name)| (name, ToolId { plugin: plugin.into(), name: name.into() }));
    let about = About { key: "assistant", name: "Assistant", description: "A general assistant with all the tools that come with Wardian" };
    agent(about, ASSISTANT, model, tools)
}

struct About {
    key: &'static str,
    name: &'static str,
    description: &'static str,
}

fn agent<const N: usize>(about: About, instructions: &str, model: &str, tools: [(&str, ToolId); N]) -> NewAgent {
    let instruction = Instruction {
        name: "Instructions".into(),
        description: None,
        template: instructions.into(),
        template_type: TemplateType::Text,
        metadata: Map::new(),
        enabled: true,
    };
    let step = Step { instructions: vec![instruction], allowed_tools: None, output: None };
    NewAgent {
        key: about.key.into(),
        name: about.name.into(),
        description: Some(about.description.into()),
        model: ModelChoice { name: model.into(), parameters: Map::new(), retry: None },
        tools: tools
            .into_iter()
            .map(|(name, tool)| (name.to_owned(), ToolBinding { tool: ToolRef::Plugin(tool), argument_override: Map::new() }))
            .collect(),
        first_step: "main".into(),
        steps: BTreeMap::from([("main".to_owned(), step)]),
        compaction: None,
        metadata: Map::new(),
        enabled: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_plugin_has_a_tool_in_the_assistant() {
        for plugin in crate::shipped::all() {
            assert!(TOOLS.iter().any(|(name, _)| *name == plugin.name), "{}", plugin.name);
        }
        assert_eq!(assistant("default").tools.len(), TOOLS.len());
    }
}
