//! `json_query`: the jq language, as `jaq` implements it, over a JSON value from
//! the arguments. There are no files, no modules and no environment to read.
//! Of jq's standard library the less common parts are left out: time formats
//! other than ISO 8601, `input`, `env`, `halt`, SQL-like and streaming filters.

mod dates;
mod formats;
mod functions;
mod math;
mod program;
mod query;
mod regex;
mod write;

use crate::query::JsonQuery;

wardian_plugin::export!(JsonQuery);

#[cfg(test)]
mod tests;
