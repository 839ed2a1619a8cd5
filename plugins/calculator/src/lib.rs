//! `calculate`: arithmetic for a model that should not do it in its head.
//! Sums, products and whole powers are exact; roots and transcendental functions
//! are computed to [`value::DIGITS`] digits and shown with [`decimal::SHOWN_DIGITS`].
//! There are no variables, units or equations.

mod calculate;
mod decimal;
mod evaluate;
mod functions;
mod parse;
mod powers;
mod series;
mod token;
mod value;

use crate::calculate::Calculate;

wardian_plugin::export!(Calculate);

#[cfg(test)]
mod tests;
