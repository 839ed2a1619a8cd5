//! What guests can import, one file a noun. Everything is linked; what was not
//! granted is denied inside, as an answer to the guest.

pub(crate) mod cache;
pub(crate) mod clocks;
mod config;
mod context;
mod feedback;
pub(crate) mod files;
pub(crate) mod http;
mod log;
pub(crate) mod random;
pub(crate) mod secrets;
pub(crate) mod store;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::Plugin;
use crate::guest::Guest;

/// Links WASI and the contract's own imports.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    files::link(&mut linker)?;
    http::link(&mut linker)?;
    Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

/// Plain data; there is nothing to call.
impl crate::bindings::wardian::plugin::types::Host for Guest {}
