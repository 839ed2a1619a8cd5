//! API keys: made once and shown once, stored as a hash, verified from memory,
//! revoked at once. A key's text is never kept, logged or answered again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use agent::Clock;
use policy::Role;
use session::{Millis, Principal, Uid};
use storage::{Directory, Kind, Record};

use crate::limits::{KEY_TEXT, KEYS_CACHED};

/// Where tenants and keys live: they are found before a tenant is known.
const ROOT: Uid = Uid([0; 16]);

/// The owner's tenant.
const DEFAULT_TENANT: &str = "default";

/// Second name of the adopted owner key: there is one at a time.
const ADOPTED: &str = "owner";

/// Characters of an owner key that the operator chooses; shorter ones can be guessed.
const OWNER_KEY_LENGTH: usize = 16;

/// Why a key or a tenant was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The owner's own text is too weak or too long.
    #[error("the owner key must be {OWNER_KEY_LENGTH} to {KEY_TEXT} characters without blanks; leave it out to have one made")]
    WeakOwnerKey,
    /// There is no such tenant.
    #[error("tenant `{0}` does not exist; make it first, with `wardian tenants create {0}` or POST /operator/v1/tenants")]
    NoTenant(String),
    /// The tenant exists.
    #[error("tenant `{0}` exists already")]
    TenantTaken(String),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] storage::Error),
    /// A record that cannot be read.
    #[error("the record of key or tenant {0} cannot be read: {1}")]
    Damaged(Uid, String),
}

/// What a new key is for.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The tenant's name.
    pub tenant: String,
    /// What it may do.
    pub role: Role,
    /// The only agents it may see; none means all of the tenant.
    pub agents: Option<Vec<String>>,
    /// The end user it stands for.
    pub subject: Option<String>,
    /// For the operator.
    pub label: Option<String>,
}

/// A key as the operator sees it. Never its text.
#[derive(Debug, Clone, Serialize)]
pub struct Key {
    /// By which it is revoked.
    pub id: Uid,
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// What it may do.
    pub role: Role,
    /// The only agents it may see.
    pub agents: Option<Vec<String>>,
    /// The end user it stands for.
    pub subject: Option<String>,
    /// For the operator.
    pub label: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// A tenant as the operator sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Tenant {
    /// Its identity.
    pub id: Uid,
    /// Its name.
    pub name: Arc<str>,
}

/// What the store keeps of a key.
#[derive(Serialize, Deserialize)]
struct Kept {
    tenant: Uid,
    tenant_name: Arc<str>,
    role: Role,
    agents: Option<Vec<String>>,
    subject: Option<String>,
    label: Option<String>,
    created_at: Millis,
}

/// By what a caller was found.
#[derive(PartialEq, Eq, Hash)]
enum Shown {
    /// The hash of a key's text.
    Text([u8; 32]),
    /// A key's id, out of an access token.
    Id(Uid),
}

/// Callers who were found lately.
type Known = HashMap<Shown, Arc<Principal>>;

/// The keys and tenants of this server.
pub struct Keyring {
    directory: Arc<dyn Directory>,
    clock: Clock,
    home: Tenant,
    known: Mutex<Known>,
    revoked: watch::Sender<()>,
}

impl Keyring {
    /// The keys in this directory. Makes the owner's tenant where it is missing.
    pub async fn open(directory: Arc<dyn Directory>) -> Result<Self, Error> {
        let clock = Clock;
        let home = match tenant(&*directory, DEFAULT_TENANT)? {
            Some(home) => home,
            None => new_tenant(&*directory, clock, DEFAULT_TENANT).await?,
        };
        Ok(Self { directory, clock, home, known: Mutex::default(), revoked: watch::Sender::new(()) })
    }

    /// The owner's tenant.
    pub fn home(&self) -> &Tenant {
        &self.home
    }

    /// The operator on the server's own socket.
    pub fn operator(&self) -> Principal {
        Principal {
            tenant: self.home.id,
            tenant_name: self.home.name.clone(),
            key: Principal::SOCKET,
            subject: None,
            role: Role::Owner,
            agents: None,
        }
    }

    /// Makes a key. The text in the answer exists nowhere else.
    pub async fn create(&self, new: NewKey) -> Result<(String, Key), Error> {
        let text = key_text(self.clock.random());
        let key = self.keep(&text, new, None).await?;
        Ok((text, key))
    }

    /// Makes this text the owner's key. One that was adopted before is revoked.
    pub async fn ensure_owner(&self, text: &str) -> Result<(), Error> {
        let fits = (OWNER_KEY_LENGTH..=KEY_TEXT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if !fits {
            return Err(Error::WeakOwnerKey);
        }
        let name = hex(&hash(text));
        for record in self.records()? {
            if record.alias.as_deref() != Some(ADOPTED) {
                continue;
            }
            if record.name == name {
                return Ok(());
            }
            self.revoke(record.uid).await?;
        }
        if self.directory.find(ROOT, Kind::Key, ROOT, &name)?.is_some() {
            return Ok(());
        }
        let new =
            NewKey { tenant: DEFAULT_TENANT.to_owned(), role: Role::Owner, agents: None, subject: None, label: Some("owner".to_owned()) };
        self.keep(text, new, Some(ADOPTED)).await?;
        Ok(())
    }

    /// Who comes with this key, or none where it is wrong or revoked.
    pub fn verify(&self, text: &str) -> Result<Option<Arc<Principal>>, Error> {
        if text.is_empty() || text.len() > KEY_TEXT || !checksum_fits(text) {
            return Ok(None);
        }
        let shown = Shown::Text(hash(text));
        if let Some(principal) = self.known().get(&shown) {
            return Ok(Some(principal.clone()));
        }
        let name = hex(&hash(text));
        let Some(record) = self.directory.find(ROOT, Kind::Key, ROOT, &name)? else { return Ok(None) };
        if !bool::from(record.name.as_bytes().ct_eq(name.as_bytes())) {
            return Ok(None);
        }
        self.remember(shown, &record)
    }

    /// Who comes with an access token of this key, or none where the key was revoked.
    pub(crate) fn of_id(&self, id: Uid) -> Result<Option<Arc<Principal>>, Error> {
        let shown = Shown::Id(id);
        if let Some(principal) = self.known().get(&shown) {
            return Ok(Some(principal.clone()));
        }
        match self.directory.get(id)? {
            Some(record) if record.kind == Kind::Key => self.remember(shown, &record),
            Some(_) | None => Ok(None),
        }
    }

    fn remember(&self, shown: Shown, record: &Record) -> Result<Option<Arc<Principal>>, Error> {
        let principal = Arc::new(principal(record.uid, read(record)?));
        let mut known = self.known();
        // Read again under the lock that `revoke` takes: a key that was revoked meanwhile must not come back.
        if self.directory.get(record.uid)?.is_none() {
            return Ok(None);
        }
        if known.len() >= KEYS_CACHED {
            known.clear();
        }
        known.insert(shown, principal.clone());
        Ok(Some(principal))
    }

    /// All keys, oldest first; those of one tenant where it is named.
    pub fn list(&self, tenant: Option<&str>) -> Result<Vec<Key>, Error> {
        let keys = self.records()?.into_iter().map(|record| read(&record).map(|kept| key(record.uid, kept)));
        keys.filter(|key| key.as_ref().map_or(true, |key| tenant.is_none_or(|name| &*key.tenant == name))).collect()
    }

    /// Ends a key for the next request, and ends the streams that were opened with it. False where there was none.
    pub async fn revoke(&self, id: Uid) -> Result<bool, Error> {
        if self.directory.get(id)?.is_none_or(|record| record.kind != Kind::Key) {
            return Ok(false);
        }
        let was_there = self.directory.delete(id).await?;
        self.known().retain(|_, principal| principal.key != id);
        self.revoked.send_replace(());
        Ok(was_there)
    }

    /// Waits until a key is revoked. For open streams.
    pub(crate) async fn until_revoked(self: Arc<Self>, id: Uid) {
        let mut changes = self.revoked.subscribe();
        // The operator's socket has no key that could be revoked. A store that
        // cannot be read ends the stream: nobody knows whether the key still counts.
        while id == Principal::SOCKET || matches!(self.directory.get(id), Ok(Some(_))) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// The tenant of a name, made where it is missing.
    pub async fn create_tenant(&self, name: &str) -> Result<Tenant, Error> {
        if tenant(&*self.directory, name)?.is_some() {
            return Err(Error::TenantTaken(name.to_owned()));
        }
        new_tenant(&*self.directory, self.clock, name).await
    }

    /// All tenants, oldest first.
    pub fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        let records = all(&*self.directory, Kind::Tenant)?;
        Ok(records.into_iter().map(|record| Tenant { id: record.uid, name: record.name.into() }).collect())
    }

    async fn keep(&self, text: &str, new: NewKey, alias: Option<&str>) -> Result<Key, Error> {
        let tenant = tenant(&*self.directory, &new.tenant)?.ok_or(Error::NoTenant(new.tenant))?;
        let kept = Kept {
            tenant: tenant.id,
            tenant_name: tenant.name,
            role: new.role,
            agents: new.agents,
            subject: new.subject,
            label: new.label,
            created_at: self.clock.now(),
        };
        let record = Record {
            uid: self.clock.uid(),
            tenant: ROOT,
            kind: Kind::Key,
            scope: ROOT,
            name: hex(&hash(text)),
            alias: alias.map(str::to_owned),
            version: 1,
            body: serde_json::to_vec(&kept).expect("a key's record is made of JSON values"),
        };
        let uid = record.uid;
        self.directory.create(record).await?;
        Ok(key(uid, kept))
    }

    fn records(&self) -> Result<Vec<Record>, Error> {
        all(&*self.directory, Kind::Key)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tenant(directory: &dyn Directory, name: &str) -> Result<Option<Tenant>, Error> {
    let record = directory.find(ROOT, Kind::Tenant, ROOT, name)?;
    Ok(record.map(|record| Tenant { id: record.uid, name: record.name.into() }))
}

async fn new_tenant(directory: &dyn Directory, clock: Clock, name: &str) -> Result<Tenant, Error> {
    let (uid, name) = (clock.uid(), name.to_owned());
    let record =
        Record { uid, tenant: ROOT, kind: Kind::Tenant, scope: ROOT, name: name.clone(), alias: None, version: 1, body: Vec::new() };
    match directory.create(record).await {
        Ok(()) => Ok(Tenant { id: uid, name: name.into() }),
        Err(storage::Error::Taken) => Err(Error::TenantTaken(name)),
        Err(other) => Err(other.into()),
    }
}

/// Every record of a kind at the root, in slices of what one read may hold.
fn all(directory: &dyn Directory, kind: Kind) -> Result<Vec<Record>, Error> {
    const SLICE: usize = 500;
    let mut found = Vec::new();
    loop {
        let after = found.last().map(|record: &Record| record.uid);
        let slice = directory.list(ROOT, kind, ROOT, after, SLICE)?;
        let more = slice.len() == SLICE;
        found.extend(slice);
        if !more {
            return Ok(found);
        }
    }
}

fn read(record: &Record) -> Result<Kept, Error> {
    serde_json::from_slice(&record.body).map_err(|e| Error::Damaged(record.uid, e.to_string()))
}

fn principal(key: Uid, kept: Kept) -> Principal {
    Principal { tenant: kept.tenant, tenant_name: kept.tenant_name, key, subject: kept.subject, role: kept.role, agents: kept.agents }
}

fn key(id: Uid, kept: Kept) -> Key {
    Key {
        id,
        tenant: kept.tenant_name,
        role: kept.role,
        agents: kept.agents,
        subject: kept.subject,
        label: kept.label,
        created_at: kept.created_at.rfc3339(),
    }
}

/// `wrd_<64 hex>_<8 hex>`: a prefix that scanners for leaked keys can look for, and a checksum against typing errors.
fn key_text(random: [u8; 32]) -> String {
    let secret = hex(&random);
    format!("wrd_{secret}_{}", checksum(&secret))
}

/// Whether a text of our own form is undamaged; texts of other forms are the operator's own.
fn checksum_fits(text: &str) -> bool {
    match text.strip_prefix("wrd_").and_then(|rest| rest.split_once('_')) {
        Some((secret, sum)) => sum == checksum(secret),
        None => true,
    }
}

fn checksum(secret: &str) -> String {
    hex(&hash(secret)[..4])
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Names;

    async fn keyring() -> Keyring {
        Keyring::open(Arc::new(Names::default())).await.unwrap()
    }

    fn new(role: Role) -> NewKey {
        NewKey { tenant: "default".into(), role, agents: None, subject: None, label: None }
    }

    #[tokio::test]
    async fn a_key_is_known_until_it_is_revoked() {
        let keys = keyring().await;
        let (text, key) = keys.create(new(Role::AgentUser)).await.unwrap();
        assert!(text.starts_with("wrd_") && text.len() == 4 + 64 + 1 + 8);
        for _ in 0..2 {
            let principal = keys.verify(&text).unwrap().unwrap();
            assert_eq!((principal.key, principal.role), (key.id, Role::AgentUser));
        }
        assert_eq!(keys.of_id(key.id).unwrap().unwrap().key, key.id);
        assert!(keys.revoke(key.id).await.unwrap());
        assert!(keys.verify(&text).unwrap().is_none());
        assert!(keys.of_id(key.id).unwrap().is_none());
        assert!(!keys.revoke(key.id).await.unwrap());
    }

    #[tokio::test]
    async fn an_id_that_is_not_a_keys_is_nobody() {
        let keys = keyring().await;
        assert!(keys.of_id(keys.home().id).unwrap().is_none());
        assert!(keys.of_id(Uid([9; 16])).unwrap().is_none());
    }

    #[tokio::test]
    async fn a_mistyped_key_is_nobody() {
        let keys = keyring().await;
        let (text, _) = keys.create(new(Role::Owner)).await.unwrap();
        let mistyped = text.replacen("wrd_", "wrd_0", 1);
        assert!(keys.verify(&mistyped).unwrap().is_none());
        assert!(keys.verify("").unwrap().is_none());
        assert!(keys.verify(&"x".repeat(KEY_TEXT + 1)).unwrap().is_none());
    }

    #[tokio::test]
    async fn the_owner_key_is_adopted_once_and_replaced_by_another_text() {
        let keys = keyring().await;
        assert!(matches!(keys.ensure_owner("short").await, Err(Error::WeakOwnerKey)));
        keys.ensure_owner("the first owner key".replace(' ', "-").as_str()).await.unwrap();
        keys.ensure_owner("the-first-owner-key").await.unwrap();
        assert_eq!(keys.list(None).unwrap().len(), 1);
        keys.ensure_owner("the-second-owner-key").await.unwrap();
        assert!(keys.verify("the-first-owner-key").unwrap().is_none());
        assert_eq!(keys.verify("the-second-owner-key").unwrap().unwrap().role, Role::Owner);
    }

    #[tokio::test]
    async fn a_key_of_an_unknown_tenant_is_not_made() {
        let keys = keyring().await;
        let nobody = NewKey { tenant: "acme".into(), ..new(Role::AgentUser) };
        assert!(matches!(keys.create(nobody.clone()).await, Err(Error::NoTenant(_))));
        keys.create_tenant("acme").await.unwrap();
        assert!(matches!(keys.create_tenant("acme").await, Err(Error::TenantTaken(_))));
        keys.create(nobody).await.unwrap();
        assert_eq!(keys.list(Some("acme")).unwrap().len(), 1);
        assert_eq!(keys.list(Some("default")).unwrap().len(), 0);
    }

    #[tokio::test]
    async fn an_open_stream_learns_of_the_revocation() {
        let keys = Arc::new(keyring().await);
        let (_, key) = keys.create(new(Role::AgentUser)).await.unwrap();
        let waiting = tokio::spawn(keys.clone().until_revoked(key.id));
        keys.revoke(key.id).await.unwrap();
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_stored_key_does_not_hold_its_text() {
        let names = Arc::new(Names::default());
        let keys = Keyring::open(names.clone()).await.unwrap();
        let (text, _) = keys.create(new(Role::AgentUser)).await.unwrap();
        let secret = text.split('_').nth(1).unwrap();
        for record in names.list(ROOT, Kind::Key, ROOT, None, 10).unwrap() {
            assert!(!record.name.contains(secret) && !String::from_utf8_lossy(&record.body).contains(secret));
        }
    }
}
