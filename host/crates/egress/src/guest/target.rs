//! Where a request goes, as it was asked for.

use http::{Method, Uri};
use policy::{HttpRequest, Scheme};

use crate::error::Error;

/// The longest path and query together.
const TARGET_BYTES_MAX: usize = 16 << 10;

/// The parts of an absolute URL, the host in the guest's spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path_and_query: String,
}

impl Target {
    /// Takes an absolute URI apart. User-info, odd ports and what is not
    /// printable ASCII are refused: parsers disagree about them.
    pub(super) fn of(uri: &Uri) -> Result<Self, Error> {
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            Some(_) | None => return Err(Error::Request("the scheme is neither http nor https")),
        };
        let authority = uri.authority().ok_or(Error::Request("there is no host"))?;
        if authority.as_str().contains('@') {
            return Err(Error::Request("there is user-info before the host"));
        }
        let host = authority.host();
        let port = match authority.as_str().get(host.len()..) {
            Some("") => scheme.port(),
            Some(rest) => rest.strip_prefix(':').and_then(port).ok_or(Error::Request("the port is not a number"))?,
            None => return Err(Error::Request("there is no host")),
        };
        let path_and_query = uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        if path_and_query.len() > TARGET_BYTES_MAX {
            return Err(Error::Request("the path and query are too long"));
        }
        if !path_and_query.bytes().all(|b| (0x21..0x7f).contains(&b)) {
            return Err(Error::Request("the path or query is not printable ASCII"));
        }
        Ok(Self { scheme, host: host.to_owned(), port, path_and_query })
    }

    /// The question for the policy. The query is no part of it.
    pub(super) fn as_asked<'a>(&'a self, method: &'a Method) -> HttpRequest<'a> {
        HttpRequest { method: method.as_str(), scheme: self.scheme, host: &self.host, port: self.port, path: self.path() }
    }

    pub(super) fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or("/")
    }

    /// What stands in the request line.
    pub(super) fn origin_form(&self) -> Result<Uri, Error> {
        self.path_and_query.parse().map_err(|_| Error::Request("the path is not valid"))
    }

    /// Same scheme, host and port.
    pub(super) fn same_place(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.host.eq_ignore_ascii_case(&other.host) && self.port == other.port
    }
}

fn port(digits: &str) -> Option<u16> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Result<Target, Error> {
        Target::of(&uri.parse().expect("the test's URIs parse"))
    }

    #[test]
    fn a_url_comes_apart_as_it_was_written() {
        let target = target("http://Example.com:8080/a/b?c=d").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path()), ("Example.com", 8080, "/a/b"));
        assert_eq!(target.path_and_query, "/a/b?c=d");
        assert_eq!(super::Target::of(&"https://[::1]".parse().unwrap()).unwrap().host, "[::1]");
    }

    #[test]
    fn user_info_and_other_schemes_are_refused() {
        for uri in ["http://user@example.com/", "http://a.example:b@c.example/", "ftp://example.com/", "/path", "example.com"] {
            assert!(target(uri).is_err(), "{uri}");
        }
    }
}
