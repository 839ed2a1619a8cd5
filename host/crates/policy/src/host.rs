//! Host names in one canonical spelling, so that a rule and a request mean the
//! same host or different ones, and nothing between. Odd spellings of numbers
//! are refused instead of understood.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name that DNS carries.
const NAME_BYTES_MAX: usize = 253;
/// The longest label in a name.
const LABEL_BYTES_MAX: usize = 63;

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// With TLS.
    Https,
    /// Without.
    Http,
}

impl Scheme {
    /// The scheme's own port.
    pub fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }

    /// As it stands in a URL.
    pub fn word(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

/// A host: a name in lower case without a final dot, or an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// ASCII; international names in their `xn--` form.
    Name(String),
    /// An address that was written as one.
    Address(IpAddr),
}

/// A text that is no host, or one in a spelling that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a host: {why}")]
pub struct InvalidHost {
    text: String,
    why: &'static str,
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        parse(text).map_err(|why| InvalidHost { text: text.chars().take(NAME_BYTES_MAX).collect(), why })
    }
}

fn parse(text: &str) -> Result<Host, &'static str> {
    if let Some(inside) = text.strip_prefix('[') {
        let address = inside.strip_suffix(']').and_then(|inside| inside.parse::<Ipv6Addr>().ok());
        return address.map(|it| Host::Address(it.into())).ok_or("brackets hold an IPv6 address without a zone");
    }
    if !text.is_ascii() {
        return Err("write international names in their xn-- form");
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err("a name has 1 to 253 characters");
    }
    let fine = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
    };
    if !name.split('.').all(fine) {
        return Err("a name consists of letters, digits, hyphens and dots");
    }
    if !ends_in_a_number(&name) {
        return Ok(Host::Name(name));
    }
    // Resolvers read 127.1, 0x7f.1, 017700000001 and 2130706433 as addresses. The
    // strict form is the only one in which a rule and an eye see the same address.
    name.parse::<Ipv4Addr>().map(|it| Host::Address(it.into())).map_err(|_| "write an IPv4 address as four decimal numbers")
}

/// Whether resolvers would read the name as a number: its last label is one.
fn ends_in_a_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || last.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// The hosts that a rule names, from the widest to the narrowest: the order is
/// how exactly a rule fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostPattern {
    /// `*`: every name, no address.
    AnyName,
    /// `*.example.com`: every name below it, not itself. Kept with the leading dot.
    Below(String),
    /// Exactly this one.
    Exactly(Host),
}

impl HostPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidHost> {
        if text == "*" {
            return Ok(Self::AnyName);
        }
        let Some(apex) = text.strip_prefix("*.") else {
            return text.parse().map(Self::Exactly);
        };
        match apex.parse()? {
            Host::Name(name) => Ok(Self::Below(format!(".{name}"))),
            Host::Address(_) => Err(InvalidHost { text: text.to_owned(), why: "there is nothing below an address" }),
        }
    }

    pub(crate) fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::AnyName, Host::Name(_)) => true,
            (Self::Below(suffix), Host::Name(name)) => name.len() > suffix.len() && name.ends_with(suffix.as_str()),
            (Self::AnyName | Self::Below(_), Host::Address(_)) => false,
            (Self::Exactly(exact), host) => exact == host,
        }
    }

    /// Whether every host of the other is one of its own.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::AnyName, Self::AnyName | Self::Below(_)) => true,
            (Self::Below(suffix), Self::Below(other)) => other.ends_with(suffix.as_str()),
            (pattern, Self::Exactly(host)) => pattern.matches(host),
            (Self::Below(_), Self::AnyName) | (Self::Exactly(_), Self::AnyName | Self::Below(_)) => false,
        }
    }

    /// How exactly it names a host: larger is more exact.
    pub(crate) fn exactness(&self) -> usize {
        match self {
            Self::AnyName => 0,
            Self::Below(suffix) => suffix.len(),
            Self::Exactly(_) => usize::MAX,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyName => f.write_str("*"),
            Self::Below(suffix) => write!(f, "*{suffix}"),
            Self::Exactly(host) => host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_host_are_one_host() {
        for (text, canonical) in [
            ("API.Example.com", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("[0:0:0::1]", "[::1]"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(text.parse::<Host>().map(|host| host.to_string()).as_deref(), Ok(canonical));
        }
    }

    #[test]
    fn odd_spellings_are_refused() {
        for text in [
            "",
            ".",
            "..",
            "a..b",
            "münchen.example",
            "a b",
            "user@host",
            "host:80",
            "a/b",
            "a\\b",
            "%6c",
            "127.1",
            "0x7f.0.0.1",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "127.0.0.01",
            "256.1.1.1",
            "1.2.3.4.5",
            "::1",
            "[::1",
            "[::1%eth0]",
            "[127.0.0.1]",
            "a\0b",
            "0x",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_wildcard_matches_below_but_not_itself() {
        let pattern = HostPattern::parse("*.Example.com").unwrap();
        let matches = |host: &str| pattern.matches(&host.parse().unwrap());
        assert!(matches("a.example.com") && matches("a.b.example.com."));
        assert!(!matches("example.com") && !matches("badexample.com") && !matches("example.com.evil.org"));
        assert!(!HostPattern::AnyName.matches(&"10.0.0.1".parse().unwrap()));
    }
}
