//! The one way out: every socket to another machine is opened here. [`guest`]
//! carries the requests of sandboxed tools, each decided and pinned to the
//! address that was checked; [`trusted`] carries the server's own requests to
//! destinations that the operator configured. No proxy is ever taken from the environment.

mod error;
pub mod guest;
mod tls;
pub mod trusted;

pub use error::{Error, Part, Wait};
pub use tls::{Roots, RootsError};
