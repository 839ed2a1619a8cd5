//! The host outside a component: enough for a plugin's own tests. `store` and
//! `cache` are maps of the running thread, without quotas; the rest answers as
//! if nothing had been granted.
#![expect(missing_docs, reason = "each function is documented in the contract")]

use std::{cell::RefCell, collections::BTreeMap};

type Map = RefCell<BTreeMap<String, Vec<u8>>>;

thread_local! {
    static STORE: Map = const { RefCell::new(BTreeMap::new()) };
    static CACHE: Map = const { RefCell::new(BTreeMap::new()) };
}

pub(crate) mod context {
    pub fn id() -> String {
        String::new()
    }

    pub fn session() -> String {
        String::new()
    }

    pub fn agent() -> String {
        String::new()
    }

    pub fn user() -> Option<String> {
        None
    }

    pub fn time_left() -> u64 {
        0
    }

    pub fn trace() -> Option<String> {
        None
    }
}

pub(crate) mod cache {
    use super::CACHE;
    use crate::cache::Error;

    pub fn size(name: &str) -> Result<Option<u64>, Error> {
        Ok(CACHE.with_borrow(|files| files.get(name).map(|bytes| bytes.len() as u64)))
    }

    pub fn read(name: &str, offset: u64, len: u32) -> Result<Option<Vec<u8>>, Error> {
        Ok(CACHE.with_borrow(|files| {
            let bytes = files.get(name)?;
            let start = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
            let end = bytes.len().min(start.saturating_add(len as usize));
            Some(bytes[start..end].to_vec())
        }))
    }

    pub fn write(name: &str, bytes: &[u8]) -> Result<(), Error> {
        CACHE.with_borrow_mut(|files| files.insert(name.into(), bytes.into()));
        Ok(())
    }

    pub fn delete(name: &str) -> Result<(), Error> {
        CACHE.with_borrow_mut(|files| files.remove(name));
        Ok(())
    }

    pub fn names() -> Result<Vec<String>, Error> {
        Ok(CACHE.with_borrow(|files| files.keys().cloned().collect()))
    }
}

pub(crate) mod config {
    pub fn get(_key: &str) -> Option<String> {
        None
    }

    pub fn keys() -> Vec<String> {
        Vec::new()
    }
}

pub(crate) mod feedback {
    use crate::Content;

    pub fn progress(_share: Option<f32>, _note: &str) {}

    pub fn emit(_part: &Content) {}

    pub fn cancelled() -> bool {
        false
    }
}

pub(crate) mod log {
    use crate::log::Level;

    pub fn write(level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }
}

pub(crate) mod secrets {
    use crate::secrets::Denial;

    pub fn reveal(_name: &str) -> Result<String, Denial> {
        Err(Denial::Undeclared)
    }

    pub fn ready(_name: &str) -> bool {
        false
    }
}

pub(crate) mod store {
    use super::STORE;
    use crate::store::Error;

    /// The contract's bounds, so that a test meets them before a user does.
    const KEY_BYTES_MAX: usize = 256;
    const KEYS_MAX: usize = 1000;

    fn check(key: &str) -> Result<(), Error> {
        let valid = (1..=KEY_BYTES_MAX).contains(&key.len()) && !key.contains(char::is_control);
        if valid { Ok(()) } else { Err(Error::InvalidKey) }
    }

    pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
        check(key)?;
        Ok(STORE.with_borrow(|values| values.get(key).cloned()))
    }

    pub fn set(key: &str, value: &[u8]) -> Result<(), Error> {
        check(key)?;
        STORE.with_borrow_mut(|values| values.insert(key.into(), value.into()));
        Ok(())
    }

    pub fn delete(key: &str) -> Result<(), Error> {
        check(key)?;
        STORE.with_borrow_mut(|values| values.remove(key));
        Ok(())
    }

    pub fn keys(prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
        Ok(STORE.with_borrow(|values| {
            values
                .keys()
                .filter(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after))
                .take(KEYS_MAX.min(limit as usize))
                .cloned()
                .collect()
        }))
    }
}
