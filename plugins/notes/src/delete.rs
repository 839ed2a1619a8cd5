//! `note_delete`: forgets a note.

use serde::{Deserialize, Serialize};
use wardian_plugin::{Data, Error, Tool, Traits, store};

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct NoteDelete {
    key: String,
}

/// The answer.
#[derive(Serialize)]
pub(crate) struct Deleted {
    key: String,
    deleted: bool,
}

impl Tool for NoteDelete {
    const NAME: &str = "note_delete";
    const DESCRIPTION: &str = "Forget a saved note: removes the note with this key for good. Use it when the user asks to \
        forget, delete or remove a note. Removing a note that does not exist is no error.";
    const INPUT: &str = include_str!("../tools/note_delete.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/note_delete.output.json"));
    const TRAITS: Traits = Traits::IDEMPOTENT.union(Traits::CLOSED_WORLD);
    const ANNOTATIONS: Option<&str> = Some(
        r#"{"title": "Delete a note", "examples": [{
            "input": {"key": "user/name"},
            "output": {"key": "user/name", "deleted": true}
        }]}"#,
    );
    type Answer = Data<Deleted>;

    fn run(self) -> Result<Self::Answer, Error> {
        let deleted = store::get(&self.key)?.is_some();
        if deleted {
            store::delete(&self.key)?;
        }
        Ok(Data(Deleted { key: self.key, deleted }))
    }
}
