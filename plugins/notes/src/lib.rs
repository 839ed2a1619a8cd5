//! Key-value memory over `store`: what a conversation should not forget. Whether
//! a note belongs to the session, the agent or the plugin is the operator's
//! choice, not the plugin's. There is no search: a note is found by its key.

mod delete;
mod list;
mod read;
mod write;

use crate::{delete::NoteDelete, list::NoteList, read::NoteRead, write::NoteWrite};

wardian_plugin::export!(NoteWrite, NoteRead, NoteList, NoteDelete);

#[cfg(test)]
mod tests;
