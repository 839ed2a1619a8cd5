//! The floor of the network: addresses that no grant reaches, whatever name
//! leads to them. Only `[network] private` opens ranges, on purpose.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::denied::{self, Denied, Layer};
use crate::file::NetworkFile;
use crate::problem::Problem;

/// What `[network]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// Ranges opened on purpose.
    pub private: Vec<IpNet>,
    /// Redirects followed per request; each hop is decided again.
    pub redirects: u32,
}

/// Why an address is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// What kind of address it is, such as `a loopback address`.
    pub kind: &'static str,
}

/// Redirects that may be followed at most: more is a loop.
const REDIRECTS_MAX: u32 = 10;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// After the registry of special-purpose IPv4 addresses, and what clouds add to it.
const CLOSED_V4: [(Ipv4Net, &str); 19] = [
    (v4(0, 0, 0, 0, 8), "an unspecified address"),
    (v4(10, 0, 0, 0, 8), "a private address"),
    (v4(100, 64, 0, 0, 10), "an address of a carrier's own network"),
    (v4(127, 0, 0, 0, 8), "a loopback address"),
    (v4(168, 63, 129, 16, 32), "a cloud metadata address"),
    (v4(169, 254, 0, 0, 16), "a link-local or metadata address"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 0, 0, 0, 24), "an address for protocols"),
    (v4(192, 0, 2, 0, 24), "a documentation address"),
    (v4(192, 31, 196, 0, 24), "an address for protocols"),
    (v4(192, 52, 193, 0, 24), "an address for protocols"),
    (v4(192, 88, 99, 0, 24), "a relay address"),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(192, 175, 48, 0, 24), "an address for protocols"),
    (v4(198, 18, 0, 0, 15), "a benchmarking address"),
    (v4(198, 51, 100, 0, 24), "a documentation address"),
    (v4(203, 0, 113, 0, 24), "a documentation address"),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(240, 0, 0, 0, 4), "a reserved address"),
];

/// What to call IPv6 addresses outside of the global range, all of which are closed.
const CLOSED_V6: [(Ipv6Net, &str); 13] = [
    (v6(0, 0, 128), "an unspecified address"),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "a loopback address"),
    (Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), "an IPv4 address written as IPv6"),
    (v6(0, 0, 96), "an IPv4 address written as IPv6"),
    (v6(0x64, 0xff9b, 32), "a translated IPv4 address"),
    (v6(0x2001, 0, 23), "an address for protocols"),
    (v6(0x2001, 0xdb8, 32), "a documentation address"),
    (v6(0x2002, 0, 16), "a relay address"),
    (v6(0x3fff, 0, 20), "a documentation address"),
    (v6(0xfc00, 0, 7), "a private address"),
    (v6(0xfe80, 0, 10), "a link-local address"),
    (v6(0xfec0, 0, 10), "a site-local address"),
    (v6(0xff00, 0, 8), "a multicast address"),
];

/// The one range from which public IPv6 addresses are given out.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

impl Floor {
    pub(crate) fn build(file: &NetworkFile) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut private = Vec::new();
        for (index, text) in file.private.iter().enumerate() {
            match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                Ok(net) => private.push(net.trunc()),
                Err(_) => problems.push(Problem::error(
                    format!("network.private[{index}]"),
                    format!("{text:?} is not an address range"),
                    "write it like \"10.1.0.0/16\"",
                )),
            }
        }
        if file.redirects > REDIRECTS_MAX {
            problems.push(Problem::error("network.redirects", "too many redirects", format!("at most {REDIRECTS_MAX}")));
        }
        (Self { private, redirects: file.redirects.min(REDIRECTS_MAX) }, problems)
    }

    /// Whether a connection to this address may be made.
    pub fn address_allowed(&self, address: IpAddr) -> Result<(), Denied> {
        let Some(closed) = self.closed(address) else {
            return Ok(());
        };
        let line = self.opening(address);
        Err(Denied {
            layer: Layer::Floor,
            what: format!("address {address}"),
            why: format!("is {}, which [network] closes", closed.kind),
            help: format!("open it with {line} in [network] if it is meant"),
            toml: format!("[network]\n{line}\n"),
        })
    }

    /// `private = […]` with this address beside what is open already.
    pub(crate) fn opening(&self, address: IpAddr) -> String {
        let nets = self.private.iter().copied().chain([IpNet::from(address)]);
        format!("private = [{}]", nets.map(|net| denied::text(&net.to_string())).collect::<Vec<_>>().join(", "))
    }

    /// What closes an address, if anything does.
    pub fn closed(&self, address: IpAddr) -> Option<Closed> {
        if self.private.iter().any(|net| net.contains(&address)) {
            return None;
        }
        let kind = match address {
            IpAddr::V4(address) => CLOSED_V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, kind)| *kind),
            IpAddr::V6(address) => {
                let special = CLOSED_V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, kind)| *kind);
                special.or_else(|| (!GLOBAL_V6.contains(&address)).then_some("a reserved address"))
            }
        };
        kind.map(|kind| Closed { kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(private: &[&str]) -> Floor {
        let file = NetworkFile { private: private.iter().map(|it| (*it).to_owned()).collect(), ..Default::default() };
        let (floor, problems) = Floor::build(&file);
        assert_eq!(problems, []);
        floor
    }

    #[test]
    fn every_special_range_is_closed_at_both_ends() {
        let floor = floor(&[]);
        for (net, kind) in CLOSED_V4 {
            for address in [net.network(), net.broadcast()] {
                assert_eq!(floor.closed(address.into()), Some(Closed { kind }), "{address}");
            }
        }
        for (net, _) in CLOSED_V6 {
            for address in [net.network(), net.broadcast()] {
                assert!(floor.closed(address.into()).is_some(), "{address}");
            }
        }
    }

    #[test]
    fn known_dangerous_addresses_are_closed() {
        let floor = floor(&[]);
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "100::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(floor.address_allowed(text.parse().unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_open() {
        let floor = floor(&[]);
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "11.0.0.0",
            "172.32.0.1",
            "100.128.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860::8888",
        ] {
            assert_eq!(floor.address_allowed(text.parse().unwrap()), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_range_named_on_purpose_is_open_and_only_that() {
        let floor = floor(&["127.0.0.0/8", "10.1.2.3"]);
        assert!(floor.closed("127.0.0.1".parse().unwrap()).is_none());
        assert!(floor.closed("10.1.2.3".parse().unwrap()).is_none());
        for text in ["10.1.2.4", "::1", "::ffff:127.0.0.1"] {
            assert!(floor.closed(text.parse().unwrap()).is_some(), "{text}");
        }
    }

    #[test]
    fn the_refusal_names_the_line_that_would_open_the_address() {
        let denied = floor(&[]).address_allowed("127.0.0.1".parse().unwrap()).unwrap_err();
        assert_eq!(
            denied.to_string(),
            "address 127.0.0.1 is a loopback address, which [network] closes; open it with private = [\"127.0.0.1/32\"] in [network] if it is meant"
        );
    }
}
