//! The tool trait, and the two steps between it and the contract.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use crate::{Answer, Content, Error, Traits, bindings::wardian::plugin::types};

/// The promises of a tool that only computes, or only reads what it was granted.
pub const PURE: Traits = Traits::READ_ONLY.union(Traits::IDEMPOTENT).union(Traits::ADDITIVE).union(Traits::CLOSED_WORLD);

/// The schema of a tool that takes no arguments.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

/// One tool. The implementing type is the arguments of one call, read from JSON
/// that the host has already checked against [`INPUT`](Self::INPUT).
pub trait Tool: DeserializeOwned {
    /// Unique inside the plugin: `[a-z][a-z0-9_]{0,47}`.
    const NAME: &'static str;

    /// For the model: what it does, when to use it, when not to.
    const DESCRIPTION: &'static str;

    /// JSON Schema of the arguments; its root is an object. Without it the tool takes none.
    const INPUT: &'static str = NO_ARGUMENTS;

    /// JSON Schema of the data in the answer, where there is one.
    const OUTPUT: Option<&'static str> = None;

    /// Promises that let the host ask less. None by default, which means that
    /// the tool may destroy things and reach anybody.
    const TRAITS: Traits = Traits::empty();

    /// A JSON object: `title`, and `examples` as a list of `{"input", "output"}`.
    const ANNOTATIONS: Option<&'static str> = None;

    /// What a call gives.
    type Answer: Answer;

    /// What is described as [`INPUT`](Self::INPUT), for schemas that are made from types.
    fn input() -> Cow<'static, str> {
        Self::INPUT.into()
    }

    /// What is described as [`OUTPUT`](Self::OUTPUT).
    fn output() -> Option<Cow<'static, str>> {
        Self::OUTPUT.map(Into::into)
    }

    /// What is described as [`ANNOTATIONS`](Self::ANNOTATIONS).
    fn annotations() -> Option<Cow<'static, str>> {
        Self::ANNOTATIONS.map(Into::into)
    }

    /// Does the work of one call. It runs in an instance of its own: nothing it
    /// leaves in memory is seen by another call.
    fn run(self) -> Result<Self::Answer, Error>;
}

/// The descriptor of a tool.
pub fn describe<T: Tool>() -> types::Tool {
    types::Tool {
        name: T::NAME.into(),
        description: T::DESCRIPTION.trim().into(),
        input: T::input().into_owned(),
        output: T::output().map(Cow::into_owned),
        traits: T::TRAITS,
        annotations: T::annotations().map(Cow::into_owned),
    }
}

/// One call of a tool, from its arguments as JSON to the parts of its answer.
pub fn run<T: Tool>(input: &str) -> Result<Vec<Content>, Error> {
    serde_json::from_str::<T>(input)
        .map_err(|error| Error::invalid_input(format!("cannot read the arguments of {}: {error}", T::NAME)))?
        .run()?
        .into_parts()
}
