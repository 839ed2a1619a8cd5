//! The Agents API.

mod agents;
mod approvals;
mod client_tools;
mod events;
mod openapi;
mod sessions;
mod tools;
