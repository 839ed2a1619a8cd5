//! A recording: one call with everything that the world told it, and what came of
//! it. JSON that is read and compared by people; secrets never stand in it.

mod outcome;
mod tape;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::mask::Mask;
use crate::text::{self, Bytes};
use crate::{Error, Result};

pub use outcome::outcome;
pub use tape::{Player, Recorder, Unheard};

/// The form that this version writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// The longest recording: a handful of web pages. A longer one is no test that anybody reads.
const BYTES_MAX: u64 = 16 << 20;

/// One call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// [`FORMAT`].
    pub format: u32,
    /// The tool's name.
    pub tool: String,
    /// Its arguments.
    pub input: Box<RawValue>,
    /// What the plugin was granted, with the keys of `[plugin.NAME]`. Directories are relative to the project.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub grants: toml::Table,
    /// The secrets that had a value. The values are nowhere; played, the plugin gets placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Whose call it was.
    pub context: Context,
    /// What its random numbers were made from, in hexadecimal digits.
    pub random: String,
    /// What it saw of the clocks.
    pub clocks: Clocks,
    /// What its store held at first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub store: BTreeMap<String, Bytes>,
    /// Its requests in their order, and what it heard of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<Exchange>,
    /// What came of it: see [`outcome`].
    pub outcome: serde_json::Value,
}

/// What a call is told about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Its id.
    pub call: String,
    /// Its session.
    pub session: String,
    /// Its user, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Each reading with how often it was seen in a row, in milliseconds.
pub type Readings = Vec<(u64, u32)>;

/// What a call saw of the clocks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clocks {
    /// The time of day.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wall: Readings,
    /// The clock that only goes forward.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monotonic: Readings,
    /// What was left of the call's time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub time_left: Readings,
}

/// One request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What the plugin asked; secrets that the host injects were not in it.
    pub request: Asked,
    /// What it heard.
    pub answer: Heard,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Such as `GET`.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// The headers; those that carry credentials without their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Bytes)>,
    /// The body.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub body: Bytes,
}

/// What was heard of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Heard {
    /// No response: the code, in the words of `wasi:http`.
    Failure {
        /// Such as `HTTP-request-denied`.
        failure: String,
    },
    /// A response.
    Response {
        /// Such as 200.
        status: u16,
        /// The headers.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, Bytes)>,
        /// The body as far as it came.
        #[serde(default, skip_serializing_if = "is_empty")]
        body: Bytes,
        /// The code by which the body broke off, where it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broken: Option<String>,
    },
}

/// Whether a call with the secrets of this mask may be recorded: only if each of them would be recognised.
pub fn recordable(file: &Path, mask: &Mask) -> Result<()> {
    let next = "give the call a longer test value for it";
    mask.overlooks().map_or(Ok(()), |why| Err(Error::at(file, why, next)))
}

fn is_empty(bytes: &Bytes) -> bool {
    bytes.0.is_empty()
}

impl Recording {
    /// Reads a recording.
    pub fn read(file: &Path) -> Result<Self> {
        let again = "make it anew with `wardian call … --record`";
        let size =
            std::fs::metadata(file).map_err(|error| Error::at(file, format!("it cannot be read: {error}"), "name a recording"))?.len();
        if size > BYTES_MAX {
            return Err(Error::at(file, format!("it is longer than {BYTES_MAX} bytes"), "record a call that hears less"));
        }
        let text = std::fs::read_to_string(file).map_err(|error| Error::at(file, format!("it cannot be read: {error}"), again))?;
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        match serde_json::from_str::<Head>(&text) {
            Ok(Head { format: FORMAT }) => {}
            Ok(Head { format }) => {
                return Err(Error::at(file, format!("it is of format {format}, and this version reads format {FORMAT}"), again));
            }
            Err(error) => return Err(Error::at(file, format!("it is no recording: {error}"), again)),
        }
        serde_json::from_str(&text).map_err(|error| Error::at(file, format!("it is no recording: {error}"), again))
    }

    /// Writes a recording, and refuses to where a secret of the mask stands in it, or might.
    pub fn write(&self, file: &Path, mask: &Mask) -> Result<()> {
        recordable(file, mask)?;
        let cannot = |error: &dyn std::fmt::Display| Error::at(file, format!("it cannot be written: {error}"), "name a file that can");
        let text = serde_json::to_string_pretty(self).map_err(|error| cannot(&error))?;
        if let Some(name) = mask.finds(text.as_bytes()) {
            let next = "give the call a test value for the secret that is unlike all other text";
            return Err(Error::at(file, format!("the value of secret {name} would stand in it"), next));
        }
        if text.len() as u64 > BYTES_MAX {
            return Err(Error::at(file, format!("it would be longer than {BYTES_MAX} bytes"), "record a call that hears less"));
        }
        text::write_json(file, self).map_err(|error| cannot(&error))
    }

    /// A mask under which a played call compares with the recorded one: what is made of a
    /// placeholder becomes the placeholder, as what was made of the secret has become.
    pub fn mask(&self) -> Mask {
        Mask::new(self.secrets.iter().map(|name| (name.clone(), crate::mask::placeholder(name))))
    }
}

#[cfg(test)]
mod tests;
