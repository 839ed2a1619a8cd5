//! Addresses: just enough to send a request to one, and to make the links of a
//! page complete. What is not plainly an address is refused, never repaired.

use std::fmt;

/// A longer address is data, not an address.
pub(crate) const URL_BYTES_MAX: usize = 2_048;

/// An address of the web, without a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// Whether it begins with `https`.
    pub(crate) is_secure: bool,
    /// The host in lower case, with the port where one is given.
    pub(crate) authority: String,
    /// Begins with `/`.
    pub(crate) path_and_query: String,
}

/// Why something is no address that can be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invalid {
    Scheme,
    Host,
    Credentials,
    Character,
    Length,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("the address must begin with https:// or http://"),
            Self::Host => {
                f.write_str("the address has no valid host name; names with letters beyond a to z must be given in their xn-- form")
            }
            Self::Credentials => f.write_str("the address must not contain a user name or password"),
            Self::Character => f.write_str("the address contains a control character or a backslash"),
            Self::Length => write!(f, "the address is longer than {URL_BYTES_MAX} bytes"),
        }
    }
}

impl Url {
    /// Reads a complete address.
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.len() > URL_BYTES_MAX {
            return Err(Invalid::Length);
        }
        if text.contains(|character: char| character.is_control() || character == '\\') {
            return Err(Invalid::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(Invalid::Scheme)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(Invalid::Scheme),
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        Ok(Self {
            is_secure,
            authority: authority_of(authority)?,
            path_and_query: encoded(if path.starts_with('/') { "" } else { "/" }, path),
        })
    }

    /// The host without the port.
    pub(crate) fn host(&self) -> &str {
        let port = self.authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
        port.map_or(&self.authority, |(host, _)| host)
    }

    /// The complete address of a link on this page. None if it leads nowhere one
    /// could fetch: a place on the same page, a script, embedded data.
    pub(crate) fn join(&self, link: &str) -> Option<String> {
        let link = link.trim();
        let link = link.split_once('#').map_or(link, |(before, _)| before);
        if link.is_empty() || link.len() > URL_BYTES_MAX {
            return None;
        }
        if let Some(scheme) = scheme_of(link) {
            return match scheme.to_ascii_lowercase().as_str() {
                "http" | "https" => Self::parse(link).ok().map(|url| url.to_string()),
                "mailto" | "tel" => Some(link.to_owned()),
                _ => None,
            };
        }
        if let Some(rest) = link.strip_prefix("//") {
            let scheme = if self.is_secure { "https" } else { "http" };
            return Self::parse(&format!("{scheme}://{rest}")).ok().map(|url| url.to_string());
        }
        let path = self.path_and_query.split('?').next().unwrap_or("/");
        let joined = match link.as_bytes()[0] {
            b'/' => link.to_owned(),
            b'?' => format!("{path}{link}"),
            _ => format!("{}{link}", &path[..=path.rfind('/').unwrap_or(0)]),
        };
        let origin = format!("{}://{}", if self.is_secure { "https" } else { "http" }, self.authority);
        Self::parse(&format!("{origin}{}", without_dots(&joined))).ok().map(|url| url.to_string())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path_and_query)
    }
}

fn authority_of(text: &str) -> Result<String, Invalid> {
    if text.contains('@') {
        return Err(Invalid::Credentials);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(Invalid::Host)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let valid_host = if text.starts_with('[') { host.bytes().all(is_address) } else { host.bytes().all(is_name) };
    let valid_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if host.is_empty() || !valid_host || !valid_port {
        return Err(Invalid::Host);
    }
    Ok(text.to_ascii_lowercase())
}

/// What stands before the first colon, if it has the form of a scheme.
fn scheme_of(link: &str) -> Option<&str> {
    let (scheme, _) = link.split_once(':')?;
    let valid = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then_some(scheme)
}

/// Characters that may not stand in a request are percent-encoded, others left as they are.
fn encoded(start: &str, path: &str) -> String {
    let mut out = start.to_owned();
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}') {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `.` and `..` in the path of a link are worked out as a browser does.
fn without_dots(path_and_query: &str) -> String {
    let (path, query) = path_and_query.split_at(path_and_query.find('?').unwrap_or(path_and_query.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            _ => kept.push(part),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        Url::parse(text).map_or_else(|invalid| format!("{invalid:?}"), |url| url.to_string())
    }

    #[test]
    fn reads_addresses() {
        for (text, expected) in [
            ("https://example.com", "https://example.com/"),
            (" HTTP://Example.COM:8080/A?b=c#d ", "http://example.com:8080/A?b=c"),
            ("https://example.com?q=1", "https://example.com/?q=1"),
            ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]:443/"),
            ("https://example.com/a b/\u{e9}?\"", "https://example.com/a%20b/%C3%A9?%22"),
            ("https://example.com/%20", "https://example.com/%20"),
        ] {
            assert_eq!(read(text), expected);
        }
    }

    #[test]
    fn knows_the_host_without_the_port() {
        for (text, host) in [("https://a.b", "a.b"), ("https://a.b:1/c:d", "a.b"), ("http://[::1]:80", "[::1]"), ("http://[::1]", "[::1]")]
        {
            assert_eq!(Url::parse(text).unwrap().host(), host);
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for (text, expected) in [
            ("", "Scheme"),
            ("example.com", "Scheme"),
            ("ftp://example.com/", "Scheme"),
            ("file:///etc/passwd", "Scheme"),
            ("https://", "Host"),
            ("https:///path", "Host"),
            ("https://b\u{fc}cher.example/", "Host"),
            ("https://exa mple.com/", "Host"),
            ("https://example.com:99999/", "Host"),
            ("https://[::1/", "Host"),
            ("https://user:pass@example.com/", "Credentials"),
            ("https://example.com/\r\nHost: other", "Character"),
            ("https://example.com\\@other/", "Character"),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
        assert_eq!(read(&format!("https://example.com/{}", "a".repeat(URL_BYTES_MAX))), "Length");
    }

    #[test]
    fn completes_the_links_of_a_page() {
        let page = Url::parse("https://example.com/docs/guide/one?x=1").unwrap();
        for (link, expected) in [
            ("two", Some("https://example.com/docs/guide/two")),
            ("./two#part", Some("https://example.com/docs/guide/two")),
            ("../", Some("https://example.com/docs/")),
            ("..", Some("https://example.com/docs/")),
            ("../../../../x", Some("https://example.com/x")),
            ("/top", Some("https://example.com/top")),
            ("?page=2", Some("https://example.com/docs/guide/one?page=2")),
            ("//other.example/x", Some("https://other.example/x")),
            ("http://other.example", Some("http://other.example/")),
            ("mailto:a@example.com", Some("mailto:a@example.com")),
            ("two:three", None),
            ("#part", None),
            ("", None),
            ("javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("https://user@other.example/", None),
        ] {
            assert_eq!(page.join(link).as_deref(), expected, "{link:?}");
        }
    }
}
