//! What end-to-end tests and benches share: the real server as a child process,
//! a model server that answers as told, and a plain HTTP client that shows the
//! wire as it is. Nothing of the product is linked or replaced.

pub mod client;
pub mod fake_model;
pub mod patience;
pub mod server;
