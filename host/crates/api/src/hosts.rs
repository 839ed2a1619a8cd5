//! Which names this server answers to. A page of a hostile site can make a
//! browser send requests to a loopback address under the site's own name; so on
//! loopback only loopback names and those that the operator listed are taken,
//! and an `Origin` must be the server itself, or one that the operator opened it to.

use axum::extract::Request;
use http::header::{HOST, ORIGIN};

use crate::cors::Page;
use crate::errors::{Code, Error, Result};
use crate::server::Peer;

/// The names.
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new(allowed: Vec<String>) -> Self {
        Self(allowed.into_iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    /// Refuses a request that was meant for another host, or that a page sent which may not.
    pub(crate) fn check(&self, request: &Request, page: &Page) -> Result<()> {
        let Some(Peer::Network { loopback, .. }) = request.extensions().get::<Peer>() else { return Ok(()) };
        if request.headers().get_all(HOST).iter().nth(1).is_some() {
            return Err(Error::new(
                Code::InvalidRequest,
                "a request has one Host header (RFC 9110, section 7.2), and this one has several",
            ));
        }
        let header = request.headers().get(HOST).and_then(|v| v.to_str().ok());
        let host = request.uri().authority().map(|authority| authority.as_str()).or(header).map(name);
        let host = host.unwrap_or_default().to_ascii_lowercase();
        if !self.answers_to(&host, *loopback) {
            let why = "this server does not answer to that Host; add the name to its allowed hosts, or use a loopback address";
            return Err(Error::new(Code::Forbidden, why));
        }
        match request.headers().get(ORIGIN) {
            None => Ok(()),
            Some(_) if page.is_welcome() => Ok(()),
            Some(origin) => self.check_origin(origin.to_str().unwrap_or_default(), &host),
        }
    }

    fn answers_to(&self, host: &str, loopback: bool) -> bool {
        let listed = self.0.iter().any(|allowed| allowed == host);
        if loopback { listed || is_loopback(host) } else { listed || self.0.is_empty() }
    }

    fn check_origin(&self, origin: &str, host: &str) -> Result<()> {
        let from = origin.split_once("://").map(|(_, authority)| name(authority).to_ascii_lowercase()).unwrap_or_default();
        if !from.is_empty() && (from == host || self.0.contains(&from)) {
            return Ok(());
        }
        let why = "pages of this origin may not call this server; name it in server.cors, or its host in server.hosts where that is the server's own";
        Err(Error::new(Code::Forbidden, why))
    }
}

/// The name in an authority: without port and, for IPv6, without brackets.
fn name(authority: &str) -> &str {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cors::Origins;
    use axum::body::Body;

    fn request(host: &str, origin: Option<&str>, loopback: bool) -> Request {
        let mut builder = Request::builder().uri("/v2/agents").header(HOST, host);
        if let Some(origin) = origin {
            builder = builder.header(ORIGIN, origin);
        }
        builder.extension(Peer::Network { address: "127.0.0.1:9".parse().unwrap(), loopback }).body(Body::empty()).unwrap()
    }

    fn check(hosts: &Hosts, open_to: &[&str], request: &Request) -> Result<()> {
        hosts.check(request, &Origins::parse(open_to).unwrap().page(request))
    }

    #[test]
    fn a_rebound_name_is_refused_on_loopback() {
        let hosts = Hosts::new(vec!["Wardian.example".into()]);
        for good in ["127.0.0.1:8750", "localhost", "[::1]:8750", "wardian.example:1"] {
            assert!(check(&hosts, &[], &request(good, None, true)).is_ok(), "{good}");
        }
        for bad in ["evil.example", "127.0.0.1.evil.example", "", "evil.example:8750"] {
            assert!(check(&hosts, &[], &request(bad, None, true)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_for_two_hosts_is_refused() {
        let mut request = request("localhost", None, true);
        request.headers_mut().append(HOST, "evil.example".parse().unwrap());
        assert!(check(&Hosts::new(Vec::new()), &[], &request).is_err());
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let hosts = Hosts::new(Vec::new());
        assert!(check(&hosts, &[], &request("localhost:8750", Some("http://localhost:8750"), true)).is_ok());
        for bad in ["https://evil.example", "null", ""] {
            assert!(check(&hosts, &[], &request("localhost:8750", Some(bad), true)).is_err(), "{bad}");
        }
        assert!(check(&hosts, &[], &request("api.example", None, false)).is_ok());
        assert!(check(&hosts, &[], &request("api.example", Some("https://evil.example"), false)).is_err());
    }

    #[test]
    fn a_page_that_the_operator_named_may_come_but_not_under_a_foreign_host() {
        let (hosts, app) = (Hosts::new(Vec::new()), "https://app.example");
        assert!(check(&hosts, &[app], &request("localhost:8750", Some(app), true)).is_ok());
        assert!(check(&hosts, &["*"], &request("localhost:8750", Some("null"), true)).is_ok());
        assert!(check(&hosts, &[app], &request("localhost:8750", Some("https://evil.example"), true)).is_err());
        assert!(check(&hosts, &["*"], &request("app.example", Some(app), true)).is_err());
    }
}
