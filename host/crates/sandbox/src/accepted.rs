//! Which version of each plugin the operator stands behind: the first one that
//! was loaded with a grant, and after a change the one that was accepted. Kept
//! as one file a plugin in a directory of the server's own, so that neither a
//! restart nor a removed plugin makes the server forget.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use policy::{Pin, Policy};
use serde::{Deserialize, Serialize};
use tool::{AcceptedPlugin, PluginDigests, ToolId, ToolSpec};

use crate::catalog::{self, Version};
use crate::compile::{own, replace};
use crate::descriptor::{self, Tool};
use crate::error::Error;
use crate::manifest::Requests;

/// A record: 64 tools with two schemas and annotations each, and then some.
const RECORD_BYTES_MAX: u64 = 16 << 20;

/// Records that are read at the start. Those of plugins that are long gone stay.
const RECORDS_MAX: usize = 10_000;

/// Who accepts where nobody was asked.
const FIRST_LOAD: &str = "first load";

/// What was accepted of one plugin.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    plugin: String,
    pub at_ms: i64,
    pub by: String,
    pub version: String,
    #[serde(flatten)]
    pub digests: PluginDigests,
    pub tools: Vec<Tool>,
    pub requests: Requests,
}

/// What is there of a plugin's record.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Record(Arc<Record>),
    /// There is one, and it cannot be used.
    Damaged(Arc<str>),
}

/// All records by the plugin's name.
pub(crate) type Records = BTreeMap<String, Kept>;

/// The records, in memory and on disk.
pub(crate) struct Accepted {
    directory: PathBuf,
    records: ArcSwap<Records>,
    /// Held while a record is written: one at a time, each on top of the last.
    writing: Mutex<()>,
}

/// How a version stands with the operator at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody granted it anything of their own, so it can only compute, or have
    /// what came with exactly these bytes.
    Free,
    /// The operator stands behind it.
    Accepted,
    /// It has a grant and no record yet: it is the first.
    First,
    /// It has a grant that takes every version, so nobody has looked at this one.
    Unseen,
    /// The operator's file names another version.
    Pinned(String),
    /// It is another one than was accepted; the text says in what.
    Changed(String),
}

impl Standing {
    /// Whether the version may serve.
    pub(crate) fn serves(&self) -> bool {
        match self {
            Self::Free | Self::Accepted | Self::First | Self::Unseen => true,
            Self::Pinned(_) | Self::Changed(_) => false,
        }
    }
}

/// How a version stands, by the policy and the records of this moment.
pub(crate) fn standing(policy: &Policy, records: &Records, version: &Version) -> Standing {
    let shape = policy.shape(&version.name);
    if shape != version.shape {
        return Standing::Changed(format!("[plugin.{}] says shape = \"{}\" by now, and it is read again", version.name, shape.word()));
    }
    let Some(grant) = policy.plugin(&version.name, Some(&version.component)).filter(|grant| !grant.is_shipped()) else {
        return Standing::Free;
    };
    let (component, tools) = (&version.digests.component, &version.digests.tools_digest);
    for (key, pinned, found) in [("digest", &grant.pins.digest, component), ("tools-digest", &grant.pins.tools_digest, tools)] {
        if pinned.as_ref().is_some_and(|pinned| pinned != found) {
            let name = &version.name;
            return Standing::Pinned(format!("[plugin.{name}] pins another version; to take this one, write {key} = \"{found}\" there"));
        }
    }
    match (grant.pin, records.get(&*version.name)) {
        // Whoever writes the digest of the bytes has named the version; what it describes follows from them.
        _ if grant.pins.digest.is_some() => Standing::Accepted,
        (Pin::Auto, _) if grant.pins.tools_digest.is_some() => Standing::Accepted,
        (Pin::First, Some(Kept::Damaged(why))) => Standing::Changed(format!("the record of what was accepted cannot be read: {why}")),
        (_, Some(Kept::Record(record))) if record.digests == version.digests => Standing::Accepted,
        (Pin::First, Some(Kept::Record(record))) => Standing::Changed(differences(record, version)),
        (Pin::First, None) => Standing::First,
        (Pin::Auto, _) => Standing::Unseen,
    }
}

/// In what a version differs, in short.
fn differences(record: &Record, version: &Version) -> String {
    let (old, new) = (&record.digests, &version.digests);
    let parts = [
        (old.component != new.component, "its component"),
        (old.tools_digest != new.tools_digest, "what it says about its tools"),
        (old.requests_digest != new.requests_digest, "what it asks for"),
    ];
    let differ: Vec<&str> = parts.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what).collect();
    format!("{} changed since it was accepted; see `wardian plugins diff {}`", differ.join(" and "), version.name)
}

impl Accepted {
    /// Opens the directory, making it if it is not there, and reads all records.
    pub(crate) fn open(directory: PathBuf) -> Result<Self, Error> {
        let cannot = |cause| Error::Directory { path: directory.clone(), cause };
        own(&directory).map_err(cannot)?;
        let records = read_all(&directory).map_err(cannot)?;
        Ok(Self { records: ArcSwap::from_pointee(records), writing: Mutex::new(()), directory })
    }

    /// The records of this moment.
    pub(crate) fn records(&self) -> Arc<Records> {
        self.records.load_full()
    }

    /// Records a version as the first one that has a grant, unless another was faster.
    pub(crate) fn first(&self, version: &Version) -> io::Result<()> {
        let writing = self.lock();
        if self.records.load().contains_key(&*version.name) {
            return Ok(());
        }
        tracing::info!(
            plugin.id = %version.name, component = %version.component,
            "plugin {} {} has grants; any change of it has to be accepted from now on", version.name, version.version
        );
        self.keep(&writing, version, FIRST_LOAD)
    }

    /// Records a version as the one that somebody accepted.
    pub(crate) fn accept(&self, version: &Version, by: &str) -> io::Result<()> {
        let writing = self.lock();
        tracing::info!(
            plugin.id = %version.name, component = %version.component,
            "plugin {} {} was accepted by {by}", version.name, version.version
        );
        self.keep(&writing, version, by)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On disk first: what is acknowledged outlives a power cut.
    fn keep(&self, _writing: &MutexGuard<'_, ()>, version: &Version, by: &str) -> io::Result<()> {
        let record = Record {
            plugin: version.name.to_string(),
            at_ms: now_ms(),
            by: by.to_owned(),
            version: version.version.clone(),
            digests: version.digests.clone(),
            tools: version.described.clone(),
            requests: version.requests.clone(),
        };
        let text = serde_json::to_vec_pretty(&record)?;
        replace(&self.directory.join(format!("{}.json", record.plugin)), &text)?;
        File::open(&self.directory)?.sync_all()?;
        let mut records = Records::clone(&self.records.load());
        records.insert(record.plugin.clone(), Kept::Record(Arc::new(record)));
        self.records.store(Arc::new(records));
        Ok(())
    }
}

impl Record {
    /// Its tools, as they were described.
    pub(crate) fn specs(&self) -> impl Iterator<Item = ToolSpec> {
        let title = |tool: &Tool| descriptor::title(tool.annotations.as_deref()).unwrap_or_default();
        self.tools.iter().map(move |tool| catalog::spec(&self.plugin, tool, title(tool), (&self.digests, &self.version)))
    }

    /// What the operator sees of it.
    pub(crate) fn shown(&self) -> AcceptedPlugin {
        AcceptedPlugin { digests: self.digests.clone(), version: self.version.clone(), at_ms: self.at_ms, by: self.by.clone() }
    }
}

fn read_all(directory: &Path) -> io::Result<Records> {
    let mut records = Records::new();
    for entry in fs::read_dir(directory)?.take(RECORDS_MAX) {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).filter(|name| ToolId::is_plugin_name(name));
        let (Some(name), Some("json")) = (name, path.extension().and_then(|it| it.to_str())) else { continue };
        let kept = match read(&path, name) {
            Ok(record) => Kept::Record(Arc::new(record)),
            Err(why) => {
                tracing::error!(
                    plugin.id = name,
                    "{} cannot be used, so plugin {name} stays out of service where it has grants: {why}",
                    path.display()
                );
                Kept::Damaged(why.into())
            }
        };
        records.insert(name.to_owned(), kept);
    }
    Ok(records)
}

/// A record whose digests are those of what it holds.
fn read(path: &Path, name: &str) -> Result<Record, String> {
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(RECORD_BYTES_MAX + 1).read_to_end(&mut bytes));
    opened.map_err(|error| error.to_string())?;
    let record: Record = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let intact = record.plugin == name
        && descriptor::digest(&record.tools)? == record.digests.tools_digest
        && record.requests.digest()? == record.digests.requests_digest;
    if intact { Ok(record) } else { Err("its digests are not those of what it holds".into()) }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
