//! What stands in a model's place in a turn that is to make one call: it asks for that call, and nobody is asked anything.

use std::sync::Arc;

use async_trait::async_trait;
use model::{Finish, Model, Prompt, Reply, Sink};
use session::{AskedCall, Origin};

/// Asks for one call.
pub(crate) struct Direct {
    origin: Origin,
    name: Arc<str>,
    arguments: String,
}

impl Direct {
    /// For a call of the tool that the turn binds under this name.
    pub(crate) fn new(name: &str, arguments: &str) -> Self {
        Self { origin: Origin::direct(), name: name.into(), arguments: arguments.to_owned() }
    }
}

#[async_trait]
impl Model for Direct {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn context_window(&self) -> u64 {
        0
    }

    async fn ask(&self, prompt: &Prompt<'_>, _sink: Sink<'_>) -> Result<Reply, model::Error> {
        let id = format!("call_{}", prompt.items.len()).into();
        let call = AskedCall { id, name: self.name.clone(), arguments: self.arguments.clone() };
        let (thinking, text) = (String::new(), String::new());
        Ok(Reply { thinking, text, calls: vec![call], finish: Finish::Tools, usage: None, raw: None })
    }
}
