//! What is allowed: capabilities, grants, limits, roles, and the pure functions
//! that decide. No I/O; leans on nothing.

pub mod role;

pub use role::{Action, Role, may};
