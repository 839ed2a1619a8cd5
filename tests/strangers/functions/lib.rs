//! One of wit-bindgen's own test components, unchanged. What it includes under
//! the name `BINDINGS` is what the build script writes.

include!(concat!(env!("STRANGER"), "/test.rs"));
