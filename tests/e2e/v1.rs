//! `/v1`: the doors beside the Agents API.

mod agui;
mod cloudbase;
mod cors;
mod openai;
mod place;
