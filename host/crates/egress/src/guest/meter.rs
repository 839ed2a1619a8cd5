//! What one call has used up on the network, over all of its requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use policy::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::{Error, Part};

/// Counts for one call; its requests share it.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    requests: AtomicU32,
    sent: AtomicU64,
    received: AtomicU64,
    slots: Arc<Semaphore>,
}

impl Meter {
    /// Nothing used yet.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            limits: *limits,
            requests: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            slots: Arc::new(Semaphore::new(limits.connections as usize)),
        })
    }

    /// Bytes of request bodies so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Bytes of response bodies so far.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    pub(super) fn header_bytes_max(&self) -> u64 {
        self.limits.header_bytes
    }

    pub(super) fn request(&self) -> Result<(), Error> {
        let max = self.limits.requests;
        let taken = self.requests.fetch_update(Relaxed, Relaxed, |used| (used < max).then_some(used + 1));
        taken.map(|_| ()).map_err(|_| Error::Requests(max))
    }

    /// Leave to hold one connection. Waits a while for one of the call's own to
    /// end; a guest that holds all of them and waits for one more gets an answer.
    pub(super) async fn slot(&self, wait: Duration) -> Result<OwnedSemaphorePermit, Error> {
        match timeout(wait, self.slots.clone().acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(Error::Connections(self.limits.connections)),
        }
    }

    pub(super) fn send(&self, bytes: usize) -> Result<(), Error> {
        let bytes_max = self.limits.sent_bytes;
        add(&self.sent, bytes, bytes_max).map_err(|()| Error::TooLarge { what: Part::RequestBodies, bytes_max })
    }

    pub(super) fn receive(&self, bytes: usize) -> Result<(), Error> {
        let bytes_max = self.limits.received_bytes;
        add(&self.received, bytes, bytes_max).map_err(|()| Error::TooLarge { what: Part::ResponseBodies, bytes_max })
    }
}

fn add(counter: &AtomicU64, bytes: usize, max: u64) -> Result<(), ()> {
    let added = counter.fetch_add(bytes as u64, Relaxed).saturating_add(bytes as u64);
    if added <= max { Ok(()) } else { Err(()) }
}
