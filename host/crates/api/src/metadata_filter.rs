//! `metadata_filter`: a condition over a session's `metadata`, in the small SQL of the API's
//! filter expressions. Read once for a request by a grammar (`parse`), then looked at for each
//! session (`evaluate`); what it means stands in `host/docs/api.md`. It knows nothing of sessions.

mod evaluate;
mod expr;
mod number;
mod parse;
#[cfg(test)]
mod tests;
mod token;

use std::cell::Cell;
use std::fmt::{self, Display};

use serde_json::{Map, Value};

use crate::errors::{Error, Result};
use crate::limits::{METADATA_FILTER_CHARACTERS, METADATA_FILTER_WORK};
use crate::page::Params;
use evaluate::Evaluation;
use expr::Expr;

/// The name of the parameter.
const NAME: &str = "metadata_filter";

/// A condition that was understood, with the work that it may still do for this request.
pub(crate) struct MetadataFilter {
    condition: Expr,
    work_left: Cell<u64>,
}

impl MetadataFilter {
    /// The request's condition, if it has one.
    pub(crate) fn of(params: &Params) -> Result<Option<Self>> {
        let Some(text) = params.get(NAME) else { return Ok(None) };
        if text.chars().nth(METADATA_FILTER_CHARACTERS).is_some() {
            return Err(Error::field(NAME, format!("`{NAME}` may be at most {METADATA_FILTER_CHARACTERS} characters long")));
        }
        let condition = parse::condition(text).map_err(|problem| Error::field(NAME, format!("`{NAME}` cannot be read {problem}")))?;
        Ok(Some(Self { condition, work_left: Cell::new(METADATA_FILTER_WORK) }))
    }

    /// Whether the condition is true of this metadata; neither where it is false nor where it is unknown.
    pub(crate) fn matches(&self, metadata: &Map<String, Value>) -> bool {
        Evaluation { metadata, work_left: &self.work_left }.holds(&self.condition)
    }

    /// Refuses a condition that did not come to its end: what it did not look at is neither in nor out.
    pub(crate) fn came_to_its_end(&self) -> Result<()> {
        if self.work_left.get() > 0 {
            return Ok(());
        }
        Err(Error::field(
            NAME,
            format!("`{NAME}` is too much work for the sessions of this list; make it simpler, or narrow it with `filter`"),
        ))
    }
}

/// In one spelling: two texts that mean the same are written the same.
impl Display for MetadataFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}
