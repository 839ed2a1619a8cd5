//! The Agents API.

mod agents;
mod events;
mod openapi;
mod sessions;
mod tools;
