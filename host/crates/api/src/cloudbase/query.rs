//! Queries as clients of bots write them: built from whatever they have at hand, unset values included.

use http::Uri;
use session::Millis;

use crate::errors::{Error, Result};
use crate::limits::PAGE;
use crate::operation::{Form, Parameter, Query};
use crate::page::Params;

/// How many items on a page.
pub(super) const PAGE_SIZE: Query =
    Query::Of(&Parameter { name: "pageSize", form: Form::Whole, text: "How many items a page has, 1 to 100; 10 by default." });
/// Which page.
pub(super) const PAGE_NUMBER: Query = Query::Of(&Parameter { name: "pageNumber", form: Form::Whole, text: "Which page, from 1." });

/// What unset values become where a client puts them into a text.
const UNSET: [&str; 3] = ["undefined", "null", "NaN"];

/// The parameters of a request that say something.
pub(super) struct Wishes(Params);

impl Wishes {
    /// Those of a request's address.
    pub(super) fn of(uri: &Uri) -> Result<Self> {
        Params::of(uri).map(Self)
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).filter(|value| !UNSET.contains(value))
    }

    /// True or false.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::field(name, format!("`{name}` must be true or false"))),
        }
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.map(Some).ok_or_else(|| Error::field(name, format!("`{name}` must be a number")))
    }

    /// One of these words.
    pub(super) fn word(&self, name: &str, words: &[&'static str]) -> Result<Option<&'static str>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let found = words.iter().find(|word| **word == text).copied();
        found.map(Some).ok_or_else(|| Error::field(name, format!("`{name}` must be {}", words.join(" or "))))
    }

    /// A moment, in seconds or milliseconds since 1970.
    pub(super) fn time(&self, name: &str) -> Result<Option<Millis>> {
        /// As seconds, that is the year 5138; as milliseconds, 1973.
        const SECONDS: i64 = 100_000_000_000;
        let Some(text) = self.text(name) else { return Ok(None) };
        let number: Option<i64> = text.parse().ok();
        let number = number.ok_or_else(|| Error::field(name, format!("`{name}` must be a time in milliseconds since 1970")))?;
        Ok(Some(Millis(if number.abs() < SECONDS { number.saturating_mul(1_000) } else { number })))
    }

    /// What of a list is asked for, by `pageSize` and `pageNumber`.
    pub(super) fn page(&self) -> Result<Part> {
        let size = self.whole("pageSize", 1..=PAGE)?.unwrap_or(10);
        let number = self.whole("pageNumber", 1..=usize::MAX)?.unwrap_or(1);
        Ok(Part { skip: (number - 1).saturating_mul(size), take: size })
    }

    /// The same by `limit` and `offset`.
    pub(super) fn slice(&self) -> Result<Part> {
        Ok(Part { skip: self.whole("offset", 0..=usize::MAX)?.unwrap_or(0), take: self.whole("limit", 1..=PAGE)?.unwrap_or(10) })
    }

    fn whole(&self, name: &str, bounds: std::ops::RangeInclusive<usize>) -> Result<Option<usize>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        let wanted = if *bounds.end() == usize::MAX {
            format!("{} or more", bounds.start())
        } else {
            format!("{} to {}", bounds.start(), bounds.end())
        };
        number.map(Some).ok_or_else(|| Error::field(name, format!("`{name}` must be a whole number, {wanted}")))
    }
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    skip: usize,
    take: usize,
}

impl Part {
    /// How many items there are up to its end.
    pub(super) fn end(self) -> usize {
        self.skip.saturating_add(self.take)
    }

    /// Those items.
    pub(super) fn of<T>(self, items: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        items.into_iter().skip(self.skip).take(self.take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(query: &str) -> Wishes {
        Wishes::of(&format!("/x?{query}").parse().unwrap()).unwrap()
    }

    #[test]
    fn what_a_client_left_unset_is_not_asked_for() {
        let wishes = wishes("name=undefined&pageSize=&pageNumber=NaN&sort=null");
        assert_eq!((wishes.text("name"), wishes.text("sort"), wishes.text("other")), (None, None, None));
        assert_eq!(wishes.page().unwrap(), Part { skip: 0, take: 10 });
    }

    #[test]
    fn a_part_of_a_list_is_chosen_by_page_or_by_offset() {
        let all = 0..7;
        let page = wishes("pageSize=3&pageNumber=3").page().unwrap();
        assert_eq!(page.of(all.clone()).collect::<Vec<_>>(), [6]);
        let slice = wishes("limit=2&offset=1").slice().unwrap();
        assert_eq!(slice.of(all.clone()).collect::<Vec<_>>(), [1, 2]);
        let beyond = wishes(&format!("pageNumber={}&pageSize=100", usize::MAX)).page().unwrap();
        assert_eq!(beyond.of(all).count(), 0);
        for bad in ["pageSize=0", "pageSize=101", "pageNumber=0", "pageSize=x", "pageNumber=-1"] {
            assert!(wishes(bad).page().is_err(), "{bad}");
        }
        assert!(wishes("limit=101").slice().is_err());
    }

    #[test]
    fn a_time_is_in_seconds_or_milliseconds() {
        let time = |text: &str| wishes(&format!("from={text}")).time("from");
        assert_eq!(time("1780000000").unwrap(), Some(Millis(1_780_000_000_000)));
        assert_eq!(time("1780000000123").unwrap(), Some(Millis(1_780_000_000_123)));
        assert_eq!(time("").unwrap(), None);
        assert!(time("yesterday").is_err());
    }
}
