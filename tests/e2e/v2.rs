//! The Agents API.

mod agents;
mod approvals;
mod client_tools;
mod context;
mod events;
mod events_edit;
mod fork;
mod inbox;
mod openapi;
mod overrides;
mod secrets;
mod sessions;
mod structured;
mod tools;
