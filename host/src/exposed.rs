//! What others on this machine could change or read, and secrets that are not
//! there. All of it works, so it is said and not refused.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use policy::{Policy, Problem, SecretRef};

/// Entries of the plugin directory that are looked at; a thousand plugins are many.
const ENTRIES_MAX: usize = 10_000;

/// One that the server makes is its own user's alone; one that is there stays as the operator made it.
pub(crate) fn warn_of_open_data(data: &Path) {
    if lets(data, 0o077) {
        tracing::warn!("others on this machine can enter the data directory {0}; run chmod go= {0}", data.display());
    }
}

/// Whoever can write there can bring tools into service, or change those that are.
pub(crate) fn warn_of_open_plugins(plugins: &Path) {
    if lets(plugins, 0o002) {
        tracing::warn!("everybody on this machine can write to the plugin directory {0}; run chmod o-w {0}", plugins.display());
    }
    let entries = || std::fs::read_dir(plugins).into_iter().flatten().filter_map(Result::ok).take(ENTRIES_MAX).map(|entry| entry.path());
    for path in entries() {
        let inside = path.file_name().map(|name| path.join(name).with_extension("wasm")).filter(|_| path.is_dir());
        for path in [Some(path), inside].into_iter().flatten().filter(|path| lets(path, 0o002)) {
            tracing::warn!("everybody on this machine can change the plugin at {0}; run chmod o-w {0}", path.display());
        }
    }
}

/// Granted directories that hold the data directory, or lie in it: a plugin that
/// writes there could become the server. What is meant for plugins lies elsewhere.
pub(crate) fn own_directories<'a>(mounts: impl Iterator<Item = (String, &'a str)>, base: &Path, data: &Path, open: &Path) -> Vec<Problem> {
    let (data, open) = (real(data), real(open));
    let inside = |host: &str| {
        // What stands for a tenant's name is below everything before it.
        let host = real(&base.join(host.split("{tenant}").next().unwrap_or_default()));
        (data.starts_with(&host) || host.starts_with(&data)) && !host.starts_with(&open)
    };
    let found = mounts.filter(|(_, host)| inside(host)).map(|(key, host)| {
        let message = format!("directory {host} holds the server's own data, or lies in it");
        Problem::error(key, message, format!("grant a directory apart from {}", data.display()))
    });
    found.collect()
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = absolute.ancestors().find_map(|there| Some((there.canonicalize().ok()?, absolute.strip_prefix(there).ok()?)));
    known.map_or_else(|| absolute.clone(), |(there, rest)| there.join(rest))
}

/// Secrets without a value, and those that everybody can read.
pub(crate) fn secrets(policy: &Policy) -> Vec<Problem> {
    policy.secrets().flat_map(|(name, reference)| doubts(name, reference)).collect()
}

fn doubts(name: &str, reference: &SecretRef) -> Vec<Problem> {
    let key = format!("secrets.{name}.from");
    let mut found = Vec::new();
    if let Err(error) = sandbox::secret(reference) {
        let help = match reference {
            SecretRef::Env(name) => format!("set {name} where the server is started; until then whoever needs the secret is refused"),
            SecretRef::File(_) => "write the value there; until then whoever needs the secret is refused".to_owned(),
        };
        found.push(Problem::warning(&key, error.to_string(), help));
    }
    if let SecretRef::File(path) = reference
        && lets(path, 0o004)
    {
        let message = format!("everybody on this machine can read {}", path.display());
        found.push(Problem::warning(&key, message, format!("run chmod o-r {}", path.display())));
    }
    found
}

/// Whether something is there and gives any of these rights.
fn lets(path: &Path, rights: u32) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|it| !it.is_symlink() && it.permissions().mode() & rights != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_granted_directory_holds_the_servers_own_data_or_lies_in_it() {
        let place = tempfile::tempdir().unwrap();
        let (base, data) = (place.path(), place.path().join("data"));
        std::fs::create_dir_all(data.join("knowledge")).unwrap();
        std::os::unix::fs::symlink(&data, base.join("link")).unwrap();
        let refused = |host: &str| {
            let mounts = std::iter::once(("plugin.it.files[0].host".to_owned(), host));
            !own_directories(mounts, base, &data, &data.join("knowledge")).is_empty()
        };
        for host in ["data", "data/plugins", "data/not-yet/{tenant}", ".", "/", "link", "link/cache"] {
            assert!(refused(host), "{host}");
        }
        for host in ["data/knowledge", "data-of-tenants/{tenant}", "maps"] {
            assert!(!refused(host), "{host}");
        }
    }
}
