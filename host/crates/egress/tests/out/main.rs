//! The way out against real servers on this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod guest;
mod limits;
mod redirects;
mod secrets;
mod server;
mod tls;
mod trusted;
