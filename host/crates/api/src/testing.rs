//! A directory in memory, for the tests of keys: names, uids and second names
//! as the trait promises them, without durability.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use session::{Millis, Uid};
use storage::{Directory, Error, Kind, Record, Rename};

#[derive(Default)]
pub(crate) struct Names(Mutex<BTreeMap<Uid, Record>>);

#[async_trait]
impl Directory for Names {
    async fn begin(&self, _session: Uid, _tenant: Uid) -> Result<(), Error> {
        Ok(())
    }

    async fn create(&self, record: Record) -> Result<(), Error> {
        let mut records = self.0.lock().unwrap();
        let place = |r: &Record| (r.tenant, r.kind, r.scope);
        let mut same_place = records.values().filter(|other| place(other) == place(&record));
        if same_place.any(|other| other.name == record.name || (other.alias.is_some() && other.alias == record.alias)) {
            return Err(Error::Taken);
        }
        records.insert(record.uid, record);
        Ok(())
    }

    async fn update(&self, uid: Uid, version: u64, body: Vec<u8>, alias: Rename) -> Result<(), Error> {
        let mut records = self.0.lock().unwrap();
        let record = records.get_mut(&uid).ok_or(Error::Gone(uid))?;
        if record.version != version {
            return Err(Error::Conflict);
        }
        (record.version, record.body) = (version + 1, body);
        if let Rename::To(alias) = alias {
            record.alias = alias;
        }
        Ok(())
    }

    async fn delete(&self, uid: Uid) -> Result<bool, Error> {
        Ok(self.0.lock().unwrap().remove(&uid).is_some())
    }

    fn get(&self, uid: Uid) -> Result<Option<Record>, Error> {
        Ok(self.0.lock().unwrap().get(&uid).cloned())
    }

    fn find(&self, tenant: Uid, kind: Kind, scope: Uid, name: &str) -> Result<Option<Record>, Error> {
        let records = self.0.lock().unwrap();
        let found = records.values().find(|r| (r.tenant, r.kind, r.scope) == (tenant, kind, scope) && r.name == name);
        Ok(found.cloned())
    }

    fn list(&self, tenant: Uid, kind: Kind, scope: Uid, after: Option<Uid>, limit: usize) -> Result<Vec<Record>, Error> {
        let records = self.0.lock().unwrap();
        let listed = records.values().filter(|r| (r.tenant, r.kind, r.scope) == (tenant, kind, scope) && after.is_none_or(|a| r.uid > a));
        Ok(listed.take(limit).cloned().collect())
    }

    fn latest(&self, tenant: Uid, kind: Kind, scope: Uid, before: Option<Uid>, limit: usize) -> Result<Vec<Record>, Error> {
        let records = self.0.lock().unwrap();
        let listed = records.values().filter(|r| (r.tenant, r.kind, r.scope) == (tenant, kind, scope) && before.is_none_or(|b| r.uid < b));
        Ok(listed.rev().take(limit).cloned().collect())
    }

    async fn expire_at(&self, _uid: Uid, _at: Option<Millis>) -> Result<(), Error> {
        Ok(())
    }

    fn expiring(&self, _until: Millis, _after: Option<(Millis, Uid)>, _limit: usize) -> Result<Vec<(Millis, Uid)>, Error> {
        Ok(Vec::new())
    }

    async fn reap(&self, _rows: usize) -> Result<usize, Error> {
        Ok(0)
    }
}
