//! What `wit-bindgen` makes of the contract in `wit`, under stable names.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]

wit_bindgen::generate!({
    path: "wit",
    world: "plugin",
    pub_export_macro: true,
    export_macro_name: "export_world",
    default_bindings_module: "wardian_plugin::bindings",
});
