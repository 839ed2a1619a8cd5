//! `note_read`: gives a note back.

use serde::{Deserialize, Serialize};
use wardian_plugin::{Data, Error, PURE, Tool, Traits, store};

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct NoteRead {
    key: String,
}

/// The answer.
#[derive(Serialize)]
pub(crate) struct Note {
    key: String,
    text: String,
}

impl Tool for NoteRead {
    const NAME: &str = "note_read";
    const DESCRIPTION: &str = "Recall a saved note by its key: gives the text that note_write kept. Use it when the user \
        asks what you remember, noted or saved about something. When you do not know the key, call note_list first.";
    const INPUT: &str = include_str!("../tools/note_read.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/note_read.output.json"));
    const TRAITS: Traits = PURE;
    const ANNOTATIONS: Option<&str> = Some(
        r#"{"title": "Read a note", "examples": [{
            "input": {"key": "user/name"},
            "output": {"key": "user/name", "text": "Ada"}
        }]}"#,
    );
    type Answer = Data<Note>;

    fn run(self) -> Result<Self::Answer, Error> {
        let Some(bytes) = store::get(&self.key)? else {
            return Err(Error::not_found(format!("there is no note {:?}; note_list shows the keys there are", self.key)));
        };
        let text = String::from_utf8(bytes).map_err(|_| Error::failed(format!("note {:?} holds bytes that are no text", self.key)))?;
        Ok(Data(Note { key: self.key, text }))
    }
}
