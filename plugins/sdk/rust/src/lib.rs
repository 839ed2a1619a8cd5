//! Write a Wardian plugin in Rust.
//!
//! A tool is a function: its argument is what the model gives, its answer what the
//! model gets, and its doc comment what the model reads about it. The schemas come from
//! the types. A plugin is a list of tools given to [`export!`]. What the operator
//! granted is reached through [`store`], [`cache`], [`config`], [`secrets`] and [`http`], or through
//! `std` (files, clocks); [`context`], [`log`] and [`feedback`] are always there.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use wardian_plugin::{Error, tool};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Greet {
//!     /// Whom to greet.
//!     name: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Greeting {
//!     text: String,
//! }
//!
//! /// Greets a person by name.
//! #[tool(pure)]
//! fn greet(args: Greet) -> Result<Greeting, Error> {
//!     if args.name.is_empty() {
//!         return Err(Error::invalid_input("name is empty; say whom to greet"));
//!     }
//!     Ok(Greeting { text: format!("Hello, {}!", args.name) })
//! }
//!
//! wardian_plugin::export!(greet);
//! # fn main() {
//! # assert_eq!(invoke("greet", r#"{"name": "Ada"}"#).unwrap().len(), 1);
//! # }
//! ```
//!
//! Without the attribute a tool is a type that implements [`Tool`]: there the schemas are
//! written by hand, or made with [`made::input`] and [`made::output`].
//!
//! # Failures
//!
//! [`Error`] has a constructor for each reaction that a tool may ask for. A panic ends the call as
//! `failed`; what it says goes to the operator's log and not to the model, so it is for mistakes in the tool itself.
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
#[cfg(feature = "http")]
pub mod http;
mod json;
#[cfg(feature = "schema")]
pub mod made;
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

/// Makes a tool of a function; see the front page.
#[cfg(feature = "schema")]
pub use wardian_plugin_macros::tool;

#[doc(hidden)]
pub use crate::tool::{describe, run};
