//! The real server, real components, a real file; only the model server is made
//! up. Files mirror the URLs.

mod bundled;
mod cli;
mod docs;
mod health;
mod hostile;
mod policy;
mod recovery;
mod rules;
mod seeds;
mod strangers;
mod v2;
