//! `note_write`: keeps a text under a key.

use serde::{Deserialize, Serialize};
use wardian_plugin::{Data, Error, Tool, Traits, store};

/// What the store takes as one value; the contract's bound.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct NoteWrite {
    key: String,
    text: String,
}

/// The answer.
#[derive(Serialize)]
pub(crate) struct Written {
    key: String,
    bytes: usize,
    replaced: bool,
}

impl Tool for NoteWrite {
    const NAME: &str = "note_write";
    const DESCRIPTION: &str = "Remember something: saves a note, a text under a key, so that it can be read again later. \
        Use it when the user says remember, note, save, write down or keep in mind, or to keep a fact, a preference or a \
        plan for later. An existing note with the same key is replaced, so read it first when you want to add to it.";
    const INPUT: &str = include_str!("../tools/note_write.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/note_write.output.json"));
    const TRAITS: Traits = Traits::IDEMPOTENT.union(Traits::CLOSED_WORLD);
    const ANNOTATIONS: Option<&str> = Some(
        r#"{"title": "Save a note", "examples": [{
            "input": {"key": "user/name", "text": "Ada"},
            "output": {"key": "user/name", "bytes": 3, "replaced": false}
        }]}"#,
    );
    type Answer = Data<Written>;

    fn run(self) -> Result<Self::Answer, Error> {
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(Error::invalid_input(format!(
                "the text has {} bytes and a note holds {TEXT_BYTES_MAX}; shorten it or split it over several keys",
                self.text.len()
            )));
        }
        let replaced = store::get(&self.key)?.is_some();
        store::set(&self.key, self.text.as_bytes())?;
        Ok(Data(Written { bytes: self.text.len(), replaced, key: self.key }))
    }
}
