//! Lists: `limit`, `page_key`, `filter` and `enabled` from a query, and the page
//! keys themselves, which are opaque, authenticated and bound to what they go on with.

use axum::extract::Query;
use hmac::{Hmac, KeyInit, Mac};
use http::Uri;
use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};
use sha2::Sha256;

use session::Uid;

use crate::errors::{Error, Result};
use crate::limits::{FILTER_BYTES, FILTER_PROGRAM_BYTES, PAGE, SCAN};

/// The parameters of a request, in order.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of a request's address.
    pub(crate) fn of(uri: &Uri) -> Result<Self> {
        let query = Query::try_from_uri(uri);
        query.map(|Query(pairs)| Self(pairs)).map_err(|_| Error::field("query", "the query cannot be read; encode it as name=value&…"))
    }

    /// The last value of a name; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a name, whether it is repeated or they are separated by commas; empty ones count as absent.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(key, _)| key == name);
        values.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty())
    }

    /// True or false.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::field(name, format!("`{name}` must be true or false"))),
        }
    }

    /// How many items a page may have.
    pub(crate) fn limit(&self, default: usize) -> Result<usize> {
        let Some(text) = self.get("limit") else { return Ok(default) };
        let limit = text.parse().ok().filter(|limit| (1..=PAGE).contains(limit));
        limit.ok_or_else(|| Error::field("limit", format!("`limit` must be a whole number from 1 to {PAGE}")))
    }

    /// A search over names and descriptions.
    pub(crate) fn filter(&self) -> Result<Option<Regex>> {
        let Some(text) = self.get("filter") else { return Ok(None) };
        if text.len() > FILTER_BYTES {
            return Err(Error::field("filter", format!("`filter` may be at most {FILTER_BYTES} bytes long")));
        }
        let built = RegexBuilder::new(text).size_limit(FILTER_PROGRAM_BYTES).dfa_size_limit(FILTER_PROGRAM_BYTES).build();
        built.map(Some).map_err(|_| Error::field("filter", "`filter` must be a regular expression of the RE2 kind, and not too large"))
    }
}

/// What a page key goes on with: only a request for the same list may use it.
pub(crate) struct Place<'a> {
    /// The tenant.
    pub tenant: Uid,
    /// Which list, with the uid of what it belongs to.
    pub list: &'a str,
    /// The parameters that choose what is on the list.
    pub choice: String,
}

/// Makes and reads page keys.
pub(crate) struct PageKeys([u8; 32]);

const VERSION: u8 = 1;

impl PageKeys {
    /// Keys under this secret; those of another secret are foreign.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// A key that goes on after `last`.
    pub(crate) fn write(&self, place: &Place<'_>, last: [u8; 16]) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(last);
        bytes.extend(&self.mac(place, last).finalize().into_bytes()[..16]);
        data_encoding::BASE64URL_NOPAD.encode(&bytes)
    }

    /// Where the request's key goes on, if it has one.
    pub(crate) fn read(&self, place: &Place<'_>, params: &Params) -> Result<Option<[u8; 16]>> {
        let Some(text) = params.get("page_key") else { return Ok(None) };
        let foreign = || Error::field("page_key", "`page_key` is not one that this list gave for these parameters; begin without it");
        let bytes: [u8; 33] =
            data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok().and_then(|b| b.try_into().ok()).ok_or_else(foreign)?;
        let mut last = [0; 16];
        last.copy_from_slice(&bytes[1..17]);
        let genuine = bytes[0] == VERSION && self.mac(place, last).verify_truncated_left(&bytes[17..]).is_ok();
        if genuine { Ok(Some(last)) } else { Err(foreign()) }
    }

    fn mac(&self, place: &Place<'_>, last: [u8; 16]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(&place.tenant.0);
        mac.update(&last);
        // Lengths keep two places from looking like one.
        for part in [place.list, &place.choice] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

/// One page that was gathered by `gather`.
pub(crate) struct Gathered<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether more follow.
    pub more: bool,
}

/// Fills a page with what `keep` keeps of a list that is read in slices. Looks one
/// item ahead, so that no page but the first of an empty list is ever empty.
pub(crate) fn gather<T>(
    limit: usize,
    after: Option<Uid>,
    uid: impl Fn(&T) -> Uid,
    mut slice: impl FnMut(Option<Uid>, usize) -> Result<Vec<T>>,
    keep: impl Fn(&T) -> bool,
) -> Result<Gathered<T>> {
    let (mut items, mut at, mut seen) = (Vec::new(), after, 0);
    let mut size = limit + 1;
    loop {
        let found = slice(at, size)?;
        let last_slice = found.len() < size;
        size = PAGE + 1;
        at = found.last().map(&uid).or(at);
        seen += found.len();
        items.extend(found.into_iter().filter(&keep));
        if items.len() > limit || last_slice {
            let more = items.len() > limit;
            items.truncate(limit);
            return Ok(Gathered { items, more });
        }
        if seen >= SCAN {
            return Err(Error::field(
                "filter",
                format!("too little on this list is what was asked for: {SCAN} items were looked at for one page; make the filters wider"),
            ));
        }
    }
}

/// The `metadata` member of a list: an object always, the key only while more follows.
pub(crate) fn metadata(page_key: Option<String>) -> Value {
    page_key.map_or_else(|| json!({}), |key| json!({ "page_key": key }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::of(&format!("/x?{query}").parse().unwrap()).unwrap()
    }

    fn place(tenant: u8, list: &'static str, choice: &str) -> Place<'static> {
        Place { tenant: Uid([tenant; 16]), list, choice: choice.to_owned() }
    }

    #[test]
    fn a_page_key_works_only_for_the_list_that_gave_it() {
        let keys = PageKeys::new([7; 32]);
        let key = keys.write(&place(1, "agents", "a"), [3; 16]);
        let query = params(&format!("page_key={key}"));
        assert_eq!(keys.read(&place(1, "agents", "a"), &query).unwrap(), Some([3; 16]));
        for foreign in [place(2, "agents", "a"), place(1, "sessions", "a"), place(1, "agents", "b"), place(1, "agentsa", "")] {
            assert!(keys.read(&foreign, &query).is_err());
        }
        assert!(PageKeys::new([8; 32]).read(&place(1, "agents", "a"), &query).is_err());
    }

    #[test]
    fn a_damaged_page_key_is_a_bad_request_that_names_it() {
        let keys = PageKeys::new([7; 32]);
        for bad in ["x", "eyJldmVudF9pZCI6ImFldl9hZ2VudF9vdXRwdXRfMDAxIn0", "%00", "AAAA"] {
            let error = keys.read(&place(1, "agents", ""), &params(&format!("page_key={bad}"))).unwrap_err();
            assert!(error.body("r")["field_errors"]["page_key"].is_string());
        }
        assert_eq!(keys.read(&place(1, "agents", ""), &params("page_key=")).unwrap(), None);
    }

    #[test]
    fn a_list_of_strings_is_repeated_or_separated_by_commas() {
        let query = params("category=a,b&x=1&category=c&category=");
        assert_eq!(query.all("category").collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_limit_is_one_to_a_hundred() {
        assert_eq!(params("").limit(20).unwrap(), 20);
        assert_eq!(params("limit=100").limit(20).unwrap(), 100);
        for bad in ["0", "101", "-1", "ten", "1.5", "99999999999999999999"] {
            assert!(params(&format!("limit={bad}")).limit(20).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_filter_that_does_not_compile_or_is_huge_is_refused() {
        assert!(params("filter=sup.*t").filter().unwrap().is_some_and(|filter| filter.is_match("my support agent")));
        for bad in ["(", "(a{1000}){1000}", &"a".repeat(FILTER_BYTES + 1)] {
            assert!(params(&format!("filter={bad}")).filter().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_page_is_empty_while_more_follows() {
        let all: Vec<Uid> = (0..1000u128).map(|n| Uid(n.to_be_bytes())).collect();
        let read =
            |after: Option<Uid>, limit: usize| Ok(all.iter().filter(|uid| after.is_none_or(|a| **uid > a)).take(limit).copied().collect());
        let rare = |uid: &Uid| u128::from_be_bytes(uid.0) % 400 == 399;
        let first = gather(1, None, |uid| *uid, read, rare).unwrap();
        assert_eq!((first.items.len(), first.more), (1, true));
        let second = gather(1, first.items.last().copied(), |uid| *uid, read, rare).unwrap();
        assert_eq!((second.items.len(), second.more), (1, false));
    }
}
