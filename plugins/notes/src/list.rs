//! `note_list`: the keys of the notes there are.

use serde::{Deserialize, Serialize};
use wardian_plugin::{Data, Error, PURE, Tool, Traits, store};

/// Enough to look through at once, and small beside the output limit.
const LIMIT_MAX: u32 = 200;
const LIMIT: u32 = 50;

/// The arguments.
#[derive(Deserialize)]
pub(crate) struct NoteList {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
    limit: Option<u32>,
}

/// The answer.
#[derive(Serialize)]
pub(crate) struct Keys {
    keys: Vec<String>,
    more: bool,
}

impl Tool for NoteList {
    const NAME: &str = "note_list";
    const DESCRIPTION: &str = "List the keys of all saved notes, in alphabetical order, or only of those whose key begins \
        with a prefix. Use it to see what has been remembered. The texts themselves come from note_read.";
    const INPUT: &str = include_str!("../tools/note_list.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/note_list.output.json"));
    const TRAITS: Traits = PURE;
    const ANNOTATIONS: Option<&str> = Some(
        r#"{"title": "List notes", "examples": [{
            "input": {"prefix": "user/"},
            "output": {"keys": ["user/name"], "more": false}
        }]}"#,
    );
    type Answer = Data<Keys>;

    fn run(self) -> Result<Self::Answer, Error> {
        let limit = self.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
        let mut keys = store::keys(&self.prefix, self.after.as_deref(), limit + 1)?;
        let more = keys.len() > limit as usize;
        keys.truncate(limit as usize);
        Ok(Data(Keys { keys, more }))
    }
}
