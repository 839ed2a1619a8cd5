//! Directories: what was granted becomes preopened directories of WASI, which
//! opens everything beneath them and follows nothing out.

use policy::{Access, FilePermit};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// Opens a granted directory for a call, as `/<name>`. A directory that is not
/// there is left out, with a line for the operator.
pub(crate) fn preopen(wasi: &mut WasiCtxBuilder, plugin: &str, permit: &FilePermit) {
    let perms = match permit.access {
        Access::Read => FsPerms::ReadOnly,
        Access::Write => FsPerms::ReadWrite,
    };
    if let Err(error) = wasi.preopened_dir(&permit.host, format!("/{}", permit.guest), perms) {
        tracing::warn!(
            plugin.id = plugin,
            "cannot open {} for plugin {plugin}, granted by {}: {error:#}",
            permit.host.display(),
            permit.rule
        );
    }
}
