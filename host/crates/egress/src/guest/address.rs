//! From a name to the addresses that may be connected to. Resolved once: the
//! address that was checked is the one that is used.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use policy::{Floor, Host};
use tokio::sync::Semaphore;

use crate::error::Error;

/// Addresses of one name that are looked at; more is an attempt to wear us out.
const ADDRESSES_MAX: usize = 64;

/// Lookups at the same time. The system's resolver cannot be stopped, only
/// forgotten: each keeps its thread until it gives up by itself, so guests that
/// ask for names of a silent name server would take every thread there is.
const LOOKUPS_MAX: usize = 64;

/// Asks the system for addresses.
#[derive(Clone)]
pub(super) struct Resolver(Arc<Semaphore>);

impl Default for Resolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_MAX)))
    }
}

impl Resolver {
    /// The addresses that a connection may be made to. Each call is one lookup.
    pub(super) async fn resolve(&self, host: &Host, port: u16, floor: &Floor) -> Result<Vec<SocketAddr>, Error> {
        let addresses = match host {
            Host::Address(address) => vec![SocketAddr::new(*address, port)],
            Host::Name(name) => self.lookup(name, port).await.map_err(|why| Error::Dns { host: name.clone(), why })?,
        };
        if addresses.is_empty() {
            return Err(Error::Dns { host: host.to_string(), why: "the name has no address".into() });
        }
        all_open(host, addresses.iter().map(SocketAddr::ip), floor)?;
        Ok(addresses)
    }

    async fn lookup(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let place = self.0.clone().acquire_owned().await.map_err(|error| error.to_string())?;
        let name = name.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            let _place = place;
            (name.as_str(), port).to_socket_addrs().map(|found| found.take(ADDRESSES_MAX).collect())
        });
        found.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

/// A name with one closed address is closed as a whole: it mixes the outside
/// with the inside, and whoever answers for it chooses the order.
fn all_open(host: &Host, addresses: impl Iterator<Item = IpAddr>, floor: &Floor) -> Result<(), Error> {
    for address in addresses {
        floor.address_allowed(address).map_err(|denied| Error::AddressClosed { host: host.to_string().into(), denied: denied.into() })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use policy::Policy;

    use super::*;

    #[test]
    fn one_closed_address_closes_the_name() {
        let (policy, host) = (Policy::default(), "mixed.example".parse().unwrap());
        let open = |addresses: &[&str]| all_open(&host, addresses.iter().map(|it| it.parse().unwrap()), policy.floor()).is_ok();
        assert!(open(&["1.1.1.1", "2606:4700::1111"]));
        assert!(!open(&["1.1.1.1", "10.0.0.1"]) && !open(&["1.1.1.1", "::1"]));
    }
}
