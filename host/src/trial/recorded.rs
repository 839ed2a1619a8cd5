//! Between recordings and trials: a call as a recording, and a recording as a call.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use author::mask::Mask;
use author::recording::{Context, FORMAT, Player, Recorder, Recording, Unheard, outcome};
use author::text::Bytes;
use serde_json::value::RawValue;
use tool::{CallSink, Ports, ToolReply};

use super::{Identity, Memory, Terms, Trial, grants};

/// A call that was made to be recorded.
pub(crate) struct Recorded<'a> {
    pub(crate) tool: &'a str,
    pub(crate) input: &'a str,
    pub(crate) terms: &'a Terms,
    pub(crate) identity: Identity,
    /// What the store held at first.
    pub(crate) store: super::store::Values,
    pub(crate) recorder: &'a Recorder,
    pub(crate) reply: &'a ToolReply,
}

impl Recorded<'_> {
    /// Writes it into a file of a project, or of the current directory.
    pub(crate) fn write(self, file: &Path, mask: &Mask) -> anyhow::Result<()> {
        let root = grants::root(file)?;
        let (random, clocks, http) = self.recorder.taken();
        let Identity { call, session, user } = self.identity;
        let store = self.store.into_iter().map(|(key, value)| (key, Bytes(mask.bytes(&value)))).collect();
        let recording = Recording {
            format: FORMAT,
            tool: self.tool.to_owned(),
            input: RawValue::from_string(mask.text(self.input)).context("the arguments are no JSON without their secrets")?,
            grants: grants::written(self.terms, &root, mask)?,
            secrets: grants::ready(self.terms),
            context: Context { call, session, user },
            random,
            clocks,
            store,
            http,
            outcome: outcome(self.reply, mask),
        };
        Ok(recording.write(file, mask)?)
    }
}

impl Trial {
    /// Plays a recording under the terms of this index, and tells what was asked otherwise.
    pub(crate) async fn play(&self, terms: usize, recording: &Recording, sink: Arc<dyn CallSink>) -> anyhow::Result<(ToolReply, Unheard)> {
        let Recording { tool, input, context, store, .. } = recording;
        let player = Player::of(recording).context("its member `random` is not 64 hexadecimal digits; record the call anew")?;
        let player = Arc::new(player);
        let values = store.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect();
        let ports = Ports { store: Arc::new(Memory::of(values)), sink, tape: Some(player.clone()) };
        let Context { call, session, user } = context.clone();
        let reply = self.call(terms, tool, input.get(), Identity { call, session, user }, ports).await;
        Ok((reply, player.unheard()))
    }
}
