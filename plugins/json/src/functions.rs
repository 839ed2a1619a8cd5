//! The library that queries are written with: jaq's own and what is added here.

use jaq_core::{
    Error, RunPtr,
    data::JustLut,
    load,
    native::{self, Filter, Fun},
};
use jaq_json::Val;
use jaq_std::ValT;

use crate::{dates, formats, math, regex};

/// Filters that are written in jq.
const PRELUDE: &str = include_str!("prelude.jq");

/// What `halt` ends is no process of the query's own. The other definitions stand on
/// functions that are left out: traces, rare mathematics.
const LEFT_OUT: &[&str] =
    &["halt", "halt_error", "stderr", "debug", "logb", "significand", "drem", "nexttoward", "scalb", "gamma", "@htmld"];

/// A filter that is written in Rust.
pub(crate) type Native = Filter<RunPtr<JustLut<Val>>>;

/// Everything that is written in jq.
pub(crate) fn definitions() -> impl Iterator<Item = load::parse::Def<&'static str>> {
    let prelude = load::parse(PRELUDE, |parser| parser.defs()).unwrap_or_default();
    let std = jaq_std::defs().filter(|definition| !LEFT_OUT.contains(&definition.name));
    jaq_core::defs().chain(std).chain(jaq_json::defs()).chain(prelude)
}

/// Everything that is written in Rust.
pub(crate) fn functions() -> impl Iterator<Item = Fun<JustLut<Val>>> {
    let own = math::filters().into_iter().chain(formats::filters()).chain(dates::filters()).chain(regex::filters());
    jaq_core::funs()
        .chain(jaq_std::base_funs())
        .chain(jaq_json::funs())
        .filter(|(name, ..)| !LEFT_OUT.contains(name))
        .chain(own.map(|filter| native::run::<JustLut<Val>>(filter)))
}

/// The bytes of a text.
pub(crate) fn text(value: &Val) -> Result<&[u8], Error<Val>> {
    value.as_utf8_bytes().ok_or_else(|| Error::typ(value.clone(), "string"))
}

/// A number as jq calculates with it.
pub(crate) fn number(value: &Val) -> Result<f64, Error<Val>> {
    value.as_f64().ok_or_else(|| Error::typ(value.clone(), "number"))
}
