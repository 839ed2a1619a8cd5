//! Directories: what was granted becomes preopened directories of WASI, which
//! opens everything beneath them and follows nothing out. Every operation on a
//! descriptor passes through here first, for what WASI does not know: the quota
//! of a directory, and what a guest may make the host hold or wait for.

mod descriptors;
mod quota;

use std::collections::HashMap;
use std::sync::Arc;

use policy::{Access, FilePermit};
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::guest::{Guest, PluginName};
use quota::Ledger;

/// The longest path that a guest may name: longer than the kernel takes, a path
/// is only a way to keep the host busy.
const PATH_BYTES_MAX: usize = 4_096;

/// Directory entries in all the listings of one call: the host holds a listing as
/// a whole, so a guest could otherwise fill its memory with the names of files.
const LISTED_MAX: usize = 100_000;

/// The directories of one call.
#[derive(Default)]
pub(crate) struct Files {
    plugin: PluginName,
    mounts: Vec<Mount>,
    /// Below which of them each open descriptor lies.
    below: HashMap<u32, usize>,
    listed: usize,
}

/// One granted directory.
struct Mount {
    /// The guest's name for it, `/maps`.
    name: String,
    /// The line that granted it.
    rule: String,
    /// None where it is only read.
    quota: Option<Quota>,
    /// What has been refused and logged: once is enough for a call.
    told: Vec<&'static str>,
}

/// What a directory may hold, and the count of what it does.
struct Quota {
    bytes_max: u64,
    ledger: Arc<Ledger>,
}

impl Files {
    /// Opens the granted directories for a call, each as `/<name>`. One that is
    /// not there is left out, with a line for the operator.
    pub(crate) fn open(wasi: &mut WasiCtxBuilder, plugin: PluginName, permits: Vec<FilePermit>) -> Self {
        let mut files = Self { plugin, ..Self::default() };
        for permit in permits {
            let (perms, name) = (perms(permit.access), format!("/{}", permit.guest));
            match wasi.preopened_dir(&permit.host, &name, perms) {
                Ok(_) => files.mounts.push(Mount::new(name, permit)),
                Err(error) => tracing::warn!(
                    plugin.id = %files.plugin,
                    "cannot open {} for plugin {}, granted by {}: {error:#}", permit.host.display(), files.plugin, permit.rule
                ),
            }
        }
        files
    }

    /// The directory that a descriptor lies below.
    fn mount(&mut self, descriptor: u32) -> Option<&mut Mount> {
        self.mounts.get_mut(*self.below.get(&descriptor)?)
    }

    /// Tells the operator of a refusal, once for a call and a directory.
    fn tell(&mut self, descriptor: u32, what: &'static str, why: &str) {
        let plugin = self.plugin.clone();
        let Some(mount) = self.mount(descriptor) else { return };
        if mount.told.contains(&what) {
            return;
        }
        mount.told.push(what);
        tracing::warn!(plugin.id = %plugin, rule = mount.rule, "refused to plugin {plugin} in {}: {why}", mount.name);
    }
}

impl Mount {
    fn new(name: String, permit: FilePermit) -> Self {
        let quota = || Quota { bytes_max: permit.quota_bytes, ledger: Ledger::of(&permit.host) };
        let quota = (permit.access == Access::Write).then(quota);
        Self { name, quota, rule: permit.rule, told: Vec::new() }
    }
}

fn perms(access: Access) -> FsPerms {
    match access {
        Access::Read => FsPerms::ReadOnly,
        Access::Write => FsPerms::ReadWrite,
    }
}

/// The files of a guest, as the imports see them.
pub(crate) struct View<'a> {
    wasi: WasiFilesystemCtxView<'a>,
    files: &'a mut Files,
}

struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = View<'a>;
}

/// Puts our own `wasi:filesystem` in the place of the one that is linked.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    fn view(guest: &mut Guest) -> View<'_> {
        View { wasi: WasiFilesystemCtxView { ctx: guest.wasi.filesystem(), table: &mut guest.table }, files: &mut guest.files }
    }
    linker.allow_shadowing(true);
    types::add_to_linker::<_, HasFiles>(linker, view)?;
    preopens::add_to_linker::<_, HasFiles>(linker, view)?;
    linker.allow_shadowing(false);
    Ok(())
}
