//! `store`: the durable key-value store. A call reads it as it stood when the
//! call began, sees its own writes over that, and hands them over at its end.

use std::collections::BTreeMap;

use policy::StorePermit;
use tool::StoreScope;

use crate::bindings::wardian::plugin::store::{Error, Host};
use crate::guest::Guest;
use crate::reach::Reach;

/// A key.
const KEY_BYTES_MAX: usize = 256;

/// A value.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// Keys in one listing.
const KEYS_MAX: usize = 1_000;

/// The tool vocabulary's word for the policy's scope.
pub(crate) fn scope(permit: &StorePermit) -> StoreScope {
    match permit.scope {
        policy::StoreScope::Session => StoreScope::Session,
        policy::StoreScope::Agent => StoreScope::Agent,
        policy::StoreScope::Plugin => StoreScope::Plugin,
    }
}

impl Guest {
    /// The call's reach and the leave to use the store.
    fn store(&mut self) -> Result<(&mut Reach, StorePermit), Error> {
        let reach = self.reach.as_deref_mut().ok_or(Error::Denied)?;
        let permit = reach.scope.store().ok_or(Error::Denied)?;
        Ok((reach, permit))
    }
}

impl Reach {
    /// The sizes of what the store held when the call began.
    async fn sizes(&mut self, permit: &StorePermit) -> Result<&BTreeMap<String, u64>, Error> {
        if self.sizes.is_none() {
            let plugin = self.scope.plugin().to_owned();
            let sizes = self.ports.store.sizes(&plugin, scope(permit)).await.map_err(|error| {
                tracing::warn!(plugin.id = %plugin, "{error}");
                Error::Unavailable
            })?;
            self.sizes = Some(sizes.into_iter().collect());
        }
        self.sizes.as_ref().ok_or(Error::Unavailable)
    }

    /// Whether a write still fits; the quota counts keys and values.
    async fn fits(&mut self, permit: &StorePermit, key: &str, value: &[u8]) -> Result<(), Error> {
        self.sizes(permit).await?;
        let kept = self.sizes.iter().flatten().filter(|(name, _)| !self.writes.contains_key(*name) && *name != key);
        let before: u64 = kept.map(|(name, bytes)| name.len() as u64 + bytes).sum();
        let written = self.writes.iter().filter(|(name, _)| *name != key);
        let own: u64 = written.filter_map(|(name, value)| value.as_ref().map(|value| (name.len() + value.len()) as u64)).sum();
        if before + own + (key.len() + value.len()) as u64 > permit.quota_bytes {
            return Err(Error::Quota(permit.quota_bytes));
        }
        Ok(())
    }
}

impl Host for Guest {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let get = async {
            let (reach, permit) = self.store()?;
            valid(&key)?;
            if let Some(own) = reach.writes.get(&key) {
                return Ok(own.clone());
            }
            reach.ports.store.get(reach.scope.plugin(), scope(&permit), &key).await.map_err(|error| {
                tracing::warn!(plugin.id = reach.scope.plugin(), "{error}");
                Error::Unavailable
            })
        };
        Ok(get.await)
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        let set = async {
            let (reach, permit) = self.store()?;
            valid(&key)?;
            if value.len() > VALUE_BYTES_MAX {
                return Err(Error::Quota(VALUE_BYTES_MAX as u64));
            }
            reach.fits(&permit, &key, &value).await?;
            reach.writes.insert(key, Some(value));
            Ok(())
        };
        Ok(set.await)
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), Error>> {
        let delete = async {
            let (reach, permit) = self.store()?;
            valid(&key)?;
            // Only a key that is there needs a write: a guest may not pile up removals of nothing.
            if reach.sizes(&permit).await?.contains_key(&key) {
                reach.writes.insert(key, None);
            } else {
                reach.writes.remove(&key);
            }
            Ok(())
        };
        Ok(delete.await)
    }

    async fn keys(&mut self, prefix: String, after: Option<String>, limit: u32) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let keys = async {
            let (reach, permit) = self.store()?;
            let mut keys: Vec<String> = reach.sizes(&permit).await?.keys().cloned().collect();
            keys.retain(|key| !reach.writes.contains_key(key));
            keys.extend(reach.writes.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key.clone()));
            keys.retain(|key| key.starts_with(&prefix) && after.as_ref().is_none_or(|after| key > after));
            keys.sort_unstable();
            keys.truncate((limit as usize).min(KEYS_MAX));
            Ok(keys)
        };
        Ok(keys.await)
    }
}

fn valid(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.chars().any(char::is_control) { Err(Error::InvalidKey) } else { Ok(()) }
}
