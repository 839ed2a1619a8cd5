//! What `test`, `match`, `capture`, `scan`, `sub` and `split` stand on. Matching
//! takes time in proportion to the expression and the text, never more.

use jaq_core::{
    Error,
    native::{bome, v},
};
use jaq_json::Val;
use regex_bites::bytes::{Captures, Regex, RegexBuilder};

use crate::functions::{Native, text};

/// The memory of one compiled expression.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// What a filter wants to have of a text.
#[derive(Clone, Copy, PartialEq)]
enum Parts {
    /// A list of matches for each place.
    Matches,
    /// The texts between the places.
    Between,
    /// Both, in turn.
    Both,
}

pub(crate) fn filters() -> Vec<Native> {
    macro_rules! filter {
        ($name:literal, $parts:expr) => {
            ($name, v(2), |mut cv| {
                let (flags, expression) = (cv.0.pop_var(), cv.0.pop_var());
                bome(search(&cv.1, &expression, &flags, $parts))
            })
        };
    }
    vec![filter!("matches", Parts::Matches), filter!("split_", Parts::Between), filter!("split_matches", Parts::Both)]
}

fn search(input: &Val, expression: &Val, flags: &Val, parts: Parts) -> Result<Val, Error<Val>> {
    let haystack = text(input)?;
    let flags = string(flags)?;
    let regex = compile(string(expression)?, flags)?;
    let mut out = Vec::new();
    let mut offsets = Offsets { haystack, byte: 0, char: 0 };
    let mut last = 0;
    for captures in regex.captures_iter(haystack) {
        let Some(whole) = captures.get(0) else { continue };
        if flags.contains('n') && whole.is_empty() {
            continue;
        }
        if parts != Parts::Matches {
            out.push(Val::utf8_str(haystack[last..whole.start()].to_vec()));
            last = whole.end();
        }
        if parts != Parts::Between {
            out.push(groups(&regex, &captures, &mut offsets));
        }
        if !flags.contains('g') {
            break;
        }
    }
    if parts != Parts::Matches {
        out.push(Val::utf8_str(haystack[last..].to_vec()));
    }
    Ok(out.into_iter().collect())
}

fn compile(expression: &str, flags: &str) -> Result<Regex, Error<Val>> {
    if let Some(unknown) = flags.chars().find(|flag| !"gnimslxp".contains(*flag)) {
        return Err(Error::str(format_args!("there is no regex flag {unknown}")));
    }
    let has = |flag| flags.contains(flag);
    RegexBuilder::new(expression)
        .size_limit(REGEX_BYTES_MAX)
        .case_insensitive(has('i'))
        .multi_line(has('m') || has('p'))
        .dot_matches_new_line(has('s') || has('p'))
        .swap_greed(has('l'))
        .ignore_whitespace(has('x'))
        .build()
        .map_err(|error| Error::str(format_args!("{expression:?} is no regular expression: {error}")))
}

/// The whole match and then its groups; a group that took no part is left out.
fn groups(regex: &Regex, captures: &Captures<'_>, offsets: &mut Offsets<'_>) -> Val {
    let start = captures.get(0).map_or(0, |whole| whole.start());
    offsets.advance(start);
    captures
        .iter()
        .zip(regex.capture_names())
        .filter_map(|(group, name)| {
            let group = group?;
            let mut at = Offsets { ..*offsets };
            let offset = at.advance(group.start());
            let length = at.advance(group.end()) - offset;
            let mut fields =
                vec![("offset", Val::from(offset)), ("length", Val::from(length)), ("string", Val::utf8_str(group.as_bytes().to_vec()))];
            fields.extend(name.map(|name| ("name", Val::utf8_str(name.to_owned()))));
            let fields = fields.into_iter().map(|(key, value)| (Val::utf8_str(key), value));
            Some(Val::obj(fields.collect()))
        })
        .collect()
}

/// Counts characters, as jq's offsets do, without beginning again at each match.
struct Offsets<'a> {
    haystack: &'a [u8],
    byte: usize,
    char: usize,
}

impl Offsets<'_> {
    /// Moves on to a byte and gives its character. Earlier bytes are at the present one.
    fn advance(&mut self, byte: usize) -> usize {
        let passed = self.haystack.get(self.byte..byte).unwrap_or_default();
        self.char += passed.iter().filter(|byte| (**byte & 0xc0) != 0x80).count();
        self.byte = self.byte.max(byte);
        self.char
    }
}

fn string(value: &Val) -> Result<&str, Error<Val>> {
    core::str::from_utf8(text(value)?).map_err(Error::str)
}
