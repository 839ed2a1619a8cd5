//! What an author wants to know about a component and a server does not: what it
//! imports and exports, what it says about itself word for word, and whether it
//! says the same in another world.

use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::census;
use crate::describe;
use crate::descriptor::Tool;
use crate::instance::Entry;
use crate::sandbox::Sandbox;

/// The interfaces at a component's outside, by their names with versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// What it wants from its host.
    pub imports: Vec<String>,
    /// What it gives.
    pub exports: Vec<String>,
}

/// Reads the interfaces of a component; else says why the bytes are none that can be used.
pub fn interfaces(bytes: &[u8]) -> Result<Interfaces, String> {
    census::take(bytes)?;
    let (mut found, mut depth) = (Interfaces::default(), 0usize);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| format!("the file is damaged or incomplete: {error}"))? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                found.imports.extend(imports.into_iter().flatten().map(|import| import.name.name.to_owned()));
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                found.exports.extend(exports.into_iter().flatten().map(|export| export.name.name.to_owned()));
            }
            _ => {}
        }
    }
    Ok(found)
}

impl Sandbox {
    /// What a plugin in service says about its tools, word for word: objects with
    /// name, description, input, output, traits and annotations.
    pub fn described(&self, plugin: &str) -> Option<Vec<Value>> {
        let snapshot = self.snapshot.load();
        let version = snapshot.get(plugin)?.version.as_ref()?;
        Some(version.described.iter().map(written).collect())
    }

    /// Asks a plugin in service again what its tools are, with running clocks and
    /// other random numbers. A server never does: it depends on the first answer alone.
    pub async fn describe_again(&self, plugin: &str) -> Result<Vec<Value>, String> {
        let version = self.snapshot.load().get(plugin).and_then(|entry| entry.version.clone());
        let version = version.ok_or_else(|| format!("plugin {plugin} is not in service"))?;
        match &version.program.entry {
            Entry::Native(_) => {}
            // Nobody asks them: what is known of them follows from their types and manifests.
            Entry::Functions(_) | Entry::Command(_) => return Ok(version.described.iter().map(written).collect()),
        }
        let ticker = self.ticker.clone();
        let asking = self.lanes.quick().spawn(async move {
            let _ticking = ticker.running();
            describe::describe(&version.program, describe::World::Running).await
        });
        let tools = asking.await.map_err(|error| format!("describe was lost: {error}"))??;
        Ok(tools.iter().map(written).collect())
    }
}

fn written(tool: &Tool) -> Value {
    serde_json::to_value(tool).unwrap_or_default()
}
