//! An address in the parts in which `wasi:http` wants it. It is not normalised: what is
//! written is what the host decides about.

/// The parts of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_secure: bool,
    /// Host, and port where one is given.
    pub(crate) authority: String,
    /// Never empty; without the fragment, which is never sent.
    pub(crate) path_and_query: String,
}

impl Url {
    /// The parts, if it is an address of HTTP with a host and without a password in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.is_empty() || authority.contains(['@', '\\']) || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let path_and_query = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { is_secure, authority: authority.to_owned(), path_and_query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_as_it_is_written() {
        let parts = |text| Url::parse(text).map(|url| (url.is_secure, url.authority, url.path_and_query));
        assert_eq!(parts("https://a.example:8443/x/../y?q=1#z"), Some((true, "a.example:8443".into(), "/x/../y?q=1".into())));
        assert_eq!(parts("HTTP://a.example?q"), Some((false, "a.example".into(), "/?q".into())));
        assert_eq!(parts("https://[::1]"), Some((true, "[::1]".into(), "/".into())));
        for wrong in
            ["", "a.example", "ftp://a.example", "https://", "https:///x", "https://u:p@a.example/", "https://a example/", "https://a\\b/"]
        {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
