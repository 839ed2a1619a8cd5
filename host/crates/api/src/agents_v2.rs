//! The Agents API under `/v2`: agents, sessions, events, tools, models.

pub(crate) mod agents;
mod answer;
pub(crate) mod approvals;
pub(crate) mod client_calls;
pub(crate) mod client_tools;
mod definition;
pub(crate) mod edits;
pub(crate) mod events;
pub(crate) mod identity;
mod input;
pub(crate) mod llms;
pub(crate) mod secrets;
pub(crate) mod sessions;
mod stream;
pub(crate) mod tools;
mod view;
