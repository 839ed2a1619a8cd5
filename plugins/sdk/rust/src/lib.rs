//! Write a Wardian plugin in Rust.
//!
//! A tool is a type: its fields are the arguments, [`Tool::run`] is the work, and
//! the constants are what the model and the operator read about it. A plugin is
//! a list of tools given to [`export!`]. What the operator granted is reached
//! through [`store`], [`cache`], [`config`] and [`secrets`], or through `std`
//! (files, clocks) and `wasi:http`; [`context`], [`log`] and [`feedback`] are
//! always there.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use wardian_plugin::{Data, Error, PURE, Tool, Traits};
//!
//! /// The arguments of `greet`.
//! #[derive(Deserialize)]
//! struct Greet {
//!     name: String,
//! }
//!
//! /// Its answer.
//! #[derive(Serialize)]
//! struct Greeting {
//!     text: String,
//! }
//!
//! impl Tool for Greet {
//!     const NAME: &str = "greet";
//!     const DESCRIPTION: &str = "Greets a person by name.";
//!     const INPUT: &str = r#"{
//!         "type": "object",
//!         "properties": {"name": {"type": "string", "description": "Whom to greet."}},
//!         "required": ["name"],
//!         "additionalProperties": false
//!     }"#;
//!     const TRAITS: Traits = PURE;
//!     type Answer = Data<Greeting>;
//!
//!     fn run(self) -> Result<Self::Answer, Error> {
//!         if self.name.is_empty() {
//!             return Err(Error::invalid_input("name is empty; say whom to greet"));
//!         }
//!         Ok(Data(Greeting { text: format!("Hello, {}!", self.name) }))
//!     }
//! }
//!
//! wardian_plugin::export!(Greet);
//! # fn main() {}
//! ```
//!
//! # The manifest
//!
//! `plugin.toml` stands beside the crate's `Cargo.toml` and travels with the
//! component. It says what the plugin would like to have; only the operator grants.
//!
//! ```toml
//! name = "greeter"            # [a-z][a-z0-9-]{0,31}, the stem of the component's file
//! version = "0.1.0"
//! license = "Apache-2.0"
//! description = "Greets people"
//! contract = "0.1"
//!
//! [requests.store]            # all of them optional, each with a reason for the operator
//! scope = "session"           # session | agent | plugin
//! quota = "1MiB"
//! reason = "remembers who was greeted"
//!
//! [requests.cache]
//! quota = "64MiB"
//! reason = "keeps the index of names"
//!
//! [[requests.http]]
//! host = "names.example.com"
//! methods = ["GET"]
//! paths = ["/v1/**"]
//! reason = "looks names up"
//!
//! [[requests.files]]
//! guest = "names"             # seen by the plugin as /names
//! access = "read"             # read | write
//! reason = "the list of names"
//!
//! [requests.config]           # setting = reason
//! greeting = "the word to greet with"
//!
//! [requests.secrets]          # secret = reason
//! names-key = "authorises the requests to names.example.com"
//! ```
//!
//! # Tests
//!
//! The same crate compiles natively, so that `cargo test` needs no guest
//! toolchain: there the host is a stand-in that keeps `store` and `cache` in
//! memory for the running thread and grants nothing else.

mod answer;
#[doc(hidden)]
pub mod bindings;
mod error;
mod export;
mod host;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(feature = "testing")]
pub mod testing;
mod tool;

pub use crate::{
    answer::{Answer, Data},
    bindings::wardian::plugin::types::{Blob, Content, Other, Reason, Traits},
    error::Error,
    host::{cache, config, context, feedback, log, secrets, store},
    tool::{PURE, Tool},
};

#[doc(hidden)]
pub use crate::tool::{describe, run};
