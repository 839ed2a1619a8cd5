//! A question to an agent's model beside all sessions: no tool, no history, nothing is kept of it.

use std::time::Duration;

use model::{Prompt, ToolList};
use serde_json::Map;
use session::{Agent, Item, ItemBody};

use crate::Engine;
use crate::error::{Error, Thing};
use crate::steps::count;

/// How long the model may take: what is asked aside is never worth a longer wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// Such questions at once: they are asked between turns, which they must not crowd out at the model's provider.
pub(crate) const AT_ONCE: usize = 16;

impl Engine {
    /// What the agent's model answers to this, told only `system`. Refused as an input would be; the agent's own
    /// instructions and parameters do not count. What it consumes is in the metrics, like a turn's.
    pub async fn ask_aside(&self, agent: &Agent, system: &str, text: String) -> Result<String, Error> {
        if !agent.enabled {
            return Err(Error::Disabled(Thing::Agent, agent.key.clone()));
        }
        let model = self.known_model(&agent.model.name)?;
        let Ok(_place) = self.asides.try_acquire() else { return Err(Error::Overloaded("questions that a model is asked aside")) };
        let (tools, parameters, items) = (ToolList::default(), Map::new(), [Item::new(ItemBody::User { text })]);
        let retry = agent.model.retry.as_ref();
        let prompt = Prompt { system, tools: &tools, items: &items, parameters: &parameters, retry, stream: false, output: None };
        match tokio::time::timeout(PATIENCE, model.ask(&prompt, &mut |_| {})).await {
            Ok(Ok(reply)) => {
                count(reply.usage);
                Ok(reply.text)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, agent = agent.key, "the model did not answer what it was asked aside");
                Err(Error::NotAnswered("the model did not answer"))
            }
            Err(_) => Err(Error::NotAnswered("the model took too long")),
        }
    }
}
