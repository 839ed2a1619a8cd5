//! The Agents API.

mod agents;
mod approvals;
mod events;
mod openapi;
mod sessions;
mod tools;
