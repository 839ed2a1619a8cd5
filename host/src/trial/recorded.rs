//! Between recordings and trials: what a call was recorded with, and a recording as a call.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use author::Error;
use author::mask::{Mask, placeholder};
use author::recording::{Context, FORMAT, Player, Recorder, Recording, Unheard, outcome};
use author::text::Bytes;
use policy::Access;
use policy::file::{PluginFile, SecretFile};
use serde_json::value::RawValue;
use tool::{CallSink, Ports, ToolReply};

use super::{Identity, Memory, Terms, Trial, Unclear};

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

impl Terms {
    /// Whether a call on these terms can be recorded; a recording does not hold what a tool writes into directories.
    pub(crate) fn recordable(&self) -> anyhow::Result<()> {
        match self.entry.files.iter().find(|mount| mount.access == Access::Write) {
            None => Ok(()),
            Some(mount) => {
                let why = "a recording does not hold what a tool writes into a directory";
                Err(Unclear(format!("--record: {why}; grant {} for reading only", mount.guest)).into())
            }
        }
    }
}

impl Recorded<'_> {
    /// Writes it into a file of a project, or of the current directory.
    pub(crate) fn write(self, file: &Path, mask: &Mask) -> anyhow::Result<()> {
        let root = root(file)?;
        let (random, clocks, http) = self.recorder.taken();
        let Identity { call, session, user } = self.identity;
        let store = self.store.into_iter().map(|(key, value)| (key, Bytes(mask.bytes(&value)))).collect();
        let recording = Recording {
            format: FORMAT,
            tool: self.tool.to_owned(),
            input: RawValue::from_string(mask.text(self.input)).context("the arguments are no JSON without their secrets")?,
            grants: grants(self.terms, &root, mask)?,
            secrets: self.terms.values().into_iter().map(|(name, _)| name).collect(),
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

/// The folder to which a recording's directories are relative: its project's, else the current one.
fn root(file: &Path) -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("cannot find the current directory")?;
    let file = here.join(file);
    let project = file.ancestors().skip(1).find(|folder| folder.join(author::project::MANIFEST).is_file());
    Ok(project.map_or(here, Path::to_owned))
}

/// What is granted, with the keys of the operator's file and nothing that is empty.
fn grants(terms: &Terms, root: &Path, mask: &Mask) -> anyhow::Result<toml::Table> {
    let mut entry = terms.entry.clone();
    for mount in &mut entry.files {
        let host = terms.base.join(&mount.host);
        let relative = host.strip_prefix(root).map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
        mount.host = relative.unwrap_or(&host).to_string_lossy().into_owned();
    }
    let text = toml::to_string(&entry).context("the grants cannot be written")?;
    let mut table: toml::Table = mask.text(&text).parse().context("the grants cannot be written without their secrets")?;
    table.retain(|_, value| match value {
        toml::Value::Array(items) => !items.is_empty(),
        toml::Value::Table(table) => !table.is_empty(),
        _ => true,
    });
    Ok(table)
}

/// The terms of a recording. Placeholders of its secrets are written into `place`; `root` is its project's folder.
pub(crate) fn terms(recording: &Recording, file: &Path, root: &Path, place: &Path) -> anyhow::Result<Terms> {
    let next = "make it anew with `wardian call … --record`";
    let entry: PluginFile = recording
        .grants
        .clone()
        .try_into()
        .map_err(|error: toml::de::Error| Error::at(file, format!("its grants cannot be read: {}", error.message()), next))?;
    if let Some(mount) = entry.files.iter().find(|mount| !root.join(&mount.host).is_dir()) {
        let why = format!("it needs the directory {}, which is not there", root.join(&mount.host).display());
        return Err(Error::at(file, why, "put it there, or record the call anew").into());
    }
    let injected = entry.http.iter().filter_map(|rule| Some(rule.inject.as_ref()?.secret.clone()));
    let names: BTreeSet<String> = entry.secrets.keys().cloned().chain(injected).chain(recording.secrets.clone()).collect();
    let mut terms = Terms { entry, base: root.to_owned(), ..Terms::default() };
    for (index, name) in names.into_iter().enumerate() {
        let value = place.join(format!("secret-{index}-{}", data_encoding::HEXLOWER.encode(name.as_bytes())));
        // A secret without a value had none when the call was recorded, and has none now.
        if recording.secrets.contains(&name) {
            std::fs::write(&value, placeholder(&name)).with_context(|| format!("cannot write {}", value.display()))?;
        }
        terms.secrets.insert(name, SecretFile { from: format!("file:{}", value.display()) });
    }
    Ok(terms)
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
