//! The OpenAI-shaped door: an agent is a model, and a chat completion a turn of
//! it. Each request brings its whole conversation and stands for itself, in a
//! session that nobody lists and that goes away when it has idled for an hour.

mod answer;
mod chunks;
pub(crate) mod completions;
pub(crate) mod models;
mod read;
mod schemas;
mod telling;

pub(crate) use schemas::{example, schemas};
