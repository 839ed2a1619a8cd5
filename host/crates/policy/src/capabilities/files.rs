//! Directories: `[[plugin.NAME.files]]`. The permit names a directory here; that
//! nothing outside of it is reachable is the work of whoever opens it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::denied::{self, Denied};
use crate::file::MountFile;
use crate::glob::Glob;
use crate::grant::Granted;
use crate::problem::Problem;
use crate::units::Bytes;

/// All files of a directory that may be written, where the entry says nothing.
const QUOTA: Bytes = Bytes(64 << 20);

/// Stands for the tenant's name in a mount's `host`.
pub const TENANT: &str = "{tenant}";

/// What may be done in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Look.
    Read,
    /// Look, create, change and remove.
    Write,
}

impl Access {
    /// The word in the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Leave to use a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePermit {
    /// The directory here, absolute.
    pub host: PathBuf,
    /// What the guest calls it, such as `maps`.
    pub guest: String,
    /// The most that was granted, whatever was asked for.
    pub access: Access,
    /// All files in it together; 0 where it is only read.
    pub quota_bytes: u64,
    /// The line that allowed it.
    pub rule: String,
    /// The path of that line in the file; of a lease, the lease's name.
    pub key: String,
}

/// `[[plugin.NAME.files]]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    host: PathBuf,
    guest: String,
    access: Access,
    quota_bytes: u64,
    rule: String,
    key: String,
}

impl Mount {
    pub(crate) fn build(key: &str, file: &MountFile, base: &Path) -> Result<Self, Problem> {
        let names = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        let plain = !file.guest.is_empty() && names(&file.guest) && !file.guest.contains(['\\', '\0']) && !file.guest.ends_with('/');
        if !plain || file.guest.contains("//") || file.guest.contains("./") {
            return Err(Problem::error(
                format!("{key}.guest"),
                format!("{:?} is not a name for a directory", file.guest),
                "write it like \"maps\"",
            ));
        }
        if file.host.is_empty() || Path::new(&file.host).components().any(|part| part == Component::ParentDir) {
            return Err(Problem::error(format!("{key}.host"), "the directory is empty or goes up with ..", "write the path without .."));
        }
        let quota_bytes = match (file.access, file.quota) {
            (Access::Write, quota) => quota.unwrap_or(QUOTA).0,
            (Access::Read, None) => 0,
            (Access::Read, Some(_)) => {
                let help = "remove the quota, or grant access = \"write\"";
                return Err(Problem::error(format!("{key}.quota"), "a directory that is only read has no quota", help));
            }
        };
        let rule = format!("[[{}]] guest = {} access = \"{}\"", bare(key), denied::text(&file.guest), file.access.word());
        Ok(Self { host: base.join(&file.host), guest: file.guest.clone(), access: file.access, quota_bytes, rule, key: key.to_owned() })
    }

    /// The guest's name for it.
    pub fn guest(&self) -> &str {
        &self.guest
    }

    /// The most that may be done there.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The path of its line in the file.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// How it stands in the file.
    pub fn text(&self) -> &str {
        &self.rule
    }

    /// The same as a part of a lease.
    pub(crate) fn lent(self, lease: &str) -> Self {
        Self { rule: format!("lease {lease}: {}", self.rule), key: format!("lease {lease}"), ..self }
    }

    /// Whether more may be done with the same directory.
    fn wider(&self, other: &Self) -> bool {
        (self.access, self.quota_bytes) > (other.access, other.quota_bytes)
    }

    fn per_tenant(&self) -> bool {
        self.host.to_str().is_some_and(|path| path.contains(TENANT))
    }

    /// The directory for a tenant; none where its name could lead elsewhere.
    fn place(&self, tenant: &str) -> Option<PathBuf> {
        if !self.per_tenant() {
            return Some(self.host.clone());
        }
        let mut parts = Path::new(tenant).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == tenant);
        let path = self.host.to_str().filter(|_| plain && !tenant.contains(['\\', '\0']))?;
        Some(PathBuf::from(path.replace(TENANT, tenant)))
    }

    fn permit(&self, tenant: &str) -> Option<FilePermit> {
        let host = self.place(tenant)?;
        Some(FilePermit {
            host,
            guest: self.guest.clone(),
            access: self.access,
            quota_bytes: self.quota_bytes,
            rule: self.rule.clone(),
            key: self.key.clone(),
        })
    }
}

/// `plugin.maps.files[0]` without the index, as it stands in the file.
fn bare(key: &str) -> &str {
    key.split('[').next().unwrap_or(key)
}

/// What is wrong with the mounts of a plugin taken together.
pub(crate) fn check(mounts: &[Mount], tenants: &[Glob]) -> Vec<Problem> {
    let each = mounts.iter().enumerate().flat_map(|(index, mount)| {
        let overlaps = mounts[..index].iter().flat_map(|other| overlaps(mount, other));
        shared(mount, tenants).into_iter().chain(overlaps)
    });
    each.collect()
}

/// What is wrong with a mount that is lent, beside those that are there. The same
/// directory under the same name is opened once, with what either grants.
pub(crate) fn check_lent<'a>(mount: &Mount, there: impl Iterator<Item = &'a Mount>, tenants: &[Glob]) -> Vec<Problem> {
    let others = there.filter(|other| (&mount.guest, &mount.host) != (&other.guest, &other.host));
    shared(mount, tenants).into_iter().chain(others.flat_map(|other| overlaps(mount, other))).collect()
}

fn shared(mount: &Mount, tenants: &[Glob]) -> Option<Problem> {
    let one_tenant = matches!(tenants, [only] if only.is_literal());
    if mount.access == Access::Read || one_tenant || mount.per_tenant() {
        return None;
    }
    let help = "name one tenant, or put {tenant} into the path";
    Some(Problem::error(format!("{}.host", mount.key), "several tenants would write into one directory", help))
}

fn overlaps(mount: &Mount, other: &Mount) -> Vec<Problem> {
    let mut problems = Vec::new();
    if nested(Path::new(&mount.guest), Path::new(&other.guest)) {
        let message = format!("{:?} and {:?} overlap for the guest", mount.guest, other.guest);
        problems.push(Problem::error(format!("{}.guest", mount.key), message, "give each directory a name of its own"));
    }
    if mount.access != other.access && nested(&mount.host, &other.host) {
        let help = "what is read-only under one name could be written under the other";
        problems.push(Problem::error(format!("{}.host", mount.key), "two directories overlap with different access", help));
    }
    problems
}

fn nested(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The widest of the mounts under a name, as all of them are opened as one.
pub(crate) fn decide(granted: &Granted<'_>, tenant: &str, name: &str, access: Access) -> Result<FilePermit, Denied> {
    let mounts = granted.all().flat_map(|grant| &grant.files).filter(|mount| mount.guest == name && mount.access >= access);
    let widest = mounts.reduce(|one, other| if other.wider(one) { other } else { one });
    widest.and_then(|mount| mount.permit(tenant)).ok_or_else(|| {
        let grant = granted.entry;
        let entry = grant.array("files");
        let (guest, word) = (denied::text(name), access.word());
        let help = format!("add a {entry} entry with guest = {guest} and access = \"{word}\"");
        let toml = format!("{entry}\nhost = \"path/here\"\nguest = {guest}\naccess = \"{word}\"\n");
        grant.not_granted(&format!("{} access to directory {name}", word), help, toml)
    })
}

/// Everything a plugin may open for a tenant, each name once.
pub(crate) fn all(granted: &Granted<'_>, tenant: &str) -> Vec<FilePermit> {
    let names: BTreeSet<&str> = granted.all().flat_map(|grant| &grant.files).map(|mount| &*mount.guest).collect();
    names.into_iter().filter_map(|name| decide(granted, tenant, name, Access::Read).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(host: &str, guest: &str, access: Access) -> Mount {
        let file = MountFile { host: host.into(), guest: guest.into(), access, quota: None };
        Mount::build("plugin.p.files[0]", &file, Path::new("/srv")).unwrap()
    }

    #[test]
    fn a_tenant_named_like_a_path_gets_no_directory() {
        let mount = mount("data/{tenant}/x", "x", Access::Write);
        assert_eq!(mount.place("acme"), Some("/srv/data/acme/x".into()));
        for tenant in ["", ".", "..", "a/b", "/", "../acme", "a\\b", "acme/", "./acme"] {
            assert_eq!(mount.place(tenant), None, "{tenant}");
        }
    }

    #[test]
    fn overlapping_directories_are_refused() {
        let check = |mounts: &[Mount]| check(mounts, &[Glob::new("default")]).len();
        assert_eq!(check(&[mount("a", "maps", Access::Read), mount("b", "maps/x", Access::Read)]), 1);
        assert_eq!(check(&[mount("a", "m", Access::Read), mount("a/b", "n", Access::Write)]), 1);
        assert_eq!(check(&[mount("a", "m", Access::Read), mount("a/b", "n", Access::Read)]), 0);
    }

    #[test]
    fn several_tenants_never_write_into_one_directory() {
        let tenants = [Glob::new("*")];
        assert_eq!(check(&[mount("a", "m", Access::Write)], &tenants).len(), 1);
        assert_eq!(check(&[mount("a/{tenant}", "m", Access::Write)], &tenants).len(), 0);
        assert_eq!(check(&[mount("a", "m", Access::Write)], &[Glob::new("acme")]).len(), 0);
    }

    #[test]
    fn guest_names_that_are_paths_of_another_kind_are_refused() {
        for guest in ["", "/maps", "..", "a/../b", "a//b", "./a", "a/", "a\\b"] {
            let file = MountFile { host: "a".into(), guest: guest.into(), access: Access::Read, quota: None };
            assert!(Mount::build("p", &file, Path::new("/")).is_err(), "{guest}");
        }
    }
}
