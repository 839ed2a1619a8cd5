//! The bots' API below `/v1/aibot/bots`: what the clients of CloudBase and AG-Kit speak. An agent is a bot there, a
//! session a conversation, an event a record.

mod body;
mod dialect;
mod frames;
pub(crate) mod send_message;

pub(crate) mod bots;
pub(crate) mod conversations;
pub(crate) mod feedback;
mod query;
pub(crate) mod recommend;
pub(crate) mod records;

pub(crate) mod schemas;
