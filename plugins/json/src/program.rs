//! A jq program from text to something that runs, and its mistakes in words.

use jaq_core::{
    Compiler, Ctx, Filter, Vars,
    data::JustLut,
    load::{self, Arena, File, Loader},
};
use jaq_json::Val;

use crate::functions::{definitions, functions};

/// How much of the program is quoted where it is wrong.
const QUOTE_CHARS: usize = 30;

/// A compiled jq program.
pub(crate) struct Program(Filter<JustLut<Val>>);

impl Program {
    pub(crate) fn compile(code: &str) -> Result<Self, String> {
        let arena = Arena::default();
        let modules = Loader::new(definitions())
            .load(&arena, File { code, path: () })
            .map_err(|errors| join(errors.iter().map(|(file, error)| syntax(file.code, error))))?;
        Compiler::default().with_funs(functions()).compile(modules).map(Self).map_err(|errors| {
            join(errors.iter().flat_map(|(_, errors)| errors).map(|(name, undefined)| format!("there is no {} {name}", undefined.as_str())))
        })
    }

    /// The program's results for one input, computed as they are asked for.
    pub(crate) fn run(&self, input: Val) -> impl Iterator<Item = Result<Val, String>> {
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        self.0.id.run((context, input)).map(|result| {
            result.map_err(|exception| match exception.get_err() {
                Ok(error) => error.to_string(),
                Err(_) => "the query ended without a result".into(),
            })
        })
    }
}

fn join(messages: impl Iterator<Item = String>) -> String {
    messages.collect::<Vec<_>>().join("; ")
}

fn syntax(code: &str, error: &load::Error<&str>) -> String {
    match error {
        load::Error::Io(_) => "there are no modules to import here".into(),
        load::Error::Lex(errors) => join(errors.iter().map(|(expected, at)| expectation(code, expected.as_str(), at))),
        load::Error::Parse(errors) => join(errors.iter().map(|(expected, at)| expectation(code, expected.as_str(), at))),
    }
}

/// `at` is a part of `code`, or empty at its end.
fn expectation(code: &str, expected: &str, at: &str) -> String {
    let offset = (at.as_ptr() as usize).checked_sub(code.as_ptr() as usize);
    let position = offset
        .and_then(|offset| code.get(..offset))
        .map(|before| format!(" at position {}", before.chars().count() + 1))
        .unwrap_or_default();
    let quote: String = at.chars().take(QUOTE_CHARS).collect();
    match quote.as_str() {
        "" => format!("expected {expected} where the query ends"),
        quote => format!("expected {expected}{position}, before {quote:?}"),
    }
}
