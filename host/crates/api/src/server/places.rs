//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::Doors;
use crate::rate::network;

/// The places.
pub(super) struct Places {
    doors: Doors,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place that is taken until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

impl Places {
    pub(super) fn new(doors: Doors) -> Arc<Self> {
        Arc::new(Self { doors, taken: Mutex::default() })
    }

    /// A place for somebody from there, or none.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Place> {
        let address = address.filter(|address| !address.to_canonical().is_loopback()).map(network);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.doors.connections {
            return None;
        }
        if let Some(address) = address {
            let here = taken.by_address.entry(address).or_default();
            if *here >= self.doors.per_address {
                return None;
            }
            *here += 1;
        }
        taken.all += 1;
        Some(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(here) = taken.by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gives_them_back() {
        let places = Places::new(Doors { connections: 5, per_address: 2, ..Doors::default() });
        let (here, there): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = places.take(Some(here)).unwrap();
        let _second = places.take(Some(here)).unwrap();
        assert!(places.take(Some(here)).is_none());
        let _other = places.take(Some(there)).unwrap();
        drop(first);
        assert!(places.take(Some(here)).is_some());
    }

    #[test]
    fn loopback_has_no_bound_but_that_of_all() {
        let places = Places::new(Doors { connections: 3, per_address: 1, ..Doors::default() });
        let local: IpAddr = "::1".parse().unwrap();
        let taken: Vec<_> = (0..5).filter_map(|_| places.take(Some(local))).collect();
        assert_eq!(taken.len(), 3);
    }
}
