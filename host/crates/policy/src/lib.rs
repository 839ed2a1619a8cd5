//! What is allowed: capabilities, grants, limits, roles, and the pure functions
//! that decide. No I/O and no clock; leans on nothing.
//!
//! The operator's sections are read into [`mod@file`]'s types, [`Policy::build`]
//! checks them into an immutable snapshot, and [`Policy::decide`] answers for
//! one concrete operation with a [`Permit`] or a [`Denied`] that names the lines
//! which would allow it.
//!
//! ```
//! use std::path::Path;
//! use policy::{Access, Capability, Policy, Who};
//!
//! let file = policy::file::PolicyFile::parse("[[plugin.maps.files]]\nhost = 'data'\nguest = 'maps'\naccess = 'read'")?;
//! let policy = Policy::build(&file, Path::new("/srv"), &[]).expect("nothing is wrong with the file");
//! let who = Who { plugin: "maps", digest: None, tenant: "default", agent: "assistant" };
//!
//! let read = Capability::File { mount: "maps", access: Access::Read };
//! assert!(policy.decide(&who, &read).is_ok());
//! let write = Capability::File { mount: "maps", access: Access::Write };
//! let denied = policy.decide(&who, &write).expect_err("only reading was granted");
//! assert!(denied.toml.contains("access = \"write\""));
//! # Ok::<(), policy::Problem>(())
//! ```

mod agents;
pub mod capabilities;
mod denied;
mod doubts;
mod explain;
pub mod file;
mod floor;
mod glob;
mod grant;
mod host;
mod lease;
pub mod limits;
mod problem;
mod requests;
pub mod role;
mod secret;
mod shape;
mod snapshot;
mod units;
pub mod words;

pub use agents::MCP_AGENT;
pub use capabilities::cache::CachePermit;
pub use capabilities::call::CallPermit;
pub use capabilities::config::ConfigPermit;
pub use capabilities::files::{Access, FilePermit, TENANT};
pub use capabilities::http::{HttpPermit, HttpRequest, Inject};
pub use capabilities::secrets::{SecretPermit, SecretUse};
pub use capabilities::store::{StorePermit, StoreScope};
pub use capabilities::{Capability, Permit};
pub use denied::{Denied, Layer};
pub use explain::Explanation;
pub use floor::{Closed, Floor};
pub use grant::{Approve, Approver, Facts, Grant, Pin, Pins};
pub use host::{Host, InvalidHost, Scheme};
pub use lease::{LEASE_BYTES_MAX, LEASE_MAX, LEASES_MAX, Lease, LeaseFile};
pub use limits::Limits;
pub use problem::{Problem, Severity};
pub use requests::Request;
pub use role::{Action, Role, may};
pub use secret::{Secret, SecretError, SecretRef};
pub use shape::{Shape, Start, Trait, Words};
pub use snapshot::{Builtin, OPERATOR_TENANT, Policy, Who};
pub use units::{Bytes, Rate, Span, UnitError};
pub use words::{Question, Unclear, Url};
