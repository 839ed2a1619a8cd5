//! wardian
fn main() {}
