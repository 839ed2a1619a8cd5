//! Who is asking.

use std::sync::Arc;

use policy::Role;
use serde::{Deserialize, Serialize};

use crate::ids::Uid;

/// An authenticated caller. The front doors make it; `policy::may` decides what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The tenant it belongs to.
    pub tenant: Uid,
    /// The tenant's name, for grants.
    pub tenant_name: Arc<str>,
    /// The uid of the key it came with.
    pub key: Uid,
    /// The end user that the key or the front door names, if any.
    pub subject: Option<String>,
    /// What it may do.
    pub role: Role,
    /// The only agents it may see, by key; none means all of the tenant.
    pub agents: Option<Vec<String>>,
}

impl Principal {
    /// In the place of a key's uid for whoever comes through the server's own socket, where no key is asked for.
    pub const SOCKET: Uid = Uid([0; 16]);

    /// Whether this is the one who opened a session: same key, same subject.
    pub fn is(&self, key: Uid, subject: Option<&str>) -> bool {
        self.key == key && self.subject.as_deref() == subject
    }
}
