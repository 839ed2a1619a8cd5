//! The real server, real components, a real file; only the model server is made
//! up. Files mirror the URLs.

mod audit;
mod authors;
mod bundled;
mod cli;
mod docs;
mod examples;
mod health;
mod hostile;
/// The guests that the sandbox's own tests run too.
#[path = "../hostile/guests.rs"]
mod hostiles;
mod mcp;
mod oauth;
mod operations;
mod plugins;
mod policy;
mod recovery;
mod roles;
mod rules;
mod seeds;
mod shapes;
mod strangers;
mod trial;
mod v1;
mod v2;
mod walls;
