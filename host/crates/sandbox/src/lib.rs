//! The only crate that knows wasmtime: it finds plugins, compiles them in a
//! child process, and runs each call of a tool in a fresh instance that can
//! reach only what the operator granted. The rest of the server sees it as a
//! [`tool::Toolbox`].
//!
//! ```no_run
//! use std::sync::Arc;
//! use arc_swap::ArcSwap;
//! use sandbox::{Options, SLOTS, Sandbox};
//! use tool::{Caller, Toolbox};
//!
//! # async fn open() -> Result<(), sandbox::Error> {
//! let sandbox = Sandbox::open(Options {
//!     plugins: "plugins".into(),
//!     cache: "data/cache".into(),
//!     data: "data".into(),
//!     policy: Arc::new(ArcSwap::from_pointee(policy::Policy::default())),
//!     child: std::env::current_exe().expect("this program has a file"),
//!     compiling: sandbox::confine::Bounds::default(),
//!     compiled_bytes_max: 1 << 30,
//!     slots: SLOTS,
//!     on_progress: None,
//! })?;
//! sandbox.wait_ready().await;
//! let caller = Caller { tenant: "default".into(), agent: "assistant".into() };
//! println!("{} tools", sandbox.tools(&caller).len());
//! # Ok(())
//! # }
//! ```

mod acceptance;
mod accepted;
mod answer;
mod bindings;
mod call_log;
mod catalog;
mod census;
mod changes;
pub mod child;
mod command;
mod compile;
pub mod confine;
mod describe;
mod descriptor;
mod engine;
mod error;
mod fuel;
mod functions;
#[doc(hidden)]
pub mod fuzz;
mod gate;
mod guest;
mod imports;
mod inspect;
mod instance;
mod lanes;
mod limiter;
mod manifest;
mod meter;
mod outcome;
mod reach;
mod sandbox;
mod shape;
mod toolbox;

pub use catalog::{OnProgress, Progress};
pub use error::Error;
pub use imports::secrets::resolve as secret;
pub use inspect::{Interfaces, interfaces};
pub use sandbox::{Options, SLOTS, Sandbox};

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A digest as it is written everywhere: `sha256:<hex>`.
fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    format!("sha256:{}", hex(&sha2::Sha256::digest(bytes)))
}
