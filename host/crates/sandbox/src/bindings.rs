//! The contract as Rust types and traits, generated from `wit/v0.1`. Every
//! import may end the guest with a trap.

#![allow(missing_docs, reason = "generated; the documentation stands in the WIT files")]

wasmtime::component::bindgen!({
    path: "../../../wit/v0.1",
    world: "wardian:plugin/plugin",
    imports: {
        "wardian:plugin/store@0.1.0": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
