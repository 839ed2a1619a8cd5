//! From a name to the addresses that may be connected to. Resolved once: the
//! address that was checked is the one that is used.

use std::net::{IpAddr, SocketAddr};

use policy::{Floor, Host};

use crate::error::Error;

/// Addresses of one name that are looked at; more is an attempt to wear us out.
const ADDRESSES_MAX: usize = 64;

pub(super) async fn resolve(host: &Host, port: u16, floor: &Floor) -> Result<Vec<SocketAddr>, Error> {
    let addresses = match host {
        Host::Address(address) => vec![SocketAddr::new(*address, port)],
        Host::Name(name) => {
            let found = tokio::net::lookup_host((name.as_str(), port)).await;
            let found = found.map_err(|error| Error::Dns { host: name.clone(), why: error.to_string() })?;
            found.take(ADDRESSES_MAX).collect()
        }
    };
    if addresses.is_empty() {
        return Err(Error::Dns { host: host.to_string(), why: "the name has no address".into() });
    }
    all_open(host, addresses.iter().map(SocketAddr::ip), floor)?;
    Ok(addresses)
}

/// A name with one closed address is closed as a whole: it mixes the outside
/// with the inside, and whoever answers for it chooses the order.
fn all_open(host: &Host, addresses: impl Iterator<Item = IpAddr>, floor: &Floor) -> Result<(), Error> {
    for address in addresses {
        floor.address_allowed(address).map_err(|denied| Error::AddressClosed { host: host.to_string().into(), denied })?;
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
