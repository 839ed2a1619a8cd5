//! The backends, one file each.

pub mod redb;
