//! Where a redirect leads. Only the next URL is worked out here; whether it may
//! be followed is decided like any request.

use http::{Response, StatusCode, Uri, header};

use super::target::Target;
use crate::error::Error;

/// The next place, or none where the answer is not a redirect that a GET follows.
pub(super) fn target<B>(from: &Target, answer: &Response<B>) -> Result<Option<Target>, Error> {
    let follows = matches!(
        answer.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(location) = answer.headers().get(header::LOCATION).filter(|_| follows) else {
        return Ok(None);
    };
    let broken = || Error::Protocol("the answer redirects to something that is not a URL".into());
    let location = location.to_str().map_err(|_| broken())?;
    let uri: Uri = absolute(from, location).parse().map_err(|_| broken())?;
    Target::of(&uri).map(Some)
}

/// A location against the URL that answered. Dot segments are left as they are:
/// the policy refuses them, as it does in a guest's own requests.
fn absolute(from: &Target, location: &str) -> String {
    let location = location.split('#').next().unwrap_or_default();
    let scheme = from.scheme.word();
    let place = format!("{scheme}://{}:{}", from.host, from.port);
    if has_scheme(location) {
        return location.to_owned();
    }
    if location.starts_with("//") {
        return format!("{scheme}:{location}");
    }
    if location.starts_with('/') {
        return format!("{place}{location}");
    }
    if location.is_empty() {
        return format!("{place}{}", from.path_and_query);
    }
    if location.starts_with('?') {
        return format!("{place}{}{location}", from.path());
    }
    let folder = from.path().rfind('/').map_or("/", |at| &from.path()[..=at]);
    format!("{place}{folder}{location}")
}

/// Whether a text begins with `scheme:`, before anything that could not be one.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use policy::Scheme;

    use super::*;

    #[test]
    fn locations_are_read_against_the_url_that_answered() {
        let from = Target { scheme: Scheme::Https, host: "a.example".into(), port: 443, path_and_query: "/x/y?z".into() };
        for (location, expected) in [
            ("http://b.example/1", "http://b.example/1"),
            ("//b.example/1", "https://b.example/1"),
            ("/1#part", "https://a.example:443/1"),
            ("1", "https://a.example:443/x/1"),
            ("?q", "https://a.example:443/x/y?q"),
            ("", "https://a.example:443/x/y?z"),
        ] {
            assert_eq!(absolute(&from, location), expected, "{location}");
        }
    }

    #[test]
    fn other_schemes_are_no_place_to_go() {
        let from = Target { scheme: Scheme::Https, host: "a.example".into(), port: 443, path_and_query: "/".into() };
        for location in ["file:///etc/passwd", "javascript:alert(1)", "http://user@b.example/", "data:,x"] {
            let answer = Response::builder().status(302).header("location", location).body(()).unwrap();
            assert!(target(&from, &answer).is_err(), "{location}");
        }
        assert_eq!(target(&from, &Response::builder().status(304).header("location", "/").body(()).unwrap()).unwrap(), None);
    }
}
