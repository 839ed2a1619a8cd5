//! The sandbox from outside, as the server uses it: real components, real
//! files, a real child process.

#![expect(clippy::unwrap_used, reason = "what a test prepares has to be there; where it is not, the test stops")]

mod accepted;
mod catalog;
mod corpus;
mod door;
mod evidence;
mod files;
mod grants;
mod guests;
mod hostile;
mod http;
mod limits;
mod machine;
mod place;
mod probe;
mod shapes;

/// The guests that end-to-end tests drop into a running server.
#[path = "../../../../../tests/hostile/guests.rs"]
mod hostiles;
